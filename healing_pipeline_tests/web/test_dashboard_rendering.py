"""How the dashboard writes values, and under which addresses its files are found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.web.dashboard.guard import PROTECTION
from healing_pipeline.web.dashboard.rendering import (
    assets,
    lasted,
    rendered,
    seconds,
    share,
    sheet,
)


@given(st.floats(0, 1))
def test_a_share_says_all_or_nothing_only_when_it_is(value):
    text = share(value)
    assert (text == "100 %") == (value == 1)
    assert (text == "0 %") == (value == 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.993, "99.3 %"), (0.5, "50 %"), (0.9996, "> 99.9 %"), (1e-9, "< 0.1 %"), (None, "—")],
)
def test_a_share_is_written_for_people(value, text):
    assert share(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.25, "0.2 s"),
        (42, "42 s"),
        (60, "1 min"),
        (3_599, "59 min 59 s"),
        (3_600, "1 h"),
        (86_399, "23 h 59 min"),
        (90_000, "1 d 1 h"),
        (8_640_000, "100 d"),
        (None, "—"),
    ],
)
def test_a_time_is_written_in_the_two_units_that_matter(value, text):
    assert lasted(value) == text
    assert seconds(0.0123) == "12 ms"


def test_what_a_template_is_given_is_text():
    page = rendered("problem.html", {"title": "<script>alert(1)</script>", "text": "a & b"})
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_an_address_of_an_asset_changes_with_its_content():
    for name, asset in assets().items():
        stem, suffix = name.split(".")
        assert asset.address.startswith(f"/health-dashboard/assets/{stem}.")
        assert asset.address.endswith(f".{suffix}")
    assert len({each.address for each in assets().values()}) == len(assets())


def test_a_page_loads_nothing_from_elsewhere_and_holds_no_script(page):
    text = rendered("problem.html", {"title": "t", "text": "x"})
    page.set_content(text)
    elsewhere = page.evaluate(
        "[...document.querySelectorAll('[src],[href]')].map(e => e.getAttribute('src')"
        " || e.getAttribute('href')).filter(a => !/^(\\/(?!\\/)|#)/.test(a))"
    )
    assert elsewhere == []
    assert page.locator("script:not([src]), style, [style], [onclick]").count() == 0


def answering(body: str, headers: dict[str, str]):
    return lambda route: route.fulfill(body=body, headers=headers)


def test_the_policy_lets_in_the_overviews_own_sheet_and_no_other(browser):
    """By its hash: one more letter, and the browser refuses it."""
    headers = {
        "content-security-policy": PROTECTION["content-security-policy"],
        "content-type": "text/html; charset=utf-8",
    }
    visitor = browser.new_page()
    for text, is_let_in in ((sheet(), True), (f"{sheet()} ", False)):
        body = f"<!doctype html><style>{text}</style><p class=skip>x</p>"
        visitor.route("http://localhost/", answering(body, headers))
        visitor.goto("http://localhost/")
        position = visitor.evaluate("getComputedStyle(document.querySelector('p')).position")
        assert (position == "absolute") == is_let_in
    visitor.close()
