"""What is said of faults that a person on call would know at a glance."""

from __future__ import annotations

from dataclasses import replace

import pytest
from diagnosis_world import (
    FRED,
    PLACES,
    POLYGON,
    YAHOO,
    at,
    call,
    evidence,
    failing,
    said,
    the_cause,
)

from healing_pipeline.healing.plan import Plan
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.diagnosis import (
    PlaceKind,
    RootCause,
    diagnose,
    find_causes,
)
from healing_pipeline.incidents.own_network import Judgement
from healing_pipeline.probing.classification import NO_NAME
from healing_pipeline.probing.failure_class import FailureClass as F
from healing_pipeline.probing.response import Verdict

CHARTS = tuple(name for name in YAHOO if "chart" in name)
QUOTES = tuple(name for name in YAHOO if "quote" in name)
BOTH = (*YAHOO, *FRED)
PAGE = "HTTP 200, Yahoo: HTML page 'Yahoo Finance ... We are down for maintenance' instead of data"


def test_one_host_is_blamed_when_the_other_answers():
    cause = the_cause(
        evidence(
            *(call(each, F.TIMEOUT, s=0) for each in CHARTS),
            *(call(each, host="query2", how="alternate_host") for each in CHARTS),
        )
    )
    assert (cause.root_cause, str(cause.place)) == (RootCause.HOST_DOWN, "host query1 of yahoo")
    assert set(cause.scope) == set(YAHOO), "quotes go there too, though nobody has asked them"
    assert "query1 failed 4 of 4 calls; query2 answered 4 of 4" in said(cause)
    assert "it is host query1, not yahoo" in said(cause)


def test_the_provider_is_blamed_when_the_other_host_fails_as_well():
    cause = the_cause(
        evidence(
            *(call(each, F.SERVER_ERROR, s=0) for each in CHARTS[:2]),
            *(
                call(each, F.SERVER_ERROR, host="query2", how="alternate_host")
                for each in CHARTS[:2]
            ),
        )
    )
    assert (cause.root_cause, str(cause.place)) == (RootCause.PROVIDER_DOWN, "yahoo")
    assert set(cause.scope) == set(YAHOO)


def test_a_source_with_one_host_is_the_provider():
    cause = the_cause(evidence(*(call(each, F.NETWORK_ERROR, s=0) for each in FRED)))
    assert (cause.root_cause, cause.place.kind) == (RootCause.PROVIDER_DOWN, PlaceKind.SOURCE)
    assert "host and provider are one" in said(cause)


def test_one_outage_that_shows_itself_in_many_ways_is_one_cause():
    cause = the_cause(
        evidence(
            call(CHARTS[0], F.TIMEOUT, s=0),
            call(CHARTS[1], F.NETWORK_ERROR, s=0.1),
            call(QUOTES[0], F.INVALID_DATA, s=0.2, evidence=PAGE),
            call(CHARTS[2], F.SERVER_ERROR, s=0.3),
        )
    )
    assert (cause.root_cause, str(cause.place)) == (RootCause.PROVIDER_DOWN, "yahoo")
    assert len(cause.members) == 4
    assert "one fault that shows itself in several ways" in said(cause)


def test_a_part_is_told_from_the_whole_by_who_answers_since():
    bad = [call(each, F.SERVER_ERROR, s=0) for each in CHARTS[:3]]
    whole = the_cause(evidence(*bad))
    part = the_cause(evidence(*bad, *(call(each) for each in QUOTES)))
    assert set(whole.scope) == set(YAHOO)
    assert set(part.scope) == set(CHARTS)
    assert part.root_cause is RootCause.PROVIDER_DOWN
    assert "not all of yahoo" in said(part)


def test_good_news_from_before_says_nothing():
    bad = [call(each, F.SERVER_ERROR, s=0) for each in CHARTS[:3]]
    before = the_cause(evidence(*bad, *(call(each, s=-30) for each in QUOTES)))
    assert set(before.scope) == set(YAHOO)


def test_a_lost_ticker_is_its_own_matter():
    cause = the_cause(
        evidence(
            call(CHARTS[0], F.NOT_FOUND, s=0),
            *(call(each) for each in (*CHARTS[1:], *QUOTES)),
        )
    )
    assert (cause.root_cause, cause.scope) == (RootCause.REQUEST, (CHARTS[0],))
    assert cause.severity is Severity.INFO


def test_two_lost_tickers_are_two_causes():
    found = find_causes(
        evidence(
            *(call(each, F.NOT_FOUND, s=0) for each in CHARTS[:2]),
            *(call(each) for each in (*CHARTS[2:], *QUOTES)),
        )
    )
    assert [each.scope for each in found] == [(CHARTS[0],), (CHARTS[1],)]


