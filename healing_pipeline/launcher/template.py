"""A process that has loaded one code location and forks a child for each of its runs.

It has one thread, no connection and no gRPC channel, so that a fork of it is whole. When a file
that it loaded changes it takes no more runs, asks the zygote for a successor, and stays until the
runs that it forked have ended.
"""

from __future__ import annotations

import gc
import os
import signal
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from dagster._core.definitions.reconstruct import reconstruct_repository_def_from_pointer
from dagster._core.origin import RepositoryPythonOrigin
from dagster._serdes import deserialize_value

from healing_pipeline.launcher import run_process
from healing_pipeline.launcher.children import Child, Children, Stage
from healing_pipeline.launcher.claims import Claims
from healing_pipeline.launcher.ending import ending, kill_group, report_end
from healing_pipeline.launcher.forking import thread_count
from healing_pipeline.launcher.loaded_files import LoadedFiles
from healing_pipeline.launcher.messages import Channel, ConnectionLostError, Message
from healing_pipeline.launcher.process_identity import ProcessIdentity
from healing_pipeline.launcher.settings import Settings
from healing_pipeline.launcher.switchboard import Switchboard

# Processes are prepared when nothing has been launched for so long: a burst needs the cores itself.
QUIET_S = 0.3

# After a failed preparation the next waits, doubling up to the second.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0

# How often an idle template looks whether its files have changed.
LOOK_S = 2.0

