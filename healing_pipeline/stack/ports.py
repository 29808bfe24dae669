"""Whether a port can be had, asked before anything is started."""

from __future__ import annotations

import socket

from healing_pipeline.errors import PortInUseError


def require_free(port: int, what: str, cure: str) -> None:
    """Make sure that nobody listens on a loopback port.

    Raises
    ------
    PortInUseError
        If somebody does.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PortInUseError(port, what, cure) from None


def is_open(port: int, timeout_s: float = 0.2) -> bool:
    """Whether somebody answers on a loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(timeout_s)
        return probe.connect_ex(("127.0.0.1", port)) == 0
