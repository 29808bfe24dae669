"""What the idle stack of `healing up` holds in memory, part by part.

Starts it on databases and ports of its own, lets one endpoint fail and be healed, so that the warm
launcher has what it keeps, waits until all is idle, and adds up. What is counted is PSS (Linux): a
page that several processes share counts for each of them by its share, so that the sum is what the
machine really holds. RSS, beside it, counts shared pages every time: PostgreSQL's buffers once per
connection, the forks of the warm launcher as if each had loaded everything itself.

    python benchmarks/stack_memory.py [--idle SECONDS] [--json]

Exit code 1 when the sum is above 1.2 GB. The simulated upstreams and their readers are shown, and
not counted: who watches real providers does not have them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.launcher.processes import processes_of
from healing_pipeline.simulator.control import SimulatorControl, _free_block
from healing_pipeline.simulator.hosts import control_address
from healing_pipeline.stack.processes import last_line

ROOT = Path(__file__).parents[1]
MOST_BYTES = 1_200_000_000
READY_WITHIN_S = 120.0
HEALED_WITHIN_S = 90.0

# The one that the stack is asked to heal.
FAULT = {
    "match": {"source": "yahoo", "path": "/v8/finance/chart/IBM"},
    "fault": "server_error",
    "for_s": 8,
}
IDLE = """\
name: idle
sources: [yahoo, fred, polygon, alpha_vantage, exchange_rate]
duration_s: 600
traffic: {readers: 1, requests_per_s: 0.01}
"""

# By what their command lines have in them; the first that fits.
PARTS = {
    "webserver": "dagster-webserver",
    "daemon": "dagster-daemon",
    "code server": "dagster api grpc",
    "gateway": "healing_pipeline gateway",
    "simulated upstreams": "healing_pipeline.simulator",
    "simulated readers": "healing_pipeline.stack.readers",
    "healing up": "healing_pipeline up",
}
NOT_COUNTED = ("simulated upstreams", "simulated readers")
WARM, POSTGRES = "warm launcher", "PostgreSQL"


@dataclass(frozen=True, slots=True)
class Part:
    """The memory of one part, all its processes together, in bytes."""

    name: str
    processes: int
    pss: int
    rss: int

    @property
    def counts(self) -> bool:
        """Whether it is in the sum."""
        return self.name not in NOT_COUNTED


@contextmanager
def running_stack(folder: Path) -> Iterator[tuple[psutil.Process, SimulatorControl]]:
    """`healing up` in a project folder of its own; stopped on exit."""
    base = _free_block()
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, folder)
    config = folder / "config" / "healing_config.yaml"
    config.parent.mkdir()
    config.write_text(default_config_text().replace("port: 8900", f"port: {base}"))
    (folder / "idle.yaml").write_text(IDLE)
    log = folder / "up.log"
    own = {name: value for name, value in os.environ.items() if not name.startswith("HEALING_")}
    with log.open("wb") as output:
        up = subprocess.Popen(
            [
                *(sys.executable, "-m", "healing_pipeline", "up", "--scenario=idle.yaml"),
                *(f"--port={base - 1}", f"--gateway-port={base - 2}"),
            ],
            cwd=folder,
            env={**own, "HEALING_STATE_DIR": str(folder / "state")},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    control = SimulatorControl(control_address(base))
    try:
        _until(lambda: "Watching" in log.read_text(), up, log, READY_WITHIN_S)
        yield psutil.Process(up.pid), control
    finally:
        control.close()
        up.send_signal(signal.SIGINT)
        up.wait(30)


def _until(ready, up: subprocess.Popen[bytes], log: Path, within_s: float) -> None:
    until = time.monotonic() + within_s
    while not ready():
        if up.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"The stack did not come to it: {last_line(log)}")
        time.sleep(0.2)


def account(up: psutil.Process, state: Path) -> list[Part]:
    """The parts as they are now."""
    postmaster = int((state / "postgres" / "postmaster.pid").read_text().split()[0])
    server = psutil.Process(postmaster)
    groups: dict[str, list[psutil.Process]] = {
        WARM: processes_of(state / "warm"),
        POSTGRES: [server, *server.children(recursive=True)],
    }
    taken = {each.pid for each in (*groups[WARM], *groups[POSTGRES])}
    for process in (up, *up.children(recursive=True)):
        if process.pid in taken or process.status() == psutil.STATUS_ZOMBIE:
            continue
        groups.setdefault(_part_of(process), []).append(process)
    parts = []
    for name, members in groups.items():
        memory = [each.memory_full_info() for each in members if each.is_running()]
        parts.append(
            Part(name, len(memory), sum(each.pss for each in memory), sum(m.rss for m in memory))
        )
    return sorted(parts, key=lambda each: (not each.counts, -each.pss))


def _part_of(process: psutil.Process) -> str:
    """By its command line; a process without a name of its own is its parent's."""
    command = " ".join(process.cmdline())
    named = next((name for name, mark in PARTS.items() if mark in command), None)
    if named is not None:
        return named
    parent = process.parent()
    return "other" if parent is None else _part_of(parent)


def main() -> int:
    """Start, heal once, wait, add up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--idle", type=float, default=30.0, help="seconds to wait before counting")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not Path("/proc/self/smaps_rollup").exists():
        print("This system does not tell PSS (Linux does, since 4.14).", file=sys.stderr)
        return 2
    # Not below a folder that is closed to others: the embedded server may be another user's.
    folder = Path(tempfile.mkdtemp(prefix="healing-memory-"))
    folder.chmod(0o755)
    try:
        _tell("Starting the stack ...")
        with running_stack(folder) as (up, control):
            _tell("One endpoint fails and is healed ...")
            control.add_fault(FAULT)
            log = folder / "up.log"
            until = time.monotonic() + HEALED_WITHIN_S
            while " recovered " not in log.read_text():
                if time.monotonic() > until:
                    raise SystemExit(f"It was not healed: {last_line(log)}")
                time.sleep(0.5)
            _tell(f"Idle for {options.idle:.0f} s ...")
            time.sleep(options.idle)
            parts = account(up, folder / "state")
            _tell("Stopping ...")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    total = sum(each.pss for each in parts if each.counts)
    if options.json:
        print(
            json.dumps(
                {
                    "parts": [
                        {"name": each.name, "processes": each.processes, "pss_mb": _mb(each.pss),
                         "rss_mb": _mb(each.rss), "counted": each.counts}
                        for each in parts
                    ],
                    "pss_mb": _mb(total),
                    "most_mb": _mb(MOST_BYTES),
                    "load": os.getloadavg(),
                }
            )
        )  # fmt: skip
    else:
        print(f"{'part':<22}{'processes':>10}{'PSS MB':>10}{'RSS MB':>10}")
        for each in parts:
            note = "" if each.counts else "  (not counted)"
            print(
                f"{each.name:<22}{each.processes:>10}{_mb(each.pss):>10}{_mb(each.rss):>10}{note}"
            )
        print(f"{'sum':<22}{'':>10}{_mb(total):>10}  of {_mb(MOST_BYTES)} at most")
    return 0 if total <= MOST_BYTES else 1


def _mb(count: int) -> float:
    return round(count / 1e6, 1)


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
