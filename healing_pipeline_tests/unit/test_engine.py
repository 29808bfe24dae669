"""The data path: one deadline, honest labels, every attempt on record."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import START, World, bad, good, rows

from healing_pipeline.catalog.values import Quota
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.answer import Answer, HealingFailed
from healing_pipeline.healing.behind import LOOK_EVERY_S, look_spacing_s
from healing_pipeline.healing.facts import AnswerFact, Attempt, SnapshotFact
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.memory import Route
from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.probing.failure_class import FailureClass

FAILURES = [each for each in FailureClass if each.is_failure]

steps = st.one_of(
    st.sampled_from(FAILURES).map(bad),
    st.floats(min_value=0.0, max_value=10.0).map(
        lambda seconds: replace(good(), elapsed_s=seconds)
    ),
    st.floats(min_value=0.0, max_value=100.0),
)


@given(script=st.lists(steps, min_size=1, max_size=6), deadline=st.floats(0.2, 5.0))
def test_whatever_the_upstream_does_the_deadline_holds(script, deadline):
    answers = iter(script * 10)
    world = World(lambda request, at: next(answers))
    end = world.fetch(deadline_s=deadline)
    assert isinstance(end, Answer | HealingFailed)
    assert world.time.elapsed <= deadline + 1e-6


@given(
    script=st.lists(steps, min_size=1, max_size=6),
    accepts=st.sets(st.sampled_from(Fidelity)).map(lambda some: frozenset(some | {Fidelity.EXACT})),
    warm=st.booleans(),
)
def test_an_answer_never_has_a_label_the_reader_does_not_accept(script, accepts, warm):
    answers = iter(([good()] if warm else []) + script * 10)
    world = World(lambda request, at: next(answers), accepts=accepts)
    if warm:
        world.observe()
    end = world.fetch()
    assert isinstance(end, HealingFailed) or end.fidelity in accepts


@given(script=st.lists(steps, min_size=1, max_size=6))
def test_every_upstream_call_is_on_record_and_every_request_ends_once(script):
    answers = iter(script * 10)
    world = World(lambda request, at: next(answers))
    end = world.fetch()
    attempts = world.facts_of(Attempt)
    assert sum(each.upstream_calls for each in attempts) == len(world.sent) == end.attempts
    assert [each.attempt_no for each in attempts] == list(range(1, len(attempts) + 1))
    (fact,) = world.facts_of(AnswerFact)
    assert fact.failed == isinstance(end, HealingFailed)
    assert fact.request_id == end.request_id


def test_a_healthy_request_costs_one_call_and_is_remembered():
    world = World(lambda request, at: good(value=12.5))
    end = world.fetch()
    assert end.fidelity is Fidelity.EXACT
    assert end.strategy == "plain"
    assert end.attempts == 1
    assert end.reading.points[0].value == 12.5
    assert len(world.facts_of(SnapshotFact)) == 1


def test_a_failure_says_when_its_source_may_be_asked_again():
    limited = replace(bad(FailureClass.RATE_LIMIT), headers={"retry-after": "30"})
    world = World(lambda request, at: limited)
    end = world.fetch()
    told_at = world.time.elapsed
    assert isinstance(end, HealingFailed)
    assert 25 < end.retry_after_s <= 30
    world.time.elapsed = told_at + end.retry_after_s + 0.01
    world.script = lambda request, at: good()
    assert world.fetch().strategy == "plain"


def test_a_failure_that_closed_nothing_says_no_time():
    end = World(lambda request, at: bad(FailureClass.NOT_FOUND)).fetch()
    assert isinstance(end, HealingFailed)
    assert end.retry_after_s is None


def test_a_failure_that_passes_is_healed_exactly_by_asking_again():
    answers = iter([bad(FailureClass.SERVER_ERROR), good()])
    world = World(lambda request, at: next(answers))
    end = world.fetch()
    assert (end.fidelity, end.strategy, end.attempts) == (
        Fidelity.EXACT,
        "exponential_backoff_retry",
        2,
    )


def test_a_rate_limit_is_never_answered_with_more_requests():
    answers = iter([good(), bad(FailureClass.RATE_LIMIT)])
    world = World(lambda request, at: next(answers))
    world.fetch()
    world.time.elapsed += 60
    end = world.fetch()
    assert (end.fidelity, end.strategy, end.attempts) == (Fidelity.STALE, "use_cached_data", 1)
    assert end.fetched_at < world.time.now()


def test_a_stale_answer_says_when_its_data_was_fetched():
    answers = iter([good(), *[bad(FailureClass.QUOTA_EXHAUSTED)] * 9])
    world = World(lambda request, at: next(answers))
    world.fetch()
    world.time.elapsed += 300
    end = world.fetch()
    assert (world.time.now() - end.fetched_at).total_seconds() == pytest.approx(300, abs=0.2)


def test_a_request_too_slow_at_full_size_is_answered_coarser():
    # The clock of this world adds up the two calls of a race, which in truth run side by side.
    world = World(lambda request, at: 30.0 if rows(request) > 60 else good(), deadline_s=4.0)
    end = world.fetch()
    assert (end.fidelity, end.strategy) == (Fidelity.COARSER, "reduce_request_size")
    assert rows(world.sent[-1]) == 50


def test_coarser_data_is_not_kept_as_the_last_good_data():
    world = World(lambda request, at: 30.0 if rows(request) > 60 else good())
    world.fetch()
    assert len(world.snapshots) == 0


def test_data_older_than_a_quarter_of_an_hour_is_not_served():
    answers = iter([good(), *[bad(FailureClass.RATE_LIMIT)] * 9])
    world = World(lambda request, at: next(answers))
    world.fetch()
    world.time.elapsed += 16 * 60
    end = world.fetch()
    assert isinstance(end, HealingFailed)
    assert any("old" in each.evidence for each in end.tried)


def test_a_failure_tells_why_each_strategy_did_not_help():
    world = World(lambda request, at: bad(FailureClass.AUTH_ERROR))
    end = world.fetch()
    assert isinstance(end, HealingFailed)
    assert {each.strategy for each in end.tried} == {each.name for each in STRATEGIES}
    assert all(each.evidence for each in end.tried)


def test_a_number_that_jumps_threefold_between_two_looks_is_not_believed():
    answers = iter([good(10.0), good(1000.0), good(1000.0), good(1000.0)])
    world = World(lambda request, at: next(answers))
    world.fetch()
    end = world.fetch()
    assert end.fidelity is Fidelity.STALE
    assert end.reading.points[0].value == 10.0


def test_data_that_goes_back_in_time_is_not_passed_off_as_new():
    answers = iter([good(as_of=600.0), *[good(as_of=0.0)] * 9])
    world = World(lambda request, at: next(answers))
    world.time.elapsed = 600
    world.fetch()
    end = world.fetch()
    assert end.fidelity is Fidelity.STALE
    assert (end.as_of - START).total_seconds() == 600


def test_data_older_than_the_endpoint_allows_is_stale_even_when_the_upstream_says_ok():
    world = World(lambda request, at: good(as_of=0.0), max_age_s=900)
    world.time.elapsed = 1000
    end = world.fetch()
    assert isinstance(end, HealingFailed)
    assert end.verdict.failure_class is FailureClass.STALE_DATA


def test_a_reader_after_the_incident_does_not_pay_for_a_failed_first_call():
    answers = iter([good(), *[bad(FailureClass.RATE_LIMIT)] * 9])
    world = World(lambda request, at: next(answers))
    world.fetch()
    world.routes.put(
        Route("line/x", "use_cached_data", Fidelity.STALE, FailureClass.RATE_LIMIT, incident_id=7)
    )
    end = world.fetch()
    assert (end.fidelity, end.attempts) == (Fidelity.STALE, 0)
    assert world.facts_of(AnswerFact)[-1].failure_class == FailureClass.RATE_LIMIT


def test_a_route_that_no_longer_works_falls_back_to_the_whole_plan():
    world = World(lambda request, at: good())
    world.routes.put(
        Route("line/x", "use_cached_data", Fidelity.STALE, FailureClass.RATE_LIMIT, incident_id=7)
    )
    end = world.fetch()
    assert (end.fidelity, end.strategy, end.attempts) == (Fidelity.EXACT, "plain", 1)


def test_an_endpoint_that_is_not_catalogued_is_our_fault_and_names_the_cure():
    world = World(lambda request, at: good())
    with pytest.raises(ConfigurationError, match="healing probe"):
        asyncio.run(world.engine.fetch("line/unknown"))


def test_no_fact_holds_the_key():
    world = World(lambda request, at: bad(FailureClass.AUTH_ERROR))
    world.fetch()
    assert "s3cret" not in repr(world.facts)


def test_attempts_are_numbered_from_one_whoever_begins():
    answers = iter([good(), *[bad(FailureClass.RATE_LIMIT)] * 9])
    world = World(lambda request, at: next(answers))
    world.fetch()
    world.routes.put(
        Route("line/x", "use_cached_data", Fidelity.STALE, FailureClass.RATE_LIMIT, incident_id=7)
    )
    end = world.fetch()
    (first, *_) = [each for each in world.facts_of(Attempt) if each.request_id == end.request_id]
    assert (first.attempt_no, first.strategy) == (1, "use_cached_data")


def test_behind_a_route_the_primary_is_asked_now_and_then_and_nobody_waits_for_it():
    world = World(lambda request, at: good())
    world.fetch()
    world.routes.put(
        Route("line/x", "use_cached_data", Fidelity.STALE, FailureClass.RATE_LIMIT, incident_id=7)
    )

    async def read_for_a_minute():
        for _ in range(60):
            end = await world.engine.fetch("line/x")
            assert (end.strategy, end.attempts) == ("use_cached_data", 0)
            await asyncio.sleep(0)
            world.time.elapsed += 1

    asyncio.run(read_for_a_minute())
    looks = [
        each for each in world.facts_of(Attempt)
        if each.strategy == "plain" and each.attempt_no == 2
    ]  # fmt: skip
    assert len(looks) == 60 / LOOK_EVERY_S


@given(
    per_minute=st.none() | st.integers(1, 1000),
    per_day=st.none() | st.integers(1, 100_000),
    share=st.floats(0.01, 1.0),
)
def test_looks_behind_routes_stay_within_the_probes_share(per_minute, per_day, share):
    spacing = look_spacing_s(Quota(per_minute=per_minute, per_day=per_day), share)
    assert spacing >= LOOK_EVERY_S
    if per_minute is not None:
        assert 60 / spacing <= max(1.0, per_minute * share) * (1 + 1e-9)
    if per_day is not None:
        assert 86_400 / spacing <= max(1.0, per_day * share) * (1 + 1e-9)
