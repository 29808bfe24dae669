"""Answering from the last good data, and what that makes of its label."""

from __future__ import annotations

from datetime import timedelta

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategy import (
    MOST_AHEAD,
    Applicability,
    Healed,
    NotHealed,
    Situation,
)
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict


def may_serve(situation: Situation, max_age: timedelta) -> Applicability:
    """Whether there is a snapshot that is young enough and of a label the reader takes."""
    snapshot = situation.snapshot
    if situation.failure.failure_class is FailureClass.BAD_REQUEST:
        return Applicability(False, "the request itself is wrong")
    if snapshot is None:
        return Applicability(False, "nothing was stored for this question yet")
    label = label_in_store(snapshot.fidelity)
    if label not in situation.accepts:
        return Applicability(False, f"the reader does not accept {label}")
    age = situation.now - snapshot.fetched_at
    if age < -MOST_AHEAD:
        # By a clock that was set back since: it may be of yesterday.
        return Applicability(False, f"the stored data is from {_text(-age)} ahead: of no known age")
    if age > max_age:
        return Applicability(False, f"the stored data is {_text(age)} old, over {max_age}")
    return Applicability(True, f"good data {_text(age)} old is at hand")


def serve(situation: Situation, applicability: Applicability) -> Healed | NotHealed:
    """Hand out the snapshot, if `applicability` says that it may be."""
    snapshot = situation.snapshot
    if snapshot is None or not applicability.ok:
        return NotHealed(Verdict(situation.failure.failure_class, applicability.because))
    return Healed(
        fidelity=label_in_store(snapshot.fidelity),
        reading=snapshot.reading,
        body=snapshot.body,
        fetched_at=snapshot.fetched_at,
        provider=snapshot.provider,
        evidence=applicability.because,
    )


def label_in_store(stored: Fidelity) -> Fidelity:
    """What a label becomes with age: exact is stale; worse labels stay, none improves."""
    return Fidelity.STALE if stored is Fidelity.EXACT else stored


def _text(age: timedelta) -> str:
    return f"{age.total_seconds():.0f} s"