def test_a_key_is_blamed_when_a_spare_is_accepted():
    cause = the_cause(
        evidence(
            *(call(each, F.AUTH_ERROR, s=0, evidence="bad api_key") for each in list(FRED)[:2]),
            *(call(each, key="spare", how="rotate_api_key") for each in list(FRED)[:2]),
        )
    )
    assert (cause.root_cause, str(cause.place)) == (RootCause.KEY, "key primary of fred")
    assert set(cause.scope) == set(FRED)
    assert "it is key primary" in said(cause)


def test_every_key_refused_is_no_matter_of_one_key():
    cause = the_cause(
        evidence(
            *(call(each, F.AUTH_ERROR, s=0, evidence="bad api_key") for each in FRED),
            *(
                call(each, F.AUTH_ERROR, key="spare", how="rotate_api_key", evidence="bad api_key")
                for each in FRED
            ),
        )
    )
    assert (cause.root_cause, str(cause.place)) == (RootCause.KEY, "fred")
    assert "no key of ours is let through: our account, or the provider's sign-in" in said(cause)


def test_a_limit_is_the_keys_where_there_are_keys_and_ours_where_there_are_none():
    limited = [call(each, F.RATE_LIMIT, s=0) for each in list(POLYGON)[:2]]
    spare = [call(each, key="spare", how="rotate_api_key") for each in list(POLYGON)[:2]]
    keyed = the_cause(evidence(*limited, *spare))
    assert (keyed.root_cause, str(keyed.place)) == (RootCause.QUOTA, "key primary of polygon")
    address = the_cause(evidence(*(call(each, F.RATE_LIMIT, s=0) for each in CHARTS)))
    assert (address.root_cause, str(address.place)) == (RootCause.QUOTA, "yahoo")
    assert "by our address" in said(address)


def test_a_plan_that_leaves_out_minutes_is_a_plan_and_those_minutes():
    minutes = [name for name in POLYGON if name.endswith("5m")]
    cause = the_cause(
        evidence(
            *(call(each, F.PLAN_LIMIT, s=0) for each in minutes),
            *(call(each) for each in POLYGON if each not in minutes),
        )
    )
    assert (cause.root_cause, set(cause.scope)) == (RootCause.PLAN, set(minutes))
    assert "5/minute" in str(cause.place)


def test_a_name_that_does_not_resolve_is_named():
    lost = [call(each, F.NETWORK_ERROR, s=0, evidence=f"{NO_NAME}: gone") for each in CHARTS]
    good = [call(each, host="query2", how="alternate_host") for each in CHARTS]
    cause = the_cause(evidence(*lost, *good))
    assert (cause.root_cause, cause.place.kind) == (RootCause.NAME, PlaceKind.HOST)


def test_two_faults_at_one_source_at_once_stay_two():
    found = find_causes(
        evidence(
            *(call(each, F.PLAN_LIMIT, s=0) for each in QUOTES),
            *(call(each, F.TIMEOUT, s=0) for each in CHARTS),
            *(call(each, F.TIMEOUT, host="query2", how="alternate_host") for each in CHARTS),
        )
    )
    assert {each.root_cause for each in found} == {RootCause.PLAN, RootCause.PROVIDER_DOWN}
    plan = next(each for each in found if each.root_cause is RootCause.PLAN)
    assert set(plan.scope) == set(QUOTES)
    assert "What else began within a minute of it?" in said(plan)


def test_what_failed_for_an_hour_is_not_drawn_into_what_began_now():
    old = failing(CHARTS[0], 90, F.EMPTY, s=-3600)
    now = evidence(
        call(CHARTS[0], F.EMPTY, s=-60),
        *(call(each, s=-60) for each in CHARTS[1:]),
        *(call(each, F.TIMEOUT, s=0) for each in CHARTS[1:]),
    )
    joined = replace(
        now, failing=(old, *(each for each in now.failing if each.endpoint != CHARTS[0]))
    )
    found = find_causes(joined)
    assert {each.members for each in found if each.root_cause is RootCause.DATA} == {(90,)}
    assert len(found) == 2


def test_two_sources_at_once_are_two_causes_also_when_they_failed_together_before():
    calls = [call(each, F.TIMEOUT, s=0) for each in BOTH]
    found = find_causes(evidence(*calls, failing_together=(frozenset(BOTH),)))
    assert [each.place.source for each in found] == ["yahoo", "fred"]
    assert "yahoo and fred failed together before: look for what they share" in said(found[0])


def test_known_to_fail_together_is_said_and_makes_one_thing_likelier():
    pair = [CHARTS[0], CHARTS[1]]
    calls = [call(each, F.NOT_FOUND, s=0) for each in pair]
    known = find_causes(evidence(*calls, failing_together=(frozenset(pair),)))
    assert any("Did they fail together before?" in said(each) for each in known)


