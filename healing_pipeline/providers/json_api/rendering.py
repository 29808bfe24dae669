"""Numbers that came from elsewhere, in a body of nothing but what the configuration names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from healing_pipeline.catalog.json_rules import MomentForm, Read, Steps
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.providers.json_api.examining import Examiner
from healing_pipeline.providers.renderings import (
    compact,
    line_of,
    numeral,
    read_back,
    rows_of,
    whole,
)

_PLACE = re.compile(r"-?[0-9]+")


def rendered(
    examiner: Examiner, reading: Reading, path: str, params: Mapping[str, str], now: datetime
) -> bytes | None:
    """`reading` in the form of an endpoint; None where it is not known how that writes moments.

    Notes
    -----
    None too for several moments where the form has one, for a path through a list's place, and for
    numbers of which the form has no field or has one too many.
    """
    rules = examiner.read
    if rules is None or rules.at is None or rules.at_form is None or _has_places(rules):
        return None
    said = tuple(
        sorted(
            Point(_cut(each.at, rules.at_form), each.field, each.value) for each in reading.points
        )
    )
    rows = rows_of(said)
    if any(row.keys() != rules.fields.keys() for row in rows.values()):
        return None
    written = [_row(rules, rules.at, rules.at_form, at, row) for at, row in rows.items()]
    if rules.rows is not None:
        body = _nested([(rules.rows, written)])
    elif len(written) == 1:
        body = written[0]
    else:
        return None
    line = line_of(path, params, now)
    return (
        None if body is None else read_back(compact(body), line, examiner.read_body, reading, said)
    )


def _has_places(rules: Read) -> bool:
    every = [*rules.fields.values(), rules.rows or (), rules.at or ()]
    return any(_PLACE.fullmatch(step) for steps in every for step in steps)


def _row(
    rules: Read, its_at: Steps, form: MomentForm, at: datetime, row: Mapping[str, float]
) -> object:
    members: list[tuple[Steps, object]] = [(its_at, _moment(at, form))]
    for field, steps in rules.fields.items():
        value = row[field]
        members.append((steps, numeral(value) if rules.numbers_as_text else whole(value)))
    return _nested(members)


def _nested(members: Iterable[tuple[Steps, object]]) -> object:
    """One value that has each member at the end of its path; None where one is in another's way."""
    top: dict[str, object] = {}
    for steps, value in members:
        if not steps:
            return value if not top else None
        within = top
        for step in steps[:-1]:
            inner = within.setdefault(step, {})
            if not isinstance(inner, dict):
                return None
            within = inner
        within[steps[-1]] = value
    return top


def _cut(at: datetime, form: MomentForm) -> datetime:
    """The moment as far as a form says it."""
    if form is MomentForm.DATE:
        return at.replace(hour=0, minute=0, second=0, microsecond=0)
    if form is MomentForm.MILLISECONDS:
        return at - timedelta(microseconds=at.microsecond % 1000)
    return at.replace(microsecond=0)


def _moment(at: datetime, form: MomentForm) -> object:
    if form is MomentForm.DATE:
        return f"{at:%Y-%m-%d}"
    if form is MomentForm.TIME:
        return f"{at:%Y-%m-%dT%H:%M:%SZ}"
    seconds = int(at.timestamp())
    if form is MomentForm.SECONDS:
        return seconds
    return seconds * 1000 + at.microsecond // 1000
