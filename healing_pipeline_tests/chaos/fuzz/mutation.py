"""Inputs made of other inputs: a value swapped, a line lost, a span doubled, bytes flipped.

It knows of JSON and of lines, because a change of bytes seldom leaves a document that is read any
further than its first mistake.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Change = Callable[[Random, bytes], bytes]

LONGEST = 16 * 1024

NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, -0.0, 1e308, 5e-324, 10**18, -(10**18), 2**63, 10**400),
    *(1_700_000_000, 1_700_000_000_000, 253_402_300_800, 10**12, 0.1 + 0.2),
    *("", " ", ".", "None", "null", "nan", "NaN", "Infinity", "1e999", "1_0", "0x10", "-1", "007"),
    *("2024-01-05", "9999-12-31", "0001-01-01", "2024-02-30", "2024-01-05T12:00:00", "24:00"),
    *("2024-01-05T12:00:00+23:59", "20240105T120000Z", "=1+1", "\x1b[31m", "\u202e", "a\x00b"),
    *("\ud800", "\ufeff", "\U0001f600", "<script>", "&amp;", "'", '"', "\\", "a\r\nb: c", "../x"),
    *("API key is invalid", "rate limit", "x" * 300, "%s%n", "{today}", "${HOME}", "{{7*7}}"),
    *([], {}, [[]], [None], {"": ""}, {"a": {"a": {}}}, [0] * 40, "OK", "error", "\u0661\u0662"),
)
MARKS: tuple[bytes, ...] = (
    *(b"\x00", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"\r", b"\r\n"),
    *(b"\n", b"\t", b"  ", b",", b":", b"|", b"{", b"}", b"[", b"]", b'"', b"'", b"\\", b"#", b"-"),
    *(b"&", b"*", b"!", b"%", b"@", b"`", b"~", b"<", b">", b"=", b";", b"/", b"?", b"\x1b[2J"),
    *(
        b"1e999",
        b"NaN",
        b"-0",
        b"9" * 400,
        b"null",
        b"true",
        b"<<: ",
        b"---\n",
        b"!!python/name:os",
    ),
    *(b"&a [*a]", b"\xe2\x80\xa8", b"\xc2\x85", b"\x0b", b"\x0c", b"%00", b"%2e%2e", b"+", b"1.5"),
)


def mutated(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """`data` with one to four changes; `others` lend it their parts."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        if others and rng.random() < 0.08:
            data = _spliced(rng, data, rng.choice(others))
        else:
            data = rng.choices(_CHANGES, _WEIGHTS)[0](rng, data)
    return data[:LONGEST]


def _value(rng: Random, data: bytes) -> bytes:
    """Another value somewhere in the JSON that begins at the first brace."""
    begin = min((at for at in (data.find(b"{"), data.find(b"[")) if at >= 0), default=-1)
    if begin < 0:
        return _mark(rng, data)
    try:
        value = json.loads(data[begin:])
    except (ValueError, RecursionError):
        return _mark(rng, data)
    places = _places(value)
    place = rng.choice(places)
    roll = rng.random()
    if roll < 0.15 and place:
        changed = _without(value, place)
    elif roll < 0.3:
        changed = _changed(value, place, _at(value, rng.choice(places)))
    elif roll < 0.4:
        changed = _changed(value, place, _deep(rng))
    else:
        changed = _changed(value, place, rng.choice(NASTY))
    return data[:begin] + json.dumps(changed, ensure_ascii=rng.random() < 0.5).encode(
        "utf-8", "surrogatepass"
    )


def _deep(rng: Random) -> Any:
    value: Any = rng.choice(NASTY)
    for _ in range(rng.choice((2, 10, 60))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def _places(value: Any, most: int = 400) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = [()]
    for place in found:
        if len(found) > most:
            break
        inner = _at(value, place)
        if isinstance(inner, dict):
            found += [(*place, key) for key in inner]
        elif isinstance(inner, list):
            found += [(*place, at) for at in range(min(len(inner), 12))]
    return found


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


def _changed(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = _changed(copy[place[0]], place[1:], new)
    return copy


def _without(value: Any, place: tuple[Any, ...]) -> Any:
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(place) == 1:
        del copy[place[0]]
    else:
        copy[place[0]] = _without(copy[place[0]], place[1:])
    return copy


def _mark(rng: Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice(MARKS) + data[at + rng.choice((0, 0, 1, 3)) :]


def _word(rng: Random, data: bytes) -> bytes:
    """A nasty text in place of whatever stands between two marks."""
    begin = rng.randint(0, len(data))
    while begin > 0 and data[begin - 1 : begin].isalnum():
        begin -= 1
    end = begin
    while end < len(data) and (data[end : end + 1].isalnum() or data[end] in b".-_+"):
        end += 1
    new = str(rng.choice(NASTY)).encode("utf-8", "surrogatepass")
    return data[:begin] + new + data[end:]


def _line(rng: Random, data: bytes) -> bytes:
    """A line lost, doubled, moved or indented."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    match rng.randrange(5):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[at])
        case 2:
            lines[at] = b"  " * rng.randint(1, 3) + lines[at]
        case 3:
            lines[at] = lines[at].lstrip()
        case _:
            lines.insert(rng.randrange(len(lines)), lines.pop(at))
    return b"\n".join(lines)


def _span(rng: Random, data: bytes) -> bytes:
    """A span lost or repeated."""
    begin = rng.randint(0, len(data))
    end = min(len(data), begin + rng.choice((1, 4, 20, 200)))
    return data[:begin] + data[begin:end] * rng.choice((0, 0, 2, 2, 50)) + data[end:]


def _flip(rng: Random, data: bytes) -> bytes:
    if not data:
        return bytes(rng.randbytes(rng.randint(1, 40)))
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _cut(rng: Random, data: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def _spliced(rng: Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


_CHANGES: tuple[Change, ...] = (_value, _mark, _word, _line, _span, _flip, _cut)
_WEIGHTS = (8, 3, 4, 2, 2, 2, 1)
