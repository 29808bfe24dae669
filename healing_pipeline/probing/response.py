"""What came back from an upstream, as a value, and the verdict on it.

`Response` holds no client object: a recorded response, a probe and a reader's request are judged by
the same code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from healing_pipeline.probing.failure_class import FailureClass


class NoAnswer(StrEnum):
    """Why there is no usable HTTP response; each is one failure class.

    `UNRESOLVED` is a host whose name has no address: nobody was asked, so nothing is known of the
    upstream itself.
    """

    TIMEOUT = "timeout"
    NETWORK = "network"
    UNRESOLVED = "unresolved"
    TOO_LARGE = "too_large"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    PROTOCOL = "protocol"


@dataclass(frozen=True, slots=True)
class Response:
    """One answer of an upstream, or the reason why there is none.

    Attributes
    ----------
    status : int or None
        HTTP status; None when nothing came back or when it was not recorded.
    headers : Mapping[str, str]
        Header names in lower case.
    body : bytes
        The body, decoded from its content encoding, cut at the client's limit.
    elapsed_s : float
        Seconds from sending to the last byte, >= 0.
    no_answer : NoAnswer or None
        Set when the request ended without a usable response.
    detail : str
        With `no_answer`: what the client saw, for a person to read.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    elapsed_s: float = 0.0
    no_answer: NoAnswer | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RequestLine:
    """What was asked, as far as a verdict needs it; keys and secrets have no place here.

    Attributes
    ----------
    path : str
        Path without query, e.g. ``/v8/finance/chart/AAPL``.
    params : Mapping[str, str]
        Query parameters.
    host : str
        Host name, may be empty when unknown.
    asked_at : datetime or None
        When it was asked, for a provider whose bodies do not say of when they are; else None.
    """

    path: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A failure class and the evidence for it.

    Attributes
    ----------
    failure_class : FailureClass
    evidence : str
        One line that a person can read: what was seen and, where it helps, what was expected.
        Never holds an API key.
    """

    failure_class: FailureClass
    evidence: str

    def __post_init__(self) -> None:
        """Keep the promise of one line for whoever quotes an upstream and forgets to."""
        if not self.evidence.isprintable():
            shown = "".join(each if each.isprintable() else " " for each in self.evidence)
            object.__setattr__(self, "evidence", " ".join(shown.split()))

    @property
    def is_ok(self) -> bool:
        """Whether the response may be used."""
        return self.failure_class is FailureClass.OK
