"""Whether a healed answer holds: checks on its data, not on the word of the strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.reading import Reading, Unreadable

# Two looks at one past number agree to this, whatever the provider's rounding.
SAME_NUMBER = 0.005

# Providers revise: volumes after the close, last quarter's GDP. A body of other numbers differs in
# more than this part of them.
MOST_REVISED = 0.2


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    passed: bool
    evidence: str


def verify(
    answer: Answer,
    *,
    read_again: Sequence[Reading | Unreadable],
    last: Reading | None,
    accepts: frozenset[Fidelity],
    now: datetime,
) -> tuple[Check, ...]:
    """Check a healed answer against its own body, its label and what was known before.

    Parameters
    ----------
    answer : Answer
    read_again : sequence of Reading or Unreadable
        What the provider's reader makes of `answer.body`, for every question that it may answer:
        the endpoint's own, and those that a strategy puts in its place.
    last : Reading or None
        The last good reading from before the incident.
    accepts : frozenset of Fidelity
        What the endpoint's readers take.
    now : datetime
        Aware UTC.

    Returns
    -------
    tuple of Check
        All have to pass.
    """
    age = now - answer.fetched_at
    return (
        Check(
            "the body says what the answer says",
            answer.reading in read_again,
            _read_evidence(answer, read_again),
        ),
        Check(
            "the label is one the readers take",
            answer.fidelity in accepts,
            f"{answer.fidelity} of {', '.join(sorted(accepts))}",
        ),
        Check(
            "old data is not called exact",
            answer.fidelity is not Fidelity.EXACT or age < timedelta(seconds=60),
            f"fetched {age.total_seconds():.0f} s ago, called {answer.fidelity}",
        ),
        _same_past(answer, last),
    )


def _read_evidence(answer: Answer, read_again: Sequence[Reading | Unreadable]) -> str:
    if answer.reading in read_again:
        return f"{len(answer.reading.points)} numbers read again"
    said = [each.evidence for each in read_again if isinstance(each, Unreadable)]
    return "; ".join(said) or "other numbers than the answer's"


def _same_past(answer: Answer, last: Reading | None) -> Check:
    """Numbers both know must agree, but for the newest, which still move, and a few revisions."""
    name = "past numbers are what they were"
    if last is None or answer.fidelity is Fidelity.PROXY:
        return Check(name, True, "nothing to compare with")
    if last.interval != answer.reading.interval:
        return Check(name, True, f"bars by {answer.reading.interval}, known are {last.interval}")
    newest = min(answer.reading.points[-1].at, last.points[-1].at)
    before = {(each.at, each.field): each.value for each in last.points if each.at < newest}
    shared = [each for each in answer.reading.points if (each.at, each.field) in before]
    differing = [each for each in shared if not _is_same(each.value, before[each.at, each.field])]
    if len(differing) > MOST_REVISED * len(shared):
        one = differing[0]
        return Check(
            name,
            False,
            f"{len(differing)} of {len(shared)} differ: {one.field} of {one.at:%Y-%m-%d %H:%M} was "
            f"{before[one.at, one.field]:g}, is {one.value:g}",
        )
    return Check(name, True, f"{len(shared)} numbers compared, {len(differing)} revised")


def _is_same(one: float, other: float) -> bool:
    return abs(one - other) <= SAME_NUMBER * max(abs(one), abs(other))
