"""What people read: titles and bodies of messages. Pure.

A title says what is wrong in one line, with who is wrong first; a body says what was seen and what
was tried. Text of upstreams is quoted as it came: what shows it has to treat it as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from healing_pipeline.alerting.error_rates import Finding
from healing_pipeline.incidents.diagnosis import RootCause
from healing_pipeline.probing.failure_class import FailureClass

BROKEN: dict[RootCause, str] = {
    RootCause.NAME: "cannot be found: its name does not resolve",
    RootCause.PROVIDER_DOWN: "is down",
    RootCause.HOST_DOWN: "has a host that is down",
    RootCause.KEY: "refuses our key",
    RootCause.QUOTA: "has no quota left for us",
    RootCause.PLAN: "does not include this in our plan",
    RootCause.REQUEST: "does not know what we ask for",
    RootCause.DATA: "sends bad data",
}
BROKEN_BY_FAILURE: dict[FailureClass, str] = {
    FailureClass.TIMEOUT: "does not answer in time",
    FailureClass.SLOW: "answers too slowly",
    FailureClass.BOT_BLOCK: "takes us for a robot",
    FailureClass.NETWORK_ERROR: "cannot be reached",
    FailureClass.STALE_DATA: "sends old data",
    FailureClass.EMPTY: "sends no data",
    FailureClass.RATE_LIMIT: "says that we ask too often",
}


def broken(source: str, root_cause: RootCause, failure: FailureClass) -> str:
    """What is wrong with a source, in a few words."""
    if root_cause is RootCause.OUR_NETWORK:
        return "Our own connection is down"
    words = BROKEN[root_cause]
    if root_cause not in {RootCause.NAME, RootCause.KEY, RootCause.PLAN}:
        words = BROKEN_BY_FAILURE.get(failure, words)
    return f"{source} {words}"


def escalated_title(what: str, endpoint: str) -> str:
    """The title of a group that an incident begins because healing it failed."""
    return f"{what}: healing {endpoint.partition('/')[2] or endpoint} failed"


def escalated_body(note: str, root_cause: str, reach: str, detail: Mapping[str, Any]) -> str:
    """What was seen, whom it concerns and what was tried."""
    tried = [f"{each['strategy']}: {each['evidence']}." for each in detail.get("attempts", ())]
    return " ".join([f"{sentence(note)} Root cause: {root_cause}{reach}.", *tried])


def reach_of(place: str | None, scope: Sequence[str]) -> str:
    """Where a cause sits and whom it concerns, to be put after its name; nothing if that is one."""
    where = "" if place is None or place in scope else f", at {place}"
    return f"{where}, which concerns {len(scope)} endpoints" if len(scope) > 1 else where


def errors_title(source: str, finding: Finding) -> str:
    """The title of a group that readers' errors begin, or raise."""
    return f"{source}: {finding.because}"


def errors_body(source: str, finding: Finding, cause: str | None) -> str:
    """What the numbers are."""
    window = finding.window
    known = f"Known of it: {cause}." if cause else "Nobody knows the cause yet."
    return (
        f"{window.errors} of {window.requests} readers' requests to {source} went without an "
        f"accepted answer: {finding.because}. {known}"
    )


def lasted(seconds: float) -> str:
    """A duration as people say it: 42 s, 4 min 10 s, 2 h 5 min, 3 d 4 h."""
    whole = max(0, round(seconds))
    for size, word, smaller, lesser in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {word}" + (f" {rest} {lesser}" if rest else "")
    return f"{whole} s"


def closing_title(title: str, detail: Mapping[str, Any]) -> str:
    """The title of the closing message."""
    over = detail.get("over")
    return str(over) if over else f"Over: {detail.get('what') or title}"


def closing_body(
    title: str,
    detail: Mapping[str, Any],
    *,
    began_at: datetime,
    recovered_at: datetime,
    endpoints: Sequence[str],
) -> str:
    """What broke, how long, what healed it, how many readers went without an answer."""
    evidence = detail.get("evidence")
    parts = [
        f"What broke: {detail.get('what') or title}{f' ({evidence})' if evidence else ''}.",
        f"It lasted {lasted((recovered_at - began_at).total_seconds())}, from "
        f"{began_at:%Y-%m-%d %H:%M:%S} to {recovered_at:%Y-%m-%d %H:%M:%S} UTC.",
    ]
    if endpoints:
        names = ", ".join(endpoints[:3])
        more = f" and {len(endpoints) - 3} more" if len(endpoints) > 3 else ""
        parts.append(f"Endpoints: {names}{more}.")
    if healed_by := detail.get("healed_by"):
        parts.append(f"What healed it: {sentence(str(healed_by))}")
    if "readers" in detail:
        parts.append(without_answer(detail["readers_without_answer"], detail["readers"]))
    return " ".join(parts)


def without_answer(errors: int, requests: int) -> str:
    """How many readers noticed."""
    if requests == 0:
        return "Readers without an answer: none; nobody read meanwhile."
    return f"Readers without an answer: {errors or 'none'} of {requests} requests."


def sentence(text: str) -> str:
    """`text` with a full stop, unless it ends in a mark already."""
    text = text.strip()
    return text if text.endswith((".", "!", "?")) or not text else f"{text}."
