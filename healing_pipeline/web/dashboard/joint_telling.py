"""A joint incident as a page tells it: the way to its verdict, whom it concerns, its members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from healing_pipeline.incidents.cause import Link
from healing_pipeline.storage.joint_stories import JointStory
from healing_pipeline.web.dashboard.incident_telling import Shown, incident_told
from healing_pipeline.web.dashboard.striking import Striking

# Of an outage of everything, as many as a page is read with.
SHOWN = 60


@dataclass(frozen=True, slots=True)
class ShownJoint:
    """A joint incident as a page shows it; texts without a key.

    Attributes
    ----------
    told : Shown
        All of it: the worst state, from the first begin to the last recovery.
    members : sequence of Shown
        Its incidents, the parent first, as many as a page shows.
    chain : sequence of Link
        From the evidence to the newest verdict; empty before the first.
    diagnosed_at : datetime or None
    scope : int
        Endpoints that share the cause.
    quiet : sequence of str
        Those of them that no incident was begun for.
    """

    id: int
    told: Shown
    count: int
    open_members: int
    members: Sequence[Shown]
    chain: Sequence[Link]
    diagnosed_at: datetime | None
    scope: int
    quiet: Sequence[str]


def joint_told(story: JointStory, now: datetime, striking: Striking) -> ShownJoint:
    """A joint incident with its newest verdict."""
    newest = story.diagnoses[0] if story.diagnoses else None
    failing = {each.endpoint for each in story.members}
    scope = tuple(failing) if newest is None else newest.scope
    return ShownJoint(
        id=story.joint.row.id,
        told=incident_told(story.joint.row, now, striking),
        count=story.joint.members,
        open_members=story.joint.open_members,
        members=[incident_told(each, now, striking) for each in story.members[:SHOWN]],
        chain=[]
        if newest is None
        else [
            Link(*(striking.text(part) for part in (each.question, each.found, each.follows)))
            for each in newest.chain
        ],
        diagnosed_at=None if newest is None else newest.at,
        scope=len(scope),
        quiet=[each for each in scope if each not in failing][:SHOWN],
    )
