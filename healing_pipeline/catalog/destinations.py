"""Where calls may go: the catalog's own origins, and which of them may lie in our own network.

What a host's name leads to is known when it is resolved, so the transport asks here twice: for the
address before it is called, also after a redirect, and for what the resolver says.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import quote

from healing_pipeline.catalog.urls import PORTS, Origin, is_inside, origin_of
from healing_pipeline.catalog.values import Catalog, Upstreams

# Shorter ones are found in ordinary addresses.
SHORTEST_SECRET = 4


@dataclass(frozen=True, slots=True)
class Destinations:
    """Where calls may go.

    Attributes
    ----------
    origins : frozenset of (scheme, host, port)
        Everything else is refused; hosts in lower case.
    private : frozenset of (host, port)
        Of them, those that may be in our own network.
    secrets : frozenset of str
        What a redirect to another origin may not carry there.
    """

    origins: frozenset[Origin]
    private: frozenset[tuple[str, int]] = frozenset()
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    def admits(self, scheme: str, host: str, port: int) -> bool:
        """Whether an address may be called at all, as far as it can be told before it is resolved.

        The same host by https is no worse than by http; the other way round a key would go in the
        clear.
        """
        known = (scheme, host, port) in self.origins or (
            scheme == "https" and port == PORTS["https"] and ("http", host, 80) in self.origins
        )
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return known
        return known and self.admits_address(host, port, address)

    def admits_address(
        self, host: str, port: int, address: ipaddress.IPv4Address | ipaddress.IPv6Address
    ) -> bool:
        """Whether `address`, which `host` resolved to, may be connected to."""
        return (host, port) in self.private or not is_inside(address)

    def gives_away(self, text: str) -> bool:
        """Whether a key of ours stands in a redirect's address."""
        return any(each in text for each in self.secrets)


def destinations(catalog: Catalog) -> Destinations:
    """Everything that `catalog` names.

    Simulated upstreams are on this machine, so that each may be private, at its own port.
    """
    origins = {
        origin_of(host.base_url) for source in catalog.sources.values() for host in source.hosts
    }
    own = {(host, port) for _, host, port in origins}
    secrets = {
        form
        for source in catalog.sources.values()
        for key in source.keys
        if len(key.secret) >= SHORTEST_SECRET
        for form in (key.secret, quote(key.secret, safe=""))
    }
    private = own if catalog.upstreams is Upstreams.SIMULATED else catalog.private_hosts
    return Destinations(frozenset(origins), frozenset(private), frozenset(secrets))
