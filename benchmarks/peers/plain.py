"""Plain httpx: one GET with a time limit, as most code is written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from peers.contract import End, Failure, Handed, Question, Read, World

LIMITS = httpx.Limits(max_connections=400, max_keepalive_connections=100)


@asynccontextmanager
async def plain_httpx(world: World) -> AsyncIterator[Read]:  # noqa: ARG001 - knows nothing of it
    """One call of the first host with the first key; the time limit is the reader's deadline."""
    async with httpx.AsyncClient(limits=LIMITS, trust_env=False) as client:

        async def read(question: Question) -> End:
            way = question.ways[0]
            try:
                response = await client.get(
                    way.url, headers=dict(way.headers), timeout=question.deadline_s
                )
            except httpx.HTTPError as exc:
                return Failure(repr(exc))
            return Handed(response.status_code, response.content)

        yield read
