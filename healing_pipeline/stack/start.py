"""Start the stack in its order, tell when it is ready, keep watch until it is stopped."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.catalog.values import Catalog, Upstreams
from healing_pipeline.errors import ConfigurationError, HealingPipelineError
from healing_pipeline.installation import (
    DAGSTER_PAGE_VARIABLE,
    STATE_DIR_VARIABLE,
    load_catalog,
)
from healing_pipeline.simulator.control import SimulatorControl
from healing_pipeline.simulator.hosts import HOSTS, control_address
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.stack.account import Line, line_for
from healing_pipeline.stack.control_path import (
    READY_WITHIN_S,
    Surroundings,
    code_socket,
    script,
    start_code_server,
    start_daemon,
    start_warm_processes,
    stop_warm_processes,
    wait_until,
    write_workspace,
)
from healing_pipeline.stack.ports import is_open, require_free
from healing_pipeline.stack.processes import ProcessGroup
from healing_pipeline.storage.database import (
    Database,
    DatabaseAddress,
    listen,
    resolve_database,
)
from healing_pipeline.storage.migration import migrate
from healing_pipeline.storage.probes import seed_schedule

# A daemon that looks at once at everything would begin with all endpoints in one second.
FIRST_PROBES_WITHIN_S = 20.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be started, and where.

    Attributes
    ----------
    root : Path
        The project's folder: dagster.yaml and workspace.yaml stand in it.
    """

    config: Path
    root: Path
    state_dir: Path
    port: int
    gateway_port: int
    scenario: str
    seed: int

    @property
    def page(self) -> str:
        """Dagster's web page."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def gateway(self) -> str:
        """Where readers of any language ask."""
        return f"http://127.0.0.1:{self.gateway_port}"


class AlreadyRunningError(HealingPipelineError):
    """Another `healing up` works on the same state."""


@contextmanager
def stack(plan: Plan, tell: Tell) -> Iterator[Stack]:
    """Start everything; stop everything, however the block is left.

    Raises
    ------
    HealingPipelineError
        If something cannot be started: a broken configuration, a port in use, a stack that runs
        already. Nothing is left running then.
    """
    with ExitStack() as parts:
        parts.enter_context(_only_one(plan.state_dir))
        catalog = _checked(plan)
        tell("PostgreSQL ...")
        address = resolve_database(os.environ, plan.state_dir)
        parts.callback(_stop_database, address)
        database = parts.enter_context(Database(address.url))
        migrate(database)
        _schedule(database, catalog)
        socket = parts.enter_context(code_socket(plan.state_dir))
        surroundings = Surroundings(
            root=plan.root,
            home=plan.root,
            config=plan.config,
            state_dir=plan.state_dir,
            url=address.url,
            dagster_url=address.dagster_url,
        )
        parts.callback(stop_warm_processes, surroundings)
        group = parts.enter_context(ProcessGroup(plan.state_dir / "logs"))
        _start_processes(plan, catalog, surroundings, socket, group, tell)
        parts.callback(tell, "Stopping ...")
        yield Stack(plan, catalog, database, group)


class Stack:
    """A stack that runs."""

    def __init__(
        self, plan: Plan, catalog: Catalog, database: Database, group: ProcessGroup
    ) -> None:
        self.plan = plan
        self.catalog = catalog
        self._database = database
        self._group = group

    def watch(self, show: Callable[[Line], None], stopped: Callable[[], bool]) -> None:
        """Show every piece of news until `stopped`; raise when a part stops by itself."""
        with listen(self._database.url, ["healing_incident"]) as listener:
            while not stopped():
                for notice in listener.notices(0.5):
                    with self._database.connection() as connection:
                        line = line_for(connection, notice)
                    if line is not None:
                        show(line)
                    if stopped():
                        return
                self._group.check()


def _checked(plan: Plan) -> Catalog:
    for name in ("dagster.yaml", "workspace.yaml"):
        if not (plan.root / name).exists():
            raise ConfigurationError(
                f"There is no {name} in {plan.root}.",
                "Run `healing up` in the project's folder, or copy the file there.",
            )
    catalog = load_catalog(plan.config, os.environ)
    require_free(plan.port, "Dagster's web page", "Choose another: healing up --port 3001.")
    require_free(
        plan.gateway_port, "the gateway", "Choose another: healing up --gateway-port 8889."
    )
    if catalog.upstreams is Upstreams.SIMULATED:
        load_scenario(plan.scenario)
        base = load_settings(plan.config, environ=os.environ).simulator_port
        for port in range(base, base + len(HOSTS) + 1):
            require_free(
                port,
                "the simulated upstreams",
                f"Stop what listens there, or set `simulator: {{port: ...}}` in {plan.config}.",
            )
    return catalog


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise AlreadyRunningError(
                f"`healing up` runs already (process {lock.read().strip() or 'unknown'}). Stop it "
                f"first, or give this one a state of its own: {STATE_DIR_VARIABLE}=..."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)


def _stop_database(address: DatabaseAddress) -> None:
    # Whoever else had joined was one of ours, and is gone.
    if address.server is not None:
        address.server.stop(force=True)


def _schedule(database: Database, catalog: Catalog) -> None:
    spread = Random().random  # noqa: S311 (a schedule, not a secret)
    with database.connection() as connection:
        seed_schedule(
            connection,
            catalog.endpoints.values(),
            datetime.now(UTC),
            lambda: spread() * FIRST_PROBES_WITHIN_S / 60.0,
        )


def _start_processes(
    plan: Plan,
    catalog: Catalog,
    surroundings: Surroundings,
    socket: Path,
    group: ProcessGroup,
    tell: Tell,
) -> None:
    # Messages link to the page of a run.
    env = {**surroundings.environment(os.environ), DAGSTER_PAGE_VARIABLE: plan.page}
    port = load_settings(plan.config, environ=os.environ).simulator_port
    until = time.monotonic() + READY_WITHIN_S
    if catalog.upstreams is Upstreams.SIMULATED:
        tell("Simulated upstreams ...")
        group.start(
            "simulator",
            [sys.executable, "-m", "healing_pipeline.simulator", f"--port={port}",
             f"--seed={plan.seed}", f"--scenario={plan.scenario}", "--loop", "--paused",
             "--exit-with-parent"],
            env,
            plan.root,
        )  # fmt: skip
        wait_until(lambda: is_open(port), group, until, "the simulated upstreams")
    tell("Dagster's code server, daemon and web page ...")
    start_code_server(group, env, plan.root, socket, len(catalog.sources))
    wait_until(socket.exists, group, until, "Dagster's code server")
    workspace = write_workspace(plan.state_dir, socket)
    start_daemon(group, env, plan.root, workspace)
    start_warm_processes(group, env, plan.root, socket)
    group.start(
        "webserver",
        [*script("dagster-webserver"), "-w", str(workspace), "-h", "127.0.0.1", "-p",
         str(plan.port)],
        env,
        plan.root,
    )  # fmt: skip
    tell("Gateway ...")
    group.start(
        "gateway",
        [sys.executable, "-m", "healing_pipeline", "gateway", f"--config={plan.config}",
         f"--port={plan.gateway_port}"],
        env,
        plan.root,
    )  # fmt: skip
    tell("Alerts ...")
    group.start(
        "alerts",
        [sys.executable, "-m", "healing_pipeline", "alerts", "run", f"--config={plan.config}"],
        env,
        plan.root,
    )
    wait_until(lambda: is_open(plan.gateway_port), group, until, "the gateway")
    wait_until(lambda: is_open(plan.port), group, until, "Dagster's web page")
    if catalog.upstreams is Upstreams.SIMULATED:
        # Only now may anything fail: a fault that nobody watches is no demonstration.
        control = SimulatorControl(control_address(port))
        control.start()
        control.close()
        rate = load_scenario(plan.scenario).traffic.requests_per_s
        command = [sys.executable, "-m", "healing_pipeline.stack.readers"]
        group.start(
            "readers", [*command, str(plan.config), str(rate), str(plan.seed)], env, plan.root
        )
