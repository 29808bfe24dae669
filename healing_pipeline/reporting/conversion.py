"""From one format to another, whichever way: our structures by their columns, all else as it is."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from healing_pipeline.reporting.any_reading import (
    Found,
    read_csv_rows,
    read_json_value,
    read_toon_value,
)
from healing_pipeline.reporting.any_writing import (
    Written,
    write_csv_rows,
    write_json_value,
    write_markdown_rows,
    write_toon_value,
)
from healing_pipeline.reporting.cells import UnreadableError
from healing_pipeline.reporting.markup import as_markdown
from healing_pipeline.reporting.structures import STRUCTURES
from healing_pipeline.reporting.table_reading import read_csv, read_json
from healing_pipeline.reporting.tables import Table, as_csv, as_json
from healing_pipeline.reporting.toon import as_toon
from healing_pipeline.reporting.toon_reading import detect, read_toon, unfenced

NO_STRUCTURE = "none"
"""Instead of a structure's name: convert what is there as it is."""

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_TOON_TABLE = re.compile(
    rf"^\s*(?:{_QUOTED}|[A-Za-z_][\w.]*)?\[\d+[|\t]?\](?:\{{.*\}})?:", re.MULTILINE
)
_TOON_KEY = re.compile(rf"(?:{_QUOTED}|[A-Za-z_][\w.]*):(?: |$)")
_WHAT = "Say what it is: --from toon, json or csv."


@dataclass(frozen=True, slots=True)
class Converted:
    """A document in another format.

    Attributes
    ----------
    read_as : str
        What it was.
    structures : tuple of str
        Whose columns gave the types; empty when it was converted as it is.
    notes : tuple of str
        What the new document does not keep.
    """

    text: str
    read_as: str
    structures: tuple[str, ...]
    notes: tuple[str, ...]


def convert(
    text: str, *, to: str | None = None, read_as: str | None = None, structure: str | None = None
) -> Converted:
    """`text` in another format.

    Parameters
    ----------
    to : str, optional
        One of `WRITERS`; without it TOON becomes JSON and everything else TOON.
    read_as : str, optional
        One of `READERS`; without it the text tells.
    structure : str, optional
        Which of our structures it has to hold, or `NO_STRUCTURE`; without it the text tells.

    Raises
    ------
    UnreadableError
        If it cannot be read, or cannot be written in that format.
    """
    form = read_as or form_of(text)
    target = to or ("json" if form == "toon" else "toon")
    names = _structures_in(text, form, structure)
    if names:
        tables = _tables(text, form, structure)
        written = _written(tables, target)
    else:
        found = READERS[form](text)
        made = WRITERS[target](found.value)
        written = Written(made.text, (*found.notes, *made.notes))
    try:
        written.text.encode("utf-8")
    except UnicodeEncodeError:
        raise UnreadableError(
            "It holds half a surrogate pair, which is no text.", "Take it out."
        ) from None
    return Converted(written.text, form, names, written.notes)


def form_of(text: str) -> str:
    """What a document is written in.

    Raises
    ------
    UnreadableError
        If that cannot be told.
    """
    body = "\n".join(unfenced(text)).strip("\ufeff \t\r\n")
    if not body:
        raise UnreadableError("There is nothing in it.", "Send a document.")
    first = body.split("\n", 1)[0].rstrip("\r")
    if body.startswith(("{", "[")) and _TOON_TABLE.match(first) is None:
        return "json"
    if _TOON_TABLE.search(body) or _TOON_KEY.match(first):
        return "toon"
    if _is_json(body):
        return "json"
    if _is_csv(body):
        return "csv"
    raise UnreadableError("This is neither TOON nor JSON nor CSV.", _WHAT, 1)


READERS: Mapping[str, Callable[[str], Found]] = {
    "toon": read_toon_value,
    "json": read_json_value,
    "csv": read_csv_rows,
}
WRITERS: Mapping[str, Callable[[Any], Written]] = {
    "toon": write_toon_value,
    "json": write_json_value,
    "csv": write_csv_rows,
    "md": write_markdown_rows,
}


def _structures_in(text: str, form: str, wanted: str | None) -> tuple[str, ...]:
    """Which of our structures a document holds, or has to; empty for any other document."""
    if wanted == NO_STRUCTURE:
        return ()
    if wanted is not None:
        if wanted not in STRUCTURES:
            raise UnreadableError(
                f"There is no structure {wanted[:40]!r}.",
                f"Name one of {', '.join(STRUCTURES)}, or {NO_STRUCTURE} to convert what is there "
                "as it is.",
            )
        return (wanted,)
    if form == "toon":
        return detect(text)
    if form == "csv":
        try:
            names = next(
                csv.reader([text.removeprefix("\ufeff").split("\n", 1)[0].rstrip("\r")]), []
            )
        except csv.Error:
            return ()  # whoever reads it says why
        return _having({each.strip() for each in names})
    try:
        found = json.loads("\n".join(unfenced(text)))
    except (ValueError, RecursionError):
        return ()
    if isinstance(found, dict):
        return tuple(name for name in STRUCTURES if isinstance(found.get(name), list))
    first = found[0] if isinstance(found, list) and found else None
    return _having(set(first)) if isinstance(first, dict) else ()


def _having(names: set[str]) -> tuple[str, ...]:
    return tuple(
        each.name
        for each in STRUCTURES.values()
        if names == {column.name for column in each.columns}
    )


def _tables(text: str, form: str, wanted: str | None) -> tuple[Table, ...]:
    tables: Sequence[Table]
    if form == "toon":
        tables = read_toon(text)
    elif form == "csv":
        only = STRUCTURES if wanted is None else {wanted: STRUCTURES[wanted]}
        tables = (read_csv(text, only),)
    else:
        tables = read_json("\n".join(unfenced(text)), name=wanted)
    found = tuple(each for each in tables if wanted in (None, each.name))
    if not found:
        there = ", ".join(each.name for each in tables)
        raise UnreadableError(f"There is no {wanted} in it.", f"It holds {there}.")
    return found


def _written(tables: Sequence[Table], target: str) -> Written:
    if target == "toon":
        return Written(as_toon(*tables))
    if target == "json":
        return Written(as_json(*tables).decode())
    if len(tables) > 1 and target == "csv":
        raise UnreadableError(
            f"CSV holds one table, and this has {len(tables)}.",
            f"Choose with --structure: {', '.join(each.name for each in tables)}.",
        )
    if target == "csv":
        notes = []
        if any(value is not None for value in tables[0].about.values()):
            said = ", ".join(tables[0].about)
            notes.append(f"CSV has no place for what holds for all rows: {said}.")
        cells = (value for row in tables[0].rows for value in row.values())
        if any(isinstance(each, str) and "\0" in each for each in cells):
            notes.append("NUL characters were left out: no reader of CSV takes them.")
        return Written(as_csv(tables[0]), tuple(notes))
    return Written(as_markdown(*tables))


def _is_csv(text: str) -> bool:
    """Whether names stand above a first row: a sentence may hold a comma too."""
    lines = csv.reader(text.splitlines(keepends=True)[:50], strict=True)
    try:
        names, row = next(lines), next(lines)
    except (StopIteration, csv.Error):
        return False
    return len(names) == len(row) > 1 and all(names)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
