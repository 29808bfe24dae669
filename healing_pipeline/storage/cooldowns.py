"""Who was told to wait, in the database: stored as seconds that are left, and read as such."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any

from psycopg import Connection

from healing_pipeline.healing.guard.cooldowns import Cooldown, CooldownEnd, CooldownNews, Kind
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("cooldowns")

# The day's quota that was found to be left holds as long as the day.
ENDED_WITHIN_S = 86_400.0


def listen_to_cooldowns(connection: Connection[Any]) -> None:
    """Have this connection told of each change, see `cooldown_told`."""
    _SQL.listen_to_cooldowns(connection)


def store_cooldowns(connection: Connection[Any], news: Iterable[CooldownNews], now: float) -> None:
    """Let others know; what is over by now, and what is known to last longer, changes nothing.

    Parameters
    ----------
    now : float
        Monotonic seconds, as in `news`.
    """
    for each in news:
        name = {"source": each.source, "kind": str(each.kind), "name": each.name}
        if isinstance(each, CooldownEnd):
            _SQL.end_cooldown(connection, **name, ago_s=now - each.began)
        elif each.until > now:
            _SQL.note_cooldown(
                connection, **name, cause=str(each.cause), remaining_s=each.until - now
            )


def standing_cooldowns(connection: Connection[Any]) -> tuple[CooldownNews, ...]:
    """Those that stand, and those that were found to be over within a day."""
    rows = list(_SQL.cooldowns(connection, ended_within_s=ENDED_WITHIN_S))
    # Looked at afterwards: what the answer took makes a wait longer, never shorter.
    now = monotonic()
    found = (cooldown_told(row, now) for row in rows)
    return tuple(each for each in found if each is not None)


def cooldown_told(told: Mapping[str, Any], now: float) -> CooldownNews | None:
    """What a row or a notice says, in `now`'s seconds; None when it is none of ours."""
    try:
        source, name = str(told["source"]), str(told["name"])
        kind, cause = Kind(told["kind"]), FailureClass(told["cause"])
        remaining_s = float(told["remaining_s"])
    except (KeyError, TypeError, ValueError):
        return None
    if cause is FailureClass.OK:
        return CooldownEnd(source, kind, name, began=now)
    if not math.isfinite(remaining_s) or remaining_s <= 0:
        return None
    return Cooldown(source, kind, name, cause, until=now + remaining_s)
