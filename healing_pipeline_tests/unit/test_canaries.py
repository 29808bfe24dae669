"""Keys of every source are planted; whatever an upstream makes of them, they come out nowhere.

The data path in this process, with an upstream that repeats what it was sent in every way that it
can think of. What leaves is all searched: facts, answers, problems, logs, messages, snapshots.
"""

from __future__ import annotations

import asyncio
import html
import itertools
import json
import logging
from base64 import b64encode
from dataclasses import asdict, replace
from urllib.parse import quote

import httpx
import pytest

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.load import load
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.installation import build_engine, system_clock
from healing_pipeline.probing.response import NoAnswer, Response
from healing_pipeline.providers.registry import PROVIDERS, provider_names
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.keys import default_keys
from healing_pipeline.web.gateway import Gateway
from healing_pipeline.web.pages import pages

# Of no shape that redaction by shape would know; each with what encodings have to change.
ENDPOINTS = {
    "fred/observations-dgs10": "fred",
    "polygon/bars-aapl-1d": "polygon",
    "alpha_vantage/quote-aapl": "alpha_vantage",
    "exchange_rate/latest-usd": "exchange_rate",
}
BODIES = {
    "error": '{{"error_message": "Bad Request. {k} is no key of ours", "error_code": 400}}',
    "note": '{{"Note": "We have detected that {k} asked too often"}}',
    "rate": '{{"status": "ERROR", "request_id": "{k}", "error": "{k}"}}',
    "page": "<html><title>{k}</title><body>sorry, {k}</body></html>",
    "text": "{k}",
    "data": '{{"observations": [{{"date": "2026-03-02", "value": "4.1"}}], "who": "{k}"}}',
}
WAYS = {
    "raw": lambda key: key,
    "quoted": lambda key: quote(key, safe=""),
    "JSON": lambda key: json.dumps(key)[1:-1],
    "JSON whole": lambda key: "".join(f"\\u{ord(each):04x}" for each in key),
    "HTML": html.escape,
    "upper": str.upper,
    "base64": lambda key: b64encode(f"user:{key}".encode()).decode(),
}


def planted(tmp_path) -> tuple[Catalog, dict[str, list[str]]]:
    path = tmp_path / "healing_config.yaml"
    path.write_text(default_config_text(), encoding="utf-8")
    found = load(
        path,
        environ={},
        providers=provider_names(),
        simulated_hosts=addresses(8900),
        simulated_keys=default_keys(),
    )
    keys: dict[str, list[str]] = {}
    sources = {}
    for name, source in found.sources.items():
        own = [replace(key, secret=f"kanari vogel/{name[:3]}&{key.name}+1~") for key in source.keys]
        keys[name] = [each.secret for each in own]
        sources[name] = replace(source, keys=tuple(own))
    return replace(found, sources=sources), keys


def forms(key: str) -> set[str]:
    whole = [way(key) for name, way in WAYS.items() if name != "base64"]
    core = b64encode(b"\0" * 3 + key.encode()).decode()[4:-4]
    return {each.lower() for each in (*whole, core, key.encode().hex())}


def endpoint_of(catalog: Catalog, source: str) -> str:
    return next(each.id for each in catalog.endpoints.values() if each.source == source)


@pytest.mark.parametrize("source", sorted({*ENDPOINTS.values()}))
def test_no_key_leaves_the_data_path_whatever_an_upstream_makes_of_it(source, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    catalog, keys = planted(tmp_path)
    said: list[object] = []
    sent: list[str] = []
    turns = itertools.cycle(itertools.product(BODIES, WAYS, (200, 302, 401, 429, 500)))

    async def send(request, timeout_s, extra_headers=None):
        sent.append(f"{request.url} {dict(request.headers)}")
        shape, way, status = next(turns)
        spent = keys[request.source] or ["no key at all"]
        key = WAYS[way](spent[len(sent) % len(spent)])
        if len(sent) % 11 == 0:
            detail = f"ConnectError: no way to {request.url} with {key}"
            return Response(no_answer=NoAnswer.NETWORK, detail=detail, elapsed_s=0.01)
        headers = {
            "content-type": f"application/json; who={key}",
            "set-cookie": f"key={key}",
            "location": f"https://elsewhere.example/?key={key}",
            "x-request-id": key,
            "retry-after": "1",
        }
        return Response(status, headers, BODIES[shape].format(k=key).encode(), 0.01)

    clock = replace(system_clock(), sleep=lambda seconds: asyncio.sleep(0))
    snapshots = SnapshotMemory()
    engine = build_engine(
        catalog,
        send=send,
        record=said.append,
        clock=clock,
        snapshots=snapshots,
        routes=RouteTable(),
        seed=1,
    )
    gateway = Gateway(
        catalog=catalog,
        providers=PROVIDERS,
        engine=engine,
        clock=clock,
        pages=pages(catalog, lambda: {"ready": True}),
    )

    async def ask() -> None:
        transport = httpx.ASGITransport(gateway)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            endpoints = [each.id for each in catalog.endpoints.values() if each.source == source]
            for number in range(70):
                headers = {"X-Healing": "off"} if number % 2 else {"X-Healing-Deadline": "0.5"}
                endpoint = endpoints[number % len(endpoints)]
                got = await client.get(f"/v1/{endpoint}", headers=headers)
                assert b"internal-error" not in got.content
                said.append((got.status_code, dict(got.headers), got.content, got.text))
        await engine.aclose()

    asyncio.run(ask())
    assert len(sent) > 40
    # The key went to the upstream: what is searched for below was really there.
    assert any(form in each.lower() for each in sent for k in keys[source] for form in forms(k))
    said += [record.getMessage() for record in caplog.records]
    said.append(snapshots)
    written = [everything(each) for each in said]
    assert sum(len(each) for each in written) > 10_000
    for key in keys[source]:
        for form in forms(key):
            assert not [each[:300] for each in written if form in each.lower()], form


def everything(value: object) -> str:
    """All that is in a value, as text that is searched."""
    try:
        value = asdict(value)  # type: ignore[call-overload]
    except TypeError:
        if hasattr(value, "__dict__"):
            value = vars(value)
    text = repr(value)
    # Bytes and escapes are shown as they would be read, too.
    return text + text.encode().decode("unicode_escape", "replace")
