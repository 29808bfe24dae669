from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from storage_samples import NOON, answer, attempt, probe, snapshot

from healing_pipeline.storage.database import Database, connection_info
from healing_pipeline.storage.facts import line_of
from healing_pipeline.storage.migration import migrate
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.storage.reports import counts
from healing_pipeline.storage.snapshots import load_snapshots

# Nobody listens there: the connection is refused at once.
NOWHERE = "postgresql://postgres@127.0.0.1:1/none"


def facts_in(url: str) -> dict[str, int]:
    with psycopg.connect(connection_info(url)) as connection:
        return counts(connection)


def spool_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


def wait_for(condition, timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def test_five_thousand_facts_of_eight_threads_arrive_exactly_once(database_url, tmp_path):
    recorder = Recorder(database_url, tmp_path)
    made = [[attempt() for _ in range(500)] + [answer() for _ in range(125)] for _ in range(8)]

    def record(facts):
        for fact in facts:
            recorder.record(fact)

    threads = [threading.Thread(target=record, args=[facts]) for facts in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.flush(30)
    recorder.close()
    seen = facts_in(database_url)
    assert (seen["attempt"], seen["answer"]) == (4000, 1000)
    assert recorder.counters.recorded == recorder.counters.stored == 5000
    assert recorder.counters.dropped == recorder.counters.spooled == 0
    assert spool_files(tmp_path) == []


def test_the_same_fact_twice_is_one_fact(database_url, tmp_path):
    fact, result = attempt(), probe()
    recorder = Recorder(database_url, tmp_path)
    for _ in range(2):
        recorder.record(fact)
        recorder.record(result)
        assert recorder.flush()
    recorder.close()
    assert (facts_in(database_url)["attempt"], facts_in(database_url)["probe_result"]) == (1, 1)
    # Passed over, not refused as something that PostgreSQL takes never.
    assert (recorder.counters.stored, recorder.counters.dropped) == (4, 0)


def test_what_was_recorded_without_postgresql_is_replayed_once_by_the_next_process(
    database_url, tmp_path
):
    away = Recorder(NOWHERE, tmp_path)
    for _ in range(1200):
        away.record(attempt())
    away.record(snapshot())
    assert away.flush()
    away.close()
    assert away.counters.spooled == 1201
    assert len(spool_files(tmp_path)) >= 1

    # A process that died before it could remove the file: all of it comes a second time.
    leftovers = {path: path.read_bytes() for path in spool_files(tmp_path)}
    for _ in range(2):
        for path, content in leftovers.items():
            path.write_bytes(content)
        back = Recorder(database_url, tmp_path)
        wait_for(lambda: spool_files(tmp_path) == [])
        back.close()
        assert facts_in(database_url)["attempt"] == 1200
        assert facts_in(database_url)["snapshot"] == 1


def test_facts_are_neither_lost_nor_doubled_while_connections_are_killed(database_url, tmp_path):
    recorder = Recorder(database_url, tmp_path, flush_s=0.01, flush_rows=50)
    kill = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'healing-recorder'"""
    killed = 0
    with psycopg.connect(database_url, autocommit=True) as connection:
        for number in range(3000):
            recorder.record(attempt())
            if number % 300 == 150:
                time.sleep(0.03)
                killed += len(connection.execute(kill).fetchall())
    assert killed > 0
    assert recorder.flush()
    wait_for(lambda: facts_in(database_url)["attempt"] == 3000)
    wait_for(lambda: spool_files(tmp_path) == [])
    recorder.close()
    assert facts_in(database_url)["attempt"] == 3000
    assert recorder.counters.spooled > 0
    assert recorder.counters.dropped == 0


def test_a_full_buffer_spools_and_drops_nothing(database_url, tmp_path):
    # Another writer holds the turn: nothing can be stored meanwhile.
    with psycopg.connect(connection_info(database_url)) as blocker:
        blocker.execute("SELECT pg_advisory_xact_lock(hashtextextended('healing facts', 0))")
        recorder = Recorder(database_url, tmp_path, most_buffered=100, flush_rows=50)
        recorder.record(attempt())
        time.sleep(0.5)
        began = time.monotonic()
        for _ in range(400):
            recorder.record(attempt())
        assert time.monotonic() - began < 1.0
        assert recorder.counters.spooled >= 250
    assert recorder.flush()
    wait_for(lambda: facts_in(database_url)["attempt"] == 401)
    recorder.close()
    assert recorder.counters.dropped == 0
    assert recorder.counters.recorded == recorder.counters.stored == 401


def test_recording_does_not_wait_for_postgresql(tmp_path):
    recorder = Recorder(NOWHERE, tmp_path)
    slowest = 0.0
    for _ in range(500):
        began = time.monotonic()
        recorder.record(attempt())
        slowest = max(slowest, time.monotonic() - began)
    recorder.close()
    assert slowest < 0.5


def test_a_fact_that_postgresql_takes_never_holds_up_no_other(database_url, tmp_path):
    recorder = Recorder(database_url, tmp_path)
    bad = attempt(origin="nobody")
    for number in range(40):
        recorder.record(bad if number == 17 else attempt())
    assert recorder.flush()
    recorder.close()
    assert facts_in(database_url)["attempt"] == 39
    assert (recorder.counters.stored, recorder.counters.dropped) == (39, 1)
    assert (tmp_path / "rejected.jsonl").read_text() == line_of(bad) + "\n"


def test_a_torn_line_is_set_aside_and_the_rest_replayed(database_url, tmp_path):
    good = [attempt(), attempt()]
    text = "\n".join([line_of(good[0]), line_of(attempt())[:50], line_of(good[1])])
    (tmp_path / "20260302T120000000000-1-000001-abc.jsonl").write_text(text)
    recorder = Recorder(database_url, tmp_path)
    wait_for(lambda: facts_in(database_url)["attempt"] == 2)
    recorder.close()
    assert recorder.counters.dropped == 1
    assert [path.name for path in spool_files(tmp_path)] == ["rejected.jsonl"]


def test_two_processes_do_not_replay_the_same_file(database_url, tmp_path):
    away = Recorder(NOWHERE, tmp_path)
    for _ in range(900):
        away.record(attempt())
    away.close()
    recorders = [Recorder(database_url, tmp_path) for _ in range(3)]
    wait_for(lambda: spool_files(tmp_path) == [])
    for recorder in recorders:
        recorder.close()
    assert facts_in(database_url)["attempt"] == 900
    assert sum(recorder.counters.stored for recorder in recorders) == 900


def test_facts_wait_on_disk_until_the_database_was_migrated(empty_database_url, tmp_path):
    recorder = Recorder(empty_database_url, tmp_path)
    recorder.record(attempt())
    assert recorder.flush()
    assert (recorder.counters.spooled, recorder.counters.dropped) == (1, 0)
    with Database(empty_database_url) as database:
        migrate(database)
    wait_for(lambda: facts_in(empty_database_url)["attempt"] == 1)
    recorder.close()


def test_only_the_newest_snapshot_of_a_question_is_held(database_url, database, tmp_path):
    with psycopg.connect(connection_info(database_url)) as blocker:
        blocker.execute("SELECT pg_advisory_xact_lock(hashtextextended('healing facts', 0))")
        recorder = Recorder(database_url, tmp_path)
        recorder.record(attempt())
        time.sleep(0.4)
        for minute in (1, 3, 2):
            recorder.record(snapshot(fetched_at=NOON + timedelta(minutes=minute)))
    assert recorder.flush()
    recorder.close()
    assert recorder.counters.superseded == 2
    assert recorder.counters.stored == 2
    with database.connection() as connection:
        (kept,) = load_snapshots(connection)
    assert kept.fetched_at == NOON + timedelta(minutes=3)


def test_a_fact_recorded_after_closing_is_not_lost(database_url, tmp_path):
    recorder = Recorder(database_url, tmp_path)
    recorder.close()
    recorder.close()
    recorder.record(attempt())
    assert recorder.counters.spooled == 1
    (path,) = spool_files(tmp_path)
    assert path.read_text().count("\n") == 1


def test_facts_that_no_disk_takes_are_counted_as_dropped(tmp_path):
    file = tmp_path / "spool"
    file.write_text("a file where the folder should be")
    recorder = Recorder(NOWHERE, file)
    recorder.record(attempt())
    assert recorder.flush()
    recorder.close()
    assert (recorder.counters.spooled, recorder.counters.dropped) == (0, 1)


@pytest.mark.parametrize("count", [0, 1])
def test_closing_stores_what_is_left(database_url, tmp_path, count):
    recorder = Recorder(database_url, tmp_path, flush_s=60)
    for _ in range(count):
        recorder.record(attempt())
    recorder.close()
    assert facts_in(database_url)["attempt"] == count
