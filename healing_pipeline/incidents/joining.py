"""Which incident is the parent of those that share a cause. Pure.

A joint incident keeps its number while its cause is looked at again and again: members come and go,
and its parent may be over before they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from healing_pipeline.incidents.cause import Cause


@dataclass(frozen=True, slots=True)
class Belonging:
    """What is known of an open incident: where it belongs so far, and because of what.

    Attributes
    ----------
    joint_id : int
        Number of its joint incident: its parent's, or its own.
    root_cause, place : str or None
        As they were said of it last.
    """

    incident_id: int
    joint_id: int
    root_cause: str | None = None
    place: str | None = None


def joint_ids(causes: Iterable[Cause], known: Mapping[int, Belonging]) -> dict[int, Cause]:
    """Number the joint incidents: for each its cause.

    Parameters
    ----------
    causes : iterable of Cause
        Every open incident is a member of exactly one.
    known : Mapping
        Open incidents by id.

    Notes
    -----
    Of several joint incidents that turn out to have one cause, the first stays. Of one that turns
    out to have several, the cause with its parent keeps the number. Where the parent is over, the
    first cause does that still says the same root cause or place: what is left with another one is
    an incident of its own.
    """
    found: dict[int, Cause] = {}
    for cause in sorted(causes, key=lambda each: min(each.members)):
        members = [known[each] for each in cause.members]
        own = min(cause.members)
        numbers = {each.joint_id for each in members if _stays(each, cause, known)}
        # A parent that is open and has another cause keeps its number to itself.
        free = {
            each
            for each in numbers
            if each in cause.members or (each not in known and each not in found)
        }
        found[min({*free, own})] = cause
    return found


def _stays(member: Belonging, cause: Cause, known: Mapping[int, Belonging]) -> bool:
    if member.joint_id == member.incident_id or member.joint_id in known:
        return True
    return member.root_cause == str(cause.root_cause) or member.place == str(cause.place)
