"""Imports point down only, and everything the package needs at run time is shipped with it.

The rules are read from the source with `ast`: an import inside a function counts like any other.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import healing_pipeline

PACKAGE = Path(healing_pipeline.__file__).parent
ROOT = PACKAGE.parent

# Rules, no I/O: time, randomness and answers come as arguments.
CORE = {
    *("alerting", "catalog", "probing", "incidents", "healing", "learning", "reporting"),
    # But for its services, which are held to their edge below.
    "second_opinion",
}
WORDS = {"errors", "__version__"}

# What a part may import of the others; `a.b` allows that one module. Whoever adds a part says here
# what it stands on.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "alerting": CORE | WORDS,
    "catalog": CORE | WORDS,
    "probing": CORE | WORDS,
    "reporting": CORE | WORDS,
    # The protocol of a provider, never one of them.
    "incidents": CORE | WORDS | {"providers.provider"},
    "healing": CORE | WORDS | {"providers.provider"},
    "learning": WORDS,
    "importing": CORE | WORDS,
    "second_opinion": CORE | WORDS,
    "providers": CORE | WORDS,
    "storage": CORE | WORDS,
    "transport": CORE | WORDS | {"providers.provider"},
    # It knows the truth: it uses nothing of what it is used to judge, but the words for data.
    "simulator": {"errors", "probing.reading", "probing.response"},
    # The addresses and keys of the simulator are settings; running it is not.
    "installation": CORE | WORDS | {"providers", "simulator.hosts", "simulator.keys"},
    # Forms of messages and what sends them; the outbox is storage's and control's matter.
    "channels": CORE | WORDS,
    "control": CORE | WORDS | {"channels", "providers.provider", "storage"},
    "data_path": CORE | WORDS | {"installation", "storage", "transport"},
    "client": CORE | WORDS | {"data_path", "installation"},
    "session": CORE | WORDS | {"control", "data_path", "installation", "storage", "transport"},
    "orchestration": CORE | WORDS | {"client", "control", "installation", "session", "storage"},
    # What a code location of anyone's attaches to its jobs.
    "hooks": {"orchestration"},
    "web": CORE
    | WORDS
    # Why people are told of something is decided in one place.
    | {"client", "control.alert_firing", "data_path", "installation", "providers", "storage"},
    # They stand alone: other Dagster projects use them.
    "launcher": set(),
    "celery_runs": set(),
    "definitions": {
        "catalog.settings",
        "control.lookout",
        "healing.strategies.registry",
        "installation",
        "orchestration",
    },
    "merging": {"definitions", "errors"},
    # What `dg` scaffolds and shows.
    "components": {"catalog", "definitions", "errors"},
    "stack": CORE
    | WORDS
    # What the launcher started is ended with the stack.
    | {"client", "installation", "launcher.process_identity", "launcher.processes"}
    | {"session", "simulator", "storage"},
    "drill": CORE
    | WORDS
    | {"control", "data_path", "installation", "launcher.folder", "providers", "simulator"}
    | {"stack", "storage", "transport"},
    "cli": CORE
    | WORDS
    | {
        *("channels", "client"),
        "control.alert_firing",
        *("control.alerting", "control.alerts_process", "control.delivering"),
        "control.consulting_on_demand",
        "control.diagnosing",
        # `healing learn` folds by runs of the installation's Dagster.
        *("control.learning_run", "definitions"),
        *("orchestration.learning_runs", "orchestration.partitions"),
        *("control.log_trimming", "control.pruning", "control.retention_run"),
        "drill",
        "importing",
        "installation",
        "providers",
        "session",
        "simulator",
        "stack",
        "storage",
        "web",
    },
    "__main__": {"cli"},
}

# Libraries that belong to an edge, and the parts that are that edge.
ONLY_IN: dict[str, set[str]] = {
    "celery": {"celery_runs"},
    "dagster": {
        *("celery_runs", "components", "definitions", "launcher", "merging", "orchestration"),
    },
    "dagster_celery": {"celery_runs"},
    "dagster_postgres": {"orchestration"},
    "httpx": {"transport", "simulator", "cli"},
    "redis": {"storage"},
    "requests": set(),
    "apprise": {"channels"},
    "jinja2": {"channels", "web"},
    "aiohttp": {"transport"},
    "anthropic": {"second_opinion"},
    "openai": {"second_opinion"},
    "yarl": {"transport"},
    "starlette": {"web"},
    "uvicorn": {"web", "cli"},
    "fastapi": set(),
    "psycopg": {"storage", "control", "stack", "drill"},
    "psycopg2": set(),
    "sqlalchemy": set(),
    "anyio": {"session", "client"},
    "psutil": {"launcher", "storage"},
    "typer": {"cli"},
    "rich": {"cli"},
}

# A second or more of start-up, which a heal run would pay.
HEAVY = {"pandas", "sklearn", "matplotlib", "scipy", "numpy", "apprise", "anthropic", "openai"}

# Modules of the standard library through which time, chance and the world come in.
WORLD = {"random", "secrets", "socket", "subprocess", "threading", "time", "urllib.request"}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, as `place` imports it."""

    module: str
    place: str
    at_module_level: bool

    @property
    def library(self) -> str:
        return self.module.split(".")[0]

    @property
    def inside(self) -> str | None:
        """Within our package: ``storage.database``; None when it is not ours."""
        head, _, rest = self.module.partition(".")
        return rest if head == PACKAGE.name else None


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def imports_of(path: Path) -> tuple[Import, ...]:
    return imports_in_tree(tree_of(path), str(path.relative_to(ROOT)))


