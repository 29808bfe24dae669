"""`healing probe`: ask endpoints once, heal nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.cli.console import err, hint_at_simulator, out, print_json
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.strategy import Observation
from healing_pipeline.session import Session, open_session

TIMEOUT_S = 3.0
AT_ONCE = 50


def probe(config: Path, wanted: Sequence[str], *, as_json: bool) -> int:
    """Print what each endpoint answers; 0 when all of them are well."""
    with ExitStack() as stack:
        session = open_session(stack, config)
        endpoints = _endpoints(session.catalog, wanted)
        unseen = as_json or not err.is_terminal
        with Progress(console=err, transient=True, disable=unseen) as progress:
            task = progress.add_task("probing", total=len(endpoints))
            seen = session.call(_probe_all, session, endpoints, lambda: progress.advance(task))
    bad = [name for name, each in seen.items() if not each.verdict.is_ok]
    if as_json:
        print_json([_document(name, each) for name, each in seen.items()])
        return 1 if bad else 0
    table = Table(title=f"{len(seen)} endpoints probed, {len(bad)} bad")
    for column in ("endpoint", "failure class", "seconds", "status", "as of (UTC)", "evidence"):
        table.add_column(column, overflow="fold")
    for name, each in seen.items():
        colour = "green" if each.verdict.is_ok else "red"
        table.add_row(
            name,
            f"[{colour}]{each.verdict.failure_class}[/{colour}]",
            f"{each.response.elapsed_s:.2f}",
            str(each.response.status or "-"),
            "-" if each.reading is None else f"{each.reading.as_of:%Y-%m-%d %H:%M}",
            Text(each.verdict.evidence),
        )
    out.print(table)
    if bad:
        hint_at_simulator(session.catalog.upstreams, seen[bad[0]].verdict.failure_class)
    return 1 if bad else 0


def _endpoints(catalog: Catalog, wanted: Sequence[str]) -> list[str]:
    if not wanted:
        return list(catalog.endpoints)
    chosen: dict[str, None] = {}
    for name in wanted:
        if name in catalog.endpoints:
            chosen[name] = None
        elif name in catalog.sources:
            chosen.update(dict.fromkeys(each.id for each in catalog.endpoints_of(name)))
        else:
            raise ConfigurationError(
                f"'{name}' is neither an endpoint nor a source of the configuration.",
                f"Sources are {', '.join(catalog.sources)}; `healing probe` alone lists all.",
            )
    return list(chosen)


async def _probe_all(
    session: Session, endpoints: Sequence[str], done: Callable[[], None]
) -> dict[str, Observation]:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> Observation:
        async with places:
            seen = await session.engine.observe(name, timeout_s=TIMEOUT_S)
        done()
        return seen

    found = await asyncio.gather(*(one(name) for name in endpoints))
    return dict(zip(endpoints, found, strict=True))


def _document(name: str, seen: Observation) -> dict[str, Any]:
    return {
        "endpoint": name,
        "failure_class": seen.verdict.failure_class,
        "evidence": seen.verdict.evidence,
        "seconds": round(seen.response.elapsed_s, 4),
        "status": seen.response.status,
        "host": seen.request.host_name,
        "as_of": None if seen.reading is None else seen.reading.as_of.isoformat(),
    }
