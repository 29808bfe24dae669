"""What the gateway says when there is no data: problem details (RFC 9457), of a few fixed kinds.

The `type` of a problem is a path of the gateway itself, where a page explains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

from healing_pipeline.healing.answer import HealingFailed
from healing_pipeline.probing.failure_class import FailureClass

TYPES_AT = "/problems/"

# The upstream did not answer in time, or could not be reached; all else it did say.
OUT_OF_TIME = frozenset({FailureClass.TIMEOUT, FailureClass.SLOW, FailureClass.NETWORK_ERROR})

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: the same status, title and explanation every time."""

    status: int
    title: str
    explanation: str


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "upstream-failed": Kind(
            502,
            "The upstream failed, and nothing could heal it.",
            "The provider answered with an error or with data that cannot be used, and none of the "
            "strategies found an answer of a fidelity that is accepted. `tried` says what became "
            "of each, and `Retry-After` when the provider may be asked again, where that is known. "
            "Accept more (X-Healing-Accept), allow more time (X-Healing-Deadline), or name "
            "alternates for the endpoint in the configuration.",
        ),
        "upstream-timeout": Kind(
            504,
            "The upstream did not answer in time, and nothing could heal it.",
            "The provider could not be reached, or did not answer within the deadline, and none of "
            "the strategies found an answer of a fidelity that is accepted. `tried` says what "
            "became of each, and `Retry-After` when the provider may be asked again, where that "
            "is known. Allow more time with X-Healing-Deadline, or accept more with "
            "X-Healing-Accept.",
        ),
        "unknown-endpoint": Kind(
            404,
            "The catalogue has no such endpoint.",
            "Only endpoints of the configuration can be read. /docs lists them all.",
        ),
        "not-catalogued": Kind(
            404,
            "No catalogued endpoint asks this question.",
            "A base URL of a provider may be replaced by /proxy/SOURCE, and what is asked there "
            "has to be the question of an endpoint of the configuration: its window may differ, "
            "its function, instrument and interval may not. Add an endpoint for it.",
        ),
        "another-question": Kind(
            400,
            "The parameters turn the endpoint's question into another one.",
            "A reader may ask an endpoint for another window (range, limit, dates), not for "
            "another instrument, interval or function: healing would answer with the endpoint's "
            "own data. Ask the endpoint that has it, or add one to the configuration.",
        ),
        "bad-request": Kind(
            400,
            "The request cannot be understood.",
            "A path with `..`, encoded slashes or empty segments, a parameter given twice, or a "
            "header of ours that holds no such value. `detail` names it.",
        ),
        "too-long": Kind(
            414,
            "The request's target is too long.",
            "Path and query together may have 4096 bytes; no provider's question needs more.",
        ),
        "method-not-allowed": Kind(
            405,
            "Only GET is answered.",
            "Market data is read, never written: GET and HEAD are the only methods.",
        ),
        "unauthorized": Kind(
            401,
            "The gateway's token is needed.",
            "Send `Authorization: Bearer TOKEN` with the value of HEALING_GATEWAY_TOKEN. A client "
            "of a provider below /proxy may send it as its API key instead.",
        ),
        "read-only": Kind(
            403,
            "This token may read, and change nothing.",
            "HEALING_GATEWAY_READER_TOKEN is for whoever only looks: data, pages and reports. To "
            "acknowledge, to silence or to announce maintenance takes HEALING_GATEWAY_TOKEN.",
        ),
        "too-many-requests": Kind(
            429,
            "This client asks too much.",
            "Everybody has a share, so that one client cannot take it all: `gateway: "
            "{requests_per_s: ..., burst: ...}` of the configuration. Or too many wrong tokens "
            "came from it. `Retry-After` says when it will be answered again. Behind a proxy that "
            "`gateway: {proxies: [...]}` does not name, all its clients are one.",
        ),
        "not-found": Kind(
            404,
            "There is no such page.",
            "Data is below /v1 and /proxy; /docs says what there is.",
        ),
        "not-acceptable": Kind(
            406,
            "A report does not come in that form.",
            "`Accept` names no media type that there is; `available` lists those. `?format=` names "
            "one as well, and outweighs `Accept`.",
        ),
        "storage-away": Kind(
            503,
            "Reports are made from PostgreSQL, and it does not answer.",
            "It is away, too slow, or asked by too many. Market data is served without it. Ask "
            "again in some seconds, for fewer hours or rows if it was too slow.",
        ),
        "internal-error": Kind(
            500,
            "The gateway made a mistake.",
            "A fault of ours, not of a provider and not of yours. The gateway's log has it.",
        ),
    }
)


# What data never ends in.
OF_REPORTS = frozenset({"not-acceptable", "storage-away", "read-only"})


@dataclass(frozen=True, slots=True)
class Problem:
    """One occurrence of a problem.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    detail : str
        What was wrong this time, and the cure.
    members : Mapping[str, Any]
        Further members of the document.
    headers : tuple of (bytes, bytes)
        Further headers of the answer.
    request_id : UUID or None
        None: the request never became a question.
    as_xml : bool
        Whether it is told to a client that reads nothing but its provider's XML.
    """

    kind: str
    detail: str
    members: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    request_id: UUID | None = None
    as_xml: bool = False

    @property
    def status(self) -> int:
        """The HTTP status."""
        return KINDS[self.kind].status

    def document(self) -> dict[str, Any]:
        """The members, RFC 9457's first."""
        return {
            "type": f"{TYPES_AT}{self.kind}",
            "title": KINDS[self.kind].title,
            "status": self.status,
            "detail": self.detail,
            "instance": f"urn:uuid:{self.request_id or uuid4()}",
            **self.members,
        }


def failure(failed: HealingFailed) -> Problem:
    """Say that nothing could be healed, with what was tried."""
    verdict = failed.verdict
    members = {
        "endpoint": failed.endpoint,
        "failure_class": str(verdict.failure_class),
        "request_id": str(failed.request_id),
        "attempts": failed.attempts,
        "seconds": round(failed.seconds, 4),
        "tried": [
            {"strategy": each.strategy, "because": each.because, "evidence": each.evidence}
            for each in failed.tried
        ],
    }
    return Problem(
        kind_of(verdict.failure_class),
        f"{failed.endpoint}: {verdict.failure_class}: {verdict.evidence}",
        members,
        headers=retry_after(failed.retry_after_s),
        request_id=failed.request_id,
    )


def kind_of(failure_class: FailureClass) -> str:
    """The kind of problem that an upstream's failure is."""
    return "upstream-timeout" if failure_class in OUT_OF_TIME else "upstream-failed"


def retry_after(seconds: float | None) -> tuple[tuple[bytes, bytes], ...]:
    """The header that says when to come back, never too early; none where nobody knows."""
    if seconds is None:
        return ()
    return ((b"retry-after", str(max(1, ceil(seconds))).encode()),)
