"""What holds of every diagnosis, whatever the evidence."""

from __future__ import annotations

import os
from dataclasses import replace

from diagnosis_world import HOSTS, KEYS, PLACES, at, call, evidence
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_pipeline.incidents.detection import severity_of
from healing_pipeline.incidents.diagnosis import PlaceKind, RootCause, find_causes
from healing_pipeline.incidents.evidence import Evidence
from healing_pipeline.incidents.next_looks import worth_asking
from healing_pipeline.incidents.own_network import LOST, Judgement
from healing_pipeline.probing.failure_class import FailureClass

few = settings(max_examples=int(os.environ.get("DIAGNOSIS_EXAMPLES", "40")))

FAILURES = [each for each in FailureClass if each.is_failure]
names = st.sampled_from(sorted(PLACES))
times = st.sampled_from([-20.0, -1.0, 0.0, 0.5, 1.0, 4.0, 9.0])


@st.composite
def calls(draw):
    name = draw(names)
    source = PLACES[name].source
    how = draw(st.sampled_from(["probe", "probe", "plain", "alternate_host", "fallback_provider"]))
    return call(
        name,
        draw(st.sampled_from([FailureClass.OK, FailureClass.OK, *FAILURES])),
        s=draw(times),
        host=draw(st.sampled_from(HOSTS[source])),
        key=draw(st.sampled_from(KEYS[source])) if KEYS[source] else None,
        how=how,
    )


worlds = st.builds(
    lambda seen, ours, groups: evidence(
        *seen,
        own_outage=None if ours is None else Judgement(ours, "asked around"),
        failing_together=tuple(groups),
    ),
    st.lists(calls(), max_size=16),
    st.sampled_from([None, None, False, True]),
    st.lists(st.frozensets(names, min_size=2, max_size=4), max_size=2),
)


def without_words(world: Evidence) -> list[tuple[object, ...]]:
    return [
        (each.root_cause, each.place, each.scope, each.members, each.severity)
        for each in find_causes(world)
    ]


@given(world=worlds)
@few
def test_every_incident_is_in_exactly_one_cause(world):
    members = [each for cause in find_causes(world) for each in cause.members]
    assert sorted(members) == sorted(each.incident_id for each in world.failing)


@given(world=worlds)
@few
def test_a_scope_has_the_endpoints_of_its_members_and_no_cause_spans_two_sources(world):
    by_id = {each.incident_id: each for each in world.failing}
    for cause in find_causes(world):
        assert {by_id[each].endpoint for each in cause.members} <= set(cause.scope)
        assert cause.scope == tuple(sorted(set(cause.scope)))
        sources = {each.split("/")[0] for each in cause.scope}
        assert len(sources) == 1 or cause.root_cause is RootCause.OUR_NETWORK
        assert cause.place.source in (None, *sources)


@given(world=worlds)
@few
def test_the_chain_ends_in_the_verdict(world):
    for cause in find_causes(world):
        assert len(cause.chain) >= 2
        assert str(cause.root_cause) in cause.chain[-1].follows
        assert all(each.question and each.found and each.follows for each in cause.chain)


@given(world=worlds, how=st.randoms())
@few
def test_neither_the_order_of_evidence_nor_saying_it_again_changes_anything(world, how):
    seen, open_ones, places = list(world.seen), list(world.failing), list(world.endpoints.items())
    for each in (seen, open_ones, places):
        how.shuffle(each)
    shuffled = replace(world, seen=tuple(seen), failing=tuple(open_ones), endpoints=dict(places))
    assert find_causes(shuffled) == find_causes(world) == find_causes(world)


@given(world=worlds)
@few
def test_an_outage_of_our_own_takes_only_what_was_lost_and_others_take_none_of_it(world):
    by_id = {each.incident_id: each for each in world.failing}
    judgement = world.own_outage
    for cause in find_causes(world):
        ours = cause.root_cause is RootCause.OUR_NETWORK
        assert ours == (cause.place.kind is PlaceKind.NETWORK)
        if ours:
            assert judgement is not None
            assert judgement.ours
            assert {by_id[each].failure_class for each in cause.members} <= LOST


