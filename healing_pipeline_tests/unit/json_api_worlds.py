"""A shop's JSON API for tests: its configuration, a catalog of it, and an engine that asks it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from healing_pipeline.catalog.load import load
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.healing.parts import Clock
from healing_pipeline.installation import build_engine
from healing_pipeline.probing.response import NoAnswer, Response
from healing_pipeline.providers.provider import Provider, UpstreamRequest
from healing_pipeline.providers.registry import provider_names, provider_of

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
KEY = "k3y-of-the-shop"
HEAD = """\
upstreams: real
witnesses: []
sources:
  shop:
    provider: json_api
    hosts: {primary: https://api.shop.example, standby: https://standby.shop.example}
    keys: {main: {env: SHOP_KEY}}
    key_in: {header: X-Api-Key}
  other:
    provider: json_api
    hosts: {api: https://other.example}
endpoints:
"""

# What an API says to one request: its body as JSON or bytes, a whole response, or nothing.
Says = Callable[[UpstreamRequest], Any]


def catalog_of(folder: Path, endpoints: str, head: str = HEAD) -> Catalog:
    path = folder / "healing_config.yaml"
    path.write_text(head + endpoints)
    return load(path, environ={"SHOP_KEY": KEY}, providers=provider_names())


def speaker_of(folder: Path, rules: str, head: str = HEAD) -> tuple[Provider, UpstreamRequest]:
    """Whoever speaks for one endpoint with these rules, and its question as it is asked."""
    catalog = catalog_of(folder, f"  shop/widget:\n    path: /widget\n    {rules}\n", head)
    endpoint, source = catalog.endpoints["shop/widget"], catalog.sources["shop"]
    provider = provider_of(source, endpoint)
    key = source.keys[0] if source.keys else None
    return provider, provider.request(endpoint, source.hosts[0], key, NOW)


class Shop:
    """An engine on a catalog, whose upstreams say what `says` returns, in a time that stands."""

    def __init__(self, catalog: Catalog, says: Says) -> None:
        self.says = says
        self.elapsed = 0.0
        self.set_back_s = 0.0
        self.facts: list[Any] = []
        self.sent: list[UpstreamRequest] = []
        self.engine = build_engine(
            catalog,
            send=self._send,
            record=self.facts.append,
            clock=Clock(self.now, lambda: self.elapsed, self._sleep),
            snapshots=SnapshotMemory(),
            routes=RouteTable(),
            seed=1,
        )

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.elapsed - self.set_back_s)

    def fetch(self, endpoint: str, **options: Any) -> Any:
        async def once() -> Any:
            try:
                return await self.engine.fetch(endpoint, **options)
            finally:
                await self.engine.aclose()

        return asyncio.run(once())

    async def _sleep(self, seconds: float) -> None:
        self.elapsed += seconds
        await asyncio.sleep(0)

    async def _send(self, request: UpstreamRequest, timeout_s: float) -> Response:
        self.sent.append(request)
        self.elapsed += 0.01
        said = self.says(request)
        if said is None:
            return Response(no_answer=NoAnswer.NETWORK, detail="refused", elapsed_s=0.01)
        if isinstance(said, Response):
            return said
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        return Response(200, {"content-type": "application/json"}, body, 0.01)
