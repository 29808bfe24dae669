"""One's own API, two hosts of it on this machine, read through client and gateway over HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from healing_pipeline.data_path import open_data_path
from healing_pipeline.healing.answer import HealingFailed
from healing_pipeline.installation import system_clock
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.providers.registry import PROVIDERS
from healing_pipeline.web.gateway import Gateway
from healing_pipeline.web.pages import pages

KEY = "k3y-of-the-shop"
CONFIG = """\
upstreams: real
witnesses: []
allow_private_hosts: [FIRST, SECOND]
sources:
  shop:
    provider: json_api
    hosts: {primary: http://FIRST, standby: http://SECOND}
    keys: {main: {env: SHOP_KEY}}
    key_in: bearer
endpoints:
  shop/prices:
    path: /prices
    read: {rows: data.prices, at: date, fields: {close: close}}
  shop/front-page:
    path: /
    expect: {status: [200], text: Welcome, within_s: 1}
"""
GOOD = {
    "data": {"prices": [{"date": "2026-03-03", "close": 9.5}, {"date": "2026-03-04", "close": 9}]}
}
PAGE = b"<html><head><title>Shop</title></head><body>Welcome!</body></html>"


@dataclass
class OwnApi:
    """One host of the API, which listens from its making on."""

    prices: object = field(default_factory=lambda: GOOD)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        own = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                own.asked.append(self.path)
                known = self.headers["Authorization"] == f"Bearer {KEY}"
                body = PAGE if self.path == "/" else json.dumps(own.prices).encode()
                self.send_response(200 if known else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Listen no more; a second time does nothing."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def two_hosts() -> Iterator[tuple[OwnApi, OwnApi]]:
    first, second = OwnApi(), OwnApi()
    try:
        yield first, second
    finally:
        first.stop()
        second.stop()


@pytest.mark.processes
def test_an_own_api_is_healed_by_its_other_host_and_by_what_was_stored(tmp_path):
    async def read(first: OwnApi, second: OwnApi) -> None:
        config = tmp_path / "healing_config.yaml"
        config.write_text(CONFIG.replace("FIRST", first.place).replace("SECOND", second.place))
        environ = {
            "SHOP_KEY": KEY,
            "HEALING_STATE_DIR": str(tmp_path / "state"),
            "HEALING_DATABASE_URL": "postgresql://healing@127.0.0.1:1/none",
        }
        async with open_data_path(config, environ) as path:
            engine = path.engine
            gateway = Gateway(
                catalog=path.catalog,
                providers=PROVIDERS,
                engine=engine,
                clock=system_clock(),
                pages=pages(path.catalog, dict),
            )
            transport = httpx.ASGITransport(gateway)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                said = await client.get("/v1/shop/prices")
                assert said.json() == GOOD
                assert said.headers["x-healing-fidelity"] == "exact"
                assert said.headers["x-healing-as-of"] == "2026-03-04T00:00:00+00:00"
                assert (await client.get("/proxy/shop/prices")).json() == GOOD
                another = await client.get("/v1/shop/prices", params={"days": 3})
                assert another.json()["type"].endswith("another-question"), another.text
                page = await client.get("/v1/shop/front-page")
                assert (page.content, page.headers["content-type"]) == (
                    PAGE,
                    "text/plain; charset=utf-8",
                )
                assert not second.asked

                first.stop()
                healed = await engine.fetch("shop/prices")
                assert (healed.fidelity, healed.strategy) == ("exact", "alternate_host")
                assert healed.met.failure_class is FailureClass.NETWORK_ERROR
                assert json.loads(healed.body) == GOOD

                second.prices = {"data": {"prices": [{"date": "2026-03-04", "close": "n/a"}]}}
                stored = await client.get("/v1/shop/prices")
                assert stored.json() == GOOD
                assert stored.headers["x-healing-fidelity"] == "stale"
                assert stored.headers["x-healing-as-of"] == "2026-03-04T00:00:00+00:00"
                fetched_at = (await engine.fetch("shop/prices")).fetched_at
                assert fetched_at == healed.fetched_at

                second.stop()
                assert (await engine.fetch("shop/prices")).fidelity == "stale"
                assert isinstance(await engine.fetch("shop/front-page"), HealingFailed)

    with two_hosts() as (first, second):
        asyncio.run(read(first, second))
