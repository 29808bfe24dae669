"""`healing fetch`: read one endpoint as a reader does."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from healing_pipeline.cli.console import COLOURS, err, hint_at_simulator, out, print_json
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.answer import Answer, HealingFailed
from healing_pipeline.session import open_session


def fetch(
    config: Path,
    endpoint: str,
    param: Sequence[str],
    *,
    deadline_s: float | None,
    as_json: bool,
    body: bool,
) -> int:
    """Print the answer and the truth about it; 0 when there was one."""
    params = _params(param)
    if deadline_s is not None and not 0.1 <= deadline_s <= 60:
        raise ConfigurationError(
            f"A deadline of {deadline_s} s is out of range.", "Give --deadline 0.1 to 60 seconds."
        )

    with ExitStack() as stack:
        session = open_session(stack, config)
        ask = partial(session.engine.fetch, endpoint, params=params, deadline_s=deadline_s)
        end = session.call(ask)
        upstreams = session.catalog.upstreams
    if isinstance(end, HealingFailed):
        if as_json:
            print_json(failure_document(end))
        else:
            err.print(
                f"{end.endpoint}: no answer after {end.seconds:.2f} s: "
                f"{end.verdict.failure_class}: {end.verdict.evidence}",
                markup=False,
            )
            for each in end.tried:
                err.print(f"  {each.strategy}: {each.because}: {each.evidence}", markup=False)
            hint_at_simulator(upstreams, end.verdict.failure_class)
        return 1
    if body:
        sys.stdout.buffer.write(end.body)
    elif as_json:
        print_json(answer_document(end))
    else:
        _show(end)
    return 0


def answer_document(answer: Answer) -> dict[str, Any]:
    """An answer for a program to read."""
    return {
        "request_id": str(answer.request_id),
        "endpoint": answer.endpoint,
        "fidelity": answer.fidelity,
        "as_of": answer.as_of.isoformat(),
        "fetched_at": answer.fetched_at.isoformat(),
        "provider": answer.provider,
        "strategy": answer.strategy,
        "attempts": answer.attempts,
        "seconds": round(answer.seconds, 4),
        "instrument": answer.reading.instrument,
        "interval": answer.reading.interval,
        "points": [
            {"at": point.at.isoformat(), "field": point.field, "value": point.value}
            for point in answer.reading.points
        ],
    }


def failure_document(failed: HealingFailed) -> dict[str, Any]:
    """A failure for a program to read."""
    return {
        "request_id": str(failed.request_id),
        "endpoint": failed.endpoint,
        "failure_class": failed.verdict.failure_class,
        "evidence": failed.verdict.evidence,
        "tried": [
            {"strategy": each.strategy, "because": each.because, "evidence": each.evidence}
            for each in failed.tried
        ],
        "attempts": failed.attempts,
        "seconds": round(failed.seconds, 4),
    }


def _show(answer: Answer) -> None:
    from rich.table import Table

    colour = COLOURS[answer.fidelity]
    out.print(
        f"[bold]{answer.endpoint}[/bold]  [{colour}]{answer.fidelity}[/{colour}]  "
        f"as of {answer.as_of:%Y-%m-%d %H:%M:%S} UTC, by {answer.provider}, "
        f"strategy {answer.strategy}, {answer.attempts} upstream call(s), {answer.seconds:.2f} s"
    )
    table = Table(title=f"{answer.reading.instrument}, {answer.reading.interval}: newest numbers")
    for column in ("at (UTC)", "field", "value"):
        table.add_column(column, justify="right" if column == "value" else "left")
    for point in answer.reading.points[-10:]:
        table.add_row(f"{point.at:%Y-%m-%d %H:%M:%S}", point.field, f"{point.value:,.6g}")
    out.print(table)


def _params(given: Sequence[str]) -> Mapping[str, str] | None:
    pairs = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise ConfigurationError(
                f"'{each}' is not a parameter.", "Write --param NAME=VALUE, e.g. -p limit=10."
            )
        pairs[name] = value
    return pairs or None
