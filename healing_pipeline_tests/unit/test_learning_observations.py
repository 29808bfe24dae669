from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.learning.observations import OK_SECONDS_EDGES, bucket_of, kept_within


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (0.01, 1), (0.3, 8), (10.0, 16), (99, 16)]
)
def test_a_duration_is_counted_from_its_lower_edge_on(seconds, bucket):
    assert bucket_of(seconds) == bucket


@given(st.lists(st.floats(0, 20), min_size=1), st.floats(0.01, 1))
def test_the_edge_that_is_named_is_the_first_that_the_share_kept(durations, share):
    counts = [0] * (len(OK_SECONDS_EDGES) + 1)
    for each in durations:
        counts[bucket_of(each)] += 1
    edge = kept_within(counts, share)

    def within(limit: float) -> float:
        return sum(each < limit for each in durations) / len(durations)

    for each in OK_SECONDS_EDGES:
        if edge is None or each < edge:
            assert within(each) < share
    if edge is not None:
        assert within(edge) >= share


def test_nothing_is_named_where_nothing_was_counted():
    assert kept_within([0] * (len(OK_SECONDS_EDGES) + 1), 0.99) is None
