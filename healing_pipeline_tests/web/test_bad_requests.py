"""Requests that no client of ours sends: refused with a status that is documented."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from gateways import Asker, ScriptedEngine, default_catalog


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
