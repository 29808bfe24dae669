"""What upstreams send, fuzzed: bodies and statuses through every rule, headers, packed bodies."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from healing_pipeline_tests.chaos.fuzz.target import CANARY, RECORDED, Check, Target
from healing_pipeline_tests.unit.documented_answers import FAILURES
from healing_pipeline_tests.unit.documented_answers import GOOD as DOCUMENTED
from healing_pipeline_tests.unit.provider_bodies import GOOD, LINES, assert_usable_or_said_why

NOW = datetime(2024, 1, 9, 15, 30, tzinfo=UTC)
NAMES = ("yahoo", "fred", "polygon", "alpha_vantage", "exchange_rate", "unknown")
STATUSES = (200, 200, 200, None, 201, 204, 206, 301, 400, 401, 402, 403, 404, 408, 418, 421, 422)
STATUSES += (429, 451, 498, 499, 500, 502, 503, 504, 520, 599, 600, 999, 0, -1, 100, 304, 10**9)
TYPES = ("application/json", "text/html", "text/xml", "text/csv", "", "text/plain; charset=utf-16")
LONGEST_EVIDENCE = 200


def input_of(provider: str, line: int, status: int | None, body: bytes, kind: int = 0) -> bytes:
    """An input of `provider_bodies`: four bytes that choose, then the body."""
    at = STATUSES.index(status) if status in STATUSES else 0
    return bytes((NAMES.index(provider), line, at, kind)) + body


@cache
def _lines() -> dict[str, list[tuple[str, dict[str, str]]]]:
    """Questions as the default catalogue asks them, and those of the unit tests."""
    from healing_pipeline_tests.chaos.fuzz.installed import default_catalog

    catalog = default_catalog()
    found = {
        name: [(each.path, dict(each.params)) for each in LINES.get(name, LINES["yahoo"])]
        for name in NAMES
    }
    for each in catalog.endpoints.values():
        found[each.source].append((each.path, dict(each.params)))
    return found


def _open_bodies() -> Check:
    from healing_pipeline.healing.validation.judgement import judge
    from healing_pipeline.healing.validation.scrutiny import Scrutiny
    from healing_pipeline.probing.classification import classify
    from healing_pipeline.probing.failure_class import FailureClass
    from healing_pipeline.probing.response import Response
    from healing_pipeline.providers.registry import PROVIDERS
    from healing_pipeline.providers.renderings import line_of
    from healing_pipeline.providers.spoken import no_glance
    from healing_pipeline_tests.chaos.fuzz.installed import default_catalog

    lines, endpoints = _lines(), tuple(default_catalog().endpoints.values())
    scrutiny = Scrutiny(64)

    def check(data: bytes) -> None:
        head, body = data[:4].ljust(4, b"\0"), data[4:]
        name = NAMES[head[0] % len(NAMES)]
        path, params = lines[name][head[1] % len(lines[name])]
        line = line_of(path, params, NOW)
        headers = {"content-type": TYPES[head[3] % len(TYPES)], "x-key": CANARY}
        response = Response(STATUSES[head[2] % len(STATUSES)], headers, body)
        if name == "unknown":
            _is_evidence(classify(response, line).evidence)
            return
        provider = PROVIDERS[name]
        verdict, reading = provider.examine(response, line)
        _is_evidence(verdict.evidence)
        careful = replace(provider, glance=no_glance).examine(response, line)
        assert (verdict, reading) == careful, "a glance tells something else than a careful look"
        assert (reading is not None) == verdict.is_ok
        if response.status not in (None, 200):
            assert reading is None or 200 <= (response.status or 0) < 300, "a refusal was read"
        assert_usable_or_said_why(provider.read(body, line))
        if provider.session is not None:
            provider.session.token(response)
        if reading is None:
            return
        assert_usable_or_said_why(reading)
        endpoint = endpoints[head[1] % len(endpoints)]
        for found in (
            judge(reading, endpoint, reading, NOW),
            scrutiny.examine((endpoint.id, ""), reading, endpoint, None, NOW),
        ):
            if found is not None:
                assert found.failure_class is not FailureClass.OK
                _is_evidence(found.evidence)
        for other, asked in lines.items():
            if other == "unknown":
                continue
            # One of each provider's questions, to have every renderer meet every reading.
            its_path, its_params = asked[head[1] % len(asked)] if other != name else (path, params)
            written = PROVIDERS[other].rendered(reading, its_path, its_params, NOW)
            if written is None:
                continue
            again = PROVIDERS[other].read(written, line_of(its_path, its_params, NOW))
            assert_usable_or_said_why(again)
            assert again.instrument == reading.instrument, "a rendering speaks of something else"
            assert again.as_of <= reading.as_of, "a rendering is newer than what it renders"
            assert {each.value for each in again.points} <= {each.value for each in reading.points}

    return check


def _is_evidence(text: str) -> None:
    assert text.isprintable(), "evidence that cannot be printed"
    assert len(text) <= LONGEST_EVIDENCE, "evidence that does not end"
    assert CANARY not in text, "a key in the evidence"
    text.encode()


@cache
def body_seeds() -> tuple[bytes, ...]:
    """What tests, the simulator and, where they are there, the real providers say."""
    found: dict[bytes, None] = {}
    for name, bodies in GOOD.items():
        for body in bodies:
            for at in range(len(LINES[name])):
                found[input_of(name, at, 200, body)] = None
    for name, good, path in DOCUMENTED:
        found[input_of(name, _near(name, path), 200, _bytes(good))] = None
    for name, status, said, path, *_ in FAILURES:
        found[input_of(name, _near(name, path), status, _bytes(said))] = None
    for each in _simulated():
        found[each] = None
    for each in _recorded():
        found[each] = None
    leaking = {"error": {"message": f"Your API key {CANARY} is not valid", "code": CANARY}}
    found[input_of("polygon", 0, 401, json.dumps(leaking).encode())] = None
    found[input_of("unknown", 0, 500, f"<h1>api_key={CANARY}</h1>".encode(), 1)] = None
    return tuple(found)


def _bytes(body: object) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def _near(name: str, path: str) -> int:
    """The first question of ours that begins like a documented one."""
    asked = path.removeprefix("GET ").partition("?")[0]
    paths = [each for each, _ in _lines()[name]]
    near = (at for at, each in enumerate(paths) if each.split("/")[:3] == asked.split("/")[:3])
    return next(near, 0)


def _simulated() -> Iterator[bytes]:
    """Every endpoint of the default catalogue as the simulator answers it, well and ill."""
    from urllib.parse import parse_qsl, urlsplit

    from healing_pipeline.providers.registry import PROVIDERS
    from healing_pipeline.simulator.faults import Fault, FaultKind, Match
    from healing_pipeline.simulator.outcome import Request
    from healing_pipeline.simulator.simulation import Simulation
    from healing_pipeline_tests.chaos.fuzz.installed import default_catalog

    simulation = Simulation(1, NOW, monotonic=lambda: 0.0)
    catalog = default_catalog()
    firsts: dict[tuple[str, str], bytes] = {}
    for each in catalog.endpoints.values():
        line = next(
            at for at, (path, params) in enumerate(_lines()[each.source])
            if (path, params) == (each.path, dict(each.params))
        )  # fmt: skip
        source = catalog.sources[each.source]
        key = source.keys[0] if source.keys else None
        asked = PROVIDERS[source.provider].request(each, source.hosts[0], key, NOW)
        address = urlsplit(asked.url)
        request = Request(address.path, dict(parse_qsl(address.query)), dict(asked.headers))
        for kind in (None, *FaultKind):
            simulation.clear()
            if kind is not None:
                simulation.add(Fault(0, 0.0, 1e9, Match(each.source), kind))
            said = simulation.answer(each.source, source.hosts[0].name, request).answer
            if said is None or len(said.body) > 12_000:
                continue
            known = (each.source, each.path if kind is None else str(kind))
            if known in firsts and kind is not None:
                continue
            firsts[known] = said.body
            yield input_of(each.source, line, said.status, said.body)


def _recorded() -> Iterator[bytes]:
    index = RECORDED / "index.jsonl"
    if not index.exists():
        return
    for text in index.read_text(encoding="utf-8").splitlines():
        entry = json.loads(text)
        body = (RECORDED / Path(entry["body_file"])).read_bytes()
        name = entry["source"] if entry["source"] in NAMES else "unknown"
        if len(body) <= 12_000:
            asked = entry.get("endpoint") or ""
            yield input_of(name, _near(name, asked), entry.get("status"), body)


def _open_headers() -> Check:
    from healing_pipeline.healing.guard.retry_after import retry_after_s
    from healing_pipeline.probing.classification import classify
    from healing_pipeline.probing.response import RequestLine, Response
    from healing_pipeline.providers.registry import PROVIDERS
    from healing_pipeline.transport.http import _encodings, _plain
    from healing_pipeline.web.answers import of_observation
    from healing_pipeline_tests.chaos.fuzz.installed import default_catalog

    source = default_catalog().sources["yahoo"]
    session = PROVIDERS["yahoo"].session
    assert session is not None
    asked = session.ask("yahoo", source.hosts[0])

    def check(data: bytes) -> None:
        pairs = []
        for each in data.split(b"\n")[:100]:
            name, _, value = each.partition(b":")
            # As aiohttp hands them over: names in ASCII, bytes that are no UTF-8 as surrogates.
            pairs.append(
                (name.decode("ascii", "ignore"), value.decode("utf-8", "surrogateescape").strip())
            )
        headers = _plain(pairs)
        for name, value in headers.items():
            name.encode()
            value.encode()
        wait = retry_after_s(headers, NOW, 600.0)
        assert wait is None or 0.0 <= wait <= 600.0
        assert set(_encodings(headers.get("content-encoding", ""))) <= {"gzip", "x-gzip", "deflate"}
        line = RequestLine("/v1/test/getcrumb")
        for status in (200, 302, 429, 503):
            _is_evidence(classify(Response(status, headers, b"abcdef"), line).evidence)
        response = Response(200, headers, b"Ab3.dEfGhIj")
        token = session.token(response)
        if token is not None:
            applied = session.applied(asked, token)
            for value in (applied.url, *applied.headers.values()):
                assert value.isprintable(), "a line that an upstream smuggled into our request"
        _answers_a_reader(of_observation(_seen(asked, response), source, ()))

    return check


def _seen(asked: object, response: object) -> object:
    from healing_pipeline.healing.strategy import Observation
    from healing_pipeline.probing.failure_class import FailureClass
    from healing_pipeline.probing.response import Verdict

    return Observation(asked, response, Verdict(FailureClass.OK, "seen"), None)  # type: ignore[arg-type]


def _answers_a_reader(reply: tuple[int, list[tuple[bytes, bytes]], bytes]) -> None:
    for name, value in reply[1]:
        assert not any(each in value for each in (b"\r", b"\n", b"\0")), f"a line in {name!r}"


def header_seeds() -> list[bytes]:
    """Headers as providers send them."""
    return [
        b"Retry-After: 120\nContent-Type: application/json",
        b"Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\nDate: Wed, 21 Oct 2015 07:27:00 -0000",
        b"retry-after: 1e999\nRETRY-AFTER: -5\nage: 99999999999999999999",
        b"Content-Encoding: gzip, deflate , br\nVary: Accept-Encoding",
        b"Set-Cookie: A3=d=AQ; Expires=Thu, 1 Jan 2026 00:00:00 GMT; Domain=.yahoo.com; HttpOnly"
        b"\nSet-Cookie: B=1; Path=/",
        b"Location: http://[\nServer: cloudflare\ncf-ray: 1\nX: \xff\xfe\x00",
        f"Content-Type: text/html; charset={CANARY}\nX-Api-Key: {CANARY}".encode(),
        b"Retry-After: Mon, 31 Feb 99999 99:99:99 +9999",
    ]


MOST = 256 * 1024


def _open_packed() -> Check:
    from healing_pipeline.transport.unpacking import PIECE_BYTES, PackingError, Unpacked, unpacking

    def check(data: bytes) -> None:
        encoding = ("gzip", "deflate", "x-gzip")[data[0] % 3] if data else "gzip"
        unpacked = Unpacked()
        try:
            for piece in unpacking(data[1:], encoding):
                assert len(piece) <= PIECE_BYTES
                if not unpacked.add(piece, MOST):
                    return
        except PackingError:
            return
        whole = unpacked.whole()
        assert len(whole) <= MOST
        if data[1:] and encoding != "deflate":
            expected = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data[1:])
            assert whole == expected, "unpacked to something else"

    return check


def packed_seeds() -> list[bytes]:
    """Packed bodies, good and broken."""
    body = b'{"price": 1.5, "at": "2024-01-05"}' * 20
    packed = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return [
        b"\0" + gzip.compress(body, mtime=0),
        b"\0" + gzip.compress(b"", mtime=0),
        b"\0" + gzip.compress(body, mtime=0) + gzip.compress(b"second member", mtime=0),
        b"\1" + zlib.compress(body),
        b"\1" + packed.compress(body) + packed.flush(),
        b"\2" + gzip.compress(bytes(2 * MOST), mtime=0),
        b"\0" + gzip.compress(body, mtime=0)[:-6],
    ]


TARGETS = (
    Target(
        "provider_bodies",
        "status, headers and body of every provider: judged, read, scrutinised, rendered",
        _open_bodies,
        body_seeds,
        share=240,
    ),
    Target(
        "headers",
        "what an upstream says about an answer: waits, cookies, packings, types",
        _open_headers,
        header_seeds,
        share=40,
    ),
    Target("packed_bodies", "gzip and deflate, a piece at a time", _open_packed, packed_seeds, 40),
)
