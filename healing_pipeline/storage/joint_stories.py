"""All that is stored of one joint incident: what it is, why that is believed, what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from healing_pipeline.incidents.diagnosis import PlannedStep
from healing_pipeline.storage.diagnoses import DiagnosisRow, diagnoses_of
from healing_pipeline.storage.incident_rows import IncidentRow, JointIncident
from healing_pipeline.storage.joint_incidents import joint_incident_of, members_of
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("joint_incidents")


@dataclass(frozen=True, slots=True)
class TriedStrategy:
    """What heal runs made of one strategy.

    Attributes
    ----------
    endpoints : int
        For so many of the members.
    failure_class, evidence
        Of the newest use.
    fidelity : str or None
        Of the newest that healed.
    """

    strategy: str
    tries: int
    healed: int
    endpoints: int
    upstream_calls: int
    failure_class: str
    fidelity: str | None
    evidence: str


@dataclass(frozen=True, slots=True)
class JointStory:
    """What is stored of one joint incident.

    Attributes
    ----------
    members : sequence of IncidentRow
        The parent first.
    diagnoses : sequence of DiagnosisRow
        The verdicts on it, the newest first.
    plan : sequence of PlannedStep
        Of the newest heal; empty before the first has ended.
    tried : sequence of TriedStrategy
        In the order in which each was first tried.
    """

    joint: JointIncident
    members: Sequence[IncidentRow]
    diagnoses: Sequence[DiagnosisRow]
    plan: Sequence[PlannedStep]
    tried: Sequence[TriedStrategy]


def joint_story(connection: Connection[Any], incident_id: int) -> JointStory | None:
    """What is stored of the joint incident that an incident belongs to; None for no incident."""
    joint = joint_incident_of(connection, incident_id)
    if joint is None:
        return None
    plan = _SQL.plan_for(connection, joint_id=joint.row.id) or ()
    return JointStory(
        joint=joint,
        members=members_of(connection, joint.row.id),
        diagnoses=diagnoses_of(connection, [joint.row.id]),
        plan=[PlannedStep(each["strategy"], each["taken"], each["because"]) for each in plan],
        tried=[TriedStrategy(**row) for row in _SQL.tried_for(connection, joint_id=joint.row.id)],
    )
