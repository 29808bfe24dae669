"""The data path's client against real sockets that misbehave."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import pytest

from healing_pipeline.catalog.destinations import Destinations
from healing_pipeline.catalog.urls import origin_of
from healing_pipeline.probing.response import NoAnswer, RequestLine, Response
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.transport.http import MOST_REDIRECTS, HttpSender, new_client
from healing_pipeline.transport.unpacking import PIECE_BYTES

SECRET = "k3y-of-mine-0123456789"

Respond = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Upstream:
    """A socket that listens, and what it has seen."""

    port: int = 0
    accepted: int = 0
    heads: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def header(self, name: str) -> str | None:
        """What the newest request says under a name."""
        for line in self.heads[-1].split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name:
                return value.strip()
        return None


def here(*hosts: str, scheme: str = "http", inside: bool = True) -> Destinations:
    """These are the whole catalog, and may be on this machine."""
    origins = [origin_of(f"{scheme}://{each}") for each in hosts]
    return Destinations(
        frozenset(origins), frozenset((host, port) for _, host, port in origins if inside)
    )


@asynccontextmanager
async def upstream(respond: Respond) -> AsyncIterator[Upstream]:
    seen = Upstream()
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.accepted += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                seen.heads.append(head)
                await respond(head, writer)
                await writer.drain()
        writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in tuple(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def message(body: bytes = b"{}", status: str = "200 OK", length: int | None = None, **headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def saying(data: bytes, then: Callable[[asyncio.StreamWriter], None] | None = None) -> Respond:
    async def respond(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if then is not None:
            await writer.drain()
            then(writer)

    return respond


def reset(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def request_to(port: int, path: str = "/x", scheme: str = "http") -> UpstreamRequest:
    return UpstreamRequest(
        source="line",
        host_name="one",
        key_name="primary",
        url=f"{scheme}://127.0.0.1:{port}{path}?apikey={SECRET}",
        headers={"Authorization": f"Bearer {SECRET}", "User-Agent": "test"},
        line=RequestLine(path),
    )


def ask(
    respond: Respond,
    *,
    timeout_s: float = 5.0,
    most_bytes: int = 100_000,
    times: int = 1,
) -> tuple[Response, Upstream]:
    """The answer to the last of some calls to an upstream that is the whole catalog."""

    async def run() -> tuple[Response, Upstream]:
        async with upstream(respond) as seen:
            sender = HttpSender(new_client(), here(seen.host), most_bytes)
            try:
                for _ in range(times):
                    response = await sender.send(request_to(seen.port), timeout_s)
            finally:
                await sender.aclose()
        return response, seen

    return asyncio.run(run())


def no_answer(response: Response) -> NoAnswer | None:
    """Why there is no answer, after a look at what every such answer owes."""
    assert SECRET not in response.detail
    if response.no_answer is not None:
        assert response.detail
        assert response.body == b""
        assert response.status is None
    return response.no_answer


def test_a_good_answer_comes_back_whole_with_its_headers_in_lower_case():
    response, seen = ask(saying(message(b'{"a": 1}', X_Request_ID="Seven", ETAG="W")))
    assert no_answer(response) is None
    assert (response.status, response.body) == (200, b'{"a": 1}')
    assert response.headers["x-request-id"] == "Seven"
    assert all(name == name.lower() for name in response.headers)
    assert seen.header("authorization") == f"Bearer {SECRET}"


def test_two_calls_share_one_connection():
    _, seen = ask(saying(message()), times=2)
    assert (seen.accepted, len(seen.heads)) == (1, 2)


@pytest.mark.parametrize("dripped", [b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 900, b"b" * 900])
def test_a_slow_drip_ends_at_the_timeout(dripped):
    """In the headers or in the body: each byte comes in time, the whole never does."""

    async def respond(head: str, writer: asyncio.StreamWriter) -> None:
        if dripped.startswith(b"b"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
        for index in range(len(dripped)):
            writer.write(dripped[index : index + 1])
            await asyncio.sleep(0.02)

    began = time.monotonic()
    response, _ = ask(respond, timeout_s=0.3)
    assert no_answer(response) is NoAnswer.TIMEOUT
    assert "0.30 s" in response.detail
    # All of it would take 18 s.
    assert time.monotonic() - began < 3
    assert 0.3 <= response.elapsed_s < 3


def test_silence_ends_at_the_timeout():
    async def respond(head: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    assert no_answer(ask(respond, timeout_s=0.2)[0]) is NoAnswer.TIMEOUT


@pytest.mark.parametrize("told", [True, False])
def test_a_huge_body_is_cut_off_long_before_its_end(told):
    sent = 0

    async def respond(head: str, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        length = "Content-Length: 1000000000\r\n" if told else ""
        writer.write(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()
            sent += 10_000

    response, _ = ask(respond, timeout_s=20.0)
    assert no_answer(response) is NoAnswer.TOO_LARGE
    assert "100,000" in response.detail
    # Beyond the limit there is only what the sockets' buffers held.
    assert sent < 50_000_000


def test_a_body_of_just_the_limit_is_no_huge_body():
    response, _ = ask(saying(message(b"x" * 100_000)))
    assert (no_answer(response), len(response.body)) == (None, 100_000)
    assert no_answer(ask(saying(message(b"x" * 100_001)))[0]) is NoAnswer.TOO_LARGE


@pytest.mark.parametrize(
    ("encoding", "packed"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_packed_body_is_unpacked_and_its_limit_counts_what_it_unpacks_to(encoding, packed):
    text = b'{"price": 1}'
    response, seen = ask(saying(message(packed(text), Content_Encoding=encoding)))
    assert response.body == text
    assert encoding in seen.header("accept-encoding")
    bomb = packed(b"0" * 10_000_000)
    assert len(bomb) < 100_000
    response, _ = ask(saying(message(bomb, Content_Encoding=encoding)))
    assert no_answer(response) is NoAnswer.TOO_LARGE


def test_what_only_says_that_it_is_packed_is_no_answer():
    response, _ = ask(saying(message(b"not gzip at all", Content_Encoding="gzip")))
    assert no_answer(response) is NoAnswer.PROTOCOL


def bare_deflate(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(text) + packer.flush()


@pytest.mark.parametrize("size", [0, 1, 262_143, 262_144, 262_145, 1_000_003])
@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", bare_deflate),
        ("deflate, gzip", lambda text: gzip.compress(bare_deflate(text))),
        ("gzip, nobody-knows", gzip.compress),
    ],
)
def test_a_packed_body_of_any_length_is_unpacked_whole(encoding, packed, size):
    text = (b"%d," * 9 % tuple(range(9)) * (size // 9))[:size]
    body = message(packed(text), Content_Encoding=encoding)
    assert ask(saying(body), most_bytes=2_000_000)[0].body == text


@pytest.mark.parametrize("packed", [gzip.compress, zlib.compress, bare_deflate])
def test_a_packed_body_that_is_cut_is_no_answer_though_its_length_is_right(packed):
    encoding = "gzip" if packed is gzip.compress else "deflate"
    whole = packed(bytes(range(256)) * 40)
    for end in (1, 2, 12, len(whole) // 2, len(whole) - 1):
        response, _ = ask(saying(message(whole[:end], Content_Encoding=encoding)))
        assert no_answer(response) is NoAnswer.PROTOCOL


def test_unpacking_a_bomb_lets_others_run_in_between():
    most = 8_000_000
    turns = 0

    async def run() -> Response:
        nonlocal turns
        bomb = message(gzip.compress(b"0" * 100_000_000), Content_Encoding="gzip")
        async with upstream(saying(bomb)) as seen:
            sender = HttpSender(new_client(), here(seen.host), most)
            asked = asyncio.create_task(sender.send(request_to(seen.port), 30.0))
            while not asked.done():
                turns += 1
                await asyncio.sleep(0)
            await sender.aclose()
            return await asked

    assert no_answer(asyncio.run(run())) is NoAnswer.TOO_LARGE
    assert turns > most / PIECE_BYTES


def test_packing_that_holds_nothing_cannot_go_on_for_ever():
    """A gzip header may hold a name of any length, and a body be all name."""

    async def respond(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08" + b"0" * 6
        )
        while True:
            writer.write(b"n" * 10_000)
            await writer.drain()

    assert no_answer(ask(respond, timeout_s=20.0)[0]) is NoAnswer.TOO_LARGE


def test_a_refused_connection_is_the_networks_fault():
    async def run() -> Response:
        with socket.socket() as taken:
            # Bound and not listening: nobody else can take the port, and nobody answers.
            taken.bind(("127.0.0.1", 0))
            sender = HttpSender(new_client(), here(f"127.0.0.1:{taken.getsockname()[1]}"))
            try:
                return await sender.send(request_to(taken.getsockname()[1]), 5.0)
            finally:
                await sender.aclose()

    assert no_answer(asyncio.run(run())) is NoAnswer.NETWORK


def test_a_name_that_has_no_address_is_told_apart_from_a_host_that_does_not_answer():
    async def run() -> Response:
        sender = HttpSender(new_client(), here("api.nobody.invalid"))
        asked = request_to(80)
        named = replace(asked, url=asked.url.replace("127.0.0.1", "api.nobody.invalid"))
        try:
            return await sender.send(named, 5.0)
        finally:
            await sender.aclose()

    response = asyncio.run(run())
    assert no_answer(response) is NoAnswer.UNRESOLVED
    assert response.detail.startswith("api.nobody.invalid: ")


def test_a_host_that_hangs_keeps_no_more_connections_than_its_bulkhead_has():
    """And others are answered meanwhile, though there are fewer places than calls that hang."""
    settings = replace(new_client(), max_connections=8, max_per_host=4)

    async def hang(_head: str, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def run() -> None:
        async with upstream(hang) as sick, upstream(saying(message())) as well:
            sender = HttpSender(settings, here(sick.host, well.host))
            try:
                hanging = [
                    asyncio.create_task(sender.send(request_to(sick.port), 4.0)) for _ in range(20)
                ]
                await asyncio.sleep(0.2)
                for _ in range(10):
                    response = await sender.send(request_to(well.port), 3.0)
                    assert no_answer(response) is None
                assert not any(each.done() for each in hanging)
                assert len(sick.heads) == 4
                for response in await asyncio.gather(*hanging):
                    assert no_answer(response) is NoAnswer.TIMEOUT
            finally:
                await sender.aclose()

    asyncio.run(run())


@pytest.mark.parametrize(
    "data", [b"", b"HTTP/1.1 200 OK\r\nContent-", message(b'{"a', length=5000)]
)
def test_a_connection_that_is_reset_is_no_answer_wherever_it_breaks(data):
    response, _ = ask(saying(data, reset))
    assert no_answer(response) in (NoAnswer.NETWORK, NoAnswer.PROTOCOL)


@pytest.mark.parametrize("body", [b'{"price": 1', b'{"price": 1}'])
def test_a_body_that_is_shorter_than_announced_is_no_answer_even_if_it_parses(body):
    response, _ = ask(saying(message(body, length=5000), lambda writer: writer.close()))
    assert no_answer(response) is NoAnswer.PROTOCOL


@pytest.mark.parametrize(
    "data", [b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"\x00" * 200, b"HTTP/9 what\r\n"]
)
def test_what_is_not_http_is_no_answer(data):
    response, _ = ask(saying(data, lambda writer: writer.close()))
    assert no_answer(response) is NoAnswer.PROTOCOL


def test_plain_text_where_tls_was_asked_for_is_the_networks_fault():
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(message())
        writer.close()

    async def run() -> Response:
        server = await asyncio.start_server(respond, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        sender = HttpSender(new_client(), here(f"127.0.0.1:{port}", scheme="https"))
        try:
            return await sender.send(request_to(port, scheme="https"), 5.0)
        finally:
            await sender.aclose()
            server.close()

    assert no_answer(asyncio.run(run())) is NoAnswer.NETWORK


def redirect(location: str, status: str = "302 Found") -> bytes:
    return message(b"", status, Location=location)


def test_a_redirect_in_a_circle_ends():
    response, seen = ask(saying(redirect("/x")))
    assert no_answer(response) is NoAnswer.TOO_MANY_REDIRECTS
    assert len(seen.heads) == MOST_REDIRECTS + 1


def test_all_redirects_together_have_one_timeout():
    async def respond(head: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.25)
        writer.write(redirect("/x"))

    response, seen = ask(respond, timeout_s=0.6)
    assert no_answer(response) is NoAnswer.TIMEOUT
    assert len(seen.heads) <= MOST_REDIRECTS


@pytest.mark.parametrize("location", ["http://127.0.0.1:9/", "//localhost/x", "https://evil.test/"])
def test_a_redirect_to_a_host_that_is_not_in_the_catalog_is_handed_back(location):
    response, seen = ask(saying(redirect(location)))
    assert (no_answer(response), response.status) == (None, 302)
    assert response.headers["location"] == location
    assert len(seen.heads) == 1


def test_a_host_of_the_catalog_does_not_lend_its_name_to_another():
    """Neither as user name nor as the beginning of a name."""
    for template in ("http://{}@evil.test/", "http://{}.evil.test/", "http://evil.test/{}"):

        async def respond(head, writer, template=template):
            lines = head.lower().split("\r\n")
            name = next(line for line in lines if line.startswith("host:"))
            writer.write(redirect(template.format(name.split(" ", 1)[1])))

        response, seen = ask(respond)
        assert len(seen.heads) == 1
        # The second is no address at all, because of its port.
        assert response.status == 302 or response.no_answer is NoAnswer.PROTOCOL


@pytest.mark.parametrize(
    "location", ["http://[", "http://[::1", "//[bad]/x", "\\\\", "http://a:b/"]
)
def test_a_redirect_to_what_is_no_address_is_a_value_and_no_exception(location):
    response, seen = ask(saying(redirect(location)))
    assert response.no_answer in (NoAnswer.PROTOCOL, NoAnswer.TOO_MANY_REDIRECTS, None)
    assert no_answer(response) is not None or response.status == 302
    assert len(seen.heads) <= MOST_REDIRECTS + 1


def test_a_redirect_within_one_origin_is_followed_with_the_key():
    async def respond(head: str, writer: asyncio.StreamWriter) -> None:
        moved = head.startswith("GET /new")
        writer.write(message(b"here") if moved else redirect("/new?a=1", "301 Moved"))

    response, seen = ask(respond)
    assert (response.status, response.body) == (200, b"here")
    assert seen.heads[-1].startswith("GET /new?a=1 ")
    assert seen.header("authorization") == f"Bearer {SECRET}"


def test_a_redirect_to_another_host_of_the_catalog_is_followed_without_the_key():
    async def run() -> tuple[Response, Upstream]:
        async with upstream(saying(message(b"there"))) as other:
            there = f"http://{other.host}/there"
            async with upstream(saying(redirect(there, "307 Temporary"))) as first:
                sender = HttpSender(new_client(), here(first.host, other.host))
                try:
                    response = await sender.send(
                        request_to(first.port), 5.0, {"x-request-id": "r7.1"}
                    )
                finally:
                    await sender.aclose()
        return response, other

    response, other = asyncio.run(run())
    assert (response.status, response.body) == (200, b"there")
    assert other.header("authorization") is None
    assert SECRET not in other.heads[-1]
    assert other.header("x-request-id") == "r7.1"


def test_the_key_does_not_come_back_once_a_redirect_left_its_origin():
    async def run() -> Upstream:
        async with upstream(lambda head, writer: back(head, writer)) as other:

            async def first_says(head: str, writer: asyncio.StreamWriter) -> None:
                home = head.startswith("GET /home")
                writer.write(message() if home else redirect(f"http://{other.host}/"))

            async with upstream(first_says) as first:

                async def back(head: str, writer: asyncio.StreamWriter) -> None:
                    writer.write(redirect(f"http://{first.host}/home"))

                sender = HttpSender(new_client(), here(first.host, other.host))
                try:
                    assert (await sender.send(request_to(first.port), 5.0)).status == 200
                finally:
                    await sender.aclose()
        return first

    first = asyncio.run(run())
    assert len(first.heads) == 2
    assert first.header("authorization") is None


def test_a_redirect_without_an_address_is_an_answer_like_any_other():
    response, _ = ask(saying(message(b"go", "302 Found")))
    assert (no_answer(response), response.status, response.body) == (None, 302, b"go")


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 OK\r\nContent-", message(b'{"a', length=50)])
def test_a_connection_that_breaks_is_never_asked_again_unasked(data):
    """aiohttp would; the second call would count against a quota and on nobody's record."""
    for end in (reset, lambda writer: writer.close()):
        response, seen = ask(saying(data, end))
        assert no_answer(response) in (NoAnswer.NETWORK, NoAnswer.PROTOCOL)
        assert len(seen.heads) == 1


