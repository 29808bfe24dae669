"""What is past its time goes; what is still needed stays, and what was learned stays as it was."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from learning_samples import AN_HOUR, NINE, SOURCES, digest, fact, requests, write
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.retention_section import Retention
from healing_pipeline.cli.learn import learn
from healing_pipeline.cli.prune import prune as prune_command
from healing_pipeline.control.learning_run import day_of, fold
from healing_pipeline.control.pruning import Pruned, Pruner
from healing_pipeline.errors import ConfigurationError, StorageError
from healing_pipeline.storage import learning, pruning
from healing_pipeline.storage.database import Database, connection_info
from healing_pipeline.storage.health_quarters import fold_quarters
from healing_pipeline.storage.reports import health_of_window

SINCE = date(2026, 1, 1)
A_DAY = timedelta(days=1)
MIDNIGHT = day_of(NINE)
# `NINE` is past its time in the night after this.
NIGHT = MIDNIGHT + 36 * A_DAY + timedelta(hours=3)

ANSWER = """
    INSERT INTO answer (request_id, at, source, endpoint, attempts, seconds, failed)
    VALUES (gen_random_uuid(), %s, 'yahoo', %s, 1, 0.1, false)"""
PROBE = """
    INSERT INTO probe_result (id, at, source, endpoint, host, failure_class, evidence, seconds)
    VALUES (gen_random_uuid(), %s, 'yahoo', %s, 'query1', 'ok', 'fine', 0.1)"""
INCIDENT = """
    INSERT INTO incident (endpoint, source, state, state_since, failure_class, evidence, severity,
                          detected_by, began_at, detected_at, resolved_at)
    VALUES (%(endpoint)s, 'yahoo', CASE WHEN %(resolved)s::timestamptz IS NULL THEN 'open'
                                        ELSE 'resolved' END, %(began)s,
            'timeout', 'seen', 'error', 'probe', %(began)s, %(began)s, %(resolved)s)
    RETURNING id"""


def pruned(url: str, now: datetime = NIGHT, **changes: Any) -> Pruned:
    with pruning.pruner(url) as connection:
        asked = {"retention": Retention(), "since": SINCE, "sources": SOURCES, "rest": 0.0}
        dry_run = changes.pop("dry_run", False)
        return Pruner(connection, **{**asked, **changes}).prune(now, dry_run=dry_run)


def counts(database: Database, *tables: str) -> list[int]:
    with database.connection() as connection:
        return [connection.execute(f"SELECT count(*) FROM {each}").fetchone()[0] for each in tables]


def incident(
    database: Database, endpoint: str, began: datetime, resolved: datetime | None = None
) -> int:
    with database.connection() as connection:
        values = {"endpoint": endpoint, "began": began, "resolved": resolved}
        number: int = connection.execute(INCIDENT, values).fetchone()[0]
        return number


def folded(database: Database, until: datetime) -> None:
    """Fold all there is, as the daemon and the gateway do."""
    fold(database, MIDNIGHT, MIDNIGHT + A_DAY, SOURCES)
    with database.connection() as connection:
        learning.fold_days(connection, MIDNIGHT, MIDNIGHT + A_DAY)
        while fold_quarters(connection, until):
            pass


def a_day(database: Database, seed: int = 1, size: int = 60) -> int:
    """A day of attempts, answers and probes; how many attempts."""
    facts = [each for request in requests(seed, size) for each in request]
    with database.connection() as connection:
        write(connection, facts)
        for number in range(40):
            at = NINE + timedelta(minutes=number)
            connection.execute(ANSWER, (at, "yahoo/one"))
            connection.execute(PROBE, (at, "yahoo/one"))
    return len(facts)


def test_what_is_past_its_time_goes_and_what_was_learned_of_it_stays(database):
    attempts = a_day(database)
    with database.connection() as connection:
        write(connection, [fact(at=NIGHT - A_DAY)])
    folded(database, NIGHT)
    fold(database, NIGHT - A_DAY - AN_HOUR, NIGHT, SOURCES)
    with database.connection() as connection:
        health = connection.execute("SELECT * FROM health_quarter ORDER BY 1, 2").fetchall()
        known = digest(connection)
    dry = pruned(database.url, dry_run=True)
    assert counts(database, "attempt", "answer") == [attempts + 1, 40]
    done = pruned(database.url)
    assert done.removed == dry.removed == {"attempt": attempts, "answer": 40, "probe_result": 40}
    assert (done.late, done.kept, done.is_complete) == (0, [], True)
    assert counts(database, "attempt", "answer", "probe_result") == [1, 0, 0]
    fold(database, MIDNIGHT, MIDNIGHT + A_DAY, SOURCES)
    with database.connection() as connection:
        assert learning.fold_days(connection, MIDNIGHT, MIDNIGHT + A_DAY)
        assert digest(connection) == known
        assert connection.execute("SELECT * FROM health_quarter ORDER BY 1, 2").fetchall() == health
    assert pruned(database.url).removed == {}


def test_a_report_of_a_long_window_says_the_same_after_its_facts_are_gone(database):
    """It once read the facts of a month one by one, and what was pruned was not in it."""
    a_day(database)
    folded(database, NIGHT)
    month = (NIGHT - 37 * A_DAY, NIGHT)
    with database.connection() as connection:
        [before] = health_of_window(connection, *month)
    assert (before.requests, before.probes, before.uptime) == (40, 40, 1.0)
    pruned(database.url)
    with database.connection() as connection:
        [after] = health_of_window(connection, *month)
    # The newest answer itself is gone, with how good it was.
    assert replace(after, fidelity_now=before.fidelity_now) == before


def test_facts_that_no_fold_has_seen_stay_and_it_is_said_why(database):
    attempts = a_day(database)
    with database.connection() as connection:
        while fold_quarters(connection, NIGHT):
            pass
    done = pruned(database.url)
    assert done.removed == {}
    assert counts(database, "attempt") == [attempts]
    assert "2026-03-02 09:00 is not folded into knowledge yet" in done.kept[0].because
    fold(database, MIDNIGHT, MIDNIGHT + A_DAY, SOURCES)
    with database.connection() as connection:
        # One that comes late, for an hour that was folded.
        write(connection, [fact(at=NINE)])
    assert pruned(database.url).removed == {}
    folded(database, NIGHT)
    assert pruned(database.url).removed["attempt"] == attempts + 1


def test_facts_that_are_not_in_the_health_yet_stay(database):
    a_day(database)
    fold(database, MIDNIGHT, MIDNIGHT + A_DAY, SOURCES)
    done = pruned(database.url)
    assert done.removed == {}
    assert "nothing was ever folded into health" in done.kept[0].because
    with database.connection() as connection:
        fold_quarters(connection, NIGHT, most=1)
    done = pruned(database.url)
    assert done.removed == {}
    assert "2026-03-02 09:00 is not folded into health yet" in done.kept[0].because


def test_the_facts_of_an_open_incident_stay_until_it_is_over(database):
    a_day(database)
    number = incident(database, "yahoo/one", NINE + timedelta(minutes=20))
    folded(database, NIGHT)
    done = pruned(database.url)
    assert [each.because for each in done.kept] == [f"incident {number} is open"]
    assert counts(database, "answer", "probe_result") == [40, 40], "with the hour before it"
    with database.connection() as connection:
        connection.execute("UPDATE incident SET state = 'resolved', resolved_at = %s", [NIGHT])
    assert pruned(database.url).removed["answer"] == 40
    assert counts(database, "answer", "probe_result") == [0, 0]


def test_what_comes_for_an_hour_that_was_pruned_is_counted_and_never_folded_for_the_whole(database):
    a_day(database)
    folded(database, NIGHT)
    pruned(database.url)
    with database.connection() as connection:
        known = digest(connection)
        health = connection.execute("SELECT * FROM health_quarter ORDER BY 1, 2").fetchall()
        write(connection, [fact(at=NINE), fact(at=NINE + AN_HOUR)])
        connection.execute(ANSWER, (NINE, "yahoo/one"))
    with database.connection() as connection:
        assert learning.late_hours(connection, 0, NIGHT, SOURCES)[0] == []
        assert learning.first_unfolded(connection, MIDNIGHT, NIGHT, SOURCES) is None
    folded(database, NIGHT)
    with database.connection() as connection:
        assert digest(connection) == known
        assert connection.execute("SELECT * FROM health_quarter ORDER BY 1, 2").fetchall() == health
    done = pruned(database.url)
    assert (done.late, done.removed) == (2, {"attempt": 2, "answer": 1})
    with pruning.pruner(database.url) as connection:
        assert pruning.watermark(connection, pruning.DETAIL).came_late == 2


def test_the_first_hour_after_the_pruned_ones_folds_as_before(database):
    """A pair whose first attempt lies in the minute before an hour belongs to that hour."""
    first = fact(at=MIDNIGHT + A_DAY - timedelta(seconds=20), healed=False)
    second = {**fact(attempt_no=3), "request_id": first["request_id"], "at": MIDNIGHT + A_DAY}
    with database.connection() as connection:
        write(connection, [first, second])
    fold(database, MIDNIGHT, MIDNIGHT + 2 * A_DAY, SOURCES)
    with database.connection() as connection:
        while fold_quarters(connection, NIGHT):
            pass
        known = digest(connection)
    pruned(database.url)
    fold(database, MIDNIGHT, MIDNIGHT + 2 * A_DAY, SOURCES)
    with database.connection() as connection:
        assert connection.execute("SELECT count(*) FROM inner_pair").fetchone() == (1,)
        assert digest(connection) == known


def test_a_quarter_that_a_window_cuts_counts_whole_where_its_facts_are_gone(database):
    a_day(database)
    folded(database, NIGHT)
    before = "SELECT sum(requests) FROM health_in(%s, %s)"
    span = [NINE + timedelta(minutes=7), NIGHT]
    with database.connection() as connection:
        assert connection.execute(before, span).fetchone() == (33,)
    pruned(database.url)
    with database.connection() as connection:
        assert connection.execute(before, span).fetchone() == (40,)


def test_the_command_says_what_would_go_then_takes_it_and_learning_names_where_facts_begin(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    config = tmp_path / "healing_config.yaml"
    config.write_text(default_config_text(), encoding="utf-8")
    monkeypatch.setenv("HEALING_DATABASE_URL", database.url)
    monkeypatch.delenv("HEALING_DAGSTER_DATABASE_URL", raising=False)
    attempts = a_day(database)
    folded(database, datetime.now(UTC))
    assert prune_command(config, dry_run=True, as_json=True) == 0
    would = json.loads(capsys.readouterr().out)
    assert (would["dry_run"], would["removed"]["attempt"]) == (True, attempts)
    assert prune_command(config, dry_run=False, as_json=False) == 0
    said = capsys.readouterr().out
    assert re.search(rf"attempts +{attempts} ", said)
    assert prune_command(config, dry_run=False, as_json=False) == 0
    assert "Nothing is past its time." in capsys.readouterr().out
    with pytest.raises(ConfigurationError, match=r"facts were pruned.*Write --from 20"):
        learn(config, from_text="2026-03-02", to_text="2026-03-03", only=[], as_json=True)


OLD = NIGHT - 401 * A_DAY

STORY = """
    INSERT INTO incident_event (incident_id, at, signal, to_state, note, asks_heal)
        VALUES (%(id)s, %(at)s, 'confirmed', 'open', '', false);
    INSERT INTO diagnosis (incident_id, at, root_cause, place, scope, members, severity, chain,
                           rested_on)
        VALUES (%(id)s, %(at)s, 'provider', 'yahoo', '{}', '{}', 'error', '[]', '{}');
    INSERT INTO route (endpoint, strategy, fidelity, incident_id, created_at, withdrawn_at)
        VALUES ('yahoo/one', 'use_cached_data', 'stale', %(id)s, %(at)s, %(at)s);
    WITH call AS (
        INSERT INTO second_opinion_call (at, incident_id, joint_id, digest, service, model, because,
                                         diagnosis, reserved_usd)
        VALUES (%(at)s, %(id)s, %(id)s, 'd', 'openai', 'm', 'always', '{}', 1) RETURNING id)
    INSERT INTO second_opinion_reply (call_id, at, outcome, seconds, cost_usd)
        SELECT id, %(at)s, 'timeout', 1, 1 FROM call;
    WITH made AS (
        INSERT INTO alert_group (fingerprint, level, title, began_at, recovered_at, resolved_at)
        VALUES ('f' || %(id)s, 'error', 't', %(at)s, %(at)s, %(at)s) RETURNING id
    ), told AS (
        INSERT INTO alert_group_incident SELECT %(id)s, id, %(at)s FROM made
    ), message AS (
        INSERT INTO alert (at, level, title, body, dedupe_key, group_id)
        SELECT %(at)s, 'error', 't', 'b', 'k' || %(id)s, id FROM made RETURNING id
    ), sent AS (
        INSERT INTO delivery (alert_id, channel, state, next_at, sent_at)
        SELECT id, 'mail', %(state)s, %(at)s,
               CASE %(state)s WHEN 'sent' THEN %(at)s::timestamptz END
          FROM message RETURNING alert_id)
    INSERT INTO delivery_recipient SELECT alert_id, 'mail', 'r' FROM sent
