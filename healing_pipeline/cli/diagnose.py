"""`healing diagnose`: what is broken, whom it concerns, and the way to that verdict."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from healing_pipeline.cli.alerts_place import opened
from healing_pipeline.cli.console import err, print_json
from healing_pipeline.cli.diagnose_text import show_all, show_one
from healing_pipeline.cli.second_opinion import ask_now, calls_document
from healing_pipeline.control.diagnosing import Diagnosed, causes_now, groups_of
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.incidents.evidence import standings
from healing_pipeline.storage.diagnoses import DiagnosisRow, latest_diagnoses
from healing_pipeline.storage.incident_rows import IncidentRow, JointIncident
from healing_pipeline.storage.joint_incidents import joint_incidents, open_joint_incidents
from healing_pipeline.storage.joint_stories import JointStory, joint_story
from healing_pipeline.storage.shared_memory import policy_in_force

# What PostgreSQL can number.
LARGEST = 2**63 - 1
NEAR = 5


def diagnose(config: Path, incident_id: int | None, *, as_json: bool, ask: bool = False) -> int:
    """Print one incident, or all that fails now; 0 when that could be read.

    With `ask` the configured model is asked about it before; 1 when it gave no advice.
    """
    told = _asked(config, incident_id) if ask else None
    with opened(config) as (catalog, connection, now):
        groups = groups_of(policy_in_force(connection))
        live = causes_now(connection, standings(catalog), now, groups=groups)
        if incident_id is None:
            document: Any = _all(connection, live)
        else:
            document = _one(_story(connection, incident_id), incident_id, live, now)
            document["second_opinion"] = calls_document(connection, document["incident"])
    if as_json:
        print_json(document)
    elif incident_id is None:
        show_all(document, now)
    else:
        show_one(document)
    if told is not None:
        err.print(f"No second opinion: {told}.", markup=False)
        return 1
    return 0


def _asked(config: Path, incident_id: int | None) -> str | None:
    if incident_id is None:
        raise ConfigurationError(
            "Nobody can be asked about all that fails at once.",
            "Name an incident: `healing diagnose 7 --ask`.",
        )
    return ask_now(config, incident_id)


def _all(connection: Any, live: Diagnosed) -> list[dict[str, Any]]:
    """What fails now, a line for each joint incident."""
    found = open_joint_incidents(connection)
    latest = latest_diagnoses(connection, [each.row.id for each in found])
    return [_joint(each, _verdict(latest.get(each.row.id), each.row.id, live)) for each in found]


def _story(connection: Any, incident_id: int) -> JointStory:
    story = joint_story(connection, incident_id) if 0 < incident_id <= LARGEST else None
    if story is not None:
        return story
    near = [
        f"{each.row.id} ({each.row.endpoint}, {each.row.state})"
        for each in joint_incidents(connection, limit=NEAR)
    ]
    raise ConfigurationError(
        f"There is no incident {incident_id}.",
        f"The newest are {', '.join(near)}." if near else "There was none yet.",
    )


def _one(story: JointStory, asked: int, live: Diagnosed, now: datetime) -> dict[str, Any]:
    number = story.joint.row.id
    stored = story.diagnoses[0] if story.diagnoses else None
    verdict = _verdict(stored, number, live)
    by_endpoint = {each.endpoint: each for each in story.members}
    return {
        "asked": asked,
        **_joint(story.joint, verdict),
        "chain": [] if verdict is None else verdict["chain"],
        "chain_at": None if verdict is None else (verdict["at"] or now),
        "rested_on": None if stored is None else dict(stored.rested_on),
        "scope": [
            {"endpoint": each, "incident": by_endpoint[each].id if each in by_endpoint else None}
            for each in (() if verdict is None else verdict["scope"])
        ],
        "incidents": [_member(each) for each in story.members],
        "plan": [asdict(each) for each in story.plan],
        "tried": [asdict(each) for each in story.tried],
        "second_opinion": [],
        "verdicts": [_said(each) for each in story.diagnoses],
    }


def _verdict(stored: DiagnosisRow | None, number: int, live: Diagnosed) -> dict[str, Any] | None:
    """The verdict of this moment; the stored one where nothing was seen lately that it rests on."""
    fresh = {each.source for each in live.evidence.seen}
    for cause in live.causes:
        if live.joint_ids[cause.members[0]] == number and (
            cause.place.source in fresh or (cause.place.source is None and fresh)
        ):
            return {
                "at": None,
                "root_cause": str(cause.root_cause),
                "place": str(cause.place),
                "severity": str(cause.severity),
                "scope": cause.scope,
                "chain": [asdict(each) for each in cause.chain],
            }
    if stored is None:
        return None
    return {
        "at": stored.at,
        "root_cause": stored.root_cause,
        "place": stored.place,
        "severity": str(stored.severity),
        "scope": stored.scope,
        "chain": [asdict(each) for each in stored.chain],
    }


def _joint(joint: JointIncident, verdict: dict[str, Any] | None) -> dict[str, Any]:
    row = joint.row
    said = verdict or {"root_cause": row.root_cause, "place": row.place, "severity": row.severity}
    return {
        "incident": row.id,
        "state": str(row.state),
        "root_cause": said["root_cause"],
        "place": said["place"],
        "severity": str(said["severity"]),
        "sources": list(joint.sources),
        "first_endpoint": row.endpoint,
        "failure_class": str(row.failure_class),
        "members": joint.members,
        "open_members": joint.open_members,
        "concerns": joint.members if verdict is None else len(verdict["scope"]),
        "began_at": row.began_at,
        "detected_at": row.detected_at,
        "healed_at": row.healed_at,
        "resolved_at": row.resolved_at,
    }


def _member(row: IncidentRow) -> dict[str, Any]:
    return {
        "incident": row.id,
        "endpoint": row.endpoint,
        "state": str(row.state),
        "failure_class": str(row.failure_class),
        "evidence": row.evidence,
        "began_at": row.began_at,
        "healed_at": row.healed_at,
        "resolved_at": row.resolved_at,
        "strategy": row.strategy,
        "fidelity": row.fidelity,
    }


def _said(row: DiagnosisRow) -> dict[str, Any]:
    return {
        "at": row.at,
        "root_cause": row.root_cause,
        "place": row.place,
        "severity": str(row.severity),
        "concerns": len(row.scope),
        "members": list(row.members),
        "chain": [asdict(each) for each in row.chain],
    }
