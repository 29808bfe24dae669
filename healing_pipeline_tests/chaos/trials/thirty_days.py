"""Thirty days of events, with pruning each night: tables, ticks and runs stay as large as they are.

A PostgreSQL of its own gets a day after the other, up to now: readers' requests, probes, heals,
incidents, alerts and reports of the endpoints of the default configuration, over twenty million
rows; and what Dagster keeps of such a day, copied from real runs: heal runs, refreshments with
their checks, folds of hours, ticks. Each day is folded as in production (hours, days, quarters of
health, policies). In its night the job's code prunes, with seven days of detail, and Dagster takes
its own old ticks by the settings of dagster.yaml. The last pruning has a writer of facts beside it.

Measured: how large the tables are each night, how long pruning takes, how long the writer waits
meanwhile, and in the end what the pages and the report take. Held against an account of what was
made: facts within their time are all there and once; those past it are gone, but for those of an
incident that stays open; what was learned of each day is what it was before anything was pruned,
also after all thirty days were folded again; a message that its channel does not have is still
there; every partition is shown as materialised.

``quick`` is three days of a hundredth of the rows, with a day of detail, and judges no times.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any

import dagster as dg
import psycopg

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.retention_section import Retention
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.control import learning_run
from healing_pipeline.control.learning_run import day_of
from healing_pipeline.control.pruning import Pruned
from healing_pipeline.control.retention_run import prune_installation
from healing_pipeline.installation import load_catalog
from healing_pipeline.storage import learning
from healing_pipeline.storage.database import (
    Database,
    DatabaseAddress,
    connection_info,
    resolve_database,
)
from healing_pipeline.storage.health_quarters import fold_quarters
from healing_pipeline.storage.migration import bring_up_to_date
from healing_pipeline_tests.chaos import aged_pages, made_runs, steady_writer
from healing_pipeline_tests.chaos.made_days import (
    A_DAY,
    Account,
    Volume,
    begin_lasting_incident,
    make_day,
)
from healing_pipeline_tests.chaos.outcome import Outcome
from healing_pipeline_tests.chaos.steady_writer import SteadyWriter

Say = Callable[[str], None]

DAYS, FULL = 30, Volume(requests=300_000, probes=1_200, incidents=60)
QUICK_DAYS, QUICK = 3, Volume(requests=3_000, probes=24, incidents=6)
KEPT = Retention(detail=7, decisions=3, snapshots=7, incidents=14, alerts=10, policies=10, runs=7)
KEPT_QUICK = Retention(
    detail=1, decisions=1, snapshots=1, incidents=2, alerts=2, policies=1, runs=1
)
MOST_MS = 300.0
# How much larger the bounded tables may be in the last night than once all retentions have begun.
MOST_GROWTH = 0.10
FACTS = ("attempt", "answer", "probe_result")
BOUNDED = (
    *("healing.attempt", "healing.answer", "healing.probe_result", "healing.decision"),
    *("healing.incident", "healing.incident_event", "healing.alert", "healing.delivery"),
    *("healing.snapshot", "healing.diagnosis", "healing.route", "public.runs"),
    *("public.event_logs", "public.run_tags", "public.asset_check_executions"),
)
LASTING = "fred/gdp"
LEARNED = (
    *(("inner_knowledge", "hour"), ("inner_pair", "hour"), ("inner_parameter", "hour")),
    *(("inner_observation", "hour"), ("outer_knowledge", "day"), ("health_quarter", "quarter")),
)
DIGEST = """
SELECT md5(string_agg(row({table}.*)::text, E'\\n' ORDER BY row({table}.*)::text COLLATE "C"))
  FROM {table} WHERE {column} >= %s AND {column} < %s
"""
SIZES = """
SELECT relname, pg_total_relation_size(oid) FROM pg_class
 WHERE relkind = 'r' AND relnamespace = to_regnamespace(%s)
"""
COUNTED = """
SELECT count(*) FILTER (WHERE at >= %(until)s),
       count(*) FILTER (WHERE at < %(edge)s AND endpoint <> %(lasting)s),
       count(*) FILTER (WHERE at >= %(held)s AND at < %(until)s AND endpoint = %(lasting)s)
  FROM {table}
 WHERE endpoint <> %(writers)s
