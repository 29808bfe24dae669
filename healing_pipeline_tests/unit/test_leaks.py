"""A data path that has met everything once holds as much as one that has met it many times."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from healing_pipeline.catalog.load import load
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.healing.parts import Clock
from healing_pipeline.installation import build_engine
from healing_pipeline.probing.response import NoAnswer, Response
from healing_pipeline.providers.registry import provider_names
from healing_pipeline_tests.chaos.load_catalog import KEY, KEY_VARIABLE, write_config
from healing_pipeline_tests.chaos.load_faults import Fault
from healing_pipeline_tests.chaos.load_resources import Sample, growth
from healing_pipeline_tests.chaos.load_upstreams import (
    EMPTY,
    ERROR_TEXT,
    HTML,
    OLD_BY_S,
    good,
)

BEGAN = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ENDPOINTS = 200


class Time:
    """Passes when somebody says so, or sleeps."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def clock(self) -> Clock:
        return Clock(
            now=lambda: BEGAN + timedelta(seconds=self.elapsed),
            monotonic=lambda: self.elapsed,
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        self.elapsed += seconds
        await asyncio.sleep(0)


@pytest.fixture
def catalog(tmp_path):
    path = tmp_path / "healing_config.yaml"
    write_config(path, ENDPOINTS, 21_000, 60)
    return load(path, environ={KEY_VARIABLE: KEY}, providers=provider_names())


async def rounds_of(catalog, count: int) -> tuple[list[int], Counter[str]]:
    """Objects that are held after each round of all faults at a third of the sources."""
    time, facts, fault, ill = Time(), [], None, set()

    async def send(request, timeout_s: float) -> Response:
        target = request.url.partition("127.0.0.1:")[2].partition("/")[2]
        second = int(BEGAN.timestamp() + time.elapsed)
        now = fault if request.source in ill else None
        if now is Fault.HANG:
            time.elapsed += timeout_s
            return Response(no_answer=NoAnswer.TIMEOUT, elapsed_s=timeout_s)
        if now is Fault.RESET:
            return Response(no_answer=NoAnswer.NETWORK, elapsed_s=0.01)
        status = {Fault.SERVER_ERROR: 503, Fault.RATE_LIMIT: 429}.get(now, 200)
        body = {Fault.HTML: HTML, Fault.ERROR_TEXT: ERROR_TEXT, Fault.EMPTY: EMPTY}.get(now)
        if body is None:
            age_s = OLD_BY_S if now is Fault.OLD else 0
            body = good(f"/{target}", second - age_s, stranger=now is Fault.STRANGER) or "{}"
        body = body[: len(body) // 2] if now is Fault.TRUNCATED else body
        return Response(status=status, headers={}, body=body.encode(), elapsed_s=0.01)

    engine = build_engine(
        catalog,
        send=send,
        record=facts.append,
        clock=time.clock(),
        snapshots=SnapshotMemory(),
        routes=RouteTable(),
        seed=1,
    )
    names, sources = list(catalog.endpoints), list(catalog.sources)
    held, ends = [], Counter[str]()
    for number in range(count):
        for turn, fault in enumerate((None, *Fault)):  # noqa: B007 (the upstream looks at it)
            ill = set(sources[turn % 3 :: 3])
            for place in range(number % 2, len(names), 6):
                time.elapsed += 0.05
                end = await engine.fetch(names[place])
                ends[type(end).__name__] += 1
        time.elapsed += 120.0
        facts.clear()
        gc.collect()
        held.append(len(gc.get_objects()))
    await engine.aclose()
    return held, ends


def test_the_sixth_round_of_all_faults_leaves_no_more_behind_than_the_fourth(catalog):
    held, ends = asyncio.run(rounds_of(catalog, 6))
    assert ends["Answer"] > 2_000
    # Each second round asks the other half of the endpoints.
    assert max(held[4:]) < 1.01 * max(held[2:4])


def samples(memory_of) -> list[Sample]:
    return [
        Sample(5.0 * number, memory_of(number), 40, number, number / 4) for number in range(120)
    ]


def test_what_rises_by_a_tenth_has_grown_and_what_swings_has_not():
    # From 100 to 110 MB: the mean is 105, and 10 / 105 is 9.5 %.
    rising = growth(samples(lambda number: 100 + 10 * number / 119), 0.0)
    assert round(rising.share, 3) == 0.095
    assert rising.quarters > 0.05
    assert rising.cpu_share == 0.2
    assert rising.kept_waiting == 0.05
    swinging = growth(samples(lambda number: 100 + 8 * (number % 2)), 0.0)
    assert abs(swinging.share) < 0.01
    assert abs(swinging.quarters) < 0.01
