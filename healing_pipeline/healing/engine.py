"""One request, healed inside one deadline: the data path.

The engine holds no socket and no clock of its own; what it needs comes as arguments, what it has
to tell goes to `record`. It needs neither Dagster nor PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from healing_pipeline.catalog.values import Catalog, Source
from healing_pipeline.healing.account import Question, answer_fact
from healing_pipeline.healing.afterwards import ALLOWED_S, LearnsOn, go_on, worth_trying
from healing_pipeline.healing.answer import PLAIN, Answer, HealingFailed
from healing_pipeline.healing.attempting import Attempting
from healing_pipeline.healing.behind import LooksBehind
from healing_pipeline.healing.facts import Fact, Origin
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.guard.guard import Guard
from healing_pipeline.healing.guard.single_flight import Flights
from healing_pipeline.healing.memory import PolicyInForce, Route, RouteTable, SnapshotMemory
from healing_pipeline.healing.parts import Clock, Parts, Send, falls_back_to, keyless_hosts
from healing_pipeline.healing.plan import Plan
from healing_pipeline.healing.questions import question_of
from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.healing.strategy import (
    Healed,
    Observation,
    Snapshot,
    Strategy,
    Way,
)
from healing_pipeline.healing.tuning import time_limit_s
from healing_pipeline.healing.upstream import Asking
from healing_pipeline.learning.belief import Belief
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict
from healing_pipeline.providers.provider import Provider

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


class HealingEngine:
    """Answers questions about catalogued endpoints, healing what fails.

    Parameters
    ----------
    catalog : Catalog
    providers : Mapping[str, Provider]
        By provider name.
    send : Send
        The only way out.
    clock : Clock
    random : callable
        A number in [0, 1), for jitter.
    new_id : callable
        A fresh UUID.
    record : callable
        Takes facts; must return at once.
    snapshots, routes
        The memory between requests.
    policy : PolicyInForce, optional
        What was learned, which orders the strategies of a plan; nothing by default.
    strategies : sequence of Strategy
        Those there are.
    attempt_timeout_s : float
        Time limit of a plain call, so that a deadline leaves room to heal.

    Attributes
    ----------
    guard : Guard
        The limits around every call: breakers, quotas, retry budgets.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        providers: Mapping[str, Provider],
        send: Send,
        clock: Clock,
        random: Callable[[], float],
        new_id: Callable[[], UUID],
        record: Callable[[Fact], None],
        snapshots: SnapshotMemory,
        routes: RouteTable,
        policy: PolicyInForce | None = None,
        strategies: Sequence[Strategy] = STRATEGIES,
        attempt_timeout_s: float = 1.0,
    ) -> None:
        self.guard = Guard(catalog.sources, keyless_hosts(catalog, providers, clock.now()))
        self._parts = Parts(
            catalog=catalog,
            providers=providers,
            send=send,
            clock=clock,
            random=random,
            new_id=new_id,
            record=record,
            snapshots=snapshots,
            routes=routes,
            guard=self.guard,
            policy=PolicyInForce() if policy is None else policy,
            belief=Belief(falls_back_to(catalog)),
        )
        self._catalog = catalog
        self._clock = clock
        self._strategies = tuple(strategies)
        self._attempt_timeout_s = attempt_timeout_s
        self._looks = LooksBehind()
        self._learns_on = LearnsOn()
        self._flights: Flights[Answer | HealingFailed] = Flights()

    async def fetch(
        self,
        endpoint_id: str,
        *,
        params: Mapping[str, str] | None = None,
        path: str | None = None,
        deadline_s: float | None = None,
        origin: Origin = Origin.READER,
        accepts: frozenset[Fidelity] | None = None,
        follow_route: bool = True,
        incident_id: int | None = None,
    ) -> Answer | HealingFailed:
        """Answer a question within its deadline.

        Parameters
        ----------
        endpoint_id : str
            Of the catalog.
        params : Mapping[str, str], optional
            Laid over the endpoint's own: another window, never another subject.
        path : str, optional
            Instead of the endpoint's, where the window is a part of the path.
        deadline_s : float, optional
            Instead of the endpoint's.
        accepts : frozenset of Fidelity, optional
            Instead of the endpoint's.
        follow_route : bool
            Whether to begin with what an open incident left behind.

        Returns
        -------
        Answer or HealingFailed
            Never an exception for anything an upstream does.

        Raises
        ------
        ConfigurationError
            If the catalog has no such endpoint.
        AnotherQuestionError
            If `params` or `path` ask for another instrument, interval or function.

        Notes
        -----
        Readers who ask the same at the same moment share one answer (single flight): see `Flights`
        for how far apart that moment may be.
        """
        question = question_of(
            self._parts,
            endpoint_id,
            origin=origin,
            params=params,
            path=path,
            accepts=accepts,
            incident_id=incident_id,
        )
        allowed_s = question.endpoint.deadline_s if deadline_s is None else deadline_s
        if origin is not Origin.READER or not follow_route:
            return await self._answer(question, allowed_s, follow_route=follow_route)
        flight = (endpoint_id, question.key, question.accepts, allowed_s)
        while (joined := self._flights.join(flight, self._clock.monotonic())) is not None:
            # Whoever leads began earlier under the same deadline, so this ends in time. When they
            # gave up, one of those who waited leads next.
            shared = await joined.result()
            if shared is not None:
                return self._shared(question, shared)
        with self._flights.leading(flight, question.began) as lead:
            end = await self._answer(question, allowed_s, follow_route=True)
            lead.land(end)
        return end

    async def observe(self, endpoint_id: str, *, timeout_s: float) -> Observation:
        """Ask the primary once, heal nothing: a probe.

        Good data is remembered like a reader's, so a probe also keeps the snapshots fresh.
        """
        question = question_of(self._parts, endpoint_id, origin=Origin.PROBE)
        return await self._primary(question, timeout_s).observe()

    async def ask_plain(
        self,
        endpoint_id: str,
        *,
        params: Mapping[str, str] | None = None,
        path: str | None = None,
        timeout_s: float | None = None,
    ) -> Observation:
        """Ask the primary once for a reader who wants no healing; what comes back is on record."""
        question = question_of(
            self._parts, endpoint_id, origin=Origin.READER, params=params, path=path
        )
        limit_s = question.endpoint.deadline_s if timeout_s is None else timeout_s
        attempting = self._primary(question, limit_s)
        await attempting.plain(last=True)
        assert attempting.asking.latest is not None, "the last way is always asked"
        return attempting.asking.latest

    def plan_for(self, endpoint_id: str, failure: Verdict) -> Plan:
        """What would be tried for an endpoint that fails like this, and why; sends nothing."""
        question = question_of(self._parts, endpoint_id, origin=Origin.HEAL)
        attempting = self._attempting(question, question.endpoint.deadline_s)
        return attempting.plan(self._strategies, failure)[0]

    def provider_of(self, endpoint_id: str) -> Provider:
        """Whoever speaks for an endpoint of the catalog."""
        return self._parts.provider_of(self._catalog.endpoints[endpoint_id])

    def last_good(self, endpoint_id: str) -> Snapshot | None:
        """The newest good data of an endpoint, as its own parameters ask for it."""
        return self._parts.snapshots.get(endpoint_id, "")

    async def aclose(self) -> None:
        """Give up what runs beside the readers; they are served as before."""
        await self._looks.aclose()
        await self._learns_on.aclose()

    async def _answer(
        self, question: Question, deadline_s: float, *, follow_route: bool
    ) -> Answer | HealingFailed:
        attempting = self._attempting(question, deadline_s)
        route = self._parts.routes.get(question.endpoint.id) if follow_route else None
        if route is not None and not self._is_behind(route, attempting):
            routed = await self._by_route(route, attempting)
            if routed is not None:
                return routed
        way = attempting.way
        met: Verdict | None = None
        if not way.is_open and question.origin is Origin.READER:
            met = self.guard.met(question.source.name, way, question.began, question.began_at)
        if met is not None and met.failure_class not in FAILS_AT_ONCE:
            failure = met
        else:
            # The last candidate is never ejected: where failing takes no time, it is asked. And a
            # heal run has to know how the primary is, whatever a breaker thinks of it.
            name, known = self._name_of(question.source, way)
            is_last = not way.is_open or question.origin is not Origin.READER
            first = await attempting.plain(name=name, last=is_last, met=known)
            if isinstance(first, Healed):
                return attempting.answered(first, name, known)
            failure, met = first.verdict, known or first.verdict
            if known is not None and failure.failure_class in OF_THE_QUESTION:
                failure = known
        healed = await self._by_plan(attempting, failure, met)
        if isinstance(healed, Plan) and attempting.asking.calls == 0:
            # Every way was closed and nothing else helped.
            last = await attempting.plain(last=True)
            if isinstance(last, Healed):
                return attempting.answered(last, PLAIN, met)
            met = last.verdict
        end = attempting.failed(healed, met) if isinstance(healed, Plan) else healed
        self._learn_on(attempting, end, failure)
        return end

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
            self.guard.has_to_spare(each, now, wall_now)
            for each in {source, *(each.source.name for each in others)}
        ) and self._learns_on.is_due(source, failure.failure_class, now):
            going_on = go_on(attempting.afterwards(ALLOWED_S), left, failure)
            self._learns_on.begin(source, failure.failure_class, going_on)

    async def _by_plan(
        self, attempting: Attempting, failure: Verdict, met: Verdict
    ) -> Answer | Plan:
        """Plan for `failure`, use the first step, and plan anew until one helps or none is left.

        `met` is what goes on record: where a detour failed too, what made it necessary. Returns the
        last plan, which has no steps, when nothing helped.
        """
        tried = {each.strategy for each in attempting.tried}
        left = [each for each in self._strategies if each.name not in tried]
        while True:
            plan, situation = attempting.decide(left, failure)
            if not plan.steps:
                return plan
            strategy = plan.steps[0].strategy
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
        attempting = self._primary(question, self._attempt_timeout_s)
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

    def _name_of(self, source: Source, way: Way) -> tuple[str, Verdict | None]:
        """What a first call by a way goes on record as, and what it heals where it heals."""
        if _is_primary(source, way):
            return PLAIN, None
        name = BY_OTHER_HOST if way.host != source.hosts[0] else BY_OTHER_KEY
        now, wall_now = self._clock.monotonic(), self._clock.now()
        primary = self.guard.ways(source.name, now, wall_now)[0]
        met = self.guard.met(source.name, primary, now, wall_now)
        return name, None if met.is_ok else met

    def _shared(self, question: Question, end: Answer | HealingFailed) -> Answer | HealingFailed:
        """The end of somebody else's request, as this reader's own."""
        seconds = self._clock.monotonic() - question.began
        if isinstance(end, Answer):
            own: Answer | HealingFailed = replace(
                end, request_id=question.request_id, attempts=0, seconds=seconds, shared=True
            )
        else:
            own = replace(end, request_id=question.request_id, attempts=0, seconds=seconds)
        met = end.verdict if isinstance(end, HealingFailed) else end.met
        self._parts.record(answer_fact(question, own, met))
        return own

    def _primary(self, question: Question, timeout_s: float) -> Attempting:
        """An attempting that asks the first way with all of `timeout_s` for it."""
        source = question.source
        attempting = self._attempting(question, timeout_s + HAND_OVER_S)
        attempting.way = Way(source.hosts[0], source.keys[0] if source.keys else None)
        attempting.attempt_timeout_s = timeout_s
        return attempting

    def _attempting(self, question: Question, deadline_s: float) -> Attempting:
        source = question.source
        if question.origin is Origin.READER:
            way = self.guard.choose(source.name, question.began, question.began_at)
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


def _is_primary(source: Source, way: Way) -> bool:
    return way.host is source.hosts[0] and (not source.keys or way.key is source.keys[0])
