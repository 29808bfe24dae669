"""What folding costs: millions of attempts into knowledge, and a year of hours into Dagster.

    python benchmarks/learning_scale.py                          # 1 and 10 million; ten minutes
    python benchmarks/learning_scale.py --attempts 1000000 --json

For each size an embedded PostgreSQL of its own is filled with a seeded year of attempts at five
sources: requests that met a failure, each a plain call and one or two strategies; an hour of a
source sees two kinds of failure. Two measurements follow:

- *fold*: the statements that the assets use, over the whole year, two transactions at a time;
- *backfill*: ``healing learn --from --to`` in a process of its own, over the same facts: a run per
  source, 43,800 partitions recorded in Dagster's event log, the days, and a policy.

Memory is the peak while folding: of this process, what it has in RAM; of the server, what all its
processes have, shared pages once (PSS).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.control.learning_run import fold
from healing_pipeline.storage.database import Database, connection_info
from healing_pipeline.storage.embedded import EmbeddedServer
from healing_pipeline.storage.migration import migrate

ROOT = Path(__file__).parents[1]
SIZES = (1_000_000, 10_000_000)
SEED = 0.42
SOURCES = ("yahoo", "fred", "polygon", "alpha_vantage", "exchange_rate")
BEGIN = datetime(2025, 11, 1, tzinfo=UTC)
END = datetime(2026, 11, 1, tzinfo=UTC)

# A request has two or three attempts.
PER_REQUEST = 2.5

# Filling is not what is measured: no log, and of the indexes those that folding reads by.
PREPARE = """
ALTER TABLE attempt SET UNLOGGED;
ALTER TABLE attempt DROP CONSTRAINT attempt_pkey, DROP CONSTRAINT attempt_seq_key;
DROP INDEX attempt_by_endpoint, attempt_by_request, attempt_by_time, attempt_by_source;
"""
FINISH = """
CREATE UNIQUE INDEX attempt_seq_key ON attempt (seq);
CREATE INDEX attempt_by_time ON attempt (at);
CREATE INDEX attempt_by_source ON attempt (source, at);
"""

FILL = """
WITH request AS (
    SELECT g, %(begin)s + random() * (%(end)s::timestamptz - %(begin)s) AS at,
           (%(sources)s::text[])[1 + floor(random() * 5)::int] AS source,
           floor(random() * 10)::int AS endpoint, floor(random() * 3)::int AS first,
           2 + floor(random() * 2)::int AS attempts, random() AS luck
      FROM generate_series(1, %(requests)s) AS g
     ORDER BY at
), kind AS (
    SELECT *, abs(hashint8(extract(epoch FROM at)::bigint / 3600 * 10 + length(source) + g %% 2))
              AS chance
      FROM request
), met AS (
    SELECT *, (ARRAY['timeout', 'server_error', 'rate_limit', 'network_error', 'auth_error',
                     'empty'])[1 + chance %% 6] AS met
      FROM kind
)
INSERT INTO attempt (id, request_id, attempt_no, at, origin, source, endpoint, strategy, params,
                     host, failure_class, evidence, healed, fidelity, seconds, status,
                     upstream_calls, late, met)
