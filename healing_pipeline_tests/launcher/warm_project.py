"""A Dagster project of its own, with real instances, code servers and processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget

from healing_pipeline.launcher.claims import Claims
from healing_pipeline.launcher.folder import usable_folder
from healing_pipeline.launcher.messages import call
from healing_pipeline.launcher.process_identity import ProcessIdentity
from healing_pipeline.launcher.processes import processes_of

CODE = """
import os, signal, time
import dagster as dg

SAYS = "first"

@dg.op
def quick(context):
    context.log.info(f"says {SAYS}")

@dg.op
def sleeping():
    time.sleep(60)

@dg.op
def stubborn():
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

@dg.op
def killed():
    os.kill(os.getpid(), signal.SIGKILL)

@dg.op
def leaving():
    os._exit(0)

@dg.op
def raising():
    raise ValueError("no")

def of(op):
    @dg.job(name=f"{op.name}_job", executor_def=dg.in_process_executor)
    def made():
        op()
    return made

OPS = (quick, sleeping, stubborn, killed, leaving, raising)
defs = dg.Definitions(jobs=[of(each) for each in OPS])
"""


@dataclass
class WarmProject:
    """One installation: its folder, and what tests ask of it."""

    folder: Path
    url: str
    launcher: dict[str, Any] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)

    @property
    def code(self) -> Path:
        return self.folder / "warm_code.py"

    @property
    def warm_folder(self) -> Path:
        return usable_folder(self.folder / "w")

    def write(self) -> None:
        """dagster.yaml and the code."""
        self.code.write_text(CODE)
        settings = {
            "telemetry": {"enabled": False},
            "storage": {"postgres": {"postgres_url": self.url}},
            "compute_logs": {
                "module": "dagster.core.storage.noop_compute_log_manager",
                "class": "NoOpComputeLogManager",
            },
            "run_launcher": {
                "module": "healing_pipeline.launcher",
                "class": "WarmRunLauncher",
                "config": {
                    "folder": str(self.folder / "w"),
                    "preload": ["dagster_postgres"],
                    "patience_s": 20.0,
                    "grace_s": 1.0,
                    "linger_s": 1.0,
                    **self.launcher,
                },
            },
        }
        (self.folder / "dagster.yaml").write_text(yaml.safe_dump(settings))

    @contextmanager
    def opened(self) -> Iterator[Opened]:
        """An instance with a code server, as a daemon or a web server holds them."""
        with (
            DagsterInstance.from_config(str(self.folder)) as instance,
            WorkspaceProcessContext(
                instance, PythonFileTarget(str(self.code), None, str(self.folder), "warm")
            ) as workspace,
        ):
            yield Opened(self, instance, workspace)

    def processes(self) -> list[psutil.Process]:
        """All warm processes."""
        return processes_of(self.folder / "w")

    def zygote(self) -> dict[str, Any]:
        """What the zygote says of itself."""
        answer, channel = call(self.warm_folder / "zygote.sock", {"op": "status"}, 5.0)
        channel.close()
        return dict(answer)

    def templates(self) -> list[dict[str, Any]]:
        """What the templates say of themselves."""
        found = []
        for path in self.zygote()["templates"].values():
            if path is not None:
                answer, channel = call(Path(path), {"op": "status"}, 5.0)
                channel.close()
                found.append(dict(answer))
        return found


@dataclass
class Opened:
    """An instance and its workspace."""

    project: WarmProject
    instance: DagsterInstance
    workspace: WorkspaceProcessContext

    def create(self, job: str, tags: dict[str, str] | None = None) -> str:
        """A run that waits to be launched."""
        context = self.workspace.create_request_context()
        location = context.get_code_location("warm")
        repository = next(iter(location.get_repositories().values()))
        remote = repository.get_full_job(job)
        plan = location.get_execution_plan(remote, {}, None, None, self.instance)
        run = self.instance.create_run(
            job_name=job,
            run_id=None,
            run_config={},
            status=DagsterRunStatus.NOT_STARTED,
            tags=tags or {},
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
        return run.run_id

    def launch(self, job: str) -> str:
        """Create and launch a run."""
        run_id = self.create(job)
        self.instance.launch_run(run_id, self.workspace.create_request_context())
        return run_id

    def status(self, run_id: str) -> DagsterRunStatus:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status

    def ended(self, run_id: str, within_s: float = 30.0) -> DagsterRunStatus:
        """Wait for a run's end."""
        until(lambda: self.status(run_id).value in {"SUCCESS", "FAILURE", "CANCELED"}, within_s)
        return self.status(run_id)

    def started(self, run_id: str) -> ProcessIdentity:
        """Wait until a run's op runs; its process."""
        until(lambda: any("STEP_START" in each for each in self.events(run_id)), 30.0)
        claim = Claims(self.project.warm_folder / "claims").of(run_id)
        assert claim is not None
        assert claim.by is not None, "the default launcher has it"
        return claim.by

    def events(self, run_id: str) -> list[str]:
        """Type and message of each event of a run."""
        return [
            f"{each.dagster_event.event_type_value if each.dagster_event else 'LOG'}: "
            f"{each.user_message or (each.dagster_event.message if each.dagster_event else '')}"
            for each in self.instance.all_logs(run_id)
        ]

    def was_warm(self, run_id: str) -> bool:
        claim = Claims(self.project.warm_folder / "claims").of(run_id)
        return claim is not None and claim.by is not None

    def starts(self, run_id: str) -> int:
        """How often the run's job began."""
        return sum(
            each.startswith(("RUN_START:", "PIPELINE_START:")) for each in self.events(run_id)
        )


def until(is_so: Callable[[], bool], within_s: float) -> None:
    end = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
