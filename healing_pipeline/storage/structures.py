"""The eight structures, read from the database and the catalog: never more rows than asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice
from types import MappingProxyType
from typing import Any

from psycopg import Connection

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.errors import HealingPipelineError
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.learning.policy import EMPTY
from healing_pipeline.reporting.fallback_chains import fallback_chains
from healing_pipeline.reporting.structures import STRUCTURES, joined
from healing_pipeline.reporting.tables import Table, table_of
from healing_pipeline.storage.policies import active_policy
from healing_pipeline.storage.reports import MOST_READ_WHOLE, health_rows, long_health
from healing_pipeline.storage.routes import active_routes
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("structures")

Rows = Iterable[Mapping[str, Any]]


class NoSuchStructureError(HealingPipelineError, LookupError):
    """A name that no structure has."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"There is no structure {name!r}. Choose from {', '.join(STRUCTURES)}.")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is read, and how far.

    Attributes
    ----------
    most : int
        One more than is told, to see whether there is more.
    """

    connection: Connection[Any]
    catalog: Catalog
    since: datetime
    until: datetime
    most: int

    @property
    def window(self) -> dict[str, Any]:
        return {"since": self.since, "until": self.until, "most": self.most}


def read_structure(
    connection: Connection[Any],
    name: str,
    *,
    since: datetime,
    now: datetime,
    catalog: Catalog,
    limit: int,
) -> Table:
    """The first `limit` rows of a structure; `about` says in `cut` that there were more.

    Parameters
    ----------
    since, now : datetime
        The window [since, now) of what counts events; alerts, chains and targets are as they stand.
    limit : int
        Rows at most, >= 1.

    Raises
    ------
    NoSuchStructureError
        If `name` is none of `STRUCTURES`.
    """
    structure = STRUCTURES.get(name)
    if structure is None:
        raise NoSuchStructureError(name)
    asked = _Asked(connection, catalog, since, now, limit + 1)
    rows = list(islice(_READ[name](asked), limit + 1))
    about: dict[str, Any] = {"from": since, "until": now}
    if len(rows) > limit:
        about["cut"] = name
    return table_of(name, structure.columns, rows[:limit], about)


def _error_events(asked: _Asked) -> Rows:
    return _rows(_SQL.error_events(asked.connection, **asked.window))


def _endpoint_health(asked: _Asked) -> Rows:
    found: Iterable[Mapping[str, Any]]
    if asked.until - asked.since > MOST_READ_WHOLE:
        found = long_health(asked.connection, asked.since, asked.until)
    else:
        found = map(asdict, health_rows(asked.connection, asked.since, asked.until))
    for row in found:
        yield {
            name: round(value, 3 if name.endswith("_s") else 4)
            if isinstance(value, float)
            else value
            for name, value in row.items()
        }


def _healing_strategies(asked: _Asked) -> Rows:
    return _rows(_SQL.healing_strategies(asked.connection, **asked.window))


def _active_alerts(asked: _Asked) -> Rows:
    for row in _SQL.active_alerts(asked.connection, most=asked.most):
        endpoints = joined(islice(row["endpoints"] or (), 10))
        yield {**row, "owners": joined(row["owners"]), "endpoints": endpoints}


def _fallback_chains(asked: _Asked) -> Rows:
    routes = {
        row.endpoint: (row.strategy, Fidelity(row.fidelity))
        for row in active_routes(asked.connection)
    }
    return fallback_chains(asked.catalog, routes)


def _knowledge_base(asked: _Asked) -> Rows:
    found = active_policy(asked.connection)
    policy = EMPTY if found is None else found[1]
    counted = {
        (row["source"], row["failure_class"], row["strategy"]): row
        for row in (
            *_SQL.outer_totals(asked.connection, until=asked.until),
            *_SQL.inner_totals(asked.connection, since=asked.since, until=asked.until),
        )
    }
    believed: dict[tuple[str | None, str, str], float] = {
        (None, failure, strategy): rate.p
        for failure, rates in policy.outer.items()
        for strategy, rate in rates.items()
    }
    for (its, failure), rates in policy.inner.items():
        believed |= {(its, failure, strategy): rate.p for strategy, rate in rates.items()}
    nothing = {"tries": 0, "healed": 0, "mean_s": None}
    rows = []
    for key in counted.keys() | believed.keys():
        source, failure, strategy = key
        row = counted.get(key, nothing)
        chance = believed.get(key)
        if chance is None and found is not None and source is not None:
            chance = policy.rate(source, failure, strategy)[0].p
        rows.append(
            {
                "level": "outer" if source is None else "inner",
                "source": source,
                "failure_class": failure,
                "strategy": strategy,
                "tries": row["tries"],
                "healed": row["healed"],
                "success_rate": round(row["healed"] / row["tries"], 4) if row["tries"] else None,
                "mean_s": row["mean_s"],
                "chance": None if chance is None else round(chance, 4),
            }
        )
    return sorted(
        rows,
        key=lambda row: (
            row["source"] or "",
            -row["tries"],
            row["failure_class"],
            row["strategy"],
        ),
    )


def _monitoring_targets(asked: _Asked) -> Rows:
    endpoints = list(islice(asked.catalog.endpoints.values(), asked.most))
    ids = [each.id for each in endpoints]
    probed = {
        row["endpoint"]: row
        for row in _SQL.probed(asked.connection, endpoints=ids, until=asked.until)
    }
    for each in endpoints:
        yield {
            **probed[each.id],
            "source": each.source,
            "host": asked.catalog.sources[each.source].hosts[0].name,
            "path": each.path,
            "interval_s": each.interval_s,
            "deadline_s": each.deadline_s,
            "accepts": joined(str(label) for label in Fidelity if label in each.accepts),
            "max_age_s": each.max_age_s,
            "owner": each.owner,
        }


def _realtime_metrics(asked: _Asked) -> Rows:
    # No further back than it takes: a day has many minutes, and the newest are asked for.
    minutes = math.ceil(asked.most / max(len(asked.catalog.sources), 1))
    newest = asked.until.replace(second=0, microsecond=0)
    while True:
        since = max(asked.since, newest - timedelta(minutes=minutes))
        rows = _rows(
            _SQL.realtime_metrics(asked.connection, since=since, until=asked.until, most=asked.most)
        )
        if len(rows) == asked.most or since == asked.since:
            return rows
        minutes *= 4


def _rows(found: Any) -> list[Mapping[str, Any]]:
    return list(found)


_READ: Mapping[str, Callable[[_Asked], Rows]] = MappingProxyType(
    {
        "error_events": _error_events,
        "endpoint_health": _endpoint_health,
        "healing_strategies": _healing_strategies,
        "active_alerts": _active_alerts,
        "fallback_chains": _fallback_chains,
        "knowledge_base": _knowledge_base,
        "monitoring_targets": _monitoring_targets,
        "realtime_metrics": _realtime_metrics,
    }
)
