"""The database's tables, read from the schema file with the reasons that stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from program_reference.markdown import code, sentence, table

SCHEMA = Path(__file__).parents[3] / "healing_pipeline" / "storage" / "schema.sql"
BEGIN = re.compile(r"CREATE (?:TABLE|(?P<view>VIEW)) healing\.(?P<name>\w+)(?P<rest>.*)")
# What begins a line of a table and is no column.
NO_COLUMN = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE"}
NEVER_NULL = ("NOT NULL", "PRIMARY KEY", "AS IDENTITY")
TYPE = re.compile(
    r"(?P<type>[\w.]+(?: precision)?(?:\(\d+\))?(?:\[\])?(?: with time zone)?)(?P<rest>.*)"
)


@dataclass(slots=True)
class Column:
    """One column, with what the schema says of it."""

    name: str
    type: str
    may_be_null: bool
    comment: str = ""


@dataclass(slots=True)
class Relation:
    """A table, or a view, whose columns are not listed."""

    name: str
    comment: str
    is_view: bool = False
    columns: list[Column] = field(default_factory=list)
    key: tuple[str, ...] = ()


def relations() -> tuple[Relation, ...]:
    """All tables and views, in the order of the file."""
    found: list[Relation] = []
    lines = SCHEMA.read_text(encoding="utf-8").splitlines()
    comment: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        if match := BEGIN.match(line):
            relation = Relation(match["name"], " ".join(comment), bool(match["view"]))
            found.append(relation)
            if not relation.is_view:
                body = []
                while not re.match(r"^\)", lines[number := number + 1]):
                    body.append(lines[number])
                _read_columns(relation, body)
        comment = [*comment, line[3:].strip()] if line.startswith("-- ") else []
        number += 1
    return tuple(found)


def _read_columns(relation: Relation, body: list[str]) -> None:
    above: list[str] = []
    for definition, comment in _definitions(body):
        words = definition.split()
        if not words:
            above.append(comment)
            continue
        if words[0] in NO_COLUMN:
            if key := re.match(r"PRIMARY KEY \(([^)]*)\)", definition):
                relation.key = tuple(each.strip('" ') for each in key[1].split(","))
        else:
            name, rest = definition.split(maxsplit=1)
            match = TYPE.match(rest)
            if match is None:
                raise ValueError(f"the type of {relation.name}.{name} is not understood: {rest}")
            if "PRIMARY KEY" in match["rest"]:
                relation.key = (name,)
            must = any(each in match["rest"] for each in NEVER_NULL)
            told = " ".join(filter(None, [*above, comment]))
            kind = match["type"].removeprefix("healing.")
            relation.columns.append(Column(name.strip('"'), kind, not must, told))
        above = []
    for column in relation.columns:
        column.may_be_null &= column.name not in relation.key


def _definitions(body: list[str]) -> Iterator[tuple[str, str]]:
    """Each definition of a table on one line, with the comment in it; comments alone in between."""
    text, comments, depth = "", [], 0
    for line in body:
        code_, _, comment = line.partition("--")
        if not text and not code_.strip():
            yield "", comment.strip()
            continue
        if comment:
            comments.append(comment.strip())
        for each in code_.strip() + " ":
            depth += (each == "(") - (each == ")")
            if each == "," and depth == 0:
                # What follows on this line is its comment.
                yield text.strip(), " ".join(comments)
                text, comments = "", []
            else:
                text += each
        text = text.lstrip() if text.strip() else ""
    if text.strip():
        yield text.strip(), " ".join(comments)


def text() -> str:
    """A section for each table."""
    return "\n\n".join(_section(each) for each in relations())


def _section(relation: Relation) -> str:
    parts = [f"### {code(relation.name)}", sentence(relation.comment)]
    if relation.is_view:
        parts.append("A view.")
    else:
        rows = [
            [
                f"**{code(each.name)}**" if each.name in relation.key else code(each.name),
                each.type + (", or null" if each.may_be_null else ""),
                each.comment,
            ]
            for each in relation.columns
        ]
        parts.append(table(["column", "type", "what it is"], rows))
    return "\n\n".join(filter(None, parts))
