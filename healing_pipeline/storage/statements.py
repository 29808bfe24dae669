"""The named SQL of `queries/*.sql`, one file per noun, as callables; no SQL stands in Python."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import aiosql
from psycopg.rows import dict_row

PACKAGE = "healing_pipeline.storage"


def load_statements(noun: str) -> Any:
    """The statements of `queries/<noun>.sql`; rows come as dicts, parameters by keyword."""
    text = files(PACKAGE).joinpath("queries", f"{noun}.sql").read_text(encoding="utf-8")
    return aiosql.from_str(text, "psycopg", kwargs={"row_factory": dict_row})


def migration_files() -> Iterator[Traversable]:
    """The files of `migrations/`, in the order of their numbers."""
    found = files(PACKAGE).joinpath("migrations").iterdir()
    yield from sorted((each for each in found if each.name.endswith(".sql")), key=lambda f: f.name)


def schema_snapshot() -> str:
    """The whole schema as one file, for people and for the test that holds migrations to it."""
    return files(PACKAGE).joinpath("schema.sql").read_text(encoding="utf-8")
