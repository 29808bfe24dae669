"""A first glance at an answer: most are good in the plainest way, and those need no careful look.

`classify` and `read` know everything that can be wrong with a body, and parse it once each. A
glance parses once and knows one form of each kind of good body. What it accepts, it judges and
reads as the careful look would, word for word; of anything else it says nothing. It looks at whole
columns by what runs at the speed of C, and never at one number after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import lru_cache
from itertools import compress
from math import isfinite
from operator import lt
from types import NoneType
from typing import Any, TypeVar

import orjson

from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.redaction import evidence_line
from healing_pipeline.probing.response import RequestLine, Response, Verdict
from healing_pipeline.providers.bodies import NotReadableError

K = TypeVar("K")
V = TypeVar("V")
Number = int | float
Column = Sequence[float | None]

Look = Callable[[Any, RequestLine], tuple[str, Reading] | None]
"""What a good answer is in words, and its numbers; None, or any of `_ODD`, for all but the plain.

It is given what orjson made of a JSON object, whose members it must not take for anything yet.
"""
Glance = Callable[[Response, RequestLine], tuple[Verdict, Reading] | None]

_ODD = (
    NotReadableError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError,
)  # fmt: skip
"""What a body of another form than expected makes a look raise."""

_KINDS = frozenset({int, float, NoneType})
_LONGEST_NUMERAL = 63
_LONGEST_TEXT = 100


class Sign(Enum):
    """What a column's numbers have to be."""

    ANY = 0
    NOT_NEGATIVE = 1
    POSITIVE = 2


class Memo(dict[K, V]):
    """What a pure function made of its arguments, to be had by ``map(memo.__getitem__, column)``.

    Starts anew when `most` are in it, so a stranger's keys cannot fill the memory.
    """

    def __init__(self, make: Callable[[K], V], most: int = 10_000) -> None:
        super().__init__()
        self._make = make
        self._most = most

    def __missing__(self, key: K) -> V:
        made = self._make(key)
        if len(self) >= self._most:
            self.clear()
        self[key] = made
        return made


def glancing(dialect: str, look: Look) -> Glance:
    """The glance of a provider that signs its verdicts with `dialect`."""

    def glance(response: Response, line: RequestLine) -> tuple[Verdict, Reading] | None:
        body = response.body
        if response.status != 200 or response.no_answer is not None or body[:1] != b"{":
            return None
        try:
            found = look(orjson.loads(body), line)
        except _ODD:
            return None
        if found is None or len(found[0]) > _LONGEST_TEXT:
            return None
        text, reading = found
        return _good(f"HTTP 200, {dialect}: {text}"), reading

    return glance


@lru_cache(maxsize=1024)
def _good(text: str) -> Verdict:
    return Verdict(FailureClass.OK, evidence_line(text))


def odd(what: str) -> NotReadableError:
    """To be raised by a look that has seen enough."""
    return NotReadableError(what)


def numbers(column: Sequence[Any], sign: Sign) -> Column:
    """A column of finite floats and None, out of one of JSON's numbers and nulls, not all null."""
    kinds = set(map(type, column))
    if not kinds <= _KINDS:
        raise odd("not numbers")
    if NoneType in kinds:
        column = [None if each is None else float(each) for each in column]
        _hold([each for each in column if each is not None], sign)
        return column
    if int in kinds:
        column = list(map(float, column))
    _hold(column, sign)
    return column


def numerals(column: Sequence[Any], sign: Sign) -> Column:
    """A column of finite floats, out of one of texts that are written as JSON's numbers are."""
    if max(map(len, column)) > _LONGEST_NUMERAL:
        raise odd("longer than a number")
    # A comma inside of a text would be one number more, and a bracket no number.
    found = orjson.loads(f"[{','.join(column)}]")
    if len(found) != len(column) or None in found:
        raise odd("not numerals")
    return numbers(found, sign)


def _hold(present: Sequence[float], sign: Sign) -> None:
    """Hold numbers to what they have to be; a sum that overflows is not plain either."""
    if not present:
        raise odd("no number at all")
    least = 0.0 if sign is Sign.ANY else min(present)
    if least < 0 or (least == 0 and sign is Sign.POSITIVE) or not isfinite(sum(present)):
        raise odd(f"numbers that are not finite or not {sign.name}")


def ascending(
    at_s: Sequence[Number], columns: Mapping[str, Column]
) -> tuple[Sequence[Number], Mapping[str, Column]]:
    """Rows in the order of time, out of rows in that order or the opposite; without empty rows."""
    if len(at_s) > 1 and at_s[0] > at_s[-1]:
        at_s = at_s[::-1]
        columns = {name: column[::-1] for name, column in columns.items()}
    if not all(map(lt, at_s, at_s[1:])):
        raise odd("rows out of order, or two of a moment")
    if any(None not in column for column in columns.values()):
        return at_s, columns
    filled = [any(each is not None for each in row) for row in zip(*columns.values(), strict=True)]
    if not any(filled):
        raise odd("rows without a number")
    kept = {name: list(compress(column, filled)) for name, column in columns.items()}
    return list(compress(at_s, filled)), kept


def seconds(at: datetime) -> int:
    """A whole second as seconds since 1970."""
    return int(at.timestamp())
