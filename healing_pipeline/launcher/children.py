"""The processes that a template has forked: how far each is, and how it ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from healing_pipeline.launcher.forking import Closable, fork
from healing_pipeline.launcher.messages import Channel, channel_pair
from healing_pipeline.launcher.process_identity import ProcessIdentity, identity_of


class Stage(Enum):
    """How far a child is."""

    WARMING = "warming"
    READY = "ready"
    ASKED = "asked"
    RUNNING = "running"
    REPORTING = "reporting"


@dataclass(eq=False)
class Child:
    """A process that was forked here.

    Attributes
    ----------
    identity : ProcessIdentity or None
        None when it had ended before it was looked at.
    channel : Channel
        To it.
    stage : Stage
    instance_ref : str
        The Dagster instance it works for.
    run_id : str or None
        The run that it was asked to begin.
    clients : list of Channel
        Who waits to hear that it has.
    until : float
        When their patience ends, on the monotonic clock.
    done : bool
        It has said that its run is over and told.
    """

    pid: int
    identity: ProcessIdentity | None
    channel: Channel
    stage: Stage
    instance_ref: str
    run_id: str | None = None
    clients: list[Channel] = field(default_factory=list)
    until: float = 0.0
    done: bool = False


class Children:
    """All that live."""

    def __init__(self) -> None:
        self._by_pid: dict[int, Child] = {}

    def __iter__(self) -> Iterator[Child]:
        return iter(list(self._by_pid.values()))

    def __len__(self) -> int:
        return len(self._by_pid)

    def fork(
        self,
        stage: Stage,
        instance_ref: str,
        work: Callable[[Channel], int],
        foreign: Iterable[Closable],
    ) -> Child:
        """Fork a child that does `work` with its end of a channel."""
        here, there = channel_pair()
        pid = fork(partial(work, there), [*foreign, here])
        there.close()
        child = Child(pid, identity_of(pid), here, stage, instance_ref)
        self._by_pid[pid] = child
        return child

    def at(self, *stages: Stage) -> list[Child]:
        """Those that are as far."""
        return [each for each in self if each.stage in stages]

    def of_run(self, run_id: str) -> Child | None:
        """The one that was asked to begin a run, or runs it."""
        runs = self.at(Stage.ASKED, Stage.RUNNING)
        return next((each for each in runs if each.run_id == run_id), None)

    def by_channel(self, channel: Channel) -> Child | None:
        """The one at the other end."""
        return next((each for each in self if each.channel is channel), None)

    def ended(self) -> Iterator[tuple[Child, int]]:
        """Those that have ended, with their wait status; they are forgotten."""
        for child in self:
            pid, status = child.pid, 0
            with suppress(ChildProcessError):
                pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                del self._by_pid[child.pid]
                yield child, status
