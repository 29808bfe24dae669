"""What is remembered is bounded, and no bound is too tight for ten thousand endpoints."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from test_health_totals import Row
from test_memory import snapshot
from test_validation_scrutiny import QUOTES, Looks, quote, walk
from worlds import START

from healing_pipeline.cli.report import MOST_SHOWN, least_healthy
from healing_pipeline.client import AT_ONCE, AsyncHealingClient
from healing_pipeline.healing.bounded import Bounded
from healing_pipeline.healing.memory import SnapshotMemory
from healing_pipeline.healing.validation import Scrutiny
from healing_pipeline.web.nearest import Nearest

MANY = 10_000
questions = st.tuples(st.sampled_from("abcdef"), st.sampled_from(["", "w1", "w2", "w3"]))


@given(
    puts=st.lists(st.tuples(questions, st.binary(max_size=9)), min_size=1, max_size=60),
    most=st.integers(1, 12),
    most_bytes=st.integers(1, 40),
)
def test_neither_the_number_nor_the_bytes_of_what_is_kept_go_past_their_bounds(
    puts, most, most_bytes
):
    kept = Bounded[bytes](most, len, most_bytes)
    for key, body in puts:
        kept.put(key, body)
        assert kept.get(key) == body
        assert len(kept) <= most
        held = sum(map(len, kept.values()))
        assert held <= most_bytes or len(kept) == 1


def test_windows_of_readers_push_no_endpoint_out_of_the_memory():
    memory = SnapshotMemory(most=20, most_bytes=1_000)
    large = replace(snapshot(1), body=b"x" * 100)
    for number in range(5):
        memory.put(f"fred/{number}", "", large)
    for number in range(1_000):
        memory.put("fred/0", f"limit={number}", large)
        memory.take_turn_to_tell("fred/0", f"limit={number}", 0.0, 5.0)
    assert all(memory.get(f"fred/{number}", "") is not None for number in range(5))
    assert len(memory) == 10
    assert len(memory._told_at) <= 10


def test_windows_of_readers_make_no_scrutiny_forget_what_is_asked_for_on_and_on():
    scrutiny = Scrutiny(100)
    seen, step = Looks(scrutiny=scrutiny), walk(1)
    for look in range(40):
        assert seen.at(2 * look, step()) is None
        for number in range(50):
            at = START + timedelta(seconds=2 * look)
            window = ("q", f"limit={50 * look + number}")
            scrutiny.examine(window, quote(100.0, 2 * look), QUOTES, None, at)
    assert "jumped" in seen.at(80, step() * 1.02).evidence


def test_the_nearest_of_many_names_are_found_while_nobody_waits():
    names = [f"source_{number % 20:02}/symbol_{number:05}" for number in range(MANY)]
    nearest = Nearest(names)
    began = time.process_time()
    for number in range(20):
        assert f"source_{number:02}/symbol_{number:05}" in nearest.to(
            f"source_{number:02}/symbl_{number:05}", cutoff=0.4
        )
        assert f"source_{number:02}/symbol_{number:05}" in nearest.to(
            f"wrong/symbol_{number:05}", cutoff=0.4
        )
    # With difflib over all of them each takes more than a second.
    assert (time.process_time() - began) / 40 < 0.1


def test_of_ten_thousand_endpoints_that_are_read_together_a_hundred_are_under_way():
    """All at once, they would wait for each other until their deadlines were over."""
    under_way = most = 0

    class Client(AsyncHealingClient):
        async def fetch(self, endpoint, **options):
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            return endpoint

    names = [str(number) for number in range(MANY)]
    assert asyncio.run(Client().fetch_many(names)) == names
    assert most == AT_ONCE


def test_a_report_of_ten_thousand_endpoints_shows_people_the_least_healthy():
    rows = [Row(f"yahoo/{number:05}") for number in range(MANY)]
    rows[9_000] = replace(rows[9_000], state="open", incidents=1)
    rows[5_000] = replace(rows[5_000], reader_errors=2)
    shown = least_healthy(rows)
    assert len(shown) == MOST_SHOWN
    assert [each.endpoint for each in shown[:2]] == ["yahoo/09000", "yahoo/05000"]
    assert least_healthy(rows[:MOST_SHOWN]) == rows[:MOST_SHOWN]
