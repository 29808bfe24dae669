"""What became of a question: a value, whatever the service did."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from healing_pipeline.second_opinion.advice import Advice
from healing_pipeline.second_opinion.price import Tokens


class Outcome(StrEnum):
    """How a question ended.

    `REFUSED` is an answer that we did not take; `DECLINED` is a model that did not want to answer.
    """

    ADVICE = "advice"
    REFUSED = "refused"
    DECLINED = "declined"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVICE_ERROR = "service_error"
    BAD_KEY = "bad_key"
    BAD_REQUEST = "bad_request"
    UNREACHABLE = "unreachable"
    BROKEN_OFF = "broken_off"
    TIMEOUT = "timeout"
    NOT_INSTALLED = "not_installed"


# The service works, whatever the model says.
ANSWERED = frozenset({Outcome.ADVICE, Outcome.REFUSED, Outcome.DECLINED})
# Nothing that is paid for was done.
UNBILLED = frozenset(
    {
        Outcome.RATE_LIMITED,
        Outcome.OVERLOADED,
        Outcome.SERVICE_ERROR,
        Outcome.BAD_KEY,
        Outcome.BAD_REQUEST,
        Outcome.UNREACHABLE,
        Outcome.NOT_INSTALLED,
    }
)


@dataclass(frozen=True, slots=True)
class Said:
    """A service's answer as it came, before anybody checked what it says.

    Attributes
    ----------
    text : str
        What the model wrote.
    tokens : Tokens or None
        None when the service did not say, or said nonsense.
    outcome : Outcome
        `ADVICE` while nothing speaks against it.
    reason : str
        Why it is something else.
    retry_after_s : float or None
        What the service asked for.
    """

    outcome: Outcome
    text: str = ""
    tokens: Tokens | None = None
    reason: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What is put on record.

    Attributes
    ----------
    cost_usd : float or None
        None: not known, so that what was set aside for it counts.
    """

    outcome: Outcome
    seconds: float
    advice: Advice | None = None
    reason: str = ""
    tokens: Tokens | None = None
    cost_usd: float | None = None
    retry_after_s: float | None = None
