"""Tables back from CSV and JSON, as `tables` wrote them or as somebody else did.

Nothing is guessed: what does not fit the declared columns is refused, with its place and its cure.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from healing_pipeline.reporting.cells import Cell, UnreadableError, read_cell, read_written
from healing_pipeline.reporting.columns import Column
from healing_pipeline.reporting.json_rules import refuse_constant, unlike_names
from healing_pipeline.reporting.structures import ABOUT_COLUMNS, STRUCTURES, Structure
from healing_pipeline.reporting.tables import GUARD, Table

_ABOUT = {each.name: each for each in ABOUT_COLUMNS}


def read_csv(text: str, structures: Mapping[str, Structure] = STRUCTURES) -> Table:
    """The table that a CSV holds, known by its line of names.

    Raises
    ------
    UnreadableError
        If it is none of `structures`, a line has too few or too many cells, or a cell is none of
        its column's.
    """
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        names = [each.strip() for each in next(lines, [])]
        structure = known_by_columns(names, structures)
        columns = {each.name: each for each in structure.columns}
        ordered = [columns[name] for name in names]
        rows: list[Mapping[str, Cell]] = []
        at = lines.line_num + 1
        for cells in lines:
            if cells:
                rows.append(_csv_row(cells, ordered, structure, at))
            at = lines.line_num + 1
    except csv.Error as exc:
        raise UnreadableError(
            f"This is no CSV: {exc}.",
            "Write a quote within a cell twice, and close every quote.",
            lines.line_num,
        ) from None
    return Table(structure.name, structure.columns, rows)


def read_json(
    text: str | bytes,
    structures: Mapping[str, Structure] = STRUCTURES,
    *,
    name: str | None = None,
) -> tuple[Table, ...]:
    """The tables that a JSON document holds: an object of lists, or one list of rows.

    Parameters
    ----------
    name : str, optional
        Of which structure a bare list of rows is; without it the keys of its first row tell.

    Raises
    ------
    UnreadableError
        If it is no JSON, holds something else, or a cell is none of its column's.
    """
    try:
        found = json.loads(text, object_pairs_hook=unlike_names, parse_constant=refuse_constant)
    except UnreadableError:
        raise
    except json.JSONDecodeError as exc:
        raise UnreadableError(f"This is no JSON: {exc.msg}.", _ONLY_JSON, exc.lineno) from None
    except (ValueError, RecursionError) as exc:
        raise UnreadableError(f"This is no JSON: {exc}.", _ONLY_JSON) from None
    if isinstance(found, list):
        first = found[0] if found and isinstance(found[0], dict) else {}
        structure = structures.get(name or "") or known_by_columns(list(first), structures)
        found = {structure.name: found}
    if not isinstance(found, dict):
        raise UnreadableError("This holds no table.", _say(structures))
    about = {
        key: read_about(key, value)
        for key, value in found.items()
        if key not in structures and key != "columns"
    }
    tables = [
        Table(key, structures[key].columns, read_rows(structures[key], found[key]), about)
        for key in found
        if key in structures
    ]
    if not tables:
        raise UnreadableError("This holds no table.", _say(structures))
    return tuple(tables)


def known_by_columns(names: Sequence[str], structures: Mapping[str, Structure]) -> Structure:
    """Which structure has just these columns, in any order.

    Raises
    ------
    UnreadableError
        If none has. The nearest one is named, with what is missing and what is too much.
    """
    given = set(names)
    for each in structures.values():
        if given == {column.name for column in each.columns} and len(given) == len(names):
            return each
    nearest = max(structures.values(), key=lambda each: len(given & _names(each)))
    if not given & _names(nearest):
        raise UnreadableError("These are the columns of no known table.", _say(structures), 1)
    check_columns(nearest, names, 1)
    raise UnreadableError("A column stands there twice.", "Name each column once.", 1)


def check_columns(structure: Structure, names: Iterable[str], line: int | None) -> None:
    """Require just the declared columns, in any order; `line` is where they are named.

    Raises
    ------
    UnreadableError
        With what is missing and what is too much.
    """
    given = list(names)
    missing = [each.name for each in structure.columns if each.name not in given]
    unknown = [each for each in given if each not in _names(structure)]
    if missing or unknown:
        said = [f"lacks {_listed(missing)}"] if missing else []
        said += [f"has {_listed(unknown)} besides"] if unknown else []
        raise UnreadableError(
            f"{structure.name} {' and '.join(said)}.",
            f"Its columns are {_listed([each.name for each in structure.columns])}.",
            line,
        )


def read_rows(
    structure: Structure, found: Any, lines: Sequence[int] | None = None
) -> list[Mapping[str, Cell]]:
    """The rows of a structure from decoded objects; `lines` are those they stand in, where known.

    Raises
    ------
    UnreadableError
        If one has other columns, or a cell is none of its column's.
    """
    if not isinstance(found, list):
        raise UnreadableError(f"{structure.name} is no list of rows.", "Write it as a table.")
    names = _names(structure)
    rows: list[Mapping[str, Cell]] = []
    for index, row in enumerate(found):
        line = None if lines is None else lines[index]
        where = "" if lines is not None else f"row {index + 1} of {structure.name}: "
        if not isinstance(row, dict):
            raise UnreadableError(f"{where}That is no row.", "Write a value by column.", line)
        if row.keys() != names:
            check_columns(structure, row, line)
        try:
            rows.append({each.name: read_cell(row[each.name], each) for each in structure.columns})
        except UnreadableError as exc:
            raise exc.at(line, where) from None
    return rows


def read_about(key: str, value: Any, line: int | None = None) -> Cell:
    """What is said above the tables, by its declared type.

    Raises
    ------
    UnreadableError
        If it is none of `ABOUT_COLUMNS`: then it is prose, or a table that is not known.
    """
    column = _ABOUT.get(key)
    if column is None:
        raise UnreadableError(
            f"{_cut(key)} is no table and nothing that is said of one.",
            f"Leave out everything but the tables and {_listed(list(_ABOUT))}.",
            line,
        )
    try:
        return read_cell(value, column)
    except UnreadableError as exc:
        raise exc.at(line) from None


def _csv_row(
    cells: Sequence[str], columns: Sequence[Column], structure: Structure, line: int
) -> Mapping[str, Cell]:
    if len(cells) != len(columns):
        raise UnreadableError(
            f"There are {len(cells)} cells where {structure.name} has {len(columns)} columns.",
            "Put a cell that holds a comma in quotes; leave a cell empty for null.",
            line,
        )
    made: dict[str, Cell] = {}
    for cell, column in zip(cells, columns, strict=True):
        try:
            made[column.name] = _csv_cell(cell, column)
        except UnreadableError as exc:
            raise exc.at(line) from None
    return {each.name: made[each.name] for each in structure.columns}


def _csv_cell(cell: str, column: Column) -> Cell:
    if column.type == "string":
        # Empty is null where that may be; an empty text then came as an apostrophe alone.
        if not cell and column.nullable:
            return None
        return read_cell(cell.removeprefix(GUARD), column)
    return read_written(cell, column)


_ONLY_JSON = "Leave out everything but the document, and send the whole of it."


def _names(structure: Structure) -> set[str]:
    return {each.name for each in structure.columns}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(_cut(each) for each in names[:20]) + (" ..." if len(names) > 20 else "")


def _cut(text: str) -> str:
    return repr(text) if len(text) <= 40 else f"{text[:37]!r}..."


def _say(structures: Mapping[str, Structure]) -> str:
    return f"Give one of {_listed(list(structures))}, by that name and with its columns."
