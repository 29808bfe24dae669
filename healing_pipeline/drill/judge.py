"""Whether an answer's data is as good as its label: held against the simulator's truth, not status.

Nothing of the healing engine is used here but the answer itself: which questions a label may answer
is worked out from the catalog and the provider's own language. The simulator renders its market
once a second and exactly, so the data has to be, to the last digit, what was true in one of the
seconds in which it can have been rendered.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from healing_pipeline.catalog.values import Catalog, Endpoint
from healing_pipeline.drill.world import line_of
from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.reading import Reading, Unreadable
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.registry import provider_named
from healing_pipeline.simulator.truth import Truth

# What a number may lose on its way through a body's text. Neighbouring seconds of the dearest
# symbol differ by more, and a rate of 0.005 has to be held to the same standard as a price of 600.
SAME_NUMBER = 1e-9

# The drill's clock and the simulator's are set by each other over HTTP; this far they may be apart.
CLOCK_SKEW = timedelta(seconds=0.25)

# The simulated market goes by less than this share of itself in a second (`simulator.market`). A
# feed that froze in place is so far from the truth after one second, and cannot be told from a
# live one before it was looked at again and again: LAG_S is the time that is granted for it.
MOST_PER_SECOND = 5e-5
LAG_S = 5.0
LAGGING = LAG_S * MOST_PER_SECOND

# Who shares another reader's answer may have come so long after that one asked.
SHARED_WITHIN = timedelta(seconds=0.25)

# A call takes up to this long to come back (the longest is the first reading of a drill), and a
# strategy may date its data by when it began: so far from `fetched_at` a body can be rendered.
LONGEST_CALL = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Right:
    """One question whose true answer an answer of some label may hold.

    Attributes
    ----------
    whole : bool
        Whether every row has to be there; else some may be missing, never the newest.
    """

    provider: str
    line: RequestLine
    whole: bool


def fault_of(
    answer: Answer,
    *,
    catalog: Catalog,
    truth: Truth,
    asked_at: datetime,
    answered_at: datetime,
    live_within: float = SAME_NUMBER,
) -> str | None:
    """Say what is worse about the data than its label says; None when it is as good.

    Parameters
    ----------
    asked_at, answered_at : datetime
        On the simulated clock.
    live_within : float
        How far, relatively, a number of the newest row may be from the truth. Every other number,
        the rows, their dates and the label are held to the last digit whatever it is.
    """
    endpoint = catalog.endpoints[answer.endpoint]
    if answer.fetched_at > answered_at + CLOCK_SKEW:
        return f"says it was fetched at {answer.fetched_at}, after it was handed out"
    if answer.fidelity is Fidelity.EXACT and answer.fetched_at < asked_at - CLOCK_SKEW:
        return f"called exact, yet fetched at {answer.fetched_at}, before it was asked for"
    others: tuple[Right, ...] = ()
    if answer.provider != endpoint.source:
        others = tuple(_carried_by(answer.provider, endpoint, catalog, answer.fetched_at))
        if not others:
            return f"served by {answer.provider}, which carries nothing of this"
        said = _said_otherwise(answer, endpoint, catalog)
        if said is not None:
            return said
    rights = rights_of(answer.fidelity, endpoint, catalog, answer.fetched_at)
    if not rights:
        return f"{answer.fidelity}: there is no such thing for this endpoint"
    since = answer.fetched_at - LONGEST_CALL
    if answer.fidelity is Fidelity.EXACT:
        shared = SHARED_WITHIN if answer.shared else timedelta(0)
        since = max(since, asked_at - CLOCK_SKEW - shared)
    until = min(answer.fetched_at + LONGEST_CALL, answered_at + CLOCK_SKEW)
    moments = _seconds(since, until, first=answer.fetched_at)
    differences = []
    for right in rights:
        for moment in moments:
            difference = _difference_at(moment, answer, right, others, truth, live_within)
            if difference is None:
                return None
            differences.append(difference)
    return f"{answer.fidelity}: {differences[0]}"


def rights_of(
    fidelity: Fidelity, endpoint: Endpoint, catalog: Catalog, now: datetime
) -> tuple[Right, ...]:
    """The questions whose truth may go by a label: the question itself, by days, or another's."""
    name = catalog.sources[endpoint.source].provider
    own = line_of(catalog, endpoint, now)
    if fidelity in (Fidelity.EXACT, Fidelity.STALE):
        return (Right(name, own, whole=True),)
    provider = provider_named(name)
    if fidelity is Fidelity.COARSER:
        asked = [provider.daily(endpoint.path, endpoint.params, now)]
        first: tuple[Right, ...] = (Right(name, own, whole=False),)
    else:
        named = (endpoint.alternates.etf, endpoint.alternates.series)
        asked = [
            provider.substituted(endpoint.path, endpoint.params, each)
            for each in named
            if each is not None
        ]
        first = ()
    lines = [
        line_of(catalog, replace(endpoint, path=each[0], params=each[1]), now)
        for each in asked
        if each is not None
    ]
    # A proxy that is the very question it stands for is none.
    return first + tuple(Right(name, line, whole=False) for line in lines if line != own)


