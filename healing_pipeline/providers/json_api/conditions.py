"""What must hold of a body, and in what words it does not."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from healing_pipeline.catalog.json_rules import Comparison, Condition, Plain
from healing_pipeline.probing.redaction import redact
from healing_pipeline.providers.bodies import NotReadableError, kind_of
from healing_pipeline.providers.json_api.paths import found_at, named

_ORDER: Mapping[Comparison, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        Comparison.BELOW: operator.lt,
        Comparison.AT_MOST: operator.le,
        Comparison.ABOVE: operator.gt,
        Comparison.AT_LEAST: operator.ge,
    }
)

_LONGEST_SHOWN = 40
_LONGEST_MATCHED = 10_000


def broken(value: object, conditions: Iterable[Condition]) -> str | None:
    """The first condition that does not hold of a parsed body, in words; None when all hold."""
    for each in conditions:
        said = _broken(value, each)
        if said is not None:
            return said
    return None


def _broken(value: object, condition: Condition) -> str | None:
    what = named(condition.steps)
    if condition.comparison is Comparison.PRESENT:
        try:
            found_at(value, condition.steps)
        except NotReadableError as why:
            return str(why) if condition.value else None
        return None if condition.value else f"{what} is there, expected none"
    try:
        found = found_at(value, condition.steps)
    except NotReadableError as why:
        return str(why)
    if condition.of_length:
        if not isinstance(found, str | list | dict):
            return f"{what} is {kind_of(found)}, which has no length"
        found, what = len(found), f"the length of {what}"
    if _holds(found, condition):
        return None
    return f"{what} is {_shown(found)}, expected {_expected(condition)}"


def _holds(found: object, condition: Condition) -> bool:
    comparison, value = condition.comparison, condition.value
    if comparison is Comparison.EQUAL:
        return _is_same(found, value)
    if comparison is Comparison.UNEQUAL:
        return not _is_same(found, value)
    if comparison is Comparison.ANY_OF:
        return isinstance(value, tuple) and any(_is_same(found, each) for each in value)
    if comparison is Comparison.LIKE:
        return (
            isinstance(found, str)
            and len(found) <= _LONGEST_MATCHED
            and fnmatchcase(found, str(value))
        )
    order = _ORDER.get(comparison)
    if order is None or not _is_number(found) or not _is_number(value):
        return False
    return bool(order(found, value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_same(found: object, value: object) -> bool:
    """Equal and of one kind: ``1`` is neither ``true`` nor ``"1"``."""
    if _is_number(found) or _is_number(value):
        return _is_number(found) and _is_number(value) and found == value
    return type(found) is type(value) and found == value


def _shown(value: object) -> str:
    if isinstance(value, str):
        shown = redact(value[:1000])  # before it is cut: a part of a key is none by its shape
        cut = shown if len(shown) <= _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 3] + "..."
        return repr(cut)
    if isinstance(value, bool):
        return "true" if value else "false"
    if _is_number(value):
        text = (
            f"{value:.10g}" if isinstance(value, float) else str(value) if _is_short(value) else ""
        )
        return text or "a number"
    return kind_of(value)


def _is_short(value: object) -> bool:
    return isinstance(value, int) and abs(value) < 10**12


def _expected(condition: Condition) -> str:
    value = condition.value
    if isinstance(value, tuple):
        return "one of " + ", ".join(_plain(each) for each in value)
    if condition.comparison is Comparison.EQUAL:
        return _plain(value)
    if condition.comparison is Comparison.LIKE:
        return f"something like {_plain(value)}"
    return f"{condition.comparison} {_plain(value)}"


def _plain(value: Plain) -> str:
    return "null" if value is None else _shown(value)
