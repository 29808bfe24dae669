"""Single flight: one call for all who ask the same together, and one's harm is not another's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.healing.guard.single_flight import FRESH_S, Flights


@dataclass
class Upstream:
    """Answers when told to; counts who asks at once."""

    calls: list[asyncio.Future[str]] = field(default_factory=list)
    now: float = 100.0

    async def ask(self) -> str:
        self.calls.append(asyncio.get_running_loop().create_future())
        return await self.calls[-1]

    def asking(self, flights: Flights[str], within_s: float = 5.0) -> asyncio.Task:
        return asyncio.create_task(
            flights.ask(
                "aapl", self.ask, monotonic=lambda: self.now, deadline_at=self.now + within_s
            )
        )


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_hundred_who_ask_together_are_one_call():
    async def story():
        flights, upstream = Flights(), Upstream()
        readers = [upstream.asking(flights) for _ in range(100)]
        await settled()
        assert len(upstream.calls) == 1
        upstream.calls[0].set_result("42")
        answers = await asyncio.gather(*readers)
        assert answers == [("42", False), *[("42", True)] * 99]
        assert not len(flights)

    asyncio.run(story())


def test_the_leader_alone_needs_no_task_and_no_future():
    async def story():
        flights = Flights()
        with flights.leading("aapl", 1.0) as flight:
            assert len(asyncio.all_tasks()) == 1
            assert flight._landing is None
            flight.land("42")
        assert not len(flights)

    asyncio.run(story())


def test_an_answer_is_never_older_against_its_asking_than_a_flight_may_be():
    async def story():
        flights, upstream = Flights(), Upstream()
        first = upstream.asking(flights)
        await settled()
        upstream.now += 0.99 * FRESH_S  # just young enough
        second = upstream.asking(flights)
        await settled()
        upstream.now += 0.02 * FRESH_S  # too late for the first
        third = upstream.asking(flights)
        await settled()
        assert len(upstream.calls) == 2
        upstream.calls[1].set_result("newer")
        assert await third == ("newer", False)
        upstream.calls[0].set_result("older")
        assert await first == ("older", False)
        assert await second == ("older", True)

    asyncio.run(story())


def test_an_old_flight_that_lands_leaves_the_younger_one_to_be_joined():
    flights = Flights()
    with flights.leading("aapl", 1.0) as old:
        young = flights.leading("aapl", 2.0)
        old.land("older")
    assert flights.join("aapl", 2.0) is young


@pytest.mark.parametrize("how", ["cancelled", "raised"])
def test_when_the_leader_fails_one_who_joined_leads_and_the_others_join_again(how):
    async def story():
        flights, upstream = Flights(), Upstream()
        leader = upstream.asking(flights)
        readers = [upstream.asking(flights) for _ in range(5)]
        await settled()
        if how == "cancelled":
            leader.cancel()
        else:
            upstream.calls[0].set_exception(ValueError("ours"))
        await settled()
        with pytest.raises(asyncio.CancelledError if how == "cancelled" else ValueError):
            await leader
        assert len(upstream.calls) == 2, "one call in the failed one's place, not five"
        upstream.calls[1].set_result("42")
        assert sorted(await asyncio.gather(*readers)) == [("42", False), *[("42", True)] * 4]
        assert not len(flights)

    asyncio.run(story())


def test_one_who_leaves_harms_nobody():
    async def story():
        flights, upstream = Flights(), Upstream()
        leader, leaving, staying = (upstream.asking(flights) for _ in range(3))
        await settled()
        leaving.cancel()
        await settled()
        assert leaving.cancelled()
        upstream.calls[0].set_result("42")
        assert await leader == ("42", False)
        assert await staying == ("42", True)

    asyncio.run(story())


def test_one_who_joined_waits_no_longer_than_its_own_deadline():
    async def story():
        flights, upstream = Flights(), Upstream()
        leader = upstream.asking(flights)
        await settled()
        hurried = upstream.asking(flights, within_s=0.01)
        patient = upstream.asking(flights)
        with pytest.raises(TimeoutError):
            await hurried
        upstream.calls[0].set_result("42")
        assert (await leader, await patient) == (("42", False), ("42", True))

    asyncio.run(story())


def test_different_questions_are_different_calls():
    flights = Flights()
    flights.leading("aapl", 1.0)
    assert flights.join("msft", 1.0) is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["ask", "leave", "answer", "fail"]), st.integers(0, 9)),
        max_size=40,
    )
)
def test_whoever_comes_leaves_and_fails_everybody_who_stays_gets_an_answer(story):
    async def play():
        flights, upstream, readers = Flights(), Upstream(), []
        for what, which in story:
            open_calls = [each for each in upstream.calls if not each.done()]
            assert len(open_calls) <= 1, "two calls for one question"
            if what == "ask":
                readers.append(upstream.asking(flights))
            elif what == "leave" and readers:
                readers[which % len(readers)].cancel()
            elif what == "answer" and open_calls:
                open_calls[0].set_result("42")
            elif what == "fail" and open_calls:
                open_calls[0].set_exception(ValueError("ours"))
            await settled()
        while waiting := [each for each in upstream.calls if not each.done()]:
            waiting[0].set_result("42")
            await settled()
        ends = await asyncio.gather(*readers, return_exceptions=True)
        assert all(
            end in (("42", False), ("42", True))
            or isinstance(end, asyncio.CancelledError | ValueError)
            for end in ends
        )
        assert not len(flights)

    asyncio.run(play())
