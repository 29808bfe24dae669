"""A code location of anyone's with its instance, and the tables in which people are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import alerting_project as project
import dagster as dg

from healing_pipeline.orchestration.alert_sensors import ALERTS
from healing_pipeline.orchestration.alerts_resource import (
    AlertsResource,
)
from healing_pipeline.storage.alert_groups import groups_since
from healing_pipeline.storage.database import Database

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
