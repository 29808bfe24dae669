"""Another Python gateway, as one writes it first: Starlette and httpx, no healing, no labels.

``python benchmarks/plain_proxy.py PORT UPSTREAM``
"""

from __future__ import annotations

import sys

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

client = httpx.AsyncClient(limits=httpx.Limits(max_connections=100), trust_env=False)


async def forward(request: Request) -> Response:
    """Ask the upstream the same, give back what it says."""
    path, query = request.scope["raw_path"].decode(), request.url.query
    target = sys.argv[2] + path + (f"?{query}" if query else "")
    answer = await client.get(target)
    content_type = answer.headers.get("content-type")
    return Response(answer.content, answer.status_code, {"content-type": content_type})


app = Starlette(routes=[Route("/{path:path}", forward)])

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="warning")
