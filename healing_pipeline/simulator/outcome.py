"""One request and what happens to it: the answer, and how it goes over the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from healing_pipeline.simulator.upstreams.contract import Answer


@dataclass(frozen=True, slots=True)
class Request:
    """A GET as it came in.

    Attributes
    ----------
    path : str
        Unquoted.
    params : Mapping[str, str]
    headers : Mapping[str, str]
        Names in lower case.
    """

    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]


class Delivery(StrEnum):
    """How an answer, or none, goes over the wire."""

    SEND = "send"
    HOLD = "hold"  # says nothing, then closes
    CLOSE = "close"  # closes before the first byte
    RESET = "reset"  # aborts before the first byte
    RESET_IN_BODY = "reset_in_body"  # aborts half way through the body
    CUT = "cut"  # closes half way through the body
    DRIP = "drip"  # one byte at a time
    FLOOD = "flood"  # far more body than anybody wants


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of one request.

    Attributes
    ----------
    answer : Answer or None
        None where nothing is said.
    delivery : Delivery
    delay_s : float
        Seconds before anything happens.
    hold_s : float
        With `HOLD`: seconds of silence.
    """

    answer: Answer | None
    delivery: Delivery = Delivery.SEND
    delay_s: float = 0.0
    hold_s: float = 0.0
