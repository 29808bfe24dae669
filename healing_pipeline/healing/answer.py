"""What a reader gets: an honest answer, or a clear failure. Never an exception."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import Verdict

PLAIN = "plain"
"""The strategy name of an untouched call."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Data, with the truth about it.

    Attributes
    ----------
    request_id : UUID
        What its attempts are on record under; `healing explain` takes it.
    endpoint : str
        What was asked.
    fidelity : Fidelity
        How close this is to what was asked.
    as_of : datetime
        Aware UTC: the moment the newest number speaks of.
    fetched_at : datetime
        Aware UTC: when the data came from its provider; older than now for a stale answer.
    reading : Reading
        The numbers.
    body : bytes
        The provider's own body they were read from.
    strategy : str
        ``plain`` when nothing had to be healed.
    provider : str
        Name of the source that served it.
    attempts : int
        Upstream calls made for this answer, >= 0.
    seconds : float
        From question to answer.
    met : Verdict or None
        What the first attempt failed with; None when nothing was wrong.
    shared : bool
        Whether another reader's question, asked a moment before, brought it: `attempts` is 0 then.
    """

    request_id: UUID
    endpoint: str
    fidelity: Fidelity
    as_of: datetime
    fetched_at: datetime
    reading: Reading
    body: bytes
    strategy: str
    provider: str
    attempts: int
    seconds: float
    shared: bool = False
    met: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """One strategy of a plan: what became of it, or why it was left out.

    Attributes
    ----------
    strategy : str
    because : str
        ``left out`` or ``did not heal``.
    evidence : str
        What was seen, or why it did not fit, for a person.
    """

    strategy: str
    because: str
    evidence: str


@dataclass(frozen=True, slots=True)
class HealingFailed:
    """No answer of an accepted fidelity inside the deadline.

    Attributes
    ----------
    request_id : UUID
        What its attempts are on record under; `healing explain` takes it.
    endpoint : str
        What was asked.
    verdict : Verdict
        What the first attempt met.
    tried : tuple of Tried
        Every strategy of the plan, used or left out, with its reason.
    attempts : int
        Upstream calls made, >= 0.
    seconds : float
        From question to failure.
    retry_after_s : float or None
        Seconds until the source may be asked again, where that is known; always above 0.
    """

    request_id: UUID
    endpoint: str
    verdict: Verdict
    tried: tuple[Tried, ...]
    attempts: int
    seconds: float
    retry_after_s: float | None = None
