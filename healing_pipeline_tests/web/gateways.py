"""A gateway over a scripted engine, and a client that asks it without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.load import load
from healing_pipeline.healing.answer import Answer, HealingFailed, Tried
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategy import Observation
from healing_pipeline.installation import system_clock
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.probing.response import RequestLine, Response, Verdict
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.providers.registry import PROVIDERS, provider_names
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.keys import default_keys
from healing_pipeline.web.gateway import Gateway
from healing_pipeline.web.pages import pages

ID = UUID(int=7)
NOW = datetime.now(UTC)
# It stands still: what an answer's age says of it must not hang on how busy the machine is.
CLOCK = replace(system_clock(), now=lambda: NOW)


def default_catalog(tmp_path):
    path = tmp_path / "healing_config.yaml"
    path.write_text(default_config_text())
    return load(
        path,
        environ={},
        providers=provider_names(),
        simulated_hosts=addresses(8900),
        simulated_keys=default_keys(),
    )


def answer(
    body: bytes = b'{"quoteResponse":{}}',
    *,
    age_s: float = 0.0,
    fidelity: Fidelity = Fidelity.EXACT,
    **changes: Any,
) -> Answer:
    now = CLOCK.now()
    values = {
        "request_id": ID,
        "endpoint": "yahoo/quote-aapl",
        "fidelity": fidelity,
        "as_of": now - timedelta(seconds=age_s),
        "fetched_at": now - timedelta(seconds=age_s),
        "reading": Reading("AAPL", "now", (Point(now, "price", 1.5),), now),
        "body": body,
        "strategy": "plain",
        "provider": "yahoo",
        "attempts": 1,
        "seconds": 0.01,
    }
    return Answer(**{**values, **changes})


def failed(failure_class: FailureClass, retry_after_s: float | None = None) -> HealingFailed:
    return HealingFailed(
        request_id=ID,
        endpoint="yahoo/quote-aapl",
        verdict=Verdict(failure_class, "what was seen"),
        tried=(Tried("use_cached_data", "left out", "nothing in the store"),),
        attempts=2,
        seconds=2.9,
        retry_after_s=retry_after_s,
    )


def observation(response: Response, failure: FailureClass = FailureClass.OK) -> Observation:
    request = UpstreamRequest("yahoo", "query1", None, "http://x.test", {}, RequestLine("/"))
    return Observation(request, response, Verdict(failure, "what was seen"), None)


@dataclass
class ScriptedEngine:
    """Says what it is told to, and keeps what it was asked."""

    end: Answer | HealingFailed | Exception = field(default_factory=answer)
    seen: Observation | None = None
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    wait: Callable[[], Any] | None = None

    async def fetch(self, endpoint_id: str, **options: Any):
        self.asked.append((endpoint_id, options))
        if self.wait is not None:
            await self.wait()
        if isinstance(self.end, Exception):
            raise self.end
        return self.end

    async def ask_plain(self, endpoint_id: str, **options: Any):
        self.asked.append((endpoint_id, {"plain": True, **options}))
        return self.seen


class Asker:
    """Asks a gateway like a client, through the ASGI interface."""

    def __init__(self, catalog, engine, token: str | None = None) -> None:
        self.engine = engine
        self.gateway = Gateway(
            catalog=catalog,
            providers=PROVIDERS,
            engine=engine,
            clock=CLOCK,
            pages=pages(catalog, lambda: {"ready": True}),
            token=token,
        )

    def ask(self, target: str, method: str = "GET", **options: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(self.gateway)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
                return await client.request(method, target, **options)

        return asyncio.run(once())

    def problem(self, target: str, status: int, kind: str, **options: Any) -> dict[str, Any]:
        response = self.ask(target, **options)
        assert response.headers["content-type"] == "application/problem+json"
        document = response.json()
        assert (response.status_code, document["status"], document["type"]) == (
            status,
            status,
            f"/problems/{kind}",
        )
        assert document["title"]
        assert document["detail"]
        assert document["instance"].startswith("urn:uuid:")
        return document
