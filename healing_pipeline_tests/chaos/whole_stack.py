"""`healing up` as a process of its own, with a state folder and ports of its own, to be broken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.installation import STATE_DIR_VARIABLE
from healing_pipeline.launcher.folder import usable_folder
from healing_pipeline.launcher.messages import ConnectionLostError, call
from healing_pipeline.launcher.processes import processes_of
from healing_pipeline.launcher.settings import Settings
from healing_pipeline.simulator.control import SimulatorControl, _free_block
from healing_pipeline.simulator.hosts import control_address
from healing_pipeline.stack.control_path import warm_folder
from healing_pipeline.storage.database import DAGSTER_DATABASE, DATABASE
from healing_pipeline.storage.embedded import url_of_running

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 180.0
STOPPED_WITHIN_S = 60.0

# Words of a part's command line, by its name.
COMMANDS: dict[str, tuple[str, ...]] = {
    "daemon": ("dagster-daemon", "run"),
    "webserver": ("dagster-webserver",),
    "code server": ("api", "grpc"),
    "gateway": ("healing_pipeline", "gateway"),
    "alerts": ("healing_pipeline", "alerts", "run"),
}

ALL_SOURCES = "[yahoo, fred, polygon, alpha_vantage, exchange_rate]"
SCENARIO = """\
name: quiet
sources: [yahoo, fred, polygon, alpha_vantage, exchange_rate]
duration_s: 86400
traffic: {{readers: 1, requests_per_s: {requests_per_s}}}
faults: []
"""


class WholeStack:
    """A stack that runs; made by `whole_stack`."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], ports: list[int]) -> None:
        self.folder = folder
        self.process = process
        self.page, self.gateway = (f"http://127.0.0.1:{port}" for port in ports[:2])
        self.log = folder / "up.log"
        self.state = folder / "state"
        self.config = folder / "config" / "healing_config.yaml"
        self.simulator = SimulatorControl(control_address(ports[2]), timeout_s=20.0)

    @property
    def url(self) -> str:
        """Of the project's tables."""
        return _url(self.state, DATABASE)

    @property
    def dagster_url(self) -> str:
        """Of Dagster's."""
        return _url(self.state, DAGSTER_DATABASE)

    def rows(self, statement: str, *values: object, dagster: bool = False) -> list[Any]:
        """What the tables say, by a connection that is closed again."""
        url = self.dagster_url if dagster else self.url
        with psycopg.connect(url, options="-c search_path=healing,public -c TimeZone=UTC") as conn:
            return conn.execute(statement, values).fetchall()

    def pid_of(self, part: str) -> int | None:
        """The process of a part; None while it is away."""
        for each in self.processes():
            with suppress(psutil.Error):
                words = {Path(word).name for word in each.cmdline()}
                if words.issuperset(COMMANDS[part]):
                    return each.pid
        return None

    def processes(self) -> list[psutil.Process]:
        """All that run for this stack, PostgreSQL apart: they carry its state folder with them."""
        found = []
        for each in psutil.process_iter():
            with suppress(psutil.Error):
                mine = each.environ().get(STATE_DIR_VARIABLE) == str(self.state)
                # The server that somebody of the stack has started has its environment.
                mine = mine and each.name() != "postgres"
                if mine and each.status() != psutil.STATUS_ZOMBIE:
                    found.append(each)
        return found

    def warm(self) -> dict[str, Any] | None:
        """What the warm launcher has: zygote, its one template, those that wait and run."""
        settings = Settings(folder=str(usable_folder(warm_folder(self.state))))
        zygote = _asked(settings.socket)
        if zygote is None:
            return None
        for path in zygote["templates"].values():
            template = None if path is None else _asked(Path(path))
            if template is not None:
                return {"zygote": zygote["pid"], "template": template["pid"],
                        "prewarmed": template["prewarmed"], "runs": template["runs"]}  # fmt: skip
        return {"zygote": zygote["pid"], "template": None, "prewarmed": [], "runs": {}}

    def warm_processes(self) -> list[psutil.Process]:
        """Every warm process of the stack, as the system lists them."""
        return processes_of(warm_folder(self.state))

    def group_of(self, *words: str) -> list[int]:
        """The processes of a part, its first one first, by words of their command line."""
        found = []
        for each in self.processes():
            with suppress(psutil.Error):
                if set(words) <= set(each.cmdline()):
                    found.append(each.pid)
        return sorted(found, key=lambda pid: (os.getpgid(pid) != pid, pid))

    def check(self) -> None:
        """Raise when the stack itself has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the stack ended: {self.log.read_text()[-2000:]}")

    def stop(self) -> float:
        """Stop it as Ctrl-C does; how many seconds that took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(STOPPED_WITHIN_S)
        return time.monotonic() - began


@contextmanager
def whole_stack(
    requests_per_s: float,
    say: Callable[[str], None],
    profile: str = "local",
    config: Callable[[int], str] | None = None,
) -> Iterator[WholeStack]:
    """Start it in a folder that is removed afterwards, ready when everything answers.

    Parameters
    ----------
    config : callable, optional
        The configuration by the simulator's port, instead of the default one; its sources are to
        be yahoo and fred.
    """
    with tempfile.TemporaryDirectory(prefix="hp-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # Its own user runs the embedded server where we are root.
        folder.chmod(0o755)
        base = _free_block()
        for file in ("dagster.yaml", "workspace.yaml"):
            (folder / file).write_text((ROOT / file).read_text())
        (folder / "config").mkdir()
        text = default_config_text().replace("port: 8900", f"port: {base}")
        scenario = SCENARIO.format(requests_per_s=requests_per_s)
        if config is not None:
            text = config(base)
            scenario = scenario.replace(ALL_SOURCES, "[yahoo, fred]")
        (folder / "config" / "healing_config.yaml").write_text(text)
        (folder / "quiet.yaml").write_text(scenario)
        environ = {
            each: value for each, value in os.environ.items() if not each.startswith("HEALING_")
        }
        environ |= {STATE_DIR_VARIABLE: str(folder / "state"), "PYTHONPATH": str(ROOT)}
        with (folder / "up.log").open("wb") as output:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "healing_pipeline", "up", "--scenario=quiet.yaml"),
                    *(f"--port={base - 1}", f"--gateway-port={base - 2}", f"--profile={profile}"),
                ],
                cwd=folder,
                env=environ,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        stack = WholeStack(folder, process, [base - 1, base - 2, base])
        try:
            until = time.monotonic() + READY_WITHIN_S
            while "Ctrl-C stops" not in stack.log.read_text():
                stack.check()
                if time.monotonic() > until:
                    raise RuntimeError(f"the stack did not start: {stack.log.read_text()}")
                time.sleep(0.2)
            say("the stack is up")
            yield stack
        finally:
            if process.poll() is None:
                stack.stop()
            for each in stack.processes():
                with suppress(psutil.Error):
                    each.kill()


def _url(state: Path, database: str) -> str:
    found = url_of_running(state, database)
    if found is None:
        raise RuntimeError("PostgreSQL does not run")
    return found


def _asked(path: Path) -> dict[str, Any] | None:
    try:
        answer, channel = call(path, {"op": "status"}, 2.0)
    except ConnectionLostError:
        return None
    channel.close()
    return dict(answer)
