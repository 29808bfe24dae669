"""From evidence to a diagnosis: what is broken, how bad it is, what will be tried and why.

One incident is looked at by itself here; what several have in common is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from healing_pipeline.healing.plan import Plan
from healing_pipeline.incidents.detection import Severity, severity_of
from healing_pipeline.incidents.own_network import LOST
from healing_pipeline.probing.classification import NO_NAME
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict


class RootCause(StrEnum):
    """Where the fault lies, as far as one endpoint's evidence tells.

    `NAME` is a host whose name does not resolve: a matter of DNS, the provider may be well.
    """

    OUR_NETWORK = "our network"
    NAME = "name does not resolve"
    PROVIDER_DOWN = "provider down"
    HOST_DOWN = "host down"
    KEY = "key"
    QUOTA = "quota"
    PLAN = "plan"
    REQUEST = "request"
    DATA = "data"


ROOT_CAUSES: dict[FailureClass, RootCause] = {
    FailureClass.TIMEOUT: RootCause.HOST_DOWN,
    FailureClass.SLOW: RootCause.HOST_DOWN,
    FailureClass.NETWORK_ERROR: RootCause.HOST_DOWN,
    FailureClass.SERVER_ERROR: RootCause.PROVIDER_DOWN,
    FailureClass.RATE_LIMIT: RootCause.QUOTA,
    FailureClass.QUOTA_EXHAUSTED: RootCause.QUOTA,
    FailureClass.BOT_BLOCK: RootCause.HOST_DOWN,
    FailureClass.AUTH_ERROR: RootCause.KEY,
    FailureClass.PLAN_LIMIT: RootCause.PLAN,
    FailureClass.NOT_FOUND: RootCause.REQUEST,
    FailureClass.BAD_REQUEST: RootCause.REQUEST,
    FailureClass.INVALID_DATA: RootCause.DATA,
    FailureClass.EMPTY: RootCause.DATA,
    FailureClass.STALE_DATA: RootCause.DATA,
}


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
    plan : tuple of PlannedStep
        Those taken first, in the order of trying.
    """

    endpoint: str
    failure_class: FailureClass
    evidence: str
    root_cause: RootCause
    severity: Severity
    plan: tuple[PlannedStep, ...]


def root_cause_of(seen: Verdict, *, own_outage: bool = False) -> RootCause:
    """Where the fault of a failure lies.

    Parameters
    ----------
    seen : Verdict
        A failure.
    own_outage : bool
        Whether our own connection is down: then no lost call says anything of the provider.
    """
    if own_outage and seen.failure_class in LOST:
        return RootCause.OUR_NETWORK
    if seen.failure_class is FailureClass.NETWORK_ERROR and seen.evidence.startswith(NO_NAME):
        return RootCause.NAME
    return ROOT_CAUSES[seen.failure_class]


def diagnose(endpoint_id: str, seen: Verdict, plan: Plan, *, own_outage: bool = False) -> Diagnosis:
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
    """
    return Diagnosis(
        endpoint=endpoint_id,
        failure_class=seen.failure_class,
        evidence=seen.evidence,
        root_cause=root_cause_of(seen, own_outage=own_outage),
        severity=severity_of(seen.failure_class),
        plan=tuple(
            PlannedStep(each.strategy.name, each.applicability.ok, each.applicability.because)
            for each in (*plan.steps, *plan.left_out)
        ),
    )
