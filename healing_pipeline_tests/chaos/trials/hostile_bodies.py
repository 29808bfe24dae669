"""Upstreams and readers that send what nobody should, over real sockets, to a gateway process.

Every source is asked through a server of ours that passes on what the simulator says, until it
answers for Yahoo with an attack: bombs, bodies of a gigabyte, floods, lies about lengths, silence,
answers that nobody asked for. Each attack meets one reader who wants the upstream's own words and
several who want an answer; a snapshot that all of them accept is there, so that an honest answer
exists. Then readers attack the gateway itself. PostgreSQL is away all the time.

All the while somebody asks for ``/healthz``, which needs the event loop and nothing else: how long
that takes is how long the loop was held. Memory is the peak that the system itself noted.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from healing_pipeline.simulator.control import running_simulator
from healing_pipeline.simulator.hosts import HOSTS
from healing_pipeline_tests.chaos.hostile_answers import POISON, Answer, answers
from healing_pipeline_tests.chaos.hostile_readers import Told, abuses
from healing_pipeline_tests.chaos.hostile_upstream import HostileUpstreams, hostile_upstreams
from healing_pipeline_tests.chaos.one_gateway import (
    ROOT,
    environment,
    free_port,
    one_gateway,
    write_config,
)
from healing_pipeline_tests.chaos.outcome import Outcome
from healing_pipeline_tests.chaos.watched_gateway import Cost, Watch

NOWHERE = "postgresql://healing@127.0.0.1:1/none"
QUOTE = "/v1/yahoo/quote-aapl"
DEADLINE_S = 2.0
PATIENCE_S = 0.5
"""Over the deadline, for the way to the reader on a machine that does other work too."""
HEALED_READERS = 3
MOST_GROWN_MB = 256.0
LOOP_HELD_S = 0.1
# Whoever measures waits for a processor, too: what waits took in quiet times counts besides.
QUIET_S = 5.0
QUICK = ("gzip bomb", "JSON of empty lists, 8 MB", "10,000 headers", "1xx without end", "silence")
QUICK += ("a second answer nobody asked for", "words that look like a key")
QUICK_ABUSES = ("a length and chunks at once", "a path upwards", "CONNECT", "TLS")
QUICK_ABUSES += ("a WebSocket frame of 1 GB", "1,000 questions at once")


@dataclass
class Seen:
    """What an attack brought about."""

    requests: int = 0
    errors: int = 0
    classes: set[str] = field(default_factory=set)
    worst_s: float = 0.0
    broken: list[str] = field(default_factory=list)


def run(seed: int, quick: bool, say: Callable[[str], None]) -> list[Outcome]:
    """Play every attack once, in a quick trial some."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    try:
        with running_simulator(seed=seed, quotas="off") as simulator:
            base = _free_block()
            config = write_config(folder, base)
            environ = environment(ROOT, HEALING_DATABASE_URL=NOWHERE)
            with one_gateway(ROOT, config, folder, environ) as gateway:
                port = urlsplit(gateway.url).port
                assert port is not None
                with Watch(gateway.process.pid, port) as watch:
                    play = _play(gateway.url, base, simulator.base_port, watch, quick, say)
                    outcomes = asyncio.run(play)
                if gateway.process.poll() is not None:
                    raise RuntimeError(f"the gateway ended: {gateway.log.read_text()[-2000:]}")
                return outcomes
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _play(
    url: str,
    base: int,
    simulator_port: int,
    watch: Watch,
    quick: bool,
    say: Callable[[str], None],
) -> list[Outcome]:
    async with (
        hostile_upstreams(base, simulator_port) as upstreams,
        httpx.AsyncClient(base_url=url, timeout=30.0, trust_env=False) as client,
    ):
        first = await client.get(QUOTE)
        assert first.status_code == 200, first.text
        watch.begin()
        await asyncio.sleep(1.0 if quick else QUIET_S)
        quiet = watch.cost()
        say(f"quiet: the longest wait of {quiet.asked} was {1000 * quiet.worst_wait_s:.0f} ms")
        before = watch.descriptors()
        attacks = answers()
        named = [each for each in attacks if not quick or each in QUICK]
        answered = [
            await _attacked(name, attacks[name], upstreams, client, watch, quiet, say)
            for name in named
        ]
        abused = abuses()
        named_abuses = [each for each in abused if not quick or each in QUICK_ABUSES]
        port = urlsplit(url).port
        assert port is not None
        asked = [
            await _abused(name, abused[name], port, upstreams, client, watch, quiet, say)
            for name in named_abuses
        ]
        await asyncio.sleep(1.0)
        left = watch.descriptors() - before
        if left > 20:
            asked[-1][1].append(f"{left} descriptors more than before")
    return [
        _outcome_of_answers(dict(zip(named, answered, strict=True)), quiet),
        _outcome_of_abuses(dict(zip(named_abuses, asked, strict=True)), quiet),
    ]


