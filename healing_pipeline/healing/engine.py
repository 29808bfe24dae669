"""One request, healed inside one deadline: the data path.

The engine holds no socket and no clock of its own; what it needs comes as arguments, what it has
to tell goes to `record`. It needs neither Dagster nor PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.healing.account import Question, answer_fact
from healing_pipeline.healing.answer import Answer, HealingFailed
from healing_pipeline.healing.answering import Answering
from healing_pipeline.healing.facts import Fact, Origin
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.guard.cooldowns import CooldownNews, Tell
from healing_pipeline.healing.guard.guard import Guard
from healing_pipeline.healing.guard.shares import Key, Use
from healing_pipeline.healing.guard.single_flight import Flights
from healing_pipeline.healing.memory import PolicyInForce, RouteTable, SnapshotMemory
from healing_pipeline.healing.parts import Clock, Parts, Send, falls_back_to, keyless_hosts
from healing_pipeline.healing.plan import Plan
from healing_pipeline.healing.questions import question_of
from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.healing.strategy import (
    Observation,
    Snapshot,
    Strategy,
)
from healing_pipeline.healing.validation.scrutiny import MOST_QUESTIONS, Scrutiny
from healing_pipeline.learning.belief import Belief
from healing_pipeline.probing.response import Verdict
from healing_pipeline.providers.provider import Provider


class HealingEngine:
    """Answers questions about catalogued endpoints, healing what fails.

    Parameters
    ----------
    catalog : Catalog
    providers : Mapping[str, Provider]
        By provider name; by an endpoint's id where it has one of its own.
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
    tell : callable, optional
        Takes what limits were met, for other processes; must return at once.

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
        tell: Tell | None = None,
    ) -> None:
        keyless = keyless_hosts(catalog, providers, clock.now())
        self.guard = Guard(catalog.sources, keyless, tell=tell)
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
            # Fewer, and each look at a large catalog would be a first one, which is let through.
            scrutiny=Scrutiny(MOST_QUESTIONS + len(catalog.endpoints)),
        )
        self._catalog = catalog
        self._clock = clock
        self._answering = Answering(self._parts, strategies, attempt_timeout_s)
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
        order: Sequence[str] = (),
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
        order : sequence of str
            Steps of the plan that a heal run is advised to take first, in this order. It changes
            nothing else: what is no step of the plan is passed over.

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
            return await self._answering.answer(
                question, allowed_s, follow_route=follow_route, order=order
            )
        flight = (endpoint_id, question.key, question.accepts, allowed_s)
        while (joined := self._flights.join(flight, self._clock.monotonic())) is not None:
            # Whoever leads began earlier under the same deadline, so this ends in time. When they
            # gave up, one of those who waited leads next.
            shared = await joined.result()
            if shared is not None:
                return self._shared(question, shared)
        with self._flights.leading(flight, question.began) as lead:
            end = await self._answering.answer(question, allowed_s, follow_route=True)
            lead.land(end)
        return end

    async def observe(self, endpoint_id: str, *, timeout_s: float) -> Observation:
        """Ask the primary once, heal nothing: a probe.

        Good data is remembered like a reader's, so a probe also keeps the snapshots fresh.
        """
        question = question_of(self._parts, endpoint_id, origin=Origin.PROBE)
        return await self._answering.primary(question, timeout_s).observe()

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
        attempting = self._answering.primary(question, limit_s)
        await attempting.plain(last=True)
        # A quota that is spent by our own count refuses even the last way.
        seen = attempting.asking.latest or attempting.asking.refused
        assert seen is not None, "it was asked, or it was refused"
        return seen

    def plan_for(self, endpoint_id: str, failure: Verdict) -> Plan:
        """What would be tried for an endpoint that fails like this, and why; sends nothing."""
        question = question_of(self._parts, endpoint_id, origin=Origin.HEAL)
        return self._answering.plan(question, failure)

    def provider_of(self, endpoint_id: str) -> Provider:
        """Whoever speaks for an endpoint of the catalog."""
        return self._parts.provider_of(self._catalog.endpoints[endpoint_id])

    def last_good(self, endpoint_id: str) -> Snapshot | None:
        """The newest good data of an endpoint, as its own parameters ask for it."""
        return self._parts.snapshots.get(endpoint_id, "")

    def take_over(self, news: Iterable[CooldownNews]) -> None:
        """Go by limits that other processes met."""
        now, wall_now = self._clock.monotonic(), self._clock.now()
        for each in news:
            self.guard.take_over(each, now, wall_now)

    def share_out(self, shares: Mapping[Key, int]) -> dict[Key, Use]:
        """Go by these shares of keys' calls a minute; and what is made of every metered key."""
        return self.guard.share_out(shares, self._clock.monotonic())

    def new_id(self) -> UUID:
        """A fresh id, for a fact about what was observed."""
        return self._parts.new_id()

    async def aclose(self) -> None:
        """Give up what runs beside the readers; they are served as before."""
        await self._answering.aclose()

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