def test_a_connection_that_was_closed_while_idle_is_not_used_again():
    async def run() -> tuple[Response, Upstream]:
        async with upstream(saying(message(), lambda writer: writer.close())) as seen:
            sender = HttpSender(new_client(), here(seen.host))
            for _ in range(3):
                response = await sender.send(request_to(seen.port), 5.0)
                # Until the other end's goodbye has arrived; nothing of ours tells of it.
                while any(not each.is_closing() for each in idle(sender)):  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            await sender.aclose()
        return response, seen

    response, seen = asyncio.run(run())
    assert response.status == 200
    assert (seen.accepted, len(seen.heads)) == (3, 3)


def idle(sender: HttpSender) -> list[asyncio.Transport]:
    """The connections that wait for another call."""
    assert sender._session is not None
    kept = sender._session.connector._conns.values()
    return [held[0].transport for each in kept for held in each if held[0].transport is not None]


@pytest.mark.parametrize("path", ["/a%2Fb/c%20d/%7E~/EURUSD=X/C:EURUSD/%5EGSPC", "/x/^y'(z)"])
def test_an_address_goes_out_byte_for_byte_as_the_provider_wrote_it(path):
    async def run() -> str:
        async with upstream(saying(message())) as seen:
            sender = HttpSender(new_client(), here(seen.host))
            asked = replace(
                request_to(seen.port), url=f"http://{seen.host}{path}?s=A%2CB,C&t=%5e+%20&u="
            )
            await sender.send(asked, 5.0)
            await sender.aclose()
            return seen.heads[0]

    assert asyncio.run(run()).startswith(f"GET {path}?s=A%2CB,C&t=%5e+%20&u= HTTP/1.1\r\n")


