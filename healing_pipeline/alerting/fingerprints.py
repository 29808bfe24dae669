"""By what a root cause is known again: one fingerprint, one alert group, however many endpoints."""

from __future__ import annotations

from healing_pipeline.incidents.diagnosis import RootCause

OWN_NETWORK = "own_network"
NOBODY_LOOKS = "nobody_looks"
NOBODY_HEALS = "nobody_heals"

# A source that cannot be reached is one matter, whether its host, its service or its name is gone:
# which of them it is changes from one endpoint's evidence to the next.
FAMILIES: dict[RootCause, str] = {
    RootCause.HOST_DOWN: "unreachable",
    RootCause.PROVIDER_DOWN: "unreachable",
    RootCause.NAME: "unreachable",
    RootCause.KEY: "key",
    RootCause.QUOTA: "quota",
    RootCause.PLAN: "plan",
    RootCause.REQUEST: "request",
    RootCause.DATA: "data",
}

# What is wrong with a source as a whole concerns whoever owns anything of it.
OF_WHOLE_SOURCE = frozenset({"unreachable", "key", "quota"})

_SOURCE = "source:"
_ERRORS = "errors"


def fingerprint_of(source: str, root_cause: RootCause) -> str:
    """The fingerprint of a root cause at a source; our own network is one for all of them."""
    if root_cause is RootCause.OUR_NETWORK:
        return OWN_NETWORK
    return f"{_SOURCE}{source}:{FAMILIES[root_cause]}"


def errors_fingerprint(source: str) -> str:
    """Of readers' errors at a source while nobody knows the cause."""
    return f"{_SOURCE}{source}:{_ERRORS}"


def is_of_source(fingerprint: str) -> bool:
    """Whether it is a source's: then incidents and errors show its end, and nobody tells it."""
    return fingerprint.startswith(_SOURCE)
