"""httpx + stamina: retries with backoff and jitter inside the reader's deadline."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import stamina
from stamina.instrumentation import set_on_retry_hooks

from peers.contract import ATTEMPT_S, End, Failure, Handed, Question, Read, World
from peers.plain import LIMITS

_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


def _is_worth_retrying(exc: Exception) -> bool:
    if isinstance(exc, httpx.HTTPStatusError):
        status = exc.response.status_code
        return status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR
    return isinstance(exc, httpx.TransportError)


@asynccontextmanager
async def httpx_with_stamina(world: World) -> AsyncIterator[Read]:  # noqa: ARG001
    """Up to four calls of a second each, on transport errors, 5xx and 429.

    stamina has neither hosts nor keys nor a cache. Since it tells the number of a try, each try
    goes to the next host, which is the one line that a user would add.
    """
    set_on_retry_hooks([])
    async with httpx.AsyncClient(limits=LIMITS, trust_env=False) as client:

        async def read(question: Question) -> End:
            hosts = question.hosts()
            tries = stamina.retry_context(
                on=_is_worth_retrying,
                attempts=4,
                timeout=question.deadline_s - ATTEMPT_S,
                wait_initial=0.1,
                wait_jitter=0.1,
                wait_max=1.0,
            )
            try:
                async for attempt in tries:
                    with attempt:
                        way = hosts[(attempt.num - 1) % len(hosts)]
                        response = await client.get(
                            way.url, headers=dict(way.headers), timeout=ATTEMPT_S
                        )
                        response.raise_for_status()
            except httpx.HTTPError as exc:
                return Failure(repr(exc))
            return Handed(response.status_code, response.content)

        yield read
