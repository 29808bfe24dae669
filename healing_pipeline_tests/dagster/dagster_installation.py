"""A small installation as Dagster sees it: three endpoints, simulated upstreams, real tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.orchestration.resources import HealingResource
from healing_pipeline.simulator.control import SimulatorControl
from healing_pipeline.storage import incidents, probes
from healing_pipeline.storage.database import Database

DGS10, UNRATE, RATES = "fred/dgs10", "fred/unrate", "exchange_rate/latest-usd"

CONFIG = """\
upstreams: simulated
simulator: {port: %d}
sources:
  fred:
    hosts: {api: https://api.stlouisfed.org}
    keys: {primary: {env: FRED_API_KEY}}
  exchange_rate:
    hosts: {v6: https://v6.exchangerate-api.com}
    keys: {primary: {env: EXCHANGE_RATE_API_KEY}}
endpoints:
  fred/dgs10: {path: /fred/series/observations, params: {series_id: DGS10, file_type: json, sort_order: desc, limit: 20}}
  fred/unrate: {path: /fred/series/observations, params: {series_id: UNRATE, file_type: json, sort_order: desc, limit: 20}}
  exchange_rate/latest-usd: {path: /v6/latest/USD, max_age_s: 129600}
"""  # noqa: E501 (as long as an endpoint's line is)

SERVER_ERROR = {"match": {"source": "fred"}, "fault": "server_error"}

# Dagster itself passes a parameter that it calls beta when it binds resources to a sensor.
QUIET = pytest.mark.filterwarnings(
    "ignore:Parameter `owners` of initializer `SensorDefinition:dagster.BetaWarning"
)


@dataclass(frozen=True, slots=True)
class Installation:
    """What a test asks and turns."""

    config: Path
    definitions: dg.Definitions
    database: Database
    upstreams: SimulatorControl

    @property
    def resource(self) -> HealingResource:
        resource = (self.definitions.resources or {})["healing"]
        assert isinstance(resource, HealingResource)
        return resource

    def tick(
        self,
        sensor: str = "probe_fred",
        cursor: str | None = None,
        *,
        knows: dg.RunRequest | None = None,
        switched_on_at: float | None = None,
    ) -> Any:
        """Evaluate a sensor once, as the daemon does: what it found, asked for, and its cursor.

        Parameters
        ----------
        knows : RunRequest, optional
            Dagster has its run.
        """
        with dg.DagsterInstance.ephemeral() as instance:
            if knows is not None:
                job = self.definitions.resolve_job_def("heal_endpoint")
                instance.create_run_for_job(job, run_config=knows.run_config, tags=dict(knows.tags))
            context = dg.build_sensor_context(
                instance=instance,
                cursor=cursor,
                resources={"healing": self.resource},
                last_sensor_start_time=switched_on_at,
            )
            return self.definitions.resolve_sensor_def(sensor).evaluate_tick(context)

    def run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Do the heal run that a tick asked for."""
        job = self.definitions.resolve_job_def("heal_endpoint")
        with dg.DagsterInstance.ephemeral() as instance:
            return job.execute_in_process(
                run_config=request.run_config,
                tags=dict(request.tags),
                instance=instance,
                raise_on_error=False,
            )

    def make_due(self, *endpoints: str) -> None:
        """Let the next tick probe these."""
        with self.database.connection() as connection:
            for each in endpoints:
                assert probes.hasten(connection, each, datetime.now(UTC))

    def state_of(self, endpoint: str) -> State | None:
        """Of its open incident; None when it is well."""
        with self.database.connection() as connection:
            incident = incidents.open_incident_of(connection, endpoint)
        return None if incident is None else incident.state

    def rows(self, query: str, **values: object) -> list[Mapping[str, Any]]:
        """What a query says, as dictionaries."""
        with self.database.connection() as connection:
            cursor = connection.execute(query, values)
            names = [each.name for each in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def write(self, statement: str, **values: object) -> None:
        """Change the tables by hand."""
        with self.database.connection() as connection:
            connection.execute(statement, values)
