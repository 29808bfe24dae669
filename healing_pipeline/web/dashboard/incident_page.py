"""The page of an incident, at a link that stays: what broke, what was tried, who was told."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from healing_pipeline.storage.alerts import SavedAlert
from healing_pipeline.storage.incident_rows import IncidentRow
from healing_pipeline.storage.joint_incidents import joint_incidents
from healing_pipeline.storage.pages import incidents_before
from healing_pipeline.storage.second_opinions import CallRow, calls_about
from healing_pipeline.storage.stories import FACTS, IncidentStory, incident_story
from healing_pipeline.web.dashboard import paging
from healing_pipeline.web.dashboard.incident_telling import Step, incident_told, steps_of
from healing_pipeline.web.dashboard.joint_telling import joint_told
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.rendering import AT
from healing_pipeline.web.dashboard.striking import Striking, striking_for
from healing_pipeline.web.dashboard.telling import Teller

HERE = f"{AT}/incidents"
LISTED = 50
_LOOKS = {"resolved": "live", "advisory": "none", "test": "none"}


def pages_of(dashboard: Dashboard) -> list[BaseRoute]:
    """The list of incidents, and the page of each."""
    striking = striking_for(dashboard.catalog)
    teller = Teller(dashboard.catalog, striking)

    async def show(request: Request) -> Response:
        number = paging.number(request.path_params["id"])
        now = dashboard.now()
        story: IncidentStory | None = None
        if number is not None:
            wanted = number
            story = await dashboard.database.read(
                lambda connection: incident_story(connection, wanted, now)
            )
        if story is None:
            return await unknown(request)
        steps = steps_of(story.incident, story.events, striking)
        steps += alert_steps(story.incident, story.alerts, striking)
        about = story.incident.id
        asked = await dashboard.database.read(lambda connection: calls_about(connection, about))
        steps += opinion_steps(story.incident, asked, striking)
        steps.sort(key=lambda each: each.at)
        unanswered_count = sum(each.requests for each in story.meanwhile if each.strategy is None)
        return await dashboard.page(
            request,
            "incident.html",
            incident=incident_told(story.incident, now, striking),
            joint=None if story.joint is None else joint_told(story.joint, now, striking),
            link=f"{HERE}/{story.incident.id}",
            steps=steps,
            requests=teller.requests(story.attempts, story.decisions),
            meanwhile=story.meanwhile,
            readers=sum(each.requests for each in story.meanwhile),
            unanswered_count=unanswered_count,
            unanswered=story.unanswered,
            pruned_before=story.facts_since if story.is_pruned else None,
            group=story.group,
            alerts=story.alerts,
            deliveries=story.deliveries,
            probes=[teller.probe(each) for each in story.probes[:FACTS]],
            striking=striking,
        )

    async def show_all(request: Request) -> Response:
        before, now = paging.number(request.query_params.get("before")), dashboard.now()
        found = await dashboard.database.read(
            lambda connection: joint_incidents(connection, before_id=before, limit=LISTED + 1)
        )
        incidents, last = paging.shown(found, LISTED)
        return await dashboard.page(
            request,
            "incidents.html",
            incidents=[(incident_told(each.row, now, striking), each) for each in incidents],
            newest=HERE if before else None,
            older=last and f"{HERE}?before={last.row.id}",
        )

    async def unknown(request: Request) -> Response:
        newest = await dashboard.database.read(
            lambda connection: incidents_before(connection, endpoint=None, before_id=None, limit=5)
        )
        return await dashboard.page(
            request,
            "unknown.html",
            status=404,
            title="No such incident",
            text=f"There is no incident {request.path_params['id'][:40]!r}; old ones are pruned.",
            near=[
                (f"{HERE}/{each.id}", f"{each.id}: {each.endpoint}, {each.failure_class}")
                for each in newest
            ],
        )

    return [Route(HERE, show_all), Route(f"{HERE}/{{id}}", show)]


def opinion_steps(
    incident: IncidentRow, calls: Iterable[CallRow], striking: Striking
) -> list[Step]:
    """The questions to a language model about an incident as steps of its timeline."""
    return [
        Step(
            at=each.at,
            after_s=(each.at - incident.began_at).total_seconds(),
            look="none",
            word="second opinion",
            note=striking.text(f"{each.model} ({each.because}): {each.said}"),
            href=None,
        )
        for each in calls
    ]


def alert_steps(
    incident: IncidentRow, alerts: Iterable[SavedAlert], striking: Striking
) -> list[Step]:
    """The messages about an incident as steps of its timeline."""
    return [
        Step(
            at=each.at,
            after_s=(each.at - incident.began_at).total_seconds(),
            look=_LOOKS.get(each.kind, "failed"),
            word=f"alert {each.kind}, {each.level}",
            note=striking.text(each.title),
            href=None if each.group_id is None else f"{AT}/alerts/{each.group_id}",
        )
        for each in alerts
    ]
