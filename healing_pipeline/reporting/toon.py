"""Tables as TOON, for language models: the names once, then a line a row.

Rows are flat and all alike, because only then does TOON save anything: a list or a missing key in
one row makes it longer than JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import toon_format

from healing_pipeline.reporting.columns import Column
from healing_pipeline.reporting.tables import Cell, Table


def as_toon(table: Table) -> str:
    """What holds for all rows, then the rows under one line of names.

    Notes
    -----
    Times are ISO 8601 in its basic form (``20260302T120000Z``): it needs no quotes and costs half
    as many tokens. `rows_of` gives the rows back as they were.
    """
    document: dict[str, Any] = {name: _written(value) for name, value in table.about.items()}
    document[table.name] = [
        {each.name: _written(row[each.name]) for each in table.columns} for row in table.rows
    ]
    return toon_format.dumps(document)


def rows_of(text: str, name: str, columns: Sequence[Column]) -> list[dict[str, Cell]]:
    """The rows that `as_toon` wrote.

    TOON knows text, numbers and null; what else a column holds is known by its type.

    Raises
    ------
    ValueError
        If the text is no TOON, or holds no such table.
    """
    document = toon_format.loads(text)
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise ValueError(f"There is no table {name!r} in it.")
    names = {each.name for each in columns}
    rows: list[dict[str, Cell]] = []
    for row in found:
        if not isinstance(row, dict) or set(row) != names:
            raise ValueError(f"A row of {name!r} has other columns than {sorted(names)}.")
        rows.append({each.name: _read(row[each.name], each.type) for each in columns})
    return rows


def _written(value: Cell) -> str | int | float | None:
    if isinstance(value, datetime):
        at = value.astimezone(UTC)
        fraction = f".{at.microsecond:06d}" if at.microsecond else ""
        # strftime does not fill a year before 1000 up to four digits.
        return f"{at.year:04d}{at:%m%dT%H%M%S}{fraction}Z"
    return value


def _read(value: Any, kind: str) -> Cell:
    if value is None:
        return None
    if kind == "timestamp":
        return datetime.fromisoformat(value)
    if kind == "float":
        return float(value)
    if kind == "int":
        return int(value)
    if not isinstance(value, str):
        raise ValueError(f"{value!r} stands in a column of texts.")
    return value
