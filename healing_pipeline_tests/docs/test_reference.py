"""The reference pages lack nothing that the program has, and invent nothing."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from page_blocks import ROOT, pages, text_of

from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.providers.registry import PROVIDERS
from healing_pipeline.storage.database import connection_info

FENCE = re.compile(r"^```\{generated\} ([\w-]+)$", re.MULTILINE)
VARIABLE = re.compile(r"\bHEALING_[A-Z]+(?:_[A-Z]+)*\b")


@pytest.fixture(scope="module")
def reference() -> Iterator[Any]:
    """The modules that make the pages, by name."""
    sys.path.insert(0, str(ROOT / "docs" / "_ext"))
    package = import_module("program_reference")
    names = {*package.MADE.values(), "markdown"}
    yield SimpleNamespace(
        MADE=package.MADE,
        made=package.made,
        **{each: import_module(f"program_reference.{each}") for each in names},
    )
    sys.path.pop(0)


def test_all_that_is_made_is_on_a_page_and_each_page_asks_for_what_is_made(reference):
    asked = [name for page in pages() for name in FENCE.findall(text_of(page))]
    assert sorted(asked) == sorted(reference.MADE)


def test_every_fence_is_filled_and_nothing_else_of_its_page_changes(reference, monkeypatch):
    generated = import_module("generated")
    monkeypatch.setattr(generated, "made", "<{}>".format)
    for page in pages():
        shown, text = generated.filled(text_of(page)), text_of(page)
        assert "{generated}" not in shown, page
        assert [f"<{name}>" for name in FENCE.findall(text)] == [
            line for line in shown.splitlines() if line not in text.splitlines()
        ]


def test_nothing_of_the_configuration_is_read_that_the_page_does_not_tell_nor_the_reverse(
    reference,
):
    read = reference.configuration.read_tables()
    described = reference.configuration.described_tables()
    assert {place: set(each.takes) for place, each in read.items()} == {
        place: set(each["properties"]) for place, each in described.items()
    }
    required = {place: set(each.get("required", ())) for place, each in described.items() if place}
    for place in {"sources.*", "endpoints.*", "alerts.channels.*", "second_opinion"}:
        assert set(read[place].required) == required[place]
    assert all(
        key["description"] for each in described.values() for key in each["properties"].values()
    )


def test_a_range_on_the_page_is_the_one_that_is_enforced(reference):
    takes = reference.configuration.read_tables()["endpoints.*"].takes
    assert takes["interval_s"] == "number, 30 to 600"
    assert takes["max_age_s"] == "number, 1 or more"
    assert "| `interval_s` | number, 30 to 600 |" in reference.configuration.text()


def test_a_table_is_found_by_what_messages_call_it(reference):
    place_of = reference.configuration.place_of
    assert place_of("the configuration") == ""
    assert place_of("`quota` of source `shop`") == "sources.*.quota"
    assert place_of("key `main` of source `shop`") == "sources.*.keys.*"
    with pytest.raises(KeyError):
        place_of("planet `mars`")


def variables_read(*folders: str) -> set[str]:
    found = set()
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            found |= set(re.findall(r"""["'](HEALING_[A-Z]+(?:_[A-Z]+)*)["']""", path.read_text()))
    return found


def test_every_variable_that_the_code_reads_is_on_the_page_and_no_other(reference):
    told = set(reference.environment.OF_THE_PROJECT)
    # A constant of our own may be a text that only looks like a variable.
    assert told == variables_read("healing_pipeline")


def test_every_variable_of_tests_and_ci_is_on_the_page(reference):
    told = set(reference.environment.OF_THE_TESTS)
    used = set(VARIABLE.findall((ROOT / ".ci" / "run").read_text()))
    used |= set(VARIABLE.findall((ROOT / "Makefile").read_text()))
    assert used <= told
    assert told <= variables_read("healing_pipeline_tests", "scripts")


def test_every_strategy_is_on_the_page_with_its_parameters_and_a_sentence_for_each(reference):
    told = reference.strategies.text()
    for each in STRATEGIES:
        section = told.partition(f"### `{each.name}`\n")[2].partition("\n### ")[0]
        for name in type(each).__dataclass_fields__:
            if name != "name":
                assert re.search(rf"\| `{name}` \| `[^|]+` \| [A-Z][^|]+\. \|", section), (
                    f"{each.name} does not say what {name} is"
                )


def test_what_a_strategy_is_against_is_what_it_says_itself(reference):
    of = {each.name: set(reference.strategies.failure_classes_of(each)) for each in STRATEGIES}
    assert of["batch_requests"] == {FailureClass.RATE_LIMIT}
    assert of["refresh_session"] == {FailureClass.AUTH_ERROR}
    assert of["hedged_request"] == {FailureClass.TIMEOUT, FailureClass.SLOW}
    assert not any(FailureClass.BAD_REQUEST in each for each in of.values())
    # A strategy that is against nothing could not be asked in any situation here.
    assert all(of.values())


def test_every_failure_class_and_provider_has_its_row(reference):
    classes = reference.failure_classes.text()
    assert all(f"| `{each}` |" in classes for each in FailureClass if each.is_failure)
    providers = reference.providers.text()
    assert all(f"| `{each}` |" in providers for each in PROVIDERS)


def test_the_page_of_tables_has_the_columns_that_a_migrated_database_has(reference, database_url):
    with psycopg.connect(connection_info(database_url)) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name, is_nullable = 'YES' FROM information_schema.columns"
            " JOIN information_schema.tables USING (table_schema, table_name)"
            " WHERE table_schema = 'healing' AND table_type = 'BASE TABLE'"
        ).fetchall()
        keys = connection.execute(
            "SELECT relname, array_agg(attname::text) FROM pg_constraint"
            " JOIN pg_class ON pg_class.oid = conrelid"
            " JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)"
            " WHERE contype = 'p' AND connamespace = 'healing'::regnamespace GROUP BY relname"
        ).fetchall()
    told = [each for each in reference.tables.relations() if not each.is_view]
    assert {
        (each.name, column.name, column.may_be_null) for each in told for column in each.columns
    } == set(columns)
    assert {each.name: set(each.key) for each in told if each.key} == {
        name: set(key) for name, key in keys
    }


