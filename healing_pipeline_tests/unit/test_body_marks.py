"""A body that would keep everybody waiting while it is read is told before it is."""

from __future__ import annotations

import asyncio

import pytest

from healing_pipeline.transport.marks import is_too_much

BAR = (
    b'{"v":70790813,"vw":131.6292,"o":130.465,"c":130.15,"h":133.41,"l":129.89,'
    b'"t":1673240400000,"n":9},'
)
BARS = b'{"ticker":"AAPL","status":"OK","results":[' + BAR * 50_000 + b"{}]}"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (BARS, False),
        (b"[" + b"[]," * 1_000_000 + b"[]]", True),
        (b' \n{"a":[' + b"1," * 1_300_000 + b"1]}", True),
        (b"{" + b'"a":1,' * 650_000 + b'"a":1}', True),
        (b"[" * 300_000, True),
        (b"[" + b"[]," * 220_000 + b"[]]", True),
        (b"a,b,c\n" * 1_000_000, False),
        (b'"' + b"a" * 4_000_000 + b'"', False),
        (b"[" * 100_000, False),
        (b"", False),
    ],
    ids=[
        *(
            "the longest true answer",
            "lists",
            "numbers",
            "one key",
            "depth",
            "fewer lists",
            "a table",
            "a text",
        ),
        *("a short one", "nothing"),
    ],
)
def test_a_body_of_too_many_values_is_told_from_the_longest_true_one(body: bytes, told: bool):
    assert asyncio.run(is_too_much(body)) is told
