"""A process that has loaded one code location and forks a child for each of its runs.

It has one thread, no connection and no gRPC channel, so that a fork of it is whole. When a file that
it loaded changes it takes no more runs, asks the zygote for a successor, and stays until the runs
that it forked have ended.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
import traceback
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path

from dagster._core.definitions.reconstruct import reconstruct_repository_def_from_pointer
from dagster._core.origin import RepositoryPythonOrigin
from dagster._serdes import deserialize_value

from healing_pipeline.launcher import run_process
from healing_pipeline.launcher.claims import Claims
from healing_pipeline.launcher.forking import Closable, SignalWakeup, fork, thread_count
from healing_pipeline.launcher.loaded_files import LoadedFiles
from healing_pipeline.launcher.messages import (
    Channel,
    ConnectionLostError,
    Message,
    channel_pair,
    listening,
)
from healing_pipeline.launcher.process_identity import ProcessIdentity, identity_of
from healing_pipeline.launcher.settings import Settings

# Processes are prepared when nothing has been launched for so long: a burst needs the cores itself.
QUIET_S = 0.3

# After a failed preparation the next waits, doubling up to the second.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0

# Ended runs that are remembered, for a launcher that asks again.
MOST_ENDED = 1000


class Stage(Enum):
    """How far a child is."""

    WARMING = "warming"
    READY = "ready"
    ASKED = "asked"
    RUNNING = "running"
    REPORTING = "reporting"


@dataclass
class Child:
    """A process that was forked here."""

    pid: int
    channel: Channel
    stage: Stage
    instance_ref: str
    run_id: str | None = None
    clients: list[Channel] = field(default_factory=list)
    done: bool = False
    identity: ProcessIdentity | None = None


class Template:
    """Serves one code location.

    Parameters
    ----------
    settings : Settings
    origin : str
        The serialized `RepositoryPythonOrigin`.
    instance_ref : str
        The serialized `InstanceRef` that runs are expected to name.
    zygote : Channel
        To the process that forked this one; its end is this one's.
    zygote_files : LoadedFiles
        What the zygote has loaded.
    """

    def __init__(
        self,
        settings: Settings,
        origin: str,
        instance_ref: str,
        zygote: Channel,
        zygote_files: LoadedFiles,
    ) -> None:
        self._settings = settings
        self._origin = origin
        self._instance_ref = instance_ref
        self._zygote = zygote
        self._zygote_files = zygote_files
        self._claims = Claims(settings.claims)
        self._children: dict[int, Child] = {}
        self._clients: set[Channel] = set()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._kill_at: dict[ProcessIdentity, float] = {}
        self._retired = False
        self._launched_at = -QUIET_S
        self._pause_s, self._prepare_at = FIRST_PAUSE_S, 0.0

    def main(self) -> int:
        """Load the location, serve until there is nothing left to do; the exit code."""
        since_ns = time.time_ns()
        try:
            pointer = deserialize_value(self._origin, RepositoryPythonOrigin).code_pointer
            reconstruct_repository_def_from_pointer(pointer).get_all_jobs()
        except BaseException as error:  # noqa: BLE001 (whatever loading it raised, it is told)
            traceback.print_exc()
            with suppress(ConnectionLostError):
                self._zygote.send({"broken": f"{type(error).__name__}: {error}"[:2000]})
            return 0
        self._files = LoadedFiles(since_ns, but=self._zygote_files)
        if threads := thread_count():
            with suppress(ConnectionLostError):
                self._zygote.send(
                    {"broken": f"loading the definitions starts {threads} threads, which a fork "
                     "would lose", "unsafe": True}
                )  # fmt: skip
            return 0
        path = self._settings.path / f"t{os.getpid()}.sock"
        self._server = listening(path)
        self._selector = selectors.DefaultSelector()
        self._wakeup = SignalWakeup(signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
        for each in (self._server, self._wakeup, self._zygote):
            self._selector.register(each, selectors.EVENT_READ)
        try:
            self._zygote.send({"ready": str(path)})
            self._serve()
        finally:
            path.unlink(missing_ok=True)
        return 0

    def _serve(self) -> None:
        while not (self._retired and not self._children and not self._kill_at):
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is self._server:
                    self._accept()
                elif key.fileobj is self._wakeup:
                    self._heed(self._wakeup.came())
                elif key.fileobj is self._zygote:
                    self._hear_zygote()
                elif key.fileobj in self._clients:
                    self._hear_client(key.fileobj)  # type: ignore[arg-type]
                else:
                    self._hear_child(self._child_of(key.fileobj))
            self._reap()
            self._kill_late()
            self._prepare()

    def _patience(self) -> float | None:
        now = time.monotonic()
        moments = [*self._kill_at.values()]
        if not self._retired and self._wants_more():
            moments.append(max(self._launched_at + QUIET_S, self._prepare_at))
        return max(0.0, min(moments) - now) if moments else None

    # Runs

    def _launch(self, client: Channel, message: Message) -> None:
        run_id, instance_ref = str(message["run_id"]), str(message["instance_ref"])
        self._launched_at = time.monotonic()
        same = [each for each in self._children.values() if each.run_id == run_id]
        if same and same[0].stage is Stage.ASKED:
            same[0].clients.append(client)
        elif same or run_id in self._ended:
            self._answer(client, {"launched": True})
        elif self._retired:
            self._answer(client, {"stale": "this template takes no more runs"})
        elif changed := self._changed():
            self._answer(client, {"stale": f"{changed} has changed"})
        else:
            self._begin(client, run_id, instance_ref)

    def _begin(self, client: Channel, run_id: str, instance_ref: str) -> None:
        self._instance_ref = instance_ref
        waiting = [
            each
            for each in self._children.values()
            if each.stage is Stage.READY and each.instance_ref == instance_ref
        ]
        for child in waiting:
            try:
                child.channel.send({"run_id": run_id})
            except ConnectionLostError:
                continue
            child.stage = Stage.ASKED
            break
        else:
            child = self._fork(
                Stage.ASKED,
                instance_ref,
                lambda end: run_process.run_now(end, run_id, instance_ref, self._claims),
            )
        child.run_id = run_id
        child.clients.append(client)

    def _changed(self) -> str | None:
        """A file that is not what it was; then a successor is asked for and this one retires."""
        deep = self._zygote_files.changed()
        changed = deep or self._files.changed()
        if changed:
            self._retire({"retired": changed[0], "deep": bool(deep)})
        return changed[0] if changed else None

    def _retire(self, why: Message | None) -> None:
        if self._retired:
            return
        self._retired = True
        for child in list(self._children.values()):
            if child.stage in {Stage.WARMING, Stage.READY}:
                self._hang_up(child)
        if why is not None:
            with suppress(ConnectionLostError):
                self._zygote.send(why)

    # Children

    def _fork(self, stage: Stage, instance_ref: str, work: object) -> Child:
        here, there = channel_pair()
        foreign = [*self._foreign(), here]
        pid = fork(partial(_in_child, there, work), foreign)
        there.close()
        child = Child(pid, here, stage, instance_ref, identity=identity_of(pid))
        self._children[pid] = child
        self._selector.register(here, selectors.EVENT_READ)
        return child

    def _foreign(self) -> Iterator[Closable]:
        yield from (self._server, self._selector, self._wakeup, self._zygote)
        yield from self._clients
        yield from (each.channel for each in self._children.values())

    def _wants_more(self) -> bool:
        prepared = [
            each for each in self._children.values() if each.stage in {Stage.WARMING, Stage.READY}
        ]
        warming = any(each.stage is Stage.WARMING for each in prepared)
        return not warming and len(prepared) < self._settings.prewarmed

    def _prepare(self) -> None:
        """Prepare one process more, when that is due."""
        now = time.monotonic()
        if self._retired or not self._wants_more():
            return
        if now < max(self._launched_at + QUIET_S, self._prepare_at) or self._changed():
            return
        instance_ref = self._instance_ref
        self._fork(
            Stage.WARMING,
            instance_ref,
            lambda end: run_process.run_when_asked(
                end, instance_ref, self._settings.warm_up, self._files, self._claims
            ),
        )

    def _child_of(self, channel: object) -> Child:
        return next(each for each in self._children.values() if each.channel is channel)

    def _hear_child(self, child: Child) -> None:
        try:
            messages = child.channel.arrived()
        except ConnectionLostError:
            self._hang_up(child)
            return
        for message in messages:
            if "ready" in message:
                child.stage = Stage.READY
                self._pause_s = FIRST_PAUSE_S
            elif "claimed" in message:
                child.stage = Stage.RUNNING
                self._answer_all(child, {"launched": True})
            elif "refused" in message:
                self._refused(child, message)
            elif "done" in message:
                child.done = True

    def _refused(self, child: Child, message: Message) -> None:
        run_id, clients, child.run_id, child.clients = child.run_id, child.clients, None, []
        assert run_id is not None, "only who was asked refuses"
        if message.get("taken"):
            answer: Message = {"taken": True}
        elif message.get("stale") and not self._changed():
            # What only that process had loaded is new; a fresh one reads it.
            for each in clients[:1]:
                self._begin(each, run_id, child.instance_ref)
            clients = clients[1:]
            answer = {"stale": message["refused"]}
        else:
            answer = {"refused": message["refused"]}
        for each in clients:
            self._answer(each, answer)

    def _hang_up(self, child: Child) -> None:
        """Close a child's channel, once; an idle child ends with it."""
        if not child.channel.is_closed:
            self._selector.unregister(child.channel)
            child.channel.close()

    def _reap(self) -> None:
        for child in list(self._children.values()):
            try:
                pid, status = os.waitpid(child.pid, os.WNOHANG)
            except ChildProcessError:
                pid, status = child.pid, 0
            if pid:
                # What it said last may lie in the channel still.
                while not child.channel.is_closed:
                    self._hear_child(child)
                self._bury(child, status)

    def _bury(self, child: Child, status: int) -> None:
        self._hang_up(child)
        del self._children[child.pid]
        if child.identity is not None:
            self._kill_at.pop(child.identity, None)
        if child.stage is Stage.WARMING:
            self._prepare_at = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        run_id = child.run_id
        if run_id is None:
            return
        claim = self._claims.of(run_id)
        if claim is None or claim.by != child.identity:
            self._answer_all(child, {"refused": f"the process {run_process.ending(status)}"})
            return
        self._answer_all(child, {"launched": True})
        if child.stage is not Stage.REPORTING:
            self._ended[run_id] = None
            while len(self._ended) > MOST_ENDED:
                self._ended.popitem(last=False)
            if not child.done:
                self._report(run_id, child.instance_ref, status)

    def _report(self, run_id: str, instance_ref: str, status: int) -> None:
        how = run_process.ending(status)
        self._fork(
            Stage.REPORTING,
            instance_ref,
            lambda _end: run_process.report_end(run_id, instance_ref, how),
        )

    # Clients

    def _accept(self) -> None:
        with suppress(BlockingIOError, OSError):
            client = Channel(self._server.accept()[0])
            self._clients.add(client)
            self._selector.register(client, selectors.EVENT_READ)

    def _hear_client(self, client: Channel) -> None:
        try:
            for message in client.arrived():
                if message["op"] == "launch":
                    self._launch(client, message)
                elif message["op"] == "terminate":
                    self._answer(client, {"terminated": self._terminate(message)})
                else:
                    self._answer(client, self._status(message.get("run_id")))
        except (ConnectionLostError, KeyError):
            self._dismiss(client)

    def _status(self, run_id: object) -> Message:
        running = [each for each in self._children.values() if each.stage is Stage.RUNNING]
        return {
            "pid": os.getpid(),
            "run": next((each.pid for each in running if each.run_id == run_id), None),
            "runs": {str(each.run_id): each.pid for each in running},
            "prewarmed": [
                each.pid for each in self._children.values() if each.stage is Stage.READY
            ],
        }

    def _terminate(self, message: Message) -> bool:
        """Ask a run to end, ours or an orphan of an earlier template; kill it after the grace."""
        process = ProcessIdentity(int(message["pid"]), str(message["started"]))
        if not process.signal(signal.SIGTERM):
            return False
        self._kill_at.setdefault(process, time.monotonic() + self._settings.grace_s)
        own = any(each.identity == process for each in self._children.values())
        if not own:
            self._watch_over(str(message["run_id"]), process)
        return True

    def _watch_over(self, run_id: str, process: ProcessIdentity) -> None:
        """Report the end of a run that somebody else forked, and who cannot."""
        instance_ref, grace_s = self._instance_ref, self._settings.grace_s

        def work(_end: Channel) -> int:
            until = time.monotonic() + grace_s + 5.0
            while process.is_alive() and time.monotonic() < until:
                time.sleep(0.05)
            return run_process.report_end(run_id, instance_ref, "ended when it was told to")

        self._fork(Stage.REPORTING, instance_ref, work)

    def _answer_all(self, child: Child, message: Message) -> None:
        for client in child.clients:
            self._answer(client, message)
        child.clients = []

    def _answer(self, client: Channel, message: Message) -> None:
        try:
            client.send(message)
        except ConnectionLostError:
            self._dismiss(client)

    def _dismiss(self, client: Channel) -> None:
        self._clients.discard(client)
        with suppress(KeyError, ValueError):
            self._selector.unregister(client)
        client.close()

    # The end

    def _hear_zygote(self) -> None:
        try:
            retire = any("retire" in each for each in self._zygote.arrived())
        except ConnectionLostError:
            self._selector.unregister(self._zygote)
            retire = True
        if retire:
            self._retire(None)

    def _heed(self, signals: set[int]) -> None:
        if signals & {signal.SIGTERM, signal.SIGINT}:
            self._retire(None)
            for child in self._children.values():
                if child.identity is not None and child.identity.signal(signal.SIGTERM):
                    self._kill_at[child.identity] = time.monotonic() + self._settings.grace_s

    def _kill_late(self) -> None:
        now = time.monotonic()
        for process, at in list(self._kill_at.items()):
            if not process.is_alive():
                del self._kill_at[process]
            elif now >= at:
                with suppress(ProcessLookupError, PermissionError):
                    # With what it started: it leads a group of its own.
                    os.killpg(process.pid, signal.SIGKILL)
                self._kill_at[process] = now + 1.0


def _in_child(end: Channel, work: object) -> int:
    assert callable(work)
    return int(work(end))


def template_folder(settings: Settings) -> Path:
    """Where templates listen."""
    return settings.path
