"""Answers that no client should have to bear, by what is wrong with them."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from healing_pipeline_tests.chaos.hostile_upstream import Attack, Call

GB = 1_000_000_000
POISON = b"666.6660666"
"""A price that only a smuggled answer holds."""
QUOTE = (
    b'{"quoteResponse":{"result":[{"symbol":"AAPL","regularMarketPrice":%s,'
    b'"regularMarketTime":%d}],"error":null}}'
)

INVALID = frozenset({"invalid_data"})
BROKEN = frozenset({"network_error"})
SLOW = frozenset({"timeout"})
ANY_REFUSAL = INVALID | BROKEN | SLOW | {"empty", "server_error", "bad_request", "rate_limit"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One attack.

    Attributes
    ----------
    expected : frozenset of str
        The failure classes that are sensible; empty where the data is good and may be served.
    """

    attack: Attack
    expected: frozenset[str]


def _reply(body: bytes, *headers: bytes, status: bytes = b"200 OK", length: bytes | None = None):
    told = str(len(body)).encode() if length is None else length
    lines = [b"HTTP/1.1 " + status, b"Content-Type: application/json", *headers]
    lines += [b"Content-Length: " + told] if told else []
    return b"\r\n".join([*lines, b"", body])


def _saying(body: bytes, *headers: bytes, status: bytes = b"200 OK", length: bytes | None = None):
    async def attack(call: Call) -> None:
        await call.say(_reply(body, *headers, status=status, length=length))

    return attack


def _raw(*pieces: bytes) -> Attack:
    async def attack(call: Call) -> None:
        await call.say(*pieces)
        await asyncio.sleep(0.05)

    return attack


def _flooding(head: bytes, piece: bytes, most_bytes: int = GB) -> Attack:
    async def attack(call: Call) -> None:
        await call.say(head)
        await call.flood(piece, most_bytes)

    return attack


