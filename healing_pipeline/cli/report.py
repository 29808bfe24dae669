"""`healing report`: the health of every endpoint, and what was healed how."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.cli.console import COLOURS, err, out, print_json
from healing_pipeline.cli.report_learning import (
    draw,
    learning_document,
    show_learning,
)
from healing_pipeline.cli.report_window import of_window
from healing_pipeline.cli.second_opinion import read_score, show_score
from healing_pipeline.control.learning_run import read_learning
from healing_pipeline.reporting.health import HEALTHY, totals
from healing_pipeline.storage.incident_rows import IncidentRow, JointIncident
from healing_pipeline.storage.incidents import recent_incidents
from healing_pipeline.storage.joint_incidents import joint_incidents_since
from healing_pipeline.storage.reports import (
    HealthRow,
    Summary,
    health_of_window,
    summary_by_strategy,
)

# Of more endpoints the table has the least healthy.
MOST_SHOWN = 200


def report(config: Path, *, hours: float, as_json: bool, pictures: Path | None = None) -> int:
    """Print the report for the last `hours`, and draw what was learned; 0 when it could be made."""

    def read(connection: Any, since: datetime, now: datetime, catalog: Catalog) -> tuple[Any, ...]:
        return (
            health_of_window(connection, since, now),
            recent_incidents(connection, since, 1000),
            joint_incidents_since(connection, since, 1000),
            summary_by_strategy(connection, since, now),
            read_learning(connection, now),
            read_score(connection, catalog, since, now),
        )

    rows, incidents, joint, remedies, learned, advised = of_window(config, hours, read)
    if as_json:
        document = _document(rows, incidents, remedies, hours)
        print_json(
            {
                **document,
                "joint_incidents": [_joint(each) for each in joint],
                "second_opinion": advised,
                "learning": learning_document(learned),
            }
        )
    else:
        _show(rows, joint, remedies, hours)
        show_score(advised)
        show_learning(learned)
    if pictures is not None:
        drawn = draw(learned, pictures)
        err.print(f"{len(drawn)} pictures in {pictures}: {', '.join(drawn) or 'nothing to draw'}")
    return 0


def _document(
    rows: list[HealthRow], incidents: list[IncidentRow], remedies: list[Summary], hours: float
) -> dict[str, Any]:
    summed = totals(rows)
    return {
        "hours": hours,
        "totals": {**asdict(summed), "healing_rate": summed.healing_rate},
        "endpoints": [asdict(each) for each in rows],
        "incidents": [asdict(each) for each in incidents],
        "remedies": [asdict(each) for each in remedies],
    }


def _joint(joint: JointIncident) -> dict[str, Any]:
    counts = {"members": joint.members, "open_members": joint.open_members}
    return {**asdict(joint.row), **counts, "sources": list(joint.sources)}


def _show(
    rows: list[HealthRow], incidents: list[JointIncident], remedies: list[Summary], hours: float
) -> None:
    summed, shown = totals(rows), least_healthy(rows)
    title = f"Health over {hours:g} h: {len(rows)} endpoints"
    if len(shown) < len(rows):
        title += f", the {len(shown)} least healthy of them (--json has all)"
    health = Table(title=title, box=SIMPLE, pad_edge=False)
    for column in ("endpoint", "state", "uptime", "asked", "met", "healed", "errors", "p95 s"):
        left = column in {"endpoint", "state"}
        health.add_column(column, justify="left" if left else "right", no_wrap=left)
    for row in shown:
        colour = "green" if row.state == HEALTHY else "yellow" if row.state == "healed" else "red"
        health.add_row(
            row.endpoint,
            f"[{colour}]{row.state}[/{colour}]",
            _percent(row.uptime),
            str(row.requests),
            str(row.met_fault),
            str(row.healed_requests),
            str(row.reader_errors),
            "-" if row.p95_s is None else f"{row.p95_s:.2f}",
        )
    out.print(health)
    members = sum(each.members for each in incidents)
    story = Table(
        title=f"Incidents: {len(incidents)}, of {members} endpoints", box=SIMPLE, pad_edge=False
    )
    columns = ("#", "endpoint", "root cause", "state", "healed by", "detected", "to heal s")
    for column in columns:
        right = column in {"#", "to heal s"}
        story.add_column(column, justify="right" if right else "left", no_wrap=column == "endpoint")
    for each in incidents[:50]:
        own = each.row
        seconds = None if own.healed_at is None else own.healed_at - own.detected_at
        colour = COLOURS.get(own.fidelity or "", "white")
        story.add_row(
            str(own.id),
            own.endpoint + (f" +{each.others}" if each.others else ""),
            Text(own.root_cause or own.failure_class),
            own.state,
            f"[{colour}]{own.strategy or '-'}[/{colour}]",
            f"{own.detected_at:%d. %H:%M:%S}",
            "-" if seconds is None else f"{seconds.total_seconds():.2f}",
        )
    out.print(story)
    if remedies:
        out.print(_remedies(remedies))
    healed = sum(each.row.healed_at is not None for each in incidents)
    out.print(
        f"{len(incidents)} incidents of {members} endpoints, {healed} healed, "
        f"{sum(each.open_members > 0 for each in incidents)} open. "
        f"{summed.requests} readers' requests, {summed.met_fault} met a healable failure, "
        f"{summed.healed_requests} of those answered ({_percent(summed.healing_rate)}), "
        f"{summed.reader_errors} reader errors."
    )


def least_healthy(rows: list[HealthRow]) -> list[HealthRow]:
    """All rows in their order, or of more than anybody reads those with the most to tell."""
    if len(rows) <= MOST_SHOWN:
        return rows
    worst = sorted(rows, key=lambda row: (row.state == HEALTHY, -row.reader_errors, -row.incidents))
    return worst[:MOST_SHOWN]


def _remedies(remedies: list[Summary]) -> Table:
    table = Table(title="What helped readers against what", box=SIMPLE, pad_edge=False)
    for column in ("failure", "strategy", "tried", "helped", "median s"):
        text = column in {"failure", "strategy"}
        table.add_column(column, justify="left" if text else "right", no_wrap=text)
    for each in remedies:
        table.add_row(
            each.failure_class,
            each.strategy or "-",
            str(each.met),
            _percent(each.healed / each.met),
            f"{each.median_s:.2f}",
        )
    return table


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
