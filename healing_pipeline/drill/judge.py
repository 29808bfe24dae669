"""Whether an answer's data is as good as its label: held against the simulator's truth, not status.

Nothing of the healing engine is used here but the answer itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.simulator.truth import Truth

# The market moves by less than 5e-5 in a second and providers round to four places.
SAME_NUMBER = 2e-4
ROUNDING = 1e-4

# The drill's clock and the simulator's are set by each other over HTTP; this far they may be apart.
CLOCK_SKEW = timedelta(seconds=0.25)

# A body speaks of the second in which it was rendered, a call takes up to this long to come back.
LONGEST_CALL = timedelta(seconds=3)


def fault_of(
    answer: Answer,
    *,
    provider: str,
    line: RequestLine,
    truth: Truth,
    asked_at: datetime,
    answered_at: datetime,
) -> str | None:
    """Say what is worse about the data than its label says; None when it is as good.

    Parameters
    ----------
    line : RequestLine
        The whole question, before any strategy made it smaller.
    asked_at, answered_at : datetime
        On the simulated clock.
    """
    if answer.fetched_at > answered_at + timedelta(seconds=1):
        return f"says it was fetched at {answer.fetched_at}, after it was handed out"
    if answer.fidelity is Fidelity.PROXY:
        return "a proxy, which no strategy of this version gives"
    if answer.fidelity is Fidelity.EXACT and answer.fetched_at < asked_at - timedelta(seconds=1):
        return f"called exact, yet fetched at {answer.fetched_at}, before it was asked for"
    since, until = answer.fetched_at - LONGEST_CALL, answer.fetched_at + CLOCK_SKEW
    if answer.fidelity is Fidelity.EXACT:
        since = max(since, asked_at - timedelta(seconds=1))
    differences = []
    for moment in _seconds(since, until):
        true = truth.reading(provider, line, moment)
        if true is None:
            differences.append("data where the truth is that there is none")
            continue
        difference = difference_of(
            answer.reading, true, whole=answer.fidelity is not Fidelity.COARSER
        )
        if difference is None:
            return None
        differences.append(difference)
    return f"{answer.fidelity}: {differences[-1]}"


def difference_of(reading: Reading, true: Reading, *, whole: bool) -> str | None:
    """Where a reading departs from the true one; `whole` asks for every number of it."""
    if reading.instrument != true.instrument:
        return f"is of {reading.instrument}, not of {true.instrument}"
    values = {(point.at, point.field): point.value for point in true.points}
    for point in reading.points:
        right = values.pop((point.at, point.field), None)
        if right is None:
            return f"{point.field} of {point.at} is not in the true answer"
        if abs(point.value - right) > max(SAME_NUMBER * abs(right), ROUNDING):
            return f"{point.field} of {point.at} is {point.value:g}, in truth {right:g}"
    if reading.points[-1].at < true.points[-1].at:
        return f"ends at {reading.points[-1].at}, the truth at {true.points[-1].at}"
    if whole and values:
        at, field = min(values)
        return f"lacks {len(values)} numbers, {field} of {at} among them"
    return None


def _seconds(since: datetime, until: datetime) -> Iterator[datetime]:
    """Every whole second from `until` back to `since`; the market stands still in between."""
    moment = until
    while moment >= since:
        yield moment
        moment -= timedelta(seconds=1)
