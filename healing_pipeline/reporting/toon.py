"""Tables as TOON, for language models: the names once, then a line a row.

Rows are flat and all alike, because only then does TOON save anything: a list or a missing key in
one row makes it longer than JSON. What is written here is read back by `toon_reading`, as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import toon_format

from healing_pipeline.reporting.cells import Cell, brief_moment, cell_of
from healing_pipeline.reporting.columns import Column
from healing_pipeline.reporting.tables import Table, about_all


def as_toon(table: Table, *more: Table) -> str:
    """What holds for all rows, then each table under one line of names: ``name[N]{...}:``.

    Raises
    ------
    ValueError
        If a cell is not what its column declares: TOON would write NaN as null and a list as a
        block of its own, and say nothing. `table_of` makes tables of which that is never true.

    Notes
    -----
    Times are ISO 8601 in its basic form (``20260302T120000Z``): it needs no quotes and costs half
    as many tokens. No table is left out for having no rows, and one row is still a table.
    """
    tables = (table, *more)
    about = {name: _written(value) for name, value in about_all(tables).items()}
    parts = [toon_format.dumps(about)] if about else []
    return "\n".join([*parts, *(_part(each) for each in tables)])


def header_of(name: str, columns: Sequence[Column], rows: int | str) -> str:
    """The line above the rows; with their number, or with a word in its place."""
    return f"{name}[{rows}]{{{','.join(each.name for each in columns)}}}:"


def _part(table: Table) -> str:
    if not table.rows:  # of which the library would say [], without the columns
        return header_of(table.name, table.columns, 0)
    rows = [_row(row, number, table) for number, row in enumerate(table.rows, 1)]
    return toon_format.dumps({table.name: rows})


def _row(
    row: Mapping[str, Cell], number: int, table: Table
) -> dict[str, str | int | float | bool | None]:
    try:
        return {each.name: _checked(row[each.name], each) for each in table.columns}
    except (KeyError, ValueError) as exc:
        raise ValueError(f"Row {number} of {table.name}: {exc}") from None


def _checked(value: Cell, column: Column) -> str | int | float | bool | None:
    made = cell_of(value, column)
    if made != value:
        raise ValueError(f"{column.name!r} holds {value!r}, which TOON cannot keep.")
    return _written(made)


def _written(value: Cell) -> str | int | float | bool | None:
    return brief_moment(value) if isinstance(value, datetime) else value
