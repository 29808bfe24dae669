"""Whether another provider's numbers may stand for an answer, and under which label.

Two providers may name an instrument alike and mean different numbers: prices before and after a
split, another currency, another year's table. What is known of the question is its last good data,
so everything is held against that; where there is none, nothing is called exact.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategy import Snapshot
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.probing.response import Verdict

# Two tapes of one market differ by far less in a finished bar; a split or a currency by far more.
FINISHED_TOLERANCE = 0.02

# A live number against the last known one, up to a day apart; over longer times markets wander with
# the square root, and the smallest split (3 for 2) must still stand out.
LIVE_TOLERANCE = 0.05
WIDEST_TOLERANCE = 0.3

# Servers disagree by seconds about the newest number.
OLDER_TOLERANCE = timedelta(minutes=2)

_LENGTHS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "mo": timedelta(days=31),
    "y": timedelta(days=366),
}

Rows = dict[datetime, dict[str, float]]


@dataclass(frozen=True, slots=True)
class StandIn:
    """Another provider's reading, cut to the question it stands for.

    Attributes
    ----------
    evidence : str
        What was compared, for a person.
    """

    reading: Reading
    fidelity: Fidelity
    evidence: str


def stand_in(theirs: Reading, own: Snapshot | None, *, now: datetime) -> StandIn | Verdict:
    """Say whether `theirs` may answer a question whose last good data is `own`.

    Parameters
    ----------
    theirs : Reading
        Good by its own provider's rules and by `validation`.
    own : Snapshot or None
        None where the question was never answered.
    now : datetime
        Aware UTC.

    Returns
    -------
    StandIn or Verdict
        The verdict says why it may not. The result's `as_of` is never newer than that of `theirs`,
        and every number in it is one of `theirs`.

    Notes
    -----
    Without `own` neither window nor scale are known: a series shrinks to its newest row, a table of
    several quotes is refused, and nothing is better than `coarser`.

    A question's window is known by its last data only. Where rows have come since and `theirs`
    reaches further back, the window may have moved along or grown: the smaller reading is taken
    then, as `coarser`.
    """
    if own is None:
        return _unknown(theirs)
    known = own.reading
    if theirs.instrument != known.instrument:
        return _refused(f"is of {theirs.instrument}, not of {known.instrument}")
    if theirs.interval != known.interval:
        return _refused(f"is by {theirs.interval}, not by {known.interval}")
    return _live(theirs, own, now) if known.interval == "now" else _series(theirs, own)


def _refused(why: str, failure_class: FailureClass = FailureClass.INVALID_DATA) -> Verdict:
    return Verdict(failure_class, f"differs from the last known value: {why}")


def _unknown(theirs: Reading) -> StandIn | Verdict:
    if theirs.interval == "now" and len(theirs.points) > 1:
        return _refused("nothing is known that says which of these rates was asked for")
    newest_at = theirs.points[-1].at
    newest = tuple(point for point in theirs.points if point.at == newest_at)
    reading = Reading(theirs.instrument, theirs.interval, newest, theirs.as_of)
    return StandIn(reading, Fidelity.COARSER, "no last known value to compare with")


def _live(theirs: Reading, own: Snapshot, now: datetime) -> StandIn | Verdict:
    """A quote or rates: by field, the moment of each left aside."""
    known = {point.field: point.value for point in own.reading.points}
    found = {point.field: point for point in theirs.points if point.field in known}
    if lacking := sorted(known.keys() - found.keys()):
        return _refused(f"there is no {lacking[0]}")
    days = max((now - own.fetched_at) / timedelta(days=1), 1.0)
    tolerance = min(LIVE_TOLERANCE * math.sqrt(days), WIDEST_TOLERANCE)
    for field, value in known.items():
        if not math.isclose(found[field].value, value, rel_tol=tolerance):
            return _refused(f"{field} is {found[field].value:g}, was {value:g}")
    points = sorted(found.values())
    as_of = theirs.as_of
    if _is_dated(own.reading.as_of):
        # Whoever states days only is answered in days.
        points = [Point(_day(point.at), point.field, point.value) for point in points]
        as_of = _day(as_of)
    reading = Reading(theirs.instrument, "now", tuple(points), as_of)
    compared = f"{len(known)} numbers within {tolerance:.0%} of the last known ones"
    if _is_older(theirs.as_of, own.reading.as_of):
        return StandIn(reading, Fidelity.STALE, f"{compared}, but of {theirs.as_of:%Y-%m-%d %H:%M}")
    return StandIn(reading, Fidelity.EXACT, compared)


def _is_dated(moment: datetime) -> bool:
    return moment == _day(moment)


def _day(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _is_older(theirs: datetime, own: datetime) -> bool:
    """A day alone may be any moment of it: not older than its own day's, nor known to be as new."""
    if _is_dated(own):
        return _day(theirs) < own
    return theirs < own - OLDER_TOLERANCE


