"""Whether an answer's data is as good as its label: held against the simulator's truth, not status.

Nothing of the healing engine is used here but the answer itself. The simulator renders its market
once a second and exactly, so the data has to be, to the last digit, what was true in one of the
seconds in which it can have been rendered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.simulator.truth import Truth

# What a number may lose on its way through a body's text. Neighbouring seconds of the dearest
# symbol differ by more, and a rate of 0.005 has to be held to the same standard as a price of 600.
SAME_NUMBER = 1e-9

# The drill's clock and the simulator's are set by each other over HTTP; this far they may be apart.
CLOCK_SKEW = timedelta(seconds=0.25)

# A call takes up to this long to come back (the longest is the first reading of a drill), and a
# strategy may date its data by when it began: so far from `fetched_at` a body can be rendered.
LONGEST_CALL = timedelta(seconds=5)


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
    if answer.fetched_at > answered_at + CLOCK_SKEW:
        return f"says it was fetched at {answer.fetched_at}, after it was handed out"
    if answer.fidelity is Fidelity.PROXY:
        return "a proxy, which no strategy of this version gives"
    if answer.fidelity is Fidelity.EXACT and answer.fetched_at < asked_at - CLOCK_SKEW:
        return f"called exact, yet fetched at {answer.fetched_at}, before it was asked for"
    since = answer.fetched_at - LONGEST_CALL
    if answer.fidelity is Fidelity.EXACT:
        since = max(since, asked_at - CLOCK_SKEW)
    until = min(answer.fetched_at + LONGEST_CALL, answered_at + CLOCK_SKEW)
    differences = []
    for moment in _seconds(since, until, first=answer.fetched_at):
        true = truth.reading(provider, line, moment)
        if true is None:
            differences.append("data where the truth is that there is none")
            continue
        difference = difference_of(
            answer.reading, true, whole=answer.fidelity is not Fidelity.COARSER
        )
        if difference is None and answer.as_of > true.as_of:
            difference = f"says it speaks of {answer.as_of}, in truth of {true.as_of}"
        if difference is None:
            return None
        differences.append(difference)
    return f"{answer.fidelity}: {differences[0]}"


def difference_of(reading: Reading, true: Reading, *, whole: bool) -> str | None:
    """Where a reading is worse than the true one; `whole` asks for every number of it.

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
    values = {(point.at, point.field): point.value for point in true.points}
    for point in reading.points:
        right = values.pop((point.at, point.field), None)
        if right is None:
            return f"{point.field} of {point.at} is not in the true answer, or there twice"
        if not math.isclose(point.value, right, rel_tol=SAME_NUMBER):
            return f"{point.field} of {point.at} is {point.value:.12g}, in truth {right:.12g}"
    if reading.as_of > true.as_of:
        return f"says it speaks of {reading.as_of}, in truth of {true.as_of}"
    newest = max(rows)
    if newest < true.points[-1].at:
        return f"ends at {newest}, the truth at {true.points[-1].at}"
    lacking = [each for each in values if whole or each[0] in rows]
    if lacking:
        at, field = min(lacking)
        return f"lacks {len(lacking)} numbers, {field} of {at} among them"
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
