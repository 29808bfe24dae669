"""Routes as rows: one active per endpoint, replaced and withdrawn, never deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.memory import Route
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage.statements import load_statements
from healing_pipeline.storage.text import json_value

_SQL = load_statements("routes")


def active_routes(connection: Connection[Any]) -> list[Route]:
    """Every active route; empty when all readers go to the primary."""
    return [
        Route(
            **{
                **row,
                "fidelity": Fidelity(row["fidelity"]),
                "failure_class": FailureClass(row["failure_class"]),
            }
        )
        for row in _SQL.active_routes(connection)
    ]


def set_route(
    connection: Connection[Any],
    *,
    endpoint: str,
    strategy: str,
    params: Mapping[str, object],
    fidelity: str,
    incident_id: int,
    at: datetime,
) -> int:
    """Let a route begin in place of the endpoint's active one; returns its id."""
    with connection.transaction():
        _SQL.route_turn(connection, endpoint=endpoint)
        _SQL.withdraw_route(connection, endpoint=endpoint, at=at)
        route_id: int = _SQL.add_route(
            connection,
            endpoint=endpoint,
            strategy=strategy,
            params=Jsonb(json_value(params)),
            fidelity=str(fidelity),
            incident_id=incident_id,
            at=at,
        )
    return route_id


def withdraw_route(connection: Connection[Any], endpoint: str, at: datetime) -> bool:
    """Send readers back to the primary; False when there was no active route."""
    return int(_SQL.withdraw_route(connection, endpoint=endpoint, at=at)) > 0
