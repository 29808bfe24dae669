"""The templates of a zygote: one for each code location that is in use, and who waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from healing_pipeline.launcher.forking import Closable
from healing_pipeline.launcher.loaded_files import LoadedFiles
from healing_pipeline.launcher.messages import Channel, ConnectionLostError, Message, channel_pair
from healing_pipeline.launcher.settings import Settings
from healing_pipeline.launcher.switchboard import Switchboard

# A template that died is made again, but not faster than this.
PAUSE_S = 1.0

Fork = Callable[[Callable[[], int], Closable], int]
"""Forks a child that does some work and closes one thing more of its parent's; its pid."""


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


class HeldTemplates:
    """Those that serve; retired ones are let go, and end when their runs have.

    Parameters
    ----------
    settings : Settings
    board : Switchboard
        Where they are listened to.
    files : LoadedFiles
        What the zygote has imported.
    fork : callable
    """

    def __init__(
        self, settings: Settings, board: Switchboard, files: LoadedFiles, fork: Fork
    ) -> None:
        self._settings = settings
        self._board = board
        self._files = files
        self._fork = fork
        self._by_origin: dict[str, Held] = {}

    def ask(self, client: Channel, origin: str, instance_ref: str) -> None:
        """Tell a client where the template of a code location listens, once it does."""
        held = self._by_origin.get(origin) or self._begin(origin, instance_ref)
        held.used_at = time.monotonic()
        if held.socket is None:
            held.waiting.append(client)
        else:
            client.send({"socket": held.socket})

    def hear(self, channel: Channel) -> None:
        """Take in what a template says, or that it has ended."""
        held = next(each for each in self._by_origin.values() if each.channel is channel)
        try:
            for message in channel.arrived():
                if "ready" in message:
                    held.socket = str(message["ready"])
                    self._tell(held, {"socket": held.socket})
                elif "broken" in message:
                    self._tell(held, message)
                elif "retired" in message:
                    print(f"template {held.pid} retires: {message['retired']} has changed")
                    self._let_go(held)
                    self._begin(held.origin, held.instance_ref)
                    return
        except ConnectionLostError:
            was_ready = held.socket is not None
            self._tell(held, {"broken": "the template has ended"})
            self._let_go(held)
            if was_ready and time.monotonic() - held.used_at > PAUSE_S:
                self._begin(held.origin, held.instance_ref)

    def forget(self, client: Channel) -> None:
        """A client that has gone waits for nothing."""
        for held in self._by_origin.values():
            held.waiting = [each for each in held.waiting if each is not client]

    def let_all_go(self) -> None:
        """They take no more runs."""
        for held in list(self._by_origin.values()):
            self._let_go(held)

    def sockets(self) -> dict[str, str | None]:
        """Where each listens, by its code location; None while it loads that."""
        return {held.origin: held.socket for held in self._by_origin.values()}

    def _begin(self, origin: str, instance_ref: str) -> Held:
        while len(self._by_origin) >= self._settings.most_templates:
            self._let_go(min(self._by_origin.values(), key=lambda each: each.used_at))
        here, there = channel_pair()
        work = partial(_template_main, self._settings, origin, instance_ref, there, self._files)
        held = Held(self._fork(work, here), here, origin, instance_ref)
        there.close()
        held.used_at = time.monotonic()
        self._by_origin[origin] = held
        self._board.watch(here)
        return held

    def _let_go(self, held: Held) -> None:
        self._tell(held, {"stale": "the template was let go"})
        self._by_origin.pop(held.origin, None)
        self._board.hang_up(held.channel)

    def _tell(self, held: Held, message: Message) -> None:
        for client in held.waiting:
            with suppress(ConnectionLostError):
                client.send(message)
        held.waiting = []


def _template_main(
    settings: Settings, origin: str, instance_ref: str, zygote: Channel, files: LoadedFiles
) -> int:
    # Imports Dagster: in the zygote it is there by now.
    from healing_pipeline.launcher.template import Template

    return Template(settings, origin, instance_ref, zygote, files).main()
