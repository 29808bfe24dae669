"""What readers, browsers and strangers send to the gateway: heads, paths, queries, forms."""

from __future__ import annotations

import asyncio
import atexit
import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus

from healing_pipeline_tests.chaos.fuzz.installed import default_catalog
from healing_pipeline_tests.chaos.fuzz.target import CANARY, Check, Target

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
TOKEN = "t0ken-of-the-gateway-Zq8"
_KEYED = re.compile(rb"(?:^|(?<=&))api_?key=[^&]*", re.IGNORECASE)
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "X")


@cache
def _kinds() -> frozenset[int]:
    from healing_pipeline.web.problems import KINDS

    return frozenset({200, 204, 307, *(each.status for each in KINDS.values())}) - {500}


def _gateway(token: str | None) -> tuple[Any, Any]:
    """A gateway over an engine that does as a script says, and the engine."""
    from healing_pipeline.installation import system_clock
    from healing_pipeline.providers.registry import PROVIDERS
    from healing_pipeline.web.gateway import Gateway
    from healing_pipeline.web.pages import pages
    from healing_pipeline_tests.web.gateways import ScriptedEngine

    catalog, engine = default_catalog(), ScriptedEngine()
    gateway = Gateway(
        catalog=catalog,
        providers=PROVIDERS,
        engine=engine,
        clock=replace(system_clock(), now=lambda: NOW),
        pages=pages(catalog, lambda: {"ready": True}),
        token=token,
    )
    return gateway, engine


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One for all inputs of the process."""
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop


def _ends() -> list[Any]:
    from healing_pipeline.probing.failure_class import FailureClass
    from healing_pipeline_tests.web.gateways import answer, failed

    return [
        answer(),
        answer(b"<a/>", age_s=90.0),
        failed(FailureClass.TIMEOUT),
        failed(FailureClass.RATE_LIMIT, 7.5),
    ]


def _open_gateway() -> Check:
    from healing_pipeline.probing.response import Response
    from healing_pipeline_tests.web.gateways import observation

    loop = _loop()
    ends, seen = _ends(), observation(Response(429, {"retry-after": "5"}, b"slow down"))
    # A fresh one now and then: what a target meant is remembered.
    state: dict[str, Any] = {"asked": 0}

    async def ask(gateway: Any, scope: dict[str, Any]) -> tuple[int, list[Any], bytes]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await gateway(scope, receive, send)
        body = b"".join(each.get("body", b"") for each in sent[1:])
        return sent[0]["status"], sent[0]["headers"], body

    def check(data: bytes) -> None:
        if state["asked"] % 2_000 == 0:
            state["open"], state["closed"] = _gateway(None), _gateway(TOKEN)
        state["asked"] += 1
        choice = data[0] if data else 0
        first, _, rest = data[1:].partition(b"\n")
        target, _, query = first.partition(b"?")
        # As the server hands them over: names in small letters, nothing that ends a line.
        headers = []
        for line in rest.split(b"\n")[:50]:
            name, _, value = line.partition(b":")
            if name:
                headers.append((name.strip().lower(), value.strip(b" \t\r\0")))
        path = b"/" + target.lstrip(b"/").split(b"#")[0]
        scope = {
            "type": "http", "http_version": "1.1", "scheme": "http", "root_path": "",
            "method": METHODS[choice % len(METHODS)], "headers": headers,
            "path": unquote(path.decode("latin-1")), "raw_path": path,
            "query_string": query, "server": ("127.0.0.1", 8888), "client": ("127.0.0.1", 5),
        }  # fmt: skip
        for which in ("open", "closed"):
            gateway, engine = state[which]
            engine.end, engine.seen = ends[(choice >> 4) % len(ends)], seen
            engine.asked.clear()
            status, given, body = loop.run_until_complete(ask(gateway, dict(scope)))
            _is_reply(status, given, body)
            # Whoever writes it elsewhere than where a key stands is told what was not understood.
            elsewhere = scope["path"] + unquote_plus(_KEYED.sub(b"", query).decode("latin-1"))
            assert TOKEN.encode() not in body or TOKEN in elsewhere, "our token in an answer"
            if which == "closed" and TOKEN.encode() not in data and b"basic" not in data.lower():
                assert not engine.asked, "a stranger's question was asked"
                if path.startswith((b"/v1/", b"/proxy/")) and scope["method"] != "OPTIONS":
                    assert status == 401, f"a stranger got {status}"
            for _, options in engine.asked:
                _is_question(options)

    return check


def _is_question(options: dict[str, Any]) -> None:
    """Nothing that a reader writes leads anywhere but to the endpoint's own host."""
    path, params = options.get("path"), options.get("params") or {}
    for text in (path or "/", *params, *params.values()):
        assert text.isprintable(), "a control character on its way to an upstream"
    assert path is None or (path.startswith("/") and "//" not in path and "/../" not in path)
    assert "key" not in {name.lower() for name in params}, "a reader's key goes on"


