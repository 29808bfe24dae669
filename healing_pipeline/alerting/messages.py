"""When a message about an alert group is due, and why, or why not. Pure.

At most one when it fires, one for each rise, one when it is over, and reminders between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from healing_pipeline.alerting.settings import PEOPLE_ARE_TOLD, AlertSettings
from healing_pipeline.incidents.detection import Severity

LEVELS = tuple(Severity)


class Kind(StrEnum):
    """What a message says of its group. An advisory and a test have none."""

    FIRED = "fired"
    RAISED = "raised"
    REMINDER = "reminder"
    RESOLVED = "resolved"
    ADVISORY = "advisory"
    TEST = "test"


# The messages that call people. The closing one ends what these began.
CALLS = frozenset({Kind.FIRED, Kind.RAISED, Kind.REMINDER})


class GroupState(StrEnum):
    """Where an alert group stands. That it is acknowledged is another matter."""

    FIRING = "firing"
    RECOVERED = "recovered"
    RESOLVED = "resolved"


class Change(StrEnum):
    """What moves an alert group on."""

    FIRES = "fires"
    RECOVERS = "recovers"
    STAYED_WELL = "stayed_well"


# What fires again before it was closed goes on silently; after that it is a new group.
TRANSITIONS: dict[GroupState, dict[Change, GroupState]] = {
    GroupState.FIRING: {
        Change.FIRES: GroupState.FIRING,
        Change.RECOVERS: GroupState.RECOVERED,
    },
    GroupState.RECOVERED: {
        Change.FIRES: GroupState.FIRING,
        Change.RECOVERS: GroupState.RECOVERED,
        Change.STAYED_WELL: GroupState.RESOLVED,
    },
    GroupState.RESOLVED: {},
}


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert group, as far as its messages depend on it."""

    state: GroupState
    level: Severity
    is_acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """A message that was saved already."""

    kind: Kind
    level: Severity
    at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """The message that is due, or None; and because of what."""

    kind: Kind | None
    because: str


def rank(level: Severity) -> int:
    """How bad a level is: more is worse."""
    return LEVELS.index(level)


def state_of(recovered_at: datetime | None, resolved_at: datetime | None) -> GroupState:
    """Where a group with these moments stands."""
    if resolved_at is not None:
        return GroupState.RESOLVED
    return GroupState.FIRING if recovered_at is None else GroupState.RECOVERED


def after(state: GroupState, change: Change) -> GroupState:
    """Where `change` leads a group that stands at `state`; nowhere, where the table has no move."""
    return TRANSITIONS[state].get(change, state)


def due_at_once(group: Standing, said: Sequence[Said], muted: str | None) -> Decision:
    """Whether people are called now: because it fires, or because it got worse.

    Parameters
    ----------
    said : sequence of Said
        All messages about the group.
    muted : str or None
        Why people are not to be told, see `muting.muted_because`.

    Notes
    -----
    Neither an interval nor an acknowledgement keeps a rise back. What a mute keeps back is due when
    it ends, if the group still fires then.
    """
    if group.state is not GroupState.FIRING:
        return Decision(None, f"it has {group.state}")
    if group.level is Severity.INFO:
        return Decision(None, "an info is logged, and nobody is told")
    if muted is not None:
        return Decision(None, f"muted: {muted}")
    calls = [each for each in said if each.kind in CALLS]
    if not calls:
        return Decision(Kind.FIRED, "it fires and nobody was told yet")
    highest = max((each.level for each in calls), key=rank)
    if rank(group.level) > rank(highest):
        return Decision(Kind.RAISED, f"it rose from {highest} to {group.level}")
    return Decision(None, f"told at {max(each.at for each in calls):%Y-%m-%d %H:%M:%S} UTC")


def message_due(
    group: Standing,
    said: Sequence[Said],
    *,
    muted: str | None,
    settings: AlertSettings,
    now: datetime,
) -> Decision:
    """The message about a group that is due at `now`; see `due_at_once` for those that never wait.

    Notes
    -----
    The closing message passes every mute: it calls nobody, and ends what people were told. Nobody
    is told that something is over of which nobody was told.
    """
    calls = [each for each in said if each.kind in CALLS]
    if group.state is GroupState.RESOLVED:
        return _closing(calls, said, settings)
    decision = due_at_once(group, said, muted)
    if decision.kind is not None or group.state is not GroupState.FIRING or muted is not None:
        return decision
    if group.level not in PEOPLE_ARE_TOLD:
        return Decision(None, f"{decision.because}; a {group.level} is not repeated")
    if group.is_acknowledged:
        return Decision(None, f"{decision.because}; acknowledged, so it is not repeated")
    interval = settings.minimum_reminder_interval
    if interval is None:
        return Decision(None, f"{decision.because}; reminders are off")
    next_at = max(each.at for each in calls) + max(interval, SHORTEST_REMINDER)
    if now < next_at:
        return Decision(None, f"{decision.because}; again at {next_at:%Y-%m-%d %H:%M} UTC")
    return Decision(Kind.REMINDER, f"it still fires, {interval} after the last message")


# One message of a level about a group in an hour, whatever the settings say.
SHORTEST_REMINDER = timedelta(hours=1)


def _closing(calls: Sequence[Said], said: Sequence[Said], settings: AlertSettings) -> Decision:
    if any(each.kind is Kind.RESOLVED for each in said):
        return Decision(None, "that it is over was said")
    if not calls:
        return Decision(None, "it is over, and nobody was told that it had begun")
    if not settings.send_on_resolved:
        return Decision(None, "it is over; `send-on-resolved` is off")
    return Decision(Kind.RESOLVED, "it is over")
