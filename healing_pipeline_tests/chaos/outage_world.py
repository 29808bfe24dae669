"""A drill beside which PostgreSQL breaks: readers in process and over HTTP, looks, heals, alerts.

PostgreSQL, the simulated upstreams, a gateway and what looks after alerts are processes of their
own. Readers in process, looks and heals are the drill's, in the process that plays the trial.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.drill.account import account_of
from healing_pipeline.drill.fates import Read
from healing_pipeline.drill.playing import drive, open_drill, warm_up, watch
from healing_pipeline.drill.schedule import arrivals
from healing_pipeline.drill.world import EPOCH, clock_offset_s, drill_catalog, simulated_clock
from healing_pipeline.installation import CLOCK_OFFSET_VARIABLE, STATE_DIR_VARIABLE
from healing_pipeline.simulator.control import RunningSimulator, running_simulator
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.storage.counts import probe_results
from healing_pipeline.storage.database import URL_VARIABLE, Database
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.storage.spool import files_in
from healing_pipeline_tests.chaos.outage_control import Control
from healing_pipeline_tests.chaos.outage_readers import Got, HttpReaders
from healing_pipeline_tests.chaos.own_server import OwnServer

Say = Callable[[str], None]
Check = Callable[[], Awaitable[bool]]
Breaking = Callable[[OwnServer], AbstractContextManager[object]]

READY_WITHIN_S = 60.0
QUIET_WITHIN_S = 150.0
HTTP_PER_S = 8.0
ALERTS = "\nalerts:\n  keep-firing-for: 3s\n"

# At least one fault begins before, while and after PostgreSQL is away; two last all the while. Each
# can be healed with what readers saw before.
SCENARIO = """\
name: outage
sources: [yahoo, fred, polygon, alpha_vantage, exchange_rate]
duration_s: {duration_s:.0f}
traffic: {{readers: 20, requests_per_s: 20}}
faults:
  - at_s: {early:.1f}
    for_s: {long:.1f}
    match: {{source: yahoo, host: query1}}
    fault: server_error
  - {{at_s: {early:.1f}, for_s: {long:.1f}, match: {{source: fred}}, fault: rate_limit}}
  - {{at_s: {amid:.1f}, for_s: {short:.1f}, match: {{source: polygon}}, fault: server_error}}
  - {{at_s: {amid:.1f}, for_s: {long:.1f}, match: {{source: exchange_rate}}, fault: timeout}}
  - {{at_s: {late:.1f}, for_s: {short:.1f}, match: {{source: alpha_vantage}}, fault: html_page}}
"""


@dataclass(frozen=True, slots=True)
class Times:
    """When what happens, in seconds of the drill."""

    duration_s: float
    breaks_at_s: float
    away_s: float

    @property
    def scenario(self) -> str:
        """The script of faults that goes with it."""
        begins, ends = self.breaks_at_s, self.breaks_at_s + self.away_s
        return SCENARIO.format(
            duration_s=self.duration_s,
            early=begins * 0.4,
            amid=begins + self.away_s * 0.2,
            late=ends + 1.0,
            short=self.away_s * 0.4,
            long=ends + 4.0 - begins * 0.4,
        )


@dataclass
class Played:
    """What was seen of one drill.

    Attributes
    ----------
    report : dict
        The drill's own account, of the readers in process.
    normal_after_s : float
        From PostgreSQL's return until everything was as before; nan when it never was.
    broken : list of str
        What did not come to its end.
    """

    report: dict[str, Any]
    reads: list[Read]
    got: list[Got]
    told: dict[str, int]
    gateway: dict[str, Any]
    recorder: dict[str, Any]
    server: OwnServer
    lost_ticks: dict[str, int]
    served: dict[str, int]
    connections: tuple[dict[str, int], dict[str, int]]
    detail: dict[str, float] = field(default_factory=dict)
    normal_after_s: float = 0.0
    broken: list[str] = field(default_factory=list)


@contextmanager
def outage_drill(
    times: Times,
    seed: int,
    breaking: Breaking | None,
    say: Say,
    most_connections: int | None = None,
) -> Iterator[Played]:
    """Play it; the server is there as long as the block lasts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="healing-chaos-")))
        folder.chmod(0o755)  # the server has a user of its own
        script = folder / "outage.yaml"
        script.write_text(times.scenario)
        server = OwnServer(folder / "server", most_connections)
        stack.callback(server.stop)
        simulator = stack.enter_context(
            running_simulator(seed=seed, scenario=script, epoch=EPOCH, paused=True, quotas="off")
        )
        url = stack.enter_context(processes(folder, server.url, simulator))
        yield asyncio.run(_play(folder, times, seed, breaking, say, server, simulator, url))


