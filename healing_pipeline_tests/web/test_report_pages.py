"""The pages of reports and of learning: numbers with denominators, to see and to take away."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from dashboard_visits import (
    NOON,
    NOW,
    OVER,
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

from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.catalog.settings import Settings
from healing_pipeline.learning.policy import Policy
from healing_pipeline.learning.rates import Parameters, Rate
from healing_pipeline.reporting.columns import ENDPOINT_COLUMNS, INCIDENT_COLUMNS, SLO_COLUMNS
from healing_pipeline.reporting.slo import Counts, service_level
from healing_pipeline.reporting.toon_reading import rows_of
from healing_pipeline.storage.database import connection_info
from healing_pipeline.storage.health_quarters import fold_quarters
from healing_pipeline.storage.policies import PUBLISHED, REFUSED, Judged, roll_back, store_policy
from healing_pipeline.web.dashboard.learning_page import Learned, heat_maps
from healing_pipeline.web.dashboard.reports_page import too_fast

REPORTS, LEARNING = "/health-dashboard/reports", "/health-dashboard/learning"
POLICY = Policy(
    as_of=NOON,
    inner={
        ("yahoo", "timeout"): {
            "alternate_host": Rate(0.93, 40, 0.3, 1.0),
            "use_cached_data": Rate(0.41, 7, 0.01, 0.0),
        },
        ("yahoo", "rate_limit"): {"use_cached_data": Rate(1.0, 12, 0.01, 0.0)},
    },
    outer={"timeout": {"alternate_host": Rate(0.5, 80, 0.4, 1.0)}},
    parameters={"yahoo": Parameters(retry_delay_s=0.4, timeout_s=1.2)},
)


@pytest.fixture
def visitor(database_url, tmp_path):
    visitor = Visitor(default_catalog(tmp_path), database_url, Settings())
    yield visitor
    visitor.database.close()


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page.split("<main")[1]).split())


def read_for_a_day(visitor) -> None:
    """200 requests of an hour ago, 3 of them unanswered and 10 healed; and 50 of five days ago."""
    stored(
        visitor.url,
        *(answer(at=later(each)) for each in range(187)),
        *(answer(at=later(each), failure_class="timeout") for each in range(10)),
        *(unanswered(at=later(each)) for each in range(3)),
        *(answer(at=NOON - timedelta(days=5, seconds=each)) for each in range(50)),
        *(probe(at=later(each)) for each in range(4)),
    )


def test_a_source_is_held_against_its_objective_with_the_denominator_beside(visitor):
    read_for_a_day(visitor)
    said = text_of(visitor.page(f"{REPORTS}?window=1d"))
    # 1 % of 200 may fail, 3 did; the burn rate is 1.5 % / 1 %.
    for words in (
        "yahoo 98.5 % 197 of 200 requests missed overdrawn: 3 failed, 2 may",
        "76.9 % of 13",
        "fred — 0 of 0 requests nobody asked —",
        "1.5",
    ):
        assert words in said, words
    week = text_of(visitor.page(f"{REPORTS}?window=7d"))
    assert "yahoo 98.8 % 247 of 250 requests" in week
    assert text_of(visitor.page(REPORTS)) == week
    assert text_of(visitor.page(f"{REPORTS}?window=century")) == week


def test_a_burn_rate_is_called_too_fast_by_the_rule_that_tells_people():
    def found(requests: int, errors: int, minimum: int = 20) -> frozenset[str]:
        spans = {"1h": Counts(requests, errors)}
        level = service_level("yahoo", 0.99, Counts(requests, errors), spans)
        return too_fast(level, replace(AlertSettings(), minimum_samples=minimum))

    # 14.4 times 1 % of errors within an hour.
    assert found(1000, 145) == {"1h"}
    assert found(1000, 143) == frozenset()
    assert found(10, 10) == frozenset()
    assert found(1000, 0) == frozenset()


def test_every_table_comes_in_every_form_and_all_say_the_same(visitor):
    read_for_a_day(visitor)
    an_incident(visitor.url, *OVER)
    for name, columns, key in (
        ("slo", SLO_COLUMNS, "source"),
        ("endpoints", ENDPOINT_COLUMNS, "endpoint"),
        ("incidents", INCIDENT_COLUMNS, "id"),
    ):
        query = f"?table={name}&window=7d"
        as_csv = visitor.ask(f"{REPORTS}.csv{query}")
        as_json = visitor.ask(f"{REPORTS}.json{query}")
        as_toon = visitor.ask(f"{REPORTS}.toon{query}")
        names, *lines = csv.reader(io.StringIO(as_csv.text, newline=""))
        assert names == [each.name for each in columns]
        rows = json.loads(as_json.text)[name]
        toon = rows_of(as_toon.text, name, columns)
        assert len(lines) == len(rows) == len(toon) > 0
        place = names.index(key)
        assert [line[place] for line in lines] == [str(row[key]) for row in rows]
        assert [row[key] for row in toon] == [row[key] for row in rows]
        assert f"{name}[{len(rows)}]{{" in as_toon.text
        assert (
            as_csv.headers["content-disposition"]
            == f'attachment; filename="{name}_7d_20260302T130000Z.csv"'
        )
    incident = toon[0]
    assert (incident["mttd_s"], incident["mtth_s"], incident["mttr_s"]) == (2.0, 3.0, 62.0)
    assert incident["began_at"] == NOON


def test_a_report_that_is_not_made_is_a_404_that_names_those_that_are(visitor):
    for target in (f"{REPORTS}.pdf", f"{REPORTS}.csv?table=secrets"):
        assert "slo, endpoints, incidents" in visitor.page(target, 404)


def test_no_download_holds_a_key_or_a_formula(visitor):
    secret = "Zq8vP2mK4xT7wB1nR5yL"
    an_incident(visitor.url, evidence=f"=HYPERLINK(1) apikey={secret}")
    an_incident(visitor.url, endpoint="fred/dgs10", evidence=f"{PLANTED} {secret}")
    for form in ("csv", "json", "toon"):
        text = visitor.ask(f"{REPORTS}.{form}?table=incidents").text
        assert secret not in text
        assert "[redacted]" in text
    assert ",'=HYPERLINK" in visitor.ask(f"{REPORTS}.csv?table=incidents").text


def judged(status: str, **changes) -> Judged:
    values = {"events": 30, "value_new": 0.9, "value_old": 0.8, "standard_error": 0.02}
    return Judged(replace(POLICY, **changes), status, f"{status} {PLANTED}", **values)


def test_learning_shows_what_heals_what_the_days_and_every_policy(visitor):
    assert "No policy is in force yet" in text_of(visitor.page(LEARNING))
    read_for_a_day(visitor)
    with psycopg.connect(connection_info(visitor.url)) as connection:
        fold_quarters(connection, NOW, most=2000)
        store_policy(connection, judged(PUBLISHED), NOON)
        other = {("yahoo", "timeout"): {"alternate_host": Rate(0.2, 50)}}
        second = store_policy(connection, judged(PUBLISHED, inner=other), NOON)
        store_policy(connection, judged(REFUSED, inner={}), NOON)
    visitor.app = Visitor(visitor.catalog, visitor.url, visitor.settings).app
    page = visitor.page(LEARNING)
    said = text_of(page)
    assert f"Policy {second} is in force" in said
    assert "20% 50 tried" in said
    assert "all sources together" in said
    assert "Best delay before a retry: 400 ms" in said
    # 10 of 13 that met a fault were answered.
    assert "2026-03-02 76.9 %" in said
    for words in ("in force", "refused", "was in force", "± 2.0%"):
        assert words in said
    assert PLANTED not in page
    with psycopg.connect(connection_info(visitor.url)) as connection:
        roll_back(connection, None, NOON)
    said = text_of(visitor.page(LEARNING))
    assert "93% 40 tried" in said
    assert "People went back to it" in said


def test_a_heat_map_has_a_cell_for_each_failure_and_strategy_the_untried_empty():
    yahoo, of_all = heat_maps(POLICY)
    assert yahoo.strategies == ["alternate_host", "use_cached_data"]
    cells = dict(yahoo.rows)
    assert cells["rate_limit"][0] is None
    # In fifths: 0.93 is in the last, 0.41 in the third; certainty is in the last too.
    assert [cell[0] for cell in cells["timeout"]] == [4, 2]
    assert cells["rate_limit"][1][0] == 4
    assert (of_all.name, of_all.parameters) == ("all sources together", None)


def test_a_policy_and_a_month_of_days_are_not_read_for_every_visitor(visitor):
    elapsed = 0.0
    learned = Learned(lambda: elapsed)
    with psycopg.connect(connection_info(visitor.url)) as connection:
        store_policy(connection, judged(PUBLISHED), NOON)
        first = learned.read(connection, NOW)
        assert learned.read(connection, NOW).policy is first.policy
        stored(visitor.url, answer(failure_class="timeout"))
        fold_quarters(connection, NOW)
        assert learned.read(connection, NOW).days == []
        elapsed = 61.0
        assert len(learned.read(connection, NOW).days) == 1


def test_pages_load_neither_pandas_nor_a_drawing_library():
    code = (
        "import sys, healing_pipeline.web.dashboard.app\n"
        "print(sorted({'pandas', 'matplotlib', 'numpy', 'sklearn', 'apprise'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
