"""One GET, bounded in time, size and redirects; whatever happens comes back as a `Response`.

httpx bounds each read but not a whole response: a body that drips a byte a second never times out
there. Hence the one deadline around everything here, and the byte count while streaming.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Collection, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urljoin, urlsplit

import httpx

from healing_pipeline.probing.redaction import redact
from healing_pipeline.probing.response import NoAnswer, Response
from healing_pipeline.providers.provider import UpstreamRequest

MOST_BYTES = 16 * 1024 * 1024
MOST_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpSender:
    """Sends requests over one connection pool.

    Parameters
    ----------
    client : httpx.AsyncClient
        The pool; closed by `aclose`.
    hosts : collection of str
        ``host:port`` or ``host`` names that redirects may lead to: the catalog's. A redirect to any
        other place is handed back as it is, for the provider's rules to judge.
    most_bytes : int
        A longer body (after decoding) is cut off and refused.
    """

    def __init__(
        self, client: httpx.AsyncClient, hosts: Collection[str], most_bytes: int = MOST_BYTES
    ) -> None:
        self._client = client
        self._hosts = frozenset(hosts)
        self._most_bytes = most_bytes

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
        except httpx.TimeoutException as exc:
            return _none(NoAnswer.TIMEOUT, f"{type(exc).__name__} within {timeout_s:.2f} s", began)
        except (httpx.RemoteProtocolError, httpx.DecodingError, httpx.LocalProtocolError) as exc:
            return _none(NoAnswer.PROTOCOL, _said(exc), began)
        except (httpx.TransportError, ssl.SSLError, OSError) as exc:
            return _none(NoAnswer.NETWORK, _said(exc), began)
        except (httpx.InvalidURL, ValueError) as exc:
            # ValueError is what the standard library says to `http://[` in a Location.
            return _none(NoAnswer.PROTOCOL, f"redirected to no URL: {_said(exc)}", began)

    async def _follow(
        self, request: UpstreamRequest, began: float, extra_headers: Mapping[str, str]
    ) -> Response:
        url = request.url
        headers = {**request.headers, **extra_headers}
        for _ in range(MOST_REDIRECTS + 1):
            response = await self._once(url, headers, began)
            target = response.headers.get("location")
            if response.status not in REDIRECTS or not target:
                return response
            following = urljoin(url, target)
            if urlsplit(following).netloc not in self._hosts:
                return response
            if urlsplit(following)[:2] != urlsplit(url)[:2]:
                # Another origin gets no credentials, however well we know it.
                headers = {
                    name: value
                    for name, value in headers.items()
                    if name.lower() != "authorization"
                }
            url = following
        return _none(NoAnswer.TOO_MANY_REDIRECTS, f"more than {MOST_REDIRECTS} redirects", began)

    async def _once(self, url: str, headers: Mapping[str, str], began: float) -> Response:
        async with self._client.stream("GET", url, headers=dict(headers)) as answer:
            chunks: list[bytes] = []
            size = 0
            async for chunk in answer.aiter_bytes():
                size += len(chunk)
                if size > self._most_bytes:
                    return _none(
                        NoAnswer.TOO_LARGE,
                        f"status {answer.status_code} and a body over {self._most_bytes:,} bytes",
                        began,
                    )
                chunks.append(chunk)
            return Response(
                status=answer.status_code,
                headers={name.lower(): value for name, value in answer.headers.items()},
                body=b"".join(chunks),
                elapsed_s=time.monotonic() - began,
            )

    async def aclose(self) -> None:
        """Close the pool."""
        await self._client.aclose()


def new_client() -> httpx.AsyncClient:
    """A pool for the data path: no redirects, environment or cookies of its own.

    Notes
    -----
    `trust_env=False`: a proxy in the environment would change what a probe measures.
    """
    limits = httpx.Limits(max_connections=400, max_keepalive_connections=100, keepalive_expiry=30)
    return httpx.AsyncClient(
        follow_redirects=False,
        trust_env=False,
        limits=limits,
        timeout=httpx.Timeout(None, pool=None),
        headers={"accept-encoding": "gzip, deflate"},
        # httpx keeps cookies unless its jar refuses them: one answer would colour the next.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


def _none(kind: NoAnswer, detail: str, began: float) -> Response:
    return Response(no_answer=kind, detail=detail, elapsed_s=time.monotonic() - began)


def _said(exc: Exception) -> str:
    return redact(f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__)
