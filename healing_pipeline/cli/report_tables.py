"""`healing report --format`: the structures as documents, and the digest."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table as ShownTable
from rich.text import Text

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.cli.console import SafeConsole, out
from healing_pipeline.cli.report_window import of_window
from healing_pipeline.cli.whole_files import write_text
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.reporting.forms import FORMS
from healing_pipeline.reporting.structures import ENDPOINT_HEALTH, STRUCTURES
from healing_pipeline.reporting.tables import Cell, Table, moment
from healing_pipeline.storage.digests import read_digest
from healing_pipeline.storage.structures import read_structure
from healing_pipeline.web.dashboard.striking import striking_for

TEXT, ALL = "text", "all"
FORMATS = (TEXT, *FORMS)
# Rows of a table: as many as a prompt or a page bears, and as many as a program asks for.
MOST_SHOWN, MOST_ROWS, MOST_ASKED = 200, 5_000, 100_000
TO_BE_READ = frozenset({TEXT, "toon", "md", "html"})
LONGEST_CELL, WIDE = 60, 2_000


def report_tables(
    config: Path,
    *,
    form: str,
    names: Sequence[str],
    hours: float,
    limit: int | None,
    output: Path | None,
) -> int:
    """Write structures in one form; 0 when all of it was written.

    Parameters
    ----------
    names : sequence of str
        Structures, or `ALL`; empty: what suits the form.
    """
    if form not in FORMATS:
        raise ConfigurationError(
            f"--format is {form[:40]!r}, which is none of the formats.",
            f"Write --format {', '.join(FORMATS[:-1])} or {FORMATS[-1]}.",
        )
    chosen = chosen_structures(form, names)
    most = limit if limit is not None else MOST_SHOWN if form in TO_BE_READ else MOST_ROWS
    if not 1 <= most <= MOST_ASKED:
        raise ConfigurationError(
            f"--limit is {most}.", f"Ask for 1 to {MOST_ASKED:,} rows of each table."
        )

    def read(connection: Any, since: datetime, now: datetime, catalog: Catalog) -> list[Table]:
        striking = striking_for(catalog)
        return [
            striking.table(
                read_structure(connection, name, since=since, now=now, catalog=catalog, limit=most)
            )
            for name in chosen
        ]

    tables = of_window(config, hours, read)
    if form == TEXT:
        write_text("\n".join(_shown(each) for each in tables), output)
    else:
        write_text(FORMS[form].write(tables), output)
    return 0


def report_digest(config: Path, *, hours: float, output: Path | None) -> int:
    """Write the digest; 0 when it was written."""
    text = of_window(
        config,
        hours,
        lambda connection, since, now, catalog: read_digest(
            connection, since=since, now=now, catalog=catalog, strike=striking_for(catalog).text
        ),
    )
    write_text(text, output)
    return 0


def chosen_structures(form: str, names: Sequence[str]) -> tuple[str, ...]:
    """The structures that are meant, in their own order.

    Raises
    ------
    ConfigurationError
        If there is none of that name, or the form has no room for that many.
    """
    unknown = [each for each in names if each not in STRUCTURES and each != ALL]
    if unknown:
        raise ConfigurationError(
            f"There is no structure {unknown[0][:40]!r}.",
            f"Name one of {', '.join(STRUCTURES)}, or {ALL}.",
        )
    has_room = form == TEXT or FORMS[form].holds_many
    if not names:
        return tuple(STRUCTURES) if has_room else (ENDPOINT_HEALTH.name,)
    chosen = tuple(each for each in STRUCTURES if each in names or ALL in names)
    if len(chosen) > 1 and not has_room:
        raise ConfigurationError(
            f"{form.upper()} holds one table, and {len(chosen)} are asked for.",
            f"Name one with --structure, or write --format json: {', '.join(chosen)}.",
        )
    return chosen


def _shown(table: Table) -> str:
    """A table for people, as wide as the terminal."""
    shown = ShownTable(title=f"{table.name}: {len(table.rows)}", box=SIMPLE, pad_edge=False)
    for column in table.columns:
        is_text = column.type in ("string", "timestamp", "bool")
        shown.add_column(column.name, justify="left" if is_text else "right")
    for row in table.rows:
        shown.add_row(*(Text(_cell(row[each.name])) for each in table.columns))
    # What is piped or kept in a file is as wide as it has to be.
    page = SafeConsole(file=io.StringIO(), width=out.width if sys.stdout.isatty() else WIDE)
    with page.capture() as captured:
        page.print(shown)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def _cell(value: Cell) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return moment(value)[:19].replace("T", " ")
    text = str(value)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"