"""
STORY_TABLES = (
    *("incident", "incident_event", "diagnosis", "route", "second_opinion_call"),
    *("second_opinion_reply", "alert_group", "alert_group_incident", "alert", "delivery"),
    "delivery_recipient",
)


def story(database: Database, number: int, at: datetime, state: str = "sent") -> None:
    with psycopg.ClientCursor(psycopg.connect(connection_info(database.url))) as cursor:
        cursor.execute(STORY, {"id": number, "at": at, "state": state})
        cursor.connection.commit()
        cursor.connection.close()


def test_an_old_incident_goes_with_all_that_belongs_to_it_and_no_younger_one(database):
    old = incident(database, "yahoo/one", OLD - AN_HOUR, OLD)
    young = incident(database, "yahoo/one", NIGHT - A_DAY, NIGHT - A_DAY)
    story(database, old, OLD)
    story(database, young, NIGHT - A_DAY)
    removed = pruned(database.url).removed
    assert (removed["incident"], removed["alert_group"]) == (1, 1)
    assert counts(database, *STORY_TABLES) == [1] * len(STORY_TABLES)
    with database.connection() as connection:
        assert connection.execute("SELECT id FROM incident").fetchall() == [(young,)]


def test_an_incident_whose_message_waits_for_its_channel_stays_whole(database):
    old = incident(database, "yahoo/one", OLD - AN_HOUR, OLD)
    story(database, old, OLD, state="pending")
    done = pruned(database.url)
    assert done.removed == {}
    assert counts(database, *STORY_TABLES) == [1] * len(STORY_TABLES)
    assert [each.what for each in done.kept[-2:]] == ["1 alert groups", "1 incidents"]


def test_a_joint_incident_stays_until_its_last_part_is_old(database):
    parent = incident(database, "yahoo/one", OLD - AN_HOUR, OLD)
    part = incident(database, "yahoo/two", OLD, NIGHT - A_DAY)
    with database.connection() as connection:
        connection.execute("UPDATE incident SET parent_id = %s WHERE id = %s", [parent, part])
    assert pruned(database.url).removed == {}
    assert pruned(database.url, NIGHT + 400 * A_DAY).removed == {"incident": 2}


def test_the_policy_in_force_and_the_one_before_stay_and_the_newest_answer_of_an_endpoint(database):
    with database.connection() as connection:
        for number in range(4):
            connection.execute(
                "WITH made AS (INSERT INTO policy (as_of, made_at, fingerprint, document, status,"
                " reason, events) VALUES (%(at)s, %(at)s, 'f', '{}', 'published', 'r', 0)"
                " RETURNING version) INSERT INTO policy_publication (version, at, reason)"
                " SELECT version, %(at)s, 'r' FROM made",
                {"at": OLD},
            )
            connection.execute(
                "INSERT INTO snapshot VALUES ('yahoo/one', %s, %s, %s, 'yahoo', '{}', '', 'exact')",
                [str(number), OLD + number * A_DAY, OLD],
            )
    assert pruned(database.url).removed == {"snapshot": 3, "policy": 2}
    with database.connection() as connection:
        assert connection.execute("SELECT version FROM policy ORDER BY 1").fetchall() == [
            (3,),
            (4,),
        ]
        assert connection.execute("SELECT request_key FROM snapshot").fetchall() == [("3",)]


def test_sums_of_days_stay_when_their_hours_go(database):
    a_day(database)
    folded(database, NIGHT)
    far = MIDNIGHT + 500 * A_DAY
    with database.connection() as connection:
        before = learning.outer_rows(connection, far)
    removed = pruned(database.url, far).removed
    assert removed["inner_knowledge"] > 0
    with database.connection() as connection:
        learning.fold_days(connection, MIDNIGHT, MIDNIGHT + A_DAY)
        assert learning.outer_rows(connection, far) == before
        assert learning.unsummed_days(connection, MIDNIGHT, far) == []


def test_hours_whose_day_has_no_sum_stay(database):
    a_day(database)
    fold(database, MIDNIGHT, MIDNIGHT + A_DAY, SOURCES)
    far = MIDNIGHT + 500 * A_DAY
    done = pruned(database.url, far)
    assert "inner_knowledge" not in done.removed
    assert "2026-03-02 is not summed yet: `healing learn` does" in [e.because for e in done.kept]


def test_two_that_prune_at_once_take_turns_and_every_row_goes_once(database):
    attempts = a_day(database, size=150)
    folded(database, NIGHT)
    ends: list[Pruned] = []
    threads = [threading.Thread(target=lambda: ends.append(pruned(database.url))) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert sum(each.removed.get("attempt", 0) for each in ends) == attempts
    assert sorted(bool(each.removed) for each in ends) == [False, True]


def test_a_run_that_is_out_of_time_leaves_the_rest_whole_for_the_next(database, monkeypatch):
    monkeypatch.setattr("healing_pipeline.control.pruning.FIRST", 200)
    monkeypatch.setattr("healing_pipeline.control.pruning.MOST", 200)
    attempts = a_day(database, size=300)
    folded(database, NIGHT)
    with database.connection() as connection:
        known = digest(connection)
    asked = iter([False, False, False, True])
    first = pruned(database.url, stop=lambda: next(asked, True))
    assert not first.is_complete
    assert 0 < first.removed["attempt"] < attempts
    fold(database, MIDNIGHT, MIDNIGHT + A_DAY, SOURCES)
    second = pruned(database.url)
    assert first.removed["attempt"] + second.removed["attempt"] == attempts
    assert (second.late, second.is_complete) == (0, True)
    with database.connection() as connection:
        assert digest(connection) == known


KILLED = """
import sys
from datetime import date, datetime
from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.retention_section import Retention
from healing_pipeline.control import pruning as control
from healing_pipeline.storage import pruning
control.FIRST = control.MOST = 100
with pruning.pruner(sys.argv[1]) as connection:
    control.Pruner(connection, Retention(), date(2026, 1, 1), ("fred", "polygon", "yahoo"),
                   told=lambda table, done, of: print(table, done, flush=True), rest=3.0,
    ).prune(datetime.fromisoformat(sys.argv[2]))