def test_while_we_are_cut_off_one_cause_has_all_that_is_lost_and_blames_nobody():
    ours = Judgement(True, "none of 7 hosts can be reached: fred, yahoo")
    calls = [call(each, F.TIMEOUT, s=0) for each in BOTH]
    cause = the_cause(evidence(*calls, own_outage=ours))
    assert (cause.root_cause, str(cause.place)) == (RootCause.OUR_NETWORK, "our network")
    assert set(cause.scope) == set(PLACES)
    assert cause.severity is Severity.CRITICAL
    assert "none of 7 hosts can be reached" in said(cause)


def test_what_began_before_we_were_cut_off_stays_what_it_was():
    ours = Judgement(True, "none of 7 hosts can be reached")
    found = find_causes(
        evidence(
            *(call(each, F.TIMEOUT, s=-300) for each in CHARTS),
            *(call(each, s=-200) for each in FRED),
            *(call(each, F.TIMEOUT, s=0) for each in FRED),
            own_outage=ours,
        )
    )
    assert [each.root_cause for each in found] == [RootCause.PROVIDER_DOWN, RootCause.OUR_NETWORK]


def test_what_comes_and_goes_clears_nobody():
    flapping = [
        *(call(each, F.SERVER_ERROR, s=0) for each in CHARTS[:3]),
        *(call(each, F.SERVER_ERROR, s=0.3) for each in CHARTS[:3]),
        *(call(each, s=0.6, how="exponential_backoff_retry") for each in CHARTS[:3]),
        call(CHARTS[3], s=0.5),
    ]
    cause = the_cause(evidence(*flapping))
    assert CHARTS[3] in cause.scope
    assert "it comes and goes" in said(cause)


def test_a_hurried_call_that_is_late_elsewhere_is_no_second_host_down():
    lost = [call(each, F.NETWORK_ERROR, s=0) for each in CHARTS]
    late = [call(each, F.TIMEOUT, host="query2", how="alternate_host") for each in CHARTS[:3]]
    good = call(CHARTS[3], host="query2", how="alternate_host")
    assert the_cause(evidence(*lost, *late, good)).root_cause is RootCause.HOST_DOWN


def test_another_providers_answer_says_nothing_of_this_one():
    bad = [call(each, F.SERVER_ERROR, s=0) for each in CHARTS]
    other = [call(each, host="massive", how="fallback_provider") for each in CHARTS]
    assert find_causes(evidence(*bad)) == find_causes(evidence(*bad, *other))


def test_an_answer_to_another_question_clears_the_host_and_not_the_endpoint():
    lost = call(CHARTS[0], F.NOT_FOUND, s=0)
    proxied = [call(CHARTS[0], s=s, how="etf_proxy") for s in (1.0, 2.0, 3.0)]
    cause = the_cause(evidence(lost, *proxied))
    assert "comes and goes" not in said(cause)
    assert "failed 1 of 1 calls" in said(cause)
    late = [call(each, F.TIMEOUT, s=0) for each in CHARTS[:2]]
    smaller = [call(each, how="reduce_request_size") for each in CHARTS[:2]]
    assert the_cause(evidence(*late)).place.kind is PlaceKind.SOURCE
    assert the_cause(evidence(*late, *smaller)).place.kind is PlaceKind.PART


def test_an_incident_of_which_no_call_is_left_is_diagnosed_from_itself():
    old = failing("fred/gdp", 7, F.STALE_DATA, s=-7200)
    gone = failing("yahoo/removed", 8, F.TIMEOUT, s=-7200)
    found = find_causes(evidence(failing=(old, gone)))
    assert {each.members for each in found} == {(7,), (8,)}


def test_the_diagnosis_of_one_incident_takes_the_cause_and_else_speaks_for_itself():
    lost = Verdict(F.TIMEOUT, "no answer")
    cause = the_cause(evidence(*(call(each, F.TIMEOUT, s=0) for each in FRED)))
    joint = diagnose("fred/gdp", lost, Plan((), ()), cause=cause)
    assert (joint.scope, joint.place, joint.chain) == (cause.scope, cause.place, cause.chain)
    alone = diagnose("fred/gdp", lost, Plan((), ()))
    assert (alone.scope, alone.root_cause) == (("fred/gdp",), RootCause.HOST_DOWN)
    assert str(alone.place) == "fred/gdp"
    assert diagnose("fred/gdp", lost, Plan((), ()), own_outage=True).place.kind is PlaceKind.NETWORK


@pytest.mark.parametrize("failure", [each for each in F if each.is_failure])
def test_every_failure_class_has_a_cause_with_a_chain(failure):
    cause = the_cause(evidence(call("fred/gdp", failure, s=0)))
    assert cause.members == (PLACE_OF_GDP,)
    assert cause.chain[-1].follows == f"{cause.root_cause}, at {cause.place}"
    assert str(at(0).strftime("%H:%M:%S")) in said(cause)


PLACE_OF_GDP = list(PLACES).index("fred/gdp") + 1
