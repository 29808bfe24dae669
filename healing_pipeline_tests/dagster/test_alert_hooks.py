"""Alerts of Dagster's own failures: real runs of a code location of anyone's, real tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import alerting_project as project
import dagster as dg
import pytest
from dagster._core.storage.tags import PARTITION_NAME_TAG

from healing_pipeline.control import dagster_alerts as told
from healing_pipeline.installation import DAGSTER_PAGE_VARIABLE
from healing_pipeline.orchestration.alert_backstop import RETRIED_WITHIN
from healing_pipeline.orchestration.alert_sensors import ALERTS, WAIT_FOR, Watched
from healing_pipeline.orchestration.alerts_resource import (
    DEFAULT_PAGE,
    AlertsResource,
)
from healing_pipeline.orchestration.failed_runs import LEVEL_TAG, OWNER_TAG
from healing_pipeline.storage.alert_groups import groups_since
from healing_pipeline.storage.dagster_failures import standing_failures
from healing_pipeline.storage.database import URL_VARIABLE, Database

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
NOBODY = "postgresql://nobody@127.0.0.1:1/none"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass
class Project:
    """The code location, its instance and the tables of alerts."""

    instance: dg.DagsterInstance
    database: Database
    ill: Path
    cursor: str | None = None

    def fails(self, *names: str) -> None:
        for name in names:
            (self.ill / name).touch()

    def works(self, *names: str) -> None:
        for name in names:
            (self.ill / name).unlink()

    def make(self, *assets: str, partition: str | None = None, **tags: str) -> str:
        keys = {dg.AssetKey(each) for each in assets}
        job = project.defs.resolve_implicit_global_asset_job_def()
        return self._run(job.get_subset(asset_selection=keys), partition, tags)

    def run(self, job: str, partition: str | None = None, **tags: str) -> str:
        return self._run(project.defs.resolve_job_def(job), partition, tags)

    def _run(self, job: dg.JobDefinition, partition: str | None, tags: dict[str, str]) -> str:
        done = job.execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            partition_key=partition,
            tags={name.replace("__", "/"): each for name, each in tags.items()},
        )
        return done.run_id

    def dies(self, job: str, **tags: str) -> str:
        """A run whose process is killed: no step tells of its end, and no hook fires."""
        definition = project.defs.resolve_job_def(job)
        run = self.instance.create_run_for_job(
            definition,
            tags={name.replace("__", "/"): each for name, each in tags.items()},
            status=dg.DagsterRunStatus.STARTED,
        )
        self.instance.report_run_failed(run, "its process was killed")
        return run.run_id

    def tells_of(self, run_id: str) -> None:
        """What Dagster does with a failed run: the sensor of failed runs is called with it."""
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        context = dg.build_run_status_sensor_context(
            sensor_name="alert_on_run_failure",
            dagster_event=self.instance.all_logs(run_id)[-1].get_dagster_event(),
            dagster_instance=self.instance,
            dagster_run=run,
            resources={ALERTS: AlertsResource(page="http://dagster.test")},
        ).for_run_failure()
        project.alert_on_run_failure(context)

    def watch(self) -> str:
        """A tick of the watcher."""
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            resources={ALERTS: AlertsResource(page="http://dagster.test")},
        )
        tick = project.alert_watch.evaluate_tick(context)
        self.cursor = tick.cursor
        return tick.skip_message or ""

    def groups(self) -> dict[str, str]:
        """By fingerprint: where the newest group stands."""
        with self.database.connection() as connection:
            found = groups_since(connection, LONG_AGO, 1000)
        return {each.fingerprint: str(each.state) for each in reversed(found)}

    def messages(self) -> list[dict[str, Any]]:
        """What people were told, the oldest first."""
        with self.database.connection() as connection:
            cursor = connection.execute(
                "SELECT kind, level, title, body, owners, detail FROM healing.alert ORDER BY id"
            )
            names = [each.name for each in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def only_message(self) -> dict[str, Any]:
        (message,) = self.messages()
        return message

    def said(self, run_id: str) -> str:
        """What stands in a run's log."""
        return "\n".join(each.user_message or "" for each in self.instance.all_logs(run_id))


@pytest.fixture(scope="module")
def tables(pg_server: Any) -> Iterator[Database]:
    """One database for all of them: making one takes longer than a test."""
    name = f"alert_hooks_{uuid4().hex}"
    pg_server.create(name, "healing_template")
    with Database(pg_server.url(name), max_size=2) as database:
        yield database
    pg_server.drop(name)


