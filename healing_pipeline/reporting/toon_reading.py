"""Tables back from TOON, whoever wrote it: we, a person, or a language model.

The library reads whatever is TOON: prose is a text to it, and no text an empty object. So what a
document must look like is required here, first of its lines and then of what they say. Fences are
taken off, and a time in front of a row gets the quotes it needs; everything else that is wrong is
refused, with its line and its cure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import toon_format

from healing_pipeline.reporting.cells import Cell, UnreadableError
from healing_pipeline.reporting.columns import Column
from healing_pipeline.reporting.structures import STRUCTURES, Structure
from healing_pipeline.reporting.table_reading import check_columns, read_about, read_rows
from healing_pipeline.reporting.tables import Table
from healing_pipeline.reporting.toon import header_of

# These are matched from where they begin, and no two parts of them take the same characters: a line
# made to hurt costs no more than its length.
_FENCE = re.compile(r"(`{3,}|~{3,})([^`]*)")
_HEADER = re.compile(
    r'(?P<name>[A-Za-z_][A-Za-z0-9_.]*|"[^"\\]*")(?:\[(?P<rows>\d{1,18})(?P<mark>[\t|]?)\]'
    r"(?:\{(?P<columns>[^{}]*)\})?:\s*|: *\[\]\s*)"  # so other writers say that there are no rows
)
_TIME_IN_FRONT = re.compile(
    r"( +)(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"(?= *(?:[,|\t]|$))",
    re.ASCII,
)
_NAME_IN_FRONT = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",|\t:]*):')

# What the library says, and what helps.
_CURES = (
    ("Expected 'key: value'", "Leave out everything but the tables."),
    ("values but found", "Give each row a value for every column: null where there is none."),
    ("Declared length", "Part of it is missing or was added: ask for the whole document again."),
    ("ndentation", "Indent every row by two spaces, and nothing else."),
    ("Blank line", "Leave no line blank between rows."),
    ("Duplicate key", "Give each table once."),
    ("closing quote", 'Write a quote within a text as \\", and put the whole text in quotes.'),
    ("Unterminated", "Close the quote; write a line break within a text as \\n."),
    ("out of range", "Write null where there is no number, or a smaller one."),
    ("escape", 'Within quotes write \\\\ for a backslash, \\" for a quote, \\n for a line break.'),
)
_OTHERWISE = "Write it as TOON 4.4: name[N]{column,column}: and a line of values for each row."


@dataclass(frozen=True, slots=True)
class _Header:
    """A line that opens a table, and the lines of its rows; lines are counted from 1."""

    name: str
    line: int
    rows: int
    columns: tuple[str, ...] | None
    body: tuple[int, ...]


def read_toon(text: str, structures: Mapping[str, Structure] = STRUCTURES) -> tuple[Table, ...]:
    """The tables that a text holds, each cell of its column's type again.

    Parameters
    ----------
    text : str
        A document, or a reply in which it stands between fences; what is outside of them is left
        out then.
    structures : Mapping[str, Structure]
        Which tables it may hold, by name.

    Raises
    ------
    UnreadableError
        If it holds none of them, something else besides, or not all that it says it holds.
    """
    if not text.strip("\ufeff \t\r\n"):
        raise UnreadableError("There is nothing in it.", f"Send one of {', '.join(structures)}.")
    lines = unfenced(text)
    headers = _known_headers(lines, structures)
    for each in headers:
        _check(each, structures[each.name], lines)
    try:
        document = toon_format.loads("\n".join(lines))
    except toon_format.ToonDecodeError as exc:
        raise UnreadableError(f"{exc.msg}.", cure_of(exc.msg), exc.line) from None
    except ValueError as exc:  # numbers of too many digits
        raise UnreadableError(f"{exc}.", _OTHERWISE) from None
    found = {each.name: each for each in headers}
    about = {
        key: read_about(key, value, _line_of(key, lines))
        for key, value in document.items()
        if key not in found
    }
    return tuple(
        Table(
            name,
            structures[name].columns,
            read_rows(structures[name], document[name], _body_of(found[name], document[name])),
            about,
        )
        for name in found
    )


def detect(text: str, structures: Mapping[str, Structure] = STRUCTURES) -> tuple[str, ...]:
    """Which structures a text holds as TOON, by their headers; empty when none."""
    try:
        lines = unfenced(text)
    except UnreadableError:
        return ()
    return tuple(each.name for each in _headers(lines) if each.name in structures)


def rows_of(text: str, name: str, columns: Sequence[Column]) -> list[Mapping[str, Cell]]:
    """The rows of the one table that a text holds, by columns that are no structure's.

    Raises
    ------
    UnreadableError
        As `read_toon`.
    """
    return list(read_toon(text, {name: Structure(name, tuple(columns), "")})[0].rows)


def cure_of(said: str) -> str:
    """What helps against what the library says is wrong."""
    return next((cure for part, cure in _CURES if part in said), _OTHERWISE)


def unfenced(text: str) -> list[str]:
    """The lines of the document; those around it are left blank, so that numbers stay true."""
    lines = text.removeprefix("\ufeff").split("\n")
    fences = [
        (index, found[1], found[2].strip())
        for index, line in enumerate(lines)
        if (found := _FENCE.fullmatch(line)) is not None
    ]
    if not fences:
        return lines
    kept = [""] * len(lines)
    opened: tuple[int, str] | None = None
    for index, mark, word in fences:
        if opened is None:
            opened = (index, mark)
        elif not word and mark.startswith(opened[1]):
            kept[opened[0] + 1 : index] = lines[opened[0] + 1 : index]
            opened = None
    if opened is not None:
        raise UnreadableError(
            "This fence is not closed, so the end is missing.",
            "Ask for the whole document again.",
            opened[0] + 1,
        )
    for index, line in enumerate(lines):
        if not kept[index] and _HEADER.fullmatch(line) is not None:
            raise UnreadableError(
                "This table stands outside of the fences.",
                "Put every table between fences, or none.",
                index + 1,
            )
    return kept


def _headers(lines: Sequence[str]) -> Iterator[_Header]:
    opened = [
        (index, found)
        for index, line in enumerate(lines)
        if (found := _HEADER.fullmatch(line)) is not None
    ]
    for index, found in opened:
        body = []
        for after in range(index + 1, len(lines)):
            line = lines[after].rstrip("\r")
            if line[:1] not in (" ", "\t") and line and not line.startswith("#"):
                break
            if line.strip() and not line.lstrip(" ").startswith("#"):
                body.append(after + 1)
        columns = found["columns"]
        yield _Header(
            name=found["name"].strip('"'),
            line=index + 1,
            rows=int(found["rows"] or 0),
            columns=None
            if columns is None
            else tuple(
                each.strip(' "') for each in re.split(re.escape(found["mark"] or ","), columns)
            ),
            body=tuple(body),
        )


def _known_headers(
    lines: Sequence[str], structures: Mapping[str, Structure]
) -> tuple[_Header, ...]:
    headers = tuple(_headers(lines))
    known = tuple(each for each in headers if each.name in structures)
    names = ", ".join(structures)
    for each in headers:
        if each.name not in structures:
            raise UnreadableError(
                f"There is no table {each.name[:40]!r}.", f"Known are {names}.", each.line
            )
    for number, line in enumerate(lines, 1):
        said = line.strip(' *`"')
        if not known and said.startswith(tuple(structures)) and ("[" in said or "{" in said):
            name = next(each for each in structures if said.startswith(each))
            raise UnreadableError(
                f"This is no header of {name}.",
                f"Write {header_of(name, structures[name].columns, 'N')} with the number of rows"
                " for N, at the begin of the line.",
                number,
            )
    if not known:
        raise UnreadableError(
            "This holds no table.",
            f"Begin a line with name[N]{{columns}}: and let its rows follow; names are {names}.",
            next((number for number, line in enumerate(lines, 1) if line.strip()), None),
        )
    return known


def _check(header: _Header, structure: Structure, lines: list[str]) -> None:
    """Require what can be told from the lines alone, and mend what is clear."""
    if header.columns is None:
        return  # written as a list: what its rows hold is told when they are read
    check_columns(structure, header.columns, header.line)
    for number in header.body:
        line = lines[number - 1]
        time = _TIME_IN_FRONT.match(line)
        if time is not None:
            lines[number - 1] = line = f'{time[1]}"{time[2]}"{line[time.end() :]}'
        if _NAME_IN_FRONT.match(line.lstrip()) is not None:
            raise UnreadableError(
                "The first value of this row holds a colon, so it reads as a name.",
                "Put it in quotes.",
                number,
            )
    if len(header.body) != header.rows:
        less = len(header.body) < header.rows
        raise UnreadableError(
            f"{header.name} announces {header.rows} rows and has {len(header.body)}.",
            "The rest is missing, or its rows are not indented by two spaces: ask for it again."
            if less
            else f"If all of them belong there, write {header.name}[{len(header.body)}].",
            header.body[-1] if header.body else header.line,
        )


def _body_of(header: _Header, found: object) -> Sequence[int] | None:
    rows = len(found) if isinstance(found, list) else 0
    return header.body if header.columns is not None and len(header.body) == rows else None


def _line_of(key: str, lines: Sequence[str]) -> int | None:
    return next(
        (
            number
            for number, line in enumerate(lines, 1)
            if line.lstrip('"').startswith(key[:40]) and ":" in line
        ),
        None,
    )
