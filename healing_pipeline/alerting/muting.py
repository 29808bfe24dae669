"""What keeps people from being told: silences, maintenance, our own outage. With the reason."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from healing_pipeline.alerting.fingerprints import OWN_NETWORK


@dataclass(frozen=True, slots=True)
class Silence:
    """Somebody knows already, until then.

    Attributes
    ----------
    source : str or None
        None: all.
    endpoint : str or None
        An endpoint's id or name, or a pattern of one with ``*``; None: all.
    """

    id: int
    source: str | None
    endpoint: str | None
    begins_at: datetime
    ends_at: datetime
    reason: str
    made_by: str


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A source told us that it would be away; None: all sources."""

    id: int
    source: str | None
    begins_at: datetime
    ends_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What people would be told of.

    Attributes
    ----------
    fingerprint : str
    source : str or None
    endpoints : tuple of str
        Those that are ill now; empty where it is not a matter of endpoints.
    """

    fingerprint: str
    source: str | None = None
    endpoints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mutes:
    """All that keeps people from being told, as it stands.

    Attributes
    ----------
    silences : collection of Silence
    maintenance : collection of Maintenance
    is_cut_off : bool
        Whether our own connection is down: then nothing else is told of.
    """

    silences: Collection[Silence] = ()
    maintenance: Collection[Maintenance] = ()
    is_cut_off: bool = False


def muted_because(subject: Subject, mutes: Mutes, now: datetime) -> str | None:
    """Why people are not told of `subject` at `now`; None when they are.

    Notes
    -----
    A silence of some endpoints covers a subject when all of its endpoints that are ill are among
    them: one that is not silenced is reason enough to be told.
    """
    if mutes.is_cut_off and subject.fingerprint != OWN_NETWORK:
        return "our own connection is down, which is told of by itself"
    for window in mutes.maintenance:
        if _covers(window.source, window.begins_at, window.ends_at, subject, now):
            return f"maintenance {window.id} until {window.ends_at:%Y-%m-%d %H:%M} UTC: " + (
                window.reason
            )
    for silence in mutes.silences:
        if _covers(silence.source, silence.begins_at, silence.ends_at, subject, now) and (
            _is_about(silence.endpoint, subject.endpoints)
        ):
            return (
                f"silence {silence.id} by {silence.made_by} until "
                f"{silence.ends_at:%Y-%m-%d %H:%M} UTC: {silence.reason}"
            )
    return None


def _covers(
    source: str | None, begins_at: datetime, ends_at: datetime, subject: Subject, now: datetime
) -> bool:
    return source in {None, subject.source} and begins_at <= now < ends_at


def _is_about(pattern: str | None, endpoints: tuple[str, ...]) -> bool:
    if pattern is None:
        return True
    return bool(endpoints) and all(matches(pattern, each) for each in endpoints)


def matches(pattern: str, endpoint: str) -> bool:
    """Whether `pattern`, in which ``*`` stands for anything, is the endpoint's id or its name."""
    name = endpoint.partition("/")[2]
    return _fits(pattern, endpoint) or _fits(pattern, name)


def _fits(pattern: str, text: str) -> bool:
    # By hand and in one pass: a pattern with many stars must not cost seconds.
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    last = rest.pop()
    if len(first) + len(last) > len(text) or not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for each in rest:
        found = text.find(each, at, end)
        if found < 0:
            return False
        at = found + len(each)
    return True
