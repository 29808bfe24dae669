"""Nobody is let in past the token, nobody takes another's share, and readers change nothing."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from dataclasses import replace
from typing import Any

import httpx
import pytest
from gateways import CLOCK, ScriptedEngine, default_catalog
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route

from healing_pipeline.catalog.gateway_section import GatewaySettings
from healing_pipeline.catalog.settings import Settings
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.providers.registry import PROVIDERS
from healing_pipeline.storage.bounded import BoundedDatabase
from healing_pipeline.web.admission import Admission
from healing_pipeline.web.asked import is_token
from healing_pipeline.web.dashboard import status
from healing_pipeline.web.dashboard.app import routes_of
from healing_pipeline.web.dashboard.guard import Guard
from healing_pipeline.web.dashboard.live import Live
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.doorway import MOST_SOCKETS_OF_ONE, Doorway
from healing_pipeline.web.gateway import OPEN_PATHS, Gateway
from healing_pipeline.web.limits import WRONG_AT_ONCE
from healing_pipeline.web.pages import pages
from healing_pipeline.web.protection import CHANGES_NOTHING
from healing_pipeline.web.serving import READER_VARIABLE, TOKEN_VARIABLE, reader_token_for

TOKEN, READER = "0123456789abcdef-token", "fedcba9876543210-reader"
AT = "/health-dashboard"
QUOTE = "/v1/yahoo/quote-aapl"
OWN = {"Sec-Fetch-Site": "same-origin"}


def nowhere() -> str:
    raise ConnectionError("nobody knows where it is")


class House:
    """A gateway with its doorway, all pages and no database."""

    def __init__(self, catalog, limits: GatewaySettings, token: str | None = TOKEN) -> None:
        self.now = 1000.0
        self.database = BoundedDatabase(nowhere)
        dashboard = Dashboard(catalog, Settings(), CLOCK.now, self.database)
        self.routes = routes_of(dashboard, Live(catalog, nowhere, CLOCK.now))
        self.engine = ScriptedEngine()
        self.pages = pages(
            catalog,
            lambda: {"ready": True, "endpoints": 51},
            self.routes,
            [Middleware(Guard, dashboard=dashboard, hosts=None)],
        )
        gateway = Gateway(
            catalog=catalog,
            providers=PROVIDERS,
            engine=self.engine,
            clock=CLOCK,
            pages=self.pages,
            token=token,
            reader_token=READER if token else None,
            is_open=lambda path: path in OPEN_PATHS or status.is_open(path),
        )
        self.app = Doorway(gateway, limits, lambda: self.now)

    def ask(
        self, target: str, method: str = "GET", peer: str = "8.8.8.8", **options: Any
    ) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(peer, 4711))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as own:
                return await own.request(method, target, **options)

        return asyncio.run(once())


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return default_catalog(tmp_path_factory.mktemp("catalog"))


@pytest.fixture
def house(catalog):
    house = House(catalog, GatewaySettings())
    yield house
    house.database.close()


@pytest.fixture
def narrow(catalog):
    house = House(catalog, GatewaySettings(requests_per_s=2, burst=4), token=None)
    yield house
    house.database.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(password: bytes) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(b'anna:' + password).decode()}"}


def every_route(routes: list[BaseRoute]) -> list[tuple[str, str]]:
    """Each (path, method) that there is, with something in the place of parameters."""
    found = []
    for each in routes:
        assert not isinstance(each, Mount), "what is below a mount is to be listed too"
        if isinstance(each, Route):
            path = each.path
            for name, kind in each.param_convertors.items():
                text = kind.to_string(7) if "int" in type(kind).__name__.lower() else "yahoo"
                for form in (f"{{{name}}}", f"{{{name}:int}}", f"{{{name}:path}}"):
                    path = path.replace(form, text)
            found += [(path, method) for method in sorted(each.methods or ())]
    return found


def test_every_page_but_the_open_ones_asks_for_the_token(house):
    asked = every_route(house.pages.routes)
    assert len(asked) > 40
    for number, (path, method) in enumerate(asked):
        answer = house.ask(path, method, peer=f"9.9.{number}.9")
        if path in OPEN_PATHS or status.is_open(path):
            assert answer.status_code != 401, path
        else:
            assert answer.status_code == 401, path


def test_every_request_that_changes_something_comes_from_a_page_of_ours_and_no_reader(house):
    changing = [each for each in every_route(house.pages.routes) if each[1] not in CHANGES_NOTHING]
    assert len(changing) >= 3
    for path, method in changing:
        for foreign in (
            {},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "none"},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        ):
            answer = house.ask(path, method, headers={**bearer(TOKEN), **foreign})
            assert answer.status_code == 403, (path, foreign)
        answer = house.ask(path, method, headers={**bearer(READER), **OWN})
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/read-only")
        # Past both doors it is asked for its form, or for the database.
        answer = house.ask(path, method, headers={**bearer(TOKEN), **OWN})
        assert answer.status_code not in (401, 403), path


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_no_page_without_a_form_takes_another_method(house, method):
    changing = {path for path, each in every_route(house.pages.routes) if each == method}
    for path, _ in every_route(house.pages.routes):
        if path not in changing:
            answer = house.ask(path, method, headers={**bearer(TOKEN), **OWN})
            assert answer.status_code in (404, 405), path
    for target in (QUOTE, "/proxy/yahoo/v7/finance/quote?symbols=AAPL"):
        assert house.ask(target, method, headers=bearer(TOKEN)).status_code == 405
    assert house.engine.asked == []


def test_whoever_may_only_read_reads_everything(house):
    for headers in (bearer(READER), basic(READER.encode())):
        assert house.ask(AT, headers=headers).status_code == 200
        assert house.ask("/docs", headers=headers).status_code == 200
    assert house.ask(QUOTE, headers=bearer(READER)).status_code == 200
    keyed = f"/proxy/fred/fred/series/observations?series_id=DGS10&file_type=json&api_key={READER}"
    assert house.ask(keyed).status_code == 200
    given = house.ask(AT, headers=basic(READER.encode())).headers["set-cookie"].split(";")[0]
    passed = {"Cookie": given}
    assert house.ask(AT, headers=passed).status_code == 200
    path, method = next(
        each for each in every_route(house.pages.routes) if each[1] not in CHANGES_NOTHING
    )
    assert house.ask(path, method, headers={**passed, **OWN}).status_code == 403
    assert READER not in given


def test_every_answer_says_what_a_browser_may_do_with_it(house):
    for path, method in every_route(house.pages.routes):
        headers = bearer(TOKEN) if method in CHANGES_NOTHING else {**bearer(TOKEN), **OWN}
        said = house.ask(path, method, headers=headers).headers
        policy = said["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy
        assert "script-src" not in policy or "script-src 'self'" in policy
        assert said["x-content-type-options"] == "nosniff"
        assert said["referrer-policy"]
        assert "frame-ancestors 'none'" in policy or status.is_open(path), path
    for target in ("/nothing", QUOTE, "/v1/none/none", "/proxy/x", f"{AT}/nothing", "/v1/%2f"):
        said = house.ask(target, headers=bearer(TOKEN)).headers
        assert "default-src 'none'" in said["content-security-policy"], target
        assert said["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in house.ask(AT).headers["content-security-policy"]


def test_data_is_no_page_of_ours_whatever_it_holds(house):
    page = b"<x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>"
    house.engine.end = replace(house.engine.end, body=page)
    answer = house.ask(QUOTE, headers=bearer(TOKEN))
    assert answer.content == page
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "script" not in answer.headers["content-security-policy"]


def test_strangers_hear_that_it_is_ready_and_nothing_else(house):
    assert house.ask("/healthz").json() == {"status": "ok"}
    assert house.ask("/readyz").json() == {"ready": True}
    assert house.ask("/readyz", headers=bearer("wrong" * 5)).json() == {"ready": True}
    assert house.ask("/readyz", headers=bearer(READER)).json()["endpoints"] == 51


def test_one_client_may_ask_so_much_and_is_told_when_again(narrow):
    seen = [narrow.ask(QUOTE).status_code for _ in range(6)]
    assert seen == [200] * 4 + [429] * 2
    refused = narrow.ask(QUOTE)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["type"] == "/problems/too-many-requests"
    assert refused.headers["content-type"] == "application/problem+json"
    assert narrow.ask(QUOTE, peer="8.8.4.4").status_code == 200
    assert narrow.ask("/docs").status_code == 429
    assert narrow.ask("/healthz").status_code == 200
    assert narrow.ask(QUOTE, "HEAD").content == b""
    narrow.now += 1.0
    assert narrow.ask(QUOTE).status_code == 200


def test_two_hundred_requests_a_second_of_one_client_pass_by_default(house):
    for _ in range(3_000):
        house.now += 1 / 200
        assert house.app._requests.take("a", house.now) == 0.0


def test_guessing_becomes_slow_and_the_right_token_is_not_looked_at_then(house):
    for number in range(WRONG_AT_ONCE):
        target = AT if number % 2 else QUOTE
        assert house.ask(target, headers=bearer(f"guess-number-{number:06d}")).status_code == 401
    for headers in (bearer("guess-number-999999"), bearer(TOKEN), basic(TOKEN.encode())):
        answer = house.ask(AT, headers=headers)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
    # Only here, and only for a while.
    assert house.ask(AT, headers=bearer(TOKEN), peer="8.8.4.4").status_code == 200
    house.now += 60
    assert house.ask(AT, headers=bearer(TOKEN)).status_code == 200


def test_what_needs_no_token_is_no_proof_of_one(house):
    for _ in range(WRONG_AT_ONCE):
        house.ask("/healthz")
        house.ask(QUOTE, "OPTIONS")
        assert house.ask(QUOTE, headers=bearer("x" * 20)).status_code == 401
    assert house.ask(QUOTE, headers=bearer(TOKEN)).status_code == 429


def test_one_client_keeps_so_many_sockets_and_no_more(house):
    async def run() -> list[str]:
        told: list[str] = []
        gone = asyncio.Event()

        async def one(peer: str) -> None:
            began = False

            async def receive() -> dict[str, Any]:
                nonlocal began
                if not began:
                    began = True
                    return {"type": "websocket.connect"}
                await gone.wait()
                return {"type": "websocket.disconnect", "code": 1001}

            async def send(message: Any) -> None:
                if message["type"] != "websocket.send":
                    told.append(f"{peer} {message['type']}")

            scope = {
                "type": "websocket",
                "path": f"{AT}/live",
                "query_string": b"",
                "client": (peer, 1),
                "headers": [
                    (b"host", b"localhost"),
                    (b"origin", b"http://localhost"),
                    (b"authorization", f"Bearer {READER}".encode()),
                ],
                "subprotocols": [],
            }
            await house.app(scope, receive, send)

        open_now = [asyncio.create_task(one("8.8.8.8")) for _ in range(MOST_SOCKETS_OF_ONE + 5)]
        open_now.append(asyncio.create_task(one("8.8.4.4")))
        async with asyncio.timeout(10):
            while len(told) < len(open_now):  # noqa: ASYNC110 (nothing of ours tells of it)
                await asyncio.sleep(0.01)
        gone.set()
        await asyncio.gather(*open_now)
        assert not house.app._sockets
        return told

    told = asyncio.run(run())
    assert told.count("8.8.8.8 websocket.accept") == MOST_SOCKETS_OF_ONE
    assert told.count("8.8.8.8 websocket.close") == 5
    assert told.count("8.8.4.4 websocket.accept") == 1


@settings(max_examples=100)
@given(given_token=st.binary(max_size=40) | st.text(max_size=30).map(lambda text: text.encode()))
def test_no_bytes_but_the_token_let_anybody_in_and_none_raise(given_token):
    admission = Admission(TOKEN.encode())
    for headers in (
        [(b"authorization", b"Bearer " + given_token)],
        [(b"authorization", b"Basic " + given_token)],
        [(b"authorization", b"Basic " + b64encode(b"a:" + given_token))],
        [(b"cookie", b"healing_pass=" + given_token)],
        [(b"cookie", b"healing_pass=99999999999." + given_token)],
        [(b"authorization", given_token)],
    ):
        assert admission.admits(headers, CLOCK.now()) == (TOKEN.encode() in given_token)
        assert not is_token(TOKEN.encode(), headers, given_token.decode("latin-1"))


@pytest.mark.parametrize("compared", ["bearer", "basic", "cookie", "key"])
def test_every_comparison_with_a_token_takes_the_same_time(monkeypatch, compared):
    """By the one function of the standard library that promises it; nothing else looks at it."""
    seen: list[tuple[bytes, bytes]] = []

    def told(a: bytes, b: bytes) -> bool:
        seen.append((a, b))
        return a == b

    monkeypatch.setattr("hmac.compare_digest", told)
    admission = Admission(TOKEN.encode())
    given_pass = admission.new_pass(CLOCK.now()).split(b";")[0]
    headers = {
        "bearer": [(b"authorization", b"Bearer " + TOKEN.encode())],
        "basic": [(b"authorization", b"Basic " + b64encode(b"a:" + TOKEN.encode()))],
        "cookie": [(b"cookie", given_pass)],
        "key": [],
    }[compared]
    if compared == "key":
        assert is_token(TOKEN.encode(), [], TOKEN)
    else:
        assert admission.admits(headers, CLOCK.now())
    assert seen
    assert all(isinstance(a, bytes) and isinstance(b, bytes) for a, b in seen)


@pytest.mark.parametrize(
    ("environ", "cure"),
    [
        ({READER_VARIABLE: READER}, TOKEN_VARIABLE),
        ({READER_VARIABLE: TOKEN, TOKEN_VARIABLE: TOKEN}, "another"),
        ({READER_VARIABLE: "short", TOKEN_VARIABLE: TOKEN}, "openssl"),
    ],
)
def test_a_readers_token_that_protects_nothing_is_refused(environ, cure):
    with pytest.raises(ConfigurationError, match=cure):
        reader_token_for(environ)


def test_a_readers_token_is_taken_beside_the_other():
    assert reader_token_for({READER_VARIABLE: READER, TOKEN_VARIABLE: TOKEN}) == READER
    assert reader_token_for({TOKEN_VARIABLE: TOKEN}) is None