"""
# Of how many facts of the endpoint whose incident stays open there were.
WATCHED = "SELECT count(*) FROM {table} WHERE endpoint = %s AND at >= %s AND at < %s"


@dataclass(frozen=True, slots=True)
class World:
    """An installation on a PostgreSQL of its own."""

    folder: Path
    config: Path
    catalog: Catalog
    address: DatabaseAddress
    database: Database
    instance: dg.DagsterInstance
    first: datetime
    retention: Retention

    @property
    def sources(self) -> tuple[str, ...]:
        """Those of the catalog."""
        return tuple(self.catalog.sources)

    @property
    def held_since(self) -> datetime:
        """From when on the facts of the open incident's endpoint have to stay."""
        return self.first + 0.5 * A_DAY - timedelta(hours=1)

    def prune(self, at: datetime) -> Pruned:
        """Prune as the nightly job does."""
        return prune_installation(self.address, self.retention, self.first.date(), self.sources, at)


@dataclass(slots=True)
class Seen:
    """What was measured and what did not hold."""

    sizes: list[dict[str, int]] = field(default_factory=list)
    prune_s: list[float] = field(default_factory=list)
    removed: int = 0
    digests: dict[datetime, list[object]] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def run(seed: int, quick: bool, say: Say) -> list[Outcome]:
    """Live through the days, then look at everything."""
    days, volume = (QUICK_DAYS, QUICK) if quick else (DAYS, FULL)
    now, account, seen = datetime.now(UTC), Account(), Seen()
    with world(day_of(now) - days * A_DAY, KEPT_QUICK if quick else KEPT) as place:
        endpoints = sorted(place.catalog.endpoints)
        lasting = begin_lasting_incident(place.database.url, LASTING, place.first + 0.5 * A_DAY)
        templates = made_runs.played(place.instance, place.first)
        for number in range(days):
            day = place.first + number * A_DAY
            make_day(place.database.url, day, endpoints, volume, seed, account)
            made_runs.make_runs(
                place.address.dagster_url, templates, day, str(seed), 0.01 if quick else 1.0
            )
            fold(place, day, day + A_DAY, with_policy=number % 5 == 0)
            remember(place, day, seen)
            if number == 0:
                keep_a_message_back(place)
            night(place, day + A_DAY, seen, say)
        make_day(
            *(place.database.url, day_of(now), endpoints, volume, seed, account),
            share=(now - day_of(now)) / A_DAY,
        )
        fold(place, day_of(now), learning_run.hour_of(now))
        waits = prune_beside_a_writer(place, now, seen, say)
        say("holds what is there against what was made")
        lost, doubled = compare(place, account, now, seen)
        look_at_the_rest(place, days, seen)
        if not quick:
            flat(place, seen)
        say("opens the pages")
        took = aged_pages.pages(place.config, place.database.url, place.folder, lasting)
        took |= aged_pages.reports(place.address, place.catalog)
    if not quick:
        seen.broken += [f"{name} took {ms:.0f} ms" for name, ms in took.items() if ms > MOST_MS]
    made = sum(account.rows.values())
    gib = [sum(each.values()) / 2**30 for each in seen.sizes]
    return [
        Outcome(
            fault=f"{days} days of events, {made / 1e6:.1f} million facts, pruned each night",
            times=days,
            requests=sum(n for (_, table), n in account.rows.items() if table == "answer"),
            events_lost=lost,
            events_doubled=doubled,
            seen={
                "rows removed": seen.removed,
                "GiB by night": " ".join(f"{each:.2f}" for each in gib),
                "pruning by night, s": " ".join(f"{each:.0f}" for each in seen.prune_s),
                **{
                    f"{name} in the last night, MiB": round(size / 2**20, 1)
                    for name, size in sorted(seen.sizes[-1].items(), key=lambda item: -item[1])[:12]
                },
                **waits,
                **{f"{name}, ms": round(ms, 1) for name, ms in took.items()},
            },
            broken=tuple(seen.broken),
        )
    ]


