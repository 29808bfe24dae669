"""The pages of endpoints and incidents: all of the story, none of the keys, nothing that runs."""

from __future__ import annotations

import re
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from dashboard_visits import (
    AAPL,
    ESCALATED,
    HEALED,
    NOW,
    OVER,
    PLANTED,
    Visitor,
    an_incident,
    answer,
    attempt,
    decision,
    failed_attempt,
    later,
    probe,
    stored,
    unanswered,
)
from gateways import default_catalog

from healing_pipeline.catalog.settings import Settings

PAGE = f"/health-dashboard/endpoints/{AAPL}"


@pytest.fixture
def visitor(database_url, tmp_path):
    visitor = Visitor(default_catalog(tmp_path), database_url, Settings())
    yield visitor
    visitor.database.close()


def text_of(page: str) -> str:
    """What a person reads: without tags and runs of blanks."""
    return " ".join(re.sub(r"<[^>]*>", " ", page.split("<main")[1]).split())


def test_an_incident_is_told_from_begin_to_recovery_with_its_three_times(visitor):
    number = an_incident(visitor.url, *OVER)
    request_id = uuid4()
    stored(
        visitor.url,
        failed_attempt(
            request_id=request_id, at=later(3), origin="heal", incident_id=number,
            params={"asked": {"path": "/v8/finance/chart/AAPL", "params": {"range": "1y"}}},
        ),
        attempt(
            request_id=request_id, attempt_no=2, at=later(4), origin="heal", incident_id=number,
            strategy="alternate_host", host="query2", met="timeout", evidence="251 bars",
            params={"asked": {"path": "/v8/finance/chart/AAPL", "params": {"range": "1y"}}},
        ),
        decision(request_id),
        answer(at=later(10), strategy="alternate_host", failure_class="timeout"),
        unanswered(at=later(1)),
        probe(at=later(2), failure_class="timeout", evidence="no answer", status=None),
    )  # fmt: skip
    said = text_of(visitor.page(f"/health-dashboard/incidents/{number}"))
    for words in (
        "Time to detect (MTTD) 2.0 s",
        "Time to heal (MTTH) 3.0 s",
        "Time to recover (MTTR) 1 min 2 s",
        "began", "detected", "healing began", "healed", "resolved",
        "Choice 1: timeout",
        "alternate_host chosen query2 may answer",
        "use_cached_data heals less per second",
        "etf_proxy no proxy is accepted",
        "/v8/finance/chart/AAPL?range=1y",
        "Readers without an answer 1 of 2",
        "Nobody had to be told",
    ):  # fmt: skip
        assert words in said, words


def test_an_incident_that_nothing_healed_shows_what_was_tried_and_that_it_goes_on(visitor):
    tried = {"strategy": "rotate_api_key", "because": "left out", "evidence": "there is no spare"}
    number = an_incident(visitor.url, *ESCALATED, detail={"tried": [tried]})
    said = text_of(visitor.page(f"/health-dashboard/incidents/{number}"))
    assert "rotate_api_key left out: there is no spare" in said
    assert "healing failed" in said
    assert "open for 1 h" in said
    assert "not healed yet" in said


def test_an_incident_that_outlives_its_facts_does_not_say_that_nobody_read(visitor):
    """Its page once told of an old outage that none of 0 readers had gone without an answer."""
    number = an_incident(visitor.url, *OVER)
    stored(visitor.url, answer(at=later(10)))
    page = f"/health-dashboard/incidents/{number}"
    assert "Readers without an answer none of 1" in text_of(visitor.page(page))
    with psycopg.connect(visitor.url) as connection:
        connection.execute("UPDATE healing.pruned SET until = %s", [later(86_400)])
    said = text_of(visitor.page(page))
    assert "Readers without an answer not known any more" in said
    assert "Nobody read it" not in said


def test_an_endpoints_page_shows_state_day_incidents_and_what_was_sent(visitor):
    number = an_incident(visitor.url, *HEALED)
    stored(
        visitor.url,
        *(answer(at=later(each * 60)) for each in range(30)),
        *(unanswered(at=later(each)) for each in range(10)),
        attempt(at=later(600)),
        probe(at=later(300)),
    )
    page = visitor.page(PAGE)
    said = text_of(page)
    assert f'href="/health-dashboard/incidents/{number}"' in page
    assert "10 of 40 readers went without an answer" in said
    assert "Error rate, 24 h 25 %" in said
    # In the first quarter readers went without; in the three after it the incident stood.
    assert 'aria-label="failed 0.25 h, healed 0.75 h, not watched 23 h"' in page
    assert "/v8/finance/chart/AAPL?" in said
    assert re.search(r'<path class="line first" d="M', page)


def test_an_endpoint_that_nobody_asked_yet_has_a_page(visitor):
    for target in (PAGE, f"{PAGE}?sent=x&probes=~~&incidents=-1"):
        said = text_of(visitor.page(target))
        assert "Nothing yet." in said
        assert "live" in said


def test_an_unknown_endpoint_is_a_404_that_names_the_likely_one(visitor):
    page = visitor.page("/health-dashboard/endpoints/yahoo/chart-aapl-1", 404)
    assert f'href="{PAGE}"' in page
    assert PLANTED not in visitor.page(f"/health-dashboard/endpoints/yahoo/{PLANTED[:8]}", 404)


