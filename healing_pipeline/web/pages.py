"""Everything of the gateway that is no data: documentation, health, what problems mean.

A page is rendered here and complete in itself: no script, no font and no style from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from healing_pipeline.catalog.values import Catalog, Endpoint
from healing_pipeline.web.answers import of_problem
from healing_pipeline.web.openapi import ANSWER_HEADERS, ASKING_HEADERS, openapi_document
from healing_pipeline.web.problems import KINDS, TYPES_AT, Problem
from healing_pipeline.web.protection import STRANGER, with_style

Health = Callable[[], Mapping[str, Any]]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { border-bottom: 1px solid #8884; padding: .3rem .6rem; text-align: left;
         vertical-align: top; }
code, pre { font: 14px/1.4 ui-monospace, monospace; background: #8881; }
pre { padding: .8rem; overflow-x: auto; }
:root { color-scheme: light dark; }
"""
_POLICY = {"content-security-policy": with_style(_STYLE)}


def pages(
    catalog: Catalog,
    health: Health,
    more: Sequence[BaseRoute] = (),
    around: Sequence[Middleware] = (),
) -> Starlette:
    """The application for every path that is no data.

    Parameters
    ----------
    catalog : Catalog
    health : callable
        What `/readyz` tells: at least ``ready``, true or false.
    more : sequence of routes
        Further pages.
    around : sequence of Middleware
        What every request goes through.
    """
    document = orjson.dumps(openapi_document(catalog), option=orjson.OPT_INDENT_2)
    docs = _docs(catalog)

    async def home(request: Request) -> Response:  # noqa: ARG001 (Starlette's signature)
        return RedirectResponse("/docs", status_code=307)

    async def show_docs(request: Request) -> Response:  # noqa: ARG001
        return HTMLResponse(docs, headers=_POLICY)

    async def show_openapi(request: Request) -> Response:  # noqa: ARG001
        return Response(document, media_type="application/json")

    async def show_problem(request: Request) -> Response:
        name = request.path_params["kind"]
        if name not in KINDS:
            raise HTTPException(404)
        kind = KINDS[name]
        text = f"<h1>{escape(kind.title)}</h1><p>Status {kind.status}.</p>"
        page = _page(name, f"{text}<p>{escape(kind.explanation)}</p>")
        return HTMLResponse(page, headers=_POLICY)

    async def show_alive(request: Request) -> Response:  # noqa: ARG001
        return _json({"status": "ok"}, 200)

    async def show_ready(request: Request) -> Response:
        told = health()
        if request.scope.get(STRANGER):
            told = {"ready": bool(told.get("ready"))}
        return _json(told, 200 if told.get("ready") else 503)

    return Starlette(
        routes=[
            Route("/", home),
            Route("/docs", show_docs),
            Route("/openapi.json", show_openapi),
            Route(f"{TYPES_AT}{{kind}}", show_problem),
            Route("/healthz", show_alive),
            Route("/readyz", show_ready),
            *more,
        ],
        middleware=around,
        exception_handlers={404: _not_found, 405: _not_allowed},
    )


async def _not_found(request: Request, error: Exception) -> Response:  # noqa: ARG001
    # Not `request.url`, which cannot be had of a query that is no UTF-8.
    path: str = request.scope["path"]
    return _problem(Problem("not-found", f"There is nothing at {path[:200]!r}. See /docs."))


async def _not_allowed(request: Request, error: Exception) -> Response:  # noqa: ARG001
    allow = ((b"allow", b"GET, HEAD"),)
    return _problem(Problem("method-not-allowed", f"{request.method} is not.", headers=allow))


def _problem(problem: Problem) -> Response:
    status, headers, body = of_problem(problem)
    response = Response(body, status_code=status)
    response.raw_headers = list(headers)
    return response


def _json(value: Mapping[str, Any], status: int) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f"</title><style>{_STYLE}</style></head><body>{body}</body></html>"
    )


def _docs(catalog: Catalog) -> str:
    sections = "".join(
        f"<h2>{escape(name)}</h2><p>Drop-in base URL: <code>/proxy/{escape(name)}</code></p>"
        "<table><tr><th>Path</th><th>Question</th><th>Accepts</th><th>Deadline</th></tr>"
        f"{''.join(_row(each) for each in catalog.endpoints_of(name))}</table>"
        for name in catalog.sources
    )
    first = next(iter(catalog.endpoints), "")
    asking = _terms({name: text for name, (text, _) in ASKING_HEADERS.items()})
    return _page(
        "healing gateway",
        "<h1>healing gateway</h1>"
        "<p>Market data that arrives within its deadline, healed where its provider fails, and "
        "honestly labelled. <a href='/health-dashboard'>Health</a>, "
        "<a href='/reports'>reports</a>, <a href='/openapi.json'>OpenAPI document</a>.</p>"
        f"<pre>curl -i http://127.0.0.1:8888/v1/{escape(first)}\n"
        f"curl -i -H 'X-Healing-Deadline: 1.5' http://127.0.0.1:8888/v1/{escape(first)}\n"
        f"curl -i -H 'X-Healing: off' http://127.0.0.1:8888/v1/{escape(first)}</pre>"
        "<p>An existing client of a provider changes one setting, its base URL, to "
        "<code>/proxy/SOURCE</code>. Its own API key is not needed: ours are used.</p>"
        f"<h2>What a request may say</h2>{asking}"
        f"<h2>What an answer says</h2>{_terms(ANSWER_HEADERS)}{sections}"
        "<h2>Problems</h2>"
        + _terms({f"{TYPES_AT}{name}": kind.title for name, kind in KINDS.items()}),
    )


def _row(endpoint: Endpoint) -> str:
    query = "&".join(f"{name}={value}" for name, value in endpoint.params.items())
    asked = f"{endpoint.path}?{query}" if query else endpoint.path
    cells = (
        f"<code>/v1/{escape(endpoint.id)}</code>",
        f"<code>{escape(asked)}</code>",
        escape(", ".join(sorted(endpoint.accepts))),
        f"{endpoint.deadline_s:g} s",
    )
    return f"<tr>{''.join(f'<td>{each}</td>' for each in cells)}</tr>"


def _terms(terms: Mapping[str, str]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(text)}</td></tr>"
        for name, text in terms.items()
    )
    return f"<table>{rows}</table>"
