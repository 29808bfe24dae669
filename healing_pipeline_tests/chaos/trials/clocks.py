"""Clocks that are set while all of it runs, and a machine that sleeps.

**Steps.** Data path, control loop and heals run in one process on a PostgreSQL of their own, by a
wall clock that the trial sets and a monotonic one that only passes: by minutes, an hour, a day,
forward and back, and over the hours in which New York and Berlin set theirs, with the process's own
time zone there. Before each step an endpoint fails, its incident is taken by a heal that dies, and
a message to people was put off for a minute. After it, in seconds of the clock that only passes:
until every endpoint has been asked again, until another heal has healed, until the message is due;
then the fault ends, until the incident is resolved. The heal that died wakes up and ends in
between. Readers read throughout; the age that an answer claims is held against the time that has
passed.

**Sleep.** `healing up` with all of its processes, PostgreSQL too, is stopped with SIGSTOP while
faults go on, for longer than a heal may be silent, and woken up with SIGCONT. Both clocks of the
processes go on meanwhile, as with a machine that was suspended they may.

Not covered: kernels whose clock is set under real processes (the steps are injected); leap seconds
as the kernel has them (those in bodies and headers are in the tests).
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psutil
import psycopg
from psycopg import Connection

from healing_pipeline.drill.world import EPOCH
from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.facts import ProbeResult
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.simulator.control import running_simulator
from healing_pipeline.storage.alerts import save_alert
from healing_pipeline.storage.deliveries import add_delivery, claim_delivery, put_off
from healing_pipeline_tests.chaos.outcome import Outcome
from healing_pipeline_tests.chaos.own_server import OwnServer
from healing_pipeline_tests.chaos.stack_account import healed_twice, held, open_incidents
from healing_pipeline_tests.chaos.stack_readers import GatewayReaders
from healing_pipeline_tests.chaos.stepped_world import SteppedWorld, stepped_world
from healing_pipeline_tests.chaos.whole_stack import WholeStack, whole_stack

Say = Callable[[str], None]

MINUTES, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
STEPS = (MINUTES, -MINUTES, HOUR, -HOUR, DAY, -DAY)
ROUNDS, QUICK_ROUNDS = 2, 1
# The process's own zone, and a moment shortly before its clocks are set.
ZONES = (
    ("America/New_York", datetime.fromisoformat("2026-03-08T06:58:00+00:00")),
    ("America/New_York", datetime.fromisoformat("2026-11-01T05:58:00+00:00")),
    ("Europe/Berlin", datetime.fromisoformat("2026-03-29T00:58:00+00:00")),
    ("Europe/Berlin", datetime.fromisoformat("2026-10-25T00:58:00+00:00")),
)

# What each may take at most, by the clock that only passes.
ASKED_WITHIN_S, HEALED_WITHIN_S, RESOLVED_WITHIN_S = 70.0, 75.0, 15.0
LONGEST_S = 300.0
# By so much both clocks go on between two looks.
TURN_S = 3.0
# Nothing helps where the clock says that stored data is an hour old: people are called.
SETTLED = {State.HEALED, State.ESCALATED, State.RESOLVED}
STORED_FOR = timedelta(minutes=15)

# An age is told in whole seconds, and asking takes some of them.
AGE_WITHIN_S = 2.0

SLEEP_S, QUICK_SLEEP_S = 75.0, 8.0
AWAKE_WITHIN_S, QUIET_WITHIN_S = 60.0, 240.0


@dataclass
class Seen:
    """What became of the steps."""

    steps: int = 0
    asked: int = 0
    errors: int = 0
    too_old: int = 0
    asked_s: list[float] = field(default_factory=list)
    healed_s: list[float] = field(default_factory=list)
    resolved_s: list[float] = field(default_factory=list)
    told_s: list[float] = field(default_factory=list)
    age_off_s: float = 0.0
    broken: list[str] = field(default_factory=list)


def run(seed: int, quick: bool, say: Say) -> list[Outcome]:
    """Play both; a row for the steps, one for the days of another length, one for the sleep."""
    steps, zones = Seen(), Seen()
    with (
        tempfile.TemporaryDirectory(prefix="hp-", ignore_cleanup_errors=True) as name,
        running_simulator(seed=seed, epoch=EPOCH) as simulator,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        server = OwnServer(folder)
        try:
            rng = Random(f"clocks:{seed}")

            async def play() -> tuple[dict[str, int], list[str]]:
                async with stepped_world(simulator, server.url, folder / "spool") as world:
                    await _warm_up(world)
                    for _ in range(QUICK_ROUNDS if quick else ROUNDS):
                        for by in rng.sample(STEPS, len(STEPS)):
                            say(f"a step by {by}")
                            await _step(world, rng, by, steps)
                            await _step(world, rng, -by, steps)
                    for zone, moment in ZONES[: 1 if quick else len(ZONES)]:
                        say(f"{zone}, {moment:%Y-%m-%d}")
                        await _over_a_change(world, rng, zone, moment, zones)
                    await asyncio.to_thread(world.recorder.flush, 30.0)
                    return world.recorded(), await world.stored(_impossible)

            recorded, impossible = asyncio.run(play())
            steps.broken += impossible
            lost, doubled = _facts(server, recorded)
        finally:
            server.stop()
    rows = [
        _row("clock set forward or back: 5 min, 1 h, 1 day", steps, lost, doubled),
        _row("clocks of New York or Berlin set for summer or winter", zones, None, None),
    ]
    return [*rows, _sleep(seed, quick, say)]


def _row(fault: str, seen: Seen, lost: int | None, doubled: int | None) -> Outcome:
    return Outcome(
        fault=fault,
        times=seen.steps,
        requests=seen.asked,
        reader_errors=seen.errors,
        events_lost=lost,
        events_doubled=doubled,
        normal_after_s=round(max([*seen.asked_s, *seen.healed_s], default=0.0), 1),
        seen={
            "every endpoint asked again within, s": round(max(seen.asked_s, default=0.0), 1),
            "a heal that died done again within, s": round(max(seen.healed_s, default=0.0), 1),
            "resolved within, s": round(max(seen.resolved_s, default=0.0), 1),
            "a message put off for 60 s due within, s": round(max(seen.told_s, default=0.0), 1),
            "not served, stored data being too old by the clock": seen.too_old,
            "an answer younger by its label than it was by, s": round(seen.age_off_s, 1),
        },
        broken=tuple(seen.broken),
    )


# Steps


async def _warm_up(world: SteppedWorld) -> None:
    await world.make_all_due()
    for endpoint in world.catalog.endpoints:
        await world.read(endpoint)
    await world.look()


async def _over_a_change(
    world: SteppedWorld, rng: Random, zone: str, moment: datetime, seen: Seen
) -> None:
    """Go to two minutes before a change, and live through it, in the process's own time zone."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    there = moment - world.hands.now()
    try:
        world.hands.step(there)
        await _settle_down(world)
        await _step(world, rng, timedelta(), seen)
    finally:
        world.hands.step(-there)
        await _settle_down(world)
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


