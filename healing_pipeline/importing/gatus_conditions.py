"""Gatus' conditions as what is expected of an endpoint, and in words where they cannot be.

A condition compares texts, or whole numbers of them: see `equality` for what becomes of that.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType

from healing_pipeline.catalog.json_rules import SUCCESS, Comparison
from healing_pipeline.importing.checks import Expectation, Held, is_safe, quoted
from healing_pipeline.importing.durations import seconds_in
from healing_pipeline.importing.equality import equal, is_odd_number, number_in, unequal
from healing_pipeline.importing.statuses import EXPECTABLE, REDIRECTS

# In the order in which Gatus looks for them.
_OPERATORS = tuple(map(Comparison, ("==", "!=", "<=", ">=", ">", "<")))
_ORDER: Mapping[Comparison, Callable[[float, float], bool]] = MappingProxyType(
    {
        Comparison.AT_MOST: operator.le,
        Comparison.AT_LEAST: operator.ge,
        Comparison.ABOVE: operator.gt,
        Comparison.BELOW: operator.lt,
    }
)
_TURNED = {
    Comparison.AT_MOST: Comparison.AT_LEAST,
    Comparison.AT_LEAST: Comparison.AT_MOST,
    Comparison.ABOVE: Comparison.BELOW,
    Comparison.BELOW: Comparison.ABOVE,
}
_NO_COUNTERPART = {
    "[CERTIFICATE_EXPIRATION]": "when a certificate expires is not looked at",
    "[DOMAIN_EXPIRATION]": "when a domain expires is not looked at",
    "[IP]": "the address of a host is not looked at",
    "[DNS_RCODE]": "DNS is not asked",
    "[CONTEXT]": "an endpoint stands alone",
}
_BODY = re.compile(r"(?:(len|has)\()?\[BODY\]((?:\.[^\s.\[\]()\\]+|\[-?[0-9]{1,9}\])*)(\))?")
_STEP = re.compile(r"\.([\w$@:/-]{1,100})|\[(-?[0-9]{1,9})\]")
_CALL = re.compile(r"(any|pat)\((.*)\)")
_CONTAINED = re.compile(r"\*([^*?\[\]\\]+)\*")
LONGEST_PATH = 200


@dataclass(frozen=True, slots=True)
class Conditions:
    """What conditions come to; `why_not` where nothing is left that an endpoint could expect."""

    expect: Expectation
    notes: tuple[str, ...]
    why_not: str | None = None


class _NoCounterpartError(Exception):
    """A condition that cannot be carried over, and why."""


def read_conditions(conditions: Iterable[str]) -> Conditions:
    """All conditions of one endpoint, which hold together."""
    gathered = _Gathered()
    taken = refused = 0
    for each in conditions:
        try:
            gathered.take(each)
            taken += 1
        except _NoCounterpartError as why:
            refused += 1
            gathered.notes.append(f"condition {quoted(each)} is not carried over: {why}")
    if refused and not taken:
        # To ask for anything else instead would be another monitor under the same name.
        return Conditions(Expectation(), (), f"nothing is left of it: {'; '.join(gathered.notes)}")
    return gathered.done()


class _Gathered:
    """Conditions while they are read."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._status: frozenset[int] | None = None
        self._within_s: float | None = None
        self._body: dict[tuple[str, Comparison, bool], Held] = {}
        self._text: str | None = None

    def done(self) -> Conditions:
        status = SUCCESS
        if self._status is None:
            self.notes.append("Gatus takes any status here; an answer with another than 2xx fails")
        else:
            status = self._status & EXPECTABLE
            if status and self._status & REDIRECTS:
                self.notes.append(
                    "statuses from 300 to 399 are left out: redirects are followed, to hosts of the"
                    " configuration alone"
                )
        why_not = None
        if not status:
            why_not = "no status is left that can be expected: redirects are followed"
        expect = Expectation(status, self._within_s, tuple(self._body.values()), self._text)
        return Conditions(expect, tuple(self.notes), why_not)

    def take(self, condition: str) -> None:
        left, comparison, right = _parted(condition)
        for name, why in _NO_COUNTERPART.items():
            if name in condition:
                raise _NoCounterpartError(why)
        if left == "[STATUS]":
            self._take_status(comparison, right)
        elif left == "[RESPONSE_TIME]":
            self._take_time(comparison, right)
        elif left == "[CONNECTED]":
            if (comparison, right) != (Comparison.EQUAL, "true"):
                raise _NoCounterpartError("an endpoint that does not answer has failed")
        elif "[BODY]" in right:
            raise _NoCounterpartError("a value is compared with one that is written")
        elif left == "[BODY]":
            self._take_text(comparison, right)
        else:
            self._take_body(left, comparison, right)

    def _take_status(self, comparison: Comparison, right: str) -> None:
        fits = _status_test(comparison, right)
        found = frozenset(each for each in range(100, 600) if fits(each))
        self._status = found if self._status is None else self._status & found

    def _take_time(self, comparison: Comparison, right: str) -> None:
        if comparison not in {Comparison.BELOW, Comparison.AT_MOST}:
            raise _NoCounterpartError("an answer cannot come too soon")
        span_s = seconds_in(right)
        if number_in(right) is not None:
            span_s = float(right) / 1000
        if span_s is None or not 0.001 <= span_s <= 30:
            raise _NoCounterpartError("`within_s` goes from 0.001 to 30 seconds")
        self._within_s = span_s if self._within_s is None else min(span_s, self._within_s)

    def _take_text(self, comparison: Comparison, right: str) -> None:
        call = _CALL.fullmatch(right)
        if comparison is not Comparison.EQUAL:
            raise _NoCounterpartError("of the whole body only a text in it can be expected")
        text = right
        if call is not None:
            contained = _CONTAINED.fullmatch(call[2])
            if call[1] == "any" or contained is None:
                raise _NoCounterpartError("of the whole body only one text in it can be expected")
            text = contained[1]
        if not is_safe(text) or not text.strip():
            raise _NoCounterpartError("the text is empty, or looks like a secret")
        if self._text is not None:
            raise _NoCounterpartError("only one text can be expected")
        if call is None:
            self.notes.append(f"{quoted(text)} has to be in the body; in Gatus it is all of it")
        self._text = text

    def _take_body(self, left: str, comparison: Comparison, right: str) -> None:
        found = _BODY.fullmatch(left)
        if found is None or bool(found[1]) != bool(found[3]):
            raise _NoCounterpartError("what it looks at is not known here")
        path = dotted(found[2])
        if not is_safe(right):
            raise _NoCounterpartError("the value looks like a secret")
        if found[1] == "has":
            if comparison is not Comparison.EQUAL or right not in {"true", "false"}:
                raise _NoCounterpartError("`has` is held against true or false")
            self._add(Held(path, Comparison.PRESENT, right == "true"))
        elif found[1] == "len":
            number = number_in(right)
            if number is None:
                raise _NoCounterpartError("a length is held against a number")
            if path == ".":
                self.notes.append(
                    f"{quoted(left)} is taken for a JSON list; of a text it would fail"
                )
            self._add(Held(path, comparison, number, of_length=True))
        else:
            self._add(self._of_value(path, comparison, right))

    def _of_value(self, path: str, comparison: Comparison, right: str) -> Held:
        call = _CALL.fullmatch(right)
        if comparison in _ORDER:
            number = number_in(right)
            if number is None:
                raise _NoCounterpartError("only numbers have an order")
            return Held(path, comparison, number)
        if call is not None and call[1] == "pat":
            if comparison is Comparison.UNEQUAL or "\\" in call[2]:
                raise _NoCounterpartError("`like` takes what fits, by `*` and `?`")
            return Held(path, Comparison.LIKE, call[2])
        texts = (right,) if call is None else tuple(each.strip() for each in call[2].split(","))
        if any(is_odd_number(each) or not each for each in texts):
            raise _NoCounterpartError("it holds nothing, or a number in another form than 12.5")
        if comparison is Comparison.EQUAL:
            return equal(path, texts)
        if call is not None:
            raise _NoCounterpartError("only one value can be excluded")
        if number_in(right) is not None or right in {"true", "false"}:
            self.notes.append(f"{quoted(path)} may not be {right}; in quotes it would pass")
        return unequal(path, right)

    def _add(self, held: Held) -> None:
        place = held.path, held.comparison, held.of_length
        if place in self._body:
            raise _NoCounterpartError(f"there is a `{held.comparison}` of it already")
        self._body[place] = held


