"""A second opinion that a person asks for, on an incident by all that is stored of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.control.consultation import Asked, Shared
from healing_pipeline.control.consulting import begin
from healing_pipeline.control.heal_run import Taken
from healing_pipeline.healing.answer import Tried
from healing_pipeline.incidents.cause import Place, PlaceKind, RootCause, root_cause_of
from healing_pipeline.incidents.detection import severity_of
from healing_pipeline.incidents.diagnosis import Diagnosis
from healing_pipeline.probing.response import Verdict
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.joint_stories import JointStory
from healing_pipeline.storage.second_opinions import HeldBack


def ask_about_story(
    database: Database,
    catalog: Catalog,
    story: JointStory,
    *,
    now: datetime,
    environ: Mapping[str, str],
) -> Asked | HeldBack:
    """Ask about a joint incident; the answer is shown and scored, and nothing follows from it."""
    row = story.joint.row
    if row.endpoint not in catalog.endpoints:
        return HeldBack(f"the configuration has no endpoint {row.endpoint} any more")
    latest = story.diagnoses[0] if story.diagnoses else None
    alone = root_cause_of(Verdict(row.failure_class, row.evidence))
    diagnosis = Diagnosis(
        endpoint=row.endpoint,
        failure_class=row.failure_class,
        evidence=row.evidence,
        root_cause=alone if latest is None else RootCause(latest.root_cause),
        severity=severity_of(row.failure_class) if latest is None else latest.severity,
        plan=tuple(story.plan),
        # A stored place is a text: it is called by its name.
        place=Place(
            PlaceKind.ENDPOINT, row.source, row.endpoint if latest is None else latest.place
        ),
        scope=(row.endpoint,) if latest is None else tuple(latest.scope),
        chain=() if latest is None else tuple(latest.chain),
    )
    taken = Taken(
        incident_id=row.id,
        endpoint=row.endpoint,
        source=row.source,
        failure_class=row.failure_class,
        evidence=row.evidence,
        began_at=row.began_at,
        detected_at=row.detected_at,
    )
    tried = [
        Tried(each.strategy, f"healed {each.healed} of {each.tries} times", each.evidence)
        for each in story.tried
    ]
    asked = begin(
        database,
        catalog,
        taken,
        diagnosis,
        because="on demand",
        now=now,
        environ=environ,
        tried=tried,
        always=True,
    )
    assert not isinstance(asked, Shared), "who may always ask shares with nobody"
    return asked
