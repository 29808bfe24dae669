"""Start the stack in its order, tell when it is ready, keep watch until it is stopped."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random

from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.catalog.values import Catalog, Upstreams
from healing_pipeline.installation import DAGSTER_PAGE_VARIABLE, watched_shards
from healing_pipeline.launcher.processes import stop as stop_warm
from healing_pipeline.simulator.control import SimulatorControl
from healing_pipeline.simulator.hosts import control_address
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.stack.control_path import (
    READY_WITHIN_S,
    Surroundings,
    code_socket,
    script,
    start_code_server,
    start_daemon,
    start_extra,
    start_making_due,
    start_warm_processes,
    stop_warm_processes,
    wait_until,
    warm_folder,
    write_workspace,
)
from healing_pipeline.stack.leftovers import end_leftovers
from healing_pipeline.stack.one_at_a_time import only_one
from healing_pipeline.stack.plan import Plan, checked
from healing_pipeline.stack.ports import is_open
from healing_pipeline.stack.processes import ProcessGroup
from healing_pipeline.stack.profiles import Profile, open_profile
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
        parts.enter_context(only_one(plan.state_dir))
        processes = plan.state_dir / "processes.json"
        if left := end_leftovers(processes):
            stop_warm(warm_folder(plan.state_dir))
            tell(f"An earlier `healing up` was killed; the {left} parts that it left were ended.")
        catalog = checked(plan)
        profile = parts.enter_context(
            open_profile(plan.profile, plan.root, plan.state_dir, os.environ)
        )
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
            home=profile.home,
            config=plan.config,
            state_dir=plan.state_dir,
            url=address.url,
            owner_url=address.owner_url,
            dagster_url=address.dagster_url,
        )
        parts.callback(stop_warm_processes, surroundings)
        group = parts.enter_context(ProcessGroup(plan.state_dir / "logs", processes))
        # Messages link to the page of a run.
        env = {
            **surroundings.environment(os.environ),
            **profile.variables,
            DAGSTER_PAGE_VARIABLE: plan.page,
        }
        _start_processes(plan, catalog, profile, env, socket, group, tell)
        server = [] if address.server is None else [server_part(address.server)]
        supervisor = parts.enter_context(Supervisor(lambda: [*server, *group.parts()], tell))
        parts.callback(tell, "Stopping ...")
        yield Stack(
            plan,
            catalog,
            database,
            supervisor,
            tell,
            make_due=partial(start_making_due, group, env, plan.root),
        )


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


def _start_processes(
    plan: Plan,
    catalog: Catalog,
    profile: Profile,
    env: Mapping[str, str],
    socket: Path,
    group: ProcessGroup,
    tell: Tell,
) -> None:
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
    for each in profile.extras:
        tell(f"{each.called} ...")
        start_extra(group, {**env, **each.variables}, plan.root, each)
    tell("Dagster's code server, daemon and web page ...")
    shards = watched_shards(catalog, plan.config, env)
    start_code_server(group, env, plan.root, socket, len(shards))
    wait_until(socket.exists, group, until, "Dagster's code server")
    workspace = write_workspace(plan.state_dir, socket)

    def warm_up() -> None:
        if profile.is_warm:
            start_warm_processes(group, env, plan.root, socket)

    start_daemon(group, env, plan.root, workspace, then=warm_up)
    warm_up()
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
    for each in profile.extras:
        wait_until(each.is_ready, group, until, each.called)
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
