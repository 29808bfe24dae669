"""What `healing diagnose` prints for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from healing_pipeline.alerting.wording import lasted
from healing_pipeline.cli.console import COLOURS, out
from healing_pipeline.cli.second_opinion import show_calls

_STATES = {"resolved": "green", "healed": "yellow", "healing": "yellow"}
_SEVERITIES = {"critical": "bold red", "error": "red", "warning": "yellow"}
# Of an outage of everything, as many as one reads.
MOST_ROWS = 60


def show_all(incidents: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Print what fails now, a line for each joint incident."""
    if not incidents:
        out.print("Nothing fails now. `healing report` shows what did.")
        return
    table = Table(title=f"Failing now: {_incidents(len(incidents))}", box=SIMPLE, pad_edge=False)
    for column in ("#", "what broke", "where", "failing", "concerns", "state", "severity", "for"):
        right = column in {"#", "failing", "concerns", "for"}
        table.add_column(column, justify="right" if right else "left", no_wrap=column == "#")
    for each in incidents:
        table.add_row(
            str(each["incident"]),
            escape(each["root_cause"] or each["failure_class"]),
            escape(each["place"] or each["first_endpoint"]),
            str(each["open_members"]),
            str(each["concerns"]),
            _state(each["state"]),
            _severity(each["severity"]),
            lasted((now - each["began_at"]).total_seconds()),
        )
    out.print(table)
    out.print("`healing diagnose NUMBER` shows why.")


def show_one(document: Mapping[str, Any]) -> None:
    """Print one joint incident: the verdict, the way to it, whom it concerns, what was done."""
    _show_verdict(document)
    _show_chain(document)
    _show_members(document)
    _show_plan(document)
    _show_tried(document)
    show_calls(document["second_opinion"])
    _show_history(document)


def _show_verdict(document: Mapping[str, Any]) -> None:
    number = document["incident"]
    if document["asked"] != number:
        out.print(f"Incident {document['asked']} is a part of incident {number}.")
    what = document["root_cause"] or document["failure_class"]
    out.print(
        f"[bold]Incident {number}: {escape(what)}[/bold], at "
        f"{escape(document['place'] or document['first_endpoint'])}; "
        f"{_state(document['state'])}, {_severity(document['severity'])}"
    )
    others = "" if document["members"] == 1 else f", {document['open_members']} of them open"
    out.print(
        f"{_endpoints(document['members'])} failed{others}; it concerns "
        f"{_endpoints(document['concerns'])}"
    )
    began, over = document["began_at"], document["resolved_at"]
    seen_s = (document["detected_at"] - began).total_seconds()
    parts = [f"began {began:%Y-%m-%d %H:%M:%S} UTC, detected after {seen_s:.1f} s"]
    if document["healed_at"] is not None:
        healed_s = (document["healed_at"] - document["detected_at"]).total_seconds()
        parts.append(f"healed {healed_s:.1f} s later")
    if over is not None:
        parts.append(f"over after {lasted((over - began).total_seconds())}")
    out.print(", ".join(parts))


def _show_chain(document: Mapping[str, Any]) -> None:
    out.print("\n[bold]From the evidence to the verdict[/bold]")
    if not document["chain"]:
        out.print("  It was not diagnosed: nobody has looked at it since it began.")
        return
    out.print(f"  as of {document['chain_at']:%Y-%m-%d %H:%M:%S} UTC")
    for number, link in enumerate(document["chain"], 1):
        out.print(f"  {number}. {link['question']}", markup=False)
        out.print(f"     {link['found']}", markup=False)
        out.print(f"     → {link['follows']}", markup=False)


def _show_members(document: Mapping[str, Any]) -> None:
    table = Table(title="Endpoints", title_justify="left", box=SIMPLE, pad_edge=False)
    for column in ("endpoint", "#", "state", "met", "healed by", "evidence"):
        table.add_column(column, justify="right" if column == "#" else "left")
    members = document["incidents"]
    for each in members[:MOST_ROWS]:
        colour = COLOURS.get(each["fidelity"] or "", "white")
        by = f"{each['strategy']}, {each['fidelity']}" if each["fidelity"] else "-"
        table.add_row(
            each["endpoint"],
            str(each["incident"]),
            _state(each["state"]),
            each["failure_class"],
            f"[{colour}]{by}[/{colour}]",
            escape(each["evidence"]),
        )
    out.print("")
    out.print(table)
    if len(members) > MOST_ROWS:
        out.print(f"  and {len(members) - MOST_ROWS} more: --json has them all")
    quiet = [each["endpoint"] for each in document["scope"] if each["incident"] is None]
    if quiet:
        more = f" and {len(quiet) - MOST_ROWS} more" if len(quiet) > MOST_ROWS else ""
        out.print(
            f"Concerned as well, though none of them was found failing: "
            f"{', '.join(quiet[:MOST_ROWS])}{more}",
            markup=False,
        )


def _show_plan(document: Mapping[str, Any]) -> None:
    out.print("\n[bold]Plan[/bold], of the newest heal")
    if not document["plan"]:
        out.print("  No heal run has ended yet.")
    for each in document["plan"]:
        word = "taken   " if each["taken"] else "left out"
        out.print(f"  {word}  {each['strategy']}: {each['because']}", markup=False)


def _show_tried(document: Mapping[str, Any]) -> None:
    if not document["tried"]:
        return
    table = Table(title="What heal runs tried", title_justify="left", box=SIMPLE, pad_edge=False)
    for column in ("strategy", "endpoints", "uses", "healed", "calls", "gave", "evidence"):
        right = column in {"endpoints", "uses", "healed", "calls"}
        table.add_column(column, justify="right" if right else "left")
    for each in document["tried"]:
        table.add_row(
            each["strategy"],
            str(each["endpoints"]),
            str(each["tries"]),
            str(each["healed"]),
            str(each["upstream_calls"]),
            each["fidelity"] or each["failure_class"],
            escape(each["evidence"]),
        )
    out.print("")
    out.print(table)


def _show_history(document: Mapping[str, Any]) -> None:
    if len(document["verdicts"]) < 2:
        return
    out.print("[bold]What was said of it before[/bold], the newest first")
    for each in document["verdicts"]:
        out.print(
            f"  {each['at']:%H:%M:%S}  {each['root_cause']}, at {each['place']}: "
            f"{_endpoints(each['concerns'])}, {each['severity']}",
            markup=False,
        )


def _state(state: str) -> str:
    colour = _STATES.get(state, "red")
    return f"[{colour}]{state}[/{colour}]"


def _severity(severity: str) -> str:
    colour = _SEVERITIES.get(severity, "white")
    return f"[{colour}]{severity}[/{colour}]"


def _endpoints(count: int) -> str:
    return f"{count} endpoint{'' if count == 1 else 's'}"


def _incidents(count: int) -> str:
    return f"{count} incident{'' if count == 1 else 's'}"