async def _settle_down(world: SteppedWorld) -> None:
    """Let what a step makes look old or new be seen to, and heal it, until nothing is open."""
    for _ in range(int(LONGEST_S / TURN_S)):
        for request in await world.look():
            taken = await world.take(request)
            if taken is not None:
                await world.heal(taken)
        if not await world.stored(_open):
            return
        world.hands.pass_by(TURN_S)


async def _step(world: SteppedWorld, rng: Random, by: timedelta, seen: Seen) -> None:
    seen.steps += 1
    await _settle_down(world)
    endpoint = rng.choice(_alone(world))
    what = f"step by {by}, {endpoint}"
    world.hands.pass_by(rng.uniform(5.0, 40.0))
    await _read(world, endpoint, seen)
    world.break_(endpoint)
    for _ in range(2):
        world.hands.pass_by(0.1)
        await _read(world, endpoint, seen)
    died = None
    for _ in range(30):
        requests = [each for each in await world.look() if each.endpoint == endpoint]
        if requests and (died := await world.take(requests[0])) is not None:
            break
        world.hands.pass_by(1.0)
    if died is None:
        seen.broken.append(f"{what}: no incident began")
        world.mend()
        return
    await world.stored(lambda c: _put_off(c, world, f"{what} {seen.steps}"))
    stepped_at = world.hands.monotonic()
    world.hands.step(by)
    asked_before = len(world.facts)
    wanted = set(world.catalog.endpoints)
    healed_s = asked_s = told_s = None
    late = rng.uniform(62.0, 120.0)
    while (passed := world.hands.monotonic() - stepped_at) < LONGEST_S:
        await _read(world, endpoint, seen, looks_older=by)
        await _read(world, rng.choice(list(wanted)), seen, looks_older=by)
        for request in await world.look():
            taken = await world.take(request)
            if taken is not None:
                settled = await world.heal(taken)
                if request.endpoint == endpoint and settled.state in SETTLED:
                    healed_s = world.hands.monotonic() - stepped_at
        if asked_s is None and wanted <= _probed(world, asked_before):
            asked_s = passed
        if told_s is None and await world.stored(lambda c: _is_due(c, world)):
            told_s = passed
        if died is not None and passed > late:
            # The heal that was given up for lost ends all the same.
            await world.heal(died)
            died = None
        if None not in (healed_s, asked_s) and died is None:
            break
        world.hands.pass_by(TURN_S)
    _note(seen.asked_s, asked_s, ASKED_WITHIN_S, f"{what}: every endpoint asked again", seen)
    _note(seen.healed_s, healed_s, HEALED_WITHIN_S, f"{what}: healed", seen)
    if told_s is not None:
        seen.told_s.append(told_s)
    await world.stored(_send_all)
    world.mend()
    mended_at, resolved_s = world.hands.monotonic(), None
    while resolved_s is None and world.hands.monotonic() - mended_at < LONGEST_S:
        await world.look()
        if endpoint not in await world.stored(_open):
            resolved_s = world.hands.monotonic() - mended_at
        world.hands.pass_by(TURN_S)
    _note(seen.resolved_s, resolved_s, RESOLVED_WITHIN_S, f"{what}: resolved", seen)


