"""Every page as all visitors need it: by eye, by ear, by keyboard, in the dark, on a phone."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import uuid4

import psycopg
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from dashboard_visits import (
    AAPL,
    ESCALATED,
    HEALED,
    NOON,
    NOW,
    OVER,
    PLANTED,
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
from playwright.sync_api import Page, Route, expect
from starlette.applications import Starlette
from starlette.middleware import Middleware

from healing_pipeline.catalog.settings import Settings
from healing_pipeline.control.alert_firing import fire, recover
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.learning.policy import Policy
from healing_pipeline.learning.rates import Rate
from healing_pipeline.storage.alert_groups import begin_silence
from healing_pipeline.storage.bounded import BoundedDatabase
from healing_pipeline.storage.database import connection_info
from healing_pipeline.storage.health_quarters import fold_quarters
from healing_pipeline.storage.incidents import move_incident
from healing_pipeline.storage.policies import PUBLISHED, Judged, store_policy
from healing_pipeline.web.dashboard.app import routes_of
from healing_pipeline.web.dashboard.guard import Guard
from healing_pipeline.web.dashboard.live import Live
from healing_pipeline.web.dashboard.parts import Dashboard

pytestmark = pytest.mark.processes

AT = "/health-dashboard"
REQUEST = uuid4()
PAGES = {
    "overview": AT,
    "endpoint": f"{AT}/endpoints/{AAPL}",
    "incidents": f"{AT}/incidents",
    "incident": f"{AT}/incidents/1",
    "request": f"{AT}/requests/{REQUEST}",
    "alerts": f"{AT}/alerts",
    "alert": f"{AT}/alerts/1",
    "learning": f"{AT}/learning",
    "reports": f"{AT}/reports",
    "unknown": f"{AT}/incidents/99",
    "status": "/status",
}
RATES = {f"strategy_number_{each}": Rate(each / 8, each) for each in range(9)}
GRAVE = {"serious", "critical"}
# In the dark the page is the same but for its colours.
RULES = {
    "light": {"resultTypes": ["violations"]},
    "dark": {"resultTypes": ["violations"], "runOnly": ["cat.color"]},
}


@dataclass
class Served:
    """A dashboard on a socket."""

    url: str
    database_url: str


@pytest.fixture(scope="module")
def served(pg_server, tmp_path_factory) -> Iterator[Served]:
    name = f"test_{uuid4().hex}"
    pg_server.create(name, "healing_template")
    url = pg_server.url(name)
    filled(url)
    database = BoundedDatabase(lambda: url)
    catalog = default_catalog(tmp_path_factory.mktemp("config"))
    settings = replace(Settings(), public_status=True)
    live = Live(catalog, lambda: url, lambda: NOW)
    dashboard = Dashboard(catalog, settings, lambda: NOW, database, lambda: live.board.banner)
    around = Middleware(Guard, dashboard=dashboard, hosts=frozenset())
    app = Starlette(routes=routes_of(dashboard, live), middleware=[around])
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning"))

    async def serve() -> None:
        live.start()
        await server.serve(sockets=[listening])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", url)
        server.should_exit = True
        thread.join()
    live.close()
    database.close()
    pg_server.drop(name)


def filled(url: str) -> None:
    """Something of everything that a page can show."""
    first = an_incident(url, *ESCALATED, note=f"no strategy helped: {PLANTED}")
    an_incident(url, *HEALED, endpoint="fred/dgs10")
    an_incident(url, *OVER, endpoint="polygon/prev-aapl")
    requests = [REQUEST, uuid4()]
    for request_id in requests:
        tried = failed_attempt(
            request_id=request_id, at=later(3), origin="heal", incident_id=first, key_name="primary"
        )
        stored(url, tried, decision(request_id))
    stored(
        url,
        *(answer(at=later(60 * each), seconds=0.1 + each / 50) for each in range(50)),
        *(answer(at=later(each), endpoint="fred/dgs10", source="fred") for each in range(9)),
        *(unanswered(at=later(each)) for each in range(3)),
        *(attempt(at=later(each)) for each in range(30)),
        *(probe(at=later(60 * each)) for each in range(30)),
    )
    with psycopg.connect(connection_info(url)) as connection:
        fire(
            connection,
            fingerprint="yahoo:unreachable",
            level=Severity.CRITICAL,
            title=f"{AAPL}: timeout, healing failed",
            body="No strategy helped. " * 5,
            at=later(9),
            source="yahoo",
            root_cause="host down",
            incident_id=first,
            detail={"action": "Look at the provider's status page.", "error_rate": 0.6},
        )
        fire(
            connection, fingerprint="w", level=Severity.WARNING, title="slow", body="", at=later(9)
        )
        begin_silence(
            connection, source="fred", endpoint=None, ends_at=later(9000), reason="known", by="Ada",
            at=later(10),
        )  # fmt: skip
        connection.execute(
            "INSERT INTO delivery (alert_id, channel, state, tries, next_at, error)"
            " SELECT id, 'mail', 'failed', 2, at, 'no such address' FROM alert"
        )
        policy = Policy(as_of=NOON, inner={("yahoo", "timeout"): RATES, ("yahoo", "empty"): RATES})
        values = {"events": 3, "value_new": 0.9, "value_old": 0.8, "standard_error": 0.1}
        store_policy(connection, Judged(policy, PUBLISHED, "the first one", **values), NOON)
        fold_quarters(connection, NOW, most=2000)


def opened(page: Page, url: str) -> None:
    """A page with all that is folded away unfolded."""
    page.goto(url)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")


@pytest.mark.parametrize("theme", RULES)
def test_axe_finds_nothing_serious_on_any_page(served: Served, page: Page, theme: str):
    page.emulate_media(color_scheme=theme)
    found = []
    for name, path in PAGES.items():
        opened(page, f"{served.url}{path}")
        response = Axe().run(page, options=RULES[theme]).response
        found += [
            (name, each["id"], each["impact"], [node["html"][:150] for node in each["nodes"][:3]])
            for each in response["violations"]
            if each["impact"] in GRAVE
        ]
    assert found == []


def test_no_page_scrolls_sideways_on_a_phone(served: Served, page: Page):
    page.set_viewport_size({"width": 360, "height": 740})
    wide = {}
    for name, path in PAGES.items():
        opened(page, f"{served.url}{path}")
        if (width := page.evaluate("document.documentElement.scrollWidth")) > 360:
            wide[name] = width
    assert wide == {}


def test_everything_that_can_be_done_is_done_from_the_keyboard(served: Served, page: Page):
    page.goto(f"{served.url}{PAGES['alert']}")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    name = page.get_by_label("Your name").first
    for _ in range(20):
        page.keyboard.press("Tab")
        if name.evaluate("each => each === document.activeElement"):
            break
    page.keyboard.type("Grace")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("you see to it")
    expect(page.get_by_text("Seen to by Grace")).to_be_visible()
    reason = page.get_by_label("Reason")
    reason.focus()
    page.keyboard.type("we are on it")
    expect(page.get_by_label("Your name")).to_have_value("Grace")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Silenced")


def test_a_wide_table_is_reached_and_scrolled_by_keyboard(served: Served, page: Page):
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{served.url}{PAGES['endpoint']}")
    region = page.get_by_role("region", name="What was sent")
    region.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("each => each.scrollLeft > 0", arg=region.element_handle())


def impatient(route: Route) -> None:
    """The page as it is, but asked for again after a tenth of a second instead of five."""
    response = route.fetch()
    body = response.text()
    if response.headers["content-type"].startswith("text/html"):
        assert 'data-again-s="5"' in body or "resolved" in body
    route.fulfill(response=response, body=body.replace('data-again-s="5"', 'data-again-s="0.1"'))


def test_a_page_of_what_is_under_way_shows_its_end_and_loses_nothing_that_is_written(
    served: Served, page: Page
):
    number = an_incident(served.database_url, endpoint="yahoo/quote-spy", began_s=60)
    with psycopg.connect(connection_info(served.database_url)) as connection:
        group = fire(
            connection, fingerprint="x", level=Severity.ERROR, title="x", body="", at=later(62)
        )
    page.route("**/health-dashboard/*/*", impatient)
    page.goto(f"{served.url}{AT}/incidents/{number}")
    page.evaluate("window.same = true; document.querySelector('main a').focus()")
    expect(page.locator("h1 .state")).to_have_text("failing")
    with psycopg.connect(connection_info(served.database_url)) as connection:
        move_incident(
            connection, incident_id=number, from_state="open", to_state="resolved",
            signal="recovered", at=later(90), note="well again",
        )  # fmt: skip
    expect(page.locator("h1 .state")).to_have_text("resolved")
    expect(page.get_by_text("well again")).to_be_visible()
    assert page.evaluate("window.same && document.activeElement.closest('main a') !== null")

    page.goto(f"{served.url}{AT}/alerts/{group}")
    page.get_by_label("Reason").fill("we know")
    with psycopg.connect(connection_info(served.database_url)) as connection:
        recover(connection, fingerprint="x", at=later(100), note="")
    page.wait_for_timeout(500)
    expect(page.get_by_label("Reason")).to_have_value("we know")
    page.get_by_label("Reason").blur()
    expect(page.get_by_text("recovered since")).to_be_visible()
    # The page asks on while it is closed: what comes of that is nobody's error.
    page.unroute_all(behavior="ignoreErrors")


def test_what_an_upstream_said_is_text_in_a_browser_too(served: Served, page: Page):
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    for name in ("incident", "endpoint"):
        page.goto(f"{served.url}{PAGES[name]}")
        expect(page.get_by_text(PLANTED).first).to_be_visible()
        assert page.locator("main script").count() == 0


def test_pages_break_none_of_their_own_rules_on_what_may_be_loaded(served: Served, page: Page):
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    missing: list[str] = []
    page.on("response", lambda got: missing.append(got.url) if got.status in {403, 421} else None)
    for path in PAGES.values():
        page.goto(f"{served.url}{path}")
    assert [each for each in said if "Content Security Policy" in each] == []
    assert missing == []