# Ended runs that are remembered, for a launcher that asks again.
MOST_ENDED = 1000


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
        self._children = Children()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._kill_at: dict[ProcessIdentity, float] = {}
        self._retired = False
        self._launched_at = -QUIET_S
        self._pause_s, self._prepare_at = FIRST_PAUSE_S, 0.0
        self._looked_at = time.monotonic()

    def main(self) -> int:
        """Load the location, serve until there is nothing left to do; the exit code."""
        if (why := self._load()) is not None:
            with suppress(ConnectionLostError):
                self._zygote.send({"broken": why[:2000]})
            return 0
        self._board = Switchboard(self._settings.template_socket(os.getpid()))
        self._board.watch(self._zygote)
        try:
            self._zygote.send({"ready": str(self._board.path)})
            self._serve()
        finally:
            self._board.path.unlink(missing_ok=True)
        return 0

    def _load(self) -> str | None:
        """Load the location; why that cannot be, or None."""
        since_ns = time.time_ns()
        try:
            pointer = deserialize_value(self._origin, RepositoryPythonOrigin).code_pointer
            reconstruct_repository_def_from_pointer(pointer).get_all_jobs()
        # Code may end the process that loads it, too.
        except BaseException as error:
            traceback.print_exc()
            return f"{type(error).__name__}: {error}"
        self._files = LoadedFiles(since_ns, but=self._zygote_files)
        # A collector that looks at what a child shares with us would make it a copy.
        gc.collect()
        gc.freeze()
        if threads := thread_count():
            return f"loading the definitions starts {threads} threads, which a fork would lose"
        return None

    def _serve(self) -> None:
        while not (self._retired and not self._children):
            for channel in self._board.ready(self._patience_s()):
                if channel is self._zygote:
                    self._hear_zygote()
                elif channel in self._board.clients:
                    self._hear_client(channel)
                elif (child := self._children.by_channel(channel)) is not None:
                    self._hear_child(child)
            self._heed()
            for child, status in self._children.ended():
                self._bury(child, status)
            self._kill_late()
            self._look_around()
            self._prepare()

    def _patience_s(self) -> float | None:
        moments = list(self._kill_at.values())
        if not self._retired:
            moments.append(self._looked_at + LOOK_S)
            if self._wants_more():
                moments.append(max(self._launched_at + QUIET_S, self._prepare_at))
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    # Runs

    def _hear_client(self, client: Channel) -> None:
        try:
            for message in client.arrived():
                if message["op"] == "launch":
                    self._launch(client, message)
                elif message["op"] == "status":
                    client.send(self._status())
                else:
                    raise ValueError(f"nobody here does {message['op']}")
        except (ConnectionLostError, KeyError, ValueError):
            self._board.hang_up(client)

    def _status(self) -> Message:
        return {
            "pid": os.getpid(),
            "runs": {str(each.run_id): each.pid for each in self._children.at(Stage.RUNNING)},
            "prewarmed": [each.pid for each in self._children.at(Stage.READY)],
        }

    def _launch(self, client: Channel, message: Message) -> None:
        run_id = str(message["run_id"])
        self._launched_at = time.monotonic()
        same = self._children.of_run(run_id)
        if same is not None and same.stage is Stage.ASKED:
            same.clients.append(client)
        elif same is not None or run_id in self._ended:
            client.send({"launched": True})
        elif self._retired:
            client.send({"stale": "this template takes no more runs"})
        elif changed := self._changed():
            client.send({"stale": f"{changed} has changed"})
        else:
            self._begin([client], run_id, str(message["instance_ref"]), float(message["until"]))

    def _begin(self, clients: list[Channel], run_id: str, instance_ref: str, until: float) -> None:
        self._instance_ref = instance_ref
        for child in self._children.at(Stage.READY):
            if child.instance_ref == instance_ref:
                with suppress(ConnectionLostError):
                    child.channel.send({"run_id": run_id, "until": until})
                    child.stage = Stage.ASKED
                    break
        else:
            child = self._fork(
                Stage.ASKED,
                instance_ref,
                lambda end: run_process.run_now(end, run_id, until, instance_ref, self._claims),
            )
        child.run_id, child.clients, child.until = run_id, clients, until

    def _changed(self) -> str | None:
        """A file that is not what it was; then a successor is asked for and this one retires."""
        changed = self._zygote_files.changed() or self._files.changed()
        if not changed:
            return None
        self._retire()
        with suppress(ConnectionLostError):
            self._zygote.send({"retired": changed[0]})
        return changed[0]

    def _look_around(self) -> None:
        """Look at the files while nothing is launched, so that a new template is ready by then."""
        now = time.monotonic()
        if not self._retired and now >= self._looked_at + LOOK_S:
            self._looked_at = now
            self._changed()

    # Children

    def _fork(self, stage: Stage, instance_ref: str, work: Callable[[Channel], int]) -> Child:
        child = self._children.fork(stage, instance_ref, work, self._board.foreign())
        self._board.watch(child.channel)
        return child

    def _wants_more(self) -> bool:
        warming = len(self._children.at(Stage.WARMING))
        ready = len(self._children.at(Stage.READY))
        return not warming and ready < self._settings.prewarmed

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

    def _hear_child(self, child: Child) -> None:
        try:
            messages = child.channel.arrived()
        except ConnectionLostError:
            self._board.hang_up(child.channel)
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
        if message.get("stale") and run_id is not None and not self._changed():
            # What only that process had loaded is new; a fresh one reads it.
            self._begin(clients, run_id, child.instance_ref, child.until)
            return
        self._answer(clients, {"stale" if message.get("stale") else "refused": message["refused"]})

    def _bury(self, child: Child, status: int) -> None:
        # What it said last may lie in the channel still.
        while not child.channel.is_closed:
            self._hear_child(child)
        if child.identity is not None:
            self._kill_at.pop(child.identity, None)
        if child.stage is Stage.WARMING:
            self._prepare_at = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        if child.run_id is None:
            return
        claim = self._claims.of(child.run_id)
        if claim is None or claim.by != child.identity:
            self._answer_all(child, {"refused": f"the process {ending(status)}"})
            return
        self._answer_all(child, {"launched": True})
        self._ended[child.run_id] = None
        while len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)
        if not child.done:
            self._report(child.run_id, child.instance_ref, ending(status))

    def _report(self, run_id: str, instance_ref: str, how: str) -> None:
        self._fork(
            Stage.REPORTING, instance_ref, lambda _end: report_end(run_id, instance_ref, how)
        )

    def _answer_all(self, child: Child, message: Message) -> None:
        clients, child.clients = child.clients, []
        self._answer(clients, message)

    def _answer(self, clients: list[Channel], message: Message) -> None:
        for client in clients:
            try:
                client.send(message)
            except ConnectionLostError:
                self._board.hang_up(client)

    # The end

    def _retire(self) -> None:
        self._retired = True
        for child in self._children.at(Stage.WARMING, Stage.READY):
            self._board.hang_up(child.channel)

    def _hear_zygote(self) -> None:
        with suppress(ConnectionLostError):
            self._zygote.arrived()
            return
        self._board.hang_up(self._zygote)
        self._retire()

    def _heed(self) -> None:
        if self._board.signals & {signal.SIGTERM, signal.SIGINT}:
            self._retire()
            for child in self._children:
                if child.identity is not None and child.identity.signal(signal.SIGTERM):
                    self._kill_at[child.identity] = time.monotonic() + self._settings.grace_s
        self._board.signals.clear()

    def _kill_late(self) -> None:
        now = time.monotonic()
        for process, at in list(self._kill_at.items()):
            if now >= at:
                kill_group(process)
                self._kill_at[process] = now + 1.0