def _bomb(times: int, size: int = 200_000_000) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    zeros = bytes(1_000_000)
    packed = b"".join(packer.compress(zeros) for _ in range(size // len(zeros))) + packer.flush()
    for _ in range(times - 1):
        packed = gzip.compress(packed, mtime=0)
    return packed


def _with_truth(change) -> Attack:
    async def attack(call: Call) -> None:
        top, body = await call.truth()
        await call.say(*change(top, body))

    return attack


async def _dripping_body(call: Call) -> None:
    await call.say(_reply(b"", length=b"100000"))
    await call.drip(b"[" * 1_000, 0.5)


async def _dripping_head(call: Call) -> None:
    await call.drip(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 1_000, 0.5)


async def _silence(_: Call) -> None:
    await asyncio.sleep(60)


async def _reset(call: Call) -> None:
    await call.say(_reply(b'{"quoteResponse"', length=b"500"))
    call.reset()


async def _reset_at_once(call: Call) -> None:
    call.reset()


async def _to_itself(call: Call) -> None:
    target = call.head.split(b" ")[1]
    await call.say(_reply(b"", b"Location: " + target, status=b"302 Found"))


def _to(place: bytes) -> Attack:
    return _saying(b"", b"Location: " + place, status=b"302 Found")


async def _second_answer(call: Call) -> None:
    """The truth, and behind it an answer that nobody asked for, for whoever asks next."""
    top, body = await call.truth()
    poison = QUOTE % (POISON, 1_900_000_000)
    await call.say(top + body + _reply(poison))
    await asyncio.sleep(3)


async def _late_second_answer(call: Call) -> None:
    top, body = await call.truth()
    await call.say(top + body)
    await asyncio.sleep(0.2)
    await call.say(_reply(QUOTE % (POISON, 1_900_000_000)))
    await asyncio.sleep(3)


def _smuggled(top: bytes, body: bytes) -> list[bytes]:
    """Both a length and chunks, which two readers take for different answers."""
    poison = _reply(QUOTE % (POISON, 1_900_000_000))
    head = top[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
    return [head, b"%x\r\n" % len(body), body, b"\r\n0\r\n\r\n", poison]


def _numbers(numeral: bytes) -> bytes:
    return b'{"a":[' + b",".join([numeral] * (1_000_000 // (len(numeral) + 1))) + b"]}"


def answers() -> Mapping[str, Answer]:
    """All attacks by name; what they send is made here, before anybody waits for it."""
    page = b'{"quoteResponse":{"result":[],"error":null}}'
    bad_text = b'{"quoteResponse":"' + b"\xff\xfe\xc3\x28\xed\xa0\x80" * 1_000 + b'"}'
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    plain = b"HTTP/1.1 200 OK\r\n"
    packed = {
        "gzip bomb": (_bomb(1), b"gzip"),
        "gzip bomb in a gzip": (_bomb(2), b"gzip, gzip"),
        "gzip of many members": (gzip.compress(bytes(1_000_000), mtime=0) * 2_000, b"gzip"),
        "deflate bomb": (zlib.compress(bytes(200_000_000), 9), b"deflate"),
        "gzip told 5,000 times": (gzip.compress(page, mtime=0), b", ".join([b"gzip"] * 5_000)),
        "gzip that is cut": (gzip.compress(page * 100, mtime=0)[:-9], b"gzip"),
        "gzip that is none": (page, b"gzip"),
        "a packing that nobody knows": (b"\x8b\x03\x80" * 100, b"br"),
    }
    bodies = {
        "JSON 10,000 deep": b"[" * 10_000 + b"]" * 10_000,
        "JSON 1,000,000 deep": b'{"a":' * 1_000_000,
        "JSON of empty lists, 8 MB": b"[" + b"[]," * 2_700_000 + b"[]]",
        "JSON of numbers, 8 MB": b"[" + b"1," * 4_000_000 + b"1]",
        "JSON of names, 8 MB": b"{" + b",".join(b'"%x":1' % n for n in range(650_000)) + b"}",
        "JSON under the limit, of lists": b"[" + b"[]," * 490_000 + b"[]]",
        "a name 200,000 times": b"{" + b'"quoteResponse":{},' * 200_000 + b'"a":1}',
        "numbers of 1e999999": _numbers(b"1e999999"),
        "a whole number of 100,000 digits": _numbers(b"9" * 100_000),
        "a price of 10**400": QUOTE % (b"9" * 400, 1_900_000_000),
        "bytes that are no UTF-8": bad_text,
        "UTF-16 with its mark": page.decode().encode("utf-16"),
        "NUL bytes, 4 MB": bytes(4_000_000),
        "an HTML page of 4 MB": b"<html>" + b"<title><a b=" * 350_000,
        "XML of 4 MB": b"<a>" + b'<b c="1"/>' * 400_000 + b"</a>",
        "XML that declares itself into pieces": b'<!DOCTYPE a [<!ENTITY b "' + b"ha" * 99 + b'">]>',
        "words that look like a key": b'{"error":"' + b"abcdefghijklmno_" * 200 + b'1"}',
    }
    whole = {
        "1 GB, told": _flooding(_reply(b"", length=b"1000000000"), b"x" * 65_536),
        "1 GB, not told": _flooding(_reply(b"", length=b""), b"[" * 65_536),
        "1 GB in chunks": _flooding(chunked, b"10000\r\n" + b"x" * 65_536 + b"\r\n"),
        "chunks of one byte without end": _flooding(chunked, b"1\r\nx\r\n" * 5_000, 400_000_000),
        "a chunk that says it is huge": _raw(chunked + b"ffffffffffffffff\r\n", b"x" * 1_000),
        "a chunk that says no size": _raw(chunked + b"zz\r\nhello\r\n0\r\n\r\n"),
        "no last chunk": _raw(chunked + b"5\r\nhello\r\n"),
        "10,000 headers": _raw(
            plain + b"".join(b"X-%d: y\r\n" % n for n in range(10_000)), b"\r\n"
        ),
        "a header of 1 MB": _raw(plain + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n"),
        "headers without end": _flooding(
            plain, b"X-Header: " + b"y" * 1_000 + b"\r\n", 300_000_000
        ),
        "a status line without end": _flooding(b"HTTP/1.1 200 ", b"O" * 65_536, 300_000_000),
        "10,000 cookies": _raw(plain + b"Set-Cookie: a=b\r\n" * 10_000 + b"\r\n"),
        "a NUL in a header": _raw(plain + b"X: a\x00b\r\nContent-Length: 2\r\n\r\n{}"),
        "a header in two lines": _raw(plain + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}"),
        "1xx without end": _flooding(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100, 50_000_000),
        "a byte each half second": _dripping_body,
        "a head of a byte each half second": _dripping_head,
        "silence": _silence,
        "a reset midway": _reset,
        "a reset at once": _reset_at_once,
        "a shorter body than told": _raw(_reply(page, length=b"5000")),
        "a negative length": _saying(page, length=b"-5"),
        "two lengths": _saying(page, b"Content-Length: 5"),
        "a length that is a list": _saying(page, length=b"44, 5"),
        "HTTP/0.9": _raw(page),
        "TLS": _raw(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(120)),
        "HTTP/9.9": _raw(b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        "HTTP/2": _raw(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18)),
        "status 999": _saying(page, status=b"999 Denied"),
        "status 000": _saying(page, status=b"000 Nothing"),
        "204 with a body": _saying(page, status=b"204 No Content"),
        "304 with a body": _saying(page, status=b"304 Not Modified"),
        "a redirect to itself": _to_itself,
        "a redirect to a file": _to(b"file:///etc/passwd"),
        "a redirect to another scheme": _to(b"gopher://127.0.0.1:70/_x"),
        "a redirect to the cloud's own address": _to(b"http://169.254.169.254/latest/meta-data/"),
        "a redirect to no address": _to(b"http://["),
        "a redirect of 10,000 bytes": _to(b"/" + b"a" * 10_000),
    }
    good = {
        "a longer body than told": _with_truth(lambda top, body: [top, body, b"x" * 10_000]),
        "the truth with a mark before it": _with_truth(
            lambda top, body: [_reply(b"\xef\xbb\xbf" + body)]
        ),
        "a second answer nobody asked for": _second_answer,
        "a second answer, a moment later": _late_second_answer,
        "a length and chunks at once": _with_truth(_smuggled),
    }
    refused = {
        **{
            name: _saying(body, b"Content-Encoding: " + told)
            for name, (body, told) in packed.items()
        },
        **{name: _saying(body) for name, body in bodies.items()},
        **whole,
    }
    return {
        **{name: Answer(each, ANY_REFUSAL) for name, each in refused.items()},
        **{name: Answer(each, frozenset()) for name, each in good.items()},
    }  # fmt: skip