def test_every_table_says_what_it_holds(reference):
    assert [each.name for each in reference.tables.relations() if not each.comment] == []


def test_every_family_of_metrics_is_told_of_with_a_sentence(reference):
    families = {reference.metrics.name_of(each): each for each in reference.metrics.families()}
    written = set()
    for path in (ROOT / "healing_pipeline" / "web" / "dashboard").glob("*metrics.py"):
        written |= set(re.findall(r'^\s+\(?"(healing_[a-z_]+)"', path.read_text(), re.MULTILINE))
    named = {re.sub(r"_(total|info)$", "", each) for each in families}
    assert written
    assert written - {"healing_gateway"} <= named
    assert all(each.documentation for each in families.values())


def test_every_command_is_on_the_page_with_every_option(reference):
    told = reference.command_line.text()
    for name, command in reference.command_line.commands():
        section = told.partition(f"### `{name}`\n")[2].partition("\n### ")[0]
        assert section, name
        options = {option for each in command.params for option in each.opts if option[0] == "-"}
        assert all(f"`{each}" in section for each in options), name


def test_the_page_of_the_http_api_has_every_header_and_each_kind_of_problem(reference):
    told = reference.http_paths.text()
    for each in ("/v1/{source}/{name}", "/proxy/{source}/{path}", "/reports/digest"):
        assert f"| `{each}` |" in told
    for each in ("X-Healing-Accept", "X-Healing-Fidelity", "Retry-After"):
        assert f"| `{each}` |" in told
    assert "| `limit` | `/reports/all` | integer, 1 to 10,000 (200) |" in told
    assert "| `limit` | `/reports/{structure}` | integer, 1 to 10,000 (1,000) |" in told
    assert "/problems/unknown-endpoint" in reference.http_problems.text()


def test_each_thing_in_dagster_says_what_it_is(reference):
    told = reference.dagster_objects.text()
    for each in ("market_data", "healing_rate", "heal_endpoint", "probe_fred", "prune_every_night"):
        assert f"| `{each}` |" in told
    # Only partitions and what a sensor requests may be empty, and a schedule names its job.
    assert not re.search(r"\|\s*\|$", told, re.MULTILINE)


def test_each_setting_of_ours_in_dagster_yaml_says_what_it_is(reference):
    told = {
        (each.__name__, name): said for each, name, _, said in reference.dagster_yaml.settings()
    }
    assert {"prewarmed", "asset_tags", "silent_s"} <= {name for _, name in told}
    assert [setting for setting, said in told.items() if not said] == []


@pytest.mark.parametrize(
    ("docstring", "prose", "told"),
    [
        ("One line.", "One line.", {}),
        ("Uses ``code``.\n\nMore.\n\nAttributes\n----------\na, b : int\n    Of two\n    lines.",
         "Uses `code`.\n\nMore.", {"a": "Of two lines.", "b": "Of two lines."}),
        ("X.\n\nAttributes\n----------\na : int\nb : c\n    Said.\n\nNotes\n-----\nc : d\n    No.",
         "X.", {"b": "Said."}),
    ],
)  # fmt: skip
def test_a_docstring_is_read_as_numpy_style_has_it(reference, docstring, prose, told):
    documented = type("Documented", (), {"__doc__": docstring})
    assert reference.markdown.docstring(documented) == prose
    assert reference.markdown.attributes(documented) == told


def test_a_cell_is_one_line_and_no_column_more(reference):
    assert reference.markdown.table(["a", "b"], [["x|y", "two\n  lines"]]).splitlines() == [
        "| a | b |",
        "| --- | --- |",
        r"| x\|y | two lines |",
    ]
