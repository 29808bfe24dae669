"""Hooks on jobs and assets of anyone's: real runs, real tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from alerting_world import LONG_AGO, NOBODY

from healing_pipeline.installation import DAGSTER_PAGE_VARIABLE
from healing_pipeline.orchestration.alerts_resource import (
    DEFAULT_PAGE,
    AlertsResource,
)
from healing_pipeline.orchestration.failed_runs import LEVEL_TAG, OWNER_TAG
from healing_pipeline.storage.alert_groups import groups_since
from healing_pipeline.storage.dagster_failures import standing_failures
from healing_pipeline.storage.database import URL_VARIABLE

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]


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


def test_the_lines_of_the_guide_do_what_it_says(anyone, monkeypatch, tmp_path):
    guide = (ROOT / "docs" / "how_to" / "alert_hooks.md").read_text(encoding="utf-8")
    lines = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)[0]
    assert len([each for each in lines.splitlines() if each.strip()]) <= 10
    added = [each for each in lines.splitlines() if "alert_on" in each]
    assert len(added) == 2, "an import, and an argument"
    assert lines == (ROOT / "examples" / "alert_hooks.py").read_text(encoding="utf-8")
    given: dict[str, Any] = {"__name__": "guide"}
    exec(compile(lines, "docs/how_to/alert_hooks.md", "exec"), given)
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
    guide = (ROOT / "docs" / "how_to" / "alert_hooks.md").read_text(encoding="utf-8")
    for name in (URL_VARIABLE, DAGSTER_PAGE_VARIABLE, LEVEL_TAG, OWNER_TAG, DEFAULT_PAGE):
        assert f"`{name}" in guide
