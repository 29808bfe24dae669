"""What a drill was told, and what it keeps of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from healing_pipeline.drill.world import EPOCH, MarkedSender, Telling, caller, clock_offset_s
from healing_pipeline.healing.facts import SnapshotFact
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.provider import UpstreamRequest


def test_old_data_existed_only_where_it_was_good_within_the_time():
    reading = Reading("AAPL", "now", (Point(EPOCH, "price", 1.0),), EPOCH)
    telling = Telling()
    telling.hear(SnapshotFact("yahoo/x", "", EPOCH, EPOCH, "yahoo", reading, b"", "exact"))
    minute = timedelta(minutes=1)
    assert telling.was_good("yahoo/x", EPOCH - minute, EPOCH + minute)
    assert not telling.was_good("yahoo/x", EPOCH + minute, EPOCH + 2 * minute)
    assert not telling.was_good("yahoo/x", EPOCH - minute, EPOCH)
    assert not telling.was_good("yahoo/y", EPOCH - minute, EPOCH + minute)


class Sent:
    """Notes the marks that it is asked to send."""

    def __init__(self):
        self.marks = []

    async def send(self, request, timeout_s, extra_headers):
        self.marks.append(extra_headers["x-request-id"])


@pytest.mark.anyio
async def test_calls_are_marked_by_who_asks_and_those_with_a_crumb_are_noted():
    sent = Sent()
    marked = MarkedSender(sent)
    line = RequestLine("/v7/finance/quote")
    for who, query in (("r1", "symbols=IBM"), ("r1", "symbols=IBM&crumb=abc"), ("r2", "q=crumb")):
        caller.set(who)
        url = f"http://127.0.0.1/v7/finance/quote?{query}"
        await marked.send(UpstreamRequest("yahoo", "query1", None, url, {}, line), 1.0)
    assert sent.marks == ["r1.1", "r1.2", "r2.1"]
    assert marked.with_session == {"r1.2"}


def test_a_simulator_that_answers_late_is_asked_until_its_clock_can_be_trusted():
    askings = []

    def now():
        said = datetime.now(UTC) + timedelta(hours=1)
        askings.append(said)
        if len(askings) < 7:
            time.sleep(0.12)  # what a machine that is busy makes of the way back
        return said

    simulator = SimpleNamespace(control=SimpleNamespace(now=now))
    assert clock_offset_s(simulator) == pytest.approx(3600.0, abs=0.03)
    assert len(askings) == 7
