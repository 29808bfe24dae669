"""Reports over HTTP: in the form a client likes best, bounded, harmless."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest
import toon_format
from dashboard_visits import (
    AAPL,
    NOW,
    OVER,
    Visitor,
    an_incident,
    answer,
    failed_attempt,
    later,
    stored,
    unanswered,
)
from gateways import default_catalog
from test_dashboard_access import TOKEN, Asker

from healing_pipeline.catalog.settings import Settings
from healing_pipeline.reporting.forms import FORMS
from healing_pipeline.reporting.structures import STRUCTURES
from healing_pipeline.reporting.table_reading import read_csv, read_json
from healing_pipeline.reporting.toon_reading import read_toon

SECRET = "Zq8vP2mK4xT7wB1nR5yL"
EVENTS = "/reports/error_events"


@pytest.fixture(scope="module")
def visitor(pg_server, tmp_path_factory):
    """Three readers met a timeout within the hour, one a day before; one had no answer."""
    name = f"test_{uuid4().hex}"
    pg_server.create(name, "healing_template")
    catalog = default_catalog(tmp_path_factory.mktemp("reports"))
    visitor = Visitor(catalog, pg_server.url(name), Settings())
    facts = []
    for at, is_answered in (
        (later(0), True),
        (later(60), True),
        (later(120), False),
        (later(-100_000), True),
    ):
        first = failed_attempt(at=at, evidence=f"<b>no</b> answer | apikey={SECRET}")
        end = {"at": at, "request_id": first.request_id, "failure_class": "timeout"}
        healed = answer(**end, strategy="alternate_host")
        facts += [first, healed if is_answered else unanswered(**end)]
    stored(visitor.url, *facts)
    an_incident(visitor.url, *OVER)
    yield visitor
    visitor.database.close()
    pg_server.drop(name)


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda each: each.name)
@pytest.mark.parametrize("name", STRUCTURES)
def test_every_structure_comes_in_every_form(visitor, name, form):
    found = visitor.ask(f"/reports/{name}", headers={"Accept": form.media_type})
    assert found.status_code == 200, found.text
    assert found.headers["content-type"].split(";")[0] == form.media_type
    assert found.headers["vary"] == "Accept"
    assert found.headers["content-disposition"].endswith(
        f'filename="{name}_20260302T130000Z.{form.name}"'
    )
    titles = {"csv": ",", "md": "**", "html": "<caption>"}
    assert titles.get(form.name, name) in found.text


def test_all_forms_say_the_same(visitor):
    (from_json,) = read_json(visitor.ask(EVENTS).text)
    (from_toon,) = read_toon(visitor.ask(EVENTS, headers={"Accept": "text/toon"}).text)
    from_csv = read_csv(visitor.ask(f"{EVENTS}?format=csv").text)
    assert from_json == from_toon
    assert list(from_csv.rows) == list(from_json.rows)
    assert [row["at"] for row in from_json.rows] == [later(120), later(60), later(0)]
    assert [row["healed_by"] for row in from_json.rows] == [None, *["alternate_host"] * 2]
    assert from_json.about["from"] == NOW - timedelta(hours=24)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/json"),
        ("text/toon;q=0.4, text/markdown;q=0.5", "text/markdown"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("application/json;q=0, */*;q=0.1", "text/toon"),
    ],
)
def test_the_form_is_what_the_client_likes_best(visitor, accept, media_type):
    found = visitor.ask(EVENTS, headers={"Accept": accept})
    assert found.headers["content-type"].split(";")[0] == media_type


def test_a_format_in_the_address_outweighs_what_is_accepted(visitor):
    found = visitor.ask(f"{EVENTS}?format=md", headers={"Accept": "image/png"})
    assert found.headers["content-type"] == "text/markdown; charset=utf-8"
    assert visitor.ask("/reports/digest?format=toon", headers={"Accept": "text/csv"}).text


def test_a_suffix_names_the_form_as_well_and_outweighs_everything(visitor):
    found = visitor.ask(f"{EVENTS}.csv?format=md", headers={"Accept": "text/html"})
    assert found.headers["content-type"] == "text/csv; charset=utf-8"
    assert "a suffix names the form" in visitor.ask(f"{EVENTS}.pdf").json()["detail"]
    assert visitor.ask("/reports/digest.pdf").status_code == 404


def test_all_structures_come_in_one_document_where_it_has_room_for_them(visitor):
    tables = read_toon(visitor.ask("/reports/all", headers={"Accept": "text/toon"}).text)
    assert [each.name for each in tables] == [*STRUCTURES]
    assert len(tables[0].rows) == 3
    assert read_json(visitor.ask("/reports/all.json").text) == tables
    refused = visitor.ask("/reports/all", headers={"Accept": "text/csv"})
    assert "text/csv" not in problem(refused, 406, "not-acceptable")["available"]
    assert "json, toon, md, html" in visitor.ask("/reports/all.csv").json()["detail"]


def problem(found, status: int, kind: str) -> dict:
    assert found.headers["content-type"] == "application/problem+json"
    document = found.json()
    assert (found.status_code, document["status"], document["type"]) == (
        status,
        status,
        f"/problems/{kind}",
    )
    assert found.headers["vary"] == "Accept"
    return document


def test_what_is_not_there_names_what_is(visitor):
    said = problem(visitor.ask(EVENTS, headers={"Accept": "image/png"}), 406, "not-acceptable")
    assert said["available"] == [each.media_type for each in FORMS.values()]
    said = problem(
        visitor.ask("/reports/digest", headers={"Accept": "text/csv"}), 406, "not-acceptable"
    )
    assert said["available"] == ["text/toon", "text/plain"]
    assert "error_events" in problem(visitor.ask("/reports/events"), 404, "not-found")["detail"]
    assert "toon" in problem(visitor.ask(f"{EVENTS}?format=xml"), 400, "bad-request")["detail"]


@pytest.mark.parametrize(
    "query",
    ["hours=0", "hours=-1", "hours=745", "hours=nan", "hours=inf", "hours=x", "hours=",
     "limit=0", "limit=10001", "limit=1.5", "limit=1e9"],
)  # fmt: skip
def test_no_window_and_no_number_of_rows_is_unbounded(visitor, query):
    assert "Write" in problem(visitor.ask(f"{EVENTS}?{query}"), 400, "bad-request")["detail"]


def test_the_window_and_the_rows_are_those_asked_for(visitor):
    def rows(query: str) -> list:
        return visitor.ask(f"{EVENTS}?{query}").json()["error_events"]

    assert len(rows("hours=744")) == 4
    assert len(rows("hours=0.98")) == 1
    assert len(rows("limit=2")) == 2
    cut = visitor.ask(f"{EVENTS}?limit=2").json()
    assert cut["cut"] == "error_events"


def test_the_digest_adds_up_what_readers_felt(visitor):
    found = visitor.ask("/reports/digest")
    assert found.headers["content-type"] == "text/toon; charset=utf-8"
    said = toon_format.loads(found.text)
    assert (said["events"], said["readers"], said["unanswered"]) == (3, 3, 1)
    (group,) = said["groups"]
    assert (group["root_cause"], group["healed_by"]) == ("host down", "alternate_host")
    assert group["mostly"] == AAPL.split("/")[1]
    plain = visitor.ask("/reports/digest", headers={"Accept": "text/plain"})
    assert plain.headers["content-type"] == "text/plain; charset=utf-8"
    assert plain.text == found.text


def test_no_report_holds_a_key_or_runs_what_an_upstream_wrote(visitor):
    targets = [f"{EVENTS}?format={name}" for name in FORMS] + ["/reports/digest"]
    for target in targets:
        text = visitor.ask(target).text
        assert SECRET not in text, target
        assert "redacted" in text or "digest" in target
    assert "<b>" not in visitor.ask(f"{EVENTS}?format=html").text
    assert "<b>" not in visitor.ask(f"{EVENTS}?format=md").text


def test_the_list_names_every_report_and_where_it_is(visitor):
    rows = visitor.ask("/reports").json()["reports"]
    assert [row["name"] for row in rows] == ["digest", "all", *STRUCTURES]
    for row in rows:
        assert visitor.ask(row["path"]).status_code == 200
    assert "error_events" in visitor.ask("/reports", headers={"Accept": "text/html"}).text


def test_reports_are_read_and_nothing_else(visitor):
    assert visitor.ask(EVENTS, "POST").status_code == 405
    head = visitor.ask(EVENTS, "HEAD")
    assert (head.status_code, head.content) == (200, b"")


def test_reports_stand_behind_the_same_doors_as_the_pages(tmp_path):
    catalog = default_catalog(tmp_path)
    guarded, open_here = Asker(catalog, TOKEN, None), Asker(catalog, None, frozenset({"here"}))
    try:
        for target in ("/reports", EVENTS, "/reports/digest"):
            assert guarded.ask(target).status_code == 401
            assert open_here.ask(target, headers={"Host": "evil.example"}).status_code == 421
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert guarded.ask("/reports", headers=bearer).status_code == 200
        found = open_here.ask("/reports", headers={"Accept": "text/html"})
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["cache-control"] == "no-store"
    finally:
        guarded.database.close()
        open_here.database.close()


def test_without_postgresql_reports_say_so_and_when_to_ask_again(tmp_path):
    asker = Asker(default_catalog(tmp_path), None, frozenset())
    try:
        for target in (EVENTS, "/reports/digest"):
            found = asker.ask(target, headers={"Accept": "text/toon, text/csv"})
            said = problem(found, 503, "storage-away")
            assert "PostgreSQL is away" in said["detail"]
            assert found.headers["retry-after"] == "5"
    finally:
        asker.database.close()


def test_the_openapi_document_tells_of_every_report_and_its_forms(tmp_path):
    asker = Asker(default_catalog(tmp_path), None, frozenset())
    try:
        paths = asker.ask("/openapi.json").json()["paths"]
    finally:
        asker.database.close()
    for name, structure in STRUCTURES.items():
        content = paths[f"/reports/{name}"]["get"]["responses"]["200"]["content"]
        assert list(content) == [each.media_type for each in FORMS.values()]
        row = content["application/json"]["schema"]["properties"][name]["items"]["properties"]
        assert list(row) == [each.name for each in structure.columns]
    assert {"/reports", "/reports/all", "/reports/digest"} <= set(paths)
    assert json.dumps(paths)
