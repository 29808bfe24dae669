"""The numbers in a body, by where the configuration says they stand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from healing_pipeline.catalog.json_rules import Read, written
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.providers.bodies import (
    NotReadableError,
    assembled_reading,
    kind_of,
    number,
    sequence,
)
from healing_pipeline.providers.json_api.columns import read_columns
from healing_pipeline.providers.json_api.moments import moment_of
from healing_pipeline.providers.json_api.paths import found_at, named

ANSWERED = "answered"
"""The one field of an endpoint of which no number is read: 1 at the moment of the answer."""


class NothingInItError(NotReadableError):
    """A body of the right form that holds no number."""


def read_value(value: object, rules: Read, answered_at: datetime | None) -> Reading:
    """Read a parsed body.

    Parameters
    ----------
    answered_at : datetime or None
        What a body that states no moment is dated by.
    """
    if rules.rows is None:
        points, as_of = _one_moment(value, rules, answered_at)
        return assembled_reading(rules.instrument, rules.interval, points, as_of)
    rows = found_at(value, rules.rows)
    plain = read_columns(rows, rules)
    return one_by_one(rows, rules) if plain is None else plain


def one_by_one(rows: object, rules: Read) -> Reading:
    """Read rows with a look at each number, to say which one is wrong."""
    assert rules.rows is not None, "asked for rows"
    points = list(_rows(rows, rules))
    if not points:
        raise NothingInItError(f"{named(rules.rows)} holds no number")
    return assembled_reading(rules.instrument, rules.interval, points)


def answered(instrument: str, answered_at: datetime | None) -> Reading:
    """The reading of an answer of which nothing is read but that it came."""
    at = _stated(answered_at)
    return Reading(instrument, "now", (Point(at, ANSWERED, 1.0),), at)


def _one_moment(
    value: object, rules: Read, answered_at: datetime | None
) -> tuple[list[Point], datetime]:
    if rules.at is None:
        at = _stated(answered_at)
    else:
        said = found_at(value, rules.at)
        at = moment_of(said, named(rules.at), as_text=rules.numbers_as_text)
    points = [
        Point(at, field, number(found, named(steps), as_text=rules.numbers_as_text))
        for field, steps in rules.fields.items()
        if (found := found_at(value, steps)) is not None
    ]
    if not points:
        raise NothingInItError(", ".join(map(written, rules.fields.values())) + " holds no number")
    return points, at


def _rows(rows: object, rules: Read) -> Iterator[Point]:
    assert rules.rows is not None, "asked for rows"
    assert rules.at is not None, "rows have moments"
    place = named(rules.rows)
    base = "" if not rules.rows else place
    for row_number, row in enumerate(sequence(rows, place)):
        within = f"{base}[{row_number}]"
        if not isinstance(row, dict | list):
            raise NotReadableError(f"{within} is {kind_of(row)}, expected an object")
        at = None
        for field, steps in rules.fields.items():
            found = found_at(row, steps, within)
            if found is None:
                continue
            if at is None:
                said = found_at(row, rules.at, within)
                at = moment_of(said, named(rules.at, within), as_text=rules.numbers_as_text)
            what = named(steps, within)
            yield Point(at, field, number(found, what, as_text=rules.numbers_as_text))


def _stated(answered_at: datetime | None) -> datetime:
    if answered_at is None:
        raise NotReadableError("the body states no moment, and nobody knows when it was asked for")
    return answered_at