@given(world=worlds)
@few
def test_no_cause_is_milder_than_the_worst_of_its_members(world):
    by_id = {each.incident_id: each for each in world.failing}
    order = list(type(severity_of(FailureClass.TIMEOUT)))
    for cause in find_causes(world):
        worst = max(order.index(severity_of(by_id[each].failure_class)) for each in cause.members)
        assert order.index(cause.severity) >= worst


@given(
    name=names,
    failure=st.sampled_from(FAILURES),
    good=st.sets(st.sampled_from([1.0, 2.0, 5.0, 9.0]), min_size=1),
)
@few
def test_a_source_that_answers_everywhere_else_is_never_down_as_a_whole(name, failure, good):
    source = PLACES[name].source
    others = [each for each in PLACES if PLACES[each].source == source and each != name]
    world = evidence(
        call(name, failure, s=0),
        call(name, failure, s=0.5),
        *(call(each, s=s, host=host) for each in others for s in good for host in HOSTS[source]),
    )
    (cause,) = find_causes(world)
    assert cause.place.kind is not PlaceKind.SOURCE
    assert name in cause.scope


@given(
    source=st.sampled_from(sorted(HOSTS)),
    failure=st.sampled_from(sorted(LOST | {FailureClass.SERVER_ERROR, FailureClass.AUTH_ERROR})),
    first=st.integers(2, 3),
    again=st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.0, 0.5, 3.0])), max_size=8),
)
@few
def test_more_of_the_same_never_changes_the_cause(source, failure, first, again):
    own = [each for each in PLACES if PLACES[each].source == source]
    kept = [call(each, failure, s=0, evidence="key refused") for each in own[-first:]]
    more = [call(own[n % len(own)], failure, s=s, evidence="key refused") for n, s in again]
    (before,) = find_causes(evidence(*kept))
    (after,) = find_causes(evidence(*kept, *more))
    assert (after.root_cause, after.scope) == (before.root_cause, before.scope)


@given(world=worlds, most=st.integers(1, 4))
@few
def test_what_is_worth_asking_was_not_asked_and_is_of_a_source_that_fails(world, most):
    told = worth_asking(world, most)
    assert len(told) == len(set(told))
    sources = {each.source for each in world.failing}
    for name in told:
        assert PLACES[name].source in sources
        assert name not in {each.endpoint for each in world.failing}
    for source in sources:
        assert sum(PLACES[each].source == source for each in told) <= most


def test_the_look_that_tells_a_part_from_the_whole_is_asked_for():
    charts = [each for each in PLACES if each.startswith("yahoo/chart")]
    world = evidence(*(call(each, FailureClass.SERVER_ERROR, s=0) for each in charts))
    assert worth_asking(world)[0].startswith("yahoo/quote")
    answered = evidence(*world.seen, call("yahoo/quote-spy", s=1), call("yahoo/quote-aapl", s=1))
    assert worth_asking(answered) == ()


def test_calls_that_are_counted_by_the_day_are_not_spent_on_telling_faults_apart():
    charts = [each for each in PLACES if each.startswith("yahoo/chart")]
    world = evidence(*(call(each, FailureClass.SERVER_ERROR, s=0) for each in charts))
    scarce = {name: replace(each, is_scarce=True) for name, each in PLACES.items()}
    assert worth_asking(world)
    assert worth_asking(replace(world, endpoints=scarce)) == ()


def test_nobody_is_asked_while_we_are_cut_off():
    ours = Judgement(True, "nobody can be reached")
    lost = [call(each, FailureClass.TIMEOUT, s=0) for each in list(PLACES)[:3]]
    assert worth_asking(evidence(*lost, own_outage=ours)) == ()
    assert at(0) < evidence().now
