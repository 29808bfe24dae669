"""Where the commands below `healing alerts` work: the configuration and the tables."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from healing_pipeline.catalog.problems import did_you_mean
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.installation import load_catalog, state_dir, system_clock
from healing_pipeline.storage.database import Database, resolve_database
from healing_pipeline.storage.migration import bring_up_to_date


@contextmanager
def opened(config: Path) -> Iterator[tuple[Catalog, Any, datetime]]:
    """The catalog, a connection in a transaction of the tables, and the moment it is."""
    catalog = load_catalog(config, os.environ)
    now = system_clock().now()
    address = resolve_database(os.environ, state_dir(os.environ))
    try:
        with Database(address.url) as database:
            bring_up_to_date(database, address.owner_url)
            with database.connection() as connection:
                yield catalog, connection, now
    finally:
        address.close()


def known_source(catalog: Catalog, source: str | None) -> str | None:
    """`source`, if there is one of that name.

    Raises
    ------
    ConfigurationError
        If there is none.
    """
    if source is None or source in catalog.sources:
        return source
    raise ConfigurationError(
        f"'{source}' is no source of the configuration.",
        f"{did_you_mean(source, catalog.sources)}Sources are {', '.join(catalog.sources)}.",
    )


def who(by: str | None) -> str:
    """Who gives the command: `by`, else who is logged in.

    Raises
    ------
    ConfigurationError
        If it cannot be told.
    """
    try:
        found = (getpass.getuser() if by is None else by).strip()
    except (KeyError, OSError):  # a number without a name, as in some containers
        found = ""
    if not found:
        raise ConfigurationError("It cannot be told who you are.", "Add --by NAME.")
    return found


def said_why(reason: str) -> str:
    """The reason that was given.

    Raises
    ------
    ConfigurationError
        If it is empty.
    """
    if not reason.strip():
        raise ConfigurationError(
            "A reason is needed.", 'Say why: --reason "moves to another datacentre".'
        )
    return reason.strip()
