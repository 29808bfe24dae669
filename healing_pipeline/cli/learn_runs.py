"""`healing learn` at work: runs in the installation's Dagster, then a policy, then what changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.cli.console import err, out, print_json
from healing_pipeline.cli.moments import begin_of
from healing_pipeline.control.learning_run import Change, changes, day_of
from healing_pipeline.errors import HealingPipelineError
from healing_pipeline.installation import load_catalog, state_dir
from healing_pipeline.learning.policy import EMPTY
from healing_pipeline.storage import learning, policies
from healing_pipeline.storage.database import Database, DatabaseAddress, resolve_database
from healing_pipeline.storage.migration import bring_up_to_date

AN_HOUR, A_DAY = timedelta(hours=1), timedelta(days=1)
CHANGES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where is learned: the configuration and the database that is open."""

    config: Path
    since: date
    sources: tuple[str, ...]
    address: DatabaseAddress
    database: Database


def configured(config: Path) -> tuple[date, tuple[str, ...]]:
    """Where learning begins, and whose failures it learns from."""
    catalog = load_catalog(config, os.environ)
    return load_settings(config, environ=os.environ).learning_since, tuple(catalog.sources)


@contextmanager
def open_place(config: Path) -> Iterator[Place]:
    """Open the database of the installation, migrated."""
    since, sources = configured(config)
    address = resolve_database(os.environ, state_dir(os.environ))
    try:
        with Database(address.url) as database:
            bring_up_to_date(database, address.owner_url)
            yield Place(config, since, sources, address, database)
    finally:
        address.close()


def learned(
    place: Place,
    span: tuple[datetime, datetime] | None,
    sources: tuple[str, ...],
    now: datetime,
    *,
    as_json: bool,
) -> int:
    """Fold a span in Dagster runs, sum its days, make a policy, tell of it."""
    from healing_pipeline.definitions import build_definitions
    from healing_pipeline.orchestration import learning_runs
    from healing_pipeline.orchestration.partitions import Span

    began = time.monotonic()
    with place.database.connection() as connection:
        before = policies.active_policy(connection)
    runs = []
    with _until_stopped(), ExitStack() as parts:
        instance = parts.enter_context(
            learning_runs.installation_instance(os.environ, Path.cwd(), place.address)
        )
        definitions = build_definitions(place.config)
        if span is not None:
            hours = (span[1] - span[0]) // AN_HOUR
            advance = parts.enter_context(_progress(hours * len(sources), shown=not as_json))
            for source in sources:
                one = Span(*span, (source,))
                runs.append(learning_runs.fold_span(definitions, instance, one, advance))
        for first, last in _days(place, span, now):
            runs.append(learning_runs.sum_days(definitions, instance, first, last))
        made = learning_runs.make_policy(definitions, instance)
        runs.append(made)
    with place.database.connection() as connection:
        is_new = made.metadata["status"] in (policies.PUBLISHED, policies.REFUSED)
        new = policies.policy_at(connection, made.metadata["version"]) if is_new else None
    old = EMPTY if before is None else before[1]
    found = [] if new is None else changes(old, new)
    document = {
        "from": None if span is None else span[0].isoformat(),
        "to": None if span is None else span[1].isoformat(),
        "sources": list(sources),
        "partitions": 0 if span is None else hours * len(sources),
        "seconds": round(time.monotonic() - began, 2),
        "runs": [{"asset": each.asset, "run_id": each.run_id} for each in runs],
        "policy": {
            name: made.metadata[name]
            for name in (
                *("version", "status", "reason", "fingerprint", "events"),
                *("value_new", "value_old", "rates", "changed"),
            )
        },
        "changes": [asdict(each) for each in found],
    }
    if as_json:
        print_json(document)
    else:
        _show(document, found)
    return 1 if made.metadata["status"] == policies.REFUSED else 0


def _days(
    place: Place, span: tuple[datetime, datetime] | None, now: datetime
) -> list[tuple[datetime, datetime]]:
    """Closed days to sum, as first and last of each stretch: the span's, and what is missing."""
    from healing_pipeline.orchestration.partitions import stretches

    closed = day_of(now)
    with place.database.connection() as connection:
        wanted = set(learning.unsummed_days(connection, begin_of(place.since), closed))
    if span is not None:
        day = day_of(span[0])
        while day < min(span[1], closed):
            wanted.add(day)
            day += A_DAY
    return [(begin, end - A_DAY) for begin, end in stretches(wanted, A_DAY)]


@contextmanager
def _until_stopped() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise HealingPipelineError(
            "Stopped. Every hour that was folded by then is whole; the same command folds the rest."
        ) from None


@contextmanager
def _progress(total: int, *, shown: bool) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), console=err, disable=not shown, transient=True
    ) as progress:
        task = progress.add_task("hours of sources", total=total)
        yield lambda: progress.advance(task)


def _show(document: dict[str, Any], found: Sequence[Change]) -> None:
    policy = document["policy"]
    if document["partitions"]:
        out.print(
            f"{document['partitions']:,} hours of sources folded in {document['seconds']:.0f} s."
        )
    if found:
        table = Table(title=f"{len(found)} rates changed; the most:", box=SIMPLE, pad_edge=False)
        for column in ("source", "failure", "strategy", "before", "now", "tries"):
            right = column in {"before", "now", "tries"}
            table.add_column(column, justify="right" if right else "left", no_wrap=not right)
        for each in found[:CHANGES_SHOWN]:
            colour = "green" if each.p_new > each.p_old else "red"
            table.add_row(
                each.source,
                each.failure_class,
                each.strategy,
                percent(each.p_old),
                f"[{colour}]{percent(each.p_new)}[/{colour}]",
                str(each.tries),
            )
        out.print(table)
    out.print(
        f"Policy {policy['version']} is {policy['status']}: {policy['reason']}.", markup=False
    )


def percent(share: float | None) -> str:
    """A share for people."""
    return "-" if share is None else f"{share:.1%}"
