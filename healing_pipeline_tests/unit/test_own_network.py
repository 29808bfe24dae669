"""Whose fault it is that nobody answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.healing.plan import Plan
from healing_pipeline.incidents.diagnosis import RootCause, diagnose, root_cause_of
from healing_pipeline.incidents.own_network import LEAST_HOSTS, LOST, Place, judge
from healing_pipeline.probing.classification import GENERIC
from healing_pipeline.probing.classification import judge as judge_response
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import NoAnswer, RequestLine, Response, Verdict

places = st.lists(
    st.builds(
        Place,
        owner=st.sampled_from(["yahoo", "fred", "polygon", "dns.google:443"]),
        host=st.sampled_from(["a.test", "b.test", "c.test", "d.test"]),
        port=st.sampled_from([80, 443]),
    ),
    max_size=12,
)
failures = st.sampled_from([each for each in FailureClass if each.is_failure])


@given(reached=places.filter(bool), silent=places)
def test_one_who_answers_proves_our_connection(reached, silent):
    judgement = judge(reached, silent)
    assert not judgement.ours
    assert reached[0].host in judgement.evidence


@given(silent=places)
def test_it_is_ours_when_three_hosts_of_two_owners_are_silent_and_nobody_answers(silent):
    hosts = {(each.host, each.port) for each in silent}
    owners = {each.owner for each in silent}
    assert judge([], silent).ours == (len(hosts) >= 3 and len(owners) >= 2)


@given(silent=places, again=st.randoms())
def test_neither_the_order_nor_being_asked_twice_changes_the_judgement(silent, again):
    shuffled = [*silent, *silent]
    again.shuffle(shuffled)
    assert judge([], shuffled) == judge([], silent)


def test_many_ports_of_one_owner_tell_nothing_of_our_connection():
    silent = [Place("yahoo", "query.test", port) for port in range(LEAST_HOSTS + 5)]
    assert not judge([], silent).ours


@given(failure=failures)
def test_while_we_are_cut_off_a_lost_call_is_our_networks_and_nothing_else_is(failure):
    cause = root_cause_of(Verdict(failure, "seen"), own_outage=True)
    assert (cause is RootCause.OUR_NETWORK) == (failure in LOST)
    assert root_cause_of(Verdict(failure, "seen")) is not RootCause.OUR_NETWORK


def test_a_name_that_does_not_resolve_is_neither_the_host_nor_the_provider_down():
    response = Response(no_answer=NoAnswer.UNRESOLVED, detail="api.test: Name or service not known")
    seen = judge_response(response, RequestLine(), GENERIC)
    assert seen.failure_class is FailureClass.NETWORK_ERROR
    assert "the name does not resolve: api.test" in seen.evidence
    assert diagnose("yahoo/x", seen, Plan((), (), 0.0)).root_cause is RootCause.NAME
    refused = judge_response(Response(no_answer=NoAnswer.NETWORK), RequestLine(), GENERIC)
    assert root_cause_of(refused) is RootCause.HOST_DOWN


def test_a_body_that_speaks_of_names_is_no_matter_of_dns():
    body = b'{"error": "no answer, the name does not resolve"}'
    seen = judge_response(Response(503, {}, body), RequestLine(), GENERIC)
    assert root_cause_of(seen) is RootCause.PROVIDER_DOWN
