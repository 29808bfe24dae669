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
from functools import partial
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
from healing_pipeline.launcher.processes import stop as stop_warm
from healing_pipeline.simulator.control import SimulatorControl
from healing_pipeline.simulator.hosts import HOSTS, control_address
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.stack.control_path import (
    READY_WITHIN_S,
    Surroundings,
    code_socket,
    script,
    start_code_server,
    start_daemon,
    start_making_due,
    start_warm_processes,
    stop_warm_processes,
    wait_until,
    warm_folder,
    write_workspace,
)
from healing_pipeline.stack.leftovers import end_leftovers
from healing_pipeline.stack.ports import is_open, require_free
from healing_pipeline.stack.processes import ProcessGroup
from healing_pipeline.stack.running import Stack, server_part
from healing_pipeline.stack.supervision import Supervisor
from healing_pipeline.storage.clock_repairs import put_right
from healing_pipeline.storage.database import (
    Database,
    DatabaseAddress,
    resolve_database,
)
from healing_pipeline.storage.migration import bring_up_to_date
from healing_pipeline.storage.probes import seed_schedule
from healing_pipeline.storage.roles import warning_of

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
        processes = plan.state_dir / "processes.json"
        if left := end_leftovers(processes):
            stop_warm(warm_folder(plan.state_dir))
            tell(f"An earlier `healing up` was killed; the {left} parts that it left were ended.")
        catalog = _checked(plan)
        tell("PostgreSQL ...")
        address = resolve_database(os.environ, plan.state_dir)
        parts.callback(_stop_database, address)
        database = parts.enter_context(Database(address.url))
        bring_up_to_date(database, address.owner_url)
        if warning := warning_of(address.url):
            tell(warning)
        _schedule(database, catalog)
        socket = parts.enter_context(code_socket(plan.state_dir))
        surroundings = Surroundings(
            root=plan.root,
            home=plan.root,
            config=plan.config,
            state_dir=plan.state_dir,
            url=address.url,
            owner_url=address.owner_url,
            dagster_url=address.dagster_url,
        )
        parts.callback(stop_warm_processes, surroundings)
        group = parts.enter_context(ProcessGroup(plan.state_dir / "logs", processes))
        _start_processes(plan, catalog, surroundings, socket, group, tell)
        server = [] if address.server is None else [server_part(address.server)]
        supervisor = parts.enter_context(Supervisor(lambda: [*server, *group.parts()], tell))
        parts.callback(tell, "Stopping ...")
        yield Stack(
            plan,
            catalog,
            database,
            supervisor,
            tell,
            make_due=partial(start_making_due, group, _environment(plan, surroundings), plan.root),
        )


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
    spread = Random().random  # noqa: S311 (a schedule, not a secret)  # nosec B311
    now = datetime.now(UTC)
    with database.connection() as connection:
        # The clock may have been set back while nobody looked.
        put_right(connection, now)
        seed_schedule(
            connection,
            catalog.endpoints.values(),
            now,
            lambda: spread() * FIRST_PROBES_WITHIN_S / 60.0,
        )


def _environment(plan: Plan, surroundings: Surroundings) -> dict[str, str]:
    # Messages link to the page of a run.
    return {**surroundings.environment(os.environ), DAGSTER_PAGE_VARIABLE: plan.page}


def _start_processes(
    plan: Plan,
    catalog: Catalog,
    surroundings: Surroundings,
    socket: Path,
    group: ProcessGroup,
    tell: Tell,
) -> None:
    env = _environment(plan, surroundings)
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
            answers=lambda: is_open(port),
            then=lambda: _begin_faults(port),
        )  # fmt: skip
        wait_until(lambda: is_open(port), group, until, "the simulated upstreams")
    tell("Dagster's code server, daemon and web page ...")
    start_code_server(group, env, plan.root, socket, len(catalog.sources))
    wait_until(socket.exists, group, until, "Dagster's code server")
    workspace = write_workspace(plan.state_dir, socket)
    start_daemon(
        group,
        env,
        plan.root,
        workspace,
        then=lambda: start_warm_processes(group, env, plan.root, socket),
    )
    start_warm_processes(group, env, plan.root, socket)
    group.start(
        "webserver",
        [*script("dagster-webserver"), "-w", str(workspace), "-h", "127.0.0.1", "-p",
         str(plan.port)],
        env,
        plan.root,
        answers=lambda: is_open(plan.port),
    )  # fmt: skip
    tell("Gateway ...")
    group.start(
        "gateway",
        [sys.executable, "-m", "healing_pipeline", "gateway", f"--config={plan.config}",
         f"--port={plan.gateway_port}"],
        env,
        plan.root,
        answers=lambda: is_open(plan.gateway_port),
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
        _begin_faults(port)
        rate = load_scenario(plan.scenario).traffic.requests_per_s
        command = [sys.executable, "-m", "healing_pipeline.stack.readers"]
        group.start(
            "readers", [*command, str(plan.config), str(rate), str(plan.seed)], env, plan.root
        )


def _begin_faults(port: int) -> None:
    control = SimulatorControl(control_address(port))
    try:
        control.start()
    finally:
        control.close()
