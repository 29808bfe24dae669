"""Judging an answer by the configuration's rules, and by what all APIs have in common.

The order: whether anything came, the status, the media type, an error that is stated, what must
hold of the body, the numbers in it, and last whether it came in time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

import orjson

from healing_pipeline.catalog.json_rules import Expect, Read
from healing_pipeline.probing.body_shape import Body, Shape, read_body
from healing_pipeline.probing.classification import Dialect, Finding, judge, status_class
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.json_body import is_hollow, marked_error, stated_error
from healing_pipeline.probing.markup import page_meaning, page_title
from healing_pipeline.probing.reading import Reading, Unreadable
from healing_pipeline.probing.redaction import evidence_line
from healing_pipeline.probing.response import RequestLine, Response, Verdict
from healing_pipeline.probing.wording import meaning_of
from healing_pipeline.providers.bodies import NotReadableError
from healing_pipeline.providers.json_api.conditions import broken
from healing_pipeline.providers.json_api.reading import NothingInItError, answered, read_value

_AGE = re.compile(r"[0-9]{1,9}", re.ASCII)

Examined = tuple[Finding, Reading | None]


@dataclass(frozen=True, slots=True)
class Examiner:
    """The rules of one endpoint, to be put to its answers.

    Attributes
    ----------
    name : str
        How evidence calls the source.
    instrument : str
        What an answer is about of which no number is read.
    """

    name: str
    instrument: str
    expect: Expect
    read: Read | None

    def examine(self, response: Response, line: RequestLine) -> tuple[Verdict, Reading | None]:
        """Judge a response; a reading exactly when it is good. Never raises."""
        if response.no_answer is not None:
            return judge(response, line, self._dialect()), None
        status = 200 if response.status is None else response.status
        if status not in self.expect.status:
            if status_class(status) is not FailureClass.OK:
                return judge(response, line, self._dialect()), None
            accepted = _listed(self.expect.status)
            why = Finding(FailureClass.INVALID_DATA, f"expected status {accepted}")
            return self._verdict(status, why), None
        misnamed = self._media_type(response)
        if misnamed is not None:
            return self._verdict(status, misnamed), None
        found: Examined
        if self.read is None and not self.expect.body:
            found = self._plain(response, line, is_success=200 <= status < 300)
        else:
            json = self._json(response, line)
            if isinstance(json, Verdict):
                return json, None
            found = json
        finding, reading = found
        if reading is not None:
            finding = self._in_time(response) or finding
        good = finding.failure_class is FailureClass.OK
        return self._verdict(status, finding), reading if good else None

    def read_body(self, body: bytes, line: RequestLine) -> Reading | Unreadable:
        """Read a body for itself; whatever else is expected of an answer is not asked after."""
        try:
            if self.read is None:
                return answered(self.instrument, line.asked_at)
            found = read_body(body)
            if found.shape is not Shape.JSON:
                return Unreadable(f"{found.shape.value} instead of JSON")
            return read_value(found.json, self.read, line.asked_at)
        except NotReadableError as why:
            return Unreadable(evidence_line(str(why)))

    def _json(self, response: Response, line: RequestLine) -> Examined | Verdict:
        """Judge an answer whose JSON matters."""
        at = _answered_at(response, line, self.read)
        is_success = response.status is None or 200 <= response.status < 300
        if is_success and response.body[:1] in (b"{", b"["):
            quick = _parsed(response.body)
            if quick is not None and stated_error(quick) is None and not is_hollow(quick):
                return self._contents(quick, response, at)
        if is_success:
            kept: list[Examined] = []

            def contents(body: Body, _line: RequestLine) -> Finding | None:
                if body.shape is not Shape.JSON:
                    text = f"{body.shape.value} instead of JSON"
                    return Finding(FailureClass.INVALID_DATA, text)
                kept.append(self._contents(body.json, response, at))
                return kept[-1][0]

            verdict = judge(response, line, replace(self._dialect(), contents=contents))
            return kept[-1] if kept else verdict
        body = read_body(response.body)
        if body.shape is not Shape.JSON:
            text = f"{body.shape.value} instead of JSON"
            return Finding(FailureClass.INVALID_DATA, text), None
        return self._contents(body.json, response, at)

    def _contents(self, value: object, response: Response, at: datetime | None) -> Examined:
        why = broken(value, self.expect.body)
        if why is None and self.expect.text is not None:
            why = _lacking(self.expect.text, response)
        if why is not None:
            return Finding(FailureClass.INVALID_DATA, why), None
        try:
            if self.read is None:
                return Finding(FailureClass.OK, "as expected"), answered(self.instrument, at)
            reading = read_value(value, self.read, at)
        except NothingInItError as why_not:
            return Finding(FailureClass.EMPTY, str(why_not)), None
        except NotReadableError as why_not:
            return Finding(FailureClass.INVALID_DATA, str(why_not)), None
        text = "1 row" if reading.rows == 1 else f"{reading.rows} rows"
        return Finding(FailureClass.OK, f"{text} of {', '.join(self.read.fields)}"), reading

    def _plain(self, response: Response, line: RequestLine, *, is_success: bool) -> Examined:
        """Judge an answer that may be anything: JSON, a page, a text, nothing."""
        if self.expect.text is not None:
            lacking = _lacking(self.expect.text, response)
            if lacking is not None:
                return Finding(FailureClass.INVALID_DATA, lacking), None
        elif is_success:
            refused = _refused(read_body(response.body))
            if refused is not None:
                return refused, None
        try:
            at = _answered_at(response, line, None)
            return Finding(FailureClass.OK, "as expected"), answered(self.instrument, at)
        except NotReadableError as why:
            return Finding(FailureClass.INVALID_DATA, str(why)), None

    def _media_type(self, response: Response) -> Finding | None:
        expected = self.expect.content_type
        if expected is None:
            return None
        said = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if said == expected:
            return None
        text = f"the content type is {said or 'not stated'}, expected {expected}"
        return Finding(FailureClass.INVALID_DATA, text)

    def _in_time(self, response: Response) -> Finding | None:
        limit_s = self.expect.within_s
        if limit_s is None or response.elapsed_s <= limit_s:
            return None
        text = f"took {response.elapsed_s:.2f} s, expected within {limit_s:g} s"
        return Finding(FailureClass.SLOW, text)

    def _verdict(self, status: int, finding: Finding) -> Verdict:
        text = f"HTTP {status}, {self.name}: {finding.text}"
        if finding.failure_class is FailureClass.OK:
            return _good(text)
        return Verdict(finding.failure_class or FailureClass.INVALID_DATA, evidence_line(text))

    def _dialect(self) -> Dialect:
        return Dialect(self.name, _nothing, _nothing)


@lru_cache(maxsize=1024)
def _good(text: str) -> Verdict:
    return Verdict(FailureClass.OK, evidence_line(text))


def _nothing(_body: Body, _line: RequestLine) -> Finding | None:
    """For what only the configuration knows."""
    return None


def _parsed(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def _refused(body: Body) -> Finding | None:
    """The error that a body states although nothing was expected of it."""
    if body.shape is Shape.JSON:
        said = marked_error(body.json)
        if said is None:
            return None
        meaning = meaning_of(said)
        known = FailureClass.INVALID_DATA if meaning in {None, FailureClass.OK} else meaning
        return Finding(known, f"says {said!r}")
    if body.shape is Shape.HTML:
        meaning = page_meaning(body.text, status_known=True)
        return None if meaning is None else Finding(meaning, f"HTML page {page_title(body.text)!r}")
    return None


def _lacking(text: str, response: Response) -> str | None:
    if text.encode() in response.body:
        return None
    return f"{text!r} is not in the {len(response.body)} bytes of the body"


def _answered_at(response: Response, line: RequestLine, read: Read | None) -> datetime | None:
    """When a body was made that does not say so: when it was asked for, or a cache's age earlier.

    The numbers in a cached body are as old as it is. That somebody answered is true of now.
    """
    if line.asked_at is None or read is None:
        return line.asked_at
    age = response.headers.get("age", "").strip()
    if _AGE.fullmatch(age) is None:
        return line.asked_at
    try:
        return line.asked_at - timedelta(seconds=int(age))
    except OverflowError:
        return line.asked_at


def _listed(statuses: frozenset[int]) -> str:
    """Statuses in words; a whole hundred is `2xx`."""
    left, said = set(statuses), []
    for hundred in range(1, 6):
        whole = set(range(hundred * 100, hundred * 100 + 100))
        if whole <= left:
            said.append(f"{hundred}xx")
            left -= whole
    return ", ".join([*said, *map(str, sorted(left))])
