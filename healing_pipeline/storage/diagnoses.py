"""What a diagnosis rests on, as it is read; and every verdict, as it was reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from healing_pipeline.incidents.cause import Link
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.evidence import Failing, Seen
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage.statements import load_statements
from healing_pipeline.storage.text import json_value, storable

_SQL = load_statements("diagnoses")


@dataclass(frozen=True, slots=True)
class Known:
    """An open incident, and what was said of it so far.

    Attributes
    ----------
    parent_id : int or None
        None: it stands alone, or is a parent itself.
    """

    failing: Failing
    severity: Severity
    root_cause: str | None
    place: str | None
    parent_id: int | None

    @property
    def joint_id(self) -> int:
        """The number of the joint incident that it belongs to."""
        return self.failing.incident_id if self.parent_id is None else self.parent_id


@dataclass(frozen=True, slots=True)
class Joined:
    """What is to be said of an incident from now on."""

    incident_id: int
    parent_id: int | None
    root_cause: str
    place: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class DiagnosisRow:
    """One verdict on a joint incident.

    Attributes
    ----------
    incident_id : int
        Its parent, as it was then.
    scope : tuple of str
        Endpoints that share the cause, those included that nobody has asked yet.
    members : tuple of int
        The incidents that it explained.
    chain : tuple of Link
        The way from the evidence to it.
    rested_on : Mapping
        How much was seen of whom, from when on.
    """

    incident_id: int
    at: datetime
    root_cause: str
    place: str
    scope: tuple[str, ...]
    members: tuple[int, ...]
    severity: Severity
    chain: tuple[Link, ...]
    rested_on: Mapping[str, Any]

    def says_the_same(self, other: DiagnosisRow) -> bool:
        """Whether another one names the same cause, place, scope and severity."""
        return (self.root_cause, self.place, self.scope, self.severity) == (
            other.root_cause,
            other.place,
            other.scope,
            other.severity,
        )


def take_diagnosis_turn(connection: Connection[Any]) -> bool:
    """Let nobody else write verdicts until the transaction ends; False when somebody does."""
    return bool(_SQL.diagnosis_turn(connection))


def failing(connection: Connection[Any], sources: Sequence[str] | None = None) -> list[Known]:
    """Open incidents, the first detected first; of some sources, or of all."""
    rows = _SQL.failing(connection, sources=None if sources is None else list(sources))
    return [
        Known(
            failing=Failing(
                incident_id=row["id"],
                endpoint=row["endpoint"],
                source=row["source"],
                failure_class=FailureClass(row["failure_class"]),
                evidence=row["evidence"],
                began_at=row["began_at"],
                detected_at=row["detected_at"],
            ),
            severity=Severity(row["severity"]),
            root_cause=row["root_cause"],
            place=row["place"],
            parent_id=row["parent_id"],
        )
        for row in rows
    ]


def seen_lately(
    connection: Connection[Any],
    endpoints: Sequence[str],
    *,
    since: datetime,
    until: datetime,
    most: int,
) -> list[Seen]:
    """What was seen of endpoints in [since, until).

    Parameters
    ----------
    most : int
        Probes of each endpoint, and as many calls for it, the newest ones.
    """
    rows = _SQL.seen_lately(
        connection, endpoints=list(endpoints), since=since, until=until, most=most
    )
    return [Seen(**{**row, "failure_class": FailureClass(row["failure_class"])}) for row in rows]


def join_incidents(connection: Connection[Any], joined: Iterable[Joined]) -> frozenset[int]:
    """Say of open incidents what they belong to; those of which it could be said.

    One that somebody else has in hand, or that is over, is left as it is.
    """
    wanted = {each.incident_id: each for each in joined}
    if not wanted:
        return frozenset()
    free = {row["id"] for row in _SQL.free_incidents(connection, ids=list(wanted))}
    now = [each for number, each in wanted.items() if number in free]
    if now:
        _SQL.join_incidents(
            connection,
            ids=[each.incident_id for each in now],
            parents=[each.parent_id for each in now],
            root_causes=[each.root_cause for each in now],
            places=[storable(each.place) for each in now],
            severities=[str(each.severity) for each in now],
        )
    members = [each for each in now if each.parent_id is not None]
    if members:
        _SQL.adopt_members(
            connection,
            olds=[each.incident_id for each in members],
            news=[each.parent_id for each in members],
        )
    return frozenset(free)


def add_diagnoses(connection: Connection[Any], diagnoses: Iterable[DiagnosisRow]) -> None:
    """Append verdicts."""
    rows = [
        {
            "incident_id": each.incident_id,
            "at": each.at,
            "root_cause": each.root_cause,
            "place": storable(each.place),
            "scope": list(each.scope),
            "members": list(each.members),
            "severity": str(each.severity),
            "chain": Jsonb(
                json_value(
                    [
                        {"question": one.question, "found": one.found, "follows": one.follows}
                        for one in each.chain
                    ]
                )
            ),
            "rested_on": Jsonb(json_value(each.rested_on)),
        }
        for each in diagnoses
    ]
    if rows:
        _SQL.add_diagnosis(connection, rows)


def latest_diagnoses(
    connection: Connection[Any], incident_ids: Iterable[int]
) -> dict[int, DiagnosisRow]:
    """The newest verdict on each of some joint incidents; without those that have none."""
    rows = _SQL.latest_diagnoses(connection, incident_ids=list(incident_ids))
    return {row["incident_id"]: _verdict(row) for row in rows}


def diagnoses_of(
    connection: Connection[Any], incident_ids: Iterable[int], limit: int = 50
) -> list[DiagnosisRow]:
    """The verdicts on some incidents, the newest first."""
    rows = _SQL.diagnoses_of(connection, incident_ids=list(incident_ids), limit=limit)
    return [_verdict(row) for row in rows]


def _verdict(row: Mapping[str, Any]) -> DiagnosisRow:
    return DiagnosisRow(
        incident_id=row["incident_id"],
        at=row["at"],
        root_cause=row["root_cause"],
        place=row["place"],
        scope=tuple(row["scope"]),
        members=tuple(row["members"]),
        severity=Severity(row["severity"]),
        chain=tuple(Link(**each) for each in row["chain"]),
        rested_on=row["rested_on"],
    )
