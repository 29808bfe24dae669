"""A connection for a moment: for whoever tells one thing and may not wait, a run above all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from healing_pipeline.errors import StorageError
from healing_pipeline.storage.database import URL_VARIABLE, connection_info

# A run that has failed, or is done, waits for no more than this.
CONNECT_S, STATEMENT_MS = 3, 3000

BriefConnection = psycopg.Connection[Any]


@contextmanager
def brief_connection(url: str) -> Iterator[BriefConnection]:
    """Connect, and hang up at the end; each statement is committed unless in a `transaction`.

    Raises
    ------
    StorageError
        If the database is away, refuses, or takes longer than seconds.
    """
    limits = {"statement_timeout": str(STATEMENT_MS), "lock_timeout": str(STATEMENT_MS)}
    try:
        with psycopg.connect(
            connection_info(url, application_name="healing-alerts", settings=limits),
            connect_timeout=CONNECT_S,
            autocommit=True,
        ) as connection:
            yield connection
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise StorageError(
            f"The database of alerts is of another version ({type(error).__name__}). Whatever "
            "starts healing_pipeline, `healing up` or `healing probe`, brings it up to date."
        ) from None
    except psycopg.Error as error:
        # A driver's text may repeat the address, and with it the password.
        raise StorageError(
            f"The database of alerts does not answer ({type(error).__name__}). Check that the "
            f"server runs and that {URL_VARIABLE} names it."
        ) from None