async def _play(
    folder: Path,
    times: Times,
    seed: int,
    breaking: Breaking | None,
    say: Say,
    server: OwnServer,
    simulator: RunningSimulator,
    gateway: str,
) -> Played:
    scenario = load_scenario(folder / "outage.yaml")
    catalog = drill_catalog(simulator.addresses, scenario)
    endpoints = list(catalog.endpoints)
    plan = arrivals(endpoints, HTTP_PER_S, times.duration_s, seed + 1_000)
    readers = HttpReaders(gateway, plan)
    with Database(server.url) as database:
        recorder = Recorder(server.url, folder / "drill" / "spool")
        async with open_drill(
            scenario,
            seed=seed,
            duration_s=times.duration_s,
            catalog=catalog,
            read_endpoints=endpoints,
            clock=simulated_clock(simulator),
            simulator=simulator,
            database=database,
            recorder=recorder,
        ) as drill:
            await warm_up(drill, lambda *_: None)
            await readers.prime(endpoints)
            await watch(drill)
            control = Control(drill)
            controlling = asyncio.create_task(control.run())
            connections = await asyncio.to_thread(server.connections)
            quiet = Quiet(folder, server, gateway, control)
            settling = asyncio.create_task(
                quiet.settle(times, breaking or (lambda _: nullcontext()), say)
            )
            asking = asyncio.create_task(readers.run())
            await drive(drill, asyncio.Event().wait(), lambda *_: None)
            await asking
            await settling
            broken = [*quiet.pending, *await quiet.end(controlling)]
            controlling.cancel()
            ended = (await asyncio.gather(controlling, return_exceptions=True))[0]
            if not isinstance(ended, asyncio.CancelledError):
                broken.append(f"the control path goes on, which ended: {ended!r}")
            await asyncio.to_thread(recorder.flush, 15.0)
            drill.told_elsewhere = await drill.store(probe_results)
            report = await drill.store(lambda connection: account_of(drill, connection))
            told = _told(drill.telling.facts)
            async with httpx.AsyncClient(base_url=gateway, trust_env=False) as client:
                ready = (await client.get("/readyz")).json()
            after = await asyncio.to_thread(server.connections)
            recorder.close()
            counters = recorder.counters
    return Played(
        report=report,
        reads=drill.reads,
        got=readers.got,
        told=told,
        gateway=ready,
        recorder={name: getattr(counters, name) for name in ("recorded", "stored", "dropped")},
        server=server,
        lost_ticks=dict(control.lost),
        served=dict(Counter(_mark(each) for each in simulator.control.log())),
        connections=(connections, after),
        detail=quiet.detail,
        normal_after_s=max(quiet.detail.values(), default=0.0),
        broken=[f"not within {QUIET_WITHIN_S:.0f} s: {each}" for each in broken],
    )