SELECT md5(g || '-' || n)::uuid, md5(g::text)::uuid, n, at + n * interval '150 ms', 'reader',
       source, source || '/' || endpoint,
       CASE n WHEN 1 THEN 'plain' ELSE
           (ARRAY['exponential_backoff_retry', 'use_cached_data', 'reduce_request_size',
                  'alternate_host', 'rotate_api_key', 'batch_requests', 'fallback_provider',
                  'use_daily_data', 'long_ttl_cache', 'refresh_session', 'hedged_request',
                  'etf_proxy'])[1 + (first + n + chance / 7) %% 12] END,
       CASE n WHEN 1 THEN '{}' ELSE jsonb_build_object('waited_s', round(luck::numeric, 3)) END,
       'host' || endpoint %% 3,
       CASE WHEN n > 1 AND n = attempts AND luck < 0.9 THEN 'ok' ELSE met END::failure_class,
       'synthetic', n > 1 AND n = attempts AND luck < 0.9,
       CASE WHEN n > 1 AND n = attempts AND luck < 0.9 THEN 'exact' END::fidelity,
       0.02 + luck, 200, 1, n = 3 AND luck > 0.8, CASE WHEN n > 1 THEN met END::failure_class
  FROM met, generate_series(1, attempts) AS n
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One size."""

    attempts: int
    lessons: int
    knowledge_rows: int
    fold_s: float
    client_mb: float
    server_mb: float
    backfill_s: float
    partitions: int


class Peak:
    """The most memory that a server had while somebody watched."""

    def __init__(self, server_pid: int) -> None:
        self.mb = 0.0
        self._parent = psutil.Process(server_pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.25):
            total = 0
            for each in [self._parent, *self._parent.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                    total += each.memory_full_info().pss
            self.mb = max(self.mb, total / 1e6)


@contextmanager
def filled(attempts: int) -> Iterator[tuple[Database, Path, int]]:
    """A server of its own with so many attempts, a folder, and the server's process."""
    folder = Path(tempfile.mkdtemp(prefix="healing-scale-"))
    server = EmbeddedServer(folder / "state").start()
    try:
        for name in ("healing", "dagster"):
            server.ensure_database(name)
        with Database(server.url("healing")) as database:
            migrate(database)
            with database.connection() as connection:
                connection.execute(PREPARE)
                connection.execute("SELECT setseed(%s)", [SEED])
                values = {
                    "requests": round(attempts / PER_REQUEST),
                    "sources": list(SOURCES),
                    "begin": BEGIN,
                    "end": END,
                }
                connection.execute(FILL, values)
                connection.execute(FINISH)
            with psycopg.connect(connection_info(database.url), autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE attempt")
            pid = int((folder / "state/postgres/postmaster.pid").read_text().split()[0])
            yield database, folder, pid
    finally:
        server.stop(force=True)
        shutil.rmtree(folder, ignore_errors=True)


def backfill(database: Database, folder: Path) -> dict[str, object]:
    """`healing learn --from --to` over the year, as a user calls it."""
    (folder / "config").mkdir()
    (folder / "config/healing_config.yaml").write_text(default_config_text())
    shutil.copy(ROOT / "dagster.yaml", folder)
    dates = ("--from", f"{BEGIN:%Y-%m-%d}", "--to", f"{END:%Y-%m-%d}")
    done = subprocess.run(
        [sys.executable, "-m", "healing_pipeline", "learn", *dates, "--json"],
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"},
            "HEALING_STATE_DIR": str(folder / "state"),
            "HEALING_DATABASE_URL": database.url,
            "HEALING_DAGSTER_DATABASE_URL": database.url.replace("/healing?", "/dagster?"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"healing learn failed: {done.stderr}")
    document: dict[str, object] = json.loads(done.stdout)
    return document


def measure(attempts: int) -> Measured:
    """Fill, fold, backfill."""
    with filled(attempts) as (database, folder, pid):
        with Peak(pid) as peak:
            began = time.monotonic()
            fold(database, BEGIN, END, SOURCES)
            fold_s = time.monotonic() - began
        client_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        with database.connection() as connection:
            (stored,) = connection.execute("SELECT count(*) FROM attempt").fetchone() or (0,)
            (lessons, rows) = connection.execute(
                "SELECT sum(tries), count(*) FROM inner_knowledge"
            ).fetchone() or (0, 0)
        began = time.monotonic()
        done = backfill(database, folder)
        return Measured(
            attempts=stored,
            lessons=int(lessons),
            knowledge_rows=rows,
            fold_s=round(fold_s, 1),
            client_mb=round(client_mb),
            server_mb=round(peak.mb),
            backfill_s=round(time.monotonic() - began, 1),
            partitions=int(str(done["partitions"])),
        )


def show(found: list[Measured]) -> None:
    """The table."""
    table = Table(box=SIMPLE, pad_edge=False)
    titles = {
        "attempts": "attempts",
        "lessons": "that teach",
        "knowledge_rows": "inner rows",
        "fold_s": "fold s",
        "client_mb": "client MB",
        "server_mb": "server MB",
        "partitions": "partitions",
        "backfill_s": "backfill s",
    }
    for title in titles.values():
        table.add_column(title, justify="right")
    for each in found:
        values = asdict(each)
        table.add_row(*(f"{values[name]:,}" for name in titles))
    Console().print(table)


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--attempts", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = [measure(each) for each in given.attempts]
    if given.json:
        print(json.dumps([asdict(each) for each in found], indent=2))
    else:
        show(found)


if __name__ == "__main__":
    main()
