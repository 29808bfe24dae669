"""Messages between launcher, zygote, templates and runs: JSON lines over Unix sockets.

Ours because what exists (multiprocessing.connection, gRPC) unpickles what it is sent, or starts
threads, and a process that forks may have none.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

Message = Mapping[str, Any]

LONGEST = 1024 * 1024
"""Bytes of one message; the settings of an instance are some kilobytes."""


class ConnectionLostError(Exception):
    """The other side is gone, or did not answer in time."""


class Channel:
    """One end of a connection; what arrives is cut into messages.

    Parameters
    ----------
    end : socket.socket
        Connected; the channel owns it.
    """

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._arrived = bytearray()

    def fileno(self) -> int:
        """For selectors."""
        return self.socket.fileno()

    @property
    def is_closed(self) -> bool:
        """Whether this end was closed."""
        return self.socket.fileno() == -1

    def send(self, message: Message, timeout_s: float = 1.0) -> None:
        """Send one message.

        Raises
        ------
        ConnectionLostError
            If the other side is gone, or does not read.
        """
        try:
            self.socket.settimeout(timeout_s)
            self.socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise ConnectionLostError(str(error) or type(error).__name__) from error

    def receive(self, timeout_s: float | None) -> Message:
        """Wait for one message; None waits for ever.

        Raises
        ------
        ConnectionLostError
            If the other side is gone or says nothing in time.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while (message := self._cut()) is None:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise ConnectionLostError(f"no answer within {timeout_s:.1f} s")
            try:
                self.socket.settimeout(left)
                piece = self.socket.recv(65536)
            except OSError as error:
                raise ConnectionLostError(str(error) or type(error).__name__) from error
            self._take(piece)
        return message

    def arrived(self) -> list[Message]:
        """What has arrived, without waiting; for a socket that a selector calls readable.

        Raises
        ------
        ConnectionLostError
            If the other side is gone.
        """
        try:
            self.socket.settimeout(0.0)
            self._take(self.socket.recv(65536))
        except BlockingIOError:
            return []
        except OSError as error:
            raise ConnectionLostError(str(error) or type(error).__name__) from error
        messages = []
        while (message := self._cut()) is not None:
            messages.append(message)
        return messages

    def close(self) -> None:
        """Let go of this end; hang up if nobody else has it. Idempotent."""
        self.socket.close()

    def hang_up(self) -> None:
        """Close the connection for everybody, a thread that waits for a message too. Idempotent."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _take(self, piece: bytes) -> None:
        if not piece:
            raise ConnectionLostError("the other side hung up")
        self._arrived += piece
        if len(self._arrived) > LONGEST:
            raise ConnectionLostError(f"a message over {LONGEST:,} bytes")

    def _cut(self) -> Message | None:
        line, newline, rest = self._arrived.partition(b"\n")
        if not newline:
            return None
        self._arrived = bytearray(rest)
        try:
            message: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConnectionLostError(f"no message: {error}") from error
        if not isinstance(message, dict):
            raise ConnectionLostError("no message: not an object")
        return message


def channel_pair() -> tuple[Channel, Channel]:
    """Two connected ends, for a process and the child it is about to fork."""
    one, other = socket.socketpair()
    return Channel(one), Channel(other)


def call(path: Path, message: Message, timeout_s: float) -> tuple[Message, Channel]:
    """Send a message to whoever listens at `path`; the answer, and the connection, still open.

    Raises
    ------
    ConnectionLostError
        If nobody listens or no answer comes in time.
    """
    until = time.monotonic() + timeout_s
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    channel = Channel(end)
    try:
        end.settimeout(max(0.01, timeout_s))
        end.connect(str(path))
        channel.send(message, max(0.01, until - time.monotonic()))
        return channel.receive(max(0.01, until - time.monotonic())), channel
    except OSError as error:
        channel.close()
        raise ConnectionLostError(str(error) or type(error).__name__) from error
    except BaseException:
        channel.close()
        raise


def listening(path: Path) -> socket.socket:
    """A socket that listens at `path`, in the place of whatever was there."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen(128)
    server.setblocking(False)
    return server
