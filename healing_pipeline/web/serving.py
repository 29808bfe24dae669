"""The gateway as a server: who may reach it, what a connection may do, how it starts and stops."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.loops.auto import auto_loop_factory
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.data_path import DataPath, open_data_path
from healing_pipeline.errors import ConfigurationError, PortInUseError
from healing_pipeline.installation import system_clock
from healing_pipeline.providers.registry import provider_named
from healing_pipeline.web.beside import Pages
from healing_pipeline.web.dashboard.guard import is_loopback
from healing_pipeline.web.doorway import Doorway
from healing_pipeline.web.gateway import Gateway

TOKEN_VARIABLE = "HEALING_GATEWAY_TOKEN"  # noqa: S105 (a variable's name)  # nosec B105
READER_VARIABLE = "HEALING_GATEWAY_READER_TOKEN"
DEFAULT_PORT = 8888
SHORTEST_TOKEN = 16

# A request without its end is no reader: what llhttp takes has no bound of its own.
MOST_HEAD_BYTES = 32 * 1024
HEAD_WITHIN_S = 10.0
IDLE_S = 60.0
MOST_CONNECTIONS = 2_000
STOP_WITHIN_S = 3
# Forms are the longest that anybody has to send, and 64 KB of them are read.
MOST_BODY_BYTES = 128 * 1024
BODY_WITHIN_S = 20.0
# A browser has nothing to say on its socket.
MOST_HEARD_BYTES = 256


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a bound on what comes before a request is complete.

    It limits neither the bytes of a request's head nor the time it may take, and never ends a
    connection on which nothing was asked yet.
    """

    _head_bytes = 0
    _body_bytes = 0
    _in_head = True
    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to no complete head."""
        if self._in_head:
            if self._head_bytes and self._limit is None:
                self._wait_for_head()
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self.send_400_response("The head of the request is too long.")
                return
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """A request is there, but for its body."""
        self._in_head, self._head_bytes, self._body_bytes = False, 0, 0
        self._stop_waiting()
        self._limit = self.loop.call_later(BODY_WITHIN_S, self.transport.close)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count a body that nobody reads any more: what follows an answer would go on for ever."""
        self._body_bytes += len(body)
        if self._body_bytes > MOST_BODY_BYTES:
            self.transport.close()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The next one may begin."""
        self._in_head = True
        self._stop_waiting()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """From here on it is a socket, which may last."""
        self._stop_waiting()
        super().handle_websocket_upgrade()

    def _wait_for_head(self) -> None:
        self._limit = self.loop.call_later(HEAD_WITHIN_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


def token_for(host: str, environ: Mapping[str, str]) -> str | None:
    """The token that readers have to bring to a gateway on `host`.

    Raises
    ------
    ConfigurationError
        If others than this machine could reach it without one, or if it is too short to be one.
    """
    token = _token_in(TOKEN_VARIABLE, environ)
    if not token and not is_loopback(host):
        raise ConfigurationError(
            f"On {host} others than this machine reach the gateway, and it asks for no token.",
            f"Set {TOKEN_VARIABLE} (`openssl rand -hex 24` makes one), or use --host 127.0.0.1.",
        )
    return token or None


def reader_token_for(environ: Mapping[str, str]) -> str | None:
    """The token of whoever may read and change nothing; None where there is none.

    Raises
    ------
    ConfigurationError
        If it is too short, the same as the other, or alone.
    """
    reader = _token_in(READER_VARIABLE, environ)
    token = _token_in(TOKEN_VARIABLE, environ)
    if reader and not token:
        raise ConfigurationError(
            f"{READER_VARIABLE} is set and {TOKEN_VARIABLE} is not: everybody may change things.",
            f"Set {TOKEN_VARIABLE} too (`openssl rand -hex 24` makes one).",
        )
    if reader and reader == token:
        raise ConfigurationError(
            f"{READER_VARIABLE} is the same as {TOKEN_VARIABLE}.",
            "Make another: `openssl rand -hex 24`.",
        )
    return reader or None


def _token_in(variable: str, environ: Mapping[str, str]) -> str:
    token = environ.get(variable, "").strip()
    if token and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        raise ConfigurationError(
            f"{variable} is no token: it needs {SHORTEST_TOKEN} or more ASCII characters.",
            "Make one: `openssl rand -hex 24`.",
        )
    return token


def gateway_on(
    path: DataPath, token: str | None, around: Pages, reader_token: str | None = None
) -> Gateway:
    """The application on an open data path, with the pages around it."""
    catalog = path.catalog

    def health() -> Mapping[str, Any]:
        return {
            "ready": True,
            "endpoints": len(catalog.endpoints),
            "postgresql": "connected" if path.memory.is_connected else "away",
            "facts": asdict(path.recorder.counters),
            "waiting_on_disk": {
                **asdict(path.recorder.on_disk()),
                "most_bytes": path.recorder.most_bytes,
            },
        }

    return Gateway(
        catalog=catalog,
        providers={
            source.provider: provider_named(source.provider) for source in catalog.sources.values()
        },
        engine=path.engine,
        clock=system_clock(),
        pages=around.application(health),
        token=token,
        reader_token=reader_token,
        is_open=around.is_open,
    )


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises
    ------
    PortInUseError
        If somebody else does.
    ConfigurationError
        If the machine has no such address.
    """
    with ExitStack() as until_bound:
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            listening = until_bound.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen(512)
        except (OSError, OverflowError) as error:
            if getattr(error, "errno", None) == errno.EADDRINUSE:
                cure = f"Choose another: --port {port + 1} (with `healing up`: --gateway-port)."
                raise PortInUseError(port, "the gateway", cure) from None
            raise ConfigurationError(
                f"The gateway cannot listen on {host}:{port} ({error}).",
                "Give --host an address of this machine and --port a number from 1024 to 65535.",
            ) from None
        until_bound.pop_all()
        return listening