@contextmanager
def world(first: datetime, retention: Retention) -> Iterator[World]:
    """A folder, a server, both databases, all endpoints on the schedule."""
    folder = Path(tempfile.mkdtemp(prefix="healing-thirty-days-"))
    address = resolve_database({}, folder / "state")
    try:
        config = folder / "healing_config.yaml"
        text = default_config_text()
        config.write_text(text.replace("{public: false}", "{public: true}"), encoding="utf-8")
        catalog = load_catalog(config, {})
        with (
            Database(address.url) as database,
            made_runs.instance_at(folder, address) as instance,
        ):
            bring_up_to_date(database, address.owner_url)
            with database.connection() as connection:
                connection.execute(
                    "INSERT INTO probe_schedule SELECT each, split_part(each, '/', 1), now(), 60"
                    " FROM unnest(%s::text[]) AS each",
                    [sorted(catalog.endpoints)],
                )
            yield World(folder, config, catalog, address, database, instance, first, retention)
    finally:
        address.close()
        shutil.rmtree(folder, ignore_errors=True)


def fold(place: World, day: datetime, until: datetime, *, with_policy: bool = False) -> None:
    """What the daemon and the gateway make of a day, up to a moment of it."""
    if until > day:
        learning_run.fold(place.database, day, until, place.sources)
    with place.database.connection() as connection:
        if until >= day + A_DAY:
            learning.fold_days(connection, day, day + A_DAY)
        if with_policy:
            learning_run.make_policy(connection, until, place.sources)
    folded = True
    while folded:
        with place.database.connection() as connection:
            folded = bool(fold_quarters(connection, until + timedelta(minutes=1)))


def remember(place: World, day: datetime, seen: Seen) -> None:
    """What was learned of a day, and how many facts of the open incident it has."""
    seen.digests[day] = digests(place.database, day)
    with place.database.connection() as connection:
        for table in FACTS:
            since = max(day, place.held_since)
            row = connection.execute(
                WATCHED.format(table=table).encode(), (LASTING, since, day + A_DAY)
            ).fetchone()
            seen.held[table] = seen.held.get(table, 0) + (row[0] if row else 0)


def digests(database: Database, day: datetime) -> list[object]:
    """Of what was learned of a day and of its health, table by table."""
    with database.connection() as connection:
        return [
            connection.execute(
                DIGEST.format(table=table, column=column).encode(), (day, day + A_DAY)
            ).fetchone()
            for table, column in LEARNED
        ]


def night(place: World, midnight: datetime, seen: Seen, say: Say) -> None:
    """Prune, let Dagster take its ticks, and note how large everything is."""
    at = midnight + timedelta(hours=3, minutes=37)
    done = place.prune(at)
    made_runs.purge_ticks(place.instance, at)
    seen.prune_s.append(done.seconds)
    seen.removed += sum(done.removed.values())
    seen.sizes.append(sizes(place))
    if not done.is_complete:
        seen.broken.append(f"pruning in the night of {midnight:%Y-%m-%d} did not end")
    kept = "; ".join(f"{each.what}, because {each.because}" for each in done.kept[:4])
    say(
        f"{midnight:%Y-%m-%d}: {sum(done.removed.values()):,} rows pruned in {done.seconds:.1f} s, "
        f"{sum(seen.sizes[-1].values()) / 2**30:.2f} GiB; kept: {kept or 'nothing past its time'}"
    )


def sizes(place: World) -> dict[str, int]:
    """Bytes of each table with its indexes."""
    found: dict[str, int] = {}
    for url, schema in ((place.address.url, "healing"), (place.address.dagster_url, "public")):
        with psycopg.connect(made_runs.dagster_info(url)) as connection:
            found |= {
                f"{schema}.{name}": size for name, size in connection.execute(SIZES, [schema])
            }
    return found


def keep_a_message_back(place: World) -> None:
    """The first day's first message never reaches its channel."""
    with psycopg.connect(connection_info(place.database.url)) as connection:
        connection.execute(
            "UPDATE delivery SET state = 'pending', sent_at = NULL"
            " WHERE channel = 'mail' AND alert_id = (SELECT min(id) FROM alert)"
        )


