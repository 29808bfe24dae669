"""Take the pictures of the dashboard that the documentation shows: `make screenshots`.

The simulator, the control loop, PostgreSQL, a gateway and a browser run for two minutes, a provider
fails and recovers, and the pages are what they then are. Only the day before is made up, because
nobody waits a day for a picture: its facts are written by `yesterday`, below.
"""

from __future__ import annotations

import argparse
import io
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "healing_pipeline_tests" / "web"))

from conftest import FLAGS, NAMES  # noqa: E402
from whole_world import World, whole_world  # noqa: E402

from healing_pipeline.control import learning_run  # noqa: E402
from healing_pipeline.control.alert_firing import fire, recover  # noqa: E402
from healing_pipeline.healing.facts import AnswerFact, Attempt, Fact, ProbeResult  # noqa: E402
from healing_pipeline.incidents.detection import Severity  # noqa: E402
from healing_pipeline.storage.alert_groups import resolve_group  # noqa: E402
from healing_pipeline.storage.database import Database  # noqa: E402
from healing_pipeline.storage.embedded import EmbeddedServer  # noqa: E402
from healing_pipeline.storage.fact_store import FactStore  # noqa: E402
from healing_pipeline.storage.health_quarters import fold_quarters  # noqa: E402
from healing_pipeline.storage.incidents import begin_incident, move_incident  # noqa: E402
from healing_pipeline.storage.migration import migrate  # noqa: E402

SOURCES = ("yahoo", "fred", "polygon", "alpha_vantage", "exchange_rate")
HEALED, FAILED = "exchange_rate/latest-jpy", "fred/dgs10"
# What nobody read before has no stored data to fall back to.
UNREAD = "fred"
DESK, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
LONG, LONG_ONES = {"width": 1280, "height": 1500}, {"incident_light", "overview_degraded_light"}
COLOURS, MOST_BYTES = 160, 150_000
SEEN_WITHIN_S = 60.0

# Of the day before: endpoint, failure class, hours ago, minutes it lasted, what healed it (or
# nothing), and the strategies that were tried in vain before.
TROUBLES = (
    ("yahoo/chart-aapl-1d", "rate_limit", 3.2, 40, "use_cached_data", ()),
    ("yahoo/quote-aapl", "timeout", 8.6, 25, "alternate_host", ("exponential_backoff_retry",)),
    ("polygon/prev-aapl", "quota_exhausted", 11.0, 90, "fallback_provider", ("rotate_api_key",)),
    ("fred/dgs10", "server_error", 15.3, 20, None, ("exponential_backoff_retry",)),
    ("exchange_rate/latest-usd", "timeout", 19.5, 30, "alternate_host", ()),
)


def main() -> int:
    """Take all pictures, or say what is missing for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "pictures")
    folder = parser.parse_args().into
    browser_path = next(filter(None, map(shutil.which, NAMES)), None)
    if browser_path is None:
        print(f"No browser: none of {', '.join(NAMES)} is here. `apt-get install chromium`.")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    with (
        database() as url,
        tempfile.TemporaryDirectory() as state,
        whole_world(url, Path(state), SOURCES) as world,
        sync_playwright() as playwright,
    ):
        yesterday(world, url, world.session.clock.now())
        make_public(world)
        browser = playwright.chromium.launch(executable_path=browser_path, args=list(FLAGS))
        try:
            broken = threading.Event()
            with readers(world, broken):
                play(world, browser, Camera(folder), broken)
        finally:
            browser.close()
    return 0


class Camera:
    """Writes pictures, small ones.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, page: Page, name: str) -> None:
        """What the page shows now."""
        page.wait_for_timeout(600)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        path = self._folder / f"{name}.png"
        picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
        size = path.stat().st_size
        print(f"{path.name}: {size / 1000:.0f} kB{' (too large)' if size > MOST_BYTES else ''}")


