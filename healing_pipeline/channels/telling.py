"""What a message says, put in order once for every form: what, since when, why, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from healing_pipeline.alerting.messages import Kind
from healing_pipeline.channels.message import Message
from healing_pipeline.channels.texts import block, duration, line, moment
from healing_pipeline.probing.redaction import redact

MOST_LISTED = 12
ALERTS_PAGE = "/health-dashboard/alerts"


@dataclass(frozen=True, slots=True)
class Row:
    """One fact with its name."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Tried:
    """One strategy that was tried, or left out; empty where nothing is known."""

    strategy: str
    because: str
    evidence: str = ""
    took: str = ""


@dataclass(frozen=True, slots=True)
class Telling:
    """Everything a form may show; all texts are printable, none is escaped for any markup.

    Attributes
    ----------
    label : str
        The level, or that it is over, in capitals.
    subject : str
        Label and title in one line.
    link, alert_link : str
        Of the page that shows what happened; of the one where it is acknowledged or silenced, empty
        when it is over.
    """

    label: str
    title: str
    subject: str
    lead: str
    rows: tuple[Row, ...]
    attempts: tuple[Tried, ...]
    left_out: tuple[Tried, ...]
    action: str
    link: str
    alert_link: str
    earlier: tuple[str, ...]


def telling(message: Message) -> Telling:
    """What `message` says."""
    label = label_of(message)
    title = line(message.title, 200) or "Something needs a look"
    # The label says it.
    title = title.removeprefix("Over: ") if message.is_over else title
    return Telling(
        label=label,
        title=title,
        subject=f"[{label}] {title}",
        lead=block(message.body),
        rows=tuple(_rows(message)),
        attempts=_tried(message.detail.get("attempts")),
        left_out=_tried(message.detail.get("left_out")),
        # There is nothing left to be done.
        action="" if message.is_over else block(message.detail.get("action") or "", limit=1000),
        link=link_of(message),
        alert_link="" if message.is_over else _address(message, _alert_path(message)),
        earlier=tuple(line(each, 300) for each in message.earlier),
    )


def label_of(message: Message) -> str:
    """The level in capitals, or what else comes first in a subject."""
    level = str(message.level).upper()
    match message.kind:
        case Kind.RESOLVED:
            return "RESOLVED"
        case Kind.TEST:
            return "TEST"
        case Kind.REMINDER:
            return f"STILL {level}"
        case _:
            return level


def link_of(message: Message) -> str:
    """The page of the dashboard that shows it; nothing in it needs escaping but ``&``."""
    path = message.detail.get("path")
    if not isinstance(path, str) or not path.startswith("/") or path.startswith("//"):
        path = _alert_path(message)
    return _address(message, path)


def _alert_path(message: Message) -> str:
    return ALERTS_PAGE if message.group_id is None else f"{ALERTS_PAGE}/{message.group_id}"


def _address(message: Message, path: str) -> str:
    path = path.encode("utf-8", "replace").decode()
    return quote(line(message.url).rstrip("/"), safe=_SAFE) + quote(path, safe=_SAFE)


_SAFE = "/:?#@&=+,;%.[]-_~!$()*"


def _scope(detail: Mapping[str, Any]) -> str:
    """Whom the cause concerns, where that is more than the endpoints that are told of."""
    scope, named = detail.get("scope"), detail.get("endpoints")
    if not isinstance(scope, list) or not isinstance(named, list) or len(scope) <= len(named):
        return ""
    return f"{len(scope)} endpoints share the cause: {_listed(scope)}"


def _rows(message: Message) -> Iterator[Row]:
    detail = message.detail
    for label, value in (
        ("Source", message.source or detail.get("source")),
        ("Endpoints", _listed(detail.get("endpoints"))),
        ("Root cause", _words(detail.get("root_cause"))),
        ("Where", line(detail.get("place") or "", 200)),
        ("Concerns", "" if message.is_over else _scope(detail)),
        ("Failure class", detail.get("failure_class")),
        ("Evidence", redact(line(detail.get("evidence") or "", 500))),
        ("Began", _moment(detail.get("began_at") or message.began_at)),
        ("Detected", _moment(detail.get("detected_at"))),
        ("Over since", _moment(detail.get("resolved_at"))),
        ("Lasted", _seconds(detail.get("lasted_s"))),
        ("Healed by", _words(detail.get("healed_by"))),
        ("Readers get", detail.get("fidelity")),
        ("Errors", "" if message.is_over else _errors(detail)),
        ("Readers without an answer", _readers(detail)),
        ("Owners", ", ".join(message.owners)),
        ("Told at", moment(message.at)),
    ):
        text = line(value or "", 600)
        if text:
            yield Row(label, text)


def _tried(listed: object) -> tuple[Tried, ...]:
    if not isinstance(listed, list | tuple):
        return ()
    found = [each for each in listed if isinstance(each, Mapping)]
    shown = [
        Tried(
            strategy=line(each.get("strategy") or "", 80),
            because=redact(line(each.get("because") or "", 300)),
            evidence=redact(line(each.get("evidence") or "", 300)),
            took=_seconds(each.get("seconds")),
        )
        for each in found[:MOST_LISTED]
    ]
    if len(found) > MOST_LISTED:
        shown.append(Tried(f"and {len(found) - MOST_LISTED} more", ""))
    return tuple(shown)


def _listed(names: object) -> str:
    if not isinstance(names, list | tuple):
        return ""
    shown = ", ".join(line(each, 80) for each in names[:MOST_LISTED])
    more = len(names) - MOST_LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def _words(name: object) -> str:
    return str(name).replace("_", " ") if name else ""


def _moment(at: object) -> str:
    return moment(at) if at else ""


# More seconds, requests or readers than there are is a slip.
_MOST = 1e15


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Compared as it is: a whole number may be longer than a float.
    return float(value) if -_MOST < value < _MOST else None


def _seconds(value: object) -> str:
    seconds = _number(value)
    return "" if seconds is None or seconds < 0 else duration(seconds)


def _errors(detail: Mapping[str, Any]) -> str:
    rate, requests = _number(detail.get("error_rate")), _number(detail.get("requests"))
    if rate is None:
        return ""
    of = "" if requests is None else f" of {requests:.0f} requests"
    window = _seconds(detail.get("window_s"))
    return f"{rate * 100:.1f} %{of}" + (f" in {window}" if window else "")


def _readers(detail: Mapping[str, Any]) -> str:
    without, asked = _number(detail.get("readers_without_answer")), _number(detail.get("readers"))
    if without is None:
        return ""
    if asked == 0:
        return "none; nobody read meanwhile"
    count = "none" if without == 0 else f"{without:.0f}"
    return count if asked is None else f"{count} of {asked:.0f} requests"
