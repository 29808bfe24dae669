"""Other people's YAML as texts, lists and mappings; anchors and merge keys are taken.

Ours (`catalog.document`) refuses aliases; Gatus' manual recommends them. Not PyYAML's constructor:
it makes a date of a name and a truth value of `on`, and a small file with aliases of aliases makes
it build millions of nodes. Here what a document comes to is counted while it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

import yaml

from healing_pipeline.errors import ConfigurationError

Value = str | list["Value"] | dict[str, "Value"] | None
"""A scalar is its text; one that is empty or `null`, without quotes, is None."""

MOST_NODES = 300_000
DEEPEST = 40
MERGE = "<<"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_FIX = "Compare it with a file that the other tool accepts."


class _Open:
    """A collection whose end has not been read; `size` counts what it comes to."""

    def __init__(self, anchor: str | None, line: int, *, is_mapping: bool) -> None:
        self.anchor, self.line, self.size = anchor, line, 1
        self.value: list[Value] | dict[str, Value] = {} if is_mapping else []
        self.merged: list[dict[str, Value]] = []
        self.key: str | None = None


def parse(text: str) -> Value:
    """Read one document.

    Raises
    ------
    ConfigurationError
        If it is no YAML, or more of it than a configuration can be.
    """
    root: Value = None
    anchors: dict[str, tuple[Value, int]] = {}
    opened: list[_Open] = []
    documents = 0
    for event in _events(text):
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                _refuse("A second YAML document begins here.", "Remove the line `---`.", line)
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(opened) >= DEEPEST:
                _refuse(f"This is nested more than {DEEPEST} levels deep.", _FIX, line)
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            opened.append(_Open(event.anchor, line, is_mapping=is_mapping))
            continue
        done = _ended(event, opened, anchors, line)
        if done is None:
            continue
        value, size = done
        if opened:
            _put(opened[-1], value, size, line)
        else:
            root = value
    return root


def _ended(
    event: yaml.Event, opened: list[_Open], anchors: dict[str, tuple[Value, int]], line: int
) -> tuple[Value, int] | None:
    """The value that an event completes, with its size; None for one that completes none."""
    if isinstance(event, yaml.AliasEvent):
        known = anchors.get(str(event.anchor))
        if known is None:
            problem = f"The alias `*{event.anchor}` means nothing, or what it stands in."
            _refuse(problem, "Write the value itself.", line)
        return known
    if isinstance(event, yaml.ScalarEvent):
        is_null = not event.style and event.value in _NULLS
        value: Value = None if is_null else str(event.value)
        done, anchor = (value, 1), event.anchor
    elif isinstance(event, yaml.CollectionEndEvent):
        ended = opened.pop()
        if isinstance(ended.value, dict):
            for each in ended.merged:
                for name, inherited in each.items():
                    ended.value.setdefault(name, inherited)
        done, anchor = (ended.value, ended.size), ended.anchor
    else:
        return None
    if anchor is not None:
        anchors[str(anchor)] = done
    return done


def _put(into: _Open, value: Value, size: int, line: int) -> None:
    into.size += size
    if into.size > MOST_NODES:
        problem = f"With its aliases the file comes to more than {MOST_NODES} values."
        _refuse(problem, "Import a part of it.", line)
    if isinstance(into.value, list):
        into.value.append(value)
    elif into.key is None:
        if not isinstance(value, str | None):
            _refuse("A list or a mapping stands where a key must be.", _FIX, line)
        into.key = value or ""
    else:
        key, into.key = into.key, None
        if key == MERGE:
            many = value if isinstance(value, list) else [value]
            for each in many:
                if not isinstance(each, dict):
                    _refuse("`<<` merges mappings, and this is none.", _FIX, line)
                into.merged.append(each)
        elif key in into.value:
            _refuse("This key stands twice in its mapping.", "Remove one of the two.", line)
        else:
            into.value[key] = value


def _events(text: str) -> Iterator[yaml.Event]:
    """The parser's events, by libyaml where it is there: it is ten times as fast."""
    line = 1
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if event.start_mark is not None:
                line = event.start_mark.line + 1
            yield event
    except ConfigurationError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = line if mark is None else mark.line + 1
        _refuse(f"This is not YAML: {error.problem or error.context}.", _FIX, line)
    except Exception:  # a character that YAML does not allow, an escape that PyYAML trips over
        _refuse("This is not YAML.", _FIX, line)


def _refuse(problem: str, cure: str, line: int) -> NoReturn:
    raise ConfigurationError(problem, f"{cure} Nothing was written.", line=line)
