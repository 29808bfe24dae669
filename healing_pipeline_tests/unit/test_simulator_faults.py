"""The plan of faults: which fault a request meets."""

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.simulator.faults import Asked, Fault, FaultKind, FaultPlan, Match
from healing_pipeline.simulator.hosts import HOSTS

times = st.floats(0, 100, allow_nan=False)


def eighths(least, most):
    """Seconds whose sums and remainders are exact: 1000.0 + 8e-156 is 1000.0 again."""
    return st.integers(least * 8, most * 8).map(lambda number: number / 8)


pairs = st.sampled_from(HOSTS)
matches = st.builds(
    Match,
    source=st.sampled_from([None, "yahoo", "fred"]),
    host=st.sampled_from([None, "query1", "api"]),
    key=st.sampled_from([None, "primary"]),
    path=st.sampled_from([None, "/a/*", "/a/b"]),
    share=st.sampled_from([0.0, 0.3, 1.0]),
    rows_over=st.sampled_from([None, 0, 60]),
)
kinds = st.sampled_from(FaultKind)
faults = st.lists(st.tuples(times, st.floats(0.1, 50), matches, kinds), max_size=8).map(
    lambda rows: tuple(Fault(i, a, f, m, k) for i, (a, f, m, k) in enumerate(rows))
)
requests = st.builds(
    lambda pair, key, path, rows: Asked(*pair, key, path, rows),
    pairs,
    st.sampled_from([None, "primary", "spare"]),
    st.sampled_from(["/a/b", "/a/c", "/d"]),
    st.integers(1, 100),
)


@given(faults, requests, times, st.integers(0, 1000), st.integers())
def test_the_active_fault_matches_is_on_and_nothing_later_takes_the_request(
    plan, asked, at_s, ordinal, seed
):
    ordinals = {each.index: ordinal for each in plan}
    found = FaultPlan(seed, plan).active(asked, at_s, ordinals)
    if found is None:
        return
    assert found.match.covers(asked)
    assert found.at_s <= at_s < found.at_s + found.for_s
    later = FaultPlan(seed, plan[found.index + 1 :])
    assert later.active(asked, at_s, ordinals) is None


@given(faults, requests, times, st.integers(0, 1000), st.integers())
def test_equal_seeds_meet_equal_faults(plan, asked, at_s, ordinal, seed):
    ordinals = {each.index: ordinal for each in plan}
    one, other = (FaultPlan(seed, plan).active(asked, at_s, ordinals) for _ in range(2))
    assert one == other


@given(faults, requests, times)
def test_without_a_share_the_last_match_wins(plan, asked, at_s):
    whole = tuple(replace(each, match=replace(each.match, share=1.0)) for each in plan)
    matching = FaultPlan(1, whole).matching(asked, at_s)
    assert FaultPlan(1, whole).active(asked, at_s, {}) == (matching[-1] if matching else None)


@given(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.integers(0, 2**32))
def test_a_share_takes_about_its_part_of_the_requests(share, seed):
    fault = Fault(0, 0.0, 10.0, Match(share=share), FaultKind.TIMEOUT)
    plan, asked = FaultPlan(seed, (fault,)), Asked("yahoo", "query1")
    taken = sum(plan.active(asked, 1.0, {0: n}) is not None for n in range(1000)) / 1000
    # Five standard deviations of a binomial: sqrt(0.25 / 1000) = 0.016.
    assert abs(taken - share) <= 0.08
    assert share not in (0.0, 1.0) or taken == share


@given(eighths(0, 100), eighths(1, 20), eighths(0, 1000))
def test_a_repeating_fault_is_on_in_every_round(at_s, for_s, now_s):
    fault = Fault(0, at_s, for_s, Match(), FaultKind.SLOW, period_s=200.0)
    once = replace(fault, period_s=None)
    assert (fault.began_at_s(now_s) is None) == (once.began_at_s(now_s % 200.0) is None)
    began_s = fault.began_at_s(now_s)
    assert began_s is None or began_s <= now_s < began_s + for_s


@given(st.lists(kinds, min_size=1, max_size=6), requests, st.data())
def test_of_faults_that_all_match_the_last_of_the_file_wins(found, asked, data):
    plan = tuple(
        Fault(index, data.draw(st.floats(0, 5)), 10.0, Match(source=asked.source), kind)
        for index, kind in enumerate(found)
    )
    assert FaultPlan(1, plan).active(asked, 6.0, {}) == plan[-1]


def test_where_a_later_share_leaves_a_request_alone_the_earlier_fault_has_it():
    plan = (
        Fault(0, 0.0, 9.0, Match(), FaultKind.TIMEOUT),
        Fault(1, 0.0, 9.0, Match(share=0.5), FaultKind.RATE_LIMIT),
    )
    asked = Asked("yahoo", "query1")
    met = {FaultPlan(1, plan).active(asked, 1.0, {0: n, 1: n}).kind for n in range(40)}
    assert met == {FaultKind.TIMEOUT, FaultKind.RATE_LIMIT}


def test_a_fault_begins_on_its_second_and_is_over_at_its_end():
    fault = Fault(0, 5.0, 2.0, Match(), FaultKind.DOWN)
    on = [fault.began_at_s(at_s) is not None for at_s in (4.99, 5.0, 6.99, 7.0)]
    assert on == [False, True, True, False]
    assert replace(fault, for_s=math.inf).began_at_s(1e9) == 5.0


def test_a_match_looks_at_host_key_path_and_rows():
    match = Match("fred", "api", "primary", "/fred/*", rows_over=60)
    asked = Asked("fred", "api", "primary", "/fred/series/observations", 61)
    assert match.covers(asked)
    for wrong in (
        replace(asked, source="yahoo"),
        replace(asked, host="other"),
        replace(asked, key="spare"),
        replace(asked, key=None),
        replace(asked, path="/geofred"),
        replace(asked, rows=60),
    ):
        assert not match.covers(wrong)
