"""Databases of earlier versions under this one, this one's under an earlier, and kills in between.

- *An earlier version's database.* For every earlier migration k: an empty database is brought to k,
  every table that exists then gets rows (incidents in every state, messages that wait, folds,
  facts), then this version migrates it. All rows of all tables are read before and after, and
  compared column by column; then a fact is stored twice, an incident moved on, a message claimed,
  an hour and a quarter folded, a report made.
- *An earlier version that goes on writing.* For every k that has facts: four connections write
  attempts with the statement of k while the migrations run. What a connection had acknowledged is
  held against the table.
- *Killed with -9 in the middle.* A process that migrates is killed after a random time; the next
  one finishes. The catalog is compared with that of a database that nobody disturbed.
- *Two at once.* Two processes migrate the same database from k.
- *The version before, out of git.* The last commit that did not have the newest migration is run
  from its own source, with its own configuration: its gateway serves readers on simulated
  upstreams, a third of which fail, while this version migrates the database under it. Every answer
  that a reader got is looked for in the database. Then its gateway is stopped and this
  version's takes its state folder over, with what waits there.
- *A later version's database.* It has a migration that this version does not know. Every command
  that needs the database has to refuse in one line that names the cure; the gateway serves all the
  same, and its facts wait on disk until a version that knows the database takes them over.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from uuid import uuid4

import psycopg

from healing_pipeline.installation import load_catalog
from healing_pipeline.simulator.control import _free_block, running_simulator
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.embedded import EmbeddedServer
from healing_pipeline.storage.migration import known_migrations, migrate
from healing_pipeline_tests.chaos import old_databases, upgraded
from healing_pipeline_tests.chaos.one_gateway import (
    ROOT,
    environment,
    free_port,
    one_gateway,
    write_config,
)
from healing_pipeline_tests.chaos.outcome import Outcome
from healing_pipeline_tests.chaos.stack_readers import GatewayReaders

Say = Callable[[str], None]

NEWEST = len(known_migrations())
WRITERS = 4
CATALOG = """
    SELECT table_name::text, column_name::text, data_type::text, is_nullable::text
      FROM information_schema.columns WHERE table_schema = 'healing'
    UNION ALL SELECT tablename::text, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'healing'
    UNION ALL SELECT proname::text, pg_get_functiondef(oid), '', ''
      FROM pg_proc WHERE pronamespace = 'healing'::regnamespace
     ORDER BY 1, 2, 3"""
MIGRATE = """
import sys
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.migration import migrate
print("begins", flush=True)
with Database(sys.argv[1]) as database:
    migrate(database)
