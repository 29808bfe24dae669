"""The simulation without its sockets: clocks, keys, quotas, determinism, log."""

from datetime import UTC, datetime, timedelta

from healing_pipeline.simulator.faults import Fault, FaultKind, Match
from healing_pipeline.simulator.keys import default_keys
from healing_pipeline.simulator.outcome import Delivery, Request
from healing_pipeline.simulator.quotas import REAL
from healing_pipeline.simulator.request_log import RequestLog, Served
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.simulator.simulation import Simulation

EPOCH = datetime(2026, 1, 5, 15, tzinfo=UTC)
CHART = Request("/v8/finance/chart/AAPL", {"interval": "1d", "range": "5d"}, {})
KEYS = default_keys()


class Clock:
    def __init__(self):
        self.at_s = 100.0

    def __call__(self):
        return self.at_s


def running(faults=(), **more):
    clock = Clock()
    simulation = Simulation(1, EPOCH, tuple(faults), monotonic=clock, **more)
    return simulation, clock


def observations(secret):
    params = {"series_id": "DGS10", "file_type": "json", "limit": "3"}
    return Request(
        "/fred/series/observations", {**params, "api_key": secret} if secret else params, {}
    )


def test_simulated_time_runs_from_the_epoch():
    simulation, clock = running()
    clock.at_s += 90
    assert simulation.now == EPOCH + timedelta(seconds=90)


def test_planned_faults_wait_for_the_start_and_added_ones_do_not():
    simulation, clock = running([Fault(0, 1.0, 5.0, Match("yahoo"), FaultKind.SERVER_ERROR)])
    clock.at_s += 2
    assert simulation.answer("yahoo", "query1", CHART).answer.status == 200
    simulation.start()
    clock.at_s += 1.5
    assert simulation.answer("yahoo", "query1", CHART).answer.status >= 500
    added = simulation.add(Fault(9, 0.0, 1.0, Match("yahoo"), FaultKind.RATE_LIMIT))
    assert added.index == 1
    assert simulation.answer("yahoo", "query1", CHART).answer.status == 429
    clock.at_s += 1.0
    assert simulation.answer("yahoo", "query1", CHART).answer.status >= 500
    assert simulation.clear() == 2
    assert simulation.answer("yahoo", "query1", CHART).answer.status == 200


def test_equal_seeds_and_sequences_meet_equal_faults_and_bodies():
    def fates():
        simulation, clock = running(load_scenario("first_light").faults)
        simulation.start()
        found = []
        for n in range(1200):
            clock.at_s = 100.0 + n * 0.025
            found.append(simulation.answer("yahoo", "query1", CHART))
            found.append(simulation.answer("fred", "api", observations(KEYS["fred", "primary"])))
        return found

    one = fates()
    assert one == fates()
    kinds = {(each.delivery, each.answer.status if each.answer else None) for each in one}
    assert {(Delivery.HOLD, None), (Delivery.SEND, 429), (Delivery.SEND, 500)} <= kinds


def test_an_independent_source_does_not_change_what_another_meets():
    fault = Fault(0, 0.0, 1e9, Match("yahoo", share=0.5), FaultKind.TIMEOUT)

    def fates(between):
        simulation, _ = running([fault])
        simulation.start()
        found = []
        for _ in range(60):
            found.append(simulation.answer("yahoo", "query1", CHART).delivery)
            for _ in range(between):
                simulation.answer("fred", "api", observations(KEYS["fred", "primary"]))
        return found

    assert fates(0) == fates(3)
    assert set(fates(0)) == {Delivery.SEND, Delivery.HOLD}


def test_keys_are_wanted_known_and_named():
    simulation, _ = running()
    said = [
        simulation.answer("fred", "api", observations(secret)).answer
        for secret in (KEYS["fred", "spare"], None, "0" * 32, "Wrong")
    ]
    assert [each.status for each in said] == [200, 400, 400, 400]
    assert b"is not set" in said[1].body
    assert b"is not registered" in said[2].body
    assert b"32 character" in said[3].body
    assert [each["key"] for each in simulation.log.since(0, 9)] == ["spare", None, None, None]


def test_a_fault_on_one_key_leaves_the_spare_alone():
    fault = Fault(0, 0.0, 1e9, Match("fred", key="primary"), FaultKind.AUTH_ERROR)
    simulation, _ = running([fault])
    simulation.start()
    statuses = [
        simulation.answer("fred", "api", observations(KEYS["fred", name])).answer.status
        for name in ("primary", "spare")
    ]
    assert statuses == [400, 200]


def test_a_fault_on_many_rows_leaves_few_rows_alone():
    fault = Fault(0, 0.0, 1e9, Match("yahoo", rows_over=60), FaultKind.SLOW, latency_s=6.0)
    simulation, _ = running([fault])
    simulation.start()
    delays = [
        simulation.answer(
            "yahoo", "query1", Request(CHART.path, {"interval": "1d", "range": name}, {})
        ).delay_s
        for name in ("3mo", "1mo")
    ]
    assert delays == [6.0, 0.0]


