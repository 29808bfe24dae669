"""Comma-separated bodies: is it a table at all, is it whole, does it hold a value."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

_FIRST_COLUMNS = frozenset(
    {"date", "time", "timestamp", "datetime", "observation_date", "symbol", "ticker", "code"}
)
"""What the first column of every table of these providers is called."""

_HEADING = re.compile(r"[A-Za-z][\w .%()/*-]{0,60}")


@dataclass(frozen=True, slots=True)
class Table:
    """The outline of a table.

    Attributes
    ----------
    columns : tuple of str
    rows : int
        Without the heading.
    values : int
        Cells right of the first column that hold a digit.
    ragged_row : int or None
        The first row whose number of cells differs from the heading's, counted from 1.
    """

    columns: tuple[str, ...]
    rows: int
    values: int
    ragged_row: int | None


def read_table(text: str) -> Table | None:
    """Outline of a table with a heading that these providers use; None for any other text."""
    heading, _, _ = text.partition("\n")
    columns = tuple(cell.strip().strip('"') for cell in heading.strip().split(","))
    if len(columns) < 2 or columns[0].lower() not in _FIRST_COLUMNS:
        return None
    if not all(_HEADING.fullmatch(column) for column in columns):
        return None
    rows = values = 0
    ragged: int | None = None
    try:
        for cells in csv.reader(io.StringIO(text[len(heading) + 1 :])):
            if not cells:
                continue
            rows += 1
            if len(cells) != len(columns) and ragged is None:
                ragged = rows
            values += sum(any(c.isdigit() for c in cell) for cell in cells[1:])
    except csv.Error:
        ragged = rows + 1
    return Table(columns, rows, values, ragged)
