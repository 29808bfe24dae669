"""A healed answer is believed for what its data says, not for what its strategy says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import START

from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.fidelity import DEFAULT_ACCEPTS, Fidelity
from healing_pipeline.incidents.verification import SAME_NUMBER, verify
from healing_pipeline.probing.reading import Point, Reading, Unreadable

NOW = START
DAYS = [NOW - timedelta(days=days) for days in (3, 2, 1, 0)]
BODY, LABEL, AGE, PAST = range(4)


def reading(values=(10.0, 11.0, 12.0, 13.0), days=DAYS, field="close"):
    points = tuple(Point(at, field, value) for at, value in zip(days, values, strict=True))
    return Reading("IBM", "1d", points, points[-1].at)


def healed(said=None, fidelity=Fidelity.EXACT, age_s=1.0):
    said = said or reading()
    return Answer(
        request_id=UUID(int=1),
        endpoint="yahoo/x",
        fidelity=fidelity,
        as_of=said.as_of,
        fetched_at=NOW - timedelta(seconds=age_s),
        reading=said,
        body=b"{}",
        strategy="exponential_backoff_retry",
        provider="yahoo",
        attempts=2,
        seconds=1.0,
    )


def checks(answer, *, again=None, last=None, accepts=DEFAULT_ACCEPTS):
    found = verify(
        answer, read_again=[again or answer.reading], last=last, accepts=accepts, now=NOW
    )
    assert all(each.evidence for each in found)
    return [each.passed for each in found]


@given(fidelity=st.sampled_from([Fidelity.STALE, Fidelity.COARSER]), age_s=st.floats(0, 1e6))
def test_an_honest_answer_passes_every_check(fidelity, age_s):
    assert all(checks(healed(fidelity=fidelity, age_s=age_s), last=reading()))


def test_an_answer_that_its_own_body_does_not_bear_out_fails():
    lie = healed(reading((10.0, 11.0, 12.0, 13.5)))
    assert checks(lie, again=reading()) == [False, True, True, True]


def test_a_body_that_cannot_be_read_fails_and_says_why():
    found = verify(
        healed(),
        read_again=[Unreadable("no chart in it")],
        last=None,
        accepts=DEFAULT_ACCEPTS,
        now=NOW,
    )
    assert (found[BODY].passed, found[BODY].evidence) == (False, "no chart in it")


@given(accepts=st.frozensets(st.sampled_from(Fidelity)), fidelity=st.sampled_from(Fidelity))
def test_a_label_that_readers_do_not_take_fails(accepts, fidelity):
    assert checks(healed(fidelity=fidelity), accepts=accepts)[LABEL] == (fidelity in accepts)


@given(age_s=st.floats(60, 1e6))
def test_old_data_called_exact_fails(age_s):
    assert not checks(healed(age_s=age_s))[AGE]
    assert checks(healed(age_s=59))[AGE]


@given(index=st.integers(0, 2), factor=st.sampled_from([0.9, 1.01, 2.0, -1.0, 0.0]))
def test_a_past_number_that_changed_fails(index, factor):
    values = [10.0, 11.0, 12.0, 13.0]
    values[index] *= factor
    assert not checks(healed(reading(values)), last=reading())[PAST]


@given(newest=st.floats(0.1, 1000))
def test_the_newest_number_may_still_move(newest):
    assert checks(healed(reading((10.0, 11.0, 12.0, newest))), last=reading())[PAST]


def test_two_providers_may_round_a_past_number_differently():
    rounded = reading((10.0 * (1 + SAME_NUMBER * 0.9), 11.0, 12.0, 13.0))
    assert checks(healed(rounded), last=reading())[PAST]


def test_the_last_number_known_before_may_have_moved_since():
    yesterday = reading((10.0, 11.0, 12.0), DAYS[:3])
    assert checks(healed(reading((10.0, 11.0, 12.9, 13.0))), last=yesterday)[PAST]
    assert not checks(healed(reading((10.0, 11.9, 12.9, 13.0))), last=yesterday)[PAST]


@pytest.mark.parametrize("last", [None, replace(reading(), points=reading().points[:1])])
def test_without_a_past_in_common_there_is_nothing_to_hold_against_an_answer(last):
    assert checks(healed(reading((99.0, 11.0, 12.0, 13.0))), last=last)[PAST]


def test_a_proxys_numbers_are_not_held_against_the_instrument_it_stands_for():
    proxy = healed(reading((99.0, 98.0, 97.0, 96.0)), Fidelity.PROXY)
    assert checks(proxy, last=reading())[PAST]