def _alone(world: SteppedWorld) -> list[str]:
    """Endpoints with a path to themselves: a fault of theirs is nobody else's."""
    paths = [world.path_of(each) for each in world.catalog.endpoints]
    return [each for each in world.catalog.endpoints if paths.count(world.path_of(each)) == 1]


def _probed(world: SteppedWorld, since: int) -> set[str]:
    return {fact.endpoint for fact in world.facts[since:] if isinstance(fact, ProbeResult)}


def _note(into: list[float], took: float | None, most: float, what: str, seen: Seen) -> None:
    if took is None:
        seen.broken.append(f"{what}: not within {LONGEST_S:.0f} s")
        return
    into.append(took)
    if took > most:
        seen.broken.append(f"{what}: after {took:.0f} s")


async def _read(
    world: SteppedWorld, endpoint: str, seen: Seen, looks_older: timedelta = timedelta()
) -> None:
    seen.asked += 1
    end = await world.read(endpoint)
    if not isinstance(end, Answer):
        if looks_older > STORED_FOR:
            seen.too_old += 1
            return
        seen.errors += 1
        seen.broken.append(f"{endpoint}: no answer: {end.verdict.evidence}")
        return
    known = world.good_at.get(world.path_of(endpoint))
    if end.fidelity != "stale" or known is None:
        return
    claimed = (world.hands.now() - end.fetched_at).total_seconds()
    passed = world.hands.monotonic() - known
    if claimed < -AGE_WITHIN_S:
        seen.broken.append(f"{endpoint}: data of {claimed:.0f} s ago")
    seen.age_off_s = max(seen.age_off_s, min(passed, LONGEST_S) - claimed)
    if passed - claimed > AGE_WITHIN_S:
        seen.broken.append(f"{endpoint}: {passed:.0f} s old and says {claimed:.0f} s")


def _put_off(connection: Connection[Any], world: SteppedWorld, key: str) -> None:
    now = world.hands.now()
    alert = save_alert(connection, at=now, level="info", title="t", body="b", dedupe_key=key)
    assert alert is not None
    add_delivery(connection, alert_id=alert, channel="trial", at=now)
    put_off(
        connection,
        alert_id=alert,
        channel="trial",
        next_at=now + timedelta(seconds=60),
        error="busy",
    )


def _is_due(connection: Connection[Any], world: SteppedWorld) -> bool:
    return claim_delivery(connection, channel="trial", now=world.hands.now()) is not None


def _send_all(connection: Connection[Any]) -> None:
    connection.execute(
        "UPDATE delivery SET state = 'failed' WHERE channel = 'trial' AND state = 'pending'"
    )


