"""The live account: a line for every move of an incident, as PostgreSQL tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.incidents.lifecycle import Signal
from healing_pipeline.storage.database import Notice
from healing_pipeline.storage.incidents import incident_by_id, incident_events

# What a person wants to see go by; a heal run that starts is no news.
NEWS = frozenset(
    {
        Signal.CONFIRMED,
        Signal.HEAL_SUCCEEDED,
        Signal.HEAL_FAILED,
        Signal.HEAL_LOST,
        Signal.RECOVERED,
    }
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the account.

    Attributes
    ----------
    seconds : float
        Since the incident was detected.
    """

    at: datetime
    signal: Signal
    endpoint: str
    failure_class: str
    strategy: str
    fidelity: str
    seconds: float
    note: str

    @property
    def text(self) -> str:
        """The line as it is printed."""
        what = {
            Signal.CONFIRMED: "failing",
            Signal.HEAL_SUCCEEDED: "healed",
            Signal.HEAL_FAILED: "NOT HEALED",
            Signal.HEAL_LOST: "heal lost",
            Signal.RECOVERED: "recovered",
        }[self.signal]
        return (
            f"{self.at:%H:%M:%S}  {what:<10}  {self.endpoint:<34}  {self.failure_class:<15}  "
            f"{self.strategy:<26}  {self.fidelity:<8}  {self.seconds:6.2f} s"
        )


HEADER = (
    f"{'UTC':<8}  {'what':<10}  {'endpoint':<34}  {'failure class':<15}  {'strategy':<26}  "
    f"{'fidelity':<8}  seconds"
)


def line_for(connection: Connection[Any], notice: Notice) -> Line | None:
    """The line for one notice; None when it is no news."""
    told = notice.told
    number = told.get("incident_id")
    if not isinstance(number, int) or not 0 < number < 2**63 or str(told.get("signal")) not in NEWS:
        return None
    incident = incident_by_id(connection, number)
    event = next(
        (each for each in incident_events(connection, number) if each.id == told.get("event_id")),
        None,
    )
    if incident is None or event is None:
        return None
    return Line(
        at=event.at,
        signal=Signal(event.signal),
        endpoint=incident.endpoint,
        failure_class=incident.failure_class,
        strategy=incident.strategy or "-",
        fidelity=incident.fidelity or "-",
        seconds=(event.at - incident.detected_at).total_seconds(),
        note=event.note,
    )