"""


def test_one_that_is_killed_leaves_nothing_half_and_no_turn_held(database):
    attempts = a_day(database, size=300)
    folded(database, NIGHT)
    with database.connection() as connection:
        known = digest(connection)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, database.url, NIGHT.isoformat()],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    [left] = counts(database, "attempt")
    assert 0 < left < attempts
    fold(database, MIDNIGHT, MIDNIGHT + A_DAY, SOURCES)
    done = pruned(database.url)
    assert (done.removed["attempt"], done.late) == (left, 0)
    with database.connection() as connection:
        assert digest(connection) == known


def test_nothing_is_pruned_while_a_fold_reads_it(database, monkeypatch):
    """A fold that began before sees all its facts; the pruning waits, or leaves them."""
    attempts = a_day(database)
    folded(database, NIGHT)
    monkeypatch.setattr("healing_pipeline.control.pruning.FOLDS_WAITED_FOR", 1)
    monkeypatch.setitem(pruning._SETTINGS, "lock_timeout", "100ms")
    with database.connection() as connection:
        learning.fold_hours(connection, MIDNIGHT, MIDNIGHT + A_DAY, SOURCES)
        done = pruned(database.url)
        assert done.removed == {}
        assert "a fold is under way" in done.kept[0].because
    assert pruned(database.url).removed["attempt"] == attempts


def test_a_role_that_may_not_delete_is_told_whose_url_is_needed(database):
    attempts = a_day(database)
    folded(database, NIGHT)
    role = f"reader_{uuid4().hex}"
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role}")
        try:
            connection.execute(f"GRANT USAGE ON SCHEMA healing TO {role}")
            connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA healing TO {role}")
            given = conninfo_to_dict(database.url)
            with pytest.raises(StorageError, match="HEALING_OWNER_DATABASE_URL"):
                pruned(make_conninfo("", **{**given, "options": f"-c role={role}"}))
        finally:
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")
    assert counts(database, "attempt") == [attempts]


def test_a_server_that_goes_away_is_told_with_the_way_on(database):
    a_day(database)
    folded(database, NIGHT)

    def cut(table: str, done: int, of: int) -> None:
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'healing-prune' AND datname = current_database()"
            )
        time.sleep(0.05)

    with pytest.raises(StorageError, match=r"run `healing prune` again"):
        pruned(database.url, told=cut)
    assert pruned(database.url).is_complete
