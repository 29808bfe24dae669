"""Reports over HTTP: each structure in the form that the client likes best, and the digest.

``GET /reports`` lists them, ``GET /reports/{structure}`` is one, ``GET /reports/digest`` is what a
language model has to know in at most 500 tokens. `Accept` says which form, ``?format=`` overrides
it. Nothing is changed, and nothing is unbounded: not the window, not the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from healing_pipeline.errors import StorageError
from healing_pipeline.reporting.columns import Column
from healing_pipeline.reporting.forms import FORMS, Form
from healing_pipeline.reporting.structures import STRUCTURES, joined
from healing_pipeline.reporting.tables import Table, table_of
from healing_pipeline.storage.digests import read_digest
from healing_pipeline.storage.structures import read_structure
from healing_pipeline.web.accept import liked_best
from healing_pipeline.web.answers import of_problem
from healing_pipeline.web.dashboard.guard import REPORTS_AT
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.striking import striking_for
from healing_pipeline.web.problems import Problem

HERE = REPORTS_AT
DIGEST = "digest"
DEFAULT_HOURS, LONGEST_HOURS = 24.0, 24.0 * 31
DEFAULT_ROWS, MOST_ROWS = 1_000, 10_000

LIST_COLUMNS = (
    Column("name", "string", "What it is called", nullable=False),
    Column("path", "string", "Where it is", nullable=False),
    Column("description", "string", "What one row is", nullable=False),
    Column("columns", "string", "Joined by |; empty for the digest", nullable=False),
)
# The digest is TOON whatever it is called; as plain text a browser shows it.
DIGEST_TYPES = ("text/toon", "text/plain")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says of a report."""

    form: Form
    since: datetime
    now: datetime
    rows: int


def pages_of(dashboard: Dashboard) -> list[BaseRoute]:
    """The list, the digest and the structures."""
    striking = striking_for(dashboard.catalog)

    async def show_list(request: Request) -> Response:
        asked = asked_of(request, dashboard.now())
        if isinstance(asked, Problem):
            return _refused(asked)
        return _answer(asked.form.write([_list()]), asked.form.media_type, "reports", asked)

    async def show_digest(request: Request) -> Response:
        liked = liked_best(request.headers.get("accept"), DIGEST_TYPES)
        if request.query_params.get("format", "toon") != "toon" or liked is None:
            return _refused(_not_acceptable(DIGEST_TYPES, "It is TOON, and nothing else."))
        asked = asked_of(request, dashboard.now(), form=FORMS["toon"])
        if isinstance(asked, Problem):
            return _refused(asked)

        def read(connection: Any) -> str:
            return read_digest(
                connection,
                since=asked.since,
                now=asked.now,
                catalog=dashboard.catalog,
                strike=striking.text,
            )

        return await _from_database(dashboard, read, liked, DIGEST, asked)

    async def show_structure(request: Request) -> Response:
        name = request.path_params["structure"]
        if name not in STRUCTURES:
            known = [DIGEST, *STRUCTURES]
            return _refused(
                Problem(
                    "not-found",
                    f"There is no report {name[:40]!r}. There are {', '.join(known)}.",
                    {"reports": [f"{HERE}/{each}" for each in known]},
                )
            )
        asked = asked_of(request, dashboard.now())
        if isinstance(asked, Problem):
            return _refused(asked)

        def read(connection: Any) -> str:
            table = read_structure(
                connection,
                name,
                since=asked.since,
                now=asked.now,
                catalog=dashboard.catalog,
                limit=asked.rows,
            )
            return asked.form.write([striking.table(table)])

        return await _from_database(dashboard, read, asked.form.media_type, name, asked)

    return [
        Route(HERE, show_list),
        Route(f"{HERE}/{DIGEST}", show_digest),
        Route(f"{HERE}/{{structure}}", show_structure),
    ]


def asked_of(request: Request, now: datetime, form: Form | None = None) -> Asked | Problem:
    """What a request asks for; a problem with its cure where that cannot be had.

    Parameters
    ----------
    form : Form, optional
        Where there is no choice.
    """
    hours = _number(request, "hours", DEFAULT_HOURS, LONGEST_HOURS)
    if isinstance(hours, Problem):
        return hours
    rows = _number(request, "limit", DEFAULT_ROWS, MOST_ROWS)
    if isinstance(rows, Problem):
        return rows
    chosen = form or _form_of(request)
    if isinstance(chosen, Problem):
        return chosen
    return Asked(chosen, now - timedelta(hours=hours), now, max(1, int(rows)))


def _form_of(request: Request) -> Form | Problem:
    named = request.query_params.get("format")
    if named is not None:
        if named in FORMS:
            return FORMS[named]
        return Problem(
            "bad-request", f"There is no format {named[:40]!r}. Write {', '.join(FORMS)}."
        )
    offers = {each.media_type: each for each in FORMS.values()}
    liked = liked_best(request.headers.get("accept"), tuple(offers))
    return _not_acceptable(tuple(offers)) if liked is None else offers[liked]


def _not_acceptable(offers: Sequence[str], said: str = "") -> Problem:
    return Problem(
        "not-acceptable",
        f"{said} There is {', '.join(offers)}: send `Accept` with one of them.".strip(),
        {"available": list(offers)},
    )


def _number(request: Request, name: str, default: float, most: float) -> float | Problem:
    said = request.query_params.get(name)
    if said is None:
        return default
    try:
        found = float(said)
    except ValueError:
        found = 0.0
    if not 0 < found <= most or (name == "limit" and found != int(found)):
        return Problem("bad-request", f"{name} is {said[:40]!r}. Write 1 to {most:g}.")
    return found


def _list() -> Table:
    rows: list[Mapping[str, Any]] = [
        {
            "name": DIGEST,
            "path": f"{HERE}/{DIGEST}",
            "description": "What a model has to know of the window, in at most 500 tokens of TOON.",
            "columns": "",
        }
    ]
    rows += [
        {
            "name": each.name,
            "path": f"{HERE}/{each.name}",
            "description": each.description,
            "columns": joined(column.name for column in each.columns),
        }
        for each in STRUCTURES.values()
    ]
    return table_of("reports", LIST_COLUMNS, rows)


async def _from_database(
    dashboard: Dashboard,
    read: Callable[[Any], str],
    media_type: str,
    name: str,
    asked: Asked,
) -> Response:
    try:
        text = await dashboard.database.read(read)
    except StorageError as error:
        return _refused(
            Problem(
                "storage-away",
                f"{error} Data below /v1 and /proxy is served all the same.",
                headers=((b"retry-after", b"5"),),
            )
        )
    return _answer(text, media_type, name, asked)


def _answer(text: str, media_type: str, name: str, asked: Asked) -> Response:
    file = f"{name}_{asked.now:%Y%m%dT%H%M%SZ}.{asked.form.name}"
    headers = {
        "vary": "Accept",
        "content-disposition": f'inline; filename="{file}"',
        # The pages' own policy would not let a report show its style.
        "content-security-policy": POLICY,
    }
    ended = text if text.endswith("\n") else f"{text}\n"
    return Response(ended, headers=headers, media_type=media_type)


def _refused(problem: Problem) -> Response:
    status, headers, body = of_problem(problem)
    response = Response(body, status_code=status)
    response.raw_headers = [*headers, (b"vary", b"Accept")]
    return response
