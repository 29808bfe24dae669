"""The part of `healing report` that says what was learned, and draws it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from healing_pipeline.cli.console import out
from healing_pipeline.control.learning_run import Learned
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.learning.co_failure import GROUP_COLUMNS, PAIR_OF_COLUMNS
from healing_pipeline.learning.patterns import (
    GLOBAL_PATTERN_COLUMNS,
    SOURCE_PATTERN_COLUMNS,
    WINDOW_COLUMNS,
)
from healing_pipeline.reporting.learning_plot import heat_map_png, learning_curve_png

# By name in the policy: title and columns; a policy's own text sorts its columns by name.
TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "source_patterns": ("What fails where", SOURCE_PATTERN_COLUMNS),
    "global_patterns": ("What heals what, over all sources", GLOBAL_PATTERN_COLUMNS),
    "throttling_windows": ("When a source limits", WINDOW_COLUMNS),
    "sources_failing_together": ("Sources that fail together", PAIR_OF_COLUMNS),
    "groups_failing_together": ("Endpoints that fail together", GROUP_COLUMNS),
}

# Lines of a table for people; `--json` has all.
SHOWN = 12


def learning_document(learned: Learned) -> dict[str, Any]:
    """It as JSON."""
    policy = learned.policy
    return {
        "version": learned.version,
        "as_of": policy.as_of,
        "parameters": {
            source: {"retry_delay_s": each.retry_delay_s, "timeout_s": each.timeout_s}
            for source, each in policy.parameters.items()
        },
        **policy.tables,
        "days": [
            {
                "day": each.day.isoformat(),
                "healed": each.healed,
                "first_try": each.first_try,
                "headroom": each.headroom,
            }
            for each in learned.days
        ],
    }


def show_learning(learned: Learned) -> None:
    """Print the pattern tables."""
    if learned.version is None:
        out.print("Nothing was learned yet: `healing learn` folds what is stored.")
        return
    for name, (title, columns) in TABLES.items():
        rows = learned.policy.tables.get(name, [])
        if rows:
            out.print(_table(f"{title}, policy {learned.version}", columns, rows))
    known = [each for each in learned.days if each.headroom is not None]
    if known:
        newest = known[-1]
        out.print(
            f"On {newest.day} the policy stood at {newest.headroom:.0%} of the way from no "
            "learning to the best in hindsight."
        )


def _table(title: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> Table:
    rest = len(rows) - SHOWN
    more = f" ({rest} more in --json)" if rest > 0 else ""
    table = Table(title=f"{title}{more}", box=SIMPLE, pad_edge=False)
    for column in columns:
        text = isinstance(rows[0][column], str)
        table.add_column(column, justify="left" if text else "right")
    for row in rows[:SHOWN]:
        table.add_row(*("-" if row[each] is None else str(row[each]) for each in columns))
    return table


def draw(learned: Learned, folder: Path) -> list[str]:
    """Write the pictures into a folder, as PNG; the names of those there are.

    Raises
    ------
    ConfigurationError
        If the folder cannot be written to.
    """
    pictures = {"learning_curve.png": learning_curve_png(learned.days)}
    for source in sorted({name for name, _ in learned.policy.inner}):
        pictures[f"heat_map_{source}.png"] = heat_map_png(learned.policy, source)
    drawn = {name: picture for name, picture in pictures.items() if picture is not None}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, picture in drawn.items():
            (folder / name).write_bytes(picture)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be written to: {error.strerror}.", "Name another --pictures folder."
        ) from error
    return sorted(drawn)
