"""Whether a healed answer holds: checks on its data, not on the word of the strategy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.reading import Reading, Unreadable

# Two looks at one past number agree to this, whatever the provider's rounding.
SAME_NUMBER = 0.005


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    passed: bool
    evidence: str


def verify(
    answer: Answer,
    *,
    read_again: Reading | Unreadable,
    last: Reading | None,
    accepts: frozenset[Fidelity],
    now: datetime,
) -> tuple[Check, ...]:
    """Check a healed answer against its own body, its label and what was known before.

    Parameters
    ----------
    answer : Answer
    read_again : Reading or Unreadable
        What the provider's reader makes of `answer.body`.
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
            read_again == answer.reading,
            f"{len(answer.reading.points)} numbers read again"
            if not isinstance(read_again, Unreadable)
            else read_again.evidence,
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


def _same_past(answer: Answer, last: Reading | None) -> Check:
    """Numbers both know must agree, but for the newest, which may still move."""
    name = "past numbers are what they were"
    if last is None or answer.fidelity is Fidelity.PROXY:
        return Check(name, True, "nothing to compare with")
    newest = min(answer.reading.points[-1].at, last.points[-1].at)
    before = {(each.at, each.field): each.value for each in last.points if each.at < newest}
    shared = [each for each in answer.reading.points if (each.at, each.field) in before]
    for point in shared:
        known = before[point.at, point.field]
        if abs(point.value - known) > SAME_NUMBER * max(abs(known), abs(point.value)):
            evidence = f"{point.field} of {point.at:%Y-%m-%d %H:%M}: {known:g}, now {point.value:g}"
            return Check(name, False, evidence)
    return Check(name, True, f"{len(shared)} numbers compared")
