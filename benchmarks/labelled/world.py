"""What is seen of a case: real probes and heal runs of the catalog, over HTTP, of a simulator.

A lane is a simulator of its own with the whole catalog. Before each case every endpoint is well,
and some were just looked at. The fault begins; some endpoints are probed as the control path probes
them, some readers ask; then every incident that began is healed as a heal run heals it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from healing_pipeline.catalog.values import Catalog, Endpoint
from healing_pipeline.control.examining import Examiner, Finding
from healing_pipeline.control.heal_run import HEAL_DEADLINE_S
from healing_pipeline.control.own_connection import OwnConnection, places_of
from healing_pipeline.control.purse import Purse
from healing_pipeline.drill.world import drill_catalog, simulated_clock
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.facts import Attempt, Fact, Origin, ProbeResult
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.healing.parts import Clock
from healing_pipeline.incidents.detection import Begin
from healing_pipeline.incidents.evidence import PROBE, Evidence, Failing, Seen, standings
from healing_pipeline.incidents.next_looks import worth_asking
from healing_pipeline.incidents.own_network import Judgement, judge
from healing_pipeline.installation import allowed_hosts, build_engine
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.simulator.control import RunningSimulator
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.transport.http import HttpSender, new_client
from healing_pipeline.transport.reaching import Reach
from labelled.cases import Case

# Of the endpoints that are looked at, so many are asked by a reader as well.
READ_SHARE = 0.2

# Of all endpoints, so many were looked at just before, when all was well.
BEFORE_SHARE = 0.5

# Long enough ago for what was good before to say nothing of what fails now.
SOME_TIME_S = 2.5

# The endpoints that would tell most are asked, and once more those that would tell most then.
ROUNDS_OF_ASKING = 2

WELL_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Observed:
    """A case and what was seen of it.

    Attributes
    ----------
    at_detection, healed, asked, all_looked_at : Evidence
        When incidents had begun; with the attempts of their heal runs; when besides the few
        endpoints had been asked that the diagnosis would know of; and when every endpoint had.
    """

    case: Case
    at_detection: Evidence
    healed: Evidence
    asked: Evidence
    all_looked_at: Evidence


@dataclass
class Lane:
    """One simulator, and what asks it."""

    catalog: Catalog
    clock: Clock
    simulator: RunningSimulator
    sender: HttpSender
    snapshots: SnapshotMemory = field(default_factory=SnapshotMemory)
    facts: list[Fact] = field(default_factory=list)

    async def observe(self, case: Case) -> Observed:
        """Let a case happen."""
        rng = Random(case.seed)
        engine = await self._well(case.seed)
        self.facts.clear()
        everything = list(self.catalog.endpoints.values())
        before = [each for each in everything if rng.random() < BEFORE_SHARE]
        examiner = self._examiner(engine)
        await asyncio.gather(*(examiner.examine(each, None, None, None) for each in before))
        await asyncio.sleep(SOME_TIME_S)
        began = self.clock.now()
        for fault in case.faults:
            await asyncio.to_thread(self.simulator.control.add_fault, fault)
        try:
            looked = [each for each in everything if rng.random() < case.looked]
            for truth in case.truths:
                if not any(each.id in truth.scope for each in looked):
                    looked.append(self.catalog.endpoints[rng.choice(sorted(truth.scope))])
            read = [each for each in looked if rng.random() < READ_SHARE]
            findings, _ = await asyncio.gather(
                asyncio.gather(*(examiner.examine(each, None, None, None) for each in looked)),
                asyncio.gather(*(engine.fetch(each.id) for each in read)),
            )
            failing = _begun(findings, (), self.clock)
            judgement = await self._judgement(failing)
            at_detection = self._evidence(failing, judgement)
            await asyncio.gather(
                *(
                    engine.fetch(
                        each.endpoint,
                        deadline_s=HEAL_DEADLINE_S,
                        origin=Origin.HEAL,
                        follow_route=False,
                        incident_id=each.incident_id,
                    )
                    for each in failing
                )
            )
            healed = self._evidence(failing, judgement)
            asked = healed
            for _ in range(ROUNDS_OF_ASKING):
                wanted = [self.catalog.endpoints[each] for each in worth_asking(asked)]
                if not wanted:
                    break
                findings = await asyncio.gather(
                    *(examiner.examine(each, None, None, None) for each in wanted)
                )
                failing = _begun(findings, failing, self.clock)
                asked = self._evidence(failing, judgement)
            seen = {each.endpoint for each in asked.seen if each.at >= began}
            rest = [each for each in everything if each.id not in seen]
            await asyncio.gather(*(examiner.examine(each, None, None, None) for each in rest))
            every = self._evidence(failing, judgement)
            return Observed(case, at_detection, healed, asked, every)
        finally:
            await asyncio.to_thread(self.simulator.control.clear_faults)
            await engine.aclose()

    async def _well(self, seed: int) -> HealingEngine:
        """A fresh engine, once every endpoint answers."""
        engine = self._engine(seed)
        until = self.clock.monotonic() + WELL_WITHIN_S
        ill = list(self.catalog.endpoints)
        while ill:
            seen = await asyncio.gather(*(engine.observe(each, timeout_s=2.0) for each in ill))
            ill = [name for name, each in zip(ill, seen, strict=True) if each.reading is None]
            if ill:
                assert self.clock.monotonic() < until, f"the calm simulator did not answer {ill}"
                await engine.aclose()
                await asyncio.sleep(0.2)
                engine = self._engine(seed)
        return engine

    def _engine(self, seed: int) -> HealingEngine:
        return build_engine(
            self.catalog,
            send=self.sender.send,
            record=self.facts.append,
            clock=self.clock,
            snapshots=self.snapshots,
            routes=RouteTable(),
            seed=seed,
        )

    def _examiner(self, engine: HealingEngine) -> Examiner:
        async def stored(_work: Any) -> Any:
            raise AssertionError("nothing is metered, so nothing is stored")

        purses = {
            name: Purse(source, stored, self.clock.now)
            for name, source in self.catalog.sources.items()
        }
        # Whoever is cut off begins no incident; here they are to begin, and to be told apart.
        own = OwnConnection(self.catalog, None, stored, self.clock)
        return Examiner(self.catalog, engine, self.clock, purses, own, self.facts.append)

    async def _judgement(self, failing: tuple[Failing, ...]) -> Judgement | None:
        """Whether it is our own connection, by asking around as the control path does."""
        lost = {FailureClass.TIMEOUT, FailureClass.NETWORK_ERROR}
        if not any(each.failure_class in lost for each in failing):
            return None
        places = places_of(self.catalog)
        reach = Reach(allowed_hosts(self.catalog))
        answers = await asyncio.gather(*(reach(each.host, each.port) for each in places))
        reached = [place for place, ok in zip(places, answers, strict=True) if ok]
        silent = [place for place, ok in zip(places, answers, strict=True) if not ok]
        return judge(reached, silent)

    def _evidence(self, failing: tuple[Failing, ...], judgement: Judgement | None) -> Evidence:
        return Evidence(
            failing=failing,
            seen=tuple(each for each in map(_seen, self.facts) if each is not None),
            endpoints=standings(self.catalog),
            now=self.clock.now(),
            own_outage=judgement,
        )


@asynccontextmanager
async def open_lane(simulator: RunningSimulator) -> AsyncIterator[Lane]:
    """Open a lane on a running simulator."""
    catalog = whole_catalog(simulator)
    sender = HttpSender(new_client(), allowed_hosts(catalog))
    lane = Lane(catalog, simulated_clock(simulator), simulator, sender)
    try:
        yield lane
    finally:
        await sender.aclose()


def whole_catalog(simulator: RunningSimulator) -> Catalog:
    """The default catalog, all of it, on a simulator that meters nothing."""
    return drill_catalog(simulator.addresses, load_scenario("calm"))


def _begun(
    findings: Iterable[Finding], before: tuple[Failing, ...], clock: Clock
) -> tuple[Failing, ...]:
    """The open incidents: those from before, and those that begin with these findings."""
    new = (each for each in findings if isinstance(each.step, Begin))
    return (
        *before,
        *(_failing(number, each, clock) for number, each in enumerate(new, len(before) + 1)),
    )


def _failing(number: int, finding: Finding, clock: Clock) -> Failing:
    endpoint: Endpoint = finding.endpoint
    assert finding.verdict is not None, "an incident begins with a failure"
    return Failing(
        incident_id=number,
        endpoint=endpoint.id,
        source=endpoint.source,
        failure_class=finding.verdict.failure_class,
        evidence=finding.verdict.evidence,
        began_at=finding.began_at or clock.now(),
        detected_at=clock.now(),
    )


def _seen(fact: Fact) -> Seen | None:
    if not isinstance(fact, ProbeResult | Attempt):
        return None
    return Seen(
        at=fact.at,
        source=fact.source,
        endpoint=fact.endpoint,
        host=fact.host,
        key_name=fact.key_name,
        failure_class=FailureClass(fact.failure_class),
        evidence=fact.evidence,
        how=PROBE if isinstance(fact, ProbeResult) else fact.strategy,
    )
