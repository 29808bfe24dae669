"""What a report is made of: a connection, and the window that was asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.installation import load_catalog, state_dir
from healing_pipeline.storage.database import Database, resolve_database
from healing_pipeline.storage.migration import bring_up_to_date

Result = TypeVar("Result")
Work = Callable[[Any, datetime, datetime, Catalog], Result]


def of_window(config: Path, hours: float, work: Work[Result]) -> Result:
    """Do `work` with a connection, the begin and the end of the window, and the catalog.

    Raises
    ------
    ConfigurationError
        If so many hours cannot be reported on, or the configuration cannot be read.
    """
    if not 0 < hours <= 24 * 366:
        raise ConfigurationError(
            f"{hours:g} hours cannot be reported on.", "Give --hours between 0 and 8784."
        )
    catalog = load_catalog(config, os.environ)
    address = resolve_database(os.environ, state_dir(os.environ))
    try:
        with Database(address.url) as database:
            bring_up_to_date(database, address.owner_url)
            now = datetime.now(UTC)
            with database.connection() as connection:
                return work(connection, now - timedelta(hours=hours), now, catalog)
    finally:
        address.close()
