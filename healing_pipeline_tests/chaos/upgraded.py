"""Whether a database that was brought up to date has what it had, and works."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Any
from uuid import uuid4

from psycopg import Connection

from healing_pipeline.healing.facts import AnswerFact
from healing_pipeline.storage import deliveries, incidents, reports
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.health_quarters import fold_quarters
from healing_pipeline.storage.learning import fold_hours
from healing_pipeline_tests.chaos.old_databases import (
    AAPL,
    BEGAN,
    WRITTEN_BY_MIGRATIONS,
    columns,
    contents,
    tables,
)

# Old messages were nobody's to send when deliveries came; quarters are told of what came before.
ADDED_TO = WRITTEN_BY_MIGRATIONS | {"delivery", "health_quarter_news"}


class Before:
    """What is in a database before it is brought up to date."""

    def __init__(self, database: Database) -> None:
        with database.connection() as connection:
            self.columns = columns(connection)
            self.empty = {
                each
                for each in set(tables(connection)) - WRITTEN_BY_MIGRATIONS
                if not contents(connection, {each: self.columns[each]})[each]
            }
            self.rows = contents(connection, self.columns)
            self.open = [
                number
                for (number,) in connection.execute(
                    "SELECT id FROM healing.incident WHERE state <> 'resolved' ORDER BY id"
                )
            ] if "incident" in self.columns else []  # fmt: skip

    def account(self, database: Database) -> tuple[int, int, list[str]]:
        """Rows that are lost, rows that are there more than before, and what is otherwise wrong."""
        with database.connection() as connection:
            kept = {name: names for name, names in self.columns.items() if name not in ADDED_TO}
            now = contents(connection, kept)
            there = columns(connection)
            # A column that was dropped since is in neither.
            before = contents_of(self.rows, self.columns, there)
        lost = sum(len(set(map(repr, before[each])) - set(map(repr, now[each]))) for each in kept)
        more = sum(max(0, len(now[each]) - len(before[each])) for each in kept)
        return lost, more, [f"{each} had no row to keep" for each in sorted(self.empty)]


def contents_of(
    rows: dict[str, list[tuple[Any, ...]]],
    names: dict[str, list[str]],
    there: dict[str, list[str]],
) -> dict[str, list[tuple[Any, ...]]]:
    """Rows with the columns that are still there."""
    found = {}
    for table, given in rows.items():
        places = [at for at, name in enumerate(names[table]) if name in there.get(table, ())]
        found[table] = sorted((tuple(row[at] for at in places) for row in given), key=repr)
    return found


def broken(database: Database, before: Before) -> list[str]:
    """Use it as the application does; what does not work, a sentence each."""
    found = []
    fact = AnswerFact(
        request_id=uuid4(), at=BEGAN + timedelta(minutes=50), source="yahoo", endpoint=AAPL,
        fidelity="exact", strategy="plain", provider="yahoo", attempts=1, seconds=0.2,
        failure_class=None, failed=False, as_of=BEGAN,
    )  # fmt: skip
    with closing(FactStore(database.url)) as store:
        store.store([fact])
        store.store([fact])
    later = BEGAN + timedelta(hours=1)
    with database.connection() as connection:
        if "answer" in before.rows and len(before.rows["answer"]) + 1 != _count(connection):
            found.append("a new answer is not there once")
        if before.open != sorted(each.id for each in incidents.open_incidents(connection)):
            found.append("other incidents are open than before")
        if before.open and not incidents.move_incident(
            connection, incident_id=before.open[0], from_state="open", to_state="healing",
            signal="heal_started", at=later, note="after the upgrade",
        ):  # fmt: skip
            found.append("an open incident cannot be moved on")
        fold_hours(connection, BEGAN, later, ["yahoo"])
        if not reports.health_rows(connection, BEGAN, later):
            found.append("a report says nothing of the hour")
    if "delivery" in before.columns:
        with database.connection() as connection:
            claim = deliveries.claim_delivery(connection, channel="mail", now=later)
            if claim is None or claim.alert_id not in {2, 3}:
                found.append("a message that waits is not sent")
    with database.connection() as connection:
        fold_quarters(connection, later + timedelta(days=1))
        (folded,) = connection.execute(
            "SELECT count(*) FROM healing.health_quarter"
        ).fetchone() or (0,)
        if not folded:
            found.append("no quarter was folded")
    return found


def _count(connection: Connection[Any]) -> int:
    (count,) = connection.execute("SELECT count(*) FROM healing.answer").fetchone() or (0,)
    return int(count)
