"""Databases as earlier versions left them: the schema of a migration, with rows in every table.

Rows are written with whatever columns the schema of that version has; those that came later are
left out, and where a column was dropped since, it is still named here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection, sql

from healing_pipeline.storage.database import Database
from healing_pipeline.storage.migration import known_migrations, migrate

# Facts of each kind; the rest has a row or three.
MANY = 40
BEGAN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
AAPL, DGS10 = "yahoo/chart-aapl-1d", "fred/dgs10"

Row = Mapping[str, Any]

COLUMNS = """
    SELECT column_name::text FROM information_schema.columns
     WHERE table_schema = 'healing' AND table_name = %s ORDER BY ordinal_position"""
TABLES = """
    SELECT table_name::text FROM information_schema.tables
     WHERE table_schema = 'healing' AND table_type = 'BASE TABLE' ORDER BY table_name"""
# Tables whose rows the migrations themselves write.
WRITTEN_BY_MIGRATIONS = frozenset({"schema_migration", "pruned", "health_fold"})


def fill(database: Database, number: int, many: int = MANY) -> None:
    """Bring an empty database to migration `number` and write rows into every table of it."""
    migrate(database, known_migrations()[:number])
    with database.connection() as connection:
        there = set(tables(connection))
        for table, rows in _rows(many).items():
            if table in there:
                for row in rows:
                    _insert(connection, table, row)


def tables(connection: Connection[Any]) -> list[str]:
    """The tables of the schema as it is."""
    return [name for (name,) in connection.execute(TABLES)]


def columns(connection: Connection[Any]) -> dict[str, list[str]]:
    """The columns of each table."""
    return {
        table: [name for (name,) in connection.execute(COLUMNS, [table])]
        for table in tables(connection)
    }


def contents(
    connection: Connection[Any], of: Mapping[str, list[str]]
) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of tables, of the columns that are named and still there."""
    now, found = columns(connection), {}
    for table, names in of.items():
        # As text: what compares equal has to read the same, and no driver knows -infinity.
        kept = [
            sql.SQL("{}::text").format(sql.Identifier(each))
            for each in names
            if each in now.get(table, ())
        ]
        query = sql.SQL("SELECT {} FROM healing.{}").format(
            sql.SQL(", ").join(kept), sql.Identifier(table)
        )
        found[table] = sorted(connection.execute(query), key=repr)
    return found


