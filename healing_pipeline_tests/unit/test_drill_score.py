"""The drill's arithmetic, by worked examples; its JSON is the contract of DESIGN's table."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.drill.score import Books, FaultSeen, Outcome, is_clean, score, spread
from healing_pipeline.healing.fidelity import Fidelity

CONTRACT = {
    "scenario": str,
    "seed": int,
    "duration_s": float,
    "requests": int,
    "answers": dict,
    "met_fault": int,
    "unavoidable": int,
    "healed_share": float,
    "healed_by_class": dict,
    "reader_errors": int,
    "wrong_as_good": int,
    "lagging_as_good": int,
    "time_to_detect_s": dict,
    "time_to_heal_s": dict,
    "upstream_calls_per_request": dict,
    "incidents": int,
    "incident_members": int,
    "alerts_sent": int,
    "events_lost": int,
    "events_doubled": int,
}
GOOD = Outcome(
    request_id="r",
    endpoint="yahoo/quote-ibm",
    at_s=1.0,
    fidelity=Fidelity.EXACT,
    met_fault=False,
    failure_class="ok",
    existed=True,
    wrong=None,
    upstream_calls=1,
    seconds=0.1,
    heal_s=0.0,
)
HEALED = replace(
    GOOD, met_fault=True, failure_class="timeout", upstream_calls=3, seconds=1.5, heal_s=0.5
)
STALE = replace(
    GOOD,
    fidelity=Fidelity.STALE,
    met_fault=True,
    failure_class="rate_limit",
    upstream_calls=1,
    heal_s=0.1,
)
FAILED = replace(
    GOOD, fidelity=None, met_fault=True, failure_class="timeout", upstream_calls=4, seconds=3.0
)
UNAVOIDABLE = replace(FAILED, existed=False, failure_class="not_found")
FAULT = FaultSeen(
    index=0,
    fault="timeout",
    source="yahoo",
    at_s=5.0,
    for_s=10.0,
    detected_after_s=1.25,
    met=12,
)
CLEAN = Books(told=10, lost=0, doubled=0, incidents=2, incident_members=9, alerts_sent=1)


def report(outcomes, faults=(), books=CLEAN):
    return score(
        scenario="storm", seed=3, duration_s=8.0, outcomes=outcomes, faults=faults, books=books
    )


outcomes = st.builds(
    Outcome,
    request_id=st.just("r"),
    endpoint=st.sampled_from(["yahoo/a", "fred/b"]),
    at_s=st.floats(0, 30),
    fidelity=st.none() | st.sampled_from(Fidelity),
    met_fault=st.booleans(),
    failure_class=st.sampled_from(["timeout", "empty"]),
    existed=st.booleans(),
    wrong=st.none() | st.just("is 2, in truth 1"),
    upstream_calls=st.integers(0, 9),
    seconds=st.floats(0, 3),
    heal_s=st.floats(0, 3),
)


@given(some=st.lists(outcomes, max_size=20), detected=st.none() | st.floats(0, 9))
def test_every_key_of_the_contract_is_there_and_survives_json(some, detected):
    made = report(some, [replace(FAULT, detected_after_s=detected)])
    read = json.loads(json.dumps(made, allow_nan=False))
    assert read == made
    for key, kind in CONTRACT.items():
        assert isinstance(read[key], kind), key
    assert set(read["answers"]) == {"exact", "stale", "coarser", "proxy", "failed"}
    assert set(read["upstream_calls_per_request"]) == {"healthy", "faulty"}
    for name in ("time_to_detect_s", "time_to_heal_s"):
        assert set(read[name]) == {"p50", "p95", "max"}
    for counts in read["healed_by_class"].values():
        assert set(counts) == {"met", "healed"}


@given(some=st.lists(outcomes, max_size=30))
def test_the_counts_add_up(some):
    made = report(some)
    assert sum(made["answers"].values()) == made["requests"] == len(some)
    assert sum(each["met"] for each in made["healed_by_class"].values()) == made["met_fault"]
    assert made["unavoidable"] <= made["met_fault"]
    assert made["reader_errors"] <= made["answers"]["failed"]
    assert 0.0 <= made["healed_share"] <= 1.0


@given(some=st.lists(outcomes, min_size=1, max_size=30))
def test_the_healed_share_is_what_its_definition_says_of_the_other_keys(some):
    made = report(some)
    healable = made["met_fault"] - made["unavoidable"]
    if healable == 0:
        assert made["healed_share"] == 1.0
    elif made["reader_errors"] <= healable:
        assert made["healed_share"] == (healable - made["reader_errors"]) / healable
    else:
        assert made["healed_share"] == 0.0


def test_a_worked_example():
    # 6 requests: 1 met nothing; 5 met a fault, 1 of them unavoidably: 4 could be healed.
    # 3 were, 1 was not: 3 / 4.
    made = report([GOOD, HEALED, HEALED, STALE, FAILED, UNAVOIDABLE], [FAULT])
    assert made["answers"] == {"exact": 3, "stale": 1, "coarser": 0, "proxy": 0, "failed": 2}
    assert (made["met_fault"], made["unavoidable"], made["reader_errors"]) == (5, 1, 1)
    assert made["healed_share"] == 0.75
    assert made["healed_by_class"] == {
        "not_found": {"met": 1, "healed": 0},
        "rate_limit": {"met": 1, "healed": 1},
        "timeout": {"met": 3, "healed": 2},
    }
    # faulty: (3 + 3 + 1 + 4 + 4) / 5
    assert made["upstream_calls_per_request"] == {"healthy": 1.0, "faulty": 3.0}
    # healed after 0.1, 0.5 and 0.5 s
    assert made["time_to_heal_s"] == {"p50": 0.5, "p95": 0.5, "max": 0.5}
    assert made["time_to_detect_s"] == {"p50": 1.25, "p95": 1.25, "max": 1.25}
    assert (made["incidents"], made["alerts_sent"]) == (2, 1)


def test_what_healed_is_counted_for_requests_that_met_a_fault():
    other = replace(HEALED, strategy="alternate_host")
    made = report([replace(GOOD, strategy="plain"), other, other, replace(STALE, strategy="use")])
    assert made["healed_by_strategy"] == {"alternate_host": 2, "use": 1}
    assert report([FAILED])["healed_by_strategy"] == {}


def test_where_nothing_was_met_everything_was_healed():
    made = report([GOOD, GOOD])
    assert made["healed_share"] == 1.0
    assert made["upstream_calls_per_request"] == {"healthy": 1.0, "faulty": None}
    assert made["time_to_heal_s"] == {"p50": None, "p95": None, "max": None}


def test_what_could_not_be_healed_is_in_neither_part_of_the_share():
    assert report([UNAVOIDABLE])["healed_share"] == 1.0
    assert report([UNAVOIDABLE, HEALED])["healed_share"] == 1.0
    assert report([UNAVOIDABLE, HEALED, FAILED])["healed_share"] == 0.5


def test_a_reader_error_counts_whether_the_script_caused_it_or_not():
    made = report([HEALED, HEALED, replace(FAILED, met_fault=False)])
    assert made["reader_errors"] == 1
    assert made["healed_share"] == 0.5
    assert not is_clean(made)


def test_a_healed_answer_that_is_wrong_is_counted_as_wrong_and_shown():
    made = report([replace(HEALED, wrong="close is 2, in truth 1"), GOOD])
    assert made["wrong_as_good"] == 1
    assert "close is 2, in truth 1" in made["wrong_examples"][0]
    assert not is_clean(made)


def test_what_lags_where_nobody_could_have_known_is_counted_apart_and_shown():
    made = report([replace(HEALED, lagging="price is 2.0001, in truth 2"), GOOD])
    assert (made["lagging_as_good"], made["wrong_as_good"]) == (1, 0)
    assert "price is 2.0001" in made["lagging_examples"][0]
    assert is_clean(made)


def test_good_data_that_was_called_bad_is_counted_and_is_no_fault_that_was_met():
    made = report([replace(GOOD, misjudged=True), GOOD])
    assert (made["false_alarms"], made["met_fault"]) == (1, 0)
    assert is_clean(made)


def test_a_fault_that_nobody_noticed_is_told_and_not_averaged_away():
    made = report([], [FAULT, replace(FAULT, index=1, detected_after_s=None)])
    assert made["faults_undetected"] == 1
    assert [each["detected_after_s"] for each in made["faults"]] == [1.25, None]
    assert made["time_to_detect_s"]["max"] == 1.25


def test_a_drill_is_clean_when_nobody_was_let_down_and_nothing_was_lost():
    assert is_clean(report([GOOD, HEALED, STALE, UNAVOIDABLE], [FAULT]))


@pytest.mark.parametrize(
    ("outcome", "books"),
    [
        (FAILED, CLEAN),
        (replace(GOOD, wrong="is a lie"), CLEAN),
        (GOOD, replace(CLEAN, lost=1)),
        (GOOD, replace(CLEAN, doubled=1)),
    ],
)
def test_a_drill_with_one_thing_wrong_is_not_clean(outcome, books):
    assert not is_clean(report([GOOD, outcome], books=books))


def test_the_percentile_is_the_nearest_rank():
    # 20 values: the 19th is the first with 95 % of all at or below it; of 21 it is the 20th.
    assert spread(range(1, 21)) == {"p50": 10.5, "p95": 19, "max": 20}
    assert spread(range(1, 22)) == {"p50": 11, "p95": 20, "max": 21}
    assert spread([7.0]) == {"p50": 7.0, "p95": 7.0, "max": 7.0}
    assert spread([]) == {"p50": None, "p95": None, "max": None}


@given(values=st.lists(st.integers(0, 1000), min_size=1, max_size=200))
def test_the_percentile_is_a_value_with_just_enough_at_or_below_it(values):
    found = spread(values)["p95"]
    assert found in values
    assert sum(each <= found for each in values) >= math.ceil(0.95 * len(values))
    assert sum(each < found for each in values) < math.ceil(0.95 * len(values))
