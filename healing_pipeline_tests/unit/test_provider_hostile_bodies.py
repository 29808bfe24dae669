"""Bodies that are broken, cut, foreign or hostile: read rightly or refused, and never a raise."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_bodies import CASES, LINES, READ, assert_usable_or_said_why

from healing_pipeline.probing.reading import Reading, Unreadable

# What a body can hold where something else was expected.
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**18), 10**12, 1_700_000_000, 0])
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([".", "None", "2024-01-05", "9999-12-31", "nan", "1_0", "1e999", "1d", "OK"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


def places(value: object) -> list[tuple]:
    """Every place inside of a JSON value, as the keys that lead there."""
    items = list(value.items()) if isinstance(value, dict) else []
    items += list(enumerate(value)) if isinstance(value, list) else []
    return [(), *((key, *rest) for key, inner in items for rest in places(inner))]


def with_change(value, place: tuple, new: object):
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = with_change(copy[place[0]], place[1:], new)
    return copy


@given(
    provider=st.sampled_from(sorted(READ)), body=st.binary(max_size=200) | anything, data=st.data()
)
def test_no_body_whatever_makes_a_reader_raise(provider, body, data):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert_usable_or_said_why(READ[provider](raw, data.draw(st.sampled_from(LINES[provider]))))


@settings(max_examples=600, deadline=None)
@given(case=st.sampled_from(CASES), new=anything, data=st.data())
def test_anything_anywhere_inside_of_a_good_body_is_read_rightly_or_refused(case, new, data):
    provider, good = case
    value = json.loads(good)
    changed = with_change(value, data.draw(st.sampled_from(places(value))), new)
    line = data.draw(st.sampled_from(LINES[provider]))
    assert_usable_or_said_why(READ[provider](json.dumps(changed).encode(), line))


@given(case=st.sampled_from(CASES), data=st.data())
def test_a_truncated_body_is_never_read(case, data):
    provider, good = case
    cut = good[: data.draw(st.integers(0, len(good) - 1))]
    for line in LINES[provider]:
        assert isinstance(READ[provider](cut, line), Unreadable)


@pytest.mark.parametrize(("provider", "body"), CASES)
def test_the_good_bodies_of_these_tests_are_good(provider, body):
    assert any(isinstance(READ[provider](body, line), Reading) for line in LINES[provider])


@pytest.mark.parametrize("provider", sorted(READ))
@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"[" * 100_000, b'{"chart":' * 100_000, b"1" * 10_000, b"\xff\xfe{", b"<html>"],
    ids=["empty", "blank", "deep list", "deep object", "long number", "half UTF-16", "page"],
)
def test_a_body_that_is_no_json_object_says_so(provider, body):
    for line in LINES[provider]:
        assert isinstance(READ[provider](body, line), Unreadable)
