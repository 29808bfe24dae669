"""The diagnosis of one incident: its cause, and what will be tried against it and why.

Causes are found from all that fails at once, by `find_causes`. What one failure tells by itself is
what stands until that was done.
"""

from __future__ import annotations

from dataclasses import dataclass

from healing_pipeline.healing.plan import Plan
from healing_pipeline.incidents.cause import (
    ROOT_CAUSES,
    Cause,
    Link,
    Place,
    PlaceKind,
    RootCause,
    root_cause_of,
)
from healing_pipeline.incidents.detection import Severity, severity_of
from healing_pipeline.incidents.finding import find_causes
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict

__all__ = [
    "ROOT_CAUSES",
    "Cause",
    "Diagnosis",
    "Link",
    "Place",
    "PlaceKind",
    "PlannedStep",
    "RootCause",
    "diagnose",
    "find_causes",
    "root_cause_of",
]


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One strategy of the plan, taken or left out, and because of what."""

    strategy: str
    taken: bool
    because: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The verdict on an incident.

    Attributes
    ----------
    place : Place
        Where the cause sits.
    scope : tuple of str
        Ids of the endpoints that share it, this one among them.
    plan : tuple of PlannedStep
        Those taken first, in the order of trying.
    chain : tuple of Link
        From the evidence to the verdict.
    """

    endpoint: str
    failure_class: FailureClass
    evidence: str
    root_cause: RootCause
    severity: Severity
    plan: tuple[PlannedStep, ...]
    place: Place
    scope: tuple[str, ...]
    chain: tuple[Link, ...]


def diagnose(
    endpoint_id: str,
    seen: Verdict,
    plan: Plan,
    *,
    own_outage: bool = False,
    cause: Cause | None = None,
) -> Diagnosis:
    """Name the cause of a failure and the remedies for it.

    Parameters
    ----------
    endpoint_id : str
    seen : Verdict
        A failure; `ok` has no diagnosis.
    plan : Plan
        As `healing.plan.make_plan` made it for this failure.
    own_outage : bool
        Whether our own connection is down.
    cause : Cause, optional
        As `find_causes` found it from everything that fails; without it, the failure speaks for
        itself.
    """
    found = _alone(endpoint_id, seen, own_outage=own_outage) if cause is None else cause
    return Diagnosis(
        endpoint=endpoint_id,
        failure_class=seen.failure_class,
        evidence=seen.evidence,
        root_cause=found.root_cause,
        severity=found.severity,
        plan=tuple(
            PlannedStep(each.strategy.name, each.applicability.ok, each.applicability.because)
            for each in (*plan.steps, *plan.left_out)
        ),
        place=found.place,
        scope=found.scope,
        chain=found.chain,
    )


def _alone(endpoint_id: str, seen: Verdict, *, own_outage: bool) -> Cause:
    """What a failure tells by itself."""
    root_cause = root_cause_of(seen, own_outage=own_outage)
    source = endpoint_id.partition("/")[0]
    ours = root_cause is RootCause.OUR_NETWORK
    place = Place(PlaceKind.NETWORK) if ours else Place(PlaceKind.ENDPOINT, source, endpoint_id)
    return Cause(
        root_cause=root_cause,
        place=place,
        scope=(endpoint_id,),
        members=(),
        severity=severity_of(seen.failure_class),
        chain=(
            Link(
                "What did the failure say by itself?",
                seen.evidence,
                f"{root_cause}, at {place}, while nothing else was looked at",
            ),
        ),
    )