def test_real_quotas_end_in_the_provider_s_own_words():
    simulation, clock = running(quotas=REAL)
    request = Request(
        "/v2/aggs/ticker/AAPL/prev", {}, {"authorization": f"Bearer {KEYS['polygon', 'primary']}"}
    )
    statuses = [simulation.answer("polygon", "polygon", request).answer.status for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    clock.at_s += 61
    assert simulation.answer("polygon", "massive", request).answer.status == 200


def test_a_host_is_down_only_by_a_fault_that_covers_all_of_it():
    simulation, _ = running(
        [
            Fault(0, 0.0, 9.0, Match("yahoo", "query1"), FaultKind.DOWN),
            Fault(1, 0.0, 9.0, Match("fred", path="/fred/*"), FaultKind.DOWN),
            Fault(2, 0.0, 9.0, Match("polygon"), FaultKind.DOWN),
            Fault(3, 0.0, 9.0, Match("polygon", "massive"), FaultKind.SLOW),
        ]
    )
    assert not simulation.is_down("yahoo", "query1")
    simulation.start()
    down = [
        pair
        for pair in (
            ("yahoo", "query1"),
            ("yahoo", "query2"),
            ("fred", "api"),
            ("polygon", "polygon"),
            ("polygon", "massive"),
        )
        if simulation.is_down(*pair)
    ]
    assert down == [("yahoo", "query1"), ("polygon", "polygon")]
    assert simulation.answer("fred", "api", observations(None)).delivery is Delivery.RESET


def test_the_log_holds_no_secret():
    simulation, _ = running()
    for source, host, request in (
        ("fred", "api", observations(KEYS["fred", "primary"])),
        (
            "exchange_rate",
            "v6",
            Request(
                f"/v6/{KEYS['exchange_rate', 'primary']}/latest/USD", {}, {"x-request-id": "r7"}
            ),
        ),
    ):
        simulation.answer(source, host, request)
    logged = simulation.log.since(0, 9)
    assert not [secret for secret in KEYS.values() if secret in repr(logged)]
    assert [(each["n"], each["request_id"], each["path"]) for each in logged] == [
        (1, None, "/fred/series/observations"),
        (2, "r7", "/v6/latest/USD"),
    ]


def test_a_full_log_forgets_the_oldest_and_keeps_counting():
    log = RequestLog(capacity=3)
    for n in range(1, 6):
        log.append(Served(n, None, None, "", "yahoo", "query1", None, "/", {}, None, None, 200))
    assert log.count == 5
    assert [each["n"] for each in log.since(0, 99)] == [3, 4, 5]
    assert [each["n"] for each in log.since(4, 99)] == [5]
    assert [each["n"] for each in log.since(2, 1)] == [3]
    assert log.since(5, 99) == []


CRUMB = Request("/v1/test/getcrumb", {}, {})


def quotes(crumb=None):
    params = {"symbols": "IBM"} if crumb is None else {"symbols": "IBM", "crumb": crumb}
    return Request("/v7/finance/quote", params, {})


def test_an_ended_session_opens_again_to_a_crumb_that_was_handed_out_since():
    match = Match("yahoo", path="/v7/finance/quote")
    simulation, clock = running([Fault(0, 5.0, 20.0, match, FaultKind.AUTH_ERROR)])
    simulation.start()

    def crumb():
        return simulation.answer("yahoo", "query1", CRUMB).answer.body.decode()

    def status(given=None):
        return simulation.answer("yahoo", "query1", quotes(given)).answer.status

    old = crumb()
    assert status() == 200  # well, it asks for no crumb
    clock.at_s += 7
    assert [status(), status(old), status("Too Many Requests"), status("1.000000")] == [401] * 4
    fresh = crumb()
    assert fresh != old
    assert status(fresh) == 200
    assert status(fresh[:-1] + ("0" if fresh[-1] != "0" else "1")) == 401
    # Only who was refused met the fault, and no crumb is in the log.
    logged = simulation.log.since(0, 99)
    assert [each["fault"] for each in logged[-3:]] == [None, None, 0]
    assert fresh not in repr(logged)


def test_a_crumb_is_to_be_had_while_all_of_yahoo_wants_one():
    simulation, _ = running([Fault(0, 0.0, 20.0, Match("yahoo"), FaultKind.AUTH_ERROR)])
    simulation.start()
    assert simulation.answer("yahoo", "query2", CHART).answer.status == 401
    fresh = simulation.answer("yahoo", "query2", CRUMB).answer.body.decode()
    asked = Request(CHART.path, {**CHART.params, "crumb": fresh}, {})
    assert simulation.answer("yahoo", "query2", asked).answer.status == 200


def test_a_crumb_heals_nothing_but_an_ended_session():
    simulation, _ = running([Fault(0, 0.0, 20.0, Match("yahoo"), FaultKind.BOT_BLOCK)])
    simulation.start()
    assert simulation.answer("yahoo", "query1", CRUMB).answer.status == 999
    healthy, _ = running()
    fresh = healthy.answer("yahoo", "query1", CRUMB).answer.body.decode()
    assert simulation.answer("yahoo", "query1", quotes(fresh)).answer.status == 999
