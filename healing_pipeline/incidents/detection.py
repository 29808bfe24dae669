"""What an observation of an endpoint means for its incident. Pure: the caller acts on the answer.

An observation is a probe or what a reader's request met. A failure that may be a single blip is
looked at twice before an incident begins, and so is a recovery before it ends; the second look
follows at once, so that neither waits for the next probe.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from healing_pipeline.incidents.lifecycle import ASKS_HEAL, FIRST_STATE, Signal, State, next_state
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict

# A second question answers whether these last; asking again about the others only costs quota.
MAY_BE_A_BLIP = frozenset(
    {
        FailureClass.TIMEOUT,
        FailureClass.SLOW,
        FailureClass.NETWORK_ERROR,
        FailureClass.SERVER_ERROR,
        FailureClass.INVALID_DATA,
        FailureClass.EMPTY,
    }
)

# A heal run that has said nothing for this long is dead: four deadlines of a heal run.
HEAL_LOST_AFTER = timedelta(seconds=60)

# A heal run that was asked for and has not begun after this never will: a launch that failed.
UNTAKEN_AFTER = timedelta(seconds=60)

# An incident that nothing healed is tried again after this; the world may have changed.
TRY_AGAIN_AFTER = timedelta(seconds=60)

# A reader who ends without an answer so long after a heal was failed by its route: until then they
# may have asked before it was there. Each further heal of an incident is trusted for twice as long,
# for who takes nothing but exact data may never be served by what serves the others.
ROUTE_HOLDS_AT_LEAST = timedelta(seconds=5)
ROUTE_HOLDS_AT_MOST = timedelta(minutes=10)


class Severity(StrEnum):
    """How bad an incident is for readers, least first."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class KnownIncident:
    """The open incident of an endpoint, as far as detection needs it.

    Attributes
    ----------
    id : int
    state : State
        Never `State.RESOLVED`.
    since : datetime
        When it came into that state.
    heals : int
        How often it was healed.
    unserved_at : datetime or None
        When a reader of the endpoint last ended without an answer, as far as that is news.
    """

    id: int
    state: State
    since: datetime
    heals: int = 0
    unserved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Ask once more, now, before believing it."""

    because: str


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin an incident."""

    state: State
    signal: Signal
    severity: Severity
    asks_heal: bool
    note: str


@dataclass(frozen=True, slots=True)
class Move:
    """Move the open incident on.

    Attributes
    ----------
    heal_since : datetime or None
        Of a heal that is given up: when it began. Another that has begun since is let be.
    """

    incident_id: int
    from_state: State
    to_state: State
    signal: Signal
    asks_heal: bool
    note: str
    heal_since: datetime | None = None

    @property
    def ends_incident(self) -> bool:
        """Whether the primary is well again."""
        return self.to_state is State.RESOLVED

    @property
    def withdraws_route(self) -> bool:
        """Whether readers go back to the primary with this move."""
        return self.ends_incident or self.signal is Signal.ROUTE_FAILED


Step = LookAgain | Begin | Move


def severity_of(failure_class: FailureClass) -> Severity:
    """The severity an incident starts with, before anything is known of its healing."""
    if failure_class.is_callers_fault:
        return Severity.INFO
    if failure_class in {FailureClass.SLOW, FailureClass.STALE_DATA, FailureClass.RATE_LIMIT}:
        return Severity.WARNING
    return Severity.ERROR


def step_for(
    verdict: Verdict,
    incident: KnownIncident | None,
    *,
    second_look: bool,
    now: datetime,
) -> Step | None:
    """What to do about one observation.

    Parameters
    ----------
    verdict : Verdict
        What the observation found.
    incident : KnownIncident or None
        The endpoint's open incident.
    second_look : bool
        Whether the observation before this one, moments ago, said the same.
    now : datetime
        Aware UTC.

    Returns
    -------
    LookAgain, Begin, Move or None
        None when there is nothing to do.
    """
    failure = verdict.failure_class
    if incident is None:
        return _without_incident(failure, verdict.evidence, second_look)
    if not failure.is_failure:
        if not second_look:
            return LookAgain("a recovery counts when seen twice")
        return _move(incident, Signal.RECOVERED, "the primary answers with good data again")
    return overdue(incident, now)


def _without_incident(failure: FailureClass, evidence: str, second_look: bool) -> Step | None:
    if not failure.is_failure:
        return None
    if failure in MAY_BE_A_BLIP and not second_look:
        return LookAgain(f"{failure} may be a single blip")
    return Begin(
        state=FIRST_STATE,
        signal=Signal.CONFIRMED,
        severity=severity_of(failure),
        asks_heal=failure.is_healable,
        note=evidence,
    )


def overdue(incident: KnownIncident, now: datetime) -> Move | None:
    """The move that time or readers ask for: a lost heal run, another try, a route that fails.

    A state that began in the future tells of a clock that was set back: how long it lasts is not
    known, and waiting until that moment comes again could be a wait of days.
    """
    waited = abs(now - incident.since)
    if incident.state is State.OPEN and waited > UNTAKEN_AFTER:
        return _move(incident, Signal.TRIED_AGAIN, "no heal run has taken it; asking again")
    if incident.state is State.HEALING and waited > HEAL_LOST_AFTER:
        return _move(
            incident,
            Signal.HEAL_LOST,
            f"no word of the heal run for {waited.total_seconds():.0f} s",
        )
    if incident.state is State.ESCALATED and waited > TRY_AGAIN_AFTER:
        return _move(incident, Signal.TRIED_AGAIN, "still failing; trying again")
    if incident.state is State.HEALED and incident.unserved_at is not None:
        held = incident.unserved_at - incident.since
        if held > _holds(incident.heals):
            return _move(
                incident,
                Signal.ROUTE_FAILED,
                f"a reader had no answer {held.total_seconds():.0f} s after the heal",
            )
    return None


def _holds(heals: int) -> timedelta:
    """For how long a route is trusted whatever readers meet, by how often it was healed."""
    doublings = min(max(0, heals - 1), 10)
    return min(ROUTE_HOLDS_AT_LEAST * 2.0**doublings, ROUTE_HOLDS_AT_MOST)


def _move(incident: KnownIncident, signal: Signal, note: str) -> Move:
    return Move(
        incident_id=incident.id,
        from_state=incident.state,
        to_state=next_state(incident.state, signal),
        signal=signal,
        asks_heal=signal in ASKS_HEAL,
        note=note,
        heal_since=incident.since if signal is Signal.HEAL_LOST else None,
    )
