"""The data path of this project, in process like a `HealingClient`, without the control loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from healing_pipeline.healing.answer import HealingFailed
from healing_pipeline.healing.facts import Attempt, Fact
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.installation import allowed_hosts, build_engine
from healing_pipeline.transport.http import HttpSender, new_client
from peers.contract import End, Failure, Question, Read, Told, World


@asynccontextmanager
async def ours(world: World) -> AsyncIterator[Read]:
    """The data path alone: no probes, no routes, no learned policy, nothing in PostgreSQL."""
    sender = HttpSender(new_client(), allowed_hosts(world.catalog))
    trails: dict[UUID, list[str]] = {}

    def record(fact: Fact) -> None:
        if isinstance(fact, Attempt):
            said = f"{fact.strategy}: {fact.failure_class} ({fact.evidence})"
            trails.setdefault(fact.request_id, []).append(said)

    engine = build_engine(
        world.catalog,
        send=sender.send,
        record=record,
        clock=world.clock,
        snapshots=SnapshotMemory(),
        routes=RouteTable(),
        seed=world.seed,
    )

    async def read(question: Question) -> End:
        end = await engine.fetch(question.endpoint)
        tried = trails.pop(end.request_id, [])
        if isinstance(end, HealingFailed):
            return Failure("; ".join(tried))
        if end.fidelity is not Fidelity.EXACT and end.met is not None:
            left_out = engine.plan_for(question.endpoint, end.met).left_out
            tried += [
                f"{each.strategy.name} left out: {each.applicability.because}" for each in left_out
            ]
        return Told(end, "; ".join(tried))

    try:
        yield read
    finally:
        await sender.aclose()
