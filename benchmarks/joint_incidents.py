"""What joining incidents costs, with a thousand of them open.

Run it with ``python benchmarks/joint_incidents.py [INCIDENTS]``. PostgreSQL is real and a database
of its own is dropped afterwards; the outage is made up: sources of fifty endpoints, all down, each
endpoint probed forty times and called two hundred times in the last ten minutes. Each number is the
median of several, in milliseconds, on this machine as it is loaded now.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from healing_pipeline.catalog.values import Catalog, Endpoint, Host, Source, Upstreams
from healing_pipeline.control.diagnosing import Diagnosing, diagnose_open
from healing_pipeline.drill.world import drill_database
from healing_pipeline.incidents.evidence import standings
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.joint_incidents import joint_incidents, open_joint_incidents
from healing_pipeline.storage.joint_stories import joint_story

OF_SOURCE = 50
TIMES = 7

PROBES = """
INSERT INTO probe_result (id, at, source, endpoint, host, failure_class, evidence, seconds)
SELECT gen_random_uuid(), %(now)s - nth * interval '15 seconds', split_part(endpoint, '/', 1),
       endpoint, 'a', 'timeout', 'no answer within 3 s', 3
  FROM unnest(%(endpoints)s::text[]) AS endpoint CROSS JOIN generate_series(1, 40) AS nth
"""
ATTEMPTS = """
INSERT INTO attempt (id, request_id, attempt_no, at, origin, source, endpoint, strategy, host,
                     failure_class, evidence, healed, seconds, upstream_calls)
SELECT gen_random_uuid(), gen_random_uuid(), 1, %(now)s - nth * interval '3 seconds', 'reader',
       split_part(endpoint, '/', 1), endpoint,
       CASE WHEN nth %% 2 = 0 THEN 'plain' ELSE 'alternate_host' END,
       CASE WHEN nth %% 2 = 0 THEN 'a' ELSE 'b' END, 'timeout', 'no answer within 3 s', false, 3, 1
  FROM unnest(%(endpoints)s::text[]) AS endpoint CROSS JOIN generate_series(1, 200) AS nth
"""
INCIDENTS = """
INSERT INTO incident (endpoint, source, state, state_since, failure_class, evidence, severity,
                      detected_by, began_at, detected_at)
SELECT endpoint, split_part(endpoint, '/', 1), 'open', %(now)s, 'timeout', 'no answer within 3 s',
       'error', 'probe', %(now)s - interval '600 seconds', %(now)s - interval '590 seconds'
  FROM unnest(%(endpoints)s::text[]) AS endpoint
"""


def catalog_of(count: int) -> Catalog:
    """Sources of fifty endpoints, each with two hosts."""
    names = [f"source{number:03d}" for number in range(-(-count // OF_SOURCE))]
    hosts = (Host("a", "https://a.test"), Host("b", "https://b.test"))
    endpoints = [
        Endpoint(f"{name}/e{nth:02d}", name, f"/v1/part{nth % 5}/e{nth:02d}")
        for name in names
        for nth in range(OF_SOURCE)
    ][:count]
    return Catalog(
        MappingProxyType({name: Source(name, "yahoo", hosts) for name in names}),
        MappingProxyType({each.id: each for each in endpoints}),
        Upstreams.REAL,
    )


def measured(work: Callable[[], Any]) -> str:
    """Median milliseconds of some: of the clock, and of this process's own work."""
    took, worked = [], []
    for _ in range(TIMES):
        began, cpu = time.perf_counter(), time.process_time()
        work()
        took.append(1000 * (time.perf_counter() - began))
        worked.append(1000 * (time.process_time() - cpu))
    return f"{statistics.median(took):8.1f} ms, {statistics.median(worked):6.1f} ms of them ours"


def main() -> None:
    """Make an outage of everything, and look at it."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    catalog, now = catalog_of(count), datetime.now(UTC)
    endpoints = list(catalog.endpoints)
    with drill_database() as url, Database(url) as database:
        for statement in (PROBES, ATTEMPTS, INCIDENTS):
            with database.connection() as connection:
                connection.execute(statement.encode(), {"now": now, "endpoints": endpoints})
        with database.connection() as connection:
            connection.execute("ANALYZE")
        places, diagnosing = standings(catalog), Diagnosing(catalog)

        def asked(work: Callable[[Any], Any]) -> Any:
            with database.connection() as connection:
                return work(connection)

        began = time.perf_counter()
        found = asked(lambda tables: diagnosing.look(tables, now))
        first_ms = 1000 * (time.perf_counter() - began)
        print(
            f"{count} open incidents, {len(found.causes)} causes, {len(found.evidence.seen)} seen"
        )
        print(f"the first look, which joins them all   {first_ms:8.1f} ms")
        first = min(found.joint_ids.values())
        for what, work in (
            ("a look that finds the same", lambda tables: diagnosing.look(tables, now)),
            (
                "a heal run's look at its own source",
                lambda tables: diagnose_open(tables, places, now, source="source000"),
            ),
            ("what fails now, by joint incident", open_joint_incidents),
            ("a page of 50 of them", lambda tables: joint_incidents(tables, limit=50)),
            ("the story of one", lambda tables: joint_story(tables, first)),
        ):
            print(f"{what:<38} {measured(lambda work=work: asked(work))}")


if __name__ == "__main__":
    main()