def test_an_unknown_incident_is_a_404_that_links_the_newest(visitor):
    known = an_incident(visitor.url)
    for number in ("999", "0", "-1", "abc", "9" * 40, "%F0%9F%92%A9", "%D9%A1"):
        page = visitor.page(f"/health-dashboard/incidents/{number}", 404)
        assert f'href="/health-dashboard/incidents/{known}"' in page


def test_all_incidents_are_listed_the_newest_first_in_pages(visitor):
    numbers = [an_incident(visitor.url, *OVER, began_s=each) for each in range(52)]
    list_at = "/health-dashboard/incidents"
    first = visitor.page(list_at)
    older = re.search(r'href="([^"]+)" rel="next">Older incidents', first)[1]
    found = re.findall(rf'href="{list_at}/(\d+)"', first + visitor.page(older))
    assert list(map(int, found)) == sorted(numbers, reverse=True)


def test_an_endpoint_that_left_the_configuration_keeps_its_history(visitor):
    stored(visitor.url, probe(endpoint="yahoo/gone", at=later(0)))
    assert "no longer in the configuration" in visitor.page(
        "/health-dashboard/endpoints/yahoo/gone"
    )


def test_long_lists_are_paged_and_every_row_is_on_exactly_one_page(visitor):
    sent = [attempt(at=later(each // 2), evidence=f"row {each} seen") for each in range(60)]
    stored(visitor.url, *sent)
    seen: list[str] = []
    target: str | None = PAGE
    pages = 0
    while target is not None:
        page = visitor.page(target)
        seen += re.findall(r"row (\d+) seen", page)
        found = re.search(r'href="([^"]+)" rel="next">Older requests', page)
        target = None if found is None else found[1].replace("&amp;", "&").split("#")[0]
        pages += 1
    assert pages == 3
    assert sorted(map(int, seen)) == list(range(60))


def test_a_request_has_a_page_with_its_end_its_choices_and_its_attempts(visitor):
    healed, shared = uuid4(), uuid4()
    stored(
        visitor.url,
        answer(request_id=healed, failure_class="timeout", strategy="alternate_host", attempts=2),
        failed_attempt(request_id=healed),
        decision(healed, origin="reader"),
        attempt(request_id=healed, attempt_no=2, strategy="alternate_host", met="timeout"),
        unanswered(request_id=shared, attempts=0),
    )
    page = visitor.page(f"/health-dashboard/requests/{healed}")
    said = text_of(page)
    for words in (
        "End healed after 250 ms, 2 calls upstream",
        "First attempt met timeout",
        "Answered by alternate_host",
        "alternate_host chosen query2 may answer",
        "alternate_host against timeout exact",
    ):
        assert words in said, words
    assert f'href="/health-dashboard/requests/{healed}"' in visitor.page(PAGE)
    said = text_of(visitor.page(f"/health-dashboard/requests/urn:uuid:{shared}"))
    assert "no answer" in said
    assert "Another reader's question" in said.replace("&#39;", "'")
    for unknown in (uuid4(), "abc", PLANTED[:8]):
        page = visitor.page(f"/health-dashboard/requests/{unknown}", 404)
        assert f'href="/health-dashboard/requests/{healed}"' in page


def test_what_an_upstream_wrote_is_text_and_no_key_is_on_any_page(visitor):
    secret = "Zq8vP2mK4xT7wB1nR5yL"
    source = visitor.catalog.sources["yahoo"]
    key = replace(visitor.catalog.sources["fred"].keys[0], name="primary", secret=secret)
    sources = {**visitor.catalog.sources, "yahoo": replace(source, keys=(key,))}
    visitor = Visitor(replace(visitor.catalog, sources=sources), visitor.url, Settings())
    said = f"{PLANTED} apikey={secret} Your key {secret} is bad; Bearer abcdef123456"
    tried = {"strategy": PLANTED, "because": said, "evidence": said}
    number = an_incident(
        visitor.url, *ESCALATED, evidence=said, note=said, detail={"tried": [tried]}
    )
    request_id = uuid4()
    asked = {"path": f"/x/{secret}/{PLANTED}", "params": {"apikey": "short", PLANTED: secret}}
    considered = {
        "candidates": [],
        "left_out": [{"strategy": PLANTED, "because": said}],
        "failed": [PLANTED],
    }
    stored(
        visitor.url,
        failed_attempt(
            request_id=request_id, at=later(3), origin="heal", incident_id=number,
            evidence=said, params={"asked": asked}, key_name="primary",
        ),
        decision(request_id, considered=considered),
        probe(at=later(3), evidence=said, failure_class="invalid_data"),
        unanswered(at=later(4)),
    )  # fmt: skip
    for target in (PAGE, f"/health-dashboard/incidents/{number}"):
        page = visitor.page(target)
        assert PLANTED not in page
        assert "&lt;script&gt;" in page
        for leaked in (secret, "abcdef123456", "apikey=short"):
            assert leaked not in page, (target, leaked)
        assert "[redacted]" in page
    visitor.database.close()


def test_the_moment_of_a_page_is_the_one_it_was_asked_at(visitor):
    an_incident(visitor.url, *HEALED)
    assert "open for 1 h" in text_of(visitor.page(PAGE))
    visitor.now = NOW + (NOW - later(0))
    assert "open for 2 h" in text_of(visitor.page(PAGE))