def _series(theirs: Reading, own: Snapshot) -> StandIn | Verdict:
    known, rows = _rows(own.reading), _rows(theirs)
    fields = {point.field for point in own.reading.points}
    first, newest = min(known), max(known)
    their_newest = max(rows)
    if their_newest < newest:
        return _refused(
            f"ends at {their_newest:%Y-%m-%d %H:%M}, yet {newest:%Y-%m-%d %H:%M} was known",
            FailureClass.STALE_DATA,
        )
    moved_first = first + (their_newest - newest)
    is_ambiguous = any(first <= at < moved_first for at in rows)
    since = moved_first if is_ambiguous else first
    kept: Rows = {}
    for at, row in rows.items():
        if at < since:
            continue
        kept[at] = {field: value for field, value in row.items() if field in fields}
        needed = known[at].keys() if at in known else fields
        if lacking := sorted(needed - kept[at].keys()):
            return _refused(f"the row of {at:%Y-%m-%d %H:%M} has no {lacking[0]}")
    compared = 0
    for at, field, value, told in _finished_pairs(known, kept, own):
        if not math.isclose(value, told, rel_tol=FINISHED_TOLERANCE):
            return _refused(f"{field} of {at:%Y-%m-%d %H:%M} is {value:g}, was {told:g}")
        compared += 1
    if not compared:
        for field, told in known[newest].items():
            latest = kept[their_newest].get(field)
            if latest is None or field == "volume":
                continue
            if not math.isclose(latest, told, rel_tol=WIDEST_TOLERANCE):
                return _refused(f"the newest {field} is {latest:g}, was {told:g}")
    points = tuple(
        Point(at, field, row[field]) for at, row in sorted(kept.items()) for field in sorted(row)
    )
    reading = Reading(theirs.instrument, theirs.interval, points, theirs.as_of)
    evidence = f"{compared} finished numbers within {FINISHED_TOLERANCE:.0%} of the last known ones"
    # Rows that a moving window has left behind are not missed.
    missed = sum(1 for at in known if at not in kept and at >= moved_first)
    if missed or is_ambiguous or not compared:
        because = f"{missed} rows are missing" if missed else "the window may begin earlier"
        if not compared:
            because = "no finished row in common"
        return StandIn(reading, Fidelity.COARSER, f"{evidence}; {because}")
    return StandIn(reading, Fidelity.EXACT, evidence)


def _rows(reading: Reading) -> Rows:
    rows: Rows = defaultdict(dict)
    for point in reading.points:
        rows[point.at][point.field] = point.value
    return dict(rows)


def _finished_pairs(
    known: Mapping[datetime, Mapping[str, float]],
    kept: Mapping[datetime, Mapping[str, float]],
    own: Snapshot,
) -> Iterator[tuple[datetime, str, float, float]]:
    """Both values of every number that was final when `own` was fetched; volumes are not."""
    unit = own.reading.interval.lstrip("0123456789")
    count = own.reading.interval.removesuffix(unit)
    length = _LENGTHS.get(unit, timedelta(0)) * int(count or 1)
    for at, row in known.items():
        if at not in kept or at + length > own.fetched_at:
            continue
        for field, told in row.items():
            if field != "volume":
                yield at, field, kept[at][field], told
