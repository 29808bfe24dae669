"""Who asks: an address, as far as it can be believed."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from healing_pipeline.catalog.gateway_section import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Of IPv6 whoever has one address has all of its network.
IPV6_PREFIX = 64
LOCAL = "local"
# Longer chains of proxies are nobody's.
MOST_HOPS = 10


class Clients:
    """Tells clients apart.

    Parameters
    ----------
    proxies : collection of networks
        Whose ``X-Forwarded-For`` is believed.
    """

    def __init__(self, proxies: Collection[Network]) -> None:
        self._proxies = tuple(proxies)

    def of(self, scope: Mapping[str, Any]) -> str:
        """One word for whoever asks; a client's own claim counts only through a known proxy."""
        peer = scope.get("client")
        address = None if not peer else _address(peer[0])
        if address is None:
            return LOCAL
        if self._proxies and self._is_proxy(address):
            address = self._forwarded(scope, address)
        return _key(address)

    def _forwarded(self, scope: Mapping[str, Any], last: Address) -> Address:
        """The nearest hop that is no proxy of ours; what stands before it anybody may write."""
        said = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        for each in reversed(said.decode("latin-1").split(",")[-MOST_HOPS:]):
            address = _address(each.strip())
            if address is None:
                return last
            last = address
            if not self._is_proxy(address):
                return address
        return last

    def _is_proxy(self, address: Address) -> bool:
        return any(address in each for each in self._proxies)


@lru_cache(4_096)
def _address(text: str) -> Address | None:
    """An address as it is, with a port or in brackets; an IPv4 one in IPv6's clothes unpacked."""
    bare = text.partition("]")[0].removeprefix("[") if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(4_096)
def _key(address: Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
