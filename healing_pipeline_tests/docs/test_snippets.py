"""Every command and snippet in the documentation is run, or `accounts.py` says why it is not."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from textwrap import dedent, indent
from types import ModuleType
from uuid import uuid4

import psycopg
import pytest
import shown_commands
import shown_yaml
import yaml
from accounts import ELSEWHERE, LOOKS_ONLY, NOT_RUN, SHOWN
from page_blocks import ROOT, Block, blocks, blocks_of, inline_code, pages, text_of
from shell_lines import commands
from snippets_world import World, snippets_world

import healing_pipeline as ours
from healing_pipeline.storage.database import connection_info

SHELL = {"sh", "bash", "console"}
RUNNERS = {*SHELL, "yaml", "python", "sql", "json", "toml"}
EXAMPLE = re.compile(r"Examples\n +-{8}\n +::\n\n(?P<code>(?: +.*\n|\n)+?) *\"\"\"")
BEGINS_A_COMMAND = re.compile(
    r"^\s*(\$|curl|dagster|dg|docker|export|healing|helm|kubectl|make|pip install|psql|python -m) ",
    re.MULTILINE,
)


def own(block: Block) -> str | None:
    """Why a block is run by no runner of its language."""
    if file := ELSEWHERE.get((block.page, block.language)):
        return file
    for (page, language, part), reason in NOT_RUN.items():
        if (page, language) == (block.page, block.language) and part in block.text:
            return reason
    return SHOWN.get(block.language)


@cache
def examples() -> dict[str, str]:
    """The examples in our docstrings, by file and line, as the Python API's page shows them."""
    found = {}
    for path in (ROOT / "healing_pipeline").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for match in EXAMPLE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found[f"{path.relative_to(ROOT)}:{line}"] = dedent(match["code"])
    return found


def to_run(*languages: str) -> list[object]:
    return [
        pytest.param(each, id=each.place)
        for each in blocks()
        if each.language in languages and own(each) is None
    ]


@pytest.fixture(scope="module")
def database_url(pg_server) -> Iterator[str]:
    """One migrated database for all blocks."""
    name = f"docs_{uuid4().hex}"
    pg_server.create(name, "healing_template")
    yield pg_server.url(name)
    pg_server.drop(name)


@pytest.fixture(scope="module")
def world(tmp_path_factory, database_url) -> Iterator[World]:
    with snippets_world(tmp_path_factory.mktemp("docs"), database_url) as world:
        yield world


def test_every_block_is_run_or_accounted_for():
    unaccounted = [
        f"{each.place} is in {each.language or 'no language'}, which no test runs"
        for each in blocks()
        if each.language not in RUNNERS and own(each) is None
    ]
    assert not unaccounted


def test_nothing_that_is_shown_as_output_is_a_command():
    wrong = [
        f"{each.place} holds a command; write ```sh"
        for each in blocks()
        if each.language == "text" and BEGINS_A_COMMAND.search(each.text)
    ]
    assert not wrong


@pytest.mark.parametrize(("page", "language"), sorted(ELSEWHERE))
def test_what_is_run_elsewhere_is_there_and_the_test_names_the_page(page, language):
    assert any(each.language == language for each in blocks_of(page)), "take the line out"
    test = (ROOT / "healing_pipeline_tests" / ELSEWHERE[page, language]).read_text("utf-8")
    assert page.rsplit("/", 1)[-1] in test


def test_every_exception_has_its_block():
    stale = [
        each
        for each in NOT_RUN
        if each[0] not in pages()
        or not any(
            each[1] == block.language and each[2] in block.text for block in blocks_of(each[0])
        )
    ]
    assert not stale


@pytest.mark.parametrize("block", to_run(*SHELL))
def test_every_command_of_a_block_exists(block, request):
    wrong = []
    for command in commands(block.text):
        if command.program == "curl":
            said = request.getfixturevalue("world").curl(command.words[1:])
        else:
            said = shown_commands.judged(command)
        if said is not None:
            wrong.append(f"{block.page}:{block.line + command.line}: {said}")
    assert not wrong


def run_for_real() -> list[str]:
    """Commands of ours that only look, each once, however many pages show it."""
    found = {
        shlex.join(command.words[1:]): None
        for block in blocks()
        if block.language in SHELL and own(block) is None
        for command in commands(block.text)
        if command.program == "healing" and LOOKS_ONLY.fullmatch(shlex.join(command.words[1:]))
    }
    return list(found)


