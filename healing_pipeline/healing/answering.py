"""One question after another, each to its end: route, first call, plan, and what runs beside.

Who asks the same at the same moment, and what a caller may ask at all, is the engine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from healing_pipeline.catalog.values import Source
from healing_pipeline.healing.account import Question
from healing_pipeline.healing.afterwards import LearnsOn, go_on, worth_trying
from healing_pipeline.healing.answer import PLAIN, Answer, HealingFailed
from healing_pipeline.healing.attempting import Attempting
from healing_pipeline.healing.behind import LooksBehind
from healing_pipeline.healing.facts import Origin
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.memory import Route
from healing_pipeline.healing.parts import Parts
from healing_pipeline.healing.plan import Plan
from healing_pipeline.healing.strategy import Healed, Strategy, Way
from healing_pipeline.healing.tuning import time_limit_s
from healing_pipeline.healing.upstream import Asking
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict

# What is left of a deadline for handing the answer over: an event loop wakes a little late.
HAND_OVER_S = 0.1

# These only ever follow a failed call, so as a route they mean: ask the primary.
FOLLOW_A_CALL = frozenset(
    {"exponential_backoff_retry", "hedged_request", "refresh_session", "batch_requests"}
)

# What an upstream says at once, so that asking the last way costs a reader next to nothing. The
# others cost a time limit, or the good will of whoever limits us.
FAILS_AT_ONCE = frozenset(
    {
        FailureClass.OK,
        FailureClass.NETWORK_ERROR,
        FailureClass.SERVER_ERROR,
        FailureClass.INVALID_DATA,
    }
)

# A detour that says so does not know what the first way knows: it is not the reader's mistake.
OF_THE_QUESTION = frozenset(
    {FailureClass.BAD_REQUEST, FailureClass.NOT_FOUND, FailureClass.PLAN_LIMIT}
)

# What a first call by another way than the first is called, by what differs.
BY_OTHER_HOST = "alternate_host"
BY_OTHER_KEY = "rotate_api_key"


class Answering:
    """Answers questions by the parts that all of them share.

    Parameters
    ----------
    parts : Parts
    strategies : sequence of Strategy
        Those there are.
    attempt_timeout_s : float
        Time limit of a plain call.
    """

    def __init__(
        self, parts: Parts, strategies: Sequence[Strategy], attempt_timeout_s: float
    ) -> None:
        self._parts = parts
        self._guard = parts.guard
        self._clock = parts.clock
        self._strategies = tuple(strategies)
        self._attempt_timeout_s = attempt_timeout_s
        self._looks = LooksBehind()
        self._learns_on = LearnsOn()

    async def answer(
        self,
        question: Question,
        deadline_s: float,
        *,
        follow_route: bool,
        order: Sequence[str] = (),
    ) -> Answer | HealingFailed:
        """Answer a question within so many seconds of its beginning.

        With `follow_route` it begins with what an open incident left behind. `order` names steps of
        the plan that are taken before its others.
        """
        attempting = self._attempting(question, deadline_s)
        route = self._parts.routes.get(question.endpoint.id) if follow_route else None
        if route is not None and not self._is_behind(route, attempting):
            routed = await self._by_route(route, attempting)
            if routed is not None:
                return routed
        # One moment for both: a way that opens between them would be neither.
        moment = self._clock.monotonic(), self._clock.now()
        way = attempting.way = self._still_best(question.source, attempting.way, moment)
        met: Verdict | None = None
        if not way.is_open and question.origin is Origin.READER:
            met = self._guard.met(question.source.name, way, question.began, question.began_at)
        if met is not None and met.failure_class not in FAILS_AT_ONCE:
            failure = met
        else:
            # The last candidate is never ejected: where failing takes no time, it is asked. And a
            # heal run has to know how the primary is, whatever a breaker thinks of it.
            name, known = self._name_of(question.source, way, moment)
            is_last = not way.is_open or question.origin is not Origin.READER
            first = await attempting.plain(name=name, last=is_last, met=known)
            if isinstance(first, Healed):
                return attempting.answered(first, name, known)
            failure, met = first.verdict, known or first.verdict
            if known is not None and failure.failure_class in OF_THE_QUESTION:
                failure = known
        healed = await self._by_plan(attempting, failure, met, order)
        if isinstance(healed, Plan) and attempting.asking.calls == 0:
            # Every way was closed and nothing else helped.
            last = await attempting.plain(last=True)
            if isinstance(last, Healed):
                return attempting.answered(last, PLAIN, met)
            met = last.verdict
        end = attempting.failed(healed, met) if isinstance(healed, Plan) else healed
        self._learn_on(attempting, end, failure)
        return end

    def primary(self, question: Question, timeout_s: float) -> Attempting:
        """An attempting that asks the first way with all of `timeout_s` for it."""
        source = question.source
        attempting = self._attempting(question, timeout_s + HAND_OVER_S)
        attempting.way = Way(source.hosts[0], source.keys[0] if source.keys else None)
        attempting.attempt_timeout_s = timeout_s
        return attempting

    def plan(self, question: Question, failure: Verdict) -> Plan:
        """What would be tried for a question that fails like this, off the record."""
        attempting = self._attempting(question, question.endpoint.deadline_s)
        return attempting.plan(self._strategies, failure)[0]

    async def aclose(self) -> None:
        """Give up what runs beside the readers."""
        await self._looks.aclose()
        await self._learns_on.aclose()

    def _learn_on(
        self, attempting: Attempting, end: Answer | HealingFailed, failure: Verdict
    ) -> None:
        """Try in the background what might have served the reader better, where quotas allow."""
        question = attempting.question
        used = {each.strategy for each in attempting.tried}
        if isinstance(end, Answer):
            used.add(end.strategy)
        left = worth_trying(end, [each for each in self._strategies if each.name not in used])
        if question.origin is not Origin.READER or not left:
            return
        source, now = question.source.name, self._clock.monotonic()
        others = self._parts.alternates_of(question.endpoint, attempting.way)
        wall_now = self._clock.now()
        if all(
            self._guard.has_to_spare(each, now, wall_now)
            for each in {source, *(each.source.name for each in others)}
        ) and self._learns_on.is_due(source, failure.failure_class, now):
            going_on = go_on(attempting, left, failure)
            self._learns_on.begin(source, failure.failure_class, going_on)

    async def _by_plan(
        self, attempting: Attempting, failure: Verdict, met: Verdict, order: Sequence[str] = ()
    ) -> Answer | Plan:
        """Plan for `failure`, use the first step, and plan anew until one helps or none is left.

        `met` is what goes on record: where a detour failed too, what made it necessary. Returns the
        last plan, which has no steps, when nothing helped. What the retry budget held back is tried
        when there is room, if nothing else helped.
        """
        tried = {each.strategy for each in attempting.tried}
        left = [each for each in self._strategies if each.name not in tried]
        while True:
            plan, situation = attempting.decide(left, failure)
            if not plan.steps:
                left = await attempting.let_through()
                if not left:
                    return plan
                continue
            strategy = _next_step(plan, order)
            left = [each for each in left if each.name != strategy.name]
            healed = await attempting.use(strategy, failure, situation)
            if healed is not None:
                return attempting.answered(healed, strategy.name, met)

    async def _by_route(self, route: Route, attempting: Attempting) -> Answer | None:
        """Begin with what helped the reader before; None when it does not help any more."""
        strategy = self._routed(route)
        if strategy is None:
            return None
        met = Verdict(route.failure_class, f"known from incident {route.incident_id}")
        healed = await attempting.use(strategy, met)
        if healed is None:
            return None
        question = attempting.question
        if self._looks.is_due(question.endpoint, question.source, self._clock.monotonic()):
            self._looks.begin(self._look(attempting))
        return attempting.answered(healed, strategy.name, met)

    async def _look(self, served: Attempting) -> None:
        """Ask the primary behind a route, with time of its own."""
        question = replace(
            served.question, began=self._clock.monotonic(), began_at=self._clock.now()
        )
        attempting = self.primary(question, self._attempt_timeout_s)
        attempting.number = served.number
        result = await attempting.plain(last=True)
        if isinstance(result, Healed):
            attempting.remember(result)

    def _is_behind(self, route: Route, attempting: Attempting) -> bool:
        """Whether a detour promises the data itself where the route has something less.

        A route is from the moment of its heal run; the guard knows which ways are open now.
        """
        way, source = attempting.way, attempting.question.source
        is_detour = way.is_open and not _is_primary(source, way)
        return is_detour and route.fidelity is not Fidelity.EXACT

    def _routed(self, route: Route) -> Strategy | None:
        if route.strategy in FOLLOW_A_CALL:
            return None
        return next((each for each in self._strategies if each.name == route.strategy), None)

    def _still_best(self, source: Source, way: Way, moment: tuple[float, datetime]) -> Way:
        """The first way where it has opened since `way` was chosen: a route may have taken long.

        Its refusal could not be told from the reader's own mistake otherwise.
        """
        if _is_primary(source, way):
            return way
        first = self._guard.ways(source.name, *moment)[0]
        return first if first.is_open else way

    def _name_of(
        self, source: Source, way: Way, moment: tuple[float, datetime]
    ) -> tuple[str, Verdict | None]:
        """What a first call by a way goes on record as, and what it heals where it heals."""
        if _is_primary(source, way):
            return PLAIN, None
        name = BY_OTHER_HOST if way.host != source.hosts[0] else BY_OTHER_KEY
        primary = self._guard.ways(source.name, *moment)[0]
        met = self._guard.met(source.name, primary, *moment)
        return name, None if met.is_ok else met

    def _attempting(self, question: Question, deadline_s: float) -> Attempting:
        source = question.source
        if question.origin is Origin.READER:
            way = self._guard.choose(source.name, question.began, question.began_at)
        else:
            way = Way(source.hosts[0], source.keys[0] if source.keys else None)
        return Attempting(
            question=question,
            parts=self._parts,
            asking=Asking(question, self._parts, question.began + deadline_s - HAND_OVER_S),
            way=way,
            # A reader in a hurry keeps half of the time for healing.
            attempt_timeout_s=min(self._limit_s(question), deadline_s / 2),
        )

    def _limit_s(self, question: Question) -> float:
        """The time limit of a plain call; a heal run has to know how the primary is with all."""
        if question.origin is not Origin.READER:
            return self._attempt_timeout_s
        learned = self._parts.policy.policy.parameters.get(question.source.name)
        return time_limit_s(self._attempt_timeout_s, learned)


def _next_step(plan: Plan, order: Sequence[str]) -> Strategy:
    """The step of a plan that is taken next: the first that is advised, else the plan's own."""
    steps = {each.strategy.name: each.strategy for each in plan.steps}
    return next((steps[each] for each in order if each in steps), plan.steps[0].strategy)


def _is_primary(source: Source, way: Way) -> bool:
    return way.host is source.hosts[0] and (not source.keys or way.key is source.keys[0])
