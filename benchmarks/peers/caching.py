"""requests-cache with stale-if-error, over an adapter that knows the other hosts and keys."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests_cache import CachedSession

from healing_pipeline.providers.provider import UpstreamRequest
from peers.contract import ATTEMPT_S, End, Failure, Handed, Label, Question, Read, World

STALE_FOR = timedelta(minutes=15)

# Readers that wait at the same time; an open loop has many when calls hang.
_THREADS = 160

# 400 is what FRED says to a bad key, and the open host of the exchange rates to a pair.
_ANOTHER_MAY = frozenset({400, 401, 403, 404, 429, 500, 502, 503, 504})
_OTHER_WAYS = "x-other-ways"


class OverWays(HTTPAdapter):
    """Asks by the next host or key when one fails or refuses, within the deadline.

    Below the cache, so that its key is the plain question whoever answered. The whole body is read
    here: a connection that breaks in its middle is a failure of this way.
    """

    def __init__(self) -> None:
        super().__init__(pool_connections=20, pool_maxsize=_THREADS)
        self.ways: dict[str, tuple[UpstreamRequest, ...]] = {}
        self.deadline_s = 3.0

    def send(self, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        """Send by one way after the other; the last one's failure is the end."""
        until = time.monotonic() + self.deadline_s
        endpoint = request.headers.pop(_OTHER_WAYS)
        ways = self.ways[endpoint]
        for way in ways:
            is_last = way is ways[-1] or until - time.monotonic() < 2 * ATTEMPT_S
            asked = request.copy()
            asked.url = way.url
            asked.headers.update(way.headers)
            try:
                response = super().send(asked, **{**more, "timeout": ATTEMPT_S})
                assert isinstance(response.content, bytes)
            except requests.RequestException:
                if is_last:
                    raise
                continue
            if is_last or response.status_code not in _ANOTHER_MAY:
                break
        response.request = request  # by which it is cached
        return response


@asynccontextmanager
async def requests_with_cache(world: World) -> AsyncIterator[Read]:  # noqa: ARG001
    """A `CachedSession` that asks anew each time and serves what it kept on an error.

    Data is kept for a millisecond, so that whatever can be had fresh is, and for 15 minutes more
    where a call raises or answers with an error. Keys are left out of the cache's key.
    """
    logging.getLogger("requests_cache").setLevel(logging.CRITICAL)
    adapter = OverWays()
    session = CachedSession(
        backend="memory",
        expire_after=timedelta(milliseconds=1),
        stale_if_error=STALE_FOR,
        ignored_parameters=["api_key", "apikey", "Authorization", _OTHER_WAYS],
        allowable_codes=(200,),
    )
    session.trust_env = False
    session.mount("http://", adapter)
    threads = ThreadPoolExecutor(_THREADS)

    def ask(question: Question) -> End:
        way = question.ways[0]
        adapter.ways[question.endpoint] = question.ways
        try:
            response = session.get(way.url, headers={**way.headers, _OTHER_WAYS: question.endpoint})
        except requests.RequestException as exc:
            return Failure(repr(exc))
        label = Label.EXACT
        if getattr(response, "from_cache", False):
            label = Label.STALE if response.is_expired else Label.FRESH_ENOUGH
        return Handed(response.status_code, response.content, label)

    async def read(question: Question) -> End:
        return await asyncio.get_running_loop().run_in_executor(threads, ask, question)

    try:
        yield read
    finally:
        await asyncio.to_thread(threads.shutdown, wait=True, cancel_futures=True)
        session.close()
