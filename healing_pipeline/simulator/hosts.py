"""Which hosts are simulated, and on which port each one listens."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

HOSTS: tuple[tuple[str, str], ...] = (
    ("yahoo", "query1"),
    ("yahoo", "query2"),
    ("fred", "api"),
    ("polygon", "polygon"),
    ("polygon", "massive"),
    ("alpha_vantage", "www"),
    ("exchange_rate", "v6"),
    ("exchange_rate", "open"),
)
"""(source, host) in the order of their ports: HOSTS[i] listens on the control port + 1 + i."""

SOURCES: tuple[str, ...] = tuple(dict.fromkeys(source for source, _ in HOSTS))


def hosts_of(source: str) -> tuple[str, ...]:
    """Names of a source's hosts, in order of preference."""
    return tuple(host for each, host in HOSTS if each == source)


def control_address(base_port: int) -> str:
    """Base URL of the control API."""
    return f"http://127.0.0.1:{base_port}"


def addresses(base_port: int) -> Mapping[tuple[str, str], str]:
    """Base URL, without path, of every (source, host) of a simulator on `base_port`."""
    return MappingProxyType(
        {pair: f"http://127.0.0.1:{base_port + 1 + index}" for index, pair in enumerate(HOSTS)}
    )
