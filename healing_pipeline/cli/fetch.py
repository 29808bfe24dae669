"""`healing fetch`: read one endpoint as a reader does."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.cli.console import COLOURS, err, hint_at_simulator, out, print_json
from healing_pipeline.client import HealingClient, checked_deadline, checked_labels
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.answer import Answer, HealingFailed

# A server that is only just being started, or an address that says nothing.
DATABASE_WITHIN_S = 5.0


def fetch(
    config: Path,
    endpoint: str,
    param: Sequence[str],
    *,
    accept: Sequence[str],
    deadline_s: float | None,
    as_json: bool,
    body: bool,
) -> int:
    """Print the answer and the truth about it; 0 when there was one."""
    params = _params(param)
    labels = [each.strip() for given in accept for each in given.lower().split(",")]
    accepts = checked_labels(labels) if accept else None
    checked_deadline(deadline_s)

    # That PostgreSQL is away is told once, below.
    logging.getLogger("healing_pipeline.storage").setLevel(logging.ERROR)
    with HealingClient.open(config) as client:
        end = client.fetch(endpoint, params=params, deadline_s=deadline_s, accepts=accepts)
        if isinstance(end, HealingFailed):
            _show_failure(end, config, as_json=as_json)
        elif body:
            sys.stdout.buffer.write(end.body)
        elif as_json:
            print_json(answer_document(end))
        else:
            _show(end)
        sys.stdout.flush()
        is_there = client.found_database(DATABASE_WITHIN_S)
        # What went to disk before the database was found is stored by whoever opens it next.
        if not client.flush() and not is_there:
            err.print("PostgreSQL is away: the facts of this request wait on disk until it is back")
    return 1 if isinstance(end, HealingFailed) else 0


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
    retry_s = failed.retry_after_s
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
        "retry_after_s": None if retry_s is None else round(retry_s, 1),
    }


def _show_failure(failed: HealingFailed, config: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(failure_document(failed))
        return
    verdict = failed.verdict
    err.print(
        f"{failed.endpoint}: no answer after {failed.seconds:.2f} s: "
        f"{verdict.failure_class}: {verdict.evidence}",
        markup=False,
    )
    err.print(f"  request {failed.request_id}")
    for each in failed.tried:
        err.print(f"  {each.strategy}: {each.because}: {each.evidence}", markup=False)
    if failed.retry_after_s is not None:
        err.print(f"  The source is asked again in {failed.retry_after_s:.0f} s.")
    hint_at_simulator(load_settings(config, environ=os.environ).upstreams, verdict.failure_class)


def _show(answer: Answer) -> None:
    from rich.table import Table
    from rich.text import Text

    colour = COLOURS[answer.fidelity]
    out.print(
        f"[bold]{answer.endpoint}[/bold]  [{colour}]{answer.fidelity}[/{colour}]  "
        f"as of {answer.as_of:%Y-%m-%d %H:%M:%S} UTC, by {answer.provider}, "
        f"strategy {answer.strategy}, {answer.attempts} upstream call(s), {answer.seconds:.2f} s"
    )
    out.print(f"request {answer.request_id}")
    # The name of the instrument is the provider's.
    title = Text(f"{answer.reading.instrument}, {answer.reading.interval}: newest numbers")
    table = Table(title=title)
    for column in ("at (UTC)", "field", "value"):
        table.add_column(column, justify="right" if column == "value" else "left")
    for point in answer.reading.points[-10:]:
        table.add_row(f"{point.at:%Y-%m-%d %H:%M:%S}", Text(point.field), f"{point.value:,.6g}")
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
