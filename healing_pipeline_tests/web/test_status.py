"""The public status page and the badges: off by default, and nothing inside is told."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from dashboard_visits import (
    AAPL,
    ESCALATED,
    HEALED,
    NOON,
    NOW,
    PLANTED,
    Visitor,
    an_incident,
    answer,
    later,
    probe,
    stored,
    unanswered,
)
from gateways import default_catalog

from healing_pipeline.catalog.settings import Settings
from healing_pipeline.errors import StorageError
from healing_pipeline.web.dashboard.badges import badge
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.status import Known, is_open

SVG = "{http://www.w3.org/2000/svg}"
PUBLIC = replace(Settings(), public_status=True)


@pytest.fixture
def visitor(database_url, tmp_path):
    visitor = Visitor(default_catalog(tmp_path), database_url, PUBLIC)
    yield visitor
    visitor.database.close()


def ill(visitor) -> None:
    """One endpoint of yahoo failed; a quarter of its readers were not answered."""
    an_incident(visitor.url, *ESCALATED, evidence=f"{PLANTED} the innards", note="a note of ours")
    stored(
        visitor.url,
        *(answer(at=later(each)) for each in range(3)),
        unanswered(at=later(4)),
        *(probe(at=later(each)) for each in range(9)),
        probe(at=later(10), failure_class="timeout"),
    )


def test_switched_off_both_say_how_to_switch_them_on_and_nothing_else(database_url, tmp_path):
    visitor = Visitor(default_catalog(tmp_path), database_url, Settings())
    for target in ("/status", "/badge/yahoo.svg", "/badge/unheard-of.svg"):
        answered = visitor.ask(target)
        assert answered.status_code == 404
        assert "dashboard: {public: true}" in answered.text
    visitor.database.close()


def test_the_status_page_says_what_is_well_and_what_is_not(visitor):
    ill(visitor)
    page = visitor.page("/status")
    said = " ".join(re.sub(r"<[^>]*>", " ", page).split())
    assert "Not all data is served: yahoo." in said
    assert "yahoo failing Requests answered: 75 %. Uptime of the provider: 90 %." in said
    assert "chart-aapl-1d: healing failed" in said
    assert "fred not watched" in said
    assert 'aria-label="failed 1 h, not watched 23 h"' in page


def test_what_is_healed_is_said_to_be_served(visitor):
    ill(visitor)
    an_incident(visitor.url, *HEALED, endpoint="fred/dgs10")
    page = visitor.page("/status")
    assert "Not all data is served: yahoo. Served by healing: fred." in page


def test_nothing_inside_is_on_the_status_page_or_a_badge(visitor):
    ill(visitor)
    sources = visitor.catalog.sources.values()
    inside = [
        *(
            "innards",
            "a note of ours",
            "script",
            "timeout",
            "host down",
            "/health-dashboard/alerts",
        ),
        *(host.base_url for source in sources for host in source.hosts),
        *(key.secret for source in sources for key in source.keys),
    ]
    for target in ("/status", "/badge/yahoo.svg"):
        text = visitor.ask(target).text
        for each in inside:
            assert each not in text, (target, each)


def test_they_may_be_kept_for_half_a_minute_and_are_read_that_seldom(visitor):
    answered = visitor.ask("/status")
    assert answered.headers["cache-control"] == "public, max-age=30"
    assert answered.headers["content-encoding"] == "gzip"
    assert visitor.ask("/status", headers={"Accept-Encoding": ""}).text == answered.text
    assert "default-src 'none'" in answered.headers["content-security-policy"]
    ill(visitor)
    assert visitor.ask("/status").text == answered.text
    badge_answer = visitor.ask("/badge/yahoo.svg")
    assert badge_answer.headers["cross-origin-resource-policy"] == "cross-origin"


def test_a_badge_says_state_and_uptime_in_an_svg_with_a_title(visitor):
    ill(visitor)
    answered = visitor.ask("/badge/yahoo.svg")
    assert answered.headers["content-type"] == "image/svg+xml"
    drawing = ET.fromstring(answered.text)
    assert drawing.find(f"{SVG}title").text == "yahoo: failing, 90 % up"
    assert [each.text for each in drawing.iter(f"{SVG}text")] == ["yahoo", "failing, 90 % up"]


def test_an_unknown_source_has_no_badge(visitor):
    answered = visitor.ask("/badge/unheard-of.svg")
    assert answered.status_code == 404
    assert "no such source" in answered.text


@pytest.mark.parametrize("name", ["a", PLANTED, "&amp;", "x" * 100, "\"'<>"])
@pytest.mark.parametrize("look", ["live", "healed", "healing", "failed", "none"])
def test_any_badge_is_well_formed_and_as_wide_as_its_text_needs(name, look):
    drawing = ET.fromstring(badge(name, look, "a word", 0.9995))
    left, right = drawing.iter(f"{SVG}text")
    assert left.text == name
    assert int(drawing.get("width")) > int(left.get("textLength")) + int(right.get("textLength"))


def test_the_sources_that_nobody_watches_are_not_called_well(visitor):
    page = visitor.page("/status")
    assert "Nothing is watched yet." in page
    assert ">live<" not in page


def test_while_postgresql_is_away_the_last_page_is_shown_with_its_moment(visitor):
    stored(visitor.url, probe(at=NOW - timedelta(minutes=1), endpoint=AAPL))
    elapsed, is_away, reads = 0.0, False, 0

    class Database:
        async def read(self, work):
            nonlocal reads
            reads += 1
            if is_away:
                raise StorageError("away")
            return await visitor.database.read(work)

    known = Known(
        Dashboard(visitor.catalog, PUBLIC, lambda: visitor.now, Database()), lambda: elapsed
    )

    def shown() -> str:
        return asyncio.run(known.now()).page.decode()

    assert "All is well." in shown()
    elapsed, is_away, visitor.now = 31.0, True, NOON + timedelta(hours=2)
    assert "As of 2026-03-02 13:00:00" in shown()
    elapsed = 33.0
    shown()
    assert reads == 2
    elapsed, is_away = 35.0, False
    assert "As of 2026-03-02 14:00:00" in shown()


def test_where_nothing_was_ever_read_the_page_says_so(database_url, tmp_path):
    visitor = Visitor(
        default_catalog(tmp_path), "postgresql://127.0.0.1:1/nothing?connect_timeout=1", PUBLIC
    )
    assert visitor.ask("/status").status_code == 503
    assert visitor.ask("/badge/yahoo.svg").status_code == 503
    visitor.database.close()


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/status", True),
        ("/badge/yahoo.svg", True),
        ("/health-dashboard/assets/dashboard.0.css", True),
        ("/statusx", False),
        ("/status/", False),
        ("/metrics", False),
        ("/health-dashboard", False),
        ("/v1/yahoo/quote-aapl", False),
    ],
)
def test_only_these_need_no_token(path, answer):
    assert is_open(path) is answer
