"""From the evidence of all that fails to its causes. Pure and deterministic."""

from __future__ import annotations

from healing_pipeline.incidents.cause import Cause, Link, Place, PlaceKind, root_cause_of
from healing_pipeline.incidents.detection import severity_of
from healing_pipeline.incidents.evidence import Evidence, Failing
from healing_pipeline.probing.response import Verdict


def find_causes(evidence: Evidence) -> tuple[Cause, ...]:
    """Find what is broken: every open incident is in exactly one cause.

    Returns
    -------
    tuple of Cause
        In the order in which their first members were detected.
    """
    ordered = sorted(evidence.failing, key=lambda each: (each.detected_at, each.incident_id))
    return tuple(_by_itself(each) for each in ordered)


def _by_itself(failing: Failing) -> Cause:
    root_cause = root_cause_of(Verdict(failing.failure_class, failing.evidence))
    place = Place(PlaceKind.ENDPOINT, failing.source, failing.endpoint)
    return Cause(
        root_cause=root_cause,
        place=place,
        scope=(failing.endpoint,),
        members=(failing.incident_id,),
        severity=severity_of(failing.failure_class),
        chain=(Link("What did the endpoint say?", failing.evidence, f"{root_cause}, at {place}"),),
    )
