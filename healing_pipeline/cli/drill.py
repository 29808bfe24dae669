"""`healing drill`: break simulated upstreams by script and score what readers got."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from healing_pipeline.cli.console import err, print_json
from healing_pipeline.cli.drill_tables import show_alerts, show_all, show_report, show_side_by_side
from healing_pipeline.drill.run import run_drill
from healing_pipeline.drill.score import is_clean
from healing_pipeline.drill.stack_run import run_stack_drill
from healing_pipeline.drill.world import database_kept
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.installation import state_dir
from healing_pipeline.simulator.scenario import load_scenario, scenario_names
from healing_pipeline.simulator.script import Scenario
from healing_pipeline.stack.dagster_home import Launcher

LONGEST_S = 24 * 3600

# Plays in a loop in `healing up`, slowly enough to be followed by eye.
DEMO = "demo"

BOTH = "both"

STOPPED = 130
"""What a shell expects of a command that Ctrl-C ended."""


def drill(
    scenario: str,
    *,
    seed: int,
    duration_s: float | None,
    stack: bool,
    as_json: bool,
    launcher: str | None = None,
) -> int:
    """Run one scenario, or all; 0 when no drill had an error, a wrong datum or a lost event."""
    if duration_s is not None and not 1 <= duration_s <= LONGEST_S:
        raise ConfigurationError(
            f"A drill of {duration_s:g} s cannot be run.", f"Give --duration 1 to {LONGEST_S}."
        )
    launchers = _launchers(launcher, stack=stack)
    names = drill_names() if scenario == "all" else (scenario,)
    loaded = [load_scenario(name) for name in names]
    turns = [
        (each, name, one) for each, name in zip(loaded, names, strict=True) for one in launchers
    ]
    try:
        with _stopping_once(), database_kept():
            reports = [
                _one(*turn, f"{number} of {len(turns)} ", seed, duration_s, stack=stack)
                for number, turn in enumerate(turns, start=1)
            ]
    except KeyboardInterrupt:
        err.print("Stopped; nothing is left running.")
        return STOPPED
    if as_json:
        print_json(reports if len(turns) > 1 or scenario == "all" else reports[0])
    else:
        _show(reports, len(launchers))
    return 0 if all(is_clean(each) for each in reports) else 1


def drill_names() -> tuple[str, ...]:
    """The scenarios that `all` means: those that come with the package but `up`'s demonstration."""
    return tuple(name for name in scenario_names() if name != DEMO)


def _launchers(asked: str | None, *, stack: bool) -> tuple[Launcher | None, ...]:
    if asked is None:
        return (None,)
    if not stack:
        raise ConfigurationError(
            "Only runs of Dagster are launched, and this drill has none.", "Add --stack."
        )
    if asked == BOTH:
        return (Launcher.WARM, Launcher.DEFAULT)
    if asked not in set(Launcher):
        raise ConfigurationError(
            f"There is no launcher {asked!r}.", f"Choose {', '.join(Launcher)} or {BOTH}."
        )
    return (Launcher(asked),)


@contextmanager
def _stopping_once() -> Iterator[None]:
    """Let Ctrl-C or SIGTERM end the drill, once: a second must not break the stopping off."""
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (signal's signature)
        if not asked:
            asked.append(number)
            raise KeyboardInterrupt

    before = {each: signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _one(
    loaded: Scenario,
    name: str,
    launcher: Launcher | None,
    place: str,
    seed: int,
    duration_s: float | None,
    *,
    stack: bool,
) -> dict[str, Any]:
    seconds = loaded.duration_s if duration_s is None else duration_s
    columns = (
        TextColumn("{task.fields[scenario]}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    # Where nobody watches, the bar's last frame would stay behind among the errors.
    unseen = not err.is_terminal
    with Progress(*columns, console=err, transient=True, disable=unseen) as progress:
        task = progress.add_task("", total=seconds, scenario=f"{place}{loaded.name}")

        def tell(what: str, at_s: float) -> None:
            progress.update(task, description=what, completed=at_s)

        if not stack:
            return run_drill(
                loaded,
                name,
                seed=seed,
                duration_s=seconds,
                state_dir=state_dir(os.environ),
                progress=tell,
            )
        return run_stack_drill(
            loaded,
            name,
            seed=seed,
            duration_s=seconds,
            state_dir=state_dir(os.environ),
            root=Path.cwd(),
            launcher=launcher,
            progress=tell,
        )


def _show(reports: Sequence[dict[str, Any]], launchers: int) -> None:
    for each in reports:
        show_report(each)
    if launchers > 1:
        show_side_by_side(reports)
    if len(reports) > launchers:
        show_all(reports)
        show_alerts(reports)