def _open(connection: Connection[Any]) -> list[str]:
    rows = connection.execute("SELECT endpoint FROM incident WHERE state <> 'resolved'")
    return [row[0] for row in rows]


def _impossible(connection: Connection[Any]) -> list[str]:
    """Incidents that lasted less than no time, or whose steps go backwards; routes left over."""
    found = [
        f"incident {row[0]} lasted less than no time"
        for row in connection.execute(
            """SELECT id FROM incident WHERE detected_at < began_at OR healed_at < detected_at
                   OR resolved_at < detected_at OR resolved_at < healed_at"""
        )
    ]
    found += [
        f"incident {row[0]} has steps that go backwards"
        for row in connection.execute(
            """SELECT DISTINCT incident_id FROM (
                   SELECT incident_id, at, lag(at) OVER (PARTITION BY incident_id ORDER BY id) AS b
                     FROM incident_event) AS step WHERE at < b"""
        )
    ]
    found += [
        f"{row[0]} has a route though nothing is wrong"
        for row in connection.execute("SELECT endpoint FROM route WHERE withdrawn_at IS NULL")
    ]
    return found


def _facts(server: OwnServer, recorded: dict[str, int]) -> tuple[int, int]:
    lost = doubled = 0
    for table, wanted in recorded.items():
        ((found,),) = server.rows(f"SELECT count(*) FROM {table}")
        lost += max(0, wanted - found)
        doubled += max(0, found - wanted)
    return lost, doubled


# Sleep


def _sleep(seed: int, quick: bool, say: Say) -> Outcome:
    asleep_s = QUICK_SLEEP_S if quick else SLEEP_S
    broken: list[str] = []
    with whole_stack(2.0, say) as stack:
        readers = GatewayReaders(
            stack.gateway, ["yahoo/chart-aapl-1d", "fred/dgs10"], 4.0, Random(f"sleep:{seed}")
        )
        readers.start()
        stack.simulator.add_fault({"fault": "server_error", "match": {"source": "fred"}})
        time.sleep(10.0)
        everybody = [*stack.processes(), *stack.warm_processes(), *_postgres(stack)]
        _signal(everybody, signal.SIGSTOP)
        say(f"everything sleeps for {asleep_s:.0f} s")
        time.sleep(asleep_s)
        _signal(everybody, signal.SIGCONT)
        woken = time.monotonic()
        awake_s = _until(lambda: _answers(stack), AWAKE_WITHIN_S, "the gateway", broken)
        stack.simulator.clear_faults()
        quiet_s = _until(
            lambda: not open_incidents(stack) and not held(stack), QUIET_WITHIN_S, "quiet", broken
        )
        readers.stop()
        broken += [f"stuck: {each}" for each in open_incidents(stack)]
        broken += [f"healed twice: {each}" for each in healed_twice(stack)]
        ended = stack.log.read_text().count("it is started again")
        say(f"normal {time.monotonic() - woken:.0f} s after it woke up")
    return Outcome(
        fault=f"asleep for {asleep_s:.0f} s (SIGSTOP of every process)",
        times=1,
        requests=readers.asked,
        reader_errors=readers.errors,
        normal_after_s=round(quiet_s, 1),
        seen={
            "the gateway answers after, s": round(awake_s, 1),
            "parts that ended and were started again": ended,
            **{f"error: {what}": count for what, count in readers.why.most_common(5)},
        },
        broken=tuple(broken),
    )


def _postgres(stack: WholeStack) -> list[psutil.Process]:
    pid = int((stack.state / "postgres" / "postmaster.pid").read_text().split()[0])
    postmaster = psutil.Process(pid)
    return [postmaster, *postmaster.children(recursive=True)]


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for each in processes:
        with suppress(psutil.Error):
            each.send_signal(number)


def _answers(stack: WholeStack) -> bool:
    try:
        return httpx.get(f"{stack.gateway}/healthz", timeout=3.0, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _until(what: Callable[[], bool], within_s: float, wanted: str, broken: list[str]) -> float:
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        with suppress(psycopg.Error, RuntimeError):
            if what():
                return time.monotonic() - began
        time.sleep(0.25)
    broken.append(f"{wanted} not within {within_s:.0f} s")
    return within_s
