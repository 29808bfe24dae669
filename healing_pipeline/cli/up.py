"""`healing up`: the whole stack in one command, and a live account of it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType

from healing_pipeline.catalog.values import Upstreams
from healing_pipeline.cli.console import out
from healing_pipeline.cli.printable import counted
from healing_pipeline.incidents.lifecycle import Signal
from healing_pipeline.installation import state_dir
from healing_pipeline.stack.account import HEADER, Line
from healing_pipeline.stack.plan import Plan
from healing_pipeline.stack.profile_name import ProfileName
from healing_pipeline.stack.running import Stack
from healing_pipeline.stack.start import stack

COLOURS = {
    Signal.CONFIRMED: "red",
    Signal.HEAL_SUCCEEDED: "green",
    Signal.HEAL_FAILED: "bold red",
    Signal.HEAL_LOST: "red",
    Signal.RECOVERED: "cyan",
}


class _Stop(Exception):  # noqa: N818 (a request, not an error)
    """Somebody asked us to stop."""


def up(
    config: Path, *, port: int, gateway_port: int, scenario: str, seed: int, profile: ProfileName
) -> int:
    """Start, tell, wait, stop; 0 when stopped by Ctrl-C or SIGTERM."""
    plan = Plan(
        config=config,
        root=Path.cwd(),
        state_dir=state_dir(os.environ),
        port=port,
        gateway_port=gateway_port,
        scenario=scenario,
        seed=seed,
        profile=profile,
    )
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (signal's signature)
        # Once: a second Ctrl-C must not break the stopping off half-way.
        if not asked:
            asked.append(number)
            raise _Stop

    before = {each: signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        with stack(plan, _tell) as running:
            _welcome(running)
            running.watch(_show, lambda: bool(asked))
    except _Stop:
        pass
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    _tell("Stopped.")
    return 0


def _tell(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)


def _welcome(running: Stack) -> None:
    catalog = running.catalog
    first = next(iter(catalog.endpoints))
    _tell(f"Dagster:             {running.plan.page}")
    _tell(f"Dashboard:           {running.plan.gateway}/health-dashboard")
    _tell(f"Gateway:             {running.plan.gateway}/docs")
    _tell(f"                     curl -i {running.plan.gateway}/v1/{first}")
    if catalog.upstreams is Upstreams.SIMULATED:
        _tell(
            f"Simulated upstreams: scenario '{running.plan.scenario}' repeats, "
            f"seed {running.plan.seed}; simulated readers ask meanwhile"
        )
    _tell(
        f"Watching {counted(len(catalog.endpoints), 'endpoint')} of "
        f"{counted(len(catalog.sources), 'source')}; "
        f"logs in {running.plan.state_dir / 'logs'}. `healing report` shows their health. "
        "Ctrl-C stops."
    )
    _tell(HEADER)


def _show(line: Line) -> None:
    colour = COLOURS[line.signal]
    out.print(f"[{colour}]{line.text}[/{colour}]", soft_wrap=True)
