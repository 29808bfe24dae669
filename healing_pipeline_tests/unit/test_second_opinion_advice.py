"""An answer is taken whole or not at all; what it may cost is known before it is asked for."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_servers import written
from second_opinions import NONCE, NOW, PLAN, PRICES, matter_of

from healing_pipeline.incidents.cause import RootCause
from healing_pipeline.second_opinion.advice import Advice, Refused, read_advice
from healing_pipeline.second_opinion.breaking import LOST_AFTER_S, Ended, pause
from healing_pipeline.second_opinion.price import cost_usd, most_usd, tokens_of
from healing_pipeline.second_opinion.question import ask_about
from healing_pipeline.second_opinion.reply import ANSWERED, Outcome
from healing_pipeline.second_opinion.secrecy import Secrets

GOOD = json.loads(written(list(PLAN)))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    order=st.lists(st.sampled_from(PLAN), unique=True),
    cause=st.sampled_from(list(RootCause)),
    confidence=st.floats(0, 1),
    because=st.text(max_size=200),
)
def test_every_allowed_answer_is_taken(order, cause, confidence, because):
    text = json.dumps(
        {"root_cause": cause, "order": order, "confidence": confidence, "because": because}
    )
    read = read_advice(text, PLAN)
    assert isinstance(read, Advice)
    assert (read.order, read.root_cause, read.confidence) == (tuple(order), cause, confidence)
    assert read.because.isprintable()


@given(changed=st.dictionaries(st.sampled_from([*GOOD, "extra"]), json_values, min_size=1))
def test_nothing_but_an_allowed_answer_is_taken(changed):
    read = read_advice(json.dumps({**GOOD, **changed}), PLAN)
    if isinstance(read, Advice):
        assert set(read.order) <= set(PLAN)
        assert len(set(read.order)) == len(read.order)
        assert 0 <= read.confidence <= 1
        assert "extra" not in changed


@given(text=st.text(max_size=300))
def test_no_text_at_all_is_an_error(text):
    assert isinstance(read_advice(text, PLAN), Advice | Refused)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no JSON"),
        ("[" * 3000, "no JSON"),
        (f"Here you are: {written([])}", "no JSON"),
        (f"{written([])} Good luck!", "no JSON"),
        (f"```\n{written([])}\n```", "no JSON"),
        ('{"order": [], "order": []}', "no JSON"),
        ("[]", "no object"),
        ("null", "no object"),
        (json.dumps({**GOOD, "rotate": True}), "with 'rotate'"),
        (json.dumps({each: GOOD[each] for each in GOOD if each != "order"}), "without order"),
        (json.dumps({**GOOD, "order": [PLAN[0], PLAN[0]]}), "named twice"),
        (json.dumps({**GOOD, "order": [PLAN[0], "sudo"]}), "'sudo'"),
        (json.dumps({**GOOD, "order": PLAN[0]}), "no list"),
        (json.dumps({**GOOD, "order": [[PLAN[0]]]}), "no list"),
        (json.dumps({**GOOD, "root_cause": "gremlins"}), "'gremlins'"),
        (json.dumps({**GOOD, "confidence": 80}), "outside"),
        (json.dumps({**GOOD, "confidence": True}), "no number"),
        (json.dumps({**GOOD, "confidence": float("nan")}), "no JSON"),
        (json.dumps({**GOOD, "because": "x" * 601}), "601 characters"),
        (json.dumps({**GOOD, "because": "x" * 5000}), "more than 4000"),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(text, reason):
    read = read_advice(text, PLAN)
    assert isinstance(read, Refused)
    assert reason in read.reason


@given(
    evidence=st.text(max_size=500),
    counted=st.tuples(*[st.floats(0, 1)] * 3),
    output=st.integers(0, 1000),
)
def test_no_way_of_counting_what_was_sent_costs_more_than_was_set_aside(evidence, counted, output):
    sent = ask_about(matter_of(evidence), Secrets([]), NONCE).sent
    most = len(sent.encode())
    parts = [round(most * each / (sum(counted) or 1)) for each in counted]
    tokens = tokens_of(parts[0], output, parts[1], parts[2])
    assert cost_usd(tokens, PRICES) <= most_usd(sent, PRICES)


def ended(seconds_ago: float, outcome: Outcome | None, retry_after_s: float | None = None) -> Ended:
    at = NOW - timedelta(seconds=seconds_ago)
    return Ended(at, None if outcome is None else at, outcome, retry_after_s)


def test_a_service_that_fails_three_times_is_left_alone_and_one_that_answers_is_not():
    assert pause("anthropic", [ended(each, Outcome.TIMEOUT) for each in (30, 20)], NOW) is None
    failed = [ended(each, Outcome.TIMEOUT) for each in (30, 20, 10)]
    assert "not asked for another" in pause("anthropic", failed, NOW)
    assert pause("anthropic", failed, NOW + timedelta(seconds=61)) is None
    assert pause("anthropic", [*failed, ended(5, Outcome.ADVICE)], NOW) is None


@pytest.mark.parametrize("outcome", sorted(ANSWERED))
def test_answers_that_are_of_no_use_are_no_fault_of_the_service(outcome):
    assert pause("openai", [ended(each, outcome) for each in range(1, 60)], NOW) is None


def test_what_a_service_asks_for_is_kept_to():
    told = [ended(10, Outcome.RATE_LIMITED, 600.0)]
    assert pause("anthropic", told, NOW) is not None
    assert pause("anthropic", told, NOW + timedelta(seconds=580)) is not None
    assert pause("anthropic", told, NOW + timedelta(seconds=591)) is None


def test_a_trial_after_a_pause_is_one_and_a_lost_one_does_not_last():
    failed = [ended(each, Outcome.OVERLOADED) for each in (120, 110, 100)]
    assert pause("anthropic", failed, NOW) is None
    assert "under way" in pause("anthropic", [*failed, ended(1, None)], NOW)
    lost = ended(LOST_AFTER_S + 1, None)
    assert "not asked" in pause("anthropic", [*failed, lost], NOW)
    later = NOW + timedelta(seconds=200)
    assert pause("anthropic", [*failed, lost], later) is None


def test_a_key_that_is_refused_is_not_tried_on_every_incident():
    assert pause("anthropic", [ended(10, Outcome.BAD_KEY)], NOW) is not None
