"""What no hook tells: killed runs, checks, what could not be told at once. Real runs and tables."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import dagster as dg
import pytest
from alerting_world import LONG_AGO, NOBODY
from dagster._core.storage.tags import PARTITION_NAME_TAG

from healing_pipeline.control import dagster_alerts as told
from healing_pipeline.orchestration.alert_backstop import RETRIED_WITHIN
from healing_pipeline.orchestration.alert_sensors import WAIT_FOR, Watched
from healing_pipeline.orchestration.alerts_resource import (
    AlertsResource,
)
from healing_pipeline.storage.alert_groups import groups_since

pytestmark = pytest.mark.processes


def test_a_run_that_its_hooks_told_of_is_not_told_of_again(anyone):
    anyone.fails("prices", "load")
    for run_id in (anyone.make("prices"), anyone.run("nightly")):
        anyone.tells_of(run_id)
    anyone.watch()
    assert len(anyone.messages()) == 2


def test_a_run_without_hooks_is_told_of_and_over_when_another_has_worked(anyone):
    anyone.fails("load")
    anyone.tells_of(anyone.run("bare_job"))
    assert anyone.groups() == {"dagster:job:bare_job": "firing"}
    assert "ValueError: load is ill" in anyone.only_message()["body"]
    anyone.watch()
    assert anyone.groups() == {"dagster:job:bare_job": "firing"}
    anyone.works("load")
    anyone.run("bare_job")
    anyone.watch()
    assert anyone.groups() == {"dagster:job:bare_job": "recovered"}


def test_a_run_whose_process_was_killed_is_told_of_with_what_it_was_to_make(anyone):
    anyone.tells_of(anyone.dies("nightly"))
    assert anyone.groups() == {"dagster:job:nightly": "firing"}
    assert "its process was killed" in anyone.only_message()["body"]
    anyone.run("nightly")
    anyone.watch()
    assert anyone.groups() == {"dagster:job:nightly": "recovered"}


def test_an_asset_without_hooks_is_over_when_it_is_made(anyone):
    anyone.fails("bare")
    anyone.tells_of(anyone.make("bare"))
    assert anyone.groups() == {"dagster:asset:bare": "firing"}
    anyone.works("bare")
    anyone.make("bare")
    anyone.watch()
    assert anyone.groups() == {"dagster:asset:bare": "recovered"}


def test_a_range_of_partitions_is_over_when_each_of_them_is_made(anyone):
    anyone.fails("bare_daily")
    of_range = {
        "dagster__asset_partition_range_start": "2026-01-02",
        "dagster__asset_partition_range_end": "2026-01-04",
    }
    anyone.tells_of(anyone.make("bare_daily", **of_range))
    assert "for 2026-01-02...2026-01-04" in anyone.only_message()["title"]
    anyone.works("bare_daily")
    for day in ("2026-01-02", "2026-01-03"):
        anyone.make("bare_daily", partition=day)
    anyone.watch()
    assert anyone.groups() == {"dagster:asset:bare_daily": "firing"}
    anyone.make("bare_daily", partition="2026-01-04")
    anyone.watch()
    assert anyone.groups() == {"dagster:asset:bare_daily": "recovered"}


def test_a_run_that_is_tried_again_is_told_of_when_its_last_try_failed(anyone):
    retried = {"dagster__max_retries": "1", "dagster__retry_on_asset_or_op_failure": "true"}
    anyone.fails("load")
    run_id = anyone.run("bare_job", **retried)
    anyone.instance.add_run_tags(run_id, {"dagster/will_retry": "true"})
    anyone.tells_of(run_id)
    assert anyone.messages() == []
    again = anyone.run("bare_job", **retried)
    anyone.instance.add_run_tags(run_id, {"dagster/auto_retry_run_id": again})
    anyone.instance.add_run_tags(again, {"dagster/will_retry": "false"})
    anyone.tells_of(again)
    anyone.watch()
    assert anyone.only_message()["detail"]["run_id"] == again


def test_a_hook_leaves_a_run_to_its_last_try(anyone, tmp_path):
    anyone.fails("load")
    settings = {"run_retries": {"enabled": True, "max_retries": 1}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=settings) as instance:
        anyone.instance = instance
        assert "people are told if its last try fails" in anyone.said(anyone.run("nightly"))
        assert anyone.messages() == []
        anyone.run("nightly", dagster__max_retries="0")
        assert len(anyone.messages()) == 1


def test_a_run_that_was_to_be_tried_again_and_never_was_is_told_of(anyone, monkeypatch):
    anyone.watch()
    anyone.fails("load")
    run_id = anyone.run("bare_job")
    anyone.instance.add_run_tags(run_id, {"dagster/will_retry": "true"})
    anyone.watch()
    assert anyone.messages() == []
    monkeypatch.setattr(
        "healing_pipeline.orchestration.alert_backstop.RETRIED_WITHIN", timedelta(0)
    )
    assert timedelta(0) < RETRIED_WITHIN
    anyone.watch()
    assert anyone.only_message()["detail"]["run_id"] == run_id


def test_one_heal_run_that_fails_is_left_to_its_incident_and_three_in_a_row_are_told(anyone):
    anyone.watch()
    for number in (1, 2):
        anyone.tells_of(anyone.dies("heal_endpoint", healing__incident=str(number)))
    anyone.watch()
    assert anyone.messages() == []
    anyone.tells_of(anyone.dies("heal_endpoint", healing__incident="3"))
    assert "the last 3 heal runs failed" in anyone.only_message()["body"]
    anyone.run("heal_endpoint", healing__incident="4")
    anyone.watch()
    assert anyone.groups() == {"dagster:job:heal_endpoint": "recovered"}


def test_an_incident_whose_heal_runs_fail_twice_is_told_though_others_are_healed(anyone):
    for number in (7, 7):
        anyone.tells_of(anyone.dies("heal_endpoint", healing__incident=str(number)))
        anyone.run("heal_endpoint", healing__incident="8")
    assert "2 heal runs of incident 7 failed" in anyone.only_message()["body"]


def test_what_the_sensor_could_not_tell_the_watcher_tells(anyone, monkeypatch, tables):
    anyone.watch()
    anyone.fails("load")
    run_id = anyone.run("bare_job")
    monkeypatch.setenv("HEALING_DATABASE_URL", NOBODY)
    with pytest.raises(Exception, match="does not answer"):
        anyone.tells_of(run_id)
    before = anyone.cursor
    with pytest.raises(Exception, match="does not answer"):
        anyone.watch()
    assert anyone.cursor == before
    monkeypatch.setenv("HEALING_DATABASE_URL", tables.url)
    anyone.watch()
    assert anyone.only_message()["detail"]["run_id"] == run_id
    anyone.watch()
    assert len(anyone.messages()) == 1


def test_sixty_runs_of_a_job_that_fail_at_once_are_one_message(anyone):
    anyone.watch()
    for _ in range(60):
        anyone.dies("bare_job")
    assert "told of 60 runs" in anyone.watch()
    assert len(anyone.messages()) == 1
    assert "told of 0 runs" in anyone.watch()


def test_twenty_partitions_that_fail_at_once_are_one_message_and_each_has_to_be_made(anyone):
    anyone.watch()
    for number in range(20):
        anyone.dies("bare_job", **{PARTITION_NAME_TAG.replace("/", "__"): f"p{number}"})
    anyone.watch()
    assert len(anyone.messages()) == 1
    anyone.run("bare_job", dagster__partition="p0")
    anyone.watch()
    assert anyone.groups() == {"dagster:job:bare_job": "firing"}


def test_of_many_matters_at_once_the_last_are_told_together(anyone):
    now = datetime.now(UTC)
    with anyone.database.connection() as connection:
        for number in range(told.MANY + 20):
            failed = told.Failed(
                run_id=str(uuid4()),
                job=f"job{number}",
                subjects=(told.run(f"job{number}"),),
                evidence="the disk is full",
                page="http://dagster.test",
                failed_at=now,
            )
            assert told.tell(connection, failed, now)
    assert len(anyone.messages()) == told.MANY + 1
    assert anyone.groups()[told.MANY_FINGERPRINT] == "firing"
    assert anyone.messages()[-1]["title"].startswith("More than 10 jobs, assets and checks")
    with anyone.database.connection() as connection:
        for number in range(told.MANY + 20):
            told.succeeded(
                connection, told.run(f"job{number}"), None, done_at=now, at=now, note="mended"
            )
    assert set(anyone.groups().values()) == {"recovered"}


def test_what_nobody_does_for_a_fortnight_is_waited_for_no_more(anyone):
    anyone.fails("daily")
    anyone.make("daily", partition="2026-01-03")
    anyone.watch()
    assert anyone.groups() == {"dagster:asset:daily": "firing"}
    with anyone.database.connection() as connection:
        connection.execute(
            "UPDATE healing.dagster_failure SET failed_at = failed_at - %s", [WAIT_FOR]
        )
    anyone.watch()
    with anyone.database.connection() as connection:
        (group,) = groups_since(connection, LONG_AGO, 10)
    assert str(group.state) == "recovered"
    assert "not done within 14 days" in str(group.detail["healed_by"])


def test_ten_that_tell_of_one_run_at_once_are_one_message(anyone):
    now = datetime.now(UTC)
    failed = told.Failed(
        run_id=str(uuid4()),
        job="nightly",
        subjects=(told.op("nightly", "load"),),
        evidence="the disk is full",
        page="http://dagster.test",
        failed_at=now,
    )

    def tell(_: int) -> bool:
        with AlertsResource().connection() as connection:
            return told.tell(connection, failed, now)

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(tell, range(10))) == 1
    assert len(anyone.messages()) == 1


# -- checks ----------------------------------------------------------------------------------------


def test_a_check_that_fails_without_blocking_is_a_warning_until_it_passes(anyone):
    anyone.watch()
    anyone.fails("is_fresh")
    anyone.make("bare")
    assert "1 checks" in anyone.watch()
    assert anyone.groups() == {"dagster:check:bare:is_fresh": "firing"}
    message = anyone.only_message()
    assert message["level"] == "warning"
    assert "oldest_h: 30" in message["body"]
    anyone.make("bare")
    anyone.watch()
    assert len(anyone.messages()) == 1
    anyone.works("is_fresh")
    anyone.make("bare")
    anyone.watch()
    assert anyone.groups() == {"dagster:check:bare:is_fresh": "recovered"}


def test_a_check_that_failed_before_anybody_watched_is_told_of(anyone):
    anyone.fails("is_fresh")
    anyone.make("bare")
    anyone.watch()
    assert anyone.groups() == {"dagster:check:bare:is_fresh": "firing"}


def test_a_check_that_failed_and_passed_between_two_looks_is_told_of_nowhere(anyone):
    anyone.watch()
    anyone.fails("is_fresh")
    anyone.make("bare")
    anyone.works("is_fresh")
    anyone.make("bare")
    anyone.watch()
    assert anyone.messages() == []


def test_a_break_of_the_watcher_is_remembered_so_that_silence_before_it_counts_for_nothing():
    first, _ = Watched.of_cursor(None, 1000.0)
    steady, last_at = Watched.of_cursor(first.cursor, 1020.0)
    assert (steady.since_s, last_at.timestamp()) == (1000.0, 1000.0)
    after, last_at = Watched.of_cursor(steady.cursor, 9000.0)
    assert (after.since_s, last_at.timestamp()) == (9000.0, 1020.0)
    assert after.runs_s == 1000.0, "what failed meanwhile is told"
    assert Watched.of_cursor("nonsense", 5.0)[0] == Watched(None, 5.0, 5.0, 5.0)
