"""Which form a client gets, by what it says that it takes."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.web.accept import liked_best, ranges_of

OFFERS = ("application/json", "text/toon", "text/csv", "text/markdown", "text/html")
BROWSER = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)


@pytest.mark.parametrize(
    ("header", "liked"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/toon", "text/toon"),
        ("TEXT/Toon", "text/toon"),
        ("text/csv; charset=utf-8", "text/csv"),
        ('text/csv; charset="UTF-8"', "text/csv"),
        ("text/csv;q=0.5, text/toon;q=0.9", "text/toon"),
        ("text/csv ; q=0.5,text/toon ;q=0.4", "text/csv"),
        (BROWSER, "text/html"),
        # A type that is named goes before one that a star stands for, also when both are liked.
        ("*/*, text/csv", "text/csv"),
        ("text/*", "text/toon"),
        ("text/*;q=0.3, application/json;q=0.2", "text/toon"),
        # What is said of a type outweighs what is said of all, in whatever order.
        ("*/*, application/json;q=0", "text/toon"),
        ("application/json;q=0, */*", "text/toon"),
        ("text/*, text/toon;q=0, text/csv;q=0.1", "text/markdown"),
        # RFC 9110's own example: plain text in another flow is another type.
        ("text/csv;header=absent, text/html;q=0.1", "text/html"),
        ('text/csv;note="a,b;q=0", text/markdown;q=0.2', "text/markdown"),
        ("text/toon;q=1.000", "text/toon"),
        ("image/png", None),
        ("text/toon;q=0", None),
        ("*/*;q=0", None),
        ("csv", None),
        ("*/toon", None),
        ("text/toon;q=2", None),
        ("text/toon;q=high, text/csv", "text/csv"),
        (",,text/csv,", "text/csv"),
    ],
)
def test_a_client_gets_what_it_likes_best(header, liked):
    assert liked_best(header, OFFERS) == liked


ranges = st.builds(
    lambda kind, quality: (kind, quality),
    st.sampled_from([*OFFERS, "text/*", "*/*", "image/png"]),
    st.integers(0, 1000),
)


@given(st.lists(ranges, max_size=6, unique_by=lambda each: each[0]))
def test_no_client_gets_what_it_likes_less_or_not_at_all(said):
    header = ", ".join(f"{kind};q={thousandths / 1000:.3f}" for kind, thousandths in said)
    quality = dict(said)

    def of(offer: str) -> int:
        group = f"{offer.split('/')[0]}/*"
        return quality.get(offer, quality.get(group, quality.get("*/*", 0)))

    liked = liked_best(header, OFFERS)
    if not said:
        assert liked == OFFERS[0]
    elif liked is None:
        assert max(map(of, OFFERS)) == 0
    else:
        assert of(liked) == max(map(of, OFFERS)) > 0


@given(st.text(max_size=200) | st.text(alphabet='text/csv*;,q=01."\\ ', max_size=200))
def test_whatever_is_sent_is_read_or_left_out(header):
    for each in ranges_of(header):
        assert 0 <= each.quality <= 1
        assert each.type
        assert each.subtype
    assert liked_best(header, OFFERS) in (*OFFERS, None)


def test_a_header_that_is_all_quotes_takes_no_time():
    began = perf_counter()
    assert liked_best('"' + '\\"' * 15_000, OFFERS) is None
    assert perf_counter() - began < 1