def prune_beside_a_writer(
    place: World, now: datetime, seen: Seen, say: Say
) -> dict[str, float | int | str]:
    """What a writer of facts waits alone and beside pruning; and its own facts are all there."""
    with SteadyWriter(place.database.url) as writer:
        sleep(4.0)
        alone = writer.taken()
        say("prunes beside a writer")
        done = place.prune(now + A_DAY)
        beside = writer.taken()
    seen.removed += sum(done.removed.values())
    with place.database.connection() as connection:
        for table in ("attempt", "answer"):
            row = connection.execute(
                f"SELECT count(*) FROM {table} WHERE endpoint = %s".encode(),
                [steady_writer.ENDPOINT],
            ).fetchone()
            if row is None or row[0] != writer.stored:
                seen.broken.append(f"the writer stored {writer.stored}, {table} has {row}")
    told: dict[str, float | int | str] = {
        "pruned beside a writer, rows": sum(done.removed.values()),
        "pruned beside a writer, s": round(done.seconds, 1),
    }
    for when, waits in (("alone", sorted(alone)), ("beside pruning", sorted(beside))):
        if waits:
            told[f"a batch of 50 facts {when}, p50 ms"] = round(1000 * statistics.median(waits), 1)
            told[f"a batch of 50 facts {when}, p99 ms"] = round(
                1000 * waits[len(waits) * 99 // 100], 1
            )
            told[f"a batch of 50 facts {when}, longest ms"] = round(1000 * waits[-1], 1)
    return told


def compare(place: World, account: Account, now: datetime, seen: Seen) -> tuple[int, int]:
    """The facts of the tables against those that were made: lost, and too many."""
    # The last pruning was as of tomorrow.
    until = day_of(now + A_DAY - place.retention.lasting("detail"))
    lost = doubled = 0
    for table in FACTS:
        values = {
            "until": until,
            # A fold looks a minute further back.
            "edge": until - timedelta(minutes=1),
            "held": place.held_since,
            "lasting": LASTING,
            "writers": steady_writer.ENDPOINT,
        }
        with place.database.connection() as connection:
            row: Any = connection.execute(COUNTED.format(table=table).encode(), values).fetchone()
            held: Any = connection.execute(
                WATCHED.format(table=table).encode(), (LASTING, until, day_of(now))
            ).fetchone()
        there, left, of_lasting = row
        made = account.of(table, until, now + A_DAY)
        lost += max(0, made - there)
        doubled += max(0, there - made)
        if left:
            seen.broken.append(f"{left} rows of {table} are past their time and still there")
        if of_lasting + held[0] != seen.held[table]:
            seen.broken.append(
                f"{table} has {of_lasting + held[0]} facts of the open incident, not "
                f"{seen.held[table]}"
            )
    return lost, doubled


def look_at_the_rest(place: World, days: int, seen: Seen) -> None:
    """What was learned, partitions, the message that waits; also after all is folded again."""
    for again in (False, True):
        if again:
            learning_run.fold(
                place.database, place.first, place.first + days * A_DAY, place.sources
            )
            with place.database.connection() as connection:
                learning.fold_days(connection, place.first, place.first + days * A_DAY)
        for day, before in seen.digests.items():
            after = digests(place.database, day)
            for (table, _), old, new in zip(LEARNED, before, after, strict=True):
                if old != new:
                    when = " after folding again" if again else ""
                    seen.broken.append(f"{table} of {day:%Y-%m-%d} is another{when}")
    there = len(made_runs.materialised(place.instance))
    if there != 24 * days:
        seen.broken.append(f"{there} of {24 * days} partitions are shown as materialised")
    with place.database.connection() as connection:
        row = connection.execute(
            "SELECT count(*) FROM delivery JOIN alert ON alert.id = alert_id"
            " WHERE state = 'pending'"
        ).fetchone()
    if row != (1,):
        seen.broken.append("the message that its channel does not have is gone")


def flat(place: World, seen: Seen) -> None:
    """Bounded tables against themselves once each retention has begun, with a night to settle."""
    begun = 3 + max(
        getattr(place.retention, kind)
        for kind in ("detail", "decisions", "snapshots", "incidents", "alerts", "runs")
    )
    if len(seen.sizes) <= begun:
        seen.broken.append("too few nights to tell whether the tables grow")
        return
    for name in BOUNDED:
        early, late = seen.sizes[begun][name], seen.sizes[-1][name]
        # A page or two of a small table is no growth.
        if late > early * (1 + MOST_GROWTH) + 2**20:
            seen.broken.append(f"{name} grew from {early:,} to {late:,} bytes")