def dotted(path: str) -> str:
    """``.a.b[0]`` as ``a.b.0``."""
    steps: list[str] = []
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise _NoCounterpartError("its path has a name that cannot be written")
        steps.append(step[1] or step[2])
        at = step.end()
    joined = ".".join(steps)
    if len(joined) > LONGEST_PATH or not is_safe(joined):
        raise _NoCounterpartError("its path is too long, or looks like a secret")
    return joined or "."


def _parted(condition: str) -> tuple[str, Comparison, str]:
    """The two sides, what is looked at on the left."""
    for comparison in _OPERATORS:
        parts = [each.strip() for each in condition.split(f" {comparison} ")]
        if len(parts) == 1:
            continue
        if len(parts) > 2:
            break
        left, right = parts
        if "[" in right and not left.startswith(("[", "len(", "has(")):
            return right, _TURNED.get(comparison, comparison), left
        return left, comparison, right
    raise _NoCounterpartError("Gatus would not take it either")


def _status_test(comparison: Comparison, right: str) -> Callable[[int], bool]:
    call, number = _CALL.fullmatch(right), number_in(right)
    if comparison in _ORDER:
        if number is None:
            raise _NoCounterpartError("a status is a number")
        order, limit = _ORDER[comparison], float(number.digits)
        return lambda status: order(status, limit)
    if call is None:
        fits: Callable[[int], bool] = lambda status: str(status) == right  # noqa: E731
    elif call[1] == "pat":
        fits = lambda status: fnmatchcase(str(status), call[2])  # noqa: E731
    else:
        texts = {each.strip() for each in call[2].split(",")}
        fits = lambda status: str(status) in texts  # noqa: E731
    if comparison is Comparison.UNEQUAL:
        return lambda status: not fits(status)
    return fits
