"""A Dagster project of its own, with real instances, code servers and processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml
from dagster import AssetKey, DagsterInstance, DagsterRunStatus
from dagster._core.definitions.selector import JobSubsetSelector
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget

from healing_pipeline.launcher.claims import Claims
from healing_pipeline.launcher.folder import usable_folder
from healing_pipeline.launcher.messages import ConnectionLostError, call
from healing_pipeline.launcher.process_identity import ProcessIdentity
from healing_pipeline.launcher.processes import processes_of, stop

LOCATION = "warm"

CODE = """
import os, signal, time
from pathlib import Path
import dagster as dg

SAYS = "first"
HERE = Path(__file__).parent

def begun(context):
    with (HERE / f"begun-{context.run_id}").open("a") as file:
        file.write("once\\n")

@dg.op
def quick(context):
    begun(context)
    context.log.info(f"says {SAYS}")

@dg.op
def waiting(context):
    begun(context)
    while not (HERE / f"go-{context.run_id}").exists():
        time.sleep(0.02)

@dg.op
def stubborn(context):
    begun(context)
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

@dg.asset(tags={"lane": "slow"})
def heavy(context):
    begun(context)

@dg.asset(tags={"lane": "slow"})
def heavier(context):
    begun(context)

@dg.asset
def light(context):
    begun(context)

defs = dg.Definitions(assets=[heavy, heavier, light], jobs=[of(each) for each in (quick, waiting, stubborn, killed, leaving, raising)])
"""  # noqa: E501 (as it is written there)

DONE = {"SUCCESS", "FAILURE", "CANCELED"}


@dataclass
class Project:
    """Code, its code server, and a database for all instances that run it."""

    folder: Path
    url: str
    workspace: WorkspaceProcessContext

    @property
    def code(self) -> Path:
        return self.folder / "warm_code.py"

    @property
    def code_server(self) -> str:
        """Where it listens."""
        return str(self.location().client.socket)

    def location(self) -> Any:
        return self.workspace.create_request_context().get_code_location(LOCATION)

    def write(self, code: str) -> None:
        """Other code, put in place as editors do: at once."""
        new = self.code.with_suffix(".new")
        new.write_text(code)
        new.replace(self.code)

    def begun(self, run_id: str) -> int:
        """How often the run's op began, by its own account."""
        path = self.folder / f"begun-{run_id}"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def go(self, run_id: str) -> None:
        """Let a waiting run end."""
        (self.folder / f"go-{run_id}").touch()

    @contextmanager
    def home(
        self, name: str, instance: dict[str, Any] | None = None, **launcher: Any
    ) -> Iterator[Home]:
        """An instance with warm processes of its own; they are ended with it.

        `instance` is what else dagster.yaml says, `launcher` what it says of the launcher.
        """
        folder = self.folder / name
        write_home(folder, self.url, launcher, instance or {})
        warm = Path(launcher.get("folder", folder / "w"))
        try:
            with DagsterInstance.from_config(str(folder)) as opened:
                yield Home(self, folder, warm, opened)
        finally:
            stop(warm, grace_s=1.0)


@contextmanager
def project(folder: Path, url: str, code: str = CODE) -> Iterator[Project]:
    """A project with its code server running."""
    (folder / "warm_code.py").write_text(code)
    write_home(folder / "server", url, {}, {})
    target = PythonFileTarget(str(folder / "warm_code.py"), None, str(folder), LOCATION)
    with (
        DagsterInstance.from_config(str(folder / "server")) as instance,
        WorkspaceProcessContext(instance, target) as workspace,
    ):
        yield Project(folder, url, workspace)


def write_home(folder: Path, url: str, launcher: dict[str, Any], instance: dict[str, Any]) -> None:
    """dagster.yaml, with a launcher that is patient: what is tested is not this machine's load."""
    folder.mkdir(exist_ok=True)
    settings = {
        "telemetry": {"enabled": False},
        "storage": {"postgres": {"postgres_url": url}},
        "compute_logs": {
            "module": "dagster.core.storage.noop_compute_log_manager",
            "class": "NoOpComputeLogManager",
        },
        # Else it is left over by the test that started it.
        "code_servers": {"wait_for_local_processes_on_shutdown": True},
        "run_monitoring": {"enabled": True, "start_timeout_seconds": 60},
        "run_coordinator": {
            "module": "dagster.core.run_coordinator",
            "class": "QueuedRunCoordinator",
            "config": {"dequeue_interval_seconds": 1},
        },
        "run_launcher": {
            "module": "healing_pipeline.launcher",
            "class": "WarmRunLauncher",
            "config": {
                "folder": str(folder / "w"),
                "preload": ["dagster_postgres"],
                "prewarmed": 1,
                "patience_s": 30.0,
                "grace_s": 1.0,
                "linger_s": 1.0,
                **launcher,
            },
        },
        **instance,
    }
    (folder / "dagster.yaml").write_text(yaml.safe_dump(settings))


