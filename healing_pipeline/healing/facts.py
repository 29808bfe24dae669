"""What the data path has to tell: facts that are appended and never overwritten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from healing_pipeline.probing.reading import Reading


class Origin(StrEnum):
    """Who asked."""

    READER = "reader"
    PROBE = "probe"
    HEAL = "heal"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One use of one strategy, the plain first call included.

    Attributes
    ----------
    id, request_id : UUID
    attempt_no : int
        1 for the first.
    at : datetime
        Aware UTC, when it began.
    host : str or None
        None when nothing was sent.
    healed : bool
        Whether it gave the answer.
    fidelity : str or None
        Of the data it gave; None when it gave none.
    seconds : float
    upstream_calls : int
    params : Mapping
        What learning may tune: ``waited_s``, the seconds it let pass before its last call. And
        ``asked``, the ``path`` and ``params`` of that call without its key, unless it was a plain
        good one for the endpoint's own question.
    late : bool
        Whether it ended after the reader's deadline.
    met : str or None
        The failure class it was used against; None for the plain first call.
    """

    id: UUID
    request_id: UUID
    attempt_no: int
    at: datetime
    origin: str
    source: str
    endpoint: str
    strategy: str
    host: str | None
    key_name: str | None
    failure_class: str
    evidence: str
    healed: bool
    fidelity: str | None
    seconds: float
    status: int | None
    upstream_calls: int
    params: Mapping[str, object] = field(default_factory=dict)
    late: bool = False
    incident_id: int | None = None
    met: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """One choice among strategies, with everything that decided it.

    Attributes
    ----------
    request_id : UUID
    decision_no : int
        1 for the first of the request; a plan is made anew after each attempt that failed.
    at : datetime
        Aware UTC.
    failure_class : str
        What is to be healed.
    policy : str or None
        The first twelve digits of the policy's fingerprint; None when nothing was learned yet.
    budget_s : float
        Seconds that were left.
    considered : Mapping
        ``candidates``, ``left_out``, ``belief`` and ``failed``, as `healing.weighing` writes them.
    late : bool
        Whether it was made after the reader had been answered.
    """

    request_id: UUID
    decision_no: int
    at: datetime
    origin: str
    source: str
    endpoint: str
    failure_class: str
    policy: str | None
    budget_s: float
    considered: Mapping[str, object]
    late: bool = False


@dataclass(frozen=True, slots=True)
class AnswerFact:
    """How one reader's request ended.

    Attributes
    ----------
    failure_class : str or None
        What the first attempt met; None when nothing was wrong.
    failed : bool
        Whether the reader got no accepted answer.
    """

    request_id: UUID
    at: datetime
    source: str
    endpoint: str
    fidelity: str | None
    strategy: str | None
    provider: str | None
    attempts: int
    seconds: float
    failure_class: str | None
    failed: bool
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class SnapshotFact:
    """The last good data of an endpoint, for the next time it fails."""

    endpoint: str
    request_key: str
    fetched_at: datetime
    as_of: datetime
    provider: str
    reading: Reading
    body: bytes
    fidelity: str


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one probe found."""

    id: UUID
    at: datetime
    source: str
    endpoint: str
    host: str
    key_name: str | None
    failure_class: str
    evidence: str
    seconds: float
    status: int | None
    as_of: datetime | None
    confirms: UUID | None = None


Fact = Attempt | Decision | AnswerFact | SnapshotFact | ProbeResult
