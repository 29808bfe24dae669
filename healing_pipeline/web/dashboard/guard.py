"""What stands around all pages: from where they are asked, what they load, what may go wrong.

A page of another site cannot read them, post to them or listen to them, also where no token is
asked for: a name that resolves to this machine is no name of ours, and a browser says which site a
request comes from.
"""

from __future__ import annotations

import ipaddress
import logging
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healing_pipeline.errors import StorageError
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.rendering import ASSETS_AT, AT, sheet_hash
from healing_pipeline.web.protection import CHANGES_NOTHING

_LOG = logging.getLogger(__name__)

REPORTS_AT = "/reports"
MOST_BODY_BYTES = 64 * 1024

PROTECTION = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; "
        f"style-src 'self' 'sha256-{sheet_hash()}'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Everything below `/health-dashboard` and `/reports`; what is elsewhere goes by.

    Parameters
    ----------
    app : ASGI application
        Of all pages.
    dashboard : Dashboard
    hosts : frozenset of str or None
        The names of this machine that pages may be asked by; None where a token is asked for, which
        no foreign page has.
    """

    def __init__(self, app: ASGIApp, dashboard: Dashboard, hosts: frozenset[str] | None) -> None:
        self._app = app
        self._dashboard = dashboard
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one socket."""
        if scope["type"] == "websocket":
            if is_foreign_socket(scope) or not self._is_ours(scope):
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
        elif scope["type"] == "http" and is_dashboards(scope["path"]):
            await self._guarded(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        begun = False

        async def protected(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message = {**message, "headers": _with_protection(message["headers"])}
            await send(message)

        async def answer(response: Response) -> None:
            await response(scope, receive, protected)

        if not self._is_ours(scope):
            await answer(
                PlainTextResponse(
                    "This name is not one of the gateway's. Ask for it as localhost, or set "
                    "`alerts: {url: ...}` to the address that people use.",
                    421,
                )
            )
            return
        if is_foreign_change(scope):
            await answer(
                PlainTextResponse("Another site's page may not change anything here.", 403)
            )
            return
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MOST_BODY_BYTES:
            await answer(PlainTextResponse("That is too much to send.", 413))
            return
        try:
            await self._app(scope, _bounded(receive), protected)
        except StorageError as error:
            if begun:
                raise
            await answer(
                await self._dashboard.problem(request, 503, "PostgreSQL is away", str(error))
            )
        except _TooMuchError:
            await answer(PlainTextResponse("That is too much to send.", 413))
        except Exception:
            _LOG.exception("a page could not be made")
            if not begun:
                text = "This page could not be made; the gateway's log says why."
                await answer(await self._dashboard.problem(request, 500, "A fault of ours", text))

    def _is_ours(self, scope: Scope) -> bool:
        if self._hosts is None or scope["path"].startswith(ASSETS_AT):
            return True
        host = name_in(Headers(scope=scope).get("host", ""))
        return host in self._hosts or is_loopback(host)


class _TooMuchError(Exception):
    """A body that does not end."""


def _bounded(receive: Receive) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MOST_BODY_BYTES:
            raise _TooMuchError
        return message

    return bounded


def is_dashboards(path: str) -> bool:
    """Whether a path is one of the dashboard's or of a report's, or lists the catalogue."""
    return path in {AT, "/metrics", REPORTS_AT, "/docs", "/openapi.json"} or path.startswith(
        (f"{AT}/", f"{REPORTS_AT}/")
    )


def name_in(host: str) -> str:
    """The name in a `Host` header, without its port; empty when there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_foreign_change(scope: Scope) -> bool:
    """Whether a request wants to change something and does not come from a page of ours."""
    if scope["method"] in CHANGES_NOTHING:
        return False
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site != "same-origin"
    return not _is_same(headers)


def is_foreign_socket(scope: Scope) -> bool:
    """Whether a socket is opened by anything but a page of ours."""
    return not _is_same(Headers(scope=scope))


def _is_same(headers: Headers) -> bool:
    host = headers.get("host", "")
    return bool(host) and headers.get("origin", "") in (f"http://{host}", f"https://{host}")


def _with_protection(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What a page says itself is not said again."""
    said = {name.lower() for name, _ in headers}
    return [
        *headers,
        *(
            (name.encode(), value.encode())
            for name, value in PROTECTION.items()
            if name.encode() not in said
        ),
    ]
