"""Simulator, control loop, PostgreSQL and gateway, all real, for a browser to look at."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.control import heal_run
from healing_pipeline.control.alerting import Alerting
from healing_pipeline.control.settling import settle
from healing_pipeline.healing.answer import Answer
from healing_pipeline.session import Session, open_session
from healing_pipeline.simulator.control import RunningSimulator, running_simulator
from healing_pipeline.storage import probes
from healing_pipeline.storage.routes import active_routes

LOOK_EVERY_S = 0.3
READY_WITHIN_S = 30.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class World:
    """What a test does to it, and where a browser finds it.

    Attributes
    ----------
    sources : tuple of str
        Those that are watched and healed.
    """

    simulator: RunningSimulator
    session: Session
    config: Path
    environ: dict[str, str]
    port: int
    sources: tuple[str, ...]
    alerting: Alerting
    process: subprocess.Popen[str] | None = None
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dashboard(self) -> str:
        return f"{self.url}/health-dashboard"

    def read(self, endpoint: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}/v1/{endpoint}", headers=headers, timeout=10)

    def fails(self, **fault: Any) -> None:
        self.simulator.control.add_fault(fault)

    def is_well(self) -> None:
        self.simulator.control.clear_faults()

    def stored(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self.session.database.connection() as connection:
            return list(connection.execute(query, values))

    def start_gateway(self) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "healing_pipeline", "gateway"),
                *(f"--config={self.config}", f"--port={self.port}"),
            ],
            env=self.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline
            try:
                httpx.get(f"{self.url}/healthz")
                return
            except httpx.TransportError:
                time.sleep(0.05)

    def stop_gateway(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.communicate(timeout=10)
            self.process = None

    def look(self) -> None:
        """The control path, until stopped: what Dagster's sensors and runs do."""
        watched = [
            each for each in self.session.catalog.endpoints.values() if each.source in self.sources
        ]
        with self.session.database.connection() as connection:
            probes.seed_schedule(connection, watched, self.session.clock.now(), lambda: 0.5)
        asked_for: set[int] = set()
        while not self.stopped.is_set():
            for source in self.sources:
                for request in self.session.call(self.session.watcher.look, source).requests:
                    if request.event_id not in asked_for:
                        asked_for.add(request.event_id)
                        self.session.catch_up(request.endpoint)
                        self.session.call(self.heal, request.incident_id)
            self.evaluate()
            self.stopped.wait(LOOK_EVERY_S)

    def evaluate(self) -> None:
        """Tell people, as `healing alerts run` does."""
        with self.session.database.connection() as connection:
            self.alerting.evaluate(connection, self.session.clock.now())

    async def heal(self, incident_id: int) -> None:
        session = self.session

        def stored(work: Any) -> Any:
            with session.database.connection() as connection:
                return work(connection)

        now = session.clock.now
        taken = await asyncio.to_thread(stored, lambda c: heal_run.take(c, incident_id, now()))
        if taken is None:
            return
        diagnosis = heal_run.diagnosed(session.engine, taken)
        last = session.engine.last_good(taken.endpoint)
        end = await heal_run.healed(session.engine, taken)
        checks: tuple[Any, ...] = ()
        if isinstance(end, Answer):
            provider = session.engine.provider_of(taken.endpoint)
            reading = None if last is None else last.reading
            checks = heal_run.verified(session.catalog, provider, end, reading, now())
        await asyncio.to_thread(stored, lambda c: settle(c, taken, diagnosis, end, checks, now()))
        session.routes.replace_all(await asyncio.to_thread(stored, active_routes))


@contextmanager
def whole_world(
    database_url: str, folder: Path, sources: tuple[str, ...], **environ: str
) -> Iterator[World]:
    """Everything running; gone again at the end."""
    with ExitStack() as stack:
        simulator = stack.enter_context(running_simulator(seed=5, quotas="off"))
        config = folder / "healing_config.yaml"
        text = default_config_text().replace("port: 8900", f"port: {simulator.base_port}")
        config.write_text(re.sub(r"\n +quota: .*", "", text))
        env = {name: each for name, each in os.environ.items() if not name.startswith("HEALING_")}
        env |= {"HEALING_DATABASE_URL": database_url, **environ}
        session = open_session(stack, config, {**env, "HEALING_STATE_DIR": str(folder / "control")})
        world = World(
            simulator,
            session,
            config,
            {**env, "HEALING_STATE_DIR": str(folder / "gateway")},
            free_port(),
            sources,
            Alerting(session.catalog, load_settings(config, environ=env).alerts),
        )
        world.start_gateway()
        stack.callback(world.stop_gateway)
        looking = threading.Thread(target=world.look, name="control")
        looking.start()
        stack.callback(looking.join)
        stack.callback(world.stopped.set)
        yield world
