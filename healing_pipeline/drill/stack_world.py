"""What a drill of the whole stack runs in: two scratch databases, and Dagster's processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from healing_pipeline.drill.heal_times import HealRun
from healing_pipeline.errors import HealingPipelineError
from healing_pipeline.installation import CLOCK_OFFSET_VARIABLE, state_dir
from healing_pipeline.launcher.folder import usable_folder
from healing_pipeline.stack.control_path import (
    READY_WITHIN_S,
    Surroundings,
    code_socket,
    require_in_time,
    start_code_server,
    start_daemon,
    start_warm_processes,
    stop_warm_processes,
    write_workspace,
)
from healing_pipeline.stack.dagster_home import Launcher, write_home
from healing_pipeline.stack.processes import Child, ProcessGroup, last_line
from healing_pipeline.storage.database import Database, resolve_database
from healing_pipeline.storage.migration import bring_up_to_date
from healing_pipeline.storage.scratch import dagster_scratch_database, scratch_database

READ_RECORD_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Databases:
    """Where a drill's tables and Dagster's are."""

    url: str
    owner_url: str
    dagster_url: str


@contextmanager
def stack_databases() -> Iterator[Databases]:
    """Two databases of the drill's own on this installation's servers; dropped afterwards."""
    address = resolve_database(os.environ, state_dir(os.environ))
    name = f"drill_{uuid4().hex[:12]}"
    try:
        with ExitStack() as scratch:
            ours = scratch.enter_context(scratch_database(address, name))
            theirs = urlsplit(address.dagster_url)
            scratch.enter_context(dagster_scratch_database(address, f"{name}_dagster"))
            with Database(ours.url) as database:
                bring_up_to_date(database, ours.owner_url)
            dagster_url = theirs._replace(path=f"/{name}_dagster").geturl()
            yield Databases(ours.url, ours.owner_url, dagster_url)
    finally:
        address.close()


@contextmanager
def drill_folder(parent: Path) -> Iterator[Path]:
    """A folder for one drill; it stays behind where the drill fails, for its logs."""
    folder = parent / f"drill-{uuid4().hex[:8]}"
    folder.mkdir(parents=True)
    failed = False
    try:
        yield folder
    except Exception:
        failed = True
        raise
    finally:
        if not failed:
            shutil.rmtree(folder, ignore_errors=True)


class ControlPath:
    """Dagster's processes of one drill; made by `control_path`."""

    def __init__(
        self, surroundings: Surroundings, group: ProcessGroup, socket: Path, offset_s: float
    ) -> None:
        self._surroundings = surroundings
        self._group = group
        self._socket = socket
        self._env = {
            **surroundings.environment(os.environ),
            CLOCK_OFFSET_VARIABLE: repr(offset_s),
        }
        self._until = time.monotonic() + READY_WITHIN_S
        self._warming: Child | None = None

    def load_code(self, sources: int) -> None:
        """Start to load the definitions; does not wait for it."""
        start_code_server(self._group, self._env, self._surroundings.root, self._socket, sources)

    @property
    def has_loaded_code(self) -> bool:
        """Whether the definitions are loaded."""
        return self._socket.exists()

    def start_daemon(self) -> None:
        """Start the daemon and the warm processes, as `healing up` does; the code is loaded."""
        root = self._surroundings.root
        workspace = write_workspace(self._surroundings.state_dir, self._socket)
        start_daemon(self._group, self._env, root, workspace)
        self._warming = start_warm_processes(self._group, self._env, root, self._socket)

    @property
    def has_warmed_up(self) -> bool:
        """Whether a run would begin as soon as any; with another launcher they all begin alike."""
        return self._warming is not None and self._warming.process.poll() is not None

    def require_in_time(self, what: str) -> None:
        """Raise when a part has stopped, or the time for getting ready is over.

        Raises
        ------
        HealingPipelineError
            With what to read.
        """
        require_in_time(self._group, self._until, what)

    def check(self) -> None:
        """Raise `ProcessDiedError` when a part has stopped by itself."""
        self._group.check()

    def stop(self) -> None:
        """Stop everything that was started. Idempotent."""
        self._group.stop()
        stop_warm_processes(self._surroundings)

    def heal_runs(self) -> list[HealRun]:
        """Every heal run, as Dagster has recorded it.

        Raises
        ------
        HealingPipelineError
            If the record cannot be read.
        """
        log = self._group.log_dir / "run_times.log"
        with log.open("wb") as errors:
            done = subprocess.run(  # nosec B603
                [sys.executable, "-m", "healing_pipeline.orchestration.run_times"],
                env=self._env,
                cwd=self._surroundings.root,
                stdout=subprocess.PIPE,
                stderr=errors,
                check=False,
                timeout=READ_RECORD_WITHIN_S,
            )
        if done.returncode != 0:
            raise HealingPipelineError(
                f"Dagster's record of the runs cannot be read: {last_line(log)} Read {log}."
            )
        return [
            HealRun(
                run_key=each["run_key"],
                status=each["status"],
                created_s=each["created_s"],
                dequeued_s=each["dequeued_s"],
                steps={name: (begin, end) for name, (begin, end) in each["steps"].items()},
                ended_s=each["ended_s"],
            )
            for each in json.loads(done.stdout)
        ]


@contextmanager
def control_path(
    *,
    root: Path,
    folder: Path,
    config: Path,
    databases: Databases,
    settings: dict[str, object],
    launcher: Launcher,
    clock_offset_s: float,
) -> Iterator[ControlPath]:
    """Dagster's processes for one drill; nothing runs yet on entry, nothing any more on exit."""
    # Apart from our own files: Dagster removes a folder `logs` in its home when it ends.
    home = folder / "dagster_home"
    write_home(home, settings, launcher)
    surroundings = Surroundings(
        root=root,
        home=home,
        config=config,
        state_dir=folder,
        url=databases.url,
        owner_url=databases.owner_url,
        dagster_url=databases.dagster_url,
    )
    with code_socket(folder) as socket, ProcessGroup(folder / "logs") as group:
        dagster = ControlPath(surroundings, group, socket, clock_offset_s)
        try:
            yield dagster
        finally:
            dagster.stop()
            short = usable_folder(surroundings.warm_folder)
            if not short.is_relative_to(folder.resolve()):
                shutil.rmtree(short, ignore_errors=True)
