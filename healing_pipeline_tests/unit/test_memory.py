"""What the data path remembers: the newest snapshot of a question, and one route an endpoint."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from worlds import START

from healing_pipeline.catalog.values import Endpoint
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.memory import Route, RouteTable, SnapshotMemory, request_key
from healing_pipeline.healing.strategy import Snapshot
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Point, Reading

ENDPOINT = Endpoint(id="fred/x", source="fred", path="/x", params={"limit": "100", "sort": "desc"})


def snapshot(second: int) -> Snapshot:
    at = START + timedelta(seconds=second)
    return Snapshot(at, Reading("X", "now", (Point(at, "price", 1.0),), at), b"", "fred")


def route(endpoint: str, strategy: str = "use_cached_data", incident_id: int = 1) -> Route:
    return Route(endpoint, strategy, Fidelity.STALE, FailureClass.TIMEOUT, incident_id)


questions = st.tuples(st.sampled_from(["fred/x", "fred/y"]), st.sampled_from(["", "limit=1"]))


@given(puts=st.lists(st.tuples(questions, st.integers(0, 99)), min_size=1))
def test_the_newest_snapshot_of_a_question_wins_in_whatever_order_they_come(puts):
    memory, newest = SnapshotMemory(), {}
    for (endpoint, key), second in puts:
        memory.put(endpoint, key, snapshot(second))
        newest[endpoint, key] = max(second, newest.get((endpoint, key), 0))
    for (endpoint, key), second in newest.items():
        assert memory.get(endpoint, key) == snapshot(second)
    assert len(memory) == len(newest)


@given(names=st.lists(st.integers(0, 30), min_size=1, max_size=80), most=st.integers(1, 10))
def test_the_memory_never_holds_more_than_its_bound_and_forgets_the_longest_unstored(names, most):
    memory = SnapshotMemory(most=most)
    for second, name in enumerate(names):
        memory.put(f"fred/{name}", "", snapshot(second))
        assert len(memory) <= most
    kept = list(dict.fromkeys(reversed(names)))[:most]
    assert all(memory.get(f"fred/{name}", "") is not None for name in kept)
    assert len(memory) == len(kept)


def test_what_was_never_stored_is_not_remembered():
    memory = SnapshotMemory()
    memory.put("fred/x", "", snapshot(1))
    assert memory.get("fred/x", "limit=1") is None
    assert memory.get("fred/y", "") is None


params = st.dictionaries(st.sampled_from(["limit", "sort", "a&b", "a"]), st.text(max_size=4))


@given(asked=params, data=st.data())
def test_one_question_has_one_key_in_whatever_order_it_is_asked(asked, data):
    shuffled = dict(data.draw(st.permutations(list(asked.items()))))
    assert request_key(ENDPOINT, shuffled) == request_key(ENDPOINT, asked)


@given(one=params, other=params)
def test_two_questions_have_two_keys(one, other):
    whole = [{**ENDPOINT.params, **each} for each in (one, other)]
    same = request_key(ENDPOINT, one) == request_key(ENDPOINT, other)
    assert same == (whole[0] == whole[1])


def test_the_endpoints_own_question_has_the_empty_key_also_when_it_is_spelled_out():
    for asked in (None, {}, {"limit": "100"}, {"sort": "desc", "limit": "100"}):
        assert request_key(ENDPOINT, asked) == ""
    assert request_key(ENDPOINT, {"limit": "50"}) == "limit=50&sort=desc"


def test_a_route_takes_the_place_of_the_endpoints_old_one():
    table = RouteTable([route("fred/x")])
    table.put(route("fred/x", "reduce_request_size", 2))
    assert table.get("fred/x").incident_id == 2
    assert table.get("fred/y") is None


def test_a_withdrawn_route_is_gone_and_withdrawing_it_twice_is_no_fault():
    table = RouteTable([route("fred/x"), route("fred/y")])
    table.withdraw("fred/x")
    table.withdraw("fred/x")
    assert table.get("fred/x") is None
    assert table.get("fred/y") is not None


def test_taking_over_a_table_forgets_what_it_does_not_name():
    table = RouteTable([route("fred/x")])
    table.replace_all([route("fred/y")])
    assert table.get("fred/x") is None
    assert table.get("fred/y") == route("fred/y")
