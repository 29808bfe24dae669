"""Reports as tables that leave the house: CSV for spreadsheets, JSON for programs.

TOON, for language models, is in `toon`.

A table has the columns that were declared for it, in their order, whatever its rows hold. What has
no value is empty or null; a number that is not finite has no value.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

import orjson

from healing_pipeline.reporting.columns import Column

Cell: TypeAlias = str | int | float | datetime | None

# With these a spreadsheet takes a text for a formula and runs it (OWASP, "CSV injection"), the
# full-width forms included.
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of declared columns.

    Attributes
    ----------
    name : str
        What a row is, in the plural.
    about : Mapping[str, Cell]
        What holds for all rows: when it was made, over which window.
    """

    name: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Cell]]
    about: Mapping[str, Cell] = field(default_factory=dict)


def table_of(
    name: str,
    columns: Sequence[Column],
    rows: Iterable[Mapping[str, Any]],
    about: Mapping[str, Cell] | None = None,
) -> Table:
    """A table of just these columns; what a row lacks is None, what it has besides is left out."""
    kept = [{each.name: _cell(row.get(each.name), each.type) for each in columns} for row in rows]
    return Table(name, columns, kept, dict(about or {}))


def as_csv(table: Table) -> str:
    """RFC 4180, with a line of names; times as ISO 8601 in UTC.

    Notes
    -----
    A text that a spreadsheet would run as a formula gets an apostrophe in front, so such a text
    does not come back as it was. Numbers are left alone.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([each.name for each in table.columns])
    for row in table.rows:
        writer.writerow([_csv_cell(row[each.name]) for each in table.columns])
    return out.getvalue()


def as_json(table: Table) -> bytes:
    """One object: what holds for all, the columns with type and meaning, the rows."""
    document = {
        **{name: _plain(value) for name, value in table.about.items()},
        "columns": [
            {"name": each.name, "type": each.type, "description": each.description}
            for each in table.columns
        ],
        table.name: [{name: _plain(value) for name, value in row.items()} for row in table.rows],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def moment(at: datetime) -> str:
    """ISO 8601 in UTC: ``2026-03-02T12:00:00Z``, with a fraction where there is one."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def printable(text: str) -> str:
    """`text` without what no UTF-8 can hold: half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _cell(value: Any, kind: str) -> Cell:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if kind == "float":
        return float(value)
    if kind == "int":
        return int(value)
    if kind == "timestamp":
        assert isinstance(value, datetime), "a column of times holds times"
        return value
    return printable(str(value))


def _csv_cell(value: Cell) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, str):
        # A NUL is no text to any reader of CSV.
        text = value.replace("\0", "")
        return f"'{text}" if text.startswith(_BEGINS_A_FORMULA) else text
    return value


def _plain(value: Cell) -> str | int | float | None:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)  # JSON has no bound, its readers do
    return value
