"""The dashboard as a visitor sees it: real faults, real healing, a real browser."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect
from tcp_proxy import TcpProxy
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from whole_world import World, free_port, whole_world

from healing_pipeline.storage.incidents import begin_incident, move_incident

pytestmark = pytest.mark.processes

HEALABLE, HOPELESS, QUIET = "exchange_rate/latest-jpy", "fred/dgs10", "yahoo/quote-aapl"
SEEN_WITHIN_S = 5.0


@pytest.fixture(scope="module")
def world(pg_server, tmp_path_factory) -> Iterator[World]:
    name = f"test_{uuid4().hex}"
    pg_server.create(name, "healing_template")
    folder = tmp_path_factory.mktemp("world")
    with whole_world(pg_server.url(name), folder, ("exchange_rate", "fred")) as world:
        yield world
    pg_server.drop(name)


def row(page: Page, endpoint: str):
    return page.locator(f'tr[data-id="{endpoint}"]')


def has_state(page: Page, endpoint: str, state: str, within_s: float = 15) -> None:
    expect(row(page, endpoint)).to_have_attribute("data-s", state, timeout=within_s * 1000)


def what_is_shown(page: Page, *endpoints: str) -> list[str]:
    """All that a visitor sees of some rows, shapes and tooltips included."""
    return [
        row(page, each).evaluate("row => row.innerHTML.replaceAll(/(title|aria-label)=.*?>/g, '')")
        for each in endpoints
    ]


def a_reload_shows_the_same(page: Page, *endpoints: str) -> None:
    """But for what happens in the moment of the reload: a probe, a rate that is read."""
    for _ in range(4):
        live = what_is_shown(page, *endpoints)
        page.reload()
        again = what_is_shown(page, *endpoints)
        if again == live:
            return
    assert again == live


def test_a_fault_is_seen_at_once_its_healing_too_and_its_end(world: World, page: Page):
    assert world.read(HEALABLE).status_code == 200
    page.goto(world.dashboard)
    has_state(page, HEALABLE, "live")
    expect(page.locator("#link")).to_have_text("live")
    expect(page.locator("#banner")).to_contain_text("Nothing is wrong")

    world.fails(match={"source": "exchange_rate", "path": "*JPY*"}, fault="server_error")
    for _ in range(3):
        assert world.read(HEALABLE).headers["x-healing-fidelity"] != ""
    expect(row(page, HEALABLE)).not_to_have_attribute("data-s", "live")
    seen_at = time.time()
    (detected_at,) = world.stored(
        "SELECT extract(epoch FROM detected_at)::float8 FROM healing.incident WHERE endpoint = %s",
        HEALABLE,
    )[0]
    assert seen_at - detected_at < SEEN_WITHIN_S
    assert row(page, HEALABLE).locator(".bar path.h").count() == 1
    has_state(page, HEALABLE, "healed")
    expect(row(page, HEALABLE).locator(".note")).to_contain_text("server_error")
    expect(page.locator("#banner .warning")).to_contain_text("latest-jpy")
    assert page.locator("#banner .error").count() == 0

    world.fails(match={"source": "fred"}, fault="server_error")
    assert world.read(HOPELESS, **{"X-Healing-Accept": "exact"}).status_code == 502
    has_state(page, HOPELESS, "failed")
    expect(row(page, HOPELESS).locator(".state")).to_have_text("healing failed")
    expect(page.locator("#banner .error")).to_contain_text("dgs10")
    expect(row(page, HOPELESS).locator(".bar path.f")).to_have_count(1)
    expect(row(page, HOPELESS).locator("td").nth(3)).not_to_have_text("0 %")
    a_reload_shows_the_same(page, HEALABLE, HOPELESS)

    world.is_well()
    has_state(page, HEALABLE, "live")
    has_state(page, HOPELESS, "live")
    expect(page.locator("#banner .error, #banner .critical")).to_have_count(0)
    expect(row(page, HOPELESS).locator(".bar path.f")).to_have_count(1)  # it happened
    a_reload_shows_the_same(page, HEALABLE, HOPELESS)


def begun(world: World, evidence: str = "no answer", endpoint: str = QUIET) -> int:
    now = world.session.clock.now()
    with world.session.database.connection() as connection:
        opened = begin_incident(
            connection,
            endpoint=endpoint,
            source=endpoint.split("/")[0],
            failure_class="invalid_data",
            evidence=evidence,
            severity="error",
            detected_by="probe",
            began_at=now,
            at=now,
            signal="confirmed",
            to_state="open",
            asks_heal=False,
            note="seen",
        )
    assert opened is not None
    return opened.incident_id


def moved(world: World, incident_id: int, before: str, after: str, signal: str) -> None:
    with world.session.database.connection() as connection:
        move_incident(
            connection,
            incident_id=incident_id,
            from_state=before,
            to_state=after,
            signal=signal,
            at=world.session.clock.now(),
            note="as it went",
        )


def ended(world: World, incident_id: int) -> None:
    moved(world, incident_id, "open", "resolved", "recovered")


def test_healing_is_seen_to_begin_and_to_end(world: World, page: Page):
    page.goto(world.dashboard)
    incident = begun(world)
    for before, after, signal, word in (
        ("open", "healing", "heal_started", "healing"),
        ("healing", "healed", "heal_succeeded", "healed"),
        ("healed", "resolved", "recovered", "live"),
    ):
        moved(world, incident, before, after, signal)
        if word != "live":
            has_state(page, QUIET, word)
            expect(row(page, QUIET).locator(".state")).to_have_text(word)
            expect(page.locator("#summary")).to_contain_text(f"1 {word}")
    expect(row(page, QUIET).locator(".state")).not_to_have_text("healed")
    expect(row(page, QUIET).locator(".note")).to_be_empty()


def test_a_script_in_what_an_upstream_said_is_text(world: World, page: Page):
    said = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"
    page.goto(world.dashboard)
    incident = begun(world, said)
    has_state(page, QUIET, "failed")
    for _ in range(2):
        expect(row(page, QUIET).locator(".note")).to_contain_text(said)
        assert page.evaluate("window.hacked === undefined")
        assert row(page, QUIET).locator("script, img").count() == 0
        page.reload()
    ended(world, incident)
    expect(row(page, QUIET)).not_to_have_attribute("data-s", "failed")


def test_what_changed_while_the_connection_was_cut_is_there_once_it_is_back(
    world: World, page: Page
):
    with TcpProxy(world.port) as proxy:
        page.goto(f"http://127.0.0.1:{proxy.port}/health-dashboard")
        expect(page.locator("#link")).to_have_text("live")
        page.evaluate("window.same = true")
        proxy.cut()
        expect(page.locator("#link")).not_to_have_text("live")
        incident = begun(world)
        time.sleep(0.5)
        proxy.mend()
        has_state(page, QUIET, "failed")
        expect(page.locator("#link")).to_have_text("live")
        ended(world, incident)
        expect(row(page, QUIET)).not_to_have_attribute("data-s", "failed")
        assert page.evaluate("window.same")  # it was never loaded anew


def test_a_gateway_that_was_started_again_goes_on_with_the_same_page(world: World, page: Page):
    page.goto(world.dashboard)
    expect(page.locator("#link")).to_have_text("live")
    page.evaluate("window.same = true")
    world.stop_gateway()
    incident = begun(world)
    world.start_gateway()
    has_state(page, QUIET, "failed")
    ended(world, incident)
    expect(row(page, QUIET)).not_to_have_attribute("data-s", "failed")
    assert page.evaluate("window.same")


def test_where_sockets_fail_the_page_asks_instead(world: World, page: Page):
    page.route_web_socket(re.compile("/live"), lambda socket: socket.close())
    page.goto(world.dashboard)
    expect(page.locator("#link")).to_contain_text("asking")
    incident = begun(world)
    has_state(page, QUIET, "failed")
    ended(world, incident)
    expect(row(page, QUIET)).not_to_have_attribute("data-s", "failed")


def test_without_scripts_the_page_is_whole_and_merely_not_live(world: World, browser: Browser):
    incident = begun(world)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    deadline = time.monotonic() + 5
    while True:
        page.goto(world.dashboard)
        if row(page, QUIET).get_attribute("data-s") == "failed":
            break
        assert time.monotonic() < deadline
    assert page.locator("tr[data-id]").count() > 50
    assert page.locator("noscript meta[http-equiv=refresh], meta[http-equiv=refresh]").count() == 1
    assert page.locator("#filter").is_hidden()
    assert page.locator("#theme").is_hidden()
    expect(page.locator("#banner .warning")).to_contain_text("quote-aapl")
    context.close()
    ended(world, incident)


def test_rows_are_filtered_from_the_keyboard(world: World, page: Page):
    page.goto(f"{world.dashboard}?q=polygon")
    expect(row(page, QUIET)).to_be_hidden()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.press("Control+A")
    page.keyboard.type("yahoo aapl")
    expect(row(page, QUIET)).to_be_visible()
    expect(row(page, HOPELESS)).to_be_hidden()
    page.keyboard.press("Control+A")
    page.keyboard.type("no such thing")
    expect(page.locator("#nothing")).to_be_visible()
    page.keyboard.press("Escape")
    expect(row(page, HOPELESS)).to_be_visible()
    expect(page.locator("#nothing")).to_be_hidden()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # failed
    expect(page.locator("#filter [data-state=failed]")).to_have_attribute("aria-pressed", "true")
    expect(row(page, QUIET)).to_be_hidden()


def test_a_theme_that_was_chosen_stays(world: World, page: Page):
    page.goto(world.dashboard)
    page.locator("#theme").click()
    chosen = page.evaluate("document.documentElement.dataset.theme")
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == chosen == "dark"
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_socket_is_for_a_page_of_ours_and_for_hearing_only(world: World):
    address = f"ws://127.0.0.1:{world.port}/health-dashboard/live"
    ours = f"http://127.0.0.1:{world.port}"
    for path, origin in ((address, "http://evil.example"), (address, None), (f"{address}/x", ours)):
        with pytest.raises(InvalidStatus), connect(path, origin=origin, proxy=None):
            pass
    with connect(address, origin=ours, proxy=None, max_size=None) as socket:
        assert json.loads(socket.recv(5))["whole"]
        socket.send("x" * 100_000)
        with pytest.raises(ConnectionClosed) as closed:
            deque(socket)  # to its end
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    assert world.read(QUIET).status_code == 200


def test_whoever_writes_the_token_as_the_password_sees_the_page_live(
    world: World, browser: Browser
):
    token = "correct-horse-battery-staple"
    environ = {**world.environ, "HEALING_GATEWAY_TOKEN": token}
    environ["HEALING_STATE_DIR"] += "-guarded"
    guarded = replace(world, port=free_port(), environ=environ, process=None)
    guarded.start_gateway()
    try:
        known = browser.new_context(http_credentials={"username": "anna", "password": token})
        page = known.new_page()
        page.goto(guarded.dashboard)
        expect(page.locator("#link")).to_have_text("live")
        known.close()
        stranger = browser.new_context()
        response = stranger.request.get(guarded.dashboard)
        assert response.status == 401
        assert "yahoo" not in response.text()
        stranger.close()
    finally:
        guarded.stop_gateway()
