"""What a diagnosis says: a root cause, where it sits, whom it concerns, and the way to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.own_network import LOST
from healing_pipeline.probing.classification import NO_NAME
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict


class RootCause(StrEnum):
    """Where the fault lies.

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
"""What a failure means while nothing but its class is known."""


class PlaceKind(StrEnum):
    """How large the thing is that broke, the largest first."""

    NETWORK = "network"
    SOURCE = "source"
    HOST = "host"
    KEY = "key"
    PART = "part"
    ENDPOINT = "endpoint"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cause sits.

    Attributes
    ----------
    kind : PlaceKind
    source : str or None
        None for our own network.
    name : str
        Of the host, the key, the part or the endpoint; the source's own for a whole source.
    """

    kind: PlaceKind
    source: str | None = None
    name: str = ""

    def __str__(self) -> str:
        """The place as a person would call it: ``host query1 of yahoo``."""
        match self.kind:
            case PlaceKind.NETWORK:
                return "our network"
            case PlaceKind.SOURCE | PlaceKind.ENDPOINT:
                return self.name
            case PlaceKind.PART:
                return f"{self.name} of {self.source}"
        return f"{self.kind} {self.name} of {self.source}"


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain from evidence to verdict.

    Attributes
    ----------
    question : str
        What was asked.
    found : str
        What the evidence says, with figures and names.
    follows : str
        What that means.
    """

    question: str
    found: str
    follows: str

    def __str__(self) -> str:
        """The link as one line."""
        return f"{self.question} {self.found}: {self.follows}"


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is broken.

    Attributes
    ----------
    root_cause : RootCause
    place : Place
    scope : tuple of str
        Ids of the endpoints that share it, sorted: those that fail, and those that must be hit
        although nobody has asked them yet.
    members : tuple of int
        Ids of the open incidents that it explains, the first detected first.
    severity : Severity
    chain : tuple of Link
        From the evidence to the verdict; the last link names the verdict.
    """

    root_cause: RootCause
    place: Place
    scope: tuple[str, ...]
    members: tuple[int, ...]
    severity: Severity
    chain: tuple[Link, ...]


def root_cause_of(seen: Verdict, *, own_outage: bool = False) -> RootCause:
    """Where the fault of a failure lies, as far as it tells by itself.

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