def test_a_header_that_comes_twice_is_one_and_none_holds_what_no_database_takes():
    named = b"Vary: a\r\nVARY: b\r\nX-Name: caf\xe9\r\nX-Utf: caf\xc3\xa9\r\n"
    response, _ = ask(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + named + b"\r\n"))
    assert response.headers["vary"] == "a, b"
    assert response.headers["x-name"] == response.headers["x-utf"] == "caf\u00e9"


def test_a_long_header_is_no_reason_to_refuse_an_answer():
    response, _ = ask(saying(message(b"here", Content_Security_Policy="x" * 40_000)))
    assert (no_answer(response), response.body) == (None, b"here")


def test_an_answer_that_is_no_http_does_not_bring_the_key_into_the_record():
    """aiohttp's message for it quotes the whole address."""
    response, _ = ask(saying(b"HTTP/1.1 2x0 OK\r\n\r\n", lambda writer: writer.close()))
    assert no_answer(response) is NoAnswer.PROTOCOL
    assert "/x" not in response.detail


def test_a_body_that_arrives_fast_and_never_ends_does_not_outlast_the_deadline():
    async def respond(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 100_000)
            await writer.drain()

    began = time.monotonic()
    response, _ = ask(respond, timeout_s=0.3, most_bytes=1 << 40)
    assert no_answer(response) is NoAnswer.TIMEOUT
    assert 0.3 <= response.elapsed_s < 0.5 < 3 > time.monotonic() - began


