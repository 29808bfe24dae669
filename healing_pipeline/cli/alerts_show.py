"""`healing alerts`, `list` and `show`: what fires, what was said of it, and why or why not."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from healing_pipeline.alerting.messages import GroupState, message_due, rank
from healing_pipeline.alerting.muting import Mutes, muted_because
from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.cli.alerts_place import opened
from healing_pipeline.cli.console import err, out, print_json
from healing_pipeline.control.alert_firing import mutes_at, said
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage import alert_groups, alert_watch, alerts, incidents
from healing_pipeline.storage.alert_groups import AlertGroup
from healing_pipeline.storage.alerts import SavedAlert
from healing_pipeline.storage.deliveries import deliveries_of_alerts

LATELY = timedelta(days=1)
MOST = 1000
# Evaluations come each second.
SILENT_AFTER = timedelta(minutes=1)
LONG_AGO = timedelta(days=36_500)
COLOURS = {Severity.CRITICAL: "bold red", Severity.ERROR: "red", Severity.WARNING: "yellow"}


def show_groups(config: Path, *, with_closed: bool, as_json: bool) -> int:
    """List groups: those that fire first, the worst and newest on top."""
    with opened(config) as (catalog, connection, now):
        since = now - (LONG_AGO if with_closed else LATELY)
        groups = sorted(alert_groups.groups_since(connection, since, MOST), key=_worst_first)
        mutes = mutes_at(connection, now)
        evaluated_at = alert_watch.evaluated_at(connection)
        messages: dict[int, list[SavedAlert]] = {each.id: [] for each in groups}
        for message in alerts.alerts_of_groups(connection, list(messages)):
            if message.group_id is not None:
                messages[message.group_id].append(message)
    why = {each.id: _why(each, messages[each.id], mutes, catalog.alerts, now) for each in groups}
    if evaluated_at is None or now - evaluated_at > SILENT_AFTER:
        when = "yet" if evaluated_at is None else f"since {evaluated_at:%Y-%m-%d %H:%M:%S} UTC"
        err.print(
            f"Nobody has looked after alerts {when}: `healing up` does, or `healing alerts run`."
        )
    if as_json:
        print_json([_document(each, why[each.id]) for each in groups])
        return 0
    closed = "ever" if with_closed else "within a day"
    if not groups:
        out.print(f"Nothing fires, and nothing was over {closed}.")
        return 0
    firing = sum(each.state is GroupState.FIRING for each in groups)
    over = len(groups) - firing
    title = f"Firing: {firing}, recovered or over {closed}: {over}"
    table = Table(title=title, box=SIMPLE, pad_edge=False)
    for column in ("number", "level", "state", "since (UTC)", "what", "endpoints", "told"):
        table.add_column(column, overflow="fold")
    for each in groups:
        table.add_row(
            str(each.id),
            Text(each.level, COLOURS.get(each.level, "") if each.resolved_at is None else "dim"),
            _state(each),
            f"{each.began_at:%Y-%m-%d %H:%M:%S}",
            Text(each.title),
            str(len(each.endpoints)),
            Text(why[each.id]),
        )
    out.print(table)
    return 0


def show_group(config: Path, number: int, *, as_json: bool) -> int:
    """Show one group with all that is known of it."""
    with opened(config) as (catalog, connection, now):
        group = alert_groups.group_by_id(connection, number)
        if group is None:
            raise ConfigurationError(
                f"There is no alert {number}.", "`healing alerts list --all` lists their numbers."
            )
        messages = alerts.alerts_of_group(connection, number)
        members = [incidents.incident_by_id(connection, each) for each in group.incident_ids]
        why = _why(group, messages, mutes_at(connection, now), catalog.alerts, now)
        deliveries = deliveries_of_alerts(connection, [each.id for each in messages])
    known = [each for each in members if each is not None]
    if as_json:
        print_json(
            {
                **_document(group, why),
                "messages": [asdict(each) for each in messages],
                "deliveries": [asdict(each) for each in deliveries],
                "incidents": [asdict(each) for each in known],
            }
        )
        return 0
    _say(f"{group.level} {number}: {group.title}")
    _say(group.body)
    _say(f"State: {_state(group)}, since {group.began_at:%Y-%m-%d %H:%M:%S} UTC. Now: {why}.")
    if action := group.detail.get("action"):
        _say(f"To do: {action}")
    table = Table(title=f"Messages: {len(messages)}", box=SIMPLE, pad_edge=False)
    for column in ("number", "at (UTC)", "kind", "level", "title", "because", "sent"):
        table.add_column(column, overflow="fold")
    for message in messages:
        table.add_row(
            str(message.id),
            f"{message.at:%Y-%m-%d %H:%M:%S}",
            message.kind,
            message.level,
            Text(message.title),
            Text(str(message.detail.get("because", ""))),
            ", ".join(
                f"{each.channel} {each.state}" for each in deliveries if each.alert_id == message.id
            ),
        )
    out.print(table)
    table = Table(title=f"Incidents: {len(known)}", box=SIMPLE, pad_edge=False)
    for column in ("number", "endpoint", "state", "failure", "began (UTC)", "evidence"):
        table.add_column(column, overflow="fold")
    for each in known:
        table.add_row(
            str(each.id),
            each.endpoint,
            each.state,
            each.failure_class,
            f"{each.began_at:%Y-%m-%d %H:%M:%S}",
            Text(each.evidence),
        )
    out.print(table)
    return 0


def _why(
    group: AlertGroup,
    messages: list[SavedAlert],
    mutes: Mutes,
    settings: AlertSettings,
    now: datetime,
) -> str:
    """Why people are told of it now, or not: the same decision as is made for sending."""
    muted = muted_because(group.subject, mutes, now)
    decision = message_due(group.standing, said(messages), muted=muted, settings=settings, now=now)
    if decision.kind is None:
        return decision.because
    return f"{decision.kind} is due: {decision.because}"


def _state(group: AlertGroup) -> str:
    if group.resolved_at is not None:
        return f"over at {group.resolved_at:%Y-%m-%d %H:%M:%S}"
    seen_to = f", {group.acknowledged_by} sees to it" if group.acknowledged_by else ""
    return f"{group.state}{seen_to}"


def _worst_first(group: AlertGroup) -> tuple[bool, int, int]:
    level = 0 if group.resolved_at is not None else rank(group.level)
    return group.resolved_at is not None, -level, -group.id


def _document(group: AlertGroup, why: str) -> dict[str, Any]:
    return {**asdict(group), "state": group.state, "told": why}


def _say(text: str) -> None:
    if text:
        out.print(text, markup=False)
