"""The page of one request: how it ended, each choice, each attempt; see `healing explain`."""

from __future__ import annotations

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from healing_pipeline.healing.facts import AnswerFact, Attempt, Decision
from healing_pipeline.storage.decisions import OnRecord, newest_healed, on_record
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.rendering import AT
from healing_pipeline.web.dashboard.striking import striking_for
from healing_pipeline.web.dashboard.telling import Teller

HERE = f"{AT}/requests"


def pages_of(dashboard: Dashboard) -> list[BaseRoute]:
    """The page of every request that is on record."""
    teller = Teller(dashboard.catalog, striking_for(dashboard.catalog))

    async def show(request: Request) -> Response:
        request_id = id_in(request.path_params["id"])
        found: OnRecord | None = None
        if request_id is not None:
            wanted = request_id
            found = await dashboard.database.read(lambda connection: on_record(connection, wanted))
        if found is None:
            return await unknown(request)
        told = teller.requests(found.attempts, {found.request_id: found.decisions})
        facts: list[AnswerFact | Decision | Attempt] = [*found.decisions, *found.attempts]
        about = found.answer or facts[0]
        return await dashboard.page(
            request,
            "request.html",
            request_id=found.request_id,
            endpoint_id=about.endpoint,
            asked_at=about.at,
            answer=found.answer,
            told=told[0] if told else None,
            choices=[teller.choice(each) for each in found.decisions] if not told else [],
        )

    async def unknown(request: Request) -> Response:
        newest = await dashboard.database.read(newest_healed)
        return await dashboard.page(
            request,
            "unknown.html",
            status=404,
            title="No such request",
            text="No request of that id is on record. An answer's X-Healing-Request-Id is one; it "
            "is stored within a second, and pruned with what is old.",
            near=[(f"{HERE}/{newest}", "The newest request that was healed")] if newest else [],
        )

    return [Route(f"{HERE}/{{id}}", show)]


def id_in(text: str) -> UUID | None:
    """The id in a path; None for what is none."""
    try:
        return UUID(text.strip().removeprefix("urn:uuid:"))
    except ValueError:
        return None