class _Server(uvicorn.Server):
    """uvicorn's server, which ends by itself when asked to.

    uvicorn's own sends itself the signal again once it has stopped serving, and the process would
    end before its facts are on disk.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, self.handle_exit, each, None)
        try:
            yield
        finally:
            for each in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(each)


async def serve(
    config: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    host: str,
    port: int,
    ready: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are answered first.

    Parameters
    ----------
    ready : callable
        Is told the gateway's address once it answers.

    Raises
    ------
    HealingPipelineError
        If the configuration, the address or the token cannot be used.
    """
    token, reader_token = token_for(host, environ), reader_token_for(environ)
    with bound(host, port) as listening:
        async with AsyncExitStack() as stack:
            path = await stack.enter_async_context(open_data_path(config, environ))
            own_hosts = None if token is not None else frozenset({host})
            settings = load_settings(config, environ=environ)
            around = Pages(path, settings, own_hosts)
            stack.callback(around.close)
            around.start()
            server = _Server(
                uvicorn.Config(
                    Doorway(
                        gateway_on(path, token, around, reader_token),
                        settings.gateway,
                        system_clock().monotonic,
                    ),
                    http=BoundedProtocol,
                    ws="websockets-sansio",
                    ws_max_size=MOST_HEARD_BYTES,
                    ws_per_message_deflate=False,
                    ws_ping_interval=20.0,
                    ws_ping_timeout=20.0,
                    lifespan="off",
                    access_log=False,
                    log_level="warning",
                    server_header=False,
                    # By itself it believes X-Forwarded-For of everything on this machine.
                    proxy_headers=False,
                    timeout_keep_alive=int(IDLE_S),
                    timeout_graceful_shutdown=STOP_WITHIN_S,
                    limit_concurrency=MOST_CONNECTIONS,
                )
            )
            shown = f"[{host}]" if ":" in host else host
            ready(f"http://{shown}:{listening.getsockname()[1]}")
            await server.serve(sockets=[listening])


def run(
    config: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    host: str,
    port: int,
    ready: Callable[[str], None],
) -> None:
    """`serve` in an event loop of its own, the fastest there is."""
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(serve(config, environ, host=host, port=port, ready=ready))
