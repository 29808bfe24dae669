"""Documents that hold none of our structures, read: any JSON value, any TOON, any table of CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import toon_format

from healing_pipeline.reporting.cells import UnreadableError
from healing_pipeline.reporting.json_rules import refuse_constant, unlike_names
from healing_pipeline.reporting.tables import GUARD, csv_text
from healing_pipeline.reporting.toon_reading import cure_of, unfenced

Scalar: TypeAlias = str | int | float | bool | None
Row: TypeAlias = Mapping[str, Scalar]

# As Python's `json` writes them: what is told otherwise (007, +1, 1.50) is a text.
_INT = re.compile(r"0|-?[1-9][0-9]{0,17}")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]*[1-9]|-?(0|[1-9][0-9]*)\.0")
_NAMES = "Give every column a name of its own in the first line."
_WHOLE = "Send the whole document, and leave out everything but it."


@dataclass(frozen=True, slots=True)
class Found:
    """A document that was read.

    Attributes
    ----------
    notes : tuple of str
        What is not in `value` as it stood there.
    """

    value: Any
    notes: tuple[str, ...] = ()


def read_json_value(text: str) -> Found:
    """Any JSON; objects on a line each are a list of them.

    Raises
    ------
    UnreadableError
        If it is none, a name stands twice in one object, or a number is too large.
    """
    rounded = 0

    def number(said: str) -> float:
        nonlocal rounded
        value = float(said)
        if math.isinf(value):
            raise UnreadableError(f"{said[:40]} is too large a number.", "Write it as a text.")
        rounded += _digits(said) > 17
        return value

    def loaded(said: str) -> Any:
        return json.loads(
            said, parse_float=number, parse_constant=refuse_constant, object_pairs_hook=unlike_names
        )

    lines = unfenced(text)
    try:
        if _are_documents(lines):
            value = []
            for at, line in enumerate(lines):
                try:
                    value += [loaded(line)] if line.strip() else []
                except json.JSONDecodeError as exc:
                    raise UnreadableError(f"This is no JSON: {exc.msg}.", _WHOLE, at + 1) from None
        else:
            value = loaded("\n".join(lines))
    except json.JSONDecodeError as exc:
        raise UnreadableError(f"This is no JSON: {exc.msg}.", _WHOLE, exc.lineno) from None
    except RecursionError:
        raise UnreadableError("This is nested too deeply.", "Send it flatter.") from None
    except UnreadableError:
        raise
    except ValueError as exc:  # whole numbers of thousands of digits
        raise UnreadableError(f"This is no JSON that can be read: {exc}.", _WHOLE) from None
    note = f"{rounded} numbers have more digits than a double holds and were rounded."
    return Found(value, (note,) if rounded else ())


def read_toon_value(text: str) -> Found:
    """Any TOON, strictly.

    Raises
    ------
    UnreadableError
        If it is none, or nothing but a text without quotes: that is what prose looks like.
    """
    lines = unfenced(text)
    whole = "\n".join(lines)
    try:
        value = toon_format.loads(whole)
    except toon_format.ToonDecodeError as exc:
        raise UnreadableError(f"{exc.msg}.", cure_of(exc.msg), exc.line) from None
    except RecursionError:
        raise UnreadableError("This is nested too deeply.", "Send it flatter.") from None
    except ValueError as exc:  # whole numbers of thousands of digits
        raise UnreadableError(f"This is no TOON that can be read: {exc}.", _WHOLE) from None
    if isinstance(value, str) and not whole.strip().startswith('"'):
        raise UnreadableError(
            "This is prose, no TOON.",
            "Begin with a name and a colon, or with name[N]{column,column}: and a line for each "
            "row.",
            # None has anything where all is white to us and not to TOON.
            next((number for number, line in enumerate(lines, 1) if line.strip()), 1),
        )
    return Found(value)


def read_csv_rows(text: str) -> Found:
    """A table with a line of names, as a list of objects.

    Raises
    ------
    UnreadableError
        If it is no CSV, a name is missing or stands twice, or a line has other cells than names.
    """
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    rows: list[Row] = []
    try:
        names = next(lines, [])
        if len(set(names)) < len(names) or not all(names):
            raise UnreadableError("Its names are not all there, or not all different.", _NAMES, 1)
        at = lines.line_num + 1
        for cells in lines:
            if cells and len(cells) != len(names):
                raise UnreadableError(
                    f"There are {len(cells)} cells under {len(names)} names.",
                    "Put a cell that holds a comma in quotes.",
                    at,
                )
            if cells:
                rows.append({name: _scalar(each) for name, each in zip(names, cells, strict=True)})
            at = lines.line_num + 1
    except csv.Error as exc:
        cure = "Write a quote within a cell twice, and close every quote."
        raise UnreadableError(f"This is no CSV: {exc}.", cure, lines.line_num) from None
    return Found(rows, ("CSV has no types: cells that look like numbers became numbers.",))


def _are_documents(lines: Sequence[str]) -> bool:
    """Whether each line is an object of its own, as programs write logs."""
    filled = [line.strip() for line in lines if line.strip()]
    return len(filled) > 1 and all(
        line.startswith("{") and line.endswith("}") for line in (filled[0], filled[1])
    )


def _scalar(cell: str) -> Scalar:
    if not cell:
        return None
    if cell in ("true", "false"):
        return cell == "true"
    if _INT.fullmatch(cell):
        return int(cell)
    if _FLOAT.fullmatch(cell) and repr(float(cell)) == cell:
        return float(cell)
    # Only what `csv_text` put in front is taken off.
    rest = cell.removeprefix(GUARD)
    return rest if csv_text(rest) == cell else cell


def _digits(said: str) -> int:
    """How many figures of a number count."""
    figures = re.split("[eE]", said)[0].replace(".", "").lstrip("-0")
    return len(figures.rstrip("0"))
