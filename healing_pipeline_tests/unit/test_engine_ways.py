"""The data path between several hosts, keys and readers: whom it asks first, and how often."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest
from worlds import LineProvider, World, bad, good

from healing_pipeline.catalog.values import Quota
from healing_pipeline.errors import AnotherQuestionError
from healing_pipeline.healing.answer import Answer, HealingFailed
from healing_pipeline.healing.facts import AnswerFact, Attempt
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.memory import Route
from healing_pipeline.healing.upstream import MOST_CALLS, READ_AT_ONCE
from healing_pipeline.probing.failure_class import FailureClass


def hosts_asked(world: World) -> list[str]:
    return [each.host_name for each in world.sent]


def test_a_host_that_fails_is_healed_by_its_sister_and_soon_not_asked_any_more():
    def script(request, at):
        return good() if request.host_name == "two" else bad(FailureClass.SERVER_ERROR)

    world = World(script, hosts=("one", "two"))
    ends = []
    for _ in range(12):
        ends.append(world.fetch())
        world.time.elapsed += 0.1
    assert all(end.fidelity is Fidelity.EXACT for end in ends)
    assert {end.strategy for end in ends} == {"alternate_host"}
    assert ends[0].attempts == 2
    assert ends[-1].attempts == 1
    assert hosts_asked(world).count("one") <= 6


def test_a_revoked_key_costs_one_reader_a_second_call_and_nobody_after_it():
    def script(request, at):
        return good() if request.key_name == "spare" else bad(FailureClass.AUTH_ERROR)

    world = World(script, keys=("primary", "spare"))
    first, second = world.fetch(), world.fetch()
    assert (first.strategy, first.attempts) == ("rotate_api_key", 2)
    assert (second.strategy, second.attempts) == ("rotate_api_key", 1)
    assert second.met.failure_class is FailureClass.AUTH_ERROR


def test_a_first_call_by_another_way_is_never_called_plain():
    def script(request, at):
        return good() if request.key_name == "spare" else bad(FailureClass.AUTH_ERROR)

    world = World(script, keys=("primary", "spare"))
    world.fetch()
    world.facts.clear()
    world.fetch()
    (attempt,) = world.facts_of(Attempt)
    (answer,) = world.facts_of(AnswerFact)
    assert attempt.strategy == answer.strategy == "rotate_api_key"
    assert answer.failure_class == FailureClass.AUTH_ERROR


def test_the_primary_is_tried_again_and_gets_its_readers_back():
    def script(request, at):
        return bad(FailureClass.AUTH_ERROR) if request.key_name == "primary" and at < 5 else good()

    world = World(script, keys=("primary", "spare"))
    world.fetch()
    strategies = []
    while world.time.elapsed < 30:
        world.time.elapsed += 1
        strategies.append(world.fetch().strategy)
    assert strategies[-1] == "plain"


def test_the_only_way_is_asked_even_when_its_breaker_is_open():
    answers = iter([bad(FailureClass.AUTH_ERROR), good()])
    world = World(lambda request, at: next(answers))
    assert isinstance(world.fetch(), HealingFailed)
    end = world.fetch()
    assert (end.fidelity, end.attempts) == (Fidelity.EXACT, 1)


def test_with_every_way_closed_a_stored_answer_costs_no_call():
    answers = iter([good(), bad(FailureClass.AUTH_ERROR), good()])
    world = World(lambda request, at: next(answers))
    world.fetch()
    world.fetch()
    calls = len(world.sent)
    end = world.fetch()
    assert (end.fidelity, end.attempts) == (Fidelity.STALE, 0)
    assert len(world.sent) == calls


def test_our_own_limit_is_met_before_the_providers():
    world = World(lambda request, at: good(), quota=Quota(per_minute=3))
    ends = [world.fetch() for _ in range(5)]
    assert [end.fidelity for end in ends[:3]] == [Fidelity.EXACT] * 3
    assert ends[4].fidelity is Fidelity.STALE
    assert len(world.sent) == 3


def test_another_providers_numbers_do_not_become_our_last_good_data():
    world = World(
        lambda request, at: good() if request.source == "other" or at < 1 else bad("server_error"),
        alternate=True,
    )
    world.fetch()
    before = world.snapshots.get("line/x", "")
    world.time.elapsed = 10
    world.fetch()
    assert world.snapshots.get("line/x", "") is before


def test_readers_who_ask_the_same_at_once_share_one_call():
    world = World(lambda request, at: good())

    async def ask() -> list[Answer]:
        release = asyncio.Event()
        send = world.engine._parts.send

        async def held(request, timeout_s):
            await release.wait()
            return await send(request, timeout_s)

        object.__setattr__(world.engine._parts, "send", held)
        readers = [asyncio.create_task(world.engine.fetch("line/x")) for _ in range(10)]
        for _ in range(5):
            await asyncio.sleep(0)
        release.set()
        return await asyncio.gather(*readers)

    ends = asyncio.run(ask())
    assert len(world.sent) == 1
    assert sorted(end.attempts for end in ends) == [0] * 9 + [1]
    assert [end.shared for end in ends].count(True) == 9
    assert len({end.request_id for end in ends}) == 10
    assert len(world.facts_of(AnswerFact)) == 10
    assert sum(each.attempts for each in world.facts_of(AnswerFact)) == 1


def test_readers_who_accept_different_labels_do_not_share():
    world = World(lambda request, at: good())

    async def ask() -> None:
        await asyncio.gather(
            world.engine.fetch("line/x"),
            world.engine.fetch("line/x", accepts=frozenset({Fidelity.EXACT})),
        )

    asyncio.run(ask())
    assert len(world.sent) == 2


def test_a_request_makes_no_more_calls_than_its_ceiling():
    world = World(lambda request, at: 30.0, hosts=("one", "two"), alternate=True)
    end = world.fetch(deadline_s=30.0)
    assert end.attempts == len(world.sent) == MOST_CALLS


def test_parameters_that_ask_for_something_else_are_refused_with_the_cure():
    world = World(lambda request, at: good())
    with pytest.raises(AnotherQuestionError, match="Add an endpoint"):
        world.fetch(params={"symbol": "OTHER"})
    assert world.sent == []


def test_a_reader_who_wants_no_healing_gets_what_the_upstream_said_and_it_is_on_record():
    world = World(lambda request, at: bad(FailureClass.SERVER_ERROR))
    seen = asyncio.run(world.engine.ask_plain("line/x"))
    assert seen.response.status == 500
    (attempt,) = world.facts_of(Attempt)
    assert attempt.failure_class == FailureClass.SERVER_ERROR


def test_a_reader_who_wants_no_healing_is_told_so_when_the_days_quota_is_spent():
    """It was a fault of ours: nobody had thought of a call that may not be made at all."""
    world = World(lambda request, at: good(), keys=("primary",), quota=Quota(per_day=1))
    seen = [asyncio.run(world.engine.ask_plain("line/x")) for _ in range(3)]
    assert [each.sent for each in seen] == [True, False, False]
    assert "day" in seen[-1].verdict.evidence
    assert seen[-1].response.status is None
    assert len(world.sent) == 1


def test_a_route_to_old_data_is_left_when_another_way_has_the_data_itself():
    def script(request, at):
        return good() if request.key_name == "spare" or at < 1 else bad(FailureClass.AUTH_ERROR)

    world = World(script, keys=("primary", "spare"))
    world.fetch()
    world.time.elapsed = 2
    world.fetch()
    world.routes.put(
        Route("line/x", "use_cached_data", Fidelity.STALE, FailureClass.AUTH_ERROR, incident_id=1)
    )
    end = world.fetch()
    assert (end.fidelity, end.strategy) == (Fidelity.EXACT, "rotate_api_key")


def test_asking_another_provider_is_no_retry_at_that_provider():
    world = World(
        lambda request, at: good() if request.source == "other" else bad(FailureClass.NOT_FOUND),
        alternate=True,
    )
    budget = world.engine.guard._source("other").budget
    for _ in range(3):
        budget.begin(healing=True)
    assert budget.refusal() is not None
    end = world.fetch()
    assert (end.strategy, end.provider) == ("fallback_provider", "other")


def test_a_long_body_is_read_beside_the_event_loop():
    long_body = b" " * (READ_AT_ONCE + 1) + good().body
    world = World(lambda request, at: replace(good(), body=long_body))
    ours_again = threading.Event()
    examine = world.provider.examine
    waited = []

    class Slow(LineProvider):
        def examine(self, response, line):
            waited.append(ours_again.wait(10))
            return examine(response, line)

    world.engine._parts.providers["line"] = Slow()

    async def fetch() -> Answer:
        asyncio.get_running_loop().call_later(0.01, ours_again.set)
        return await world.engine.fetch("line/x")

    assert asyncio.run(fetch()).fidelity is Fidelity.EXACT
    assert waited == [True]


def test_a_detour_that_fails_is_healed_of_its_own_failure():
    def script(request, at):
        if request.key_name == "primary":
            return bad(FailureClass.AUTH_ERROR)
        return good() if request.host_name == "two" else bad(FailureClass.SERVER_ERROR)

    world = World(script, hosts=("one", "two"), keys=("primary", "spare"))
    world.fetch()
    end = world.fetch()
    assert (end.fidelity, end.strategy) == (Fidelity.EXACT, "alternate_host")
    assert end.met.failure_class is FailureClass.AUTH_ERROR


def test_the_only_way_is_asked_where_failing_takes_no_time_and_its_recovery_is_seen_at_once():
    world = World(lambda request, at: bad(FailureClass.SERVER_ERROR) if 0.5 < at < 3 else good())
    world.fetch()
    world.time.elapsed = 1
    for _ in range(8):
        assert world.fetch().fidelity is Fidelity.STALE
    assert not world.engine.guard.choose("line", world.time.elapsed, world.time.now()).is_open
    world.time.elapsed = 3
    assert world.fetch().fidelity is Fidelity.EXACT


def test_a_detour_that_does_not_know_the_question_is_no_mistake_of_the_readers():
    def script(request, at):
        if at < 1:
            return good()
        failure = FailureClass.AUTH_ERROR if request.key_name == "primary" else "bad_request"
        return bad(failure)

    world = World(script, keys=("primary", "spare"))
    world.fetch()
    world.time.elapsed = 2
    assert [world.fetch().fidelity for _ in range(3)] == [Fidelity.STALE] * 3


def test_a_part_of_a_merged_answer_passes_the_gate_of_its_own_question():
    class Merging(LineProvider):
        def merged(self, questions):
            return "/all", {}

        def read(self, body, line):
            read = super().read(body, line)
            return replace(read, instrument="X,Y") if line.path == "/all" else read

    class Together:
        """Asks the merged question at once, as for a reader whom others have joined."""

        async def ask(self, situation, ask, sleep, window_s, size):
            seen = await ask(situation.provider.merged([situation.asked]))
            return replace(seen, reading=replace(seen.reading, instrument="X")), True

    def script(request, at):
        if at < 1:
            return good(10.0)
        return good(1000.0) if request.line.path == "/all" else bad(FailureClass.RATE_LIMIT)

    world = World(script, keys=("primary", "spare", "third"))
    world.engine._parts.providers["line"] = Merging()
    object.__setattr__(world.engine._parts, "batches", Together())
    world.fetch()
    world.time.elapsed = 2
    end = world.fetch()
    assert "/all" in [each.line.path for each in world.sent]
    assert (end.fidelity, end.reading.newest("price")) == (Fidelity.STALE, 10.0)


def test_a_detour_that_refuses_is_not_believed_when_the_first_way_has_opened_meanwhile():
    """The way was chosen while its first host was closed; the route took until it was open."""

    def script(request, at):
        if request.source == "other":
            return replace(bad(FailureClass.SERVER_ERROR), elapsed_s=0.4)
        if request.host_name == "two":
            return bad(FailureClass.BAD_REQUEST)
        return bad(FailureClass.AUTH_ERROR) if at < 1 else good()

    world = World(script, hosts=("one", "two"), keys=("primary",), alternate=True)
    assert isinstance(world.fetch(), HealingFailed)
    source = world.engine.guard._source("line")
    opens_at = source.in_order[0].key.until or source.in_order[0].host.until
    for path in source.in_order:
        path.host.until = opens_at if path.way.host.name == "one" else None
        path.key.until = None
    world.time.elapsed = opens_at - 0.2
    world.routes.put(
        Route("line/x", "fallback_provider", Fidelity.EXACT, FailureClass.AUTH_ERROR, incident_id=1)
    )
    end = world.fetch()
    assert isinstance(end, Answer)
    assert (end.strategy, end.fidelity) == ("plain", Fidelity.EXACT)


def held_by_others(world: World, until: float):
    """Three healing calls of others at the source, which end at a moment; how many ever began."""
    budget = world.engine.guard._source("line").budget
    for _ in range(3):
        budget.begin(healing=True)
    sleep, most = world.time.sleep, [0]

    async def passing(seconds: float) -> None:
        await sleep(seconds)
        if world.time.elapsed >= until and not most[0]:
            most[0] = budget.healing
            for _ in range(3):
                budget.end(healing=True)

    clock = replace(world.time.clock(), sleep=passing)
    for part in (world.engine._parts, world.engine._answering):
        for name in ("clock", "_clock"):
            if hasattr(part, name):
                object.__setattr__(part, name, clock)
    return most


def by_sister(request, at):
    return good() if request.host_name == "two" else bad(FailureClass.SERVER_ERROR)


def test_who_is_held_back_while_others_are_healed_has_a_turn():
    """A reader who takes exact data only: nothing but the sister host can help."""
    world = World(by_sister, hosts=("one", "two"), accepts=frozenset({Fidelity.EXACT}))
    most = held_by_others(world, until=1.2)
    end = world.fetch()
    assert (end.strategy, end.fidelity) == ("alternate_host", Fidelity.EXACT)
    assert 1.2 <= world.ended_at < 1.5
    assert most == [3], "nobody was let through beside them"
    assert hosts_asked(world) == ["one", "two"]


def test_a_turn_that_does_not_come_ends_with_the_deadline_and_says_why():
    world = World(by_sister, hosts=("one", "two"), accepts=frozenset({Fidelity.EXACT}))
    held_by_others(world, until=60.0)
    end = world.fetch()
    assert isinstance(end, HealingFailed)
    assert world.ended_at <= 3.0
    (why,) = [each.evidence for each in end.tried if each.strategy == "alternate_host"]
    assert "3 healing calls are under way" in why


def test_who_takes_older_data_does_not_wait_for_a_turn():
    world = World(
        lambda request, at: good() if at < 1 else bad(FailureClass.SERVER_ERROR),
        hosts=("one", "two"),
    )
    world.fetch()
    world.time.elapsed = 2.0
    held_by_others(world, until=60.0)
    end = world.fetch()
    assert (end.strategy, end.fidelity) == ("use_cached_data", Fidelity.STALE)
    assert world.ended_at < 2.5
