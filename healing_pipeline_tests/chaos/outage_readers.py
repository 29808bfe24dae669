"""Readers over HTTP by a schedule, each with what it got and how long it waited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from healing_pipeline.drill.schedule import Arrival

PATIENCE_S = 15.0


@dataclass(frozen=True, slots=True)
class Got:
    """What one reader got; `error` is empty where it was an accepted answer."""

    at_s: float
    endpoint: str
    seconds: float
    request_id: str | None
    was_healed: bool
    error: str


@dataclass
class HttpReaders:
    """Readers of one gateway, who ask when their time has come, however long others wait."""

    url: str
    plan: Sequence[Arrival]
    got: list[Got] = field(default_factory=list)

    async def prime(self, endpoints: Sequence[str]) -> None:
        """Read every page once while all is well, as a website that is up has."""
        async with self._client() as client:
            for each in endpoints:
                await self._ask(client, Arrival(0.0, each))

    async def run(self) -> None:
        """Ask all that is planned."""
        began = time.monotonic()
        async with self._client() as client, asyncio.TaskGroup() as asking:
            for arrival in self.plan:
                await asyncio.sleep(max(0.0, arrival.at_s - (time.monotonic() - began)))
                asking.create_task(self._ask(client, arrival))

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_S, trust_env=False)

    async def _ask(self, client: httpx.AsyncClient, arrival: Arrival) -> None:
        began = time.monotonic()
        request_id, was_healed, error = None, False, ""
        try:
            response = await client.get(f"/v1/{arrival.endpoint}")
            request_id = response.headers.get("x-healing-request-id")
            was_healed = response.headers.get("x-healing-strategy") != "plain"
            if not response.is_success:
                error = f"{response.status_code}: {response.text[:200]}"
        except httpx.TransportError as failed:
            error = f"{type(failed).__name__}: {failed}"
        seconds = time.monotonic() - began
        self.got.append(Got(arrival.at_s, arrival.endpoint, seconds, request_id, was_healed, error))
