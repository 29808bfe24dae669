"""Names to addresses, without those that the name has no business to lead to.

Checked is exactly what is connected to: a name that is resolved again, and to something else, is
checked again. So a name that changes between two looks gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from healing_pipeline.catalog.destinations import Destinations


class InsideError(OSError):
    """A name leads into our own network, and the configuration does not say that it may."""

    def __init__(self, host: str, addresses: list[str]) -> None:
        self.host = host
        self.addresses = addresses
        super().__init__(
            f"{host} leads into a private network ({', '.join(addresses[:3])}); nothing was sent. "
            f"If that is meant, name it: `allow_private_hosts: [{host}]`"
        )


class GuardedResolver(AbstractResolver):
    """Resolves as `inner` does and leaves out addresses that `allowed` does not admit.

    Parameters
    ----------
    inner : AbstractResolver
    allowed : Destinations
    """

    def __init__(self, inner: AbstractResolver, allowed: Destinations) -> None:
        self._inner = inner
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host` that may be connected to.

        Raises
        ------
        InsideError
            If none of them may.
        """
        found = await self._inner.resolve(host, port, family)
        kept = [each for each in found if self._admits(host, port, each["host"])]
        if found and not kept:
            raise InsideError(host, [each["host"] for each in found])
        return kept

    async def close(self) -> None:
        """Close `inner`."""
        await self._inner.close()

    def _admits(self, host: str, port: int, address: str) -> bool:
        try:
            read = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return self._allowed.admits_address(host.lower().rstrip("."), port, read)
