"""One request, healed inside one deadline: the data path.

The engine holds no socket and no clock of its own; what it needs comes as arguments, what it has
to tell goes to `record`. It needs neither Dagster nor PostgreSQL.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from healing_pipeline.catalog.values import Catalog, Quota
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.account import (
    Question,
    Use,
    answer_fact,
    attempt_fact,
    snapshot_fact,
)
from healing_pipeline.healing.answer import PLAIN, Answer, HealingFailed, Tried
from healing_pipeline.healing.facts import Fact, Origin
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.memory import Route, RouteTable, SnapshotMemory
from healing_pipeline.healing.plan import Plan, make_plan
from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.healing.strategy import (
    Healed,
    NotHealed,
    Observation,
    Situation,
    Snapshot,
    Strategy,
)
from healing_pipeline.healing.upstream import Asking, Clock, Send
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict
from healing_pipeline.providers.provider import Provider

# What is left of a deadline for handing the answer over: an event loop wakes a little late.
HAND_OVER_S = 0.05

# While a route serves an endpoint, its primary is looked at this often at most.
LOOK_BEHIND_S = 4.0


def look_spacing_s(quota: Quota, share: float) -> float:
    """Seconds between two looks behind a route, so that they stay within the probes' share."""
    windows = ((quota.per_minute, 60.0), (quota.per_day, 86_400.0), (quota.per_month, 2_592_000.0))
    spacings = [
        seconds / max(1.0, calls * share) for calls, seconds in windows if calls is not None
    ]
    return max([LOOK_BEHIND_S, *spacings])


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
    strategies : sequence of Strategy
        In the order of trying.
    attempt_timeout_s : float
        Time limit of a plain call, so that a deadline leaves room to heal.
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
        strategies: Sequence[Strategy] = STRATEGIES,
        attempt_timeout_s: float = 1.0,
    ) -> None:
        self._catalog = catalog
        self._providers = providers
        self._send = send
        self._clock = clock
        self._random = random
        self._new_id = new_id
        self._record = record
        self._snapshots = snapshots
        self._routes = routes
        self._strategies = tuple(strategies)
        self._attempt_timeout_s = attempt_timeout_s
        self._looked: dict[str, float] = {}
        # The event loop keeps weak references only; a look without one may be collected half-way.
        self._looking: set[asyncio.Task[None]] = set()

    async def fetch(
        self,
        endpoint_id: str,
        *,
        params: Mapping[str, str] | None = None,
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
            Laid over the endpoint's own.
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
        """
        question = self._question(endpoint_id, params, accepts, origin, incident_id)
        asking = self._asking(question, deadline_s or question.endpoint.deadline_s)
        route = self._routes.get(endpoint_id) if follow_route else None
        tried: list[Tried] = []
        first: Verdict | None = None
        if route is not None:
            first = Verdict(route.failure_class, f"known from incident {route.incident_id}")
            strategy = self._routed(route)
            if strategy is not None:
                healed = await self._try(strategy, question, asking, first, tried)
                if healed is not None:
                    self._look_behind(question)
                    return self._answer(question, asking, healed, strategy.name, first)
        plain = await self._plain(question, asking, number=len(tried) + 1)
        if isinstance(plain, Healed):
            return self._answer(question, asking, plain, PLAIN, None)
        first = plain.verdict
        strategies = [each for each in self._strategies if each.name not in _names(tried)]
        plan = make_plan(self._situation(question, asking, first), strategies)
        for step in plan.steps:
            healed = await self._try(step.strategy, question, asking, first, tried)
            if healed is not None:
                return self._answer(question, asking, healed, step.strategy.name, first)
        tried += [
            Tried(each.strategy.name, "left out", each.applicability.because)
            for each in plan.left_out
        ]
        return self._failed(question, asking, first, tuple(tried))

    async def observe(self, endpoint_id: str, *, timeout_s: float) -> Observation:
        """Ask the primary once, heal nothing: a probe.

        Good data is remembered like a reader's, so a probe also keeps the snapshots fresh.
        """
        question = self._question(endpoint_id, None, None, Origin.PROBE, None)
        asking = self._asking(question, timeout_s)
        situation = self._situation(question, asking, Verdict(FailureClass.OK, ""))
        seen = await asking.ask(situation.request(), timeout_s)
        if seen.reading is not None:
            healed = _healed(seen, question, self._clock.now())
            self._remember(question, healed)
        return seen

    def plan_for(self, endpoint_id: str, failure: Verdict) -> Plan:
        """What would be tried for an endpoint that fails like this, and why; sends nothing."""
        question = self._question(endpoint_id, None, None, Origin.HEAL, None)
        asking = self._asking(question, question.endpoint.deadline_s)
        return make_plan(self._situation(question, asking, failure), self._strategies)

    def provider_of(self, endpoint_id: str) -> Provider:
        """Whoever speaks for an endpoint of the catalog."""
        return self._providers[
            self._catalog.sources[self._catalog.endpoints[endpoint_id].source].provider
        ]

    def last_good(self, endpoint_id: str) -> Snapshot | None:
        """The newest good data of an endpoint, as its own parameters ask for it."""
        return self._snapshots.get(endpoint_id, "")

    def _question(
        self,
        endpoint_id: str,
        params: Mapping[str, str] | None,
        accepts: frozenset[Fidelity] | None,
        origin: Origin,
        incident_id: int | None,
    ) -> Question:
        endpoint = self._catalog.endpoints.get(endpoint_id)
        if endpoint is None:
            raise ConfigurationError(
                f"The catalog has no endpoint '{endpoint_id}'.",
                "Add it to the configuration, or see `healing check` for those there are.",
            )
        source = self._catalog.sources[endpoint.source]
        return Question(
            request_id=self._new_id(),
            endpoint=endpoint,
            provider=self._providers[source.provider],
            params=params,
            accepts=endpoint.accepts if accepts is None else accepts,
            origin=origin,
            began_at=self._clock.now(),
            began=self._clock.monotonic(),
            incident_id=incident_id,
        )

    def _asking(self, question: Question, deadline_s: float) -> Asking:
        last = self._snapshots.get(question.endpoint.id, question.key)
        return Asking(
            endpoint=question.endpoint,
            provider=question.provider,
            send=self._send,
            clock=self._clock,
            random=self._random,
            deadline_at=question.began + deadline_s - HAND_OVER_S,
            last=None if last is None else last.reading,
        )

    def _situation(self, question: Question, asking: Asking, failure: Verdict) -> Situation:
        source = self._catalog.sources[question.endpoint.source]
        return Situation(
            endpoint=question.endpoint,
            provider=question.provider,
            host=source.hosts[0],
            key=source.keys[0] if source.keys else None,
            params=question.params,
            failure=failure,
            now=self._clock.now(),
            remaining_s=asking.remaining_s,
            accepts=question.accepts,
            snapshot=self._snapshots.get(question.endpoint.id, question.key),
            attempt_timeout_s=self._attempt_timeout_s,
        )

    def _look_behind(self, question: Question) -> None:
        """Ask the primary now and then while a route serves: half-open, at no reader's cost.

        Without it nobody would notice a recovery at a source whose probes are rationed.
        """
        source = self._catalog.sources[question.endpoint.source]
        spacing = look_spacing_s(source.quota, source.probe_share)
        about = question.endpoint.id if spacing <= LOOK_BEHIND_S else source.name
        now = self._clock.monotonic()
        if now - self._looked.get(about, -math.inf) < spacing:
            return
        self._looked[about] = now
        task = asyncio.create_task(self._look(question))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _look(self, question: Question) -> None:
        again = replace(question, began=self._clock.monotonic(), began_at=self._clock.now())
        asking = self._asking(again, self._attempt_timeout_s)
        result = await self._plain(again, asking, number=2)
        if isinstance(result, Healed):
            self._remember(again, result)

    def _routed(self, route: Route) -> Strategy | None:
        # A retry only ever follows a failed call, so as a route it means: ask the primary.
        for strategy in self._strategies:
            if strategy.name == route.strategy and strategy.cost.worst is not Fidelity.EXACT:
                return strategy
        return None

    async def _plain(
        self, question: Question, asking: Asking, *, number: int
    ) -> Healed | NotHealed:
        began, began_at = self._clock.monotonic(), self._clock.now()
        situation = self._situation(question, asking, Verdict(FailureClass.OK, ""))
        seen = await asking.ask(situation.request(), self._attempt_timeout_s)
        result: Healed | NotHealed = (
            NotHealed(seen.verdict)
            if seen.reading is None
            else _healed(seen, question, self._clock.now())
        )
        self._tell(question, asking, PLAIN, result, began, began_at, 1, number)
        return result

    async def _try(
        self,
        strategy: Strategy,
        question: Question,
        asking: Asking,
        failure: Verdict,
        tried: list[Tried],
    ) -> Healed | None:
        situation = self._situation(question, asking, failure)
        # Asked again here: time has passed since the plan was made.
        applicability = strategy.applies(situation)
        if not applicability.ok:
            tried.append(Tried(strategy.name, "left out", applicability.because))
            return None
        began, began_at, calls = self._clock.monotonic(), self._clock.now(), asking.calls
        asking.latest = None
        result: Healed | NotHealed
        try:
            async with asyncio.timeout(asking.remaining_s or 0.001):
                result = await strategy.heal(situation, asking)
        except TimeoutError:
            result = NotHealed(
                Verdict(FailureClass.TIMEOUT, f"{strategy.name} ran into the deadline")
            )
        if isinstance(result, Healed) and result.fidelity not in question.accepts:
            result = NotHealed(
                Verdict(failure.failure_class, f"the reader does not accept {result.fidelity}")
            )
        spent = asking.calls - calls
        number = len(tried) + 2
        self._tell(question, asking, strategy.name, result, began, began_at, spent, number)
        if isinstance(result, Healed):
            return result
        tried.append(Tried(strategy.name, "did not heal", result.verdict.evidence))
        return None

    def _answer(
        self,
        question: Question,
        asking: Asking,
        healed: Healed,
        strategy: str,
        met: Verdict | None,
    ) -> Answer:
        if asking.calls and healed.fidelity is Fidelity.EXACT:
            self._remember(question, healed)
        answer = Answer(
            request_id=question.request_id,
            endpoint=question.endpoint.id,
            fidelity=healed.fidelity,
            as_of=healed.reading.as_of,
            fetched_at=healed.fetched_at,
            reading=healed.reading,
            body=healed.body,
            strategy=strategy,
            provider=healed.provider,
            attempts=asking.calls,
            seconds=self._clock.monotonic() - question.began,
        )
        self._tell_end(question, answer, met)
        return answer

    def _failed(
        self, question: Question, asking: Asking, met: Verdict, tried: tuple[Tried, ...]
    ) -> HealingFailed:
        failed = HealingFailed(
            request_id=question.request_id,
            endpoint=question.endpoint.id,
            verdict=met,
            tried=tried,
            attempts=asking.calls,
            seconds=self._clock.monotonic() - question.began,
        )
        self._tell_end(question, failed, met)
        return failed

    def _remember(self, question: Question, healed: Healed) -> None:
        snapshot = Snapshot(
            healed.fetched_at, healed.reading, healed.body, healed.provider, healed.fidelity
        )
        self._snapshots.put(question.endpoint.id, question.key, snapshot)
        self._record(snapshot_fact(question, healed))

    def _tell(
        self,
        question: Question,
        asking: Asking,
        strategy: str,
        result: Healed | NotHealed,
        began: float,
        began_at: datetime,
        calls: int,
        number: int,
    ) -> None:
        use = Use(
            id=self._new_id(),
            strategy=strategy,
            number=number,
            began_at=began_at,
            seconds=self._clock.monotonic() - began,
            result=result,
            seen=asking.latest if calls else None,
            calls=calls,
            late=asking.remaining_s <= 0,
        )
        self._record(attempt_fact(question, use))

    def _tell_end(
        self, question: Question, end: Answer | HealingFailed, met: Verdict | None
    ) -> None:
        if question.origin is Origin.READER:
            self._record(answer_fact(question, end, met))


def _names(tried: Sequence[Tried]) -> set[str]:
    return {each.strategy for each in tried}


def _healed(seen: Observation, question: Question, now: datetime) -> Healed:
    assert seen.reading is not None, "only good observations become answers"
    return Healed(
        fidelity=Fidelity.EXACT,
        reading=seen.reading,
        body=seen.response.body,
        fetched_at=now,
        provider=question.endpoint.source,
        evidence=seen.verdict.evidence,
    )
