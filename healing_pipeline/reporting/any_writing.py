"""Documents that hold none of our structures, written.

TOON and JSON hold the same values, but for numbers: TOON has one kind of them. CSV and Markdown
hold one table of flat rows. What a format cannot keep is said in a note, or refused where nothing
of the kind would come of it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import toon_format

from healing_pipeline.reporting.any_reading import Row, Scalar
from healing_pipeline.reporting.cells import UnreadableError
from healing_pipeline.reporting.markup import marked
from healing_pipeline.reporting.tables import csv_text

_ONE_TABLE = "Write it as JSON or TOON, or send one list of flat rows."


@dataclass(frozen=True, slots=True)
class Written:
    """A document to hand out.

    Attributes
    ----------
    notes : tuple of str
        What it does not keep.
    """

    text: str
    notes: tuple[str, ...] = ()


def write_toon_value(value: Any) -> Written:
    """Any JSON value as TOON."""
    try:
        # A text alone is prose to whoever reads it, unless it stands in quotes.
        quoted = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else None
        text = toon_format.dumps(value) if quoted is None else quoted
    except RecursionError:
        raise UnreadableError("This is nested too deeply.", "Send it flatter.") from None
    except ValueError as exc:  # half a surrogate pair
        raise UnreadableError(f"TOON cannot keep this: {exc}.", "Take it out.") from None
    whole = sum(isinstance(each, float) and each.is_integer() for each in _scalars(value))
    notes = []
    if whole:
        notes.append(
            f"Numbers such as 1.0 are written as 1 ({whole} of them): TOON does not tell whole "
            "numbers from others."
        )
    compact = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if len(text) > len(compact):
        notes.append(
            f"It is longer than compact JSON ({len(text):,} characters, {len(compact):,}): TOON "
            "saves where lists hold rows that are flat and alike."
        )
    return Written(text, tuple(notes))


def write_json_value(value: Any) -> Written:
    """Any value as JSON, indented."""
    return Written(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def write_csv_rows(value: Any) -> Written:
    """The one table of a value as CSV.

    Raises
    ------
    UnreadableError
        If there is none, or not one, or its rows are not flat.
    """
    rows, notes = table_in(value, "CSV")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    names = _names_of(rows)
    writer.writerow(map(csv_text, names))
    for row in rows:
        writer.writerow([_csv_cell(row.get(name)) for name in names])
    return Written(out.getvalue(), (*notes, *_lacking(rows, names, "an empty cell")))


def write_markdown_rows(value: Any) -> Written:
    """The one table of a value as Markdown, with the same conditions."""
    rows, notes = table_in(value, "Markdown")
    names = _names_of(rows)
    lines = [
        _markdown_line([_markdown_cell(each) for each in names]),
        _markdown_line(["---"] * len(names)),
        *(_markdown_line([_markdown_cell(row.get(name)) for name in names]) for row in rows),
    ]
    return Written("\n".join(lines) + "\n", (*notes, *_lacking(rows, names, "an empty cell")))


def table_in(value: Any, form: str) -> tuple[Sequence[Row], tuple[str, ...]]:
    """The rows of the one table that a value is or holds, and what is said of what stands beside.

    Raises
    ------
    UnreadableError
        If there is none, or not one, or its rows are not flat.
    """
    if not isinstance(value, dict):
        return _flat(value, form), ()
    lists = [name for name, each in value.items() if isinstance(each, list)]
    if len(lists) != 1:
        held = f"{len(lists)} lists, {', '.join(lists)[:80]}" if lists else "no list"
        raise UnreadableError(f"{form} holds one table, and this has {held}.", _ONE_TABLE)
    beside = [name for name in value if name != lists[0]]
    said = f"{form} has no place for what stands beside the table: {', '.join(beside)[:80]}."
    return _flat(value[lists[0]], form), (said,) if beside else ()


def _flat(value: Any, form: str) -> Sequence[Row]:
    if not isinstance(value, list) or not value:
        raise UnreadableError(f"{form} holds one table, and this has none.", _ONE_TABLE)
    for number, row in enumerate(value, 1):
        if not isinstance(row, dict):
            raise UnreadableError(f"Row {number} is no object.", _ONE_TABLE)
        nested = next((name for name, each in row.items() if isinstance(each, (dict, list))), None)
        if nested is not None:
            raise UnreadableError(
                f"{nested[:40]!r} of row {number} holds more than one value, and {form} has cells "
                "for one.",
                _ONE_TABLE,
            )
    return value


def _names_of(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _lacking(rows: Sequence[Row], names: Sequence[str], becomes: str) -> Iterator[str]:
    lacking = sum(len(row) < len(names) for row in rows)
    if lacking:
        yield f"{lacking} rows lack a value that others have; each got {becomes}."


def _csv_cell(value: Scalar) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return csv_text(value) if isinstance(value, str) else value


def _markdown_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_cell(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return marked(value)


def _scalars(value: Any) -> Iterator[Any]:
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            left.extend(each.values())
        elif isinstance(each, list):
            left.extend(each)
        else:
            yield each
