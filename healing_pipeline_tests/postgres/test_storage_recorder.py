from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from storage_samples import NOON, answer, attempt, decision, failed_attempt, probe, snapshot

from healing_pipeline.storage.database import Database, connection_info
from healing_pipeline.storage.facts import line_of
from healing_pipeline.storage.local_snapshots import LocalSnapshots
from healing_pipeline.storage.migration import migrate
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.storage.reports import counts
from healing_pipeline.storage.snapshots import load_snapshots
from healing_pipeline.storage.worth import RULES, Worth, worth_of

# Nobody listens there: the connection is refused at once.
NOWHERE = "postgresql://postgres@127.0.0.1:1/none"


def facts_in(url: str) -> dict[str, int]:
    with psycopg.connect(connection_info(url)) as connection:
        return counts(connection)


def number_of(url: str, table: str) -> int:
    with psycopg.connect(connection_info(url)) as connection:
        (number,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return number


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


# Records, says which, and is killed before anything could be flushed.
KILLED = """
import os, resource, signal, sys
from pathlib import Path
from storage_samples import attempt, decision, probe, snapshot
from healing_pipeline.storage.recorder import Recorder

where, folder, longest_file = sys.argv[1:]
if longest_file != "any":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(longest_file), int(longest_file)))
recorder = Recorder(where, Path(folder))
for _ in range(100):
    for fact in (attempt(), attempt(origin="heal"), probe(), decision(), snapshot()):
        recorder.record(fact)
        print(getattr(fact, "id", ""), flush=False)
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("longest_file", ["any", "16384"])
def test_a_process_that_is_killed_loses_nothing_that_it_recorded(
    database_url, database, tmp_path, longest_file
):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, NOWHERE, tmp_path / "spool", longest_file],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    recorded = {line for line in done.stdout.splitlines() if line}
    assert len(recorded) == 300
    recorder = Recorder(database_url, tmp_path / "spool")
    wait_for(lambda: spool_files(tmp_path / "spool") == [])
    recorder.close()
    with database.connection() as connection:
        ids = connection.execute("SELECT id FROM attempt UNION ALL SELECT id FROM probe_result")
        assert sorted(str(row[0]) for row in ids) == sorted(recorded)
    assert number_of(database_url, "decision") == 100
    assert number_of(database_url, "snapshot") == 1
    assert recorder.counters.dropped == 0


@contextmanager
def disk_of(path: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own, which can be full without anybody else noticing."""
    path.mkdir()
    size = f"size={megabytes}m"
    mounting = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", path]
    try:
        mounted = subprocess.run(mounting, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("only root can mount a file system that is small enough to be filled")
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def fill(disk: Path) -> Path:
    """Have others take all that is left of a disk."""
    path = disk / "others"
    with path.open("wb", buffering=0) as file:
        for size in (2**20, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return path


def test_on_a_full_disk_the_oldest_detail_goes_and_what_failed_stays(database_url, tmp_path):
    with disk_of(tmp_path / "disk", 48) as disk:
        spool = disk / "spool"
        away = Recorder(NOWHERE, spool)
        for _ in range(2_000):
            away.record(attempt())
        assert away.flush()
        wait_for((spool / "reserve").exists)
        others = fill(disk)
        # Far more than was written before: neither detail nor the reserve holds it all.
        failed = [failed_attempt(evidence="x" * 20_000) for _ in range(300)]
        for number, fact in enumerate(failed):
            away.record(fact)
            away.record(decision())
            if number % 100 == 0:
                away.record(snapshot())
        wait_for(lambda: not (spool / "reserve").exists())
        time.sleep(0.5)
        assert set(away.counters.no_room) >= {"attempt", "decision"}
        assert not away.flush(0.3), "some of what failed is in memory alone"
        others.unlink()
        assert away.flush()
        away.close()
        lost = away.counters.no_room
        assert away.counters.dropped == sum(lost.values())
        # What is waiting on disk is stored when PostgreSQL is there, and what was counted is all
        # that is missing.
        back = Recorder(database_url, spool)
        wait_for(lambda: spool_files(spool) == [])
        back.close()
        assert number_of(database_url, "attempt") == 2_300 - lost["attempt"]
        assert number_of(database_url, "decision") == 300 - lost["decision"]
        assert number_of(database_url, "attempt WHERE NOT healed") == 300


def test_on_a_full_disk_the_snapshots_of_the_next_start_leave_no_rests_and_are_written_later(
    tmp_path,
):
    with disk_of(tmp_path / "disk", 1) as disk:
        local = LocalSnapshots(disk / "snapshots.jsonl")
        local.note(snapshot(body=bytes(50_000)))
        others = fill(disk)
        local.write()
        assert list(disk.iterdir()) == [others]
        others.unlink()
        local.write()
        assert len(LocalSnapshots(disk / "snapshots.jsonl").read(NOON - timedelta(1))) == 1


def test_past_its_bound_the_oldest_snapshots_and_detail_go_and_are_counted(
    database_url, database, tmp_path, monkeypatch
):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # there is no power cut here
    away = Recorder(NOWHERE, tmp_path, most_bytes=400_000)
    # The file that is being replayed is in hand already and stays.
    away.record(failed_attempt())
    assert away.flush()
    wait_for(lambda: away._replaying.is_under_way)
    kept = [failed_attempt(evidence="x" * 1000) for _ in range(100)]
    details = [attempt() for _ in range(1_500)]
    for number, fact in enumerate(details):
        away.record(fact)
        if number < len(kept):
            away.record(kept[number])
        if number % 20 == 0:
            away.record(snapshot(fetched_at=NOON + timedelta(seconds=number)))
        if number % 200 == 0:
            assert away.flush()
    wait_for(lambda: away.on_disk().size <= away.most_bytes)
    away.close()
    lost = away.counters.no_room
    assert set(lost) <= {"attempt", "snapshot"}
    back = Recorder(database_url, tmp_path)
    wait_for(lambda: spool_files(tmp_path) == [])
    back.close()
    with database.connection() as connection:
        there = {row[0] for row in connection.execute("SELECT id FROM attempt")}
    assert {each.id for each in kept} <= there
    left = [each.id in there for each in details]
    assert left == sorted(left), "an older one outlived a newer one"
    assert 0 < left.count(False) == lost["attempt"]


def test_what_no_disk_takes_waits_in_memory_for_postgresql(database_url, tmp_path):
    file = tmp_path / "spool"
    file.write_text("a file where the folder should be")
    where = [NOWHERE]
    recorder = Recorder(lambda: where[0], file)
    for _ in range(3):
        recorder.record(failed_attempt())
        recorder.record(attempt())
    assert not recorder.flush(0.5)
    assert recorder.counters.no_room == {"attempt": 3}
    where[0] = database_url
    assert recorder.flush(15)
    recorder.close()
    assert facts_in(database_url)["attempt"] == 3
    assert (recorder.counters.stored, recorder.counters.dropped) == (3, 3)


def test_a_fact_of_an_incident_is_never_detail():
    assert set(RULES) == {
        type(each) for each in (attempt(), answer(), probe(), decision(), snapshot())
    }
    held = [
        *(failed_attempt(), attempt(origin="heal"), attempt(met="timeout"), attempt(incident_id=7)),
        *(
            answer(failed=True),
            answer(failure_class="timeout"),
            probe(),
            probe(failure_class="slow"),
        ),
    ]
    assert Counter(map(worth_of, held)) == {Worth.KEPT: len(held)}
    assert worth_of(attempt()) is worth_of(answer()) is worth_of(decision()) is Worth.DETAIL
    assert worth_of(snapshot()) is Worth.SNAPSHOT
    assert all(rule.because for rule in RULES.values())
