"""Eight heals by Celery's worker, which is killed in the middle of them; the short form of a trial.

What `healing up --profile celery` starts runs here: its Redis, its worker, its dagster.yaml. The
daemon's part, to look at runs and to ask again, is played by the test, so that no minute has to
pass.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.monitoring.run_monitoring import monitor_started_run
from dagster_installation import QUIET

from healing_pipeline.control.steps import apply_move
from healing_pipeline.incidents.detection import KnownIncident, overdue
from healing_pipeline.simulator.control import RunningSimulator
from healing_pipeline.stack.celery import celery_parts
from healing_pipeline.stack.control_path import start_extra
from healing_pipeline.stack.dagster_home import settings_of, write_home_with
from healing_pipeline.stack.processes import Child, ProcessGroup
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.incidents import (
    NewIncident,
    begin_incidents,
    incident_by_id,
    incident_events,
)

pytestmark = [
    QUIET,
    pytest.mark.processes,
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore::celery.exceptions.DuplicateTaskNameWarning"),
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
]

ROOT = Path(__file__).parents[2]
HEALS = 8
# Longer than anything here: a heal is under way until its worker is killed.
SLOW_S = 30.0

CONFIG = """\
upstreams: simulated
simulator: {port: %d}
sources:
  fred:
    hosts: {api: https://api.stlouisfed.org}
    keys: {primary: {env: FRED_API_KEY}}
endpoints:
"""
ENDPOINT = (
    "  fred/dgs10-%d: {path: /fred/series/observations, "
    "params: {series_id: DGS10, file_type: json, sort_order: desc, limit: %d}}\n"
)


@dataclass(frozen=True, slots=True)
class World:
    """The profile's parts, with an instance that launches by them."""

    database: Database
    instance: dg.DagsterInstance
    workspace: WorkspaceProcessContext
    group: ProcessGroup
    worker: Child

    def launch(self, incident_id: int, event_id: int) -> str:
        """Ask for a heal as a sensor does."""
        location = self.workspace.create_request_context().get_code_location("healing")
        repository = next(iter(location.get_repositories().values()))
        remote = repository.get_full_job("heal_endpoint")
        config = {"incident_id": incident_id, "event_id": event_id}
        run_config = {"ops": {"diagnose": {"config": config}}}
        plan = location.get_execution_plan(remote, run_config, None, None, self.instance)
        run = self.instance.create_run(
            job_name=remote.name,
            run_id=None,
            run_config=run_config,
            status=dg.DagsterRunStatus.NOT_STARTED,
            tags={**remote.tags, "healing/incident_event": str(event_id)},
            root_run_id=None,
            parent_run_id=None,
            step_keys_to_execute=None,
            execution_plan_snapshot=plan.execution_plan_snapshot,
            job_snapshot=remote.job_snapshot,
            parent_job_snapshot=remote.parent_job_snapshot,
            asset_selection=None,
            asset_check_selection=None,
            resolved_op_selection=None,
            op_selection=None,
            remote_job_origin=remote.get_remote_origin(),
            job_code_origin=remote.get_python_origin(),
            asset_graph=repository.asset_graph,
        )
        self.instance.submit_run(run.run_id, self.workspace.create_request_context())
        return str(run.run_id)

    def states(self, incidents: list[int]) -> list[str]:
        with self.database.connection() as connection:
            found = [incident_by_id(connection, each) for each in incidents]
        return [str(each.state) for each in found if each is not None]

    def statuses(self, run_ids: list[str]) -> list[str]:
        found = [self.instance.get_run_by_id(each) for each in run_ids]
        return [each.status.value for each in found if each is not None]

    def monitor(self, run_ids: list[str]) -> None:
        """One look of run monitoring."""
        context = self.workspace.create_request_context()
        for each in run_ids:
            record = self.instance.get_run_record_by_id(each)
            if record is not None and record.dagster_run.status.value == "STARTED":
                monitor_started_run(self.instance, context, record, logging.getLogger("monitor"))

    def until(self, is_so: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
        end = time.monotonic() + within_s
        while not is_so():
            assert time.monotonic() < end, f"{what}; {self.worker.log.read_text()[-3000:]}"
            time.sleep(0.05)


@pytest.fixture
def world(
    simulator: RunningSimulator,
    pg_server: Any,
    database_url: str,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    if shutil.which("redis-server") is None:
        if os.environ.get("HEALING_REDIS_TESTS") == "required":
            pytest.fail("HEALING_REDIS_TESTS=required, and there is no redis-server")
        pytest.skip("there is no redis-server")
    config = tmp_path / "healing_config.yaml"
    lines = [ENDPOINT % (limit, limit) for limit in range(20, 20 + HEALS)]
    config.write_text(CONFIG % simulator.base_port + "".join(lines), encoding="utf-8")
    dagsters = f"celery_{uuid4().hex}"
    pg_server.create(dagsters)
    simulator.control.start()
    with ExitStack() as stack:
        stack.callback(pg_server.drop, dagsters)
        stack.callback(simulator.control.clear_faults)
        # Short: a socket's path is limited.
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="c")))
        parts = stack.enter_context(celery_parts(state, os.environ))
        write_home_with(tmp_path / "home", settings_of(ROOT), parts.run_launcher)
        variables = {
            **parts.variables,
            "DAGSTER_HOME": str(tmp_path / "home"),
            "HEALING_CONFIG": str(config),
            "HEALING_STATE_DIR": str(state),
            "HEALING_DATABASE_URL": database_url,
            "HEALING_DAGSTER_DATABASE_URL": pg_server.url(dagsters),
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        group = stack.enter_context(ProcessGroup(tmp_path / "logs"))
        redis, heals, _ = parts.extras
        for each in (redis, heals):
            start_extra(group, {**os.environ, **each.variables}, ROOT, each)
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(tmp_path / "home")))
        target = ModuleTarget("healing_pipeline.definitions", None, str(ROOT), "healing")
        workspace = stack.enter_context(WorkspaceProcessContext(instance, target))
        worker = next(each for each in group._children if each.name == "heal_worker")
        world = World(database, instance, workspace, group, worker)
        world.until(heals.is_ready, "the worker is not ready")
        yield world


