"""The process that has imported what runs need, and forks a template for each code location.

It has one thread and holds no connection. It ends when no launcher holds it any more, and when what
it imported has changed.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from healing_pipeline.launcher.claims import Claims
from healing_pipeline.launcher.forking import Closable, fork, speak_softly, thread_count
from healing_pipeline.launcher.held_templates import HeldTemplates
from healing_pipeline.launcher.loaded_files import LoadedFiles
from healing_pipeline.launcher.messages import Channel, ConnectionLostError, Message
from healing_pipeline.launcher.process_identity import ProcessIdentity, identity_of
from healing_pipeline.launcher.settings import Settings
from healing_pipeline.launcher.switchboard import Switchboard

TICK_S = 1.0
CLAIMS_EVERY_S = 3600.0

# A log is read by people, the last lines of it.
MOST_LOG_BYTES = 4 * 1024 * 1024

# What every run needs, whatever its code.
ALWAYS = ("dagster", "dagster._cli.api", "healing_pipeline.launcher.template")

# What Dagster imports late, in every run; where another Dagster has it elsewhere, a run imports it.
USUALLY = (
    "dagster._core.execution.plan.active",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.instance.runs.run_domain",
    "dagster._core.run_coordinator.queued_run_coordinator",
    "dagster._core.storage.noop_compute_log_manager",
    "dagster._core.storage.root",
    "dagster._core.system_config.composite_descent",
    "upath.core",
    "upath.implementations.local",
    "fsspec.implementations.local",
)


class Zygote:
    """Forks templates and tells launchers where they listen.

    Parameters
    ----------
    settings : Settings
    lock : int
        Descriptor of the lock file; locked for as long as the zygote lives.
    files : LoadedFiles
        What it has imported.
    """

    def __init__(self, settings: Settings, lock: int, files: LoadedFiles) -> None:
        self._settings = settings
        self._lock = lock
        self._files = files
        self._board = Switchboard(settings.socket)
        self._templates = HeldTemplates(settings, self._board, files, self._fork)
        self._pids: set[int] = set()  # of all that were forked and live, the retired ones included
        self._holders: set[Channel] = set()
        self._processes: set[ProcessIdentity] = set()
        self._alone_since = time.monotonic()
        self._claims_at = 0.0
        self._told_to_end = False
        self._why_end: str | None = None

    def main(self) -> int:
        """Serve until there is a reason to end; the exit code."""
        print(f"zygote {os.getpid()} listens at {self._settings.socket}", flush=True)
        self._forget_dead_sockets()
        while self._why_end is None:
            for channel in self._board.ready(TICK_S):
                if channel in self._board.clients:
                    self._hear_client(channel)
                else:
                    self._templates.hear(channel)
            self._heed()
            self._reap()
            self._look_around()
        print(f"zygote {os.getpid()} ends: {self._why_end}", flush=True)
        self._wind_up()
        return 0

    def _heed(self) -> None:
        if self._board.signals & {signal.SIGTERM, signal.SIGINT}:
            self._told_to_end = True
            self._why_end = "it was told to"
        self._board.signals.clear()

    def _look_around(self) -> None:
        now = time.monotonic()
        self._processes = {each for each in self._processes if each.is_alive()}
        self._holders &= self._board.clients
        if self._holders or self._processes:
            self._alone_since = now
        if now - self._alone_since > self._settings.linger_s:
            self._end("no launcher holds it")
        elif changed := self._files.changed():
            self._end(f"{changed[0]} has changed")
        elif not self._serves_here():
            self._end("its folder was emptied")
        if now >= self._claims_at:
            self._claims_at = now + CLAIMS_EVERY_S
            Claims(self._settings.claims).forget_old()
        _bound(self._settings.log)

    def _forget_dead_sockets(self) -> None:
        """Remove what templates of an earlier zygote left when they were killed."""
        for path in self._settings.path.glob("t*.sock"):
            pid = path.stem[1:]
            if pid.isdigit() and identity_of(int(pid)) is None:
                path.unlink(missing_ok=True)

    def _end(self, why: str) -> None:
        self._why_end = self._why_end or why

    def _serves_here(self) -> bool:
        """Whether launchers that look into the folder find this zygote's lock and socket."""
        try:
            seen, held = self._settings.lock.stat(), os.fstat(self._lock)
        except OSError:
            return False
        same = (seen.st_dev, seen.st_ino) == (held.st_dev, held.st_ino)
        return same and self._settings.socket.exists()

    def _wind_up(self) -> None:
        """Let the templates go; told to stop, with their runs. They end when their runs do."""
        if self._serves_here():
            self._settings.socket.unlink(missing_ok=True)
        self._templates.let_all_go()
        if not self._told_to_end:
            return
        for client in self._holders & self._board.clients:
            with suppress(ConnectionLostError):
                client.send({"stopping": True})
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + self._settings.grace_s + 2.0
        while self._pids and time.monotonic() < until:
            time.sleep(0.02)
            self._reap()

    # Launchers

    def _hear_client(self, client: Channel) -> None:
        try:
            for message in client.arrived():
                if message["op"] == "hold":
                    self._hold(client, message)
                elif message["op"] == "template":
                    self._template(client, message)
                elif message["op"] == "see_out":
                    self._see_out(client, message)
                elif message["op"] == "status":
                    client.send(self._status())
                else:
                    raise ValueError(f"nobody here does {message['op']}")
        except (ConnectionLostError, KeyError, ValueError):
            self._dismiss(client)

    def _hold(self, client: Channel, message: Message) -> None:
        if "pid" in message:
            self._processes.add(ProcessIdentity(int(message["pid"]), str(message["started"])))
        else:
            self._holders.add(client)
        client.send({"held": os.getpid()})

    def _status(self) -> Message:
        return {
            "pid": os.getpid(),
            "templates": self._templates.sockets(),
            "pids": sorted(self._pids),
            "launchers": len(self._holders) + len(self._processes),
        }

    def _dismiss(self, client: Channel) -> None:
        self._templates.forget(client)
        self._board.hang_up(client)

    def _see_out(self, client: Channel, message: Message) -> None:
        """Have somebody watch over the end of a run that was told to end."""
        process = ProcessIdentity(int(message["pid"]), str(message["started"]))
        run_id, instance_ref = str(message["run_id"]), str(message["instance_ref"])
        grace_s = self._settings.grace_s
        self._fork(lambda: _see_out_main(run_id, process, instance_ref, grace_s))
        client.send({"watched": True})

    def _template(self, client: Channel, message: Message) -> None:
        if changed := self._files.changed():
            client.send({"stale": f"{changed[0]} has changed"})
            self._end(f"{changed[0]} has changed")
            return
        self._templates.ask(client, str(message["origin"]), str(message["instance_ref"]))

    # Children

    def _fork(self, work: Callable[[], int], *foreign: Closable) -> int:
        pid = fork(work, [*self._board.foreign(), _Descriptor(self._lock), *foreign])
        self._pids.add(pid)
        return pid

    def _reap(self) -> None:
        for pid in list(self._pids):
            with suppress(ChildProcessError):
                if not os.waitpid(pid, os.WNOHANG)[0]:
                    continue
            self._pids.discard(pid)
            self._settings.template_socket(pid).unlink(missing_ok=True)


