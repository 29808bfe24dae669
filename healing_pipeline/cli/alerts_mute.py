"""`healing alerts ack`, `silence`, `silences`, `unsilence`, `maintenance`: who need not be told."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from healing_pipeline.alerting.muting import Maintenance, Silence, matches
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.cli.alerts_place import known_source, opened, said_why, who
from healing_pipeline.cli.console import out, print_json
from healing_pipeline.cli.moments import duration, moment
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.storage import alert_groups


def acknowledge(config: Path, number: int, *, by: str | None, as_json: bool) -> int:
    """Note who sees to a group."""
    name = who(by)
    with opened(config) as (_, connection, now):
        is_new = alert_groups.acknowledge(connection, group_id=number, by=name, at=now)
        group = alert_groups.group_by_id(connection, number)
    if group is None:
        raise ConfigurationError(
            f"There is no alert {number}.", "`healing alerts list --all` lists their numbers."
        )
    if not is_new and group.resolved_at is not None:
        raise ConfigurationError(
            f"Alert {number} was over at {group.resolved_at:%Y-%m-%d %H:%M} UTC.",
            "`healing alerts` lists those that fire.",
        )
    if as_json:
        print_json({"group": number, "acknowledged_by": group.acknowledged_by, "is_new": is_new})
    elif is_new:
        out.print(f"{name} sees to alert {number}: {group.title}", markup=False)
    else:
        out.print(f"{group.acknowledged_by} sees to alert {number} already.", markup=False)
    return 0


def silence(
    config: Path,
    *,
    for_text: str,
    reason: str,
    source: str | None,
    endpoint: str | None,
    by: str | None,
    as_json: bool,
) -> int:
    """Begin a silence."""
    lasts, why, name = duration(for_text, "--for"), said_why(reason), who(by)
    with opened(config) as (catalog, connection, now):
        known_source(catalog, source)
        covered = _covered(catalog, source, endpoint)
        number = alert_groups.begin_silence(
            connection,
            source=source,
            endpoint=endpoint,
            ends_at=now + lasts,
            reason=why,
            by=name,
            at=now,
        )
    if as_json:
        print_json({"silence": number, "ends_at": now + lasts, "endpoints": covered})
    else:
        out.print(
            f"Silence {number}: nobody is told of {_scope(source, endpoint)} until "
            f"{now + lasts:%Y-%m-%d %H:%M} UTC ({len(covered)} endpoints). "
            f"`healing alerts unsilence {number}` ends it.",
            markup=False,
        )
    return 0


def list_silences(config: Path, *, as_json: bool) -> int:
    """List the silences in force."""
    with opened(config) as (_, connection, now):
        found = alert_groups.silences_at(connection, now)
    if as_json:
        print_json([asdict(each) for each in found])
        return 0
    table = _table(
        f"Silences in force: {len(found)}", "number", "of", "until (UTC)", "by", "reason"
    )
    for each in found:
        until = f"{each.ends_at:%Y-%m-%d %H:%M}"
        table.add_row(str(each.id), _scope_of(each), until, Text(each.made_by), Text(each.reason))
    out.print(table)
    return 0


def unsilence(config: Path, number: int, *, as_json: bool) -> int:
    """End a silence."""
    with opened(config) as (_, connection, now):
        if not alert_groups.end_silence(connection, silence_id=number, at=now):
            raise ConfigurationError(
                f"Silence {number} is not in force.",
                "`healing alerts silences` lists those that are.",
            )
    if as_json:
        print_json({"silence": number, "ends_at": now})
    else:
        out.print(f"Silence {number} has ended; what still fires is told of.")
    return 0


def begin_maintenance(
    config: Path,
    *,
    for_text: str,
    reason: str,
    source: str | None,
    at_text: str | None,
    as_json: bool,
) -> int:
    """Note a window in which a source is away."""
    lasts, why = duration(for_text, "--for"), said_why(reason)
    begins_at = None if at_text is None else moment(at_text, "--at")
    with opened(config) as (catalog, connection, now):
        known_source(catalog, source)
        begins_at = now if begins_at is None else begins_at
        if begins_at + lasts <= now:
            raise ConfigurationError(
                f"That was over at {begins_at + lasts:%Y-%m-%d %H:%M} UTC.",
                "`healing learn --maintenance` lets a time that is over teach nothing.",
            )
        number = alert_groups.begin_maintenance(
            connection,
            source=source,
            begins_at=begins_at,
            ends_at=begins_at + lasts,
            reason=why,
        )
    if as_json:
        print_json({"maintenance": number, "begins_at": begins_at, "ends_at": begins_at + lasts})
    else:
        out.print(
            f"Maintenance {number} of {source or 'all sources'} from "
            f"{begins_at:%Y-%m-%d %H:%M} to {begins_at + lasts:%Y-%m-%d %H:%M} UTC: nobody is told "
            "of it, and nothing is learned from it.",
            markup=False,
        )
    return 0


def list_maintenance(config: Path, *, as_json: bool) -> int:
    """List the windows that are, and that are to come."""
    with opened(config) as (_, connection, now):
        found = alert_groups.maintenance_until(connection, now)
    if as_json:
        print_json([asdict(each) for each in found])
        return 0
    title = f"Maintenance that is or is to come: {len(found)}"
    table = _table(title, "number", "of", "from (UTC)", "to (UTC)", "now", "reason")
    for each in found:
        table.add_row(*_window(each), "yes" if each.begins_at <= now else "", Text(each.reason))
    out.print(table)
    return 0


def end_maintenance(config: Path, number: int, *, as_json: bool) -> int:
    """End a window, or take it back."""
    with opened(config) as (_, connection, now):
        if not alert_groups.end_maintenance(connection, maintenance_id=number, at=now):
            raise ConfigurationError(
                f"There is no maintenance {number} to end.",
                "`healing alerts maintenance` lists what is and what is to come.",
            )
    if as_json:
        print_json({"maintenance": number, "ends_at": now})
    else:
        out.print(f"Maintenance {number} has ended; what still fires is told of.")
    return 0


def _covered(catalog: Catalog, source: str | None, endpoint: str | None) -> list[str]:
    """The endpoints that a silence is about.

    Raises
    ------
    ConfigurationError
        If there is none: it would silence nothing.
    """
    found = [
        each.id
        for each in catalog.endpoints.values()
        if source in {None, each.source} and (endpoint is None or matches(endpoint, each.id))
    ]
    if not found:
        raise ConfigurationError(
            f"No endpoint{'' if source is None else f' of {source}'} is called '{endpoint}'.",
            "Name one as `healing report` lists it, or many with *: --endpoint 'yahoo/chart-*'.",
        )
    return found


def _scope(source: str | None, endpoint: str | None) -> str:
    if endpoint is None:
        return source or "anything"
    return endpoint if source is None else f"{endpoint} of {source}"


def _scope_of(each: Silence) -> str:
    return _scope(each.source, each.endpoint)


def _window(each: Maintenance) -> tuple[str, str, str, str]:
    return (
        str(each.id),
        each.source or "all sources",
        f"{each.begins_at:%Y-%m-%d %H:%M}",
        f"{each.ends_at:%Y-%m-%d %H:%M}",
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