def imports_in_tree(tree: ast.Module, file: str) -> tuple[Import, ...]:
    later = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_for_types_only(node)
        for inner in ast.walk(node)
    }
    return tuple(
        Import(module, f"{file}:{node.lineno}", node not in later)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in named(node)
    )


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def named(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (each.name for each in node.names)
        return
    assert node.module is not None, "imports are absolute"
    assert node.level == 0, "imports are absolute"
    for each in node.names:
        # `from a import b` imports the module a.b where there is one.
        inner = f"{node.module}.{each.name}"
        file = ROOT.joinpath(*inner.split("."))
        is_module = file.with_suffix(".py").exists() or (file / "__init__.py").exists()
        yield inner if is_module or node.module == PACKAGE.name else node.module


def parts() -> list[str]:
    return sorted({part_of(path) for path in modules()} - {"__init__"})


def imports_in(part: str) -> list[Import]:
    return [each for path in modules() if part_of(path) == part for each in imports_of(path)]


def is_allowed(inside: str, allowed: set[str]) -> bool:
    return any(inside == each or inside.startswith(f"{each}.") for each in allowed)


def test_every_part_says_what_it_may_import() -> None:
    assert set(MAY_IMPORT) == set(parts()), (
        "add the new part to MAY_IMPORT, or take the old one out"
    )


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_a_part_imports_only_what_lies_below_it(part: str) -> None:
    allowed = MAY_IMPORT[part] | {part}
    wrong = [
        f"{each.place} imports {each.module}"
        for each in imports_in(part)
        if each.inside is not None and not is_allowed(each.inside, allowed)
    ]
    assert not wrong


@pytest.mark.parametrize("library", sorted(ONLY_IN))
def test_a_library_stays_at_its_edge(library: str) -> None:
    wrong = [
        f"{each.place} imports {each.module}"
        for part in parts()
        if part not in ONLY_IN[library]
        for each in imports_in(part)
        if each.library == library
    ]
    assert not wrong


def test_heavy_libraries_are_imported_where_they_are_used_and_not_before() -> None:
    wrong = [
        f"{each.place} imports {each.module}"
        for path in modules()
        for each in imports_of(path)
        if each.library in HEAVY and each.at_module_level
    ]
    assert not wrong


@pytest.mark.parametrize("part", sorted(CORE | {"importing"}))
def test_the_core_asks_neither_a_clock_nor_chance_nor_the_world(part: str) -> None:
    wrong = [
        f"{each.place} imports {each.module}"
        for each in imports_in(part)
        if each.module in WORLD or each.library in WORLD
    ]
    wrong += [
        f"{path.relative_to(ROOT)}:{node.lineno} calls {ast.unparse(node)}"
        for path in modules()
        if part_of(path) == part
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"now", "utcnow", "today"}
        and ast.unparse(node.func.value).split(".")[-1] in {"datetime", "date"}
    ]
    assert not wrong


def test_no_modules_need_each_other_to_be_imported() -> None:
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in modules()
    }
    needs = {
        name: {each.module for each in imports_of(path) if each.at_module_level} & set(names)
        for name, path in names.items()
    }
    ready: set[str] = set()
    while new := {name for name, needed in needs.items() if needed <= ready} - ready:
        ready |= new
    assert not set(names) - ready, "in a ring of imports, or above one"


def test_the_rules_see_an_import_wherever_it_stands() -> None:
    source = """
import dagster as dg
from healing_pipeline import storage
try:
    import pandas
except ImportError:
    pandas = None
if TYPE_CHECKING:
    from healing_pipeline.session import Session
def late():
    from healing_pipeline.storage.database import Database
"""
    found = {
        each.module: each.at_module_level for each in imports_in_tree(ast.parse(source), "any.py")
    }
    assert found == {
        "dagster": True,
        "healing_pipeline.storage": True,
        "pandas": True,
        "healing_pipeline.session": False,
        "healing_pipeline.storage.database": False,
    }


def test_every_file_that_is_no_code_is_shipped() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"][PACKAGE.name]
    shipped = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    files = {
        path
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"} and "__pycache__" not in path.parts
    }
    assert {path.suffix for path in files} >= {".sql", ".yaml"}
    assert not {str(path.relative_to(ROOT)) for path in files - shipped}


def test_type_checkers_are_told_that_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


def test_every_library_that_is_imported_is_asked_for() -> None:
    """What comes along with another package goes with it, some day."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = settings["project"]["optional-dependencies"]
    extra = (*extras["second-opinion"], *extras["celery"], *extras["redis"])
    asked = {
        each.split("[")[0].split(">")[0].split("<")[0].split("=")[0].strip().replace("-", "_")
        for each in (*settings["project"]["dependencies"], *extra)
    }
    named_otherwise = {"yaml": "pyyaml", "psycopg_pool": "psycopg", "sklearn": "scikit_learn"}
    wrong = {
        f"{each.place} imports {each.library}"
        for path in modules()
        for each in imports_of(path)
        if each.library not in sys.stdlib_module_names | {PACKAGE.name}
        and named_otherwise.get(each.library, each.library) not in asked
    }
    assert not wrong
