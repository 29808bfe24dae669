"""What is read back of incidents, as frozen values; times are aware UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.probing.failure_class import FailureClass


@dataclass(frozen=True, slots=True)
class NewIncident:
    """An incident to begin, and its first event.

    Attributes
    ----------
    began_at : datetime
        Of the first bad observation; `at`, when it was detected, if that is earlier.
    """

    endpoint: str
    source: str
    failure_class: str
    evidence: str
    severity: str
    detected_by: str
    began_at: datetime
    at: datetime
    signal: str
    to_state: str
    asks_heal: bool
    note: str


@dataclass(frozen=True, slots=True)
class OpenedIncident:
    """A new incident and the event that began it."""

    incident_id: int
    event_id: int


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident as it stands.

    Attributes
    ----------
    state_since : datetime
        When it came into its state.
    healing_since : datetime or None
        When the latest heal began.
    healed_at : datetime or None
        When readers were served again, the first time.
    heals : int
        How often it was healed; more than once when a route failed.
    place : str or None
        Where its root cause sits.
    parent_id : int or None
        The incident that it is a member of; None: it stands alone, or is a parent itself.
    """

    id: int
    endpoint: str
    source: str
    state: State
    state_since: datetime
    failure_class: FailureClass
    evidence: str
    severity: Severity
    root_cause: str | None
    detected_by: str
    began_at: datetime
    detected_at: datetime
    healing_since: datetime | None
    healed_at: datetime | None
    resolved_at: datetime | None
    strategy: str | None
    fidelity: Fidelity | None
    heals: int
    place: str | None = None
    parent_id: int | None = None

    @property
    def joint_id(self) -> int:
        """The number of the joint incident that it belongs to."""
        return self.id if self.parent_id is None else self.parent_id


@dataclass(frozen=True, slots=True)
class JointIncident:
    """One root cause over one endpoint or many: what people count as an incident.

    Attributes
    ----------
    row : IncidentRow
        The parent, in the state of the worst of all, begun with the first, resolved with the last.
    members : int
        Incidents of endpoints, the parent included.
    open_members : int
        Of them, those that are not resolved.
    sources : tuple of str
        More than one where it was our own network.
    """

    row: IncidentRow
    members: int
    open_members: int
    sources: tuple[str, ...]

    @property
    def others(self) -> int:
        """Members besides the parent."""
        return self.members - 1


@dataclass(frozen=True, slots=True)
class IncidentEventRow:
    """One step of an incident; `from_state` is None for the one that began it."""

    id: int
    incident_id: int
    at: datetime
    signal: str
    from_state: State | None
    to_state: State
    note: str
    detail: Mapping[str, object]
    asks_heal: bool


@dataclass(frozen=True, slots=True)
class HealRequestRow:
    """An event that asks for a heal run; `event_id` names the run, so that it is started once."""

    event_id: int
    at: datetime
    signal: str
    incident_id: int
    endpoint: str
    source: str
    failure_class: FailureClass
    evidence: str
    severity: Severity
