"""What a reader in a hurry has to know of many error events: sums, the worst groups, the latest.

Models are bad at adding rows up and pay for each of them; so the sums are made here, and what does
not fit is left out and counted. However many events there are and whatever their texts hold, the
digest stays within `MOST_TOKENS`.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from healing_pipeline.reporting.columns import Column
from healing_pipeline.reporting.structures import ERROR_EVENTS
from healing_pipeline.reporting.tables import Table, table_of
from healing_pipeline.reporting.token_bound import OUR_WORDS, most_tokens, words_of
from healing_pipeline.reporting.toon import as_toon

MOST_TOKENS = 500
# What is tried first; then less and less, until it fits.
MOST_GROUPS, MOST_LATEST = 12, 5
LEAST_LATEST = 2
# Bytes of a name and of evidence, which may be anybody's: first as people write them, then as much
# as always leaves room for a group.
NAME_BYTES, EVIDENCE_BYTES = 32, 48
SHORT_BYTES = 12
READER = "reader"

GROUP_COLUMNS = (
    Column("source", "string", "Whose endpoints failed", nullable=False),
    Column("failure_class", "string", "How", nullable=False),
    Column("root_cause", "string", "Where the fault lies, as its latest incident has it"),
    Column("events", "int", "Failed first calls and probes", nullable=False),
    Column("endpoints", "int", "Different ones among them", nullable=False),
    Column("readers", "int", "Of the events, the readers' requests", nullable=False),
    Column("unanswered", "int", "Of those, the ones without an answer", nullable=False),
    Column("healed_by", "string", "What answered most of the others"),
    Column("first_ago_s", "int", "Seconds from the first one to `made_at`", nullable=False),
    Column("last_ago_s", "int", "Seconds from the last one to `made_at`", nullable=False),
    Column("mostly", "string", "The endpoint with the most events", nullable=False),
)
LATEST_COLUMNS = (
    Column("ago_s", "int", "Seconds from it to `made_at`", nullable=False),
    Column("endpoint", "string", "What was asked", nullable=False),
    Column("failure_class", "string", "How it failed", nullable=False),
    Column("seen_by", "string", "reader, probe or heal", nullable=False),
    Column("healed_by", "string", "What answered the same request all the same"),
    Column("evidence", "string", "How the evidence begins", nullable=False),
)


@dataclass(frozen=True, slots=True)
class Event:
    """A first call or a probe that failed.

    Attributes
    ----------
    at : datetime
        Aware UTC.
    seen_by : str
        ``reader``, ``probe`` or ``heal``.
    healed_by : str or None
        The strategy that answered the same request all the same.
    root_cause : str or None
        Where the fault lies, where an incident of that time says so.
    """

    at: datetime
    source: str
    endpoint: str
    failure_class: str
    seen_by: str
    healed_by: str | None
    evidence: str
    root_cause: str | None = None


@dataclass(slots=True)
class Group:
    """Events of one source, one failure class and one root cause."""

    source: str
    failure_class: str
    root_cause: str | None
    first_at: datetime
    last_at: datetime
    events: int = 0
    readers: int = 0
    unanswered: int = 0
    endpoints: Counter[str] = field(default_factory=Counter)
    healed_by: Counter[str] = field(default_factory=Counter)

    def add(self, event: Event) -> None:
        """Count one more."""
        self.events += 1
        self.first_at = min(self.first_at, event.at)
        self.last_at = max(self.last_at, event.at)
        self.endpoints[event.endpoint] += 1
        if event.seen_by == READER:
            self.readers += 1
            self.unanswered += event.healed_by is None
        if event.healed_by is not None:
            self.healed_by[event.healed_by] += 1

    @property
    def rank(self) -> tuple[Any, ...]:
        """Sorts what readers felt before what they did not, then by size; ties by name."""
        named = (self.source, self.failure_class, self.root_cause or "")
        return (-self.unanswered, -self.events, *named)


def events_of(table: Table, causes: Mapping[str, str] | None = None) -> Iterator[Event]:
    """The rows of `ERROR_EVENTS`.

    Parameters
    ----------
    causes : Mapping[str, str], optional
        By endpoint, the root cause of its latest incident.
    """
    if table.name != ERROR_EVENTS.name:
        raise ValueError(f"{table.name} are no {ERROR_EVENTS.name}: nothing can be said of them.")
    names = ("at", "source", "endpoint", "failure_class", "seen_by", "healed_by", "evidence")
    for row in table.rows:
        cause = (causes or {}).get(str(row["endpoint"]))
        yield Event(**{name: row[name] for name in names}, root_cause=cause)  # type: ignore[arg-type]


def grouped(events: Iterable[Event]) -> list[Group]:
    """By source, failure class and root cause; the worst first."""
    found: dict[tuple[str, str, str | None], Group] = {}
    for event in events:
        key = (event.source, event.failure_class, event.root_cause)
        if key not in found:
            found[key] = Group(*key, first_at=event.at, last_at=event.at)
        found[key].add(event)
    return sorted(found.values(), key=lambda each: each.rank)


def digest(
    events: Iterable[Event], *, now: datetime, window: timedelta, is_cut: bool = False
) -> str:
    """TOON of at most `MOST_TOKENS` tokens (o200k_base), the same for the same events in any order.

    Parameters
    ----------
    now : datetime
        Aware UTC; the end of the window.
    window : timedelta
        What was looked at.
    is_cut : bool
        Whether there were more events than were read: then the sums are of those that were.
    """
    known = list(events)
    groups = grouped(known)
    latest = heapq.nsmallest(
        MOST_LATEST, known, key=lambda each: (now - each.at, each.endpoint, each.evidence)
    )
    about: dict[str, Any] = {
        "made_at": now.replace(microsecond=0),
        "window_h": round(window.total_seconds() / 3600, 2),
        "events": len(known),
        **({"events_read": "the newest"} if is_cut else {}),
        "sources": len({each.source for each in groups}),
        "endpoints": len({each.endpoint for each in known}),
        "readers": sum(each.readers for each in groups),
        "unanswered": sum(each.unanswered for each in groups),
    }
    for name_bytes, evidence_bytes in ((NAME_BYTES, EVIDENCE_BYTES), (SHORT_BYTES, SHORT_BYTES)):
        rows = [_group_row(each, now, name_bytes) for each in groups[:MOST_GROUPS]]
        lines = [_latest_row(each, now, name_bytes, evidence_bytes) for each in latest]
        for shown, last in _sizes(len(rows), len(lines)):
            rest = groups[shown:]
            left_out = {
                "groups_left_out": len(rest),
                "events_left_out": sum(each.events for each in rest),
                "unanswered_left_out": sum(each.unanswered for each in rest),
            }
            said = {**about, **left_out} if rest else about
            text = as_toon(
                table_of("groups", GROUP_COLUMNS, rows[:shown], said),
                table_of("latest", LATEST_COLUMNS, lines[:last], said),
            )
            if most_tokens(text, _KNOWN) <= MOST_TOKENS:
                return text
    raise AssertionError("a group of short names always fits")


# Column names and labels are our words like any other.
_KNOWN = OUR_WORDS | words_of(
    [
        *(each.name for each in (*GROUP_COLUMNS, *LATEST_COLUMNS)),
        *("made_at", "window_h", "events_read", "newest", "sources", "groups", "latest"),
        *("groups_left_out", "events_left_out", "unanswered_left_out"),
        *("reader", "probe", "heal", "null", "true", "false"),
    ]
)


def _sizes(groups: int, latest: int) -> Iterator[tuple[int, int]]:
    """How many groups and how many of the latest to try, one less each time; a group is left."""
    half, least = (groups + 1) // 2, min(latest, LEAST_LATEST)
    while True:
        yield groups, latest
        if groups > half or (groups > 1 and latest <= least):
            groups -= 1
        elif latest:
            latest -= 1
        else:
            return


def _group_row(group: Group, now: datetime, most: int) -> dict[str, Any]:
    return {
        "source": clipped(group.source, most),
        "failure_class": clipped(group.failure_class, most),
        "root_cause": None if group.root_cause is None else clipped(group.root_cause, most),
        "events": group.events,
        "endpoints": len(group.endpoints),
        "readers": group.readers,
        "unanswered": group.unanswered,
        "healed_by": _first(group.healed_by, most),
        "first_ago_s": _seconds(now - group.first_at),
        "last_ago_s": _seconds(now - group.last_at),
        "mostly": clipped(_mostly(group), most),
    }


def _latest_row(event: Event, now: datetime, most: int, most_evidence: int) -> dict[str, Any]:
    return {
        "ago_s": _seconds(now - event.at),
        "endpoint": clipped(event.endpoint, most),
        "failure_class": clipped(event.failure_class, most),
        "seen_by": clipped(event.seen_by, most),
        "healed_by": None if event.healed_by is None else clipped(event.healed_by, most),
        "evidence": clipped(event.evidence, most_evidence),
    }


def _first(counts: Counter[str], most: int) -> str | None:
    """The commonest; of several the first by name, so that the order of events says nothing."""
    if not counts:
        return None
    return clipped(min(counts, key=lambda each: (-counts[each], each)), most)


def _mostly(group: Group) -> str:
    """The endpoint that failed most often, without its source, which stands beside it."""
    counts = group.endpoints
    most_often = min(counts, key=lambda each: (-counts[each], each))
    return most_often.removeprefix(f"{group.source}/")


def _seconds(lasts: timedelta) -> int:
    return round(lasts.total_seconds())


def clipped(text: str, most_bytes: int) -> str:
    """The begin of a text on one line, in at most so many bytes of UTF-8.

    What is not printable becomes a blank: escaped, it would take six characters.
    """
    # Of a long text only what could be shown is looked at.
    head = text[: 4 * most_bytes]
    line = " ".join("".join(each if each.isprintable() else " " for each in head).split())
    whole = line.encode("utf-8")
    if len(whole) <= most_bytes and len(text) <= len(head):
        return line
    cut = whole[: most_bytes - len("…".encode())].decode("utf-8", "ignore")
    return f"{cut}…"