def play(world: World, browser: Browser, camera: Camera, broken: threading.Event) -> None:
    """The run: all is well, two things fail, one of them is healed, both recover."""
    with visit(browser) as page:
        page.goto(world.dashboard)
        until(lambda: page.locator("#link").inner_text() == "live", "the page is live")
        time.sleep(10)
        camera.take(page, "overview_healthy_light")
    world.fails(match={"source": "exchange_rate", "path": "*JPY*"}, fault="server_error")
    world.fails(match={"source": UNREAD}, fault="server_error")
    broken.set()
    with visit(browser) as page:
        page.goto(world.dashboard)
        row = 'tr[data-id="{}"][data-s="{}"]'
        until(lambda: page.locator(row.format(HEALED, "healed")).count() > 0, "one is healed")
        until(lambda: page.locator(row.format(FAILED, "failed")).count() > 0, "one has failed")
        until(lambda: page.locator("#banner .error").count() > 0, "people are told")
        time.sleep(8)
        learn(world)
        incident, group = newest(world)
        for name, path in (
            ("overview_degraded_light", ""),
            ("endpoint_light", f"/endpoints/{HEALED}"),
            ("incident_light", f"/incidents/{incident}"),
            ("learning_light", "/learning"),
            ("reports_light", "/reports?window=1d"),
        ):
            page.set_viewport_size(LONG if name in LONG_ONES else DESK)
            page.goto(f"{world.dashboard}{path}")
            camera.take(page, name)
        page.goto(f"{world.url}/status")
        camera.take(page, "status_light")
    with visit(browser, scheme="dark") as page:
        for name, path in (
            ("overview_degraded_dark", f"?q={UNREAD}"),
            ("alert_dark", f"/alerts/{group}"),
        ):
            page.goto(f"{world.dashboard}{path}")
            camera.take(page, name)
    with visit(browser, size=PHONE) as page:
        page.goto(world.dashboard)
        camera.take(page, "overview_degraded_phone")
        page.goto(f"{world.dashboard}/incidents/{incident}")
        camera.take(page, "incident_phone")
    world.is_well()


@contextmanager
def visit(
    browser: Browser, *, scheme: str = "light", size: dict[str, int] = DESK
) -> Iterator[Page]:
    """A visitor who prefers a colour scheme."""
    context = browser.new_context(viewport=size, color_scheme=scheme, locale="en-GB")
    try:
        yield context.new_page()
    finally:
        context.close()


