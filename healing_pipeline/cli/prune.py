"""`healing prune`: take away what is past its time, or say what would go."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.box import SIMPLE
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.cli.console import err, out, print_json
from healing_pipeline.cli.learn_runs import configured
from healing_pipeline.control.log_trimming import trim_logs
from healing_pipeline.control.pruning import NAMES, Pruned
from healing_pipeline.control.retention_run import RUN_NAMES, prune_installation
from healing_pipeline.errors import HealingPipelineError
from healing_pipeline.installation import state_dir
from healing_pipeline.storage.database import Database, resolve_database
from healing_pipeline.storage.migration import bring_up_to_date

REASONS_SHOWN = 10


def prune(config: Path, *, dry_run: bool, as_json: bool) -> int:
    """Prune by the configuration; 0 when all is done that may be."""
    since, sources = configured(config)
    retention = load_settings(config, environ=os.environ).retention
    address = resolve_database(os.environ, state_dir(os.environ))
    try:
        with Database(address.url, max_size=2) as database:
            bring_up_to_date(database, address.owner_url)
        with _until_stopped(), _progress(shown=not as_json and not dry_run) as told:
            done = prune_installation(
                address, retention, since, sources, datetime.now(UTC), dry_run=dry_run, told=told
            )
    finally:
        address.close()
    if not dry_run:
        trim_logs(state_dir(os.environ))
    if as_json:
        print_json({"dry_run": dry_run, **asdict(done)})
    else:
        _show(done, dry_run=dry_run)
    return 0


@contextmanager
def _until_stopped() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise HealingPipelineError(
            "Stopped. What is gone is gone, all else is whole; the same command does the rest."
        ) from None


@contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[str, int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), console=err, disable=not shown, transient=True
    ) as progress:
        task = progress.add_task("pruning", total=None)

        def told(table: str, done: int, of: int) -> None:
            progress.update(task, description=_name(table), completed=done, total=of or None)

        yield told


def _name(table: str) -> str:
    return NAMES.get(table) or RUN_NAMES.get(table) or table


def _show(done: Pruned, *, dry_run: bool) -> None:
    if done.removed:
        title = "Would be removed" if dry_run else "Removed"
        table = Table(title=title, box=SIMPLE, pad_edge=False)
        table.add_column("what")
        table.add_column("rows", justify="right")
        for name, rows in done.removed.items():
            table.add_row(_name(name), f"{rows:,}")
        out.print(table)
    else:
        out.print("Nothing is past its time.")
    if done.late:
        out.print(
            f"{done.late:,} of these attempts came after their time had been pruned: what was "
            "learned of their hours stays without them."
        )
    for each in done.kept[:REASONS_SHOWN]:
        out.print(f"Kept: {each.what}, because {each.because}.", markup=False)
    if len(done.kept) > REASONS_SHOWN:
        out.print(f"Kept: {len(done.kept) - REASONS_SHOWN} more; `--json` lists them.")
    if not dry_run:
        out.print(f"{sum(done.removed.values()):,} rows in {done.seconds:.1f} s.")