"""
REFUSALS: tuple[tuple[str, ...], ...] = (
    ("up", f"--port={free_port()}", f"--gateway-port={free_port()}"),
    ("report",),
    ("learn",),
    ("alerts", "run"),
    ("alerts", "deliveries"),
    ("prune", "--dry-run"),
    ("diagnose",),
    ("explain", "--last"),
    ("roles",),
)
FAULTS = ("server_error", "rate_limit", "timeout")
# A request whose first attempt fails takes up to its deadline.
READ_S, QUICK_READ_S = 20.0, 6.0


def run(seed: int, quick: bool, say: Say) -> list[Outcome]:
    """Play all of them; a row each."""
    rng = Random(f"upgrade:{seed}")
    # Not below a folder of pytest's or ours: the server's user has to get in where we are root.
    with tempfile.TemporaryDirectory(prefix="hu-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        with EmbeddedServer(Path(name) / "server") as server:
            every = range(1, NEWEST)
            some = [3, 9, NEWEST - 1] if quick else list(every)
            outcomes = [
                _earlier(server, some, say),
                _goes_on_writing(server, [each for each in some if each >= 2], say),
                _killed(server, rng, 3 if quick else 20, say),
                _two_at_once(server, some, say),
                _out_of_git(server, Path(name), seed, quick, say),
                _later(server, Path(name), seed, quick, say),
            ]
    return outcomes


@contextmanager
def _empty(server: EmbeddedServer) -> Iterator[str]:
    name = f"trial_{uuid4().hex[:12]}"
    server.ensure_database(name)
    try:
        yield server.url(name)
    finally:
        server.drop_database(name)


def _earlier(server: EmbeddedServer, numbers: list[int], say: Say) -> Outcome:
    lost = more = rows = 0
    broken = []
    for number in numbers:
        with _empty(server) as url, Database(url) as database:
            old_databases.fill(database, number)
            before = upgraded.Before(database)
            migrate(database)
            gone, added, wrong = before.account(database)
            wrong += upgraded.broken(database, before)
            lost, more = lost + gone, more + added
            rows += sum(map(len, before.rows.values()))
            broken += [f"from {number:04}: {each}" for each in wrong]
        say(f"a database of migration {number}: {gone} rows lost, {added} more")
    return Outcome(
        "A database of each earlier migration, rows in every table", len(numbers),
        events_lost=lost, events_doubled=more, seen={"rows compared": rows}, broken=tuple(broken),
    )  # fmt: skip


class OldWriters:
    """Connections of an earlier version, each of which writes attempts until told to stop."""

    def __init__(self, url: str) -> None:
        self.written: list[object] = []
        self.refused = 0
        self.longest_s = 0.0
        self._url = url
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(each * 1_000_000,))
            for each in range(WRITERS)
        ]

    def __enter__(self) -> OldWriters:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for each in self._threads:
            each.join()

    def wait_for(self, more: int) -> None:
        """Until so many more are written."""
        goal = len(self.written) + more
        _until(lambda: len(self.written) >= goal, 60, "the old writers went on")

    def _write(self, at: int) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._stopped.is_set():
                (row,) = old_databases.attempts(1, since=at)
                began = time.monotonic()
                try:
                    old_databases.insert_attempt(connection, row)
                except psycopg.Error:
                    # A recorder has it on disk, and tries again.
                    self.refused += 1
                    continue
                self.longest_s = max(self.longest_s, time.monotonic() - began)
                self.written.append(row["id"])
                at += 1


def _goes_on_writing(server: EmbeddedServer, numbers: list[int], say: Say) -> Outcome:
    lost = doubled = written = refused = 0
    longest_s = 0.0
    for number in numbers:
        with _empty(server) as url, Database(url, max_size=2) as database:
            old_databases.fill(database, number, many=0)
            with OldWriters(url) as writers:
                writers.wait_for(40)
                migrate(database)
                writers.wait_for(40)
            with database.connection() as connection:
                found = [one for (one,) in connection.execute("SELECT id FROM attempt")]
            lost += len(set(writers.written) - set(found))
            doubled += len(found) - len(set(found))
            written, refused = written + len(writers.written), refused + writers.refused
            longest_s = max(longest_s, writers.longest_s)
        say(f"under migration {number}: {len(writers.written)} written, {writers.refused} refused")
    return Outcome(
        "An earlier version writes facts during the migrations", len(numbers),
        events_lost=lost, events_doubled=doubled,
        seen={"facts written": written, "writes that were refused": refused,
              "longest wait of a write, s": round(longest_s, 2)},
    )  # fmt: skip


def _killed(server: EmbeddedServer, rng: Random, times: int, say: Say) -> Outcome:
    with _empty(server) as url:
        with Database(url) as database:
            migrate(database)
        undisturbed = _catalog(url)
    lost = halfway = 0
    broken = []
    longest = 0.0
    for turn in range(times):
        with _empty(server) as url:
            number = rng.randrange(2, NEWEST)
            with Database(url) as database:
                old_databases.fill(database, number)
                before = upgraded.Before(database)
            process = _migrating(url)
            time.sleep(rng.uniform(0.0, 0.25))
            process.kill()
            process.wait()
            # The server ends what the killed process had begun when it notices.
            began = time.monotonic()
            with Database(url) as database:
                missing = len(migrate(database))
                longest = max(longest, time.monotonic() - began)
                halfway += 0 < missing < NEWEST - number
                gone, _, wrong = before.account(database)
                lost += gone
                broken += [f"killed from {number:04}: {each}" for each in wrong]
            if _catalog(url) != undisturbed:
                broken.append(f"killed from {number:04}: the catalog is another")
        say(f"killed {turn + 1} of {times}: {missing} of {NEWEST - number} were still missing")
    return Outcome(
        "A migration killed with -9 at a random moment", times, events_lost=lost,
        events_doubled=None, normal_after_s=round(longest, 2),
        seen={"killed between the first and the last migration": halfway}, broken=tuple(broken),
    )  # fmt: skip


def _two_at_once(server: EmbeddedServer, numbers: list[int], say: Say) -> Outcome:
    lost = doubled = 0
    broken = []
    for number in numbers:
        with _empty(server) as url:
            with Database(url) as database:
                old_databases.fill(database, number)
                before = upgraded.Before(database)
            both = [_migrating(url), _migrating(url)]
            codes = [each.wait(120) for each in both]
            if any(codes):
                broken.append(f"from {number:04}: one of two that migrate at once gave up")
            with Database(url) as database:
                gone, added, wrong = before.account(database)
            lost, doubled = lost + gone, doubled + added
            broken += [f"two at once from {number:04}: {each}" for each in wrong]
    say(f"two at once, {len(numbers)} times: {lost} lost, {doubled} more")
    return Outcome(
        "Two processes migrate one database at once", len(numbers), events_lost=lost,
        events_doubled=doubled, broken=tuple(broken),
    )  # fmt: skip


def _out_of_git(server: EmbeddedServer, folder: Path, seed: int, quick: bool, say: Say) -> Outcome:
    read_s = QUICK_READ_S if quick else READ_S
    commit, old = _version_before(folder)
    broken = []
    with ExitStack() as stack:
        url = stack.enter_context(_empty(server))
        simulator = stack.enter_context(running_simulator(seed=seed, quotas="off"))
        config = write_config(folder / "git", simulator.base_port, root=old)
        before = environment(old, HEALING_DATABASE_URL=url)
        endpoints = list(load_catalog(config, {}).endpoints)
        gateway = stack.enter_context(one_gateway(old, config, folder / "git", before))
        _until(gateway.is_connected, 60, "the old gateway found its database")
        with Database(url) as database, database.connection() as connection:
            (then,) = connection.execute("SELECT max(number) FROM schema_migration").fetchone()
        readers = GatewayReaders(gateway.url, endpoints, 15.0, Random(f"git:{seed}"))
        readers.start()
        _add_faults(simulator.control)
        time.sleep(read_s)
        began = time.monotonic()
        with Database(url) as database:
            applied = len(migrate(database))
        took = time.monotonic() - began
        say(f"{commit[:8]} had {then}; {applied} applied while its gateway serves")
        time.sleep(read_s)
        readers.stop()
        asked, errors, answered = readers.asked, readers.errors, list(readers.answered)
        broken += [f"{count} times: {why}" for why, count in readers.why.items()]
        gateway.stop()
        now = environment(ROOT, HEALING_DATABASE_URL=url)
        with one_gateway(ROOT, config, folder / "git", now) as newer:
            _until(newer.is_connected, 60, "the new gateway found the database")
            readers = GatewayReaders(newer.url, endpoints, 15.0, Random(f"new:{seed}"))
            readers.start()
            time.sleep(read_s)
            readers.stop()
            asked, errors = asked + readers.asked, errors + readers.errors
            broken += [f"{count} times: {why}" for why, count in readers.why.items()]
            answered += readers.answered
        lost, doubled = _answers(url, answered)
    return Outcome(
        "The version before, from git: its gateway runs on, then is replaced", 1,
        requests=asked, reader_errors=errors, events_lost=lost, events_doubled=doubled,
        normal_after_s=round(took, 2),
        seen={"commit": commit[:8], "its newest migration": then, "applied meanwhile": applied},
        broken=tuple(broken),
    )  # fmt: skip


def _later(server: EmbeddedServer, folder: Path, seed: int, quick: bool, say: Say) -> Outcome:
    broken = []
    with ExitStack() as stack:
        url = stack.enter_context(_empty(server))
        with Database(url) as database:
            migrate(database)
            with database.connection() as connection:
                connection.execute(
                    "INSERT INTO schema_migration (number, name, sha256) VALUES (%s, %s, 'x')",
                    [NEWEST + 1, f"{NEWEST + 1:04}_of_later"],
                )
        simulator = stack.enter_context(running_simulator(seed=seed, quotas="off"))
        config = write_config(folder / "later", simulator.base_port)
        environ = environment(
            ROOT, HEALING_DATABASE_URL=url, HEALING_STATE_DIR=str(folder / "later" / "commands")
        )
        for words in REFUSALS[:3] if quick else REFUSALS:
            # A stack has simulators of its own.
            own = write_config(folder / "up", _free_block()) if words[0] == "up" else config
            why = _not_refused(words, own, environ)
            if why:
                broken.append(f"healing {' '.join(words)}: {why}")
            say(f"healing {' '.join(words)}: {why or 'refused in one line'}")
        endpoints = list(load_catalog(config, {}).endpoints)
        with one_gateway(ROOT, config, folder / "later", environ) as gateway:
            readers = GatewayReaders(gateway.url, endpoints, 10.0, Random(f"later:{seed}"))
            readers.start()
            time.sleep(QUICK_READ_S if quick else READ_S)
            readers.stop()
            if gateway.is_connected():
                broken.append("the gateway works on a database that it does not know")
        broken += [f"{count} times: {why}" for why, count in readers.why.items()]
        stored, _ = _answers(url, readers.answered)
        if stored != len(set(readers.answered)):
            broken.append("facts went into a database that this version does not know")
        # The version that knows it is installed: what waited on disk arrives.
        with Database(url) as database, database.connection() as connection:
            connection.execute("DELETE FROM schema_migration WHERE number > %s", [NEWEST])
        began = time.monotonic()
        with one_gateway(ROOT, config, folder / "later", environ):
            while _answers(url, readers.answered)[0] and time.monotonic() < began + 60:
                time.sleep(0.2)
            took = time.monotonic() - began
        lost, doubled = _answers(url, readers.answered)
    return Outcome(
        "A later version's database under this one, then its own again", 1,
        requests=readers.asked, reader_errors=readers.errors, events_lost=lost,
        events_doubled=doubled, normal_after_s=round(took, 1),
        seen={"commands that refuse": len(REFUSALS[:3] if quick else REFUSALS)},
        broken=tuple(broken),
    )  # fmt: skip


def _not_refused(words: tuple[str, ...], config: Path, environ: dict[str, str]) -> str:
    """Why a command did not refuse as it should; empty when it did."""
    process = subprocess.run(
        [sys.executable, "-m", "healing_pipeline", *words]
        + ([] if words[0] == "roles" else [f"--config={config}"]),
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    said = process.stderr.strip().splitlines()
    if process.returncode == 0:
        return "it did not refuse"
    if len(said) != 1:
        return f"it said {len(said)} lines: {process.stderr[-400:]!r}"
    if "of_later" not in said[0] or "Install" not in said[0]:
        return f"it said {said[0]!r}"
    return ""


def _migrating(url: str) -> subprocess.Popen[str]:
    """A process that migrates, and is about to begin."""
    process = subprocess.Popen(
        [sys.executable, "-c", MIGRATE, url], env=environment(ROOT), stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    return process


def _version_before(folder: Path) -> tuple[str, Path]:
    """The last commit without the newest migration, and its source in a folder."""
    newest = f"healing_pipeline/storage/migrations/{known_migrations()[-1].name}.sql"
    added = _git("log", "--diff-filter=A", "--format=%H", "-1", "--", newest)
    commit = _git("rev-parse", f"{added}^")
    source = folder / "source"
    source.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(source)], input=archive.stdout, check=True)
    return commit, source


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _answers(url: str, answered: list[str]) -> tuple[int, int]:
    """Answers that readers got and the database has not, and those that it has twice."""
    with psycopg.connect(url) as connection:
        rows = dict(
            connection.execute(
                "SELECT request_id::text, count(*) FROM healing.answer"
                " WHERE request_id = ANY (%s::uuid[]) GROUP BY 1",
                [answered],
            ).fetchall()
        )
    return len(set(answered) - set(rows)), sum(count > 1 for count in rows.values())


def _add_faults(control: object) -> None:
    """A third of what is asked fails, each time otherwise."""
    for each in FAULTS[:2]:
        control.add_fault({"fault": each, "match": {"share": 0.16}})  # type: ignore[attr-defined]


def _catalog(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(CATALOG).fetchall()


def _until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise RuntimeError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)
