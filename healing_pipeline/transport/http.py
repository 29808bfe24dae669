"""One GET, bounded in time, size and redirects; whatever happens comes back as a `Response`.

Much that aiohttp does by itself is off. It rounds time limits up, has no limit for a body's size,
unpacks it before anybody can count, follows redirects with credentials, and sends a GET again when
its connection broke. Here one deadline stands around everything, bytes are counted packed and
unpacked, and no second call is made that nobody asked for.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from healing_pipeline.catalog.destinations import Destinations
from healing_pipeline.catalog.urls import Origin
from healing_pipeline.probing.redaction import redact
from healing_pipeline.probing.response import NoAnswer, Response
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.transport.marks import MOST_MARKS, is_too_much
from healing_pipeline.transport.one_answer import OneAnswerConnector
from healing_pipeline.transport.resolving import GuardedResolver, InsideError
from healing_pipeline.transport.unpacking import ENCODINGS, PackingError, Unpacked, unpacking

MOST_BYTES = 8 * 1024 * 1024
"""Over what the longest true answer of these providers has (5 MB: 50,000 bars of Polygon's); each
MB more is time in which one hostile body keeps an event loop from everybody else."""
MOST_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Of a request's own headers, what another origin is sent too: a key may stand in any other.
HARMLESS = frozenset({"accept", "accept-language", "user-agent"})

_LONGEST_HEADER = 64 * 1024
_PACKING_SLACK = 64 * 1024
"""How much longer than what it holds a packed body may be: the packing of what does not shrink."""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How a `HttpSender` keeps its connections.

    Attributes
    ----------
    max_connections : int
        At the same time, to all hosts together; more calls wait, within their deadline.
    max_per_host : int
        Of them to one host: a bulkhead. A host that hangs keeps those and no more.
    keepalive_s : float
        How long an idle connection is kept: past the shortest interval of a probe, so that the next
        one need not connect again.
    """

    max_connections: int = 640
    max_per_host: int = 192
    keepalive_s: float = 45.0


def new_client() -> ClientSettings:
    """The settings of the data path."""
    return ClientSettings()


class HttpSender:
    """Sends requests over one connection pool, which it opens with its first call.

    Parameters
    ----------
    client : ClientSettings
    allowed : Destinations
        Where calls may go and redirects may lead: the catalog's origins. A redirect to any other
        place is handed back as it is, for the provider's rules to judge.
    most_bytes : int
        A longer body (after decoding) is cut off and refused.
    resolver : AbstractResolver or None
        Who is asked for addresses; None: the system. What it says is looked at before anybody
        connects to it.

    Notes
    -----
    A sender belongs to the event loop of its first call.
    """

    def __init__(
        self,
        client: ClientSettings,
        allowed: Destinations,
        most_bytes: int = MOST_BYTES,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._settings = client
        self._allowed = allowed
        self._resolver = resolver
        self._most_bytes = most_bytes
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self,
        request: UpstreamRequest,
        timeout_s: float,
        extra_headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send one GET within `timeout_s` seconds, all redirects and the whole body included.

        Returns
        -------
        Response
            With `no_answer` set when there was none; never an exception for the upstream's faults.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                return await self._follow(request, began, extra_headers or {})
        except TimeoutError:
            return _none(NoAnswer.TIMEOUT, f"no complete answer within {timeout_s:.2f} s", began)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, PackingError) as exc:
            return _none(NoAnswer.PROTOCOL, _said(exc), began)
        except aiohttp.ClientResponseError as exc:
            # Its text quotes the whole address, and the key in it.
            return _none(NoAnswer.PROTOCOL, redact(f"no HTTP: {exc.message}"), began)
        except aiohttp.ClientConnectorDNSError as exc:
            if isinstance(exc.os_error, InsideError):
                return _none(NoAnswer.NETWORK, redact(str(exc.os_error)), began)
            return _none(NoAnswer.UNRESOLVED, redact(f"{exc.host}: {_why(exc.os_error)}"), began)
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            return _none(NoAnswer.PROTOCOL, "redirected to no address", began)
        except (aiohttp.ClientConnectionError, _BrokenError, ssl.SSLError, OSError) as exc:
            return _none(NoAnswer.NETWORK, _said(exc), began)
        except (aiohttp.ClientError, ValueError) as exc:
            # ValueError is what the standard library says to `http://[` in a Location.
            return _none(NoAnswer.PROTOCOL, _said(exc), began)

    async def _follow(
        self, request: UpstreamRequest, began: float, extra_headers: Mapping[str, str]
    ) -> Response:
        url = URL(request.url, encoded=True)
        if not self._admits(url):
            return _none(NoAnswer.NETWORK, f"{url.host} is no host of the catalogue", began)
        headers = {**request.headers, **extra_headers}
        for _ in range(MOST_REDIRECTS + 1):
            response = await self._once(url, headers, began)
            if response.status not in REDIRECTS:
                return response
            target = response.headers.get("location")
            if not target:
                return response
            # Our own addresses go out byte for byte; a stranger's are quoted first. What is judged
            # is what will be called: two ways to read an address would be a way around.
            following = URL(urljoin(str(url), target))
            if not self._admits(following):
                return response
            if _origin(following) != _origin(url):
                # Another origin gets no credentials, however well we know it.
                if self._allowed.gives_away(str(following)):
                    return response
                headers = {
                    **{
                        name: value
                        for name, value in request.headers.items()
                        if name.lower() in HARMLESS
                    },
                    **extra_headers,
                }
            url = following
        return _none(NoAnswer.TOO_MANY_REDIRECTS, f"more than {MOST_REDIRECTS} redirects", began)

    def _admits(self, url: URL) -> bool:
        if url.user is not None or url.password is not None:
            return False
        return self._allowed.admits(*_origin(url))

    async def _once(self, url: URL, headers: Mapping[str, str], began: float) -> Response:
        session = self._session or self._open()
        answer = await session.get(url, headers=headers, allow_redirects=False)
        try:
            encodings = _encodings(answer.headers.get("Content-Encoding", ""))
            body = await self._body(answer.content, encodings)
        finally:
            # Gives up the connection of a body that was not read to its end; else it is kept.
            answer.close()
        if body is None:
            text = f"status {answer.status} and a body over {self._most_bytes:,} bytes"
            return _none(NoAnswer.TOO_LARGE, text, began)
        if await is_too_much(body):
            text = f"status {answer.status} and JSON of over {MOST_MARKS:,} commas and brackets"
            return _none(NoAnswer.TOO_LARGE, text, began)
        return Response(
            status=answer.status,
            headers=_plain(answer.headers.items()),
            body=body,
            elapsed_s=time.monotonic() - began,
        )

    async def _body(
        self, content: aiohttp.StreamReader, encodings: tuple[str, ...]
    ) -> bytes | None:
        """The whole body, unpacked; None when it is over the limit."""
        most = self._most_bytes + (_PACKING_SLACK if encodings else 0)
        chunks: list[bytes] = []
        size = 0
        while chunk := await content.readany():
            size += len(chunk)
            if size > most:
                return None
            chunks.append(chunk)
        body = b"".join(chunks)
        for encoding in reversed(encodings):
            unpacked = Unpacked()
            for piece in unpacking(body, encoding):
                if not unpacked.add(piece, self._most_bytes):
                    return None
                await asyncio.sleep(0)  # a bomb must not keep other readers from their deadlines
            body = unpacked.whole()
        return body

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=OneAnswerConnector(
                limit=self._settings.max_connections,
                limit_per_host=self._settings.max_per_host,
                keepalive_timeout=self._settings.keepalive_s,
                resolver=GuardedResolver(
                    self._resolver or aiohttp.ThreadedResolver(), self._allowed
                ),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),  # one answer must not colour the next
            trust_env=False,  # a proxy in the environment would change what a probe measures
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            headers={"Accept-Encoding": "gzip, deflate"},
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
            middlewares=(_never_again,),
        )
        return self._session

    async def aclose(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()


def _origin(url: URL) -> Origin:
    return url.scheme, (url.raw_host or "").lower().rstrip("."), url.port or 0


class _BrokenError(Exception):
    """A connection that broke, under a name for which aiohttp does not send again."""


async def _never_again(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a GET: a second call counts, and is the engine's to decide."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # never sent; aiohttp does not repeat it either
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise _BrokenError(_said(exc)) from exc


def _encodings(said: str) -> tuple[str, ...]:
    """The packings that a body lies in, outermost last; those that nobody knows are left on it."""
    if not said:
        return ()
    return tuple(each for each in map(str.strip, said.lower().split(",")) if each in ENCODINGS)


def _plain(headers: Collection[tuple[str, str]]) -> dict[str, str]:
    """Headers by their name in lower case; one that comes twice is one, joined by a comma."""
    plain: dict[str, str] = {}
    for name, value in headers:
        lower, text = name.lower(), value if value.isascii() else _text(value)
        plain[lower] = f"{plain[lower]}, {text}" if lower in plain else text
    return plain


def _text(value: str) -> str:
    """A header's value without the surrogates that stand for what is not UTF-8."""
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _none(kind: NoAnswer, detail: str, began: float) -> Response:
    return Response(no_answer=kind, detail=detail, elapsed_s=time.monotonic() - began)


def _why(error: OSError) -> str:
    """What the resolver says: "Name or service not known", or that it cannot be asked now."""
    return error.strerror or str(error) or type(error).__name__


def _said(exc: Exception) -> str:
    if isinstance(exc, _BrokenError):
        return str(exc)
    return redact(f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__)
