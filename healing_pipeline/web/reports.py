"""Reports over HTTP: each structure in the form that the client likes best, and the digest.

``GET /reports`` lists them, ``/reports/{structure}`` is one, ``/reports/all`` all of them, and
``/reports/digest`` what a language model has to know in at most 500 tokens. `Accept` says which
form; ``?format=`` and a suffix outweigh it. Nothing is changed, and nothing is unbounded: not the
window, not the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from healing_pipeline.errors import StorageError
from healing_pipeline.reporting import markup
from healing_pipeline.reporting.columns import Column
from healing_pipeline.reporting.forms import FORMS
from healing_pipeline.reporting.structures import STRUCTURES, joined
from healing_pipeline.reporting.tables import Table, table_of
from healing_pipeline.storage.digests import read_digest
from healing_pipeline.storage.structures import read_structure
from healing_pipeline.web.answers import of_problem
from healing_pipeline.web.dashboard.guard import REPORTS_AT
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.striking import striking_for
from healing_pipeline.web.problems import Problem
from healing_pipeline.web.report_requests import DEFAULT_ROWS, Asked, asked_of

HERE = REPORTS_AT
DIGEST = "digest"
ALL = "all"
# Rows of each structure where all are asked for at once.
ROWS_OF_EACH = 200

LIST_COLUMNS = (
    Column("name", "string", "What it is called", nullable=False),
    Column("path", "string", "Where it is", nullable=False),
    Column("description", "string", "What one row is", nullable=False),
    Column(
        "columns", "string", "Joined by |; empty where there are several tables", nullable=False
    ),
)
# The digest is TOON whatever it is called; as plain text a browser shows it.
DIGEST_FORMS = (FORMS["toon"], replace(FORMS["toon"], name="txt", media_type="text/plain"))
POLICY = f"{markup.POLICY}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def pages_of(dashboard: Dashboard) -> list[BaseRoute]:
    """The list, the digest and the structures."""
    striking = striking_for(dashboard.catalog)

    async def show_list(request: Request) -> Response:
        asked = asked_of(request, dashboard.now(), tuple(FORMS.values()))
        if isinstance(asked, Problem):
            return _refused(asked)
        return _answer(asked.form.write([_list()]), "reports", asked)

    async def show_digest(request: Request) -> Response:
        asked = asked_of(request, dashboard.now(), DIGEST_FORMS)
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

        return await _from_database(dashboard, read, DIGEST, asked)

    async def show_structure(request: Request) -> Response:
        name, _, suffix = request.path_params["structure"].partition(".")
        names = tuple(STRUCTURES) if name == ALL else (name,)
        if name not in (ALL, *STRUCTURES) or suffix not in ("", *FORMS):
            return _refused(_unknown(request.path_params["structure"]))
        asked = asked_of(
            request,
            dashboard.now(),
            [each for each in FORMS.values() if each.holds_many or len(names) == 1],
            suffix=suffix,
            rows=ROWS_OF_EACH if name == ALL else DEFAULT_ROWS,
        )
        if isinstance(asked, Problem):
            return _refused(asked)

        def read(connection: Any) -> str:
            tables = [
                read_structure(
                    connection,
                    each,
                    since=asked.since,
                    now=asked.now,
                    catalog=dashboard.catalog,
                    limit=asked.rows,
                )
                for each in names
            ]
            return asked.form.write([striking.table(each) for each in tables])

        return await _from_database(dashboard, read, name, asked)

    return [
        Route(HERE, show_list),
        Route(f"{HERE}/{DIGEST}", show_digest),
        Route(f"{HERE}/{{structure}}", show_structure),
    ]


def _unknown(name: str) -> Problem:
    known = [DIGEST, ALL, *STRUCTURES]
    return Problem(
        "not-found",
        f"There is no report {name[:40]!r}. There are {', '.join(known)}; a suffix names the form: "
        f"{', '.join(f'.{each}' for each in FORMS)}.",
        {"reports": [f"{HERE}/{each}" for each in known]},
    )


def _list() -> Table:
    said = {
        DIGEST: "What a model has to know of the window, in at most 500 tokens of TOON.",
        ALL: f"All structures in one document, {ROWS_OF_EACH} rows of each if nothing is said.",
    }
    rows: list[Mapping[str, Any]] = [
        {"name": name, "path": f"{HERE}/{name}", "description": text, "columns": ""}
        for name, text in said.items()
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
    return _answer(text, name, asked)


def _answer(text: str, name: str, asked: Asked) -> Response:
    file = f"{name}_{asked.now:%Y%m%dT%H%M%SZ}.{asked.form.name}"
    headers = {
        "vary": "Accept",
        "content-disposition": f'inline; filename="{file}"',
        # The pages' own policy would not let a report show its style.
        "content-security-policy": POLICY,
    }
    ended = text if text.endswith("\n") else f"{text}\n"
    return Response(ended, headers=headers, media_type=asked.media_type)


def _refused(problem: Problem) -> Response:
    status, headers, body = of_problem(problem)
    response = Response(body, status_code=status)
    response.raw_headers = [*headers, (b"vary", b"Accept")]
    return response
