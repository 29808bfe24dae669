"""What a drill holds against what it caused."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from healing_pipeline.healing.facts import ProbeResult
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("counts")


def fact_ids(connection: Connection[Any]) -> list[str]:
    """Ids of every attempt, answer (its request's), probe result and decision (``request/no``)."""
    return [row["id"] for row in _SQL.fact_ids(connection)]


def probe_results(connection: Connection[Any]) -> list[ProbeResult]:
    """What every probe found, in order."""
    return [ProbeResult(**row) for row in _SQL.probe_results(connection)]


def probed_sources(connection: Connection[Any]) -> frozenset[str]:
    """Sources that were probed at all."""
    return frozenset(row["source"] for row in _SQL.probed_sources(connection))


def waiting_for_a_heal(connection: Connection[Any]) -> int:
    """Incidents that a heal run was asked for and has not ended for."""
    return int(_SQL.waiting_for_a_heal(connection))


def is_over(connection: Connection[Any]) -> bool:
    """Whether there was an incident, and none is open any more."""
    return bool(_SQL.is_over(connection))
