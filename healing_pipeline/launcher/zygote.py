"""The process that has imported what runs need, and forks a template for each code location.

It has one thread and holds no connection. It ends when no launcher holds it any more.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from healing_pipeline.launcher.claims import Claims
from healing_pipeline.launcher.forking import (
    Closable,
    SignalWakeup,
    fork,
    speak_softly,
    thread_count,
)
from healing_pipeline.launcher.loaded_files import LoadedFiles
from healing_pipeline.launcher.messages import (
    Channel,
    ConnectionLostError,
    Message,
    channel_pair,
    listening,
)
from healing_pipeline.launcher.process_identity import ProcessIdentity
from healing_pipeline.launcher.settings import Settings

# A template that died is made again, but not faster than this.
PAUSE_S = 1.0

# What every run needs, whatever its code.
ALWAYS = ("dagster", "dagster._cli.api", "healing_pipeline.launcher.template")


@dataclass
class Held:
    """A template, and who waits for it."""

    pid: int
    channel: Channel
    origin: str
    instance_ref: str
    socket: str | None = None
    waiting: list[Channel] = field(default_factory=list)
    used_at: float = 0.0


class Zygote:
    """Forks templates and tells launchers where they listen.

    Parameters
    ----------
    settings : Settings
    lock : file
        Held for as long as the zygote lives.
    files : LoadedFiles
        What it has imported.
    """

    def __init__(self, settings: Settings, lock: Closable, files: LoadedFiles) -> None:
        self._settings = settings
        self._lock = lock
        self._files = files
        self._held: dict[str, Held] = {}  # by origin; the one that serves
        self._pids: set[int] = set()  # of all that live, the retired ones included
        self._clients: set[Channel] = set()
        self._holders: set[Channel] = set()
        self._processes: set[ProcessIdentity] = set()
        self._alone_since = time.monotonic()
        self._stopping = False

    def main(self) -> int:
        """Serve until nobody holds it; the exit code."""
        self._server = listening(self._settings.socket)
        self._selector = selectors.DefaultSelector()
        self._wakeup = SignalWakeup(signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
        self._selector.register(self._server, selectors.EVENT_READ)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        print(f"zygote {os.getpid()} listens at {self._settings.socket}", flush=True)
        while not self._has_to_end():
            for key, _ in self._selector.select(1.0):
                if key.fileobj is self._server:
                    self._accept()
                elif key.fileobj is self._wakeup:
                    if self._wakeup.came() & {signal.SIGTERM, signal.SIGINT}:
                        self._stopping = True
                elif key.fileobj in self._clients:
                    self._hear_client(key.fileobj)  # type: ignore[arg-type]
                else:
                    self._hear_template(key.fileobj)  # type: ignore[arg-type]
            self._reap()
        self._settings.socket.unlink(missing_ok=True)
        return self._wind_up()

    def _has_to_end(self) -> bool:
        self._processes = {each for each in self._processes if each.is_alive()}
        if self._holders or self._processes:
            self._alone_since = time.monotonic()
        alone = time.monotonic() - self._alone_since > self._settings.linger_s
        return self._stopping or alone

    def _wind_up(self) -> int:
        """Let the templates go; told to stop, with their runs. They end when their runs do."""
        for pid in self._pids if self._stopping else ():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        for held in self._held.values():
            held.channel.close()
        until = time.monotonic() + self._settings.grace_s + 2.0
        while self._stopping and self._pids and time.monotonic() < until:
            time.sleep(0.02)
            self._reap()
        return 0

    # Launchers

    def _accept(self) -> None:
        with suppress(BlockingIOError, OSError):
            client = Channel(self._server.accept()[0])
            self._clients.add(client)
            self._selector.register(client, selectors.EVENT_READ)

    def _hear_client(self, client: Channel) -> None:
        try:
            for message in client.arrived():
                if message["op"] == "hold":
                    self._hold(client, message)
                elif message["op"] == "template":
                    self._template(client, message)
                else:
                    client.send(self._status())
        except (ConnectionLostError, KeyError):
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
            "templates": {held.origin: held.socket for held in self._held.values()},
            "pids": sorted(self._pids),
            "launchers": len(self._holders) + len(self._processes),
        }

    def _dismiss(self, client: Channel) -> None:
        self._clients.discard(client)
        self._holders.discard(client)
        for held in self._held.values():
            held.waiting = [each for each in held.waiting if each is not client]
        with suppress(KeyError, ValueError):
            self._selector.unregister(client)
        client.close()

    # Templates

    def _template(self, client: Channel, message: Message) -> None:
        origin, instance_ref = str(message["origin"]), str(message["instance_ref"])
        held = self._held.get(origin)
        if held is None:
            if changed := self._files.changed():
                client.send({"stale": f"{changed[0]} has changed"})
                self._stopping_softly()
                return
            held = self._fork(origin, instance_ref)
        held.used_at = time.monotonic()
        if held.socket is None:
            held.waiting.append(client)
        else:
            client.send({"socket": held.socket})

    def _fork(self, origin: str, instance_ref: str) -> Held:
        self._make_room()
        here, there = channel_pair()
        pid = fork(
            partial(_template_main, self._settings, origin, instance_ref, there, self._files),
            [*self._foreign(), here],
        )
        there.close()
        held = self._held[origin] = Held(pid, here, origin, instance_ref)
        held.used_at = time.monotonic()
        self._pids.add(pid)
        self._selector.register(here, selectors.EVENT_READ)
        return held

    def _make_room(self) -> None:
        while len(self._held) >= self._settings.most_templates:
            oldest = min(self._held.values(), key=lambda each: each.used_at)
            self._let_go(oldest)

    def _let_go(self, held: Held) -> None:
        """It takes no more runs; it ends when those that it has do."""
        self._held.pop(held.origin, None)
        with suppress(KeyError):
            self._selector.unregister(held.channel)
        held.channel.close()

    def _foreign(self) -> Iterator[Closable]:
        yield from (self._server, self._selector, self._wakeup, self._lock)
        yield from self._clients
        yield from (held.channel for held in self._held.values())

    def _hear_template(self, channel: Channel) -> None:
        held = next(each for each in self._held.values() if each.channel is channel)
        try:
            for message in channel.arrived():
                if "ready" in message:
                    held.socket = str(message["ready"])
                    self._tell(held, {"socket": held.socket})
                elif "broken" in message:
                    self._tell(held, message)
                elif "retired" in message:
                    self._succeed(held, message)
                    return
        except ConnectionLostError:
            self._tell(held, {"broken": "the template has ended"})
            was_ready = held.socket is not None
            self._let_go(held)
            if was_ready and time.monotonic() - held.used_at > PAUSE_S:
                self._fork(held.origin, held.instance_ref)

    def _succeed(self, held: Held, message: Message) -> None:
        self._let_go(held)
        print(f"template {held.pid} retires: {message['retired']} has changed", flush=True)
        if message.get("deep"):
            self._stopping_softly()
        else:
            self._fork(held.origin, held.instance_ref)

    def _stopping_softly(self) -> None:
        """Make way for a zygote that imports anew; runs that go are let go on."""
        for held in list(self._held.values()):
            self._tell(held, {"stale": "the zygote has to be started anew"})
        print("zygote ends: what it imported has changed", flush=True)
        self._settings.socket.unlink(missing_ok=True)
        self._lock.close()
        os._exit(0)

    def _tell(self, held: Held, message: Message) -> None:
        for client in held.waiting:
            with suppress(ConnectionLostError):
                client.send(message)
        held.waiting = []

    def _reap(self) -> None:
        for pid in list(self._pids):
            with suppress(ChildProcessError):
                if not os.waitpid(pid, os.WNOHANG)[0]:
                    continue
            self._pids.discard(pid)


def _template_main(
    settings: Settings, origin: str, instance_ref: str, zygote: Channel, files: LoadedFiles
) -> int:
    from healing_pipeline.launcher.template import Template

    return Template(settings, origin, instance_ref, zygote, files).main()


def main(arguments: list[str]) -> int:
    """Run a zygote with the settings that the one argument holds; its exit code."""
    since_ns = time.time_ns()
    settings = Settings.from_json(arguments[0])
    speak_softly()
    with (settings.path / "zygote.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("another zygote serves this folder")
            return 0
        for name in (*ALWAYS, *settings.preload):
            try:
                importlib.import_module(name)
            except ImportError:
                if name in ALWAYS:
                    raise
                print(f"{name} is to be preloaded and cannot be:")
                traceback.print_exc()
        if threads := thread_count():
            print(f"what is preloaded starts {threads} threads, which a fork would lose")
            return 1
        Claims(settings.claims).forget_old()
        # Objects that are never looked at by the collector stay shared after a fork.
        gc.collect()
        gc.freeze()
        return Zygote(settings, lock, LoadedFiles(since_ns)).main()


if __name__ == "__main__":
    # As with an installed command: what stands first is taken off while code is loaded.
    sys.path.insert(0, os.path.dirname(sys.executable))  # noqa: PTH120
    sys.exit(main(sys.argv[1:]))
