"""What `healing explain` prints for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from healing_pipeline.cli.console import COLOURS, out

_NUMBERS = ("score", "p", "learned", "up", "seconds", "label s")


def show(document: Mapping[str, Any]) -> None:
    """Print a request: what it met, each choice, what each attempt gave."""
    out.print(
        f"[bold]{document['endpoint']}[/bold], asked {document['at']} by a "
        f"{document['origin']}; request {document['request_id']}"
    )
    _show_end(document)
    for each in document["decisions"]:
        _show_decision(each)
    if not document["decisions"]:
        out.print(_why_no_choice(document))
    _show_attempts(document)


def _show_end(document: Mapping[str, Any]) -> None:
    met, end = document["met"], document["end"]
    if met is not None:
        evidence = "" if met["evidence"] is None else f": {met['evidence']}"
        out.print(f"met {met['failure_class']}{evidence}", markup=False)
    if end is None:
        return
    if end["failed"]:
        out.print(f"[red]no answer[/red] after {end['seconds']:.2f} s")
        return
    colour = COLOURS[end["fidelity"]]
    out.print(
        f"answered [{colour}]{end['fidelity']}[/{colour}] by {end['provider']}, strategy "
        f"{end['strategy']}, {end['attempts']} upstream call(s), {end['seconds']:.2f} s"
    )


def _show_decision(decision: Mapping[str, Any]) -> None:
    version = decision["policy_version"]
    policy = (
        "nothing learned yet"
        if decision["policy"] is None
        else f"policy {decision['policy']}" + ("" if version is None else f" (version {version})")
    )
    after = ", after the reader's end" if decision["late"] else ""
    tried = ", ".join(decision["failed_before"]) or "nothing"
    out.print(
        f"\n[bold]Choice {decision['number']}[/bold]{after}: {decision['failure_class']}, "
        f"{decision['budget_s']:.2f} s left, tried before: {tried}; {policy}"
    )
    if decision["candidates"]:
        table = Table(box=SIMPLE, pad_edge=False)
        for column in ("strategy", *_NUMBERS, "known from", "fits because", "verdict"):
            table.add_column(column, justify="right" if column in _NUMBERS else "left")
        for each in decision["candidates"]:
            table.add_row(
                each["strategy"],
                f"{each['score']:.3f}",
                f"{each['p']:.2f}",
                f"{each['learned']:.2f}",
                f"{each['up']:.2f}",
                f"{each['seconds']:.2f}",
                f"{each['loss_s']:.2f}",
                _known_from(each),
                escape(each["because"]),
                each["verdict"],
            )
        out.print(table)
    else:
        out.print("  nothing fitted")
    for each in decision["left_out"]:
        out.print(f"  left out: {each['strategy']}: {each['because']}", markup=False)
    out.print(f"  replayed: {decision['replayed']}", markup=False)


def _known_from(candidate: Mapping[str, Any]) -> str:
    tries, layer = candidate["tries"], candidate["layer"]
    return f"{layer}, {tries} tries" if tries else layer


def _why_no_choice(document: Mapping[str, Any]) -> str:
    if not document["attempts"]:
        return "Another reader's question, asked a moment before, brought the answer."
    if document["met"] is None:
        return "Nothing had to be chosen: the first call was good."
    return "Nothing had to be chosen: it went the way that an incident or a breaker had left."


def _show_attempts(document: Mapping[str, Any]) -> None:
    if not document["attempts"]:
        return
    table = Table(title="Attempts", title_justify="left", box=SIMPLE, pad_edge=False)
    for column in ("#", "strategy", "against", "gave", "by", "calls", "s", "evidence"):
        right = column in {"#", "calls", "s"}
        table.add_column(column, justify="right" if right else "left")
    for each in document["attempts"]:
        gave = each["fidelity"] if each["healed"] else each["failure_class"]
        table.add_row(
            str(each["number"]),
            each["strategy"] + (" (late)" if each["late"] else ""),
            each["met"] or "",
            gave,
            "/".join(part for part in (each["host"], each["key"]) if part),
            str(each["upstream_calls"]),
            f"{each['seconds']:.2f}",
            escape(each["evidence"]),
        )
    out.print(table)