@contextmanager
def database() -> Iterator[str]:
    """A database of the run's own."""
    folder = Path(tempfile.mkdtemp(prefix="healing-pictures-"))
    server = EmbeddedServer(folder).start()
    try:
        server.ensure_database("pictures")
        url = server.url("pictures")
        with Database(url) as opened:
            migrate(opened)
        yield url
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def readers(world: World, broken: threading.Event) -> Iterator[None]:
    """Some requests a second for all endpoints; for those of one source once it is down."""
    stopped = threading.Event()

    def read() -> None:
        chance = random.Random(7)  # noqa: S311 (no secret)
        endpoints = list(world.session.catalog.endpoints.values())
        with httpx.Client(base_url=world.url, timeout=10) as client:
            while not stopped.wait(0.08):
                endpoint = chance.choice(endpoints)
                if endpoint.source != UNREAD or broken.is_set():
                    client.get(f"/v1/{endpoint.id}")
                client.get(f"/v1/{HEALED}")

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for it."""
    deadline = time.monotonic() + SEEN_WITHIN_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {SEEN_WITHIN_S:.0f} s")
        time.sleep(0.2)


def make_public(world: World) -> None:
    """Switch the status page on."""
    world.stop_gateway()
    text = world.config.read_text()
    world.config.write_text(text.replace("{public: false}", "{public: true}"))
    world.start_gateway()


def learn(world: World) -> None:
    """Fold what was stored and publish what it teaches, as `healing learn` does."""
    now = world.session.clock.now()
    begin = learning_run.day_of(now) - timedelta(days=1)
    end = learning_run.hour_of(now) + timedelta(hours=1)
    learning_run.fold(world.session.database, begin, end, SOURCES)
    with world.session.database.connection() as connection:
        learning_run.make_policy(connection, now, SOURCES)


def newest(world: World) -> tuple[int, int]:
    """The incident that was healed just now, and the alert that fires."""
    incident = world.stored(
        "SELECT max(id) FROM healing.incident WHERE endpoint = %s AND healed_at IS NOT NULL", HEALED
    )
    group = world.stored("SELECT max(id) FROM healing.alert_group WHERE resolved_at IS NULL")
    return incident[0][0], group[0][0]


def yesterday(world: World, url: str, now: datetime) -> None:
    """Write the facts of a day that nobody waited for."""
    chance = random.Random(11)  # noqa: S311
    store = FactStore(url)
    troubles = {each[0]: each for each in TROUBLES}
    catalog = world.session.catalog
    for endpoint in catalog.endpoints.values():
        trouble, host = troubles.get(endpoint.id), catalog.sources[endpoint.source].hosts[0].name
        store.store(list(_day_of(endpoint.id, endpoint.source, host, trouble, now, chance)))
    store.close()
    with world.session.database.connection() as connection:
        for name, failure, hours, minutes, healed_by, _ in TROUBLES:
            _trouble(connection, name, failure, now - timedelta(hours=hours), minutes, healed_by)
        fold_quarters(connection, now, most=1000)


def _day_of(
    endpoint: str,
    source: str,
    host: str,
    trouble: tuple[str, str, float, int, str | None, tuple[str, ...]] | None,
    now: datetime,
    chance: random.Random,
) -> Iterator[Fact]:
    usual_s = chance.uniform(0.002, 0.006)
    at = now - timedelta(hours=25)
    while at < now - timedelta(minutes=1):
        at += timedelta(seconds=chance.uniform(60, 180))
        ill = trouble is not None and (
            0 <= (at - (now - timedelta(hours=trouble[2]))).total_seconds() < trouble[3] * 60
        )
        seconds = usual_s * chance.lognormvariate(0, 0.35)
        common = {"at": at, "source": source, "endpoint": endpoint}
        yield ProbeResult(
            id=_id(chance), host=host, key_name=None, confirms=None, status=500 if ill else 200,
            failure_class=trouble[1] if ill and trouble else "ok", evidence="as sampled",
            seconds=seconds, as_of=None if ill else at, **common,
        )  # fmt: skip
        if not ill or trouble is None:
            yield _answer(chance, common, "plain", "exact", seconds, None)
            continue
        _, failure, _, _, healed_by, in_vain = trouble
        request = _id(chance)
        for number, name in enumerate((*in_vain, *([healed_by] if healed_by else [])), 2):
            good = name == healed_by
            yield Attempt(
                id=_id(chance), request_id=request, attempt_no=number, origin="reader",
                strategy=name, host=host, key_name=None, status=200 if good else 500, healed=good,
                failure_class="ok" if good else failure, evidence="as sampled",
                fidelity="exact" if good else None, seconds=seconds, upstream_calls=1, met=failure,
                **common,
            )  # fmt: skip
        yield _answer(chance, common, healed_by, "exact", seconds * 2, failure, request)


def _answer(
    chance: random.Random,
    common: dict[str, object],
    strategy: str | None,
    fidelity: str,
    seconds: float,
    failure: str | None,
    request: UUID | None = None,
) -> AnswerFact:
    failed = strategy is None
    return AnswerFact(
        request_id=request or _id(chance),
        fidelity=None if failed else fidelity,
        strategy=strategy,
        provider=None if failed else str(common["source"]),
        attempts=1 if failure is None else 2,
        seconds=seconds,
        failure_class=failure,
        failed=failed,
        as_of=None,
        **common,  # type: ignore[arg-type]
    )


def _trouble(
    connection: object, endpoint: str, failure: str, at: datetime, minutes: int, by: str | None
) -> None:
    """An incident of the day before, and the alert about it where nothing healed it."""
    opened = begin_incident(
        connection,  # type: ignore[arg-type]
        endpoint=endpoint,
        source=endpoint.split("/")[0],
        failure_class=failure,
        evidence="as sampled",
        severity="error",
        detected_by="probe",
        began_at=at,
        at=at + timedelta(seconds=2),
        signal="confirmed",
        to_state="open",
        asks_heal=False,
        note="seen twice",
    )
    assert opened is not None
    over = at + timedelta(minutes=minutes)
    healed = ("heal_succeeded", "healed") if by else ("heal_failed", "escalated")
    state = "open"
    for signal, to_state, moment in (
        ("heal_started", "healing", at + timedelta(seconds=3)),
        (*healed, at + timedelta(seconds=6)),
        ("recovered", "resolved", over),
    ):
        move_incident(
            connection,  # type: ignore[arg-type]
            incident_id=opened.incident_id,
            from_state=state,
            to_state=to_state,
            signal=signal,
            at=moment,
            note=f"{by} helped" if to_state == "healed" else "as sampled",
            strategy=by,
            fidelity="exact" if by else None,
            root_cause="provider down",
        )
        state = to_state
    if by is None:
        fingerprint = f"{endpoint.split('/')[0]}:yesterday"
        group = fire(
            connection,  # type: ignore[arg-type]
            fingerprint=fingerprint,
            level=Severity.ERROR,
            title=f"{endpoint}: {failure}, healing failed",
            body="As sampled.",
            source=endpoint.split("/")[0],
            at=at + timedelta(seconds=6),
            incident_id=opened.incident_id,
        )
        recover(connection, fingerprint=fingerprint, at=over, note="the primary itself")  # type: ignore[arg-type]
        resolve_group(connection, group, over + timedelta(minutes=1))  # type: ignore[arg-type]


def _id(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)


if __name__ == "__main__":
    raise SystemExit(main())
