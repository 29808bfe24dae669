"""Reports as tables that leave the house: CSV for spreadsheets, JSON for programs.

TOON, for language models, is in `toon`; Markdown and HTML, for people, are in `markup`; the way
back from CSV and JSON is in `table_reading`.

A table has the columns that were declared for it, in their order, whatever its rows hold. What has
no value is empty or null; a number that is not finite has no value.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from healing_pipeline.reporting.cells import Cell, cell_of, fits_json, moment, printable
from healing_pipeline.reporting.columns import NAME, Column
from healing_pipeline.reporting.structures import ABOUT_COLUMNS, JOINED_BY

# With these a spreadsheet takes a text for a formula and runs it (OWASP, "CSV injection"), the
# full-width forms included.
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
GUARD = "'"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of declared columns.

    Attributes
    ----------
    name : str
        What a row is, in the plural; a name as a column's.
    about : Mapping[str, Cell]
        What holds for all rows: when it was made, over which window. `ABOUT_COLUMNS` are read back.

    Raises
    ------
    ValueError
        If the name is none that every format takes.
    """

    name: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Cell]]
    about: Mapping[str, Cell] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if NAME.fullmatch(self.name) is None or self.name in self.about:
            raise ValueError(f"{self.name!r} cannot be the name of this table.")


def table_of(
    name: str,
    columns: Sequence[Column],
    rows: Iterable[Mapping[str, Any]],
    about: Mapping[str, Any] | None = None,
) -> Table:
    """A table of just these columns; what a row lacks is None, what it has besides is left out.

    Raises
    ------
    ValueError
        If a value is none of its column's, with the number of the row.
    """
    made: list[Mapping[str, Cell]] = []
    for number, row in enumerate(rows, 1):
        try:
            made.append({each.name: cell_of(row.get(each.name), each) for each in columns})
        except ValueError as exc:
            raise ValueError(f"Row {number} of {name}: {exc}") from None
    kinds = {each.name: each for each in ABOUT_COLUMNS}
    known = {
        key: cell_of(value, kinds.get(key, Column(key, _kind_of(value), "")))
        for key, value in (about or {}).items()
    }
    return Table(name, tuple(columns), made, known)


def about_all(tables: Sequence[Table]) -> dict[str, Cell]:
    """What stands above several tables in one document.

    Raises
    ------
    ValueError
        If two tables are of one name, or differ in what is said of them. Which of them were cut is
        no difference.
    """
    if len(tables) == 1:
        return dict(tables[0].about)
    about: dict[str, Cell] = {}
    cut: list[str] = []
    names = [each.name for each in tables]
    for table in tables:
        for key, value in table.about.items():
            if key == "cut":
                cut += [each for each in str(value or "").split(JOINED_BY) if each]
            elif about.setdefault(key, value) != value:
                raise ValueError(f"The tables differ in {key!r}: {about[key]} and {value}.")
    if len(set(names)) < len(names) or set(names) & set(about):
        raise ValueError(f"No two things in a document may go by one name: {', '.join(names)}.")
    if any("cut" in table.about for table in tables):
        about["cut"] = JOINED_BY.join(dict.fromkeys(cut)) or None
    return about


def as_csv(table: Table) -> str:
    """RFC 4180, with a line of names; times as ISO 8601 in UTC.

    Notes
    -----
    A text that a spreadsheet would run as a formula gets an apostrophe in front, and so does one
    that begins with an apostrophe, and an empty one where empty means null: `read_csv` takes one
    apostrophe off and has the text as it was. Numbers are left alone. Two things are lost: what
    holds for all rows, which CSV has no place for, and NUL, which is no text to readers of CSV.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([each.name for each in table.columns])
    for row in table.rows:
        writer.writerow([_csv_cell(row[each.name], each) for each in table.columns])
    return out.getvalue()


def as_json(table: Table, *more: Table) -> bytes:
    """One object: what holds for all, the columns with type and meaning, the rows.

    With several tables, the columns are by name of the table.
    """
    tables = (table, *more)
    columns = {each.name: _columns(each.columns) for each in tables}
    document: dict[str, Any] = {
        **{name: _plain(value) for name, value in about_all(tables).items()},
        "columns": columns if more else columns[table.name],
    }
    for each in tables:
        document[each.name] = [
            {name: _plain(value) for name, value in row.items()} for row in each.rows
        ]
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _columns(columns: Sequence[Column]) -> list[dict[str, str]]:
    return [
        {"name": each.name, "type": each.type, "description": each.description} for each in columns
    ]


def csv_text(text: str, *, is_nullable: bool = True) -> str:
    """A text as a cell that no spreadsheet runs, see `as_csv`."""
    text = text.replace("\0", "")
    unclear = text.startswith((*_BEGINS_A_FORMULA, GUARD)) or (not text and is_nullable)
    return f"{GUARD}{text}" if unclear else text


def _csv_cell(value: Cell, column: Column) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, str):
        return csv_text(value, is_nullable=column.nullable)
    return value


def _plain(value: Cell) -> str | int | float | None:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, int) and not fits_json(value):
        return str(value)  # JSON has no bound, its readers do
    return value


def _kind_of(value: Any) -> str:
    for kind, type_ in (
        ("bool", bool),
        ("int", int),
        ("float", float),
        ("timestamp", datetime),
    ):
        if isinstance(value, type_):
            return kind
    return "string"


__all__ = [
    "Cell",
    "Table",
    "about_all",
    "as_csv",
    "as_json",
    "csv_text",
    "moment",
    "printable",
    "table_of",
]