def difference_of(
    reading: Reading,
    true: Reading,
    *,
    whole: bool,
    dated: bool = True,
    live_within: float = SAME_NUMBER,
) -> str | None:
    """Where a reading is worse than the true one; `whole` asks for every number of it.

    Parameters
    ----------
    dated : bool
        False where another provider may date the same live numbers in its own way.

    Notes
    -----
    A reading that is not whole may leave rows out, never the newest and never a part of a row.
    """
    if reading.instrument != true.instrument:
        return f"is of {reading.instrument}, not of {true.instrument}"
    if not reading.points:
        return "has no numbers"
    rows = {point.at for point in reading.points}
    # A single row does not tell its spacing, so a smaller answer may not know its interval.
    if reading.interval != true.interval and (whole or len(rows) > 1):
        return f"is by {reading.interval}, not by {true.interval}"
    if not dated and true.interval == "now":
        return _difference_undated(reading, true, live_within)
    values = {(point.at, point.field): point.value for point in true.points}
    for point in reading.points:
        right = values.pop((point.at, point.field), None)
        if right is None:
            return f"{point.field} of {point.at} is not in the true answer, or there twice"
        within = live_within if point.at == true.points[-1].at else SAME_NUMBER
        if not math.isclose(point.value, right, rel_tol=within):
            return f"{point.field} of {point.at} is {point.value:.12g}, in truth {right:.12g}"
    newest = max(rows)
    if newest < true.points[-1].at:
        return f"ends at {newest}, the truth at {true.points[-1].at}"
    lacking = [each for each in values if whole or each[0] in rows]
    if lacking:
        at, field = min(lacking)
        return f"lacks {len(lacking)} numbers, {field} of {at} among them"
    return None


def _difference_undated(reading: Reading, true: Reading, live_within: float) -> str | None:
    values = {point.field: point.value for point in true.points}
    for point in reading.points:
        right = values.pop(point.field, None)
        if right is None:
            return f"{point.field} is not in the true answer, or there twice"
        if not math.isclose(point.value, right, rel_tol=live_within):
            return f"{point.field} is {point.value:.12g}, in truth {right:.12g}"
    return f"lacks {min(values)}" if values else None


def _difference_at(
    moment: datetime,
    answer: Answer,
    right: Right,
    others: Sequence[Right],
    truth: Truth,
    live_within: float,
) -> str | None:
    """Where an answer is worse than the truth of one second."""
    true = truth.reading(right.provider, right.line, moment)
    if true is None:
        return "data where the truth is that there is none"
    difference = difference_of(
        answer.reading, true, whole=right.whole, dated=not others, live_within=live_within
    )
    if difference is not None:
        return difference
    newest = true.as_of
    for each in others:
        theirs = truth.reading(each.provider, each.line, moment)
        if theirs is not None:
            newest = max(newest, theirs.as_of)
    points = answer.reading.points
    claimed = max(answer.as_of, answer.reading.as_of, *(point.at for point in points))
    return None if claimed <= newest else f"says it speaks of {claimed}, in truth of {newest}"


def _carried_by(
    source: str, endpoint: Endpoint, catalog: Catalog, now: datetime
) -> Iterator[Right]:
    """What the catalog says that another source carries of an endpoint's data."""
    for name in endpoint.alternates.endpoints:
        other = catalog.endpoints.get(name)
        if other is not None and other.source == source:
            yield Right(catalog.sources[source].provider, line_of(catalog, other, now), whole=True)


def _said_otherwise(answer: Answer, endpoint: Endpoint, catalog: Catalog) -> str | None:
    """Whether a body that was written from another provider's numbers says these numbers.

    A client of the provider that was asked parses the body and never sees the reading.
    """
    provider = provider_named(catalog.sources[endpoint.source].provider)
    said = provider.read(answer.body, line_of(catalog, endpoint, answer.fetched_at))
    if isinstance(said, Unreadable):
        return f"its body cannot be read: {said.evidence}"
    if said.instrument != answer.reading.instrument or said.points != answer.reading.points:
        return "its body says other numbers than its reading"
    if said.as_of > answer.as_of:
        return f"its body speaks of {said.as_of}, the answer of {answer.as_of}"
    return None


def _seconds(since: datetime, until: datetime, first: datetime) -> Sequence[datetime]:
    """Every second that [since, until] touches, the nearest to `first` in front."""
    moment = since.replace(microsecond=0)
    seconds = []
    while moment <= until:
        seconds.append(moment)
        moment += timedelta(seconds=1)
    began = first.replace(microsecond=0)
    return sorted(seconds, key=lambda each: abs(each - began))
