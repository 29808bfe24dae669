"""Ticks that stay: real evaluations in threads, as a code server runs them; nothing is due."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from dagster_installation import DGS10, QUIET, RATES, SERVER_ERROR, UNRATE, Installation

from healing_pipeline.control import asking, heal_run
from healing_pipeline.healing.answer import HealingFailed
from healing_pipeline.orchestration import sensors
from healing_pipeline.orchestration.resources import close_sessions

pytestmark = [pytest.mark.processes, QUIET]

FRED, RATE_SOURCE = "probe_fred", "probe_exchange_rate"

# On a machine that does other work too; a turn of the daemon, which none must wait for, is 5 s.
SOON_S = 2.5


class Ticking:
    """Ticks that run beside the test."""

    def __init__(self, installation: Installation, pool: ThreadPoolExecutor) -> None:
        self.installation = installation
        self._pool = pool
        self._began: dict[Future[Any], float] = {}

    def begin(self, sensor: str, **given: Any) -> Future[Any]:
        tick = self._pool.submit(self.installation.tick, sensor, **given)
        tick.took_s = None  # type: ignore[attr-defined]
        began = time.monotonic()
        tick.add_done_callback(lambda ended: setattr(ended, "took_s", time.monotonic() - began))
        return tick

    def read(self, endpoint: str) -> None:
        """A reader asks for data that cannot be had, and it is stored that they did."""
        session = self.installation.resource.session()
        end = session.call(session.engine.fetch, endpoint)
        assert isinstance(end, HealingFailed)
        assert session.recorder.flush()


@pytest.fixture
def ticking(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ticking]:
    installation.write("UPDATE healing.probe_schedule SET next_at = now() + interval '1 hour'")
    monkeypatch.setattr(sensors, "TICK_S", sensors.STAY_S)
    monkeypatch.setenv("DAGSTER_GRPC_MAX_WORKERS", "16")
    with ThreadPoolExecutor(8) as pool:
        yield Ticking(installation, pool)


def until(claim: Callable[[], bool], within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < end, "not within its time"
        time.sleep(0.02)


def endpoints_of(tick: Future[Any]) -> list[str]:
    return [each.tags["healing/endpoint"] for each in tick.result(30).run_requests]


def test_a_tick_stays_almost_until_the_daemons_next_turn_when_nothing_happens(ticking):
    tick = ticking.begin(FRED)
    assert endpoints_of(tick) == []
    assert sensors.STAY_S <= tick.took_s < sensors.STAY_S + SOON_S


def test_what_a_reader_met_is_asked_for_in_the_tick_that_is_going_on(ticking):
    tick = ticking.begin(FRED)
    time.sleep(1.0)
    ticking.installation.upstreams.add_fault(SERVER_ERROR)
    ticking.read(DGS10)
    read_at = time.monotonic()
    assert endpoints_of(tick) == [DGS10]
    assert time.monotonic() - read_at < SOON_S


def test_what_becomes_due_is_probed_in_the_tick_that_is_going_on(ticking):
    ticking.installation.upstreams.add_fault(SERVER_ERROR)
    ticking.installation.write(
        "UPDATE healing.probe_schedule SET next_at = now() + interval '1 second'"
        " WHERE endpoint = %(endpoint)s",
        endpoint=DGS10,
    )
    tick = ticking.begin(FRED)
    assert endpoints_of(tick) == [DGS10]
    assert 0.5 < tick.took_s < 1.0 + SOON_S


def test_an_incident_that_others_opened_is_asked_for_in_the_tick_that_is_going_on(ticking):
    tick = ticking.begin(FRED)
    time.sleep(0.5)
    told_at = time.monotonic()
    ticking.installation.write(
        "WITH begun AS (INSERT INTO healing.incident (endpoint, source, state, state_since,"
        " failure_class, evidence, severity, detected_by, began_at, detected_at) VALUES"
        " (%(endpoint)s, 'fred', 'open', now(), 'timeout', '', 'error', 'probe', now(), now())"
        " RETURNING id)"
        " INSERT INTO healing.incident_event (incident_id, at, signal, to_state, note, asks_heal)"
        " SELECT id, now(), 'confirmed', 'open', '', true FROM begun",
        endpoint=UNRATE,
    )
    assert endpoints_of(tick) == [UNRATE]
    assert time.monotonic() - told_at < SOON_S


def test_an_endpoint_that_hangs_does_not_keep_a_tick_from_its_end(ticking):
    ticking.installation.upstreams.add_fault(
        {"match": {"source": "fred"}, "fault": "slow", "latency_s": 20}
    )
    # Two questions of two seconds each go beyond the end of the tick.
    ticking.installation.write(
        "UPDATE healing.probe_schedule SET next_at = now() + interval '3.5 seconds'"
        " WHERE endpoint = %(endpoint)s",
        endpoint=DGS10,
    )
    tick = ticking.begin(FRED)
    assert endpoints_of(tick) == []
    assert tick.took_s < sensors.STAY_S + SOON_S
    # What the look finds after that is asked for by the next.
    until(lambda: ticking.installation.state_of(DGS10) is not None)
    assert endpoints_of(ticking.begin(FRED)) == [DGS10]


def test_between_two_ticks_of_its_own_sensor_a_stand_in_looks_at_a_source(ticking):
    stand_in = ticking.begin("stand_in_1")
    ticking.installation.upstreams.add_fault(SERVER_ERROR)
    own = ticking.begin(FRED)
    ticking.read(DGS10)
    assert endpoints_of(own) == [DGS10]
    assert not stand_in.done(), "while its own sensor looks at it nobody stands in"
    ticking.read(UNRATE)
    read_at = time.monotonic()
    assert endpoints_of(stand_in) == [UNRATE]
    assert time.monotonic() - read_at < SOON_S
    assert stand_in.result().run_requests[0].tags["healing/source"] == "fred"


def test_a_sensor_that_does_not_tick_is_not_stood_in_for(ticking):
    ticking.installation.upstreams.add_fault(SERVER_ERROR)
    ticking.begin(RATE_SOURCE)
    stand_in = ticking.begin("stand_in_1")
    ticking.read(DGS10)
    assert endpoints_of(stand_in) == []
    assert ticking.installation.state_of(DGS10) is None


def test_stand_ins_take_turns_and_each_request_is_handed_out_once(ticking):
    ticking.installation.upstreams.add_fault(SERVER_ERROR)
    ticking.installation.make_due(DGS10)
    own = ticking.begin(FRED)
    assert endpoints_of(own) == [DGS10]
    stand_ins = [ticking.begin(f"stand_in_{number}") for number in (1, 2, 3)]
    time.sleep(0.3)
    ticking.read(UNRATE)
    until(lambda: any(each.done() for each in stand_ins))
    first = next(each for each in stand_ins if each.done())
    assert endpoints_of(first) == [UNRATE]
    assert first.took_s < 0.3 + SOON_S
    for each in stand_ins:
        if each is not first:
            assert endpoints_of(each) == []
            assert each.took_s > sensors.STAY_S - 0.1, "the others go on looking"


def test_when_all_ticks_of_a_turn_are_over_one_stand_in_still_looks(ticking):
    ticking.installation.upstreams.add_fault(SERVER_ERROR)
    ticks = [ticking.begin(each) for each in (FRED, "stand_in_1", "stand_in_2", "stand_in_3")]
    until(lambda: sum(each.done() for each in ticks) == 3)
    (bridge,) = (each for each in ticks if not each.done())
    assert ticks[0].done()
    ticking.read(DGS10)
    assert endpoints_of(bridge) == [DGS10]
    assert sensors.STAY_S < bridge.took_s < sensors.STAY_S + SOON_S


def test_stand_ins_that_are_left_are_made_to_last(ticking):
    fault = {**SERVER_ERROR, "match": {"source": "exchange_rate"}}
    ticking.installation.upstreams.add_fault(SERVER_ERROR)
    ticking.installation.upstreams.add_fault(fault)
    ticking.installation.make_due(DGS10, RATES)
    owns = [ticking.begin(FRED), ticking.begin(RATE_SOURCE)]
    assert [endpoints_of(each) for each in owns] == [[DGS10], [RATES]]
    stand_ins = [ticking.begin(f"stand_in_{number}") for number in (1, 2)]
    ticking.read(UNRATE)
    until(lambda: any(each.done() for each in stand_ins))
    (left,) = (each for each in stand_ins if not each.done())
    # The incident of the rates begins anew at once: as soon as it is over, and fails again.
    ticking.installation.write(
        "INSERT INTO healing.incident_event (incident_id, at, signal, from_state, to_state, note,"
        " asks_heal) SELECT id, now(), 'tried_again', 'open', 'open', '', true"
        " FROM healing.incident WHERE endpoint = %(endpoint)s",
        endpoint=RATES,
    )
    assert endpoints_of(left) == [RATES]
    assert 1.5 < left.took_s < sensors.STAY_S, "half of what is left of its turn"


def test_a_request_that_nobody_acted_on_is_handed_out_again_unless_dagster_has_its_run(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.upstreams.add_fault(SERVER_ERROR)
    installation.write("UPDATE healing.probe_schedule SET next_at = now() + interval '1 hour'")
    installation.make_due(DGS10)
    (request,) = installation.tick().run_requests
    assert installation.tick().run_requests == [], "somebody has it"
    assert installation.tick("stand_in_1").run_requests == []
    monkeypatch.setattr(asking, "ASKED_AGAIN_AFTER_S", 0.0)
    (again,) = installation.tick().run_requests
    assert again.run_key == request.run_key
    assert installation.tick(knows=request).run_requests == []


def test_a_process_that_begins_does_not_ask_for_what_dagster_has_a_run_of(
    installation: Installation,
) -> None:
    installation.upstreams.add_fault(SERVER_ERROR)
    installation.write("UPDATE healing.probe_schedule SET next_at = now() + interval '1 hour'")
    installation.make_due(DGS10)
    (request,) = installation.tick().run_requests
    close_sessions()
    assert installation.tick(knows=request).run_requests == []
    close_sessions()
    (again,) = installation.tick().run_requests
    assert again.run_key == request.run_key


def test_an_incident_that_is_being_healed_is_not_asked_for_again(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ASKED_AGAIN_AFTER_S", 0.0)
    installation.upstreams.add_fault(SERVER_ERROR)
    installation.write("UPDATE healing.probe_schedule SET next_at = now() + interval '1 hour'")
    installation.make_due(DGS10)
    (request,) = installation.tick().run_requests
    now = installation.resource.session().clock.now()
    with installation.database.connection() as connection:
        assert heal_run.take(connection, int(request.tags["healing/incident"]), now)
    assert installation.tick().run_requests == []


def listeners(installation: Installation) -> list[int]:
    return [
        each["pid"]
        for each in installation.rows(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'healing-listener'"
        )
    ]


def test_one_connection_listens_for_all_ticks_and_comes_back_when_it_is_lost(ticking):
    installation = ticking.installation
    ticks = [ticking.begin(each) for each in (FRED, RATE_SOURCE, "stand_in_1", "stand_in_2")]
    until(lambda: len(listeners(installation)) == 1)
    time.sleep(0.5)
    (lost,) = listeners(installation)
    installation.rows("SELECT pg_terminate_backend(%(pid)s)", pid=lost)
    installation.upstreams.add_fault(SERVER_ERROR)
    ticking.read(DGS10)
    assert endpoints_of(ticks[0]) == [DGS10]
    assert ticks[0].took_s < 0.5 + 2 * SOON_S
    until(lambda: listeners(installation) not in ([], [lost]))
    assert len(listeners(installation)) == 1
    assert [endpoints_of(each) for each in ticks[1:]] == [[], [], []]


def test_where_workers_are_few_a_tick_leaves_its_source_to_a_stand_in(
    ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_GRPC_MAX_WORKERS", "6")
    stand_ins = [ticking.begin(f"stand_in_{number}") for number in (1, 2, 3)]
    time.sleep(0.3)
    own = ticking.begin(FRED)
    assert own.result(30).skip_message == (
        "left to a stand-in: the code server has no worker to spare"
    )
    assert own.took_s < SOON_S
    ticking.installation.upstreams.add_fault(SERVER_ERROR)
    ticking.read(DGS10)
    until(lambda: any(each.done() for each in stand_ins))
    assert [name for each in stand_ins for name in endpoints_of(each)] == [DGS10]


def test_where_there_is_no_worker_to_stay_a_tick_looks_once(
    ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_GRPC_MAX_WORKERS", "2")
    ticking.installation.upstreams.add_fault(SERVER_ERROR)
    ticking.installation.make_due(DGS10)
    tick = ticking.begin(FRED)
    assert endpoints_of(tick) == [DGS10]
    quiet = ticking.begin(RATE_SOURCE)
    assert quiet.result(30).skip_message == "0 probed, 0 bad, 0 over their budget"
    assert quiet.took_s < SOON_S
    assert ticking.begin("stand_in_1").result(30).skip_message.startswith("left to")


# -- late ticks ------------------------------------------------------------------------------------


def begun(seconds_ago: float) -> str:
    return json.dumps({"begun_at": time.time() - seconds_ago, "late_ds": [0]})


def late_s_of(cursor: str) -> list[float]:
    return [each / 10 for each in json.loads(cursor)["late_ds"]]


def test_a_tick_that_began_late_says_so(installation: Installation) -> None:
    tick = installation.tick(cursor=begun(65.0))
    late_s, *before = late_s_of(tick.cursor)
    assert late_s == pytest.approx(60.0, abs=3.0)
    assert before == [0.0]
    assert tick.skip_message == f"2 probed, 0 bad, 0 over their budget; {late_s} s late"


def test_a_run_says_how_late_the_tick_was_that_asked_for_it(installation: Installation) -> None:
    installation.upstreams.add_fault(SERVER_ERROR)
    tick = installation.tick(cursor=begun(65.0))
    assert len(tick.run_requests) == 2
    assert {each.tags["healing/tick_late_s"] for each in tick.run_requests} == {
        str(late_s_of(tick.cursor)[0])
    }


def test_a_tick_after_the_sensor_was_switched_on_again_is_not_late(
    installation: Installation,
) -> None:
    tick = installation.tick(cursor=begun(3600.0), switched_on_at=time.time() - 1.0)
    assert late_s_of(tick.cursor)[0] == pytest.approx(1.0, abs=3.0)


def test_a_tick_goes_on_from_the_cursor_of_an_earlier_version(installation: Installation) -> None:
    assert late_s_of(installation.tick(cursor="17").cursor) == [0.0]


# -- small quotas ----------------------------------------------------------------------------------

A_DAY, SHARE = 25, 0.4


@pytest.fixture
def metered(ticking: Ticking, monkeypatch: pytest.MonkeyPatch) -> Ticking:
    """FRED as a source with few calls a day, whose endpoints want to be asked all the time.

    Ticks of two seconds are enough for more than its share, were there none.
    """
    monkeypatch.setattr(sensors, "TICK_S", 2.0)
    config = ticking.installation.config
    text = config.read_text("utf-8").replace(
        "  exchange_rate:\n",
        f"    quota: {{per_day: {A_DAY}}}\n    probe_share: {SHARE}\n  exchange_rate:\n",
        1,
    )
    assert "probe_share" in text
    config.write_text(text, "utf-8")
    return ticking


def test_a_tick_that_stays_asks_a_source_with_a_small_quota_no_more_than_its_share(metered):
    installation = metered.installation
    asked_before = len(installation.upstreams.log())
    for sensor in (FRED, "stand_in_1", FRED):
        tick = metered.begin(sensor)
        while not tick.done():
            installation.make_due(DGS10, UNRATE)
            time.sleep(0.05)
        assert endpoints_of(tick) == []
    calls = len(installation.upstreams.log()) - asked_before
    assert 1 <= calls <= A_DAY * SHARE
    ledger = installation.rows(
        "SELECT calls FROM healing.key_usage WHERE source = 'fred' AND kind = 'probe'"
        " AND window_kind = 'day'"
    )
    assert [each["calls"] for each in ledger] == [calls]