async def _attacked(
    name: str,
    answer: Answer,
    upstreams: HostileUpstreams,
    client: httpx.AsyncClient,
    watch: Watch,
    quiet: Cost,
    say: Callable[[str], None],
) -> tuple[Seen, Cost]:
    seen = Seen()
    upstreams.begin(answer.attack)
    watch.begin()
    try:
        await _plain(name, answer, client, seen)
        await asyncio.gather(*(_healed(answer, client, seen) for _ in range(HEALED_READERS)))
        await _healed(answer, client, seen)
    finally:
        met = upstreams.met
        upstreams.end()
    cost = watch.cost()
    if not met:
        seen.broken.append("no request met it")
    after = await client.get(QUOTE, headers={"X-Healing": "off"})
    if POISON in after.content:
        seen.broken.append("a later reader was given an answer that nobody asked for")
    if after.status_code != 200:
        seen.broken.append(f"status {after.status_code} once it was over")
    _judge(cost, quiet, seen.broken)
    classes = ", ".join(sorted(seen.classes)) or "none"
    say(
        f"{name}: met {met}, {classes}, slowest {seen.worst_s:.2f} s, loop held "
        f"{1000 * cost.worst_wait_s:.0f} ms, {cost.grown_mb:.0f} MB, {seen.errors} errors"
        + "".join(f"; {each}" for each in seen.broken)
    )
    return seen, cost


async def _plain(name: str, answer: Answer, client: httpx.AsyncClient, seen: Seen) -> None:
    """A reader who wants the upstream's own words: they are told, or refused with a class."""
    said = await _asked(client, seen, {"X-Healing": "off"})
    if said is None:
        return
    if POISON in said.content and answer.expected == frozenset():
        seen.broken.append("the answer that nobody asked for was served")
    if said.headers.get("content-type") == "application/problem+json":
        found = said.json().get("failure_class", "none")
        seen.classes.add(found)
        if answer.expected and found not in answer.expected:
            seen.broken.append(f"judged as {found}")


async def _healed(answer: Answer, client: httpx.AsyncClient, seen: Seen) -> None:
    """A reader who wants an answer: an honest one is there, in the snapshot at least."""
    said = await _asked(client, seen, {})
    if said is None:
        return
    if said.status_code != 200:
        seen.errors += 1
        seen.broken.append(f"a reader got {said.status_code}")
        return
    if POISON in said.content:
        seen.broken.append("an answer that nobody asked for was served")
    own = said.headers["x-healing-provider"] == "yahoo"
    if answer.expected and own and said.headers["x-healing-fidelity"] == "exact":
        seen.broken.append("an attack was served as exact")


async def _asked(
    client: httpx.AsyncClient, seen: Seen, headers: dict[str, str]
) -> httpx.Response | None:
    began = time.monotonic()
    seen.requests += 1
    try:
        said = await client.get(QUOTE, headers={"X-Healing-Deadline": str(DEADLINE_S), **headers})
    except httpx.HTTPError as error:
        seen.errors += 1
        seen.broken.append(f"no answer at all: {type(error).__name__}")
        return None
    took = time.monotonic() - began
    seen.worst_s = max(seen.worst_s, took)
    if took > DEADLINE_S + PATIENCE_S:
        seen.broken.append(f"an answer after {took:.1f} s, with a deadline of {DEADLINE_S:g} s")
    return said