@pytest.fixture
def anyone(tables: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    for name in ("HEALING_DAGSTER_PAGE", "HEALING_CLOCK_OFFSET_S", "HEALING_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEALING_DATABASE_URL", tables.url)
    monkeypatch.setenv("ILL", str(tmp_path))
    with tables.connection() as connection:
        # What is told is never changed, but for the next test.
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("TRUNCATE healing.alert, healing.alert_group CASCADE")
        connection.execute("TRUNCATE healing.dagster_failure")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Project(instance, tables, tmp_path)


# -- hooks -----------------------------------------------------------------------------------------


def test_an_asset_that_fails_is_told_once_with_what_people_need(anyone):
    anyone.fails("prices")
    run_id = anyone.make("prices")
    assert anyone.groups() == {"dagster:asset:prices": "firing"}
    message = anyone.only_message()
    assert (message["kind"], message["level"]) == ("fired", "error")
    assert message["title"] == "asset prices failed"
    assert "ValueError: prices is ill" in message["body"]
    assert f"http://127.0.0.1:3000/runs/{run_id}" in message["body"]
    assert message["owners"] == ["ann", "bob"]
    assert message["detail"]["run_id"] == run_id
    assert message["detail"]["action"]


def test_what_an_error_says_is_told_without_its_secrets(anyone):
    anyone.fails("prices")
    anyone.make("prices")
    assert "hunter2hunter2" not in str(anyone.messages())
    assert "password=[redacted]" in anyone.only_message()["body"]


def test_it_is_over_when_the_asset_is_made_and_told_of_with_the_run_that_made_it(anyone):
    anyone.fails("prices")
    anyone.make("prices")
    anyone.works("prices")
    run_id = anyone.make("prices")
    assert anyone.groups() == {"dagster:asset:prices": "recovered"}
    with anyone.database.connection() as connection:
        (group,) = groups_since(connection, LONG_AGO, 10)
    assert run_id in str(group.detail["healed_by"])
    assert len(anyone.messages()) == 1, "that it is over is told when it has stayed so"


def test_what_never_failed_is_told_of_nowhere(anyone):
    anyone.make("prices", "built")
    anyone.run("nightly")
    assert anyone.groups() == {}
    assert anyone.messages() == []


def test_failing_again_is_no_second_message(anyone):
    anyone.fails("prices")
    for _ in range(3):
        anyone.make("prices")
    assert len(anyone.messages()) == 1


def test_a_partition_is_well_when_it_is_made_and_not_when_another_is(anyone):
    anyone.fails("daily")
    anyone.make("daily", partition="2026-01-03")
    assert anyone.only_message()["title"] == "asset daily failed for 2026-01-03"
    anyone.works("daily")
    anyone.make("daily", partition="2026-01-04")
    assert anyone.groups() == {"dagster:asset:daily": "firing"}
    anyone.make("daily", partition="2026-01-03")
    assert anyone.groups() == {"dagster:asset:daily": "recovered"}


def test_an_asset_of_several_ops_is_well_when_the_last_has_worked(anyone):
    anyone.fails("first")
    anyone.make("built")
    assert anyone.groups() == {"dagster:asset:built": "firing"}
    anyone.works("first")
    anyone.fails("second")
    anyone.make("built")
    assert anyone.groups() == {"dagster:asset:built": "firing"}
    with anyone.database.connection() as connection:
        assert len(standing_failures(connection, 10)) == 2, "its first op alone has made nothing"
    anyone.works("second")
    anyone.make("built")
    assert anyone.groups() == {"dagster:asset:built": "recovered"}


def test_a_job_that_fails_is_as_loud_as_its_tags_say_and_its_owners_are_told(anyone):
    anyone.fails("load")
    anyone.run("nightly")
    assert anyone.groups() == {"dagster:job:nightly": "firing"}
    message = anyone.only_message()
    assert message["level"] == "critical"
    assert message["owners"] == ["cleo", "dan"]
    assert message["title"] == "op load of job nightly failed"


def test_two_ops_of_one_run_that_fail_are_one_message_and_it_is_over_when_both_work(anyone):
    anyone.fails("tell", "load")
    anyone.run("nightly")
    assert anyone.groups() == {"dagster:job:nightly": "firing"}
    assert [each["kind"] for each in anyone.messages()] in (["fired"], ["fired", "raised"])
    anyone.works("load")
    anyone.run("nightly")
    assert anyone.groups() == {"dagster:job:nightly": "firing"}
    anyone.works("tell")
    anyone.run("nightly")
    assert anyone.groups() == {"dagster:job:nightly": "recovered"}


def test_two_assets_of_one_run_that_fail_are_one_message(anyone):
    anyone.fails("prices", "first")
    anyone.make("prices", "built")
    assert len(anyone.messages()) == 1
    anyone.works("prices")
    anyone.make("prices")
    assert set(anyone.groups().values()) == {"firing"}
    anyone.works("first")
    anyone.make("built")
    assert set(anyone.groups().values()) == {"recovered"}


def test_an_asset_that_fails_beside_one_that_is_told_of_is_told_of_as_well(anyone):
    anyone.fails("prices")
    anyone.make("prices")
    anyone.fails("first")
    anyone.make("prices", "built")
    assert anyone.groups() == {"dagster:asset:prices": "firing", "dagster:asset:built": "firing"}


def test_a_blocking_check_that_fails_is_told_of_as_a_check_and_ends_when_it_passes(anyone):
    anyone.watch()
    anyone.fails("is_whole")
    run_id = anyone.make("prices")
    anyone.tells_of(run_id)
    anyone.watch()
    assert anyone.groups() == {"dagster:check:prices:is_whole": "firing"}
    assert anyone.only_message()["level"] == "error"
    anyone.works("is_whole")
    anyone.make("prices")
    anyone.watch()
    assert anyone.groups() == {"dagster:check:prices:is_whole": "recovered"}
    assert len(anyone.messages()) == 1


def test_no_hook_breaks_a_run_when_postgresql_is_away_and_the_run_says_so(anyone, monkeypatch):
    monkeypatch.setenv("HEALING_DATABASE_URL", NOBODY)
    anyone.fails("prices")
    run_id = anyone.make("prices")
    assert "Nobody was told (StorageError: The database of alerts does not" in anyone.said(run_id)
    anyone.works("prices")
    run_id = anyone.make("prices")
    run = anyone.instance.get_run_by_id(run_id)
    assert run.status is dg.DagsterRunStatus.SUCCESS


def test_no_hook_breaks_a_run_before_the_tables_are_there(anyone, monkeypatch, pg_server):
    monkeypatch.setenv("HEALING_DATABASE_URL", pg_server.url("postgres"))
    anyone.fails("prices")
    assert "is of another version (UndefinedTable)" in anyone.said(anyone.make("prices"))


def test_no_hook_breaks_a_run_where_nothing_is_configured(anyone, monkeypatch, tmp_path):
    monkeypatch.delenv("HEALING_DATABASE_URL")
    monkeypatch.chdir(tmp_path)
    run_id = anyone.make("prices")
    run = anyone.instance.get_run_by_id(run_id)
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert not (tmp_path / ".healing").exists(), "a hook starts no server"
    anyone.fails("prices")
    assert "No database of alerts is known. Set" in anyone.said(anyone.make("prices"))


def test_hooks_by_a_resource_take_the_database_from_it(anyone, monkeypatch, tables):
    from healing_pipeline.hooks import alert_hooks

    monkeypatch.setenv("HEALING_DATABASE_URL", NOBODY)

    @dg.op
    def broken() -> None:
        raise ValueError("no")

    @dg.job(
        hooks=set(alert_hooks("alerts")),
        resource_defs={"alerts": AlertsResource(database_url=tables.url, page="http://d.test/")},
    )
    def by_resource() -> None:
        broken()

    done = by_resource.execute_in_process(instance=anyone.instance, raise_on_error=False)
    assert f"http://d.test/runs/{done.run_id}" in anyone.only_message()["body"]


# -- the backstop ----------------------------------------------------------------------------------


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


# -- the rest --------------------------------------------------------------------------------------


def test_a_break_of_the_watcher_is_remembered_so_that_silence_before_it_counts_for_nothing():
    first, _ = Watched.of_cursor(None, 1000.0)
    steady, last_at = Watched.of_cursor(first.cursor, 1020.0)
    assert (steady.since_s, last_at.timestamp()) == (1000.0, 1000.0)
    after, last_at = Watched.of_cursor(steady.cursor, 9000.0)
    assert (after.since_s, last_at.timestamp()) == (9000.0, 1020.0)
    assert after.runs_s == 1000.0, "what failed meanwhile is told"
    assert Watched.of_cursor("nonsense", 5.0)[0] == Watched(None, 5.0, 5.0, 5.0)


def test_the_lines_of_the_guide_do_what_it_says(anyone, monkeypatch, tmp_path):
    guide = (ROOT / "docs" / "alert_hooks.md").read_text(encoding="utf-8")
    lines = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)[0]
    assert len([each for each in lines.splitlines() if each.strip()]) <= 10
    added = [each for each in lines.splitlines() if "alert_on" in each]
    assert len(added) == 2, "an import, and an argument"
    assert lines == (ROOT / "examples" / "alert_hooks.py").read_text(encoding="utf-8")
    given: dict[str, Any] = {"__name__": "guide"}
    exec(compile(lines, "docs/alert_hooks.md", "exec"), given)
    defs = given["defs"]
    dg.Definitions.validate_loadable(defs)
    monkeypatch.chdir(tmp_path)
    job = defs.resolve_job_def("letters")
    assert not job.execute_in_process(instance=anyone.instance, raise_on_error=False).success
    message = anyone.only_message()
    assert message["title"] == "op count_letters of job letters failed"
    assert message["owners"] == ["ann"]
    assert anyone.groups() == {"dagster:job:letters": "firing"}
    (tmp_path / "letters.txt").write_text("dear all")
    assert job.execute_in_process(instance=anyone.instance).success
    assert anyone.groups() == {"dagster:job:letters": "recovered"}


def test_every_setting_that_the_guide_names_is_one():
    guide = (ROOT / "docs" / "alert_hooks.md").read_text(encoding="utf-8")
    for name in (URL_VARIABLE, DAGSTER_PAGE_VARIABLE, LEVEL_TAG, OWNER_TAG, DEFAULT_PAGE):
        assert f"`{name}" in guide
