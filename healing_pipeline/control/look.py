"""What one look at a source weighs and yields: readers' evidence, probe budgets, heal requests."""

from __future__ import annotations

from dataclasses import dataclass

from healing_pipeline.catalog.values import Quota
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict
from healing_pipeline.storage.observations import ReaderEvidence


@dataclass(frozen=True, slots=True)
class HealRequest:
    """An incident event that asks for a heal run; the event's id is what makes asking safe."""

    event_id: int
    incident_id: int
    endpoint: str
    failure_class: FailureClass

    @property
    def run_key(self) -> str:
        """Names the event: an incident that opens again may ask again."""
        return f"incident_event:{self.event_id}"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a source did.

    Attributes
    ----------
    probed : int
        Endpoints asked at least once.
    skipped : int
        Due, but their key's share for probes was spent.
    bad : int
        Endpoints whose last answer was a failure.
    requests : tuple of HealRequest
        What is to be healed now, older requests that nobody took included.
    lags_s : tuple of float
        Of the scheduled probes that were sent: how late each was.
    own_outage : bool
        Whether our own connection is down, so that nothing is probed and nobody is blamed.
    """

    probed: int
    skipped: int
    bad: int
    requests: tuple[HealRequest, ...]
    lags_s: tuple[float, ...] = ()
    own_outage: bool = False


def probe_limits(quota: Quota, share: float) -> dict[str, int]:
    """The part of a key's quota that probes may spend, by window; at least one call of each.

    Returns
    -------
    dict
        ``minute``, ``day``, ``month`` to calls; only windows the quota names.
    """
    windows = {"minute": quota.per_minute, "day": quota.per_day, "month": quota.per_month}
    return {
        name: max(1, int(calls * share)) for name, calls in windows.items() if calls is not None
    }


def verdict_of(heard: ReaderEvidence | None, *, has_incident: bool) -> Verdict | None:
    """What readers' requests say that is not known yet; None when that is nothing.

    Parameters
    ----------
    has_incident : bool
        With one, only good data is news; without one, only failures that nothing good followed.
    """
    if heard is None:
        return None
    if has_incident and heard.good_since >= 1:
        evidence = f"good data {heard.good_since} times since the last failure"
        return Verdict(FailureClass.OK, evidence)
    if not has_incident and heard.failures > 0 and heard.good_since == 0:
        assert heard.failure_class is not None, "a failure has a class"
        return Verdict(heard.failure_class, heard.evidence or "")
    return None
