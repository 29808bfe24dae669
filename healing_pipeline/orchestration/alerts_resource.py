"""The resource by which Dagster's side tells people: where the tables and Dagster's page are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg

from healing_pipeline.errors import StorageError
from healing_pipeline.installation import DAGSTER_PAGE_VARIABLE, state_dir, system_clock
from healing_pipeline.orchestration.resources import HealingResource
from healing_pipeline.storage.brief import BriefConnection, brief_connection
from healing_pipeline.storage.database import URL_VARIABLE, running_url

DEFAULT_PAGE = "http://127.0.0.1:3000"


class AlertsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Gives a connection to the tables of alerts, for a moment.

    By itself it starts and migrates nothing: whoever only tells of a failure waits for nothing.

    Attributes
    ----------
    database_url : str
        Of healing_pipeline's database; empty: ``HEALING_DATABASE_URL``, else the embedded server of
        ``HEALING_STATE_DIR``, if it runs.
    page : str
        Dagster's web page, to which messages link; empty: ``HEALING_DAGSTER_PAGE``, else
        ``http://127.0.0.1:3000``.
    config_path : str
        The configuration, in the code location that watches its sources: whichever sensor ticks
        first there opens the installation, and starts its embedded server. Empty: nobody's.

    Examples
    --------
    ::

        from healing_pipeline.hooks import AlertsResource, alert_hooks

        @dg.job(hooks=set(alert_hooks("alerts")))
        def nightly() -> None:
            ...

        dg.Definitions(
            jobs=[nightly],
            resources={"alerts": AlertsResource(database_url=dg.EnvVar("HEALING_DATABASE_URL"))},
        )
    """

    database_url: str = ""
    page: str = ""
    config_path: str = ""

    @contextmanager
    def connection(self) -> Iterator[BriefConnection]:
        """One connection that commits what is told as it is told; then it is closed.

        Raises
        ------
        StorageError
            If the database is not known, is away, or takes longer than seconds.
        """
        url = self.database_url or os.environ.get(URL_VARIABLE, "").strip()
        url = url or running_url(state_dir(os.environ)) or self._opened_url()
        if not url:
            raise StorageError(
                f"No database of alerts is known. Set {URL_VARIABLE}, or give AlertsResource its "
                "`database_url`."
            )
        with brief_connection(url) as connection:
            yield connection

    def _opened_url(self) -> str:
        if not self.config_path:
            return ""
        return HealingResource(config_path=self.config_path).bare_session().database.url

    def run_page(self, run_id: str) -> str:
        """Where people read of a run."""
        page = self.page or os.environ.get(DAGSTER_PAGE_VARIABLE) or DEFAULT_PAGE
        return f"{page.rstrip('/')}/runs/{run_id}"

    def now(self) -> datetime:
        """By the clock that alerts are dated with."""
        return system_clock().now()


def machine_now() -> datetime:
    """By the machine's clock, as Dagster's own records are."""
    return datetime.now(UTC)