def attempts(many: int, since: int = 0) -> list[Row]:
    """Attempts, half of them strategies against a failure."""
    return [
        {
            "id": _id("attempt", n), "request_id": _id("request", n // 2), "attempt_no": n % 2 + 1,
            "at": _at(n), "origin": "reader", "source": "yahoo", "endpoint": AAPL,
            "strategy": "alternate_host" if n % 2 else "plain", "params": "{}", "host": "query1",
            "failure_class": "ok" if n % 2 else "server_error", "evidence": "status 500",
            "healed": bool(n % 2), "fidelity": "exact" if n % 2 else None, "seconds": 0.25,
            "status": 500, "upstream_calls": 1, "met": "server_error" if n % 2 else None,
        }
        for n in range(since, since + many)
    ]  # fmt: skip


def _rows(many: int) -> dict[str, list[Row]]:
    """Rows of every table, in an order that foreign keys allow."""
    incidents = [("open", AAPL), ("healing", DGS10), ("escalated", "polygon/aapl"),
                 ("healed", "fred/gs10"), ("resolved", AAPL)]  # fmt: skip
    hour = {"hour": BEGAN, "source": "yahoo", "failure_class": "server_error"}
    counts = {"tries": 20, "healed": 20, "exact": 20, "late_tries": 0, "late_healed": 0, "ms": 900}
    return {
        "attempt": attempts(many),
        "answer": [
            {"request_id": _id("request", n), "at": _at(n), "source": "yahoo", "endpoint": AAPL,
             "fidelity": "exact", "strategy": "alternate_host", "provider": "yahoo", "attempts": 2,
             "seconds": 0.5, "failure_class": "server_error", "failed": False, "as_of": _at(n)}
            for n in range(many)
        ],
        "decision": [
            {"request_id": _id("request", n), "decision_no": 1, "at": _at(n), "origin": "reader",
             "source": "yahoo", "endpoint": AAPL, "failure_class": "server_error", "budget_s": 2.0,
             "considered": "{}"}
            for n in range(many)
        ],
        "probe_result": [
            {"id": _id("probe", n), "at": _at(n), "source": "yahoo", "endpoint": AAPL,
             "host": "query1", "failure_class": "ok" if n % 3 else "timeout",
             "evidence": "250 bars", "seconds": 0.2, "status": 200, "as_of": _at(n)}
            for n in range(many)
        ],
        "incident": [
            {"endpoint": endpoint, "source": endpoint.split("/")[0], "state": state,
             "state_since": _at(9), "failure_class": "server_error", "evidence": "status 500",
             "severity": "error", "root_cause": "provider_down", "detected_by": "probe",
             "began_at": _at(5), "detected_at": _at(6),
             "healing_since": None if state == "open" else _at(7),
             "healed_at": _at(8) if state in {"healed", "resolved"} else None,
             "resolved_at": _at(9) if state == "resolved" else None, "strategy": "alternate_host",
             "fidelity": "exact", "heals": 1}
            for state, endpoint in incidents
        ],
        "incident_event": [
            {"incident_id": n, "at": _at(6), "signal": "confirmed", "to_state": "open",
             "note": "seen twice", "asks_heal": True}
            for n in range(1, len(incidents) + 1)
        ],
        "diagnosis": [
            {"incident_id": 1, "at": _at(7), "root_cause": "provider_down", "place": "yahoo",
             "scope": "{yahoo/chart-aapl-1d}", "members": "{1}", "severity": "error",
             "chain": "[]", "rested_on": "{}"}
        ],
        "route": [
            {"endpoint": "fred/gs10", "strategy": "alternate_host", "fidelity": "exact",
             "incident_id": 4, "created_at": _at(8)},
            {"endpoint": AAPL, "strategy": "alternate_host", "fidelity": "exact",
             "incident_id": 5, "created_at": _at(8), "withdrawn_at": _at(9)},
        ],
        "snapshot": [
            {"endpoint": AAPL, "request_key": "", "fetched_at": _at(4), "as_of": _at(4),
             "provider": "yahoo", "body": b"{}", "fidelity": "exact",
             "reading": '{"instrument": "AAPL", "interval": "1d", "points": [], '
                        '"as_of": "2026-03-02T12:04:00+00:00"}'}
        ],
        "probe_schedule": [
            {"endpoint": AAPL, "source": "yahoo", "next_at": _at(9), "interval_s": 60}
        ],
        "key_usage": [
            {"source": "fred", "key_name": "primary", "window_kind": "day", "window_start": BEGAN,
             "kind": kind, "calls": 7}
            for kind in ("probe", "reader")
        ],
        "alert_group": [
            {"fingerprint": "yahoo:provider_down", "source": "yahoo", "level": "error",
             "title": "Yahoo is down", "began_at": _at(6), "root_cause": "provider_down"},
        ],
        "alert_group_incident": [{"incident_id": 3, "group_id": 1, "joined_at": _at(7)}],
        "alert": [
            {"at": _at(7), "incident_id": 3, "level": "error", "title": f"unhealed {n}",
             "body": "nothing helped", "dedupe_key": f"incident:{n}",
             "sent_at": None if n else _at(8), "group_id": 1, "source": "yahoo"}
            for n in range(3)
        ],
        "delivery": [
            {"alert_id": 1, "channel": "mail", "state": "sent", "next_at": _at(7),
             "sent_at": _at(8)},
            {"alert_id": 2, "channel": "mail", "state": "pending", "next_at": _at(7), "tries": 1,
             "error": "the channel was down"},
            {"alert_id": 3, "channel": "mail", "state": "pending", "next_at": _at(7)},
        ],
        "delivery_recipient": [{"alert_id": 2, "channel": "mail", "recipient": "0a1b"}],
        "alert_evaluation": [{"evaluated_at": _at(9)}],
        "silence": [
            {"source": "fred", "begins_at": BEGAN, "ends_at": _at(9), "reason": "known",
             "made_by": "ops"}
        ],
        "dagster_failure": [
            {"run_id": "r1", "subject": "run:learn", "job": "learn", "fingerprint": "run:learn",
             "failed_at": _at(9)}
        ],
        "health_report": [
            {"report_at": _at(9), "endpoint": AAPL, "source": "yahoo", "window_s": 3600,
             "probes": 9, "failures": 1, "requests": 9, "met_fault": 1, "healed_requests": 1,
             "reader_errors": 0, "incidents": 1, "state": "open"}
        ],
        "maintenance": [
            {"source": "fred", "begins_at": BEGAN, "ends_at": _at(9), "reason": "announced"}
        ],
        "own_outage": [
            {"began_at": _at(1), "ended_at": _at(2), "evidence": "nobody was reached"},
            {"began_at": _at(8), "evidence": "nobody is reached"},
        ],
        "inner_knowledge": [
            {**hour, **counts, "strategy": "alternate_host", "outcomes": "1" * 20}
        ],
        "inner_pair": [
            {**hour, "failed": "alternate_host", "then": "use_cached_data", "tries": 2, "healed": 1}
        ],
        "inner_parameter": [
            {**hour, "strategy": "alternate_host", "bucket": "0", "tries": 2, "healed": 1,
             "ms": 40}
        ],
        "inner_observation": [
            {**hour, "endpoint": AAPL, "observations": 3, "fail_windows": 5, "ok_seconds": "{}"}
        ],
        "inner_fold": [{"hour": BEGAN, "source": "yahoo", "seq": 4}],
        "outer_knowledge": [
            {**{name: each for name, each in hour.items() if name != "hour"}, **counts,
             "day": BEGAN.replace(hour=0), "strategy": "alternate_host"}
        ],
        "outer_fold": [{"day": BEGAN.replace(hour=0)}],
        "policy": [
            {"as_of": _at(9), "made_at": _at(9), "fingerprint": f"{n}" * 64, "document": "{}",
             "status": status, "reason": "made", "events": 4}
            for n, status in enumerate(("published", "refused"))
        ],
        "policy_publication": [{"version": 1, "at": _at(9), "reason": "made"}],
        "health_quarter": [
            {"quarter": BEGAN, "endpoint": AAPL, "source": "yahoo", "requests": 3, "met_fault": 3,
             "healed": 3, "reader_errors": 0, "probes": 3, "failures": 1, "waited_s": 1.0,
             "ill": True, "unhealed": False}
        ],
        "health_quarter_news": [{"quarter": BEGAN}],
        "second_opinion_call": [
            {"at": _at(8), "incident_id": 3, "joint_id": 3, "digest": "d1", "service": "anthropic",
             "model": "small", "because": "unhealed", "diagnosis": "{}", "reserved_usd": "0.01"}
            for _ in range(2)
        ],
        "second_opinion_reply": [
            {"call_id": 1, "at": _at(9), "outcome": "timeout", "seconds": 10,
             "cost_usd": "0.01", "reason": "no answer"}
        ],
        "second_opinion_budget": [{"day": BEGAN.date(), "committed_usd": "0.02"}],
    }  # fmt: skip


def insert_attempt(connection: Connection[Any], row: Row) -> None:
    """Write an attempt as the version at hand does: with the columns that it knows."""
    _insert(connection, "attempt", row)


def _insert(connection: Connection[Any], table: str, row: Row) -> None:
    there = {name for (name,) in connection.execute(COLUMNS, [table])}
    written = {name: value for name, value in row.items() if name in there}
    connection.execute(
        sql.SQL("INSERT INTO healing.{} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, written)),
            sql.SQL(", ").join(sql.Placeholder() * len(written)),
        ),
        list(written.values()),
    )


def _at(minute: int) -> datetime:
    return BEGAN + timedelta(minutes=minute)


def _id(kind: str, number: int) -> UUID:
    return UUID(bytes=kind.encode()[:7].ljust(8, b".") + number.to_bytes(8, "big"))
