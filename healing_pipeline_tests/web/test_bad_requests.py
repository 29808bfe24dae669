"""Requests that no client of ours sends: refused with a status that is documented."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import schemathesis
import uvicorn
from gateways import Asker, ScriptedEngine, default_catalog, observation
from uvicorn.server import ServerState

from healing_pipeline.probing.response import Response
from healing_pipeline.web.serving import BoundedProtocol
from healing_pipeline_tests.chaos.fuzz.requests import Line
from healing_pipeline_tests.chaos.openapi_cases import played


def asked_raw(asker: Asker, path: str, query: bytes) -> tuple[int, dict[str, Any]]:
    """What the gateway says to bytes that httpx would not send."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "root_path": "",
        "path": path, "raw_path": path.encode(), "query_string": query, "headers": [],
        "server": ("127.0.0.1", 8888), "client": ("127.0.0.1", 5),
    }  # fmt: skip
    asyncio.run(asker.gateway(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.parametrize("query", [b"a=\xa2", b"\xff\xfe", b"%", b"\x00"])
def test_a_page_that_is_not_there_is_404_whatever_the_query(query: bytes, tmp_path) -> None:
    """Found by fuzzing: a query that is no UTF-8 made a 500 of it."""
    asker = Asker(default_catalog(tmp_path), ScriptedEngine())
    status, document = asked_raw(asker, "/nowhere", query)
    assert (status, document["type"]) == (404, "/problems/not-found")


def test_a_page_that_is_not_there_is_named_in_short(tmp_path) -> None:
    asker = Asker(default_catalog(tmp_path), ScriptedEngine())
    _, document = asked_raw(asker, "/" + "x" * 30_000, b"")
    assert len(document["detail"]) < 300


@pytest.mark.parametrize(
    "head", [b"Transfer-Encoding: chunked", b"Content-Length: 1000000000"], ids=["chunks", "told"]
)
def test_a_body_without_end_ends_the_connection(head: bytes, tmp_path) -> None:
    """What came after the answer was read and thrown away for as long as somebody sent it."""
    asker = Asker(default_catalog(tmp_path), ScriptedEngine())

    async def sent() -> int:
        config = uvicorn.Config(asker.gateway, http=BoundedProtocol, lifespan="off")
        config.load()
        protocol = BoundedProtocol(config=config, server_state=ServerState(), app_state={})
        line = Line()
        protocol.connection_made(line)
        protocol.data_received(b"POST /v1/x HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n\r\n")
        taken = 0
        while not line.is_closed and taken < 100:
            protocol.data_received(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
            await asyncio.sleep(0)
            taken += 1
        protocol.connection_lost(None)
        return taken

    assert asyncio.run(sent()) < 20


def test_the_page_says_of_every_answer_what_it_is(tmp_path) -> None:
    """A short form of `chaos openapi`, over a scripted engine."""
    asker = Asker(default_catalog(tmp_path), ScriptedEngine())
    asker.engine.seen = observation(Response(503, {"content-type": "text/html"}, b"<html>"))
    schema = schemathesis.openapi.from_asgi("/openapi.json", asker.gateway)
    some = schema.include(path_regex="quote-aapl|dgs10|eur-usd|/proxy/(yahoo|fred)")
    cases = played(some, 14, 1)
    assert cases.failures == {}
    assert cases.requests >= 100
    assert {200, 400, 404, 503} <= set(cases.statuses)