@dataclass
class Home:
    """An instance, its warm processes, and what tests ask of them."""

    project: Project
    folder: Path
    warm: Path
    instance: DagsterInstance

    # Runs

    def create(self, job: str, tags: dict[str, str] | None = None, *assets: str) -> str:
        """A run that waits to be launched: of a job, or of assets as the page starts it."""
        location = self.project.location()
        repository = next(iter(location.get_repositories().values()))
        chosen = frozenset(AssetKey(each) for each in assets) or None
        if chosen is None:
            remote = repository.get_full_job(f"{job}_job")
        else:
            of = JobSubsetSelector(
                location_name=LOCATION,
                repository_name=repository.name,
                job_name="__ASSET_JOB",
                op_selection=None,
                asset_selection=chosen,
            )
            remote = location.get_job(of)
        plan = location.get_execution_plan(remote, {}, None, None, self.instance)
        run = self.instance.create_run(
            job_name=remote.name,
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
            asset_selection=chosen,
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
        self.instance.launch_run(run_id, self.project.workspace.create_request_context())
        return run_id

    def submit(self, job: str, tags: dict[str, str] | None = None, *assets: str) -> str:
        """Create a run and leave it to the coordinator."""
        run_id = self.create(job, tags, *assets)
        self.instance.submit_run(run_id, self.project.workspace.create_request_context())
        return run_id

    def status(self, run_id: str) -> str:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status.value

    def ended(self, run_id: str, within_s: float = 40.0) -> str:
        """Wait for a run's end; its status."""
        until(lambda: self.status(run_id) in DONE, within_s)
        return self.status(run_id)

    def started(self, run_id: str) -> ProcessIdentity:
        """Wait until a run's op runs; its process."""
        until(
            lambda: any("STEP_START" in each for each in self.events(run_id)),
            40.0,
            lambda: f"{self.status(run_id)}: {self.events(run_id)}; {self.log()[-2000:]}",
        )
        claim = Claims(self.warm_folder / "claims").of(run_id)
        assert claim is not None, "the run is not warm"
        assert claim.by is not None, "the default launcher has it"
        return claim.by

    def events(self, run_id: str) -> list[str]:
        """Type and message of each event of a run."""
        return [
            f"{each.dagster_event.event_type_value if each.dagster_event else 'LOG'}: "
            f"{each.user_message or (each.dagster_event.message if each.dagster_event else '')}"
            for each in self.instance.all_logs(run_id)
        ]

    def told(self, run_id: str) -> str:
        """All that a run's log says."""
        return "\n".join(self.events(run_id))

    def gave_up_after(self, run_id: str) -> float:
        """Seconds from a run's launch until the default launcher got it."""
        events = self.instance.all_logs(run_id)
        began = min(each.timestamp for each in events)
        return next(
            each.timestamp - began
            for each in events
            if each.dagster_event and "No warm process" in (each.dagster_event.message or "")
        )

    def was_warm(self, run_id: str) -> bool:
        claim = Claims(self.warm_folder / "claims").of(run_id)
        return claim is not None and claim.by is not None

    def starts(self, run_id: str) -> int:
        """How often the run began, by Dagster's account."""
        return sum(
            each.startswith(("RUN_START:", "PIPELINE_START:")) for each in self.events(run_id)
        )

    # Processes

    @property
    def warm_folder(self) -> Path:
        return usable_folder(self.warm)

    def log(self) -> str:
        path = self.warm_folder / "zygote.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def processes(self) -> list[psutil.Process]:
        """All warm processes."""
        return [each for each in processes_of(self.warm) if is_running(each)]

    def zygote(self) -> int:
        """The pid of the zygote that answers."""
        return int(self._zygote()["pid"])

    def templates(self) -> list[dict[str, Any]]:
        """What the templates say of themselves."""
        said = []
        for path in self._zygote()["templates"].values():
            # One that retires while it is asked hangs up.
            with suppress(ConnectionLostError):
                if path is not None:
                    said.append(_status(Path(path)))
        return said

    def template(self) -> int:
        """The pid of the one template."""
        (one,) = self.templates()
        return int(one["pid"])

    def prewarmed(self, count: int = 1) -> list[int]:
        """Wait until so many processes wait for a run; their pids."""
        until(lambda: sum(len(each["prewarmed"]) for each in self.templates()) >= count, 30.0)
        return [pid for each in self.templates() for pid in each["prewarmed"]]

    def _zygote(self) -> dict[str, Any]:
        return _status(self.warm_folder / "zygote.sock")


def _status(path: Path) -> dict[str, Any]:
    answer, channel = call(path, {"op": "status"}, 10.0)
    channel.close()
    return dict(answer)


def is_running(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(
    is_so: Callable[[], bool],
    within_s: float,
    seen: Callable[[], str] = lambda: "it did not come to pass",
) -> None:
    """Wait for something to come to pass."""
    end = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end, seen()
        time.sleep(0.02)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does not get to run."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def environment(home: Home) -> dict[str, str]:
    """What a command needs that works on a home."""
    return {**os.environ, "DAGSTER_HOME": str(home.folder)}


def write_workspace(home: Home) -> Path:
    """A workspace of the project's running code server, for Dagster's own commands."""
    path = home.folder / "workspace.yaml"
    server = {"socket": home.project.code_server, "location_name": LOCATION}
    path.write_text(json.dumps({"load_from": [{"grpc_server": server}]}))
    return path


@contextmanager
def another_launcher(home: Home, *run_ids: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that launches runs when it is told to; see `another_launcher`."""
    script = str(Path(__file__).with_name("another_launcher.py"))
    process = subprocess.Popen(
        [sys.executable, script, str(home.folder), home.project.code_server, *run_ids],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "open\n"
        try:
            yield process
        finally:
            process.kill()


def go(launcher: subprocess.Popen[str]) -> None:
    """Have it launch."""
    assert launcher.stdin is not None
    launcher.stdin.write("go\n")
    launcher.stdin.flush()


def has_launched(launcher: subprocess.Popen[str]) -> None:
    """Wait until it has."""
    assert launcher.stdout is not None
    assert launcher.stdout.readline() == "launched\n"