class _Descriptor:
    def __init__(self, number: int) -> None:
        self._number = number

    def close(self) -> None:
        os.close(self._number)


def _see_out_main(run_id: str, process: ProcessIdentity, instance_ref: str, grace_s: float) -> int:
    from healing_pipeline.launcher.ending import see_out

    return see_out(run_id, process, instance_ref, grace_s)


def _bound(log: Path) -> None:
    """Keep a log from growing: past its measure it becomes the old one, and is begun anew."""
    with suppress(OSError):
        if log.stat().st_size > MOST_LOG_BYTES:
            # Everybody has it open for appending: it is emptied, not replaced.
            log.with_suffix(".old").write_bytes(log.read_bytes())
            os.truncate(log, 0)


def main(arguments: list[str]) -> int:
    """Run a zygote; the exit code.

    Parameters
    ----------
    arguments : list of str
        The descriptor of the locked lock file, and the settings as JSON.
    """
    since_ns = time.time_ns()
    lock, settings = int(arguments[0]), Settings.from_json(arguments[1])
    os.set_inheritable(lock, False)
    speak_softly()
    for name in USUALLY:
        with suppress(ImportError):
            importlib.import_module(name)
    for name in (*ALWAYS, *settings.preload):
        try:
            importlib.import_module(name)
        except Exception as error:
            if name in ALWAYS:
                raise
            traceback.print_exc()
            print(f"{name} is to be preloaded and cannot be: {error}; going on without")
    if threads := thread_count():
        print(f"what is preloaded starts {threads} threads, which a fork would lose")
        return 1
    # Objects that are never looked at by the collector stay shared after a fork.
    gc.collect()
    gc.freeze()
    return Zygote(settings, lock, LoadedFiles(since_ns)).main()


if __name__ == "__main__":
    # As with an installed command: what stands first is taken off while code is loaded.
    sys.path.insert(0, os.path.dirname(sys.executable))  # noqa: PTH120
    sys.exit(main(sys.argv[1:]))