class Quiet:
    """Breaks what is to be broken, and waits until all is as before.

    Attributes
    ----------
    detail : dict
        Seconds after PostgreSQL's return, by what was waited for.
    pending : list of str
        What was waited for too long.
    """

    def __init__(self, folder: Path, server: OwnServer, gateway: str, control: Control) -> None:
        self._folders = (folder / "drill" / "spool", folder / "gateway" / "spool")
        self._server = server
        self._gateway = gateway
        self._control = control
        self.detail: dict[str, float] = {}
        self.pending: list[str] = []

    async def settle(self, times: Times, breaking: Breaking, say: Say) -> None:
        """Break it for its time, and see when every part works again."""
        await asyncio.to_thread(_broken, times, breaking, self._server, say)
        back_at, stamp = time.monotonic(), datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        before = await asyncio.to_thread(_evaluated, self._server)

        async def has_no_rests() -> bool:
            found = (path for each in self._folders for path in files_in(each))
            return not any(path.name < stamp for path in found)

        async def has_looked() -> bool:
            return self._control.looked_at > back_at

        async def has_evaluated() -> bool:
            return await asyncio.to_thread(_evaluated, self._server) > before

        await self._until(
            back_at,
            {
                "the gateway is connected": self._is_connected,
                "spools are empty": has_no_rests,
                "sources are looked at": has_looked,
                "alerts are evaluated": has_evaluated,
            },
        )
        say(f"as before: {self.detail}")

    async def end(self, controlling: asyncio.Task[None]) -> list[str]:
        """Wait until incidents and alerts are over, once the faults are; what is not."""
        rows = self._server.rows

        async def has_no_incident() -> bool:
            if controlling.done():
                controlling.result()
            found = "SELECT 1 FROM incident WHERE state <> 'resolved' LIMIT 1"
            return not await asyncio.to_thread(rows, found)

        async def has_no_alert() -> bool:
            found = "SELECT 1 FROM alert_group WHERE resolved_at IS NULL LIMIT 1"
            return not await asyncio.to_thread(rows, found)

        kept, self.detail = self.detail, {}
        wanted = {"no incident is open": has_no_incident, "no alert fires": has_no_alert}
        await self._until(time.monotonic(), wanted)
        self.detail = kept
        return [each for each in self.pending if each in wanted]

    async def _until(self, since: float, wanted: Mapping[str, Check]) -> None:
        pending = dict(wanted)
        while pending and time.monotonic() < since + QUIET_WITHIN_S:
            for name, check in list(pending.items()):
                with suppress(psycopg.OperationalError, httpx.TransportError):
                    if await check():
                        del pending[name]
                        self.detail[name] = round(time.monotonic() - since, 2)
            await asyncio.sleep(0.1)
        self.pending = list(pending)

    async def _is_connected(self) -> bool:
        async with httpx.AsyncClient(base_url=self._gateway, trust_env=False) as client:
            return bool((await client.get("/readyz")).json()["postgresql"] == "connected")


def _broken(times: Times, breaking: Breaking, server: OwnServer, say: Say) -> None:
    time.sleep(times.breaks_at_s)
    with breaking(server) as what:
        time.sleep(times.away_s)
        say(f"broken for {times.away_s:.0f} s: {what}")


def _evaluated(server: OwnServer) -> datetime:
    found = server.rows("SELECT evaluated_at FROM alert_evaluation")
    return found[0][0] if found else datetime.min.replace(tzinfo=UTC)


def _mark(served: Mapping[str, Any]) -> str:
    return str(served["request_id"] or "").partition(".")[0]


def _told(facts: list[Any]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for each in facts:
        counted[type(each).__name__] = counted.get(type(each).__name__, 0) + 1
    return counted


@contextmanager
def processes(
    folder: Path, url: str, simulator: RunningSimulator, more_environ: Mapping[str, str] = {}
) -> Iterator[str]:
    """A gateway and what looks after alerts; the gateway's address."""
    config = folder / "healing_config.yaml"
    text = default_config_text().replace("port: 8900", f"port: {simulator.base_port}")
    config.write_text(re.sub(r"\n +quota: .*", "", text) + ALERTS)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with ExitStack() as stack:
        for name, *more in (("gateway", f"--port={port}"), ("alerts", "run")):
            env = {key: each for key, each in os.environ.items() if not key.startswith("HEALING_")}
            env |= {
                STATE_DIR_VARIABLE: str(folder / name),
                URL_VARIABLE: url,
                CLOCK_OFFSET_VARIABLE: str(clock_offset_s(simulator)),
                **more_environ,
            }
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", "healing_pipeline", name, *more, f"--config={config}"],
                env=env,
                stdout=log,
                stderr=log,
            )
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                if httpx.get(f"{address}/readyz").json()["postgresql"] == "connected":
                    break
            except httpx.TransportError:
                pass
            if time.monotonic() > deadline:
                raise RuntimeError((folder / "gateway.log").read_text()[-2000:])
            time.sleep(0.1)
        yield address
