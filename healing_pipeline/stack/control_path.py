"""Dagster's code server and daemon as parts of a stack: what starts them, what they are told."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from healing_pipeline.errors import HealingPipelineError
from healing_pipeline.installation import CONFIG_VARIABLE, STATE_DIR_VARIABLE
from healing_pipeline.launcher.processes import stop
from healing_pipeline.stack.extra import Extra
from healing_pipeline.stack.processes import Child, ProcessGroup
from healing_pipeline.storage.database import (
    DAGSTER_URL_VARIABLE,
    OWNER_URL_VARIABLE,
    URL_VARIABLE,
)

READY_WITHIN_S = 120.0

LONGEST_SOCKET_PATH = 90

# Read by the warm launcher before dagster.yaml: the stack ends what is in that folder.
WARM_VARIABLE = "DAGSTER_WARM_LAUNCHER_DIR"

# Sensors that stay in their ticks beside the sources' own: those on call, and the rest of ours.
OTHER_SENSORS = 6

# Calls that must not wait for a sensor to come back: a run's launch and its plan, the web page.
OTHER_CALLS = 12


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the processes of one control path have in common.

    Attributes
    ----------
    root : Path
        The folder they run in.
    home : Path
        ``DAGSTER_HOME``: the folder of dagster.yaml.
    """

    root: Path
    home: Path
    config: Path
    state_dir: Path
    url: str
    owner_url: str
    dagster_url: str

    @property
    def warm_folder(self) -> Path:
        """Where the warm launcher has its processes' sockets and claims."""
        return warm_folder(self.state_dir)

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """`environ` for a process of this control path."""
        return {
            **environ,
            "DAGSTER_HOME": str(self.home),
            CONFIG_VARIABLE: str(self.config.resolve()),
            STATE_DIR_VARIABLE: str(self.state_dir),
            URL_VARIABLE: self.url,
            OWNER_URL_VARIABLE: self.owner_url,
            DAGSTER_URL_VARIABLE: self.dagster_url,
            WARM_VARIABLE: str(self.warm_folder),
            # Or a backfill of a year of hours would open a connection for each of them.
            "DAGSTER_EVENT_BATCH_SIZE": "1000",
            # Or a sensor of failed runs would hear of five in a turn, however many failed.
            "DAGSTER_RUN_STATUS_SENSOR_PROCESS_LIMIT": "50",
            # The web page and the sensors' evaluations are no terminals.
            "NO_COLOR": "1",
        }


def warm_folder(state_dir: Path) -> Path:
    """Where the warm launcher of a stack has its processes' sockets and claims."""
    return state_dir / "warm"


def grpc_workers(shards: int) -> int:
    """Threads for the code server: a sensor that stays in its tick occupies one all the while.

    Dagster's own default is a few more than there are cores, which so many sensors would use up;
    a run could not be launched then. Threads that nobody needs are not started.
    """
    return shards + OTHER_SENSORS + OTHER_CALLS


def start_code_server(
    group: ProcessGroup, env: Mapping[str, str], root: Path, socket: Path, shards: int
) -> None:
    """Start the one process that has our definitions loaded; ready when `socket` is there."""
    group.start(
        "code_server",
        [sys.executable, "-m", "dagster", "api", "grpc", "-m", "healing_pipeline.definitions",
         "--socket", str(socket), "--location-name", "healing_pipeline",
         f"--max-workers={grpc_workers(shards)}"],
        env,
        root,
        before_again=partial(socket.unlink, missing_ok=True),
        answers=socket.exists,
    )  # fmt: skip


def start_warm_processes(
    group: ProcessGroup, env: Mapping[str, str], root: Path, socket: Path
) -> Child:
    """Have the first run as soon as any: its process is made ready before anybody asks for it.

    It ends once they are ready, at once where dagster.yaml has another launcher.
    """
    return group.start(
        "warm_processes",
        [sys.executable, "-m", "healing_pipeline.launcher", "start", f"--for={os.getpid()}",
         f"--code-server={socket}"],
        env,
        root,
        may_end=True,
    )  # fmt: skip


def stop_warm_processes(surroundings: Surroundings) -> int:
    """End what the warm launcher started; they are in sessions of their own. How many there were.

    To be called when the daemon is gone: whoever still launches would start others.
    """
    return stop(surroundings.warm_folder)


def start_daemon(
    group: ProcessGroup,
    env: Mapping[str, str],
    root: Path,
    workspace: Path,
    then: Callable[[], object] = lambda: None,
) -> None:
    """Start the daemon: sensors, schedules, the queue of runs. `then` follows a start again."""
    command = [*script("dagster-daemon"), "run", "-w", str(workspace)]
    group.start("daemon", command, env, root, then=then)


def start_extra(group: ProcessGroup, env: Mapping[str, str], root: Path, extra: Extra) -> None:
    """Start a part that only some stacks have; does not wait for it."""
    group.start(
        extra.name,
        extra.command,
        env,
        root,
        before_again=extra.before_again,
        answers=extra.is_ready,
    )


def start_making_due(group: ProcessGroup, env: Mapping[str, str], root: Path) -> Child:
    """Let sensors tick again that wait for a moment of a clock that was ahead; ends by itself."""
    command = [sys.executable, "-m", "healing_pipeline.orchestration.due_again"]
    return group.start("due_again", command, env, root, may_end=True)


def write_workspace(folder: Path, socket: Path) -> Path:
    """Write a workspace file that names the code server on `socket`, so that all share it."""
    workspace = folder / "workspace.yaml"
    workspace.write_text(
        "# Written at the start: daemon and web page share one code server.\n"
        f"load_from:\n  - grpc_server: {{host: localhost, socket: {socket}, "
        "location_name: healing_pipeline}\n"
    )
    return workspace


@contextmanager
def code_socket(folder: Path) -> Iterator[Path]:
    """A path for the code server's Unix socket."""
    with unix_socket(folder, "code.sock") as path:
        yield path


@contextmanager
def unix_socket(folder: Path, name: str) -> Iterator[Path]:
    """A path for a Unix socket, which the system limits to about 100 bytes."""
    path = folder / name
    with ExitStack() as cleaning:
        if len(str(path).encode()) > LONGEST_SOCKET_PATH:
            short = cleaning.enter_context(tempfile.TemporaryDirectory(prefix="healing-"))
            path = Path(short) / name
        path.unlink(missing_ok=True)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def script(name: str) -> list[str]:
    """A command that was installed beside this interpreter."""
    return [sys.executable, str(Path(sys.executable).parent / name)]


def wait_until(ready: Callable[[], bool], group: ProcessGroup, until: float, what: str) -> None:
    """Wait for a part to get ready; see `require_in_time`."""
    while not ready():
        require_in_time(group, until, what)
        time.sleep(0.05)


def require_in_time(group: ProcessGroup, until: float, what: str) -> None:
    """Make sure that it is worth waiting on for a part.

    Parameters
    ----------
    until : float
        On the monotonic clock.

    Raises
    ------
    HealingPipelineError
        If the time is over, or a part of the group stopped by itself; with what to read.
    """
    group.check()
    if time.monotonic() > until:
        raise HealingPipelineError(
            f"{what} did not get ready within {READY_WITHIN_S:.0f} s. Read the logs in "
            f"{group.log_dir} and start again."
        )
