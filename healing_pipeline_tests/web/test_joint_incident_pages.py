"""The dashboard on one root cause over many endpoints: one line, its members, why it is one."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from dashboard_visits import AAPL, HEALED, OVER, PLANTED, Visitor, an_incident, later, probe, stored
from gateways import default_catalog

from healing_pipeline.catalog.settings import Settings
from healing_pipeline.control.diagnosing import diagnose_open
from healing_pipeline.incidents.evidence import standings
from healing_pipeline.storage.database import Database

LIST = "/health-dashboard/incidents"
OTHERS = ("yahoo/chart-msft-1d", "yahoo/chart-xom-1d", "yahoo/chart-tsla-1d")
SECRET = "Zq8vP2mK4xT7wB1nR5yL"


@pytest.fixture
def visitor(database_url, tmp_path):
    catalog = default_catalog(tmp_path)
    key = replace(catalog.sources["fred"].keys[0], name="primary", secret=SECRET)
    yahoo = replace(catalog.sources["yahoo"], keys=(key,))
    visitor = Visitor(
        replace(catalog, sources={**catalog.sources, "yahoo": yahoo}), database_url, Settings()
    )
    yield visitor
    visitor.database.close()


def outage(visitor: Visitor) -> list[int]:
    """An outage of a whole source as it was seen at four of its endpoints; the first was healed."""
    said = f"{PLANTED} no answer; apikey={SECRET}"
    ids = [an_incident(visitor.url, *HEALED, evidence=said)]
    ids += [an_incident(visitor.url, endpoint=each, evidence=said) for each in OTHERS]
    for host in ("query1", "query2"):
        stored(
            visitor.url,
            *(
                probe(at=later(3 + nth), endpoint=each, host=host, failure_class="timeout",
                      evidence=said, status=None)
                for each in (AAPL, *OTHERS)
                for nth in range(3)
            ),
        )  # fmt: skip
    with Database(visitor.url) as database, database.connection() as connection:
        found = diagnose_open(connection, standings(visitor.catalog), later(10))
    assert set(found.joint_ids.values()) == {ids[0]}
    return ids


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page.split("<main")[1]).split())


def test_one_cause_is_one_line_of_the_list_with_its_members_counted(visitor):
    first, *_ = outage(visitor)
    other = an_incident(visitor.url, *OVER, endpoint="fred/dgs10")
    page = visitor.page(LIST)
    assert re.findall(rf'href="{LIST}/(\d+)"', page) == [str(other), str(first)]
    said = text_of(page)
    assert f"{AAPL} +3 members" in said
    assert "provider down yahoo" in said
    assert "failing" in said, "as bad as the worst of them, though the first is healed"


def test_its_page_shows_the_chain_the_scope_and_the_members(visitor):
    first, *others = outage(visitor)
    page = visitor.page(f"{LIST}/{first}")
    said = text_of(page)
    whole = len(visitor.catalog.endpoints_of("yahoo"))
    assert "3 more incidents of the same cause belong to it" in said
    assert f"Root cause provider down at yahoo; {whole} endpoints share it" in said
    assert f"healing diagnose {first}" in said
    chain = re.search(r'<ol class="chain">(.*?)</ol>', page, re.S)[1]
    assert "provider down" in re.findall(r"<li>(.*?)</li>", chain, re.S)[-1]
    for number in others:
        assert f'href="{LIST}/{number}"' in page
    assert "Concerned as well, though none of them was found failing" in said
    assert 'href="/health-dashboard/endpoints/yahoo/quote-aapl"' in page


def test_a_members_page_leads_to_what_it_is_a_part_of(visitor):
    first, second, *_ = outage(visitor)
    page = visitor.page(f"{LIST}/{second}")
    assert f'A part of <a href="{LIST}/{first}">incident {first}</a>, which has 4' in page
    assert '<ol class="chain">' in page


def test_an_incident_that_nobody_diagnosed_says_so(visitor):
    number = an_incident(visitor.url)
    said = text_of(visitor.page(f"{LIST}/{number}"))
    assert "It was not diagnosed" in said
    assert "same cause" not in said


def test_what_upstreams_said_is_shown_as_text_without_a_key(visitor):
    ids = outage(visitor)
    for target in (LIST, f"{LIST}/{ids[0]}", f"{LIST}/{ids[1]}"):
        page = visitor.page(target)
        assert PLANTED not in page
        assert SECRET not in page
