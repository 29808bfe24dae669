"""What became of a request: which fault its plain call met, or would have, and who noticed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from healing_pipeline.drill.fates import Evidence, Read, fate_of, leaders, sightings
from healing_pipeline.drill.schedule import Arrival
from healing_pipeline.drill.world import EPOCH, drill_catalog
from healing_pipeline.healing.answer import PLAIN, Answer, HealingFailed
from healing_pipeline.healing.facts import Attempt, ProbeResult
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.probing.response import Verdict
from healing_pipeline.simulator.faults import Fault, FaultKind, FaultPlan, Match
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.scenario import load_scenario

CATALOG = drill_catalog(addresses(21_000), load_scenario("calm"))
ENDPOINT = "polygon/aggs-aapl-1d"
DOWN = Fault(0, 5.0, 10.0, Match("polygon", "polygon"), FaultKind.DOWN)
ERRORS = Fault(1, 5.0, 10.0, Match("polygon", "massive"), FaultKind.SERVER_ERROR)


def seconds(number):
    return timedelta(seconds=number)


def reading():
    return Reading("AAPL", "1d", (Point(EPOCH, "close", 1.0),), EPOCH)


def read(number, at_s, took_s=0.2, end=None):
    asked_at = EPOCH + seconds(at_s)
    if end is None:
        end = Answer(
            request_id=UUID(int=number),
            endpoint=ENDPOINT,
            fidelity=Fidelity.EXACT,
            as_of=EPOCH,
            fetched_at=asked_at,
            reading=reading(),
            body=b"",
            strategy=PLAIN,
            provider="polygon",
            attempts=1,
            seconds=took_s,
        )
    return Read(Arrival(at_s, ENDPOINT), f"r{number}", asked_at, asked_at + seconds(took_s), end)


def failed(number):
    verdict = Verdict(FailureClass.SERVER_ERROR, "HTTP 500")
    return HealingFailed(UUID(int=number), ENDPOINT, verdict, (), 1, 0.2)


def attempt(number, at_s, strategy=PLAIN, failure="ok", calls=1, host="polygon", **more):
    return Attempt(
        id=UUID(int=1000 + number),
        request_id=UUID(int=number),
        attempt_no=more.get("attempt_no", 1),
        at=EPOCH + seconds(at_s),
        origin="reader",
        source="polygon",
        endpoint=ENDPOINT,
        strategy=strategy,
        host=host if calls else None,
        key_name="primary" if calls else None,
        failure_class=failure,
        evidence="",
        healed=failure == "ok",
        fidelity=None,
        seconds=0.1,
        status=None,
        upstream_calls=calls,
    )


def evidence(*attempts, log=None, faults=(DOWN, ERRORS)):
    by_request = {}
    for each in attempts:
        by_request.setdefault(each.request_id, []).append(each)
    return Evidence(CATALOG, FaultPlan(1, tuple(faults)), EPOCH, log or {}, by_request)


def served(fault=None, status=200):
    return {"fault": fault, "status": status}


def test_a_plain_call_that_the_log_knows_of_met_what_the_log_says():
    known = evidence(attempt(1, 6, failure="server_error"), log={"r1.1": served(1, 500)})
    fate = fate_of(read(1, 6), known)
    assert (fate.hit, fate.fault, fate.healing_from_s) == (True, ERRORS, 0.1)


def test_a_plain_call_that_never_arrived_is_laid_to_the_fault_that_covered_it():
    fate = fate_of(read(1, 6), evidence(attempt(1, 6, failure="network_error")))
    assert (fate.hit, fate.fault) == (True, DOWN)


def test_a_plain_call_that_was_well_met_nothing_whatever_the_script_says():
    fate = fate_of(read(1, 6), evidence(attempt(1, 6), log={"r1.1": served()}))
    assert not fate.hit
    assert fate.fault is None


def test_a_lie_that_nobody_recognised_was_met():
    frozen = Fault(0, 5.0, 10.0, Match("polygon"), FaultKind.FROZEN_VALUE)
    known = evidence(attempt(1, 6), log={"r1.1": served(0)}, faults=[frozen])
    assert fate_of(read(1, 6), known).hit


def test_a_call_that_a_fetched_session_let_through_met_the_fault_that_ended_the_one_before():
    ended = Fault(0, 5.0, 10.0, Match("polygon"), FaultKind.AUTH_ERROR)
    for at_s, marks, hit in ((6, {"r1.1"}, True), (6, {"r2.1"}, False), (16, {"r1.1"}, False)):
        known = evidence(attempt(1, at_s), log={"r1.1": served()}, faults=[ended])
        fate = fate_of(read(1, at_s), replace(known, with_session=marks))
        assert (fate.hit, fate.by_session) == (hit, hit)
    known = evidence(attempt(1, 6), log={"r1.1": served()})  # servers fail: no session helps
    assert not fate_of(read(1, 6), replace(known, with_session={"r1.1"})).hit


@pytest.mark.parametrize("strategy", ["alternate_host", "rotate_api_key", "use_cached_data"])
def test_a_request_that_a_breaker_kept_from_the_primary_would_have_met_its_fault(strategy):
    calls = 0 if strategy == "use_cached_data" else 1
    first = attempt(1, 6, strategy, calls=calls, host="massive")
    known = evidence(first, log={"r1.1": served()})
    fate = fate_of(read(1, 6), known)
    assert (fate.hit, fate.fault, fate.healing_from_s) == (True, DOWN, 0.0)
    # The same, after the fault: the breaker is still open, the primary is well again.
    late = evidence(attempt(1, 16, strategy, calls=calls, host="massive"))
    assert not fate_of(read(1, 16), late).hit


def test_a_plain_call_that_our_own_limits_refused_met_nothing_by_itself():
    refused = attempt(1, 2, failure="rate_limit", calls=0)
    assert not fate_of(read(1, 2), evidence(refused)).hit
    during = attempt(1, 6, failure="rate_limit", calls=0)
    assert fate_of(read(1, 6), evidence(during)).fault is DOWN


def test_good_data_that_was_called_bad_is_no_fault_of_the_script():
    known = evidence(attempt(1, 2, failure="stale_data"), log={"r1.1": served()})
    fate = fate_of(read(1, 2), known)
    assert (fate.hit, fate.misjudged) == (False, True)
    # A busy machine and a spent quota are no misjudgements.
    for failure, status in (("timeout", 200), ("rate_limit", 200), ("server_error", 502)):
        other = evidence(attempt(1, 2, failure=failure), log={"r1.1": served(None, status)})
        fate = fate_of(read(1, 2), other)
        assert (fate.hit, fate.misjudged) == (True, False)


def test_who_shared_an_answer_shares_the_fate_of_who_asked():
    leader = read(1, 6.0)
    shared = read(2, 6.1, end=leader.end)
    other = read(3, 6.15)
    known = evidence(attempt(1, 6), attempt(3, 6))
    assert leaders([leader, other, shared], known) == {}  # it has the leader's own request id
    own = replace(leader.end, request_id=UUID(int=2), shared=True)
    assert leaders([leader, other, read(2, 6.16, end=own)], known)["r2"] is leader


def test_a_shared_failure_is_that_of_the_last_who_asked_before_and_was_not_answered():
    known = evidence(attempt(1, 6), attempt(2, 6), attempt(3, 6), attempt(4, 6))
    early = read(1, 5.0, took_s=2.0, end=failed(1))
    answered = read(2, 6.0, took_s=0.05, end=failed(2))
    leader = read(3, 6.0, end=failed(3))
    later = read(4, 6.15, end=failed(4))
    joined = read(5, 6.1, end=failed(5))
    assert leaders([early, answered, leader, later, joined], known) == {"r5": leader}


def test_a_request_that_led_nobody_and_followed_nobody_stands_for_itself():
    known = evidence(attempt(1, 6))
    assert leaders([read(1, 6), read(2, 9)], known) == {}


def test_every_attempt_that_fails_notices_the_fault_it_met():
    first = attempt(1, 6.0, failure="network_error")
    second = attempt(1, 6.1, "alternate_host", "server_error", host="massive", attempt_no=2)
    known = evidence(first, second, log={"r1.2": served(1, 500)})
    seen = sightings([read(1, 6)], [], known)
    # Begun at 6.0 and 6.1, a tenth of a second each; the faults began at 5.
    assert seen.first(DOWN) == pytest.approx(1.1)
    assert seen.first(ERRORS) == pytest.approx(1.2)


def test_a_call_that_was_never_sent_notices_nothing():
    refused = attempt(1, 6.0, failure="network_error", calls=0)
    assert sightings([read(1, 6)], [], evidence(refused)).first(DOWN) is None


def test_a_probe_notices_the_fault_of_the_way_it_took():
    def probe(at_s, host, failure="server_error"):
        return ProbeResult(
            id=UUID(int=9),
            at=EPOCH + seconds(at_s),
            source="polygon",
            endpoint=ENDPOINT,
            host=host,
            key_name="primary",
            failure_class=failure,
            evidence="",
            seconds=0.25,
            status=None,
            as_of=None,
        )

    facts = [probe(7, "massive"), probe(8, "polygon"), probe(6, "polygon", "ok")]
    seen = sightings([], facts, evidence())
    assert seen.first(ERRORS) == pytest.approx(2.25)
    assert seen.first(DOWN) == pytest.approx(3.25)


def test_what_is_noticed_before_a_fault_is_something_else():
    early = attempt(1, 4.0, failure="network_error")
    assert sightings([read(1, 4)], [], evidence(early)).first(DOWN) is None
