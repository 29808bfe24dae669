"""A drill as far as its alerts go: what was told, and what there was to tell. Values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from healing_pipeline.drill.gatus import Look
from healing_pipeline.incidents.detection import Severity


@dataclass(frozen=True, slots=True)
class Message:
    """One message that was saved; `group` is None for an advisory."""

    group: int | None
    kind: str
    level: Severity
    at_s: float
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """What people are told of as one thing, from when it fired until it was over.

    Attributes
    ----------
    source : str or None
        None where it is no source's.
    until_s : float
        The drill's end where it fires still.
    """

    id: int
    source: str | None
    incidents: frozenset[int]
    since_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Ill:
    """An incident, as far as people have to know of it.

    Attributes
    ----------
    until_s : float
        When it was over; the drill's end while it is not.
    given_up : tuple of (float, float)
        The times in which healing it had failed, and nobody was trying.
    is_ours : bool
        Whether our own connection was its cause: that is told once for all.
    """

    id: int
    endpoint: str
    source: str
    since_s: float
    until_s: float
    given_up: tuple[tuple[float, float], ...] = ()
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Reader:
    """One reader's request.

    Attributes
    ----------
    at_s : float
        When it ended.
    existed : bool
        Whether an answer existed.
    is_callers : bool
        Whether it was refused for what was asked: nobody else's fault.
    """

    endpoint: str
    source: str
    at_s: float
    is_answered: bool
    existed: bool
    is_callers: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """A drill, as far as alerts go; times in seconds of the drill.

    Attributes
    ----------
    looks : sequence of Look
        What probes found.
    observed : sequence of Look
        Those, and readers' plain first attempts.
    faults : sequence of (str, float, float)
        Source, begin and end of each of the script's; `all` is every source.
    """

    duration_s: float
    messages: Sequence[Message]
    groups: Sequence[Group]
    ills: Sequence[Ill]
    readers: Sequence[Reader]
    looks: Sequence[Look]
    observed: Sequence[Look]
    faults: Sequence[tuple[str, float, float]]
    failure_threshold: int