def _is_reply(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    # The upstream's own status is passed on where no healing is wanted.
    assert status in _kinds() | {429}, f"status {status}"
    names = [name for name, _ in headers]
    for name, value in headers:
        assert name == name.lower()
        assert not any(each in value for each in (b"\r", b"\n", b"\0")), f"a line in {name!r}"
    said = dict(headers).get(b"content-type", b"")
    if said == b"application/problem+json" and body:
        document = json.loads(body)
        assert document["status"] == status
        assert document["detail"]
        assert len(body) < 20_000, "a problem as long as the question"
    assert names.count(b"content-length") <= 1


def target_seeds() -> list[bytes]:
    """Targets of every endpoint, by name and by path, with what readers say besides."""
    catalog = default_catalog()
    found = []
    for at, each in enumerate(catalog.endpoints.values()):
        query = "&".join(f"{name}={value}" for name, value in each.params.items())
        found.append(bytes((9 * (at % 16),)) + f"/v1/{each.id}?{query}".encode())
        found.append(
            bytes((9 * (at % 16),))
            + f"/proxy/{each.source}{each.path}?{query}&apikey={TOKEN}\nX-Healing: off".encode()
        )
    return [
        *found,
        b"\x00/v1/yahoo/quote-aapl\nX-Healing-Accept: exact, stale\nX-Healing-Deadline: 1.5",
        b"\x10/v1/yahoo/quote-aapl\nX-Healing-Accept: proxy\nX-Healing-Deadline: nan",
        b"\x20/v1/yahoo/quote-aapl\nAuthorization: Bearer " + TOKEN.encode(),
        b"\x00/v1/../../etc/passwd", b"\x00/v1/%2e%2e/%252e%252e/x", b"\x00/proxy/yahoo//evil/x",
        b"\x00/proxy/http://169.254.169.254/latest?x=1", b"\x00/proxy/yahoo/@evil.example/x",
        b"\x00/proxy/exchange_rate/v6/" + TOKEN.encode() + b"/latest/USD",
        b"\x00/proxy/fred/fred/series/observations?series_id=DGS10&file_type=xml",
        b"\x00/docs\nCookie: healing_pass=1.2", b"\x00/problems/bad-request", b"\x00/readyz?x",
        b"\x00/openapi.json\nAuthorization: Basic " + base64.b64encode(f"a:{TOKEN}".encode()),
        b"\x00/v1/" + b"a" * 5_000, b"\x00/v1/x?" + b"&".join([b"a=b"] * 80),
        b"\x00/v1/yahoo/quote-aapl?" + b"symbols=\xff\xfe\x00", b"\x00/v1/yahoo/quote-aapl?a=1&a=2",
    ]  # fmt: skip


class Line:
    """The connection that a protocol of uvicorn's writes to."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.is_closed = False

    def write(self, data: bytes) -> None:
        assert not self.is_closed, "written to a connection that was closed"
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 8888) if name.endswith("name") else default

    def get_protocol(self) -> None:
        return None

    def set_protocol(self, protocol: Any) -> None:
        """A socket that is upgraded goes on with another one."""

    def pause_reading(self) -> None:
        """Nobody reads here."""

    def resume_reading(self) -> None:
        """Nobody reads here."""


def _open_heads() -> Check:
    import uvicorn
    from uvicorn.server import ServerState

    from healing_pipeline.probing.response import Response
    from healing_pipeline.web.serving import MOST_HEAD_BYTES, BoundedProtocol
    from healing_pipeline_tests.web.gateways import observation

    loop = _loop()
    gateway, engine = _gateway(None)
    engine.seen = observation(Response(429, {"retry-after": "5"}, b"slow down"))
    config = uvicorn.Config(gateway, http=BoundedProtocol, lifespan="off", log_level="critical")
    config.load()
    problems: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: problems.append(context))

    async def feed(pieces: list[bytes]) -> bytes:
        state, line = ServerState(), Line()
        protocol = BoundedProtocol(config=config, server_state=state, app_state={}, _loop=loop)
        protocol.connection_made(line)  # type: ignore[arg-type]
        for each in pieces:
            if line.is_closed:
                break
            protocol.data_received(each)
            await asyncio.sleep(0)
        for _ in range(6):
            await asyncio.sleep(0)
        protocol.connection_lost(None)
        for task in list(state.tasks):
            await task
        return bytes(line.written)

    def check(data: bytes) -> None:
        cut = 1 + data[0] if data else 1
        rest = data[1:]
        pieces = [rest[at : at + cut * 8] for at in range(0, len(rest), cut * 8)]
        problems.clear()
        said = loop.run_until_complete(feed(pieces))
        assert not problems, f"in the loop: {problems[0].get('exception')!r}"
        if len(rest) > MOST_HEAD_BYTES and b"\r\n\r\n" not in rest:
            assert b" 400 " in said[:20], "a head without an end was borne"
        if not said:
            return
        assert said.startswith(b"HTTP/1.1 "), "an answer that is none"
        assert said[9:12].isdigit()
        assert int(said[9:12]) in _kinds() | {400, 403, 426}, f"status {said[9:12]!r}"

    return check


def head_seeds() -> list[bytes]:
    """Requests as bytes, true ones and such as smugglers send."""
    get = b"GET /v1/yahoo/quote-aapl HTTP/1.1\r\nHost: a\r\n"
    lists = [
        get + b"\r\n",
        get + b"X-Healing: off\r\nConnection: close\r\n\r\n" + get + b"\r\n",
        b"HEAD /docs HTTP/1.0\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\n\r\n",
        get + b"Content-Length: -1\r\nContent-Length: 5\r\n\r\nhello",
        get + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        b"GET http://169.254.169.254/latest HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
        b"GET /v1/\x00\xff HTTP/1.1\r\nHost: a\r\nA\x00B: c\r\n\r\n", b"GET /\r\n",
        b"\x16\x03\x01\x02",
        get + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
        b"dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n\x81\xff" + b"\xff" * 12,
        get + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"HTTP2-Settings: AAMA\r\n\r\n",
        get + b" folded: x\r\n\tfolded\r\n\r\n", get + b"A: " + b"b" * 3_000 + b"\r\n\r\n",
    ]  # fmt: skip
    return [bytes((at * 16 % 256,)) + each for at, each in enumerate(lists)]


def _open_pages() -> Check:
    from starlette.requests import Request

    from healing_pipeline.cli.moments import duration, hours_between, moment
    from healing_pipeline.errors import ConfigurationError
    from healing_pipeline.reporting.forms import FORMS
    from healing_pipeline.web.accept import liked_best, ranges_of
    from healing_pipeline.web.admission import Admission
    from healing_pipeline.web.asked import wishes_of
    from healing_pipeline.web.dashboard import actions, paging
    from healing_pipeline.web.dashboard.guard import (
        is_foreign_change,
        is_foreign_socket,
        is_loopback,
        name_in,
    )
    from healing_pipeline.web.problems import Problem
    from healing_pipeline.web.report_requests import LONGEST_HOURS, MOST_ROWS, asked_of

    catalog, admission = default_catalog(), Admission(TOKEN.encode())
    offers = tuple(each.media_type for each in FORMS.values())

    def check(data: bytes) -> None:
        query, _, header = data.partition(b"\n")
        text = header.decode("latin-1")
        names = (b"accept", b"host", b"origin", b"cookie", b"authorization", b"x-healing-accept")
        headers = [(name, header) for name in (*names, b"x-healing-deadline", b"x-healing")]
        scope = {
            "type": "http", "method": "POST", "path": "/reports", "query_string": query,
            "headers": headers, "scheme": "http", "server": ("a", 1),
        }  # fmt: skip
        asked = asked_of(Request(scope), NOW, tuple(FORMS.values()), suffix="")
        if isinstance(asked, Problem):
            assert asked.detail
        else:
            assert 1 <= asked.rows <= MOST_ROWS
            assert 0 <= (NOW - asked.since).total_seconds() <= LONGEST_HOURS * 3600
        found = liked_best(text, offers)
        assert found is None or found in offers
        assert all(0 <= each.quality <= 1 for each in ranges_of(text))
        name_in(text)
        is_loopback(text)
        is_foreign_change(scope)
        is_foreign_socket({**scope, "type": "websocket"})
        wishes_of(headers)
        if TOKEN not in text:
            assert not admission.admits(headers, NOW) or b"basic" in header.lower()
        said = query.decode("latin-1")
        row = paging.number(said)
        assert row is None or 0 < row < 2**63
        key = paging.key(said)
        assert key is None or paging.key(paging.written(*key)) == key
        form = dict(parse_qsl(said, keep_blank_values=True))
        for read in (actions.silence_in, actions.maintenance_in):
            try:
                given = read(form, catalog, NOW)
            except actions.FormError as error:
                _says(error.problems)
            else:
                assert given.ends_at > NOW
                assert given.reason.isprintable()
        for command in (
            lambda: moment(said, "--from"),
            lambda: duration(said, "--for"),
            lambda: hours_between(said, text, NOW.date(), NOW),
        ):
            try:
                command()
            except ConfigurationError as error:
                _says(error.cure)

    return check


def _says(text: object) -> None:
    assert text, "refused without a word"


def page_seeds() -> list[bytes]:
    """Queries, forms and headers as browsers and programs send them."""
    form = b"source=yahoo&endpoint=chart-*&for=1h&reason=they%20know&by=me"
    return [
        b"hours=24&limit=100&format=json\ntext/toon, application/json;q=0.9, */*;q=0.1",
        b"hours=1e999&limit=nan&format=x\ntext/html;level=1;q=0.30001, */html",
        form + b"\n127.0.0.1:8888", form + b"&begins=2026-03-03T12:00\nhttp://[::1]:8888",
        b"for=until&until=9999-12-31T23:59&reason=a&by=b\nhealing_pass=1.2; healing_pass=",
        b"for=until&until=0001-01-01T00:00%2B14:00&reason=a&by=b\nBasic YTpi",
        b"2026-03-02T12:00:00+00:00~00000000-0000-0000-0000-000000000007\nBearer x",
        b"99999999999999999999\n" + b'"' * 500, b"2026-03-02\n2026-03-02T12:00:00+14:00",
        b"1d2h30m\nexact, stale", b"0001-01-01T00:00+23:59\n\xff\xfe, a/b",
        CANARY.encode() + b"\n1.5",
    ]  # fmt: skip


def _open_messages() -> Check:
    from healing_pipeline.launcher.messages import Channel, ConnectionLostError

    def check(data: bytes) -> None:
        channel = Channel(SimpleNamespace())  # type: ignore[arg-type]
        try:
            channel._take(data)
            while (message := channel._cut()) is not None:
                assert isinstance(message, dict)
        except ConnectionLostError as error:
            _says(str(error))

    return check


def message_seeds() -> list[bytes]:
    """What a launcher and its template say to each other."""
    return [b'{"ask": "status"}\n{"run_id": "a", "args": ["b"]}\n', b"[]\n", b"[" * 20_000 + b"\n"]


TARGETS = (
    Target(
        "gateway_targets",
        "paths, queries and headers through the gateway, with a token and without",
        _open_gateway,
        target_seeds,
        share=80,
    ),
    Target(
        "request_heads", "bytes on the gateway's own protocol", _open_heads, head_seeds, share=50
    ),
    Target(
        "page_requests",
        "queries, forms, cookies and `Accept` of pages; moments of commands",
        _open_pages,
        page_seeds,
        share=60,
    ),
    Target("launcher_messages", "what a launcher is told", _open_messages, message_seeds, share=20),
)
