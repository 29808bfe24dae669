"""Who is let in to the dashboard, from where, and what happens when something is wrong with it."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from datetime import timedelta
from typing import Any

import httpx
import pytest
from gateways import CLOCK, ScriptedEngine, default_catalog
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from healing_pipeline.catalog.settings import Settings
from healing_pipeline.errors import StorageError
from healing_pipeline.providers.registry import PROVIDERS
from healing_pipeline.storage.bounded import BoundedDatabase
from healing_pipeline.storage.health_feed import HealthNews
from healing_pipeline.web.admission import COOKIE, LASTS_S, Admission
from healing_pipeline.web.dashboard.app import routes_of
from healing_pipeline.web.dashboard.guard import MOST_BODY_BYTES, Guard
from healing_pipeline.web.dashboard.live import Live
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.rendering import assets
from healing_pipeline.web.gateway import Gateway
from healing_pipeline.web.pages import pages

TOKEN = "0123456789abcdef-token"
AT = "/health-dashboard"


def nowhere() -> str:
    raise ConnectionError("nobody knows where it is")


class Asker:
    """Asks a gateway with a dashboard and without PostgreSQL."""

    def __init__(self, catalog, token: str | None, hosts: frozenset[str] | None) -> None:
        self.database = BoundedDatabase(nowhere)
        self.live = Live(catalog, nowhere, CLOCK.now)
        dashboard = Dashboard(catalog, Settings(), CLOCK.now, self.database)

        async def post(request: Request) -> PlainTextResponse:
            return PlainTextResponse(str(len(await request.body())))

        async def away(request: Request) -> PlainTextResponse:
            return await dashboard.database.read(lambda connection: None)

        async def wrong(request: Request) -> PlainTextResponse:
            raise ZeroDivisionError("the secret of the day")

        self.gateway = Gateway(
            catalog=catalog,
            providers=PROVIDERS,
            engine=ScriptedEngine(),
            clock=CLOCK,
            pages=pages(
                catalog,
                lambda: {"ready": True},
                [
                    *routes_of(dashboard, self.live),
                    Route(f"{AT}/post", post, methods=["POST"]),
                    Route(f"{AT}/away", away),
                    Route(f"{AT}/wrong", wrong),
                ],
                [Middleware(Guard, dashboard=dashboard, hosts=hosts)],
            ),
            token=token,
        )

    def ask(
        self, target: str, method: str = "GET", base: str = "http://localhost:8888", **options: Any
    ) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(self.gateway)
            async with httpx.AsyncClient(transport=transport, base_url=base) as client:
                return await client.request(method, target, **options)

        return asyncio.run(once())

    def opens_socket(self, **headers: str) -> bool:
        """Whether a socket is accepted; it goes away at once."""
        told: list[dict[str, Any]] = []
        received = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect"}])
        scope = {
            "type": "websocket",
            "path": f"{AT}/live",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "subprotocols": [],
        }

        async def receive():
            return next(received)

        async def send(message):
            told.append(message)

        asyncio.run(self.gateway(scope, receive, send))
        return told[0]["type"] == "websocket.accept"


@pytest.fixture
def catalog(tmp_path):
    return default_catalog(tmp_path)


@pytest.fixture
def asker(catalog):
    asker = Asker(catalog, None, frozenset({"gateway.example"}))
    yield asker
    asker.database.close()


@pytest.fixture
def guarded(catalog):
    asker = Asker(catalog, TOKEN, None)
    yield asker
    asker.database.close()


def basic(password: str, name: str = "anna") -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"}


@pytest.mark.parametrize(
    "host", ["localhost:8888", "127.0.0.1:8888", "127.1.2.3", "[::1]:8888", "gateway.example:1"]
)
def test_a_name_of_the_gateway_is_answered(asker, host):
    assert asker.ask(AT, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.evil.example", "localhost.evil.example:8888", "[", "", "10.0.0.1"]
)
def test_a_name_that_only_leads_here_is_not(asker, host):
    """A page of its own could read everything, as if it were ours."""
    response = asker.ask(AT, headers={"Host": host})
    assert response.status_code == 421
    assert "endpoint" not in response.text
    assert not asker.opens_socket(host=host, origin=f"http://{host}")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://localhost:8888"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8888"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "http://localhost:9999"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
def test_only_a_page_of_ours_changes_anything(asker, headers, status):
    assert asker.ask(f"{AT}/post", "POST", headers=headers).status_code == status


def test_only_a_page_of_ours_opens_a_socket(asker):
    assert asker.opens_socket(host="localhost:8888", origin="http://localhost:8888")
    for origin in ("http://evil.example", "http://localhost:9", "null", ""):
        assert not asker.opens_socket(host="localhost:8888", origin=origin)
    assert not asker.opens_socket(host="localhost:8888")


@pytest.mark.parametrize("is_told", [True, False])
def test_more_than_a_form_holds_is_refused(asker, is_told):
    body = b"x" * (MOST_BODY_BYTES + 1)

    async def in_parts():
        for at in range(0, len(body), 8_000):
            yield body[at : at + 8_000]

    content = body if is_told else in_parts()
    headers = {"Sec-Fetch-Site": "same-origin"}
    assert asker.ask(f"{AT}/post", "POST", headers=headers, content=content).status_code == 413


def test_every_page_says_what_it_may_load_and_who_may_frame_it(asker):
    for target in (AT, f"{AT}/away", f"{AT}/wrong", f"{AT}/none", f"{AT}/state.json"):
        headers = asker.ask(target).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] in ("no-store", "no-cache")


def test_postgresql_away_and_a_fault_of_ours_are_pages_that_say_so(asker):
    away = asker.ask(f"{AT}/away")
    assert away.status_code == 503
    assert "PostgreSQL is away" in away.text
    wrong = asker.ask(f"{AT}/wrong")
    assert wrong.status_code == 500
    assert "secret" not in wrong.text
    assert asker.ask("/v1/yahoo/quote-aapl").status_code == 200


def test_the_overview_without_postgresql_says_since_when_and_of_which_moment_it_is(asker):
    assert "Nothing was read from PostgreSQL yet" in asker.ask(AT).text
    now = CLOCK.now()
    asker.live.board.take(HealthNews(now, away_since=now))
    page = asker.ask(AT).text
    assert f"PostgreSQL does not answer since {now:%H:%M:%S}" in page
    assert "nothing was read yet" in page
    asker.live.board.take(HealthNews(now, standings={}, lately={}, day={}, fidelity={}))
    assert "PostgreSQL" not in asker.ask(AT).text
    later = now + timedelta(minutes=2)
    asker.live.board.take(HealthNews(later, away_since=later))
    assert f"what is shown is of {now:%H:%M:%S}" in asker.ask(AT).text


def test_too_many_who_wait_are_told_at_once():
    async def ask() -> None:
        database = BoundedDatabase(nowhere)
        database._waiting = 60
        with pytest.raises(StorageError, match="Too many"):
            await database.compute(lambda: None)
        database.close()

    asyncio.run(ask())


def test_the_token_as_a_password_is_turned_into_a_pass_that_opens_sockets(guarded):
    asked = guarded.ask(AT)
    assert asked.status_code == 401
    assert any("Basic" in each for each in asked.headers.get_list("www-authenticate"))
    assert guarded.ask(AT, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    let_in = guarded.ask(AT, headers=basic(TOKEN))
    assert let_in.status_code == 200
    cookie = let_in.headers["set-cookie"]
    assert TOKEN not in cookie
    assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
    given = cookie.split(";")[0]
    again = guarded.ask(AT, headers={"Cookie": f"theme=dark; {given}"})
    assert again.status_code == 200
    assert "set-cookie" not in again.headers
    own = {"host": "localhost:8888", "origin": "http://localhost:8888"}
    assert guarded.opens_socket(**own, cookie=given)
    assert not guarded.opens_socket(**own)
    assert guarded.ask("/v1/yahoo/quote-aapl", headers={"Cookie": given}).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        basic("wrong"),
        basic(""),
        basic(f"{TOKEN}x"),
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic"},
        {"Cookie": f"{COOKIE}={TOKEN}"},
        {"Cookie": f"{COOKIE}=9999999999.{'0' * 64}"},
        {"Cookie": f"{COOKIE}=."},
        {"Cookie": COOKIE},
    ],
)
def test_anything_else_is_no_pass(guarded, headers):
    assert guarded.ask(AT, headers=headers).status_code == 401


def test_a_pass_ends_and_is_worth_nothing_to_another_gateway():
    now = CLOCK.now()
    admission = Admission(TOKEN.encode())
    given = [(b"cookie", admission.new_pass(now).split(b";")[0])]
    assert admission.admits(given, now + timedelta(seconds=LASTS_S - 2))
    assert not admission.admits(given, now + timedelta(seconds=LASTS_S + 2))
    assert not Admission(b"another-token-of-16").admits(given, now)


def test_assets_are_kept_for_ever_and_packed(asker):
    css = assets()["dashboard.css"]
    response = asker.ask(css.address)
    assert response.headers["content-encoding"] == "gzip"
    assert "immutable" in response.headers["cache-control"]
    assert response.content == css.content
    known = {"If-None-Match": response.headers["etag"]}
    assert asker.ask(css.address, headers=known).status_code == 304
    assert asker.ask(css.address.replace(".css", "0.css")).status_code == 404
