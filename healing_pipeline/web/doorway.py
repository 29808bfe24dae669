"""Before everything else: whether a client asks too much, tries too many tokens, keeps too many
sockets. What is refused here has cost next to nothing.
"""  # noqa: D205 (one sentence)

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import ceil

from healing_pipeline.catalog.gateway_section import GatewaySettings
from healing_pipeline.web.admission import ADMITTED
from healing_pipeline.web.answers import of_problem
from healing_pipeline.web.clients import Clients
from healing_pipeline.web.gateway import OPEN_PATHS, App, Receive, Scope, Send, replied
from healing_pipeline.web.limits import Attempts, Buckets
from healing_pipeline.web.problems import Problem

# Of one client, tabs of a browser or a wall of screens.
MOST_SOCKETS_OF_ONE = 30
_TRY_LATER = 1013


class Doorway:
    """Stands before a gateway.

    Parameters
    ----------
    gateway : ASGI application
        Leaves word in the scope whether it was shown a token that is one.
    settings : GatewaySettings
    monotonic : callable
        Seconds.
    """

    def __init__(
        self, gateway: App, settings: GatewaySettings, monotonic: Callable[[], float]
    ) -> None:
        self._gateway = gateway
        self._settings = settings
        self._now = monotonic
        self._clients = Clients(settings.proxies)
        self._requests = Buckets(settings.requests_per_s, settings.burst)
        self._attempts = Attempts()
        self._sockets: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one socket for as long as it is open."""
        if scope["type"] == "lifespan" or scope["path"] in OPEN_PATHS:
            # A balancer that is refused would take the gateway out.
            await self._gateway(scope, receive, send)
            return
        client, now = self._clients.of(scope), self._now()
        wait_s = self._requests.take(client, now)
        if wait_s:
            most = f"{self._settings.requests_per_s:g} requests a second"
            await _refuse(scope, send, f"One client may ask {most} here.", wait_s)
            return
        wait_s = self._attempts.wait(client, now)
        if wait_s:
            await _refuse(scope, send, "Too many wrong tokens came from this client.", wait_s)
            return
        if scope["type"] == "websocket":
            await self._socket(client, scope, receive, send)
        else:
            await self._gateway(scope, receive, send)
        admitted = scope.get(ADMITTED)
        if admitted:
            self._attempts.was_let_in(client, now)
        elif admitted is not None:
            self._attempts.was_wrong(client, now)

    async def _socket(self, client: str, scope: Scope, receive: Receive, send: Send) -> None:
        if self._sockets[client] >= MOST_SOCKETS_OF_ONE:
            await send({"type": "websocket.close", "code": _TRY_LATER})
            return
        self._sockets[client] += 1
        try:
            await self._gateway(scope, receive, send)
        finally:
            self._sockets[client] -= 1
            if not self._sockets[client]:
                del self._sockets[client]


async def _refuse(scope: Scope, send: Send, why: str, wait_s: float) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _TRY_LATER})
        return
    after = (b"retry-after", str(max(1, ceil(wait_s))).encode())
    await replied(of_problem(Problem("too-many-requests", why, headers=(after,))), scope, send)