async def _abused(
    name: str,
    abuse: Callable,
    port: int,
    upstreams: HostileUpstreams,
    client: httpx.AsyncClient,
    watch: Watch,
    quiet: Cost,
    say: Callable[[str], None],
) -> tuple[Told, list[str], Cost]:
    told = Told()
    watch.begin()
    await abuse(port, told)
    cost = watch.cost()
    broken = list(told.wrong)
    if told.left_open:
        broken.append(f"{told.left_open} connections were not ended")
    if any(each >= 500 and each != 503 for each in told.statuses):
        broken.append(f"answered with {sorted(set(told.statuses))}")
    after = await client.get(QUOTE)
    if after.status_code != 200:
        broken.append(f"status {after.status_code} once it was over")
    _judge(cost, quiet, broken)
    say(
        f"{name}: {told.connections} connections, {sorted(set(told.statuses))}, loop held "
        f"{1000 * cost.worst_wait_s:.0f} ms, {cost.grown_mb:.0f} MB"
        + "".join(f"; {each}" for each in broken)
    )
    return told, broken, cost


def _judge(cost: Cost, quiet: Cost, broken: list[str]) -> None:
    if cost.grown_mb > MOST_GROWN_MB:
        broken.append(f"{cost.grown_mb:.0f} MB of memory")
    if cost.worst_wait_s > LOOP_HELD_S + quiet.worst_wait_s:
        broken.append(f"the event loop was held for {1000 * cost.worst_wait_s:.0f} ms")
    if cost.failed:
        broken.append(f"{cost.failed} of {cost.asked} questions for health without an answer")


def _outcome_of_answers(seen: dict[str, tuple[Seen, Cost]], quiet: Cost) -> Outcome:
    return Outcome(
        fault="hostile answers of an upstream, a snapshot at hand",
        times=len(seen),
        requests=sum(each.requests for each, _ in seen.values()),
        reader_errors=sum(each.errors for each, _ in seen.values()),
        seen={
            "longest wait in quiet times, ms": round(1000 * quiet.worst_wait_s),
            "loop held at most, ms": round(1000 * max(c.worst_wait_s for _, c in seen.values())),
            "memory at most, MB": round(max(c.grown_mb for _, c in seen.values())),
            "slowest answer, s": round(max(each.worst_s for each, _ in seen.values()), 2),
            **{
                name: f"{', '.join(sorted(each.classes)) or 'served'}; slowest "
                f"{each.worst_s:.2f} s, loop held {1000 * cost.worst_wait_s:.0f} ms, "
                f"{cost.grown_mb:.0f} MB"
                for name, (each, cost) in seen.items()
            },
        },
        broken=tuple(f"{name}: {why}" for name, (each, _) in seen.items() for why in each.broken),
    )


def _outcome_of_abuses(seen: dict[str, tuple[Told, list[str], Cost]], quiet: Cost) -> Outcome:
    return Outcome(
        fault="hostile requests to the gateway",
        times=len(seen),
        requests=sum(cost.asked for _, _, cost in seen.values()),
        reader_errors=sum(cost.failed for _, _, cost in seen.values()),
        seen={
            "longest wait in quiet times, ms": round(1000 * quiet.worst_wait_s),
            "loop held at most, ms": round(1000 * max(c.worst_wait_s for *_, c in seen.values())),
            "memory at most, MB": round(max(cost.grown_mb for *_, cost in seen.values())),
            **{
                name: f"{told.connections} connections, answered {sorted(set(told.statuses))}, "
                f"loop held {1000 * cost.worst_wait_s:.0f} ms, {cost.grown_mb:.0f} MB"
                for name, (told, _, cost) in seen.items()
            },
        },
        broken=tuple(f"{name}: {why}" for name, (_, broken, _) in seen.items() for why in broken),
    )


def _free_block() -> int:
    """A port with so many free ones behind it as there are simulated hosts."""
    import socket

    while True:
        base = free_port()
        if base + len(HOSTS) > 65_000:
            continue
        try:
            for index in range(len(HOSTS)):
                socket.create_server(("127.0.0.1", base + 1 + index)).close()
        except OSError:
            continue
        return base
