"""What Gatus would have sent of the same probe results, by its default rules. Pure.

Its defaults: `failure-threshold: 3`, `success-threshold: 2`, an alert per endpoint, no reminders.
Only `send-on-resolved` is switched on, as people have it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

FAILURE_THRESHOLD, SUCCESS_THRESHOLD = 3, 2


@dataclass(frozen=True, slots=True)
class Look:
    """One look at an endpoint, and whether it was good."""

    endpoint: str
    at_s: float
    is_good: bool


@dataclass(frozen=True, slots=True)
class Alarm:
    """One message of Gatus's.

    Attributes
    ----------
    since_s : float
        When it was sent.
    until_s : float or None
        Of an alert: when its resolve was sent; None while it fires.
    """

    endpoint: str
    since_s: float
    is_resolved: bool
    until_s: float | None = None


def gatus_rules() -> str:
    """The rules, for whoever reads the numbers."""
    return (
        f"failure-threshold {FAILURE_THRESHOLD}, success-threshold {SUCCESS_THRESHOLD}, "
        "send-on-resolved; per endpoint, on our own probe results as they came (every 5 s, without "
        "our second looks; Gatus's own interval of 60 s would see less)"
    )


def alarms(looks: Iterable[Look]) -> list[Alarm]:
    """What is sent, by endpoint and time."""
    by_endpoint: dict[str, list[Look]] = {}
    for each in sorted(looks, key=lambda each: each.at_s):
        by_endpoint.setdefault(each.endpoint, []).append(each)
    found: list[Alarm] = []
    for endpoint, own in sorted(by_endpoint.items()):
        bad = good = 0
        firing_s: float | None = None
        for look in own:
            bad, good = (0, good + 1) if look.is_good else (bad + 1, 0)
            if firing_s is None and bad >= FAILURE_THRESHOLD:
                firing_s = look.at_s
            elif firing_s is not None and good >= SUCCESS_THRESHOLD:
                found.append(Alarm(endpoint, firing_s, is_resolved=False, until_s=look.at_s))
                found.append(Alarm(endpoint, look.at_s, is_resolved=True))
                firing_s = None
        if firing_s is not None:
            found.append(Alarm(endpoint, firing_s, is_resolved=False))
    return found