def test_a_worker_that_is_killed_amid_eight_heals_leaves_none_unhealed_and_none_healed_twice(
    world: World, simulator: RunningSimulator
) -> None:
    simulator.control.add_fault(
        {"for_s": 600.0, "match": {"source": "fred"}, "fault": "slow", "latency_s": SLOW_S}
    )
    with world.database.connection() as connection:
        begun = begin_incidents(
            connection, [_incident(f"fred/dgs10-{20 + number}") for number in range(HEALS)]
        )
    incidents = [each.incident_id for each in begun.values()]
    first = [world.launch(each.incident_id, each.event_id) for each in begun.values()]
    world.until(
        lambda: world.states(incidents) == ["healing"] * HEALS, "not all of them are being healed"
    )

    os.killpg(world.worker.process.pid, signal.SIGKILL)
    simulator.control.clear_faults()
    (part,) = [each for each in world.group.parts() if each.name == "Heal worker"]
    world.until(lambda: part.ended() is not None, "it is not gone")
    part.start()
    assert part.answers is not None
    world.until(part.answers, "the next worker is not ready")
    world.until(
        lambda: world.monitor(first) or set(world.statuses(first)) == {"FAILURE"},
        "run monitoring does not find the runs lost",
    )

    # A minute later, by the clock that the looks go by.
    later = datetime.now(UTC) + timedelta(seconds=61)
    asked = {}
    for each in incidents:
        with world.database.connection() as connection:
            known = incident_by_id(connection, each)
            assert known is not None
            move = overdue(KnownIncident(known.id, known.state, known.state_since), later)
            assert move is not None
            apply_move(connection, move, known.endpoint, datetime.now(UTC))
            asked[each] = incident_events(connection, each)[-1].id
    second = [world.launch(*each) for each in asked.items()]
    world.until(lambda: set(world.statuses(second)) == {"SUCCESS"}, "the heals do not end")

    assert world.states(incidents) == ["resolved"] * HEALS
    with world.database.connection() as connection:
        told = [[e.signal for e in incident_events(connection, each)] for each in incidents]
    assert told == [["confirmed", "heal_started", "heal_lost", "heal_started", "recovered"]] * HEALS
    starts = [
        len(world.instance.all_logs(each, of_type=dg.DagsterEventType.RUN_START))
        for each in (*first, *second)
    ]
    assert starts == [1] * (2 * HEALS)


def _incident(endpoint: str) -> NewIncident:
    now = datetime.now(UTC)
    return NewIncident(
        endpoint=endpoint,
        source="fred",
        failure_class="server_error",
        evidence="opened by a test",
        severity="warning",
        detected_by="probe",
        began_at=now,
        at=now,
        signal="confirmed",
        to_state="open",
        asks_heal=True,
        note="opened by a test",
    )
