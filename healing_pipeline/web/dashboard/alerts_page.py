"""The pages of alerts, and what a visitor may do there.

What they show is read in `alert_stories`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from healing_pipeline.storage import alert_groups
from healing_pipeline.web.dashboard import actions, paging
from healing_pipeline.web.dashboard.alert_stories import (
    CLOSED,
    GroupStory,
    read_all,
    read_group,
    tried_in,
)
from healing_pipeline.web.dashboard.guard import is_foreign_change
from healing_pipeline.web.dashboard.incident_telling import Shown, incident_told
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.rendering import AT
from healing_pipeline.web.dashboard.striking import striking_for

HERE = f"{AT}/alerts"
NAME_COOKIE = "healing_name"
YEAR = timedelta(days=365)

# What a page says after the visitor did something; nothing that came in a query is repeated.
SAID = {
    "acknowledged": "Noted: you see to it. It is not repeated any more; a rise still is told.",
    "already": "Somebody sees to it already, or it is over.",
    "silenced": "Silenced. Nobody is told of it until then.",
    "unsilenced": "The silence has ended; what still fires is told of.",
    "announced": "Noted. Nobody is told of it, and nothing is learned from it.",
    "ended": "The window has ended.",
    "gone": "There is nothing of that number to end.",
}
Do = Callable[[Request, actions.Form], Awaitable[Response]]


def pages_of(dashboard: Dashboard) -> list[BaseRoute]:
    """The pages of alerts, and what their forms do."""
    pages = AlertPages(dashboard)

    def post(path: str, do: Do) -> Route:
        return Route(path, pages.checked(do), methods=["POST"])

    return [
        Route(HERE, pages.show_all),
        post(f"{HERE}/silences", pages.begin_silence),
        post(f"{HERE}/silences/{{id}}/end", pages.end_silence),
        post(f"{HERE}/maintenance", pages.begin_maintenance),
        post(f"{HERE}/maintenance/{{id}}/end", pages.end_maintenance),
        Route(f"{HERE}/{{id}}", pages.show_group),
        post(f"{HERE}/{{id}}/acknowledge", pages.acknowledge),
    ]


class AlertPages:
    """Answers for the pages of alerts.

    Parameters
    ----------
    dashboard : Dashboard
    """

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard
        self._striking = striking_for(dashboard.catalog)

    def checked(self, do: Do) -> Callable[[Request], Awaitable[Response]]:
        """`do` for forms that one of our own pages sent; a page that says why for others."""

        async def answer(request: Request) -> Response:
            # The guard around all pages says so too; what writes does not rely on what is around.
            if is_foreign_change(request.scope):
                return await self._dashboard.problem(
                    request,
                    403,
                    "Not from this page",
                    "Only this dashboard's own pages may do that. Open it, and use the form there.",
                )
            try:
                form = await actions.form_of(request)
            except actions.NoFormError as error:
                return await self._dashboard.problem(request, 400, "No form", str(error))
            return await do(request, form)

        return answer

    async def show_all(self, request: Request) -> Response:
        """What fires, what keeps it quiet, what was."""
        return await self._all(request, {}, ())

    async def show_group(self, request: Request) -> Response:
        """One group with its messages and members."""
        return await self._one(request, request.path_params["id"], {}, ())

    async def acknowledge(self, request: Request, form: actions.Form) -> Response:
        """Note who sees to a group."""
        written = request.path_params["id"]
        number = paging.number(written)
        if number is None:
            return await self._unknown(request, written)
        try:
            by = actions.name_in(form)
        except actions.FormError as error:
            return await self._one(request, written, form, error.problems)
        now = self._dashboard.now()
        is_new = await self._dashboard.database.write(
            lambda connection: alert_groups.acknowledge(connection, group_id=number, by=by, at=now)
        )
        said_now = "acknowledged" if is_new else "already"
        return _back(f"{HERE}/{number}?said={said_now}", by)

    async def begin_silence(self, request: Request, form: actions.Form) -> Response:
        """Tell nobody of some endpoints for a while."""
        now = self._dashboard.now()
        try:
            asked = actions.silence_in(form, self._dashboard.catalog, now)
        except actions.FormError as error:
            return await self._refused(request, form, error.problems)
        await self._dashboard.database.write(
            lambda connection: alert_groups.begin_silence(
                connection,
                source=asked.source,
                endpoint=asked.endpoint,
                ends_at=asked.ends_at,
                reason=asked.reason,
                by=asked.by,
                at=now,
            )
        )
        number = paging.number(form.get("group"))
        return _back(f"{HERE}{f'/{number}' if number else ''}?said=silenced", asked.by)

    async def end_silence(self, request: Request, form: actions.Form) -> Response:  # noqa: ARG002
        """End a silence."""
        number, now = paging.number(request.path_params["id"]), self._dashboard.now()
        is_ended = number is not None and await self._dashboard.database.write(
            lambda connection: alert_groups.end_silence(connection, silence_id=number, at=now)
        )
        return _back(f"{HERE}?said={'unsilenced' if is_ended else 'gone'}")

    async def begin_maintenance(self, request: Request, form: actions.Form) -> Response:
        """Note that a source will be away."""
        try:
            asked = actions.maintenance_in(form, self._dashboard.catalog, self._dashboard.now())
        except actions.FormError as error:
            return await self._refused(request, form, error.problems)
        await self._dashboard.database.write(
            lambda connection: alert_groups.begin_maintenance(
                connection,
                source=asked.source,
                begins_at=asked.begins_at,
                ends_at=asked.ends_at,
                reason=asked.reason,
            )
        )
        return _back(f"{HERE}?said=announced", form["by"])

    async def end_maintenance(
        self,
        request: Request,
        form: actions.Form,  # noqa: ARG002
    ) -> Response:
        """End a window, or take it back."""
        number, now = paging.number(request.path_params["id"]), self._dashboard.now()
        is_ended = number is not None and await self._dashboard.database.write(
            lambda connection: alert_groups.end_maintenance(
                connection, maintenance_id=number, at=now
            )
        )
        return _back(f"{HERE}?said={'ended' if is_ended else 'gone'}")

    async def _refused(
        self, request: Request, form: actions.Form, problems: Sequence[str]
    ) -> Response:
        """The page that the form stood on, with what was filled in and what is wrong with it."""
        group = form.get("group")
        if group and paging.number(group) is not None:
            return await self._one(request, group, form, problems)
        return await self._all(request, form, problems)

    async def _all(self, request: Request, form: actions.Form, problems: Sequence[str]) -> Response:
        dashboard, now = self._dashboard, self._dashboard.now()
        before = paging.number(request.query_params.get("before"))
        story = await dashboard.database.read(
            lambda connection: read_all(connection, before, dashboard.catalog.alerts, now)
        )
        closed, older = paging.shown(story.closed, CLOSED)
        return await dashboard.page(
            request,
            "alerts.html",
            status=422 if problems else 200,
            here="Alerts",
            firing=story.firing,
            closed=closed,
            older=older and f"{HERE}?before={older.id}#history",
            newest=f"{HERE}#history" if before else None,
            lone=story.lone,
            deliveries=story.deliveries,
            silences=story.silences,
            maintenance=story.maintenance,
            now=now,
            **self._form_values(request, form, problems),
        )

    async def _one(
        self, request: Request, written: str, form: actions.Form, problems: Sequence[str]
    ) -> Response:
        dashboard, now = self._dashboard, self._dashboard.now()
        number = paging.number(written)
        story: GroupStory | None = None
        if number is not None:
            wanted = number
            story = await dashboard.database.read(
                lambda connection: read_group(connection, wanted, dashboard.catalog.alerts, now)
            )
        if story is None:
            return await self._unknown(request, written)
        detail = self._striking.everything(dict(story.group.detail))
        members: list[Shown] = [incident_told(each, now, self._striking) for each in story.members]
        return await dashboard.page(
            request,
            "alert_group.html",
            status=422 if problems else 200,
            here="Alerts",
            group=story.group,
            detail=defaultdict(lambda: None, detail),
            tried=tried_in(detail),
            because=story.because,
            messages=story.messages,
            deliveries=story.deliveries,
            members=members,
            readers=story.readers,
            now=now,
            **self._form_values(request, form, problems),
        )

    async def _unknown(self, request: Request, written: str) -> Response:
        return await self._dashboard.page(
            request,
            "unknown.html",
            status=404,
            title="No such alert",
            text=f"There is no alert {written[:40]!r}.",
            near=[(HERE, "All alerts")],
        )

    def _form_values(
        self, request: Request, form: actions.Form, problems: Sequence[str]
    ) -> dict[str, Any]:
        name = form.get("by") or unquote(request.cookies.get(NAME_COOKIE, ""))
        return {
            "form": dict(form),
            "problems": list(problems),
            "said": SAID.get(request.query_params.get("said", "")),
            "name": name[: actions.LONGEST_NAME],
            "sources": list(self._dashboard.catalog.sources),
            "spans": [(key, text) for key, (text, _) in actions.SPANS.items()],
            "striking": self._striking,
        }


def _back(address: str, name: str | None = None) -> Response:
    response = RedirectResponse(address, 303)
    if name is not None:
        # So that nobody has to write it again.
        response.set_cookie(
            NAME_COOKIE,
            quote(name, safe=""),
            max_age=int(YEAR.total_seconds()),
            path=AT,
            httponly=True,
            samesite="strict",
        )
    return response
