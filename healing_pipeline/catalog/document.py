"""YAML text to nodes that know their line. What the nodes mean is not decided here.

Only the plain part of YAML is taken: mappings, lists and scalars. Aliases and tags are refused, so
that an error's line is where its value stands, and no small file becomes a huge document. Built
from parser events in one loop: nesting costs no recursion. Scalars stay text, so the ticker `ON`
does not turn into `true`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import yaml

from healing_pipeline.catalog.problems import Findings, shown

DEEPEST = 16
NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as it is written; `is_plain` when it stands without quotes."""

    line: int
    text: str
    is_plain: bool = True

    @property
    def is_null(self) -> bool:
        """Whether nothing is written, or the word for nothing."""
        return self.is_plain and self.text in NULLS


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    line: int
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping; its keys are different from each other."""

    line: int
    entries: tuple[tuple[Scalar, Node], ...]


Node = Scalar | Items | Table


@dataclass(slots=True)
class _Open:
    """A list or a mapping whose end has not been read."""

    line: int
    is_table: bool
    nodes: list[Node] = field(default_factory=list)
    entries: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)
    key: Scalar | None = None

    def closed(self) -> Node:
        if self.is_table:
            return Table(self.line, tuple(self.entries.values()))
        return Items(self.line, tuple(self.nodes))


class _RefusedError(Exception):
    """Reading cannot go on."""

    def __init__(self, line: int, problem: str, cure: str) -> None:
        super().__init__(problem)
        self.line, self.problem, self.cure = line, problem, cure


def parse(text: str, findings: Findings) -> Node | None:
    """Read one YAML document; None when it holds nothing or cannot be read (see `findings`).

    A process reads its configuration for several purposes; what had no fault is built once.
    """
    if text in _built:
        return _built[text]
    found = Findings()
    node: Node | None = None
    try:
        node = _build(_quick_events(text) or _events(text), found)
    except _RefusedError as refused:
        found.error(refused.line, refused.problem, refused.cure)
    problems = found.in_order()
    for each in problems:
        findings.error(each.line, each.problem, each.cure)
    if not problems:
        _built.clear()
        _built[text] = node
    return node


def _build(events: Iterator[yaml.Event], findings: Findings) -> Node | None:
    root: Node | None = None
    documents = 0
    open_ones: list[_Open] = []
    for event in events:
        line = 1 if event.start_mark is None else event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _RefusedError(
                    line, "A second YAML document begins here.", "Remove the line `---`."
                )
        node = _opened_or_scalar(event, line, open_ones)
        if isinstance(event, yaml.CollectionEndEvent):
            node = open_ones.pop().closed()
        if node is None:
            continue
        if open_ones:
            _put(open_ones[-1], node, findings)
        else:
            root = node
    return root


def _opened_or_scalar(event: yaml.Event, line: int, open_ones: list[_Open]) -> Node | None:
    if isinstance(event, yaml.AliasEvent):
        raise _RefusedError(
            line, "A YAML alias (`*name`) is not supported.", "Write the value itself."
        )
    if not isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
        return None
    if event.tag is not None:
        raise _RefusedError(line, "A YAML tag (`!...`) is not supported.", "Remove the tag.")
    if isinstance(event, yaml.ScalarEvent):
        if not event.value.translate(_LINES).isprintable():
            raise _RefusedError(
                line,
                "A value holds a character that cannot be seen or printed.",
                "Type the value anew; it may have been pasted with a hidden character.",
            )
        return Scalar(line, event.value, is_plain=not event.style)
    if len(open_ones) >= DEEPEST:
        raise _RefusedError(
            line,
            f"This is nested more than {DEEPEST} levels deep.",
            "Compare the brackets and the indentation with the file `healing init` writes.",
        )
    open_ones.append(_Open(line, is_table=isinstance(event, yaml.MappingStartEvent)))
    return None


def _put(into: _Open, node: Node, findings: Findings) -> None:
    if not into.is_table:
        into.nodes.append(node)
    elif into.key is None:
        if not isinstance(node, Scalar):
            raise _RefusedError(
                node.line,
                "A list or a mapping stands where a key must be.",
                'Give it a key: `key: value`; quote a text with braces: "{today}".',
            )
        into.key = node
    else:
        key, into.key = into.key, None
        if key.text in into.entries:
            first = into.entries[key.text][0].line
            findings.error(
                key.line,
                f"{shown(key.text)} is a duplicate: it stands on line {first} already.",
                "Remove one of the two, or give it another name.",
            )
        else:
            into.entries[key.text] = (key, node)


# The text that was built last, and what came of it; nothing changes it.
_built: dict[str, Node | None] = {}

# What a value may hold besides what can be printed.
_LINES = str.maketrans("", "", "\n\t")

# Tabs, question and exclamation marks, carriage returns, a comment that touches `|` or `>`.
_UNDERSTOOD_DIFFERENTLY = re.compile(r"[\t\r?!]|[|>]\S*#")


def _quick_events(text: str) -> Iterator[yaml.Event] | None:
    """The events by libyaml, ten times as fast; None when it is not there, or finds a fault.

    Its words for a fault are others and its lines sometimes are: the parser in Python tells those,
    and reads what the two understand differently.
    """
    loader = getattr(yaml, "CSafeLoader", None)
    if loader is None or not text.isascii() or _UNDERSTOOD_DIFFERENTLY.search(text):
        return None
    try:
        return iter(list(yaml.parse(text, Loader=loader)))
    except Exception:  # whatever it is, the other parser says it better
        return None


def _events(text: str) -> Iterator[yaml.Event]:
    """The parser's events; whatever PyYAML raises becomes a refusal with a line."""
    loader: yaml.SafeLoader | None = None
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_event():
            yield cast(yaml.Event, loader.get_event())  # type: ignore[no-untyped-call]
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _RefusedError(
            line, "The file holds a character YAML does not allow.", "Remove it."
        ) from error
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(text, error) from error
    except Exception as error:
        # PyYAML lets plain errors through: OverflowError for the escape "\UFFFFFFFF" is one
        line = 1 if loader is None else loader.line + 1
        raise _RefusedError(
            line, "This is not YAML: PyYAML gives up here.", "Write the value without escapes."
        ) from error
    finally:
        if loader is not None:
            loader.dispose()


def _syntax_error(text: str, error: yaml.MarkedYAMLError) -> _RefusedError:
    mark = error.problem_mark or error.context_mark
    line = 1 if mark is None else mark.line + 1
    begun = line if error.context_mark is None else error.context_mark.line + 1
    said = (error.problem or error.context or "it cannot be read").replace("\t", "\\t")
    context = error.context or ""
    lines = text.splitlines()
    cure = "Check the indentation, the colons and the quotes here and on the line above."
    if "\\t" in said:
        cure = "Indent with spaces, not with tabs."
    elif "{today" in "".join(lines[line - 1 : line]):
        cure = 'Put a text with a date mark in quotes: "{today-30d}".'
    elif "quoted scalar" in context:
        line, cure = begun, "Close the quotation mark that opens here."
    elif "flow" in context:
        # the parser stumbles on the next line; the mistake is where the bracket was left open
        before = "" if begun == line else f" before line {line}"
        cure = f"Close the bracket or brace that opens here{before}, or add the missing comma."
        line = begun
    return _RefusedError(line, f"This is not YAML: {said}.", cure)