def test_interim_answers_without_end_are_no_answer_and_hold_nobody():
    """300,000 of them kept every reader of the process for seconds, past all deadlines."""

    async def respond(head: str, writer: asyncio.StreamWriter) -> None:
        for _ in range(20_000):
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)
            await writer.drain()

    began = time.process_time()
    response, _ = ask(respond, timeout_s=20.0)
    assert no_answer(response) is NoAnswer.PROTOCOL
    assert "interim" in response.detail
    assert time.process_time() - began < 2


def test_a_few_interim_answers_are_passed_over():
    early = b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3
    response, seen = ask(saying(early + message(b"here")), times=3)
    assert (no_answer(response), response.body, seen.accepted) == (None, b"here", 1)


@pytest.mark.parametrize("pause_s", [0.0, 0.05])
def test_an_answer_that_nobody_asked_for_is_given_to_nobody(pause_s):
    async def respond(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(message(b"mine"))
        await writer.drain()
        await asyncio.sleep(pause_s)
        writer.write(message(b"poison") * 3)

    async def run() -> list[bytes]:
        async with upstream(respond) as seen:
            sender = HttpSender(new_client(), here(seen.host))
            bodies = []
            for _ in range(3):
                bodies.append((await sender.send(request_to(seen.port), 5.0)).body)
                await asyncio.sleep(2 * pause_s)
            await sender.aclose()
        return bodies

    assert asyncio.run(run()) == [b"mine"] * 3


def test_a_sender_that_never_sent_can_be_closed():
    asyncio.run(HttpSender(new_client(), here()).aclose())


def test_nothing_of_one_answer_is_sent_with_the_next_request():
    response, seen = ask(saying(message(Set_Cookie="A1=d=AQ; Path=/")), times=2)
    assert response.status == 200
    assert seen.header("cookie") is None


def test_a_proxy_in_the_environment_is_not_asked(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert ask(saying(message()))[0].status == 200