@pytest.mark.parametrize("arguments", run_for_real())
def test_every_command_that_only_looks_does_so(arguments, world):
    code, said = world.healing(shlex.split(arguments))
    assert (code, "Traceback" in said) == (0, False), said
    assert said


@pytest.mark.parametrize("block", to_run("yaml"))
def test_every_configuration_is_one(block):
    above = [
        each.text
        for each in blocks_of(block.page)
        if each.language == "yaml" and each.line < block.line
    ]
    assert shown_yaml.judged(block.text, above) is None


@pytest.mark.parametrize("page", sorted({each.values[0].page for each in to_run("python")}))
def test_every_program_runs(page, world):
    module = ModuleType("shown_program")
    with world.entered() as patch:
        # A dataclass looks for the module it stands in.
        patch.setitem(sys.modules, module.__name__, module)
        for block in blocks_of(page):
            if block.language == "python" and own(block) is None:
                # Padded, so that a traceback names the page's line.
                text = "\n" * (block.line - 1) + block.text
                exec(compile(text, page, "exec", dont_inherit=True), vars(module))


@pytest.mark.parametrize("name", sorted(examples()))
def test_every_example_in_a_docstring_runs(name, world):
    # An example may need to be in an event loop, and has what the package offers.
    dagster = import_module("dagster")
    lines = indent(examples()[name], "    ")
    given: dict[str, object] = {
        "dg": dagster,
        **{each: getattr(ours, each) for each in ours.__all__},
    }
    with world.entered():
        exec(compile(f"async def example():\n{lines}", name, "exec", dont_inherit=True), given)
        asyncio.run(given["example"]())


def test_postgresql_takes_every_statement(database_url):
    with psycopg.connect(connection_info(database_url)) as connection:
        for block in (each for each in blocks() if each.language == "sql" and own(each) is None):
            connection.execute(block.text.encode())
            connection.rollback()


@pytest.mark.parametrize("block", to_run("json", "toml"))
def test_every_document_is_one(block):
    assert json.loads(block.text) if block.language == "json" else tomllib.loads(block.text)


def test_every_yaml_that_others_read_is_yaml():
    for page, language, part in NOT_RUN:
        for block in blocks_of(page):
            if language == block.language == "yaml" and part in block.text:
                assert yaml.safe_load(block.text)


def test_every_command_that_prose_names_exists():
    wrong = []
    for each in inline_code():
        words = each.text.removeprefix(".venv/bin/").split()
        said = None
        if words[:1] == ["healing"]:
            said = shown_commands.mentioned(words[1:])
        elif words[:1] in (["make"], ["python"]) and len(words) > 1:
            said = next(filter(None, map(shown_commands.judged, commands(each.text))), None)
        if said is not None:
            wrong.append(f"{each.place} `{each.text}`: {said}")
    assert not wrong


@pytest.mark.parametrize(
    "wrong",
    [
        "healing alerts sho 12",
        "healing up --prot 3",
        "healing fetch",
        "make run && make tset",
        "pip install 'healing-pipeline[everything]'",
        "python benchmarks/data_path.py --sead 1",
        "python -m healing_pipeline_tests.chaos killz --seed 1",
        "python -m healing_pipeline.launcher begin",
        "echo $(healing tost)",
        "docker compose -f deploy/composed.yaml up",
        "deploy/secrets/made.sh",
        "unheard-of --option",
    ],
)
def test_a_command_that_is_wrong_is_found(wrong):
    assert any(map(shown_commands.judged, commands(wrong)))


@pytest.mark.parametrize(
    "wrong",
    [
        "alerts: {chanels: {}}",
        "endpoints: {yahoo/quote-spy: {path: quote}}",
        "gateway: {requests_per_s: many}",
        "somebody: {elses: 1}",
        "type: healing_pipeline.HealingSources\nattributes: {upstreams: real}",
    ],
)
def test_a_configuration_that_is_wrong_is_found(wrong):
    assert shown_yaml.judged(wrong) is not None


def test_every_path_of_the_gateway_is_on_the_page_of_its_paths(world):
    page = text_of("docs/reference/http_api.md")
    # Those of reports and data are made from the OpenAPI document.
    missing = [
        each
        for each in world.paths
        if f"`{each}`" not in page and not each.startswith(("/reports", "/v1", "/proxy"))
    ]
    assert not missing


def test_a_reading_that_the_gateway_does_not_have_is_found(world):
    assert "404" in str(world.curl(["-i", "http://127.0.0.1:8888/v1/yahoo/no-such-thing"]))
