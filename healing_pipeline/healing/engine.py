"""One request, healed inside one deadline: the data path.

The engine holds no socket and no clock of its own; what it needs comes as arguments, what it has
to tell goes to `record`. It needs neither Dagster nor PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from healing_pipeline.catalog.values import Catalog, Endpoint, Source
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.account import Question
from healing_pipeline.healing.answer import PLAIN, Answer, HealingFailed
from healing_pipeline.healing.attempting import Attempting
from healing_pipeline.healing.behind import LooksBehind
from healing_pipeline.healing.facts import Fact, Origin
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.memory import Route, RouteTable, SnapshotMemory
from healing_pipeline.healing.plan import Plan, make_plan
from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.healing.strategy import Healed, Observation, Snapshot, Strategy
from healing_pipeline.healing.upstream import Asking, Clock, Send
from healing_pipeline.probing.response import Verdict
from healing_pipeline.providers.provider import Provider

# What is left of a deadline for handing the answer over: an event loop wakes a little late.
HAND_OVER_S = 0.05


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
        self._looks = LooksBehind()

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
        attempting = self._attempting(question, deadline_s or question.endpoint.deadline_s)
        route = self._routes.get(endpoint_id) if follow_route else None
        if route is not None:
            routed = await self._by_route(route, attempting)
            if routed is not None:
                return routed
        plain = await attempting.plain()
        if isinstance(plain, Healed):
            return attempting.answered(plain, PLAIN, None)
        met = plain.verdict
        tried = {each.strategy for each in attempting.tried}
        strategies = [each for each in self._strategies if each.name not in tried]
        plan = make_plan(attempting.situation(met), strategies)
        for step in plan.steps:
            healed = await attempting.use(step.strategy, met)
            if healed is not None:
                return attempting.answered(healed, step.strategy.name, met)
        return attempting.failed(plan, met)

    async def observe(self, endpoint_id: str, *, timeout_s: float) -> Observation:
        """Ask the primary once, heal nothing: a probe.

        Good data is remembered like a reader's, so a probe also keeps the snapshots fresh.
        """
        question = self._question(endpoint_id, None, None, Origin.PROBE, None)
        attempting = self._attempting(question, timeout_s + HAND_OVER_S)
        attempting.attempt_timeout_s = timeout_s
        return await attempting.observe()

    def plan_for(self, endpoint_id: str, failure: Verdict) -> Plan:
        """What would be tried for an endpoint that fails like this, and why; sends nothing."""
        question = self._question(endpoint_id, None, None, Origin.HEAL, None)
        attempting = self._attempting(question, question.endpoint.deadline_s)
        return make_plan(attempting.situation(failure), self._strategies)

    def provider_of(self, endpoint_id: str) -> Provider:
        """Whoever speaks for an endpoint of the catalog."""
        return self._providers[self._source_of(self._catalog.endpoints[endpoint_id]).provider]

    def last_good(self, endpoint_id: str) -> Snapshot | None:
        """The newest good data of an endpoint, as its own parameters ask for it."""
        return self._snapshots.get(endpoint_id, "")

    async def _by_route(self, route: Route, attempting: Attempting) -> Answer | None:
        """Begin with what helped the reader before; None when it does not help any more."""
        strategy = self._routed(route)
        if strategy is None:
            return None
        met = Verdict(route.failure_class, f"known from incident {route.incident_id}")
        healed = await attempting.use(strategy, met)
        if healed is None:
            return None
        endpoint = attempting.question.endpoint
        if self._looks.is_due(endpoint, self._source_of(endpoint), self._clock.monotonic()):
            self._looks.begin(self._look(attempting))
        return attempting.answered(healed, strategy.name, met)

    async def _look(self, served: Attempting) -> None:
        """Ask the primary behind a route, with time of its own."""
        question = replace(
            served.question, began=self._clock.monotonic(), began_at=self._clock.now()
        )
        attempting = self._attempting(question, self._attempt_timeout_s + HAND_OVER_S)
        attempting.number = served.number
        result = await attempting.plain()
        if isinstance(result, Healed):
            attempting.remember(result)

    def _routed(self, route: Route) -> Strategy | None:
        # A retry only ever follows a failed call, so as a route it means: ask the primary.
        for strategy in self._strategies:
            if strategy.name == route.strategy and strategy.cost.worst is not Fidelity.EXACT:
                return strategy
        return None

    def _source_of(self, endpoint: Endpoint) -> Source:
        return self._catalog.sources[endpoint.source]

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
                "Add it to the configuration, or see `healing probe` for those there are.",
            )
        return Question(
            request_id=self._new_id(),
            endpoint=endpoint,
            provider=self.provider_of(endpoint_id),
            params=params,
            accepts=endpoint.accepts if accepts is None else accepts,
            origin=origin,
            began_at=self._clock.now(),
            began=self._clock.monotonic(),
            incident_id=incident_id,
        )

    def _attempting(self, question: Question, deadline_s: float) -> Attempting:
        source = self._source_of(question.endpoint)
        last = self._snapshots.get(question.endpoint.id, question.key)
        asking = Asking(
            endpoint=question.endpoint,
            provider=question.provider,
            send=self._send,
            clock=self._clock,
            random=self._random,
            deadline_at=question.began + deadline_s - HAND_OVER_S,
            last=None if last is None else last.reading,
        )
        return Attempting(
            question=question,
            asking=asking,
            host=source.hosts[0],
            key=source.keys[0] if source.keys else None,
            snapshots=self._snapshots,
            clock=self._clock,
            new_id=self._new_id,
            record=self._record,
            attempt_timeout_s=self._attempt_timeout_s,
        )
