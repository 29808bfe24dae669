"""What a serving process waits for: who connects, who says something, signals. In one thread."""

from __future__ import annotations

import selectors
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from healing_pipeline.launcher.forking import Closable, SignalWakeup
from healing_pipeline.launcher.messages import Channel, listening


class Switchboard:
    """Listens at a socket, and watches channels and signals.

    Parameters
    ----------
    path : Path
        Where to listen.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clients: set[Channel] = set()
        self.signals: set[int] = set()
        self._server = listening(path)
        self._selector = selectors.DefaultSelector()
        self._wakeup = SignalWakeup(signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
        self._watched: set[Channel] = set()
        for each in (self._server, self._wakeup):
            self._selector.register(each, selectors.EVENT_READ)

    def ready(self, timeout_s: float | None) -> Iterator[Channel]:
        """Wait; the channels that have something to say or are gone. New clients are let in.

        Signals that came are in `signals`; the caller takes them out.
        """
        for key, _ in self._selector.select(timeout_s):
            if key.fileobj is self._server:
                self._accept()
            elif key.fileobj is self._wakeup:
                self.signals |= self._wakeup.came()
            elif isinstance(key.fileobj, Channel) and not key.fileobj.is_closed:
                yield key.fileobj

    def watch(self, channel: Channel) -> None:
        """Listen to a channel too."""
        self._watched.add(channel)
        self._selector.register(channel, selectors.EVENT_READ)

    def hang_up(self, channel: Channel) -> None:
        """Close a channel, client's or other. Idempotent."""
        self.clients.discard(channel)
        self._watched.discard(channel)
        if not channel.is_closed:
            with suppress(KeyError, ValueError):
                self._selector.unregister(channel)
            channel.close()

    def foreign(self) -> Iterator[Closable]:
        """All that a forked child has no business with."""
        yield from (self._server, self._selector, self._wakeup)
        yield from self.clients
        yield from self._watched

    def _accept(self) -> None:
        with suppress(OSError):
            client = Channel(self._server.accept()[0])
            self.clients.add(client)
            self._selector.register(client, selectors.EVENT_READ)
