"""The project's database: where it is, a pool of connections to it, and its notices."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool, PoolTimeout

from healing_pipeline.errors import DatabaseAwayError, StorageError
from healing_pipeline.storage.embedded import EmbeddedServer, url_of_running
from healing_pipeline.storage.roles import APP, OWNER, settle_embedded

URL_VARIABLE = "HEALING_DATABASE_URL"
OWNER_URL_VARIABLE = "HEALING_OWNER_DATABASE_URL"
DAGSTER_URL_VARIABLE = "HEALING_DAGSTER_DATABASE_URL"
SCHEMA = "healing"
DATABASE, DAGSTER_DATABASE = "healing", "dagster"
CHANNELS = ("healing_incident", "healing_route", "healing_answer_failed")


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where the databases are.

    Attributes
    ----------
    url : str
        Of the project's tables, for psycopg.
    owner_url : str
        The same database for whoever changes its schema or takes old facts away; the same as `url`
        where one role does both.
    dagster_url : str
        Of Dagster's tables, with the scheme that Dagster needs.
    server : EmbeddedServer or None
        The embedded server, when there is one: whoever resolved the address stops it.
    """

    url: str
    owner_url: str
    dagster_url: str
    server: EmbeddedServer | None = None

    def close(self) -> None:
        """Stop the embedded server, unless others use it."""
        if self.server is not None:
            self.server.stop()


class Notice(NamedTuple):
    """One NOTIFY."""

    channel: str
    payload: str

    @property
    def told(self) -> Mapping[str, Any]:
        """What a trigger of ours tells; nothing where somebody else writes on its channel."""
        try:
            found = json.loads(self.payload)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def resolve_database(
    environ: Mapping[str, str], state_dir: Path, *, is_tried: bool = True
) -> DatabaseAddress:
    """Find the database: ``HEALING_DATABASE_URL`` if set, else the embedded server, started.

    With a URL Dagster's tables go to ``HEALING_DAGSTER_DATABASE_URL``, or to the same database:
    they live in other schemas. The owner of our schema comes in by ``HEALING_OWNER_DATABASE_URL``,
    or is the same role.

    Parameters
    ----------
    is_tried : bool
        Whether a URL is connected to, so that a mistake in it is said here. A connection costs the
        server a process: whoever connects next anyway can do without.

    Raises
    ------
    StorageError
        If the URL does not connect, or the embedded server does not start.
    """
    url = environ.get(URL_VARIABLE, "").strip()
    if not url:
        server = EmbeddedServer(state_dir).start()
        try:
            settle_embedded(server, DATABASE, DAGSTER_DATABASE)
        except BaseException:
            server.stop()
            raise
        return DatabaseAddress(
            server.url(DATABASE, APP),
            server.url(DATABASE, OWNER),
            server.dagster_url(DAGSTER_DATABASE, APP),
            server,
        )
    url = with_scheme(url, "postgresql")
    if is_tried:
        _check(url)
    owner_url = with_scheme(environ.get(OWNER_URL_VARIABLE, "").strip() or url, "postgresql")
    dagster_url = environ.get(DAGSTER_URL_VARIABLE, "").strip() or url
    return DatabaseAddress(url, owner_url, with_scheme(dagster_url, "postgresql+psycopg2"))


def running_url(state_dir: Path) -> str | None:
    """The URL of the embedded server's database if the server runs; starts nothing."""
    return url_of_running(state_dir, DATABASE, APP)


def connection_info(
    url: str, *, application_name: str = "healing", settings: Mapping[str, str] | None = None
) -> str:
    """`url` as a connection string with our schema, UTC and the given settings."""
    try:
        given = conninfo_to_dict(with_scheme(url, "postgresql"))
    except psycopg.ProgrammingError:
        # Its text may repeat the password.
        raise StorageError(
            "The database URL cannot be read; it looks like "
            f"postgresql://user:password@host:5432/database. {_CURE}"
        ) from None
    ours = {"search_path": SCHEMA, "TimeZone": "UTC", **(settings or {})}
    options = " ".join(f"-c {name}={value}" for name, value in ours.items())
    given["options"] = f"{given.get('options') or ''} {options}".strip()
    given["application_name"] = application_name
    given.setdefault("connect_timeout", 5)
    return make_conninfo("", **given)


class Database:
    """A pool of connections that speak UTC and see the schema `healing`.

    Parameters
    ----------
    url : str
    min_size, max_size : int
        Connections held, and held at most.
    timeout_s : float
        Longest wait for a free connection.
    """

    def __init__(
        self, url: str, *, min_size: int = 1, max_size: int = 8, timeout_s: float = 5.0
    ) -> None:
        self.url = url
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            connection_info(url),
            min_size=min_size,
            max_size=max_size,
            timeout=timeout_s,
            max_idle=60.0,
            reconnect_timeout=30.0,
            check=ConnectionPool.check_connection,
            name="healing",
            open=True,
        )

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """One connection, one transaction: committed at the end, rolled back by an exception.

        Raises
        ------
        StorageError
            If there is no connection within the pool's timeout.
        """
        try:
            conn = self._pool.getconn()
        except PoolTimeout as error:
            raise StorageError(f"No connection to PostgreSQL ({error}). {_CURE}") from None
        try:
            with conn.transaction():
                yield conn
        finally:
            self._pool.putconn(conn)

    def close(self) -> None:
        """Hang up. Idempotent."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Listener:
    """A connection that listens; made by `listen`."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn = conn

    def notices(self, timeout_s: float) -> Iterator[Notice]:
        """Notices as they come, for `timeout_s` seconds at most.

        Raises
        ------
        StorageError
            If the connection is lost; listen again, and look at the tables for what was missed.
        """
        try:
            for notify in self._conn.notifies(timeout=timeout_s):
                yield Notice(notify.channel, notify.payload)
        except psycopg.OperationalError as error:
            raise StorageError(
                f"The connection that listens is lost ({error}). Listen again, and read the "
                "tables for what was missed."
            ) from error


def listen(url: str, channels: Sequence[str] = CHANNELS) -> AbstractContextManager[Listener]:
    """Listen to `channels` from now on; see `Listener.notices`."""
    return _listening(url, channels)


@contextmanager
def _listening(url: str, channels: Sequence[str]) -> Iterator[Listener]:
    try:
        conn = psycopg.connect(
            connection_info(url, application_name="healing-listener"), autocommit=True
        )
    except psycopg.OperationalError as error:
        raise StorageError(f"PostgreSQL does not answer ({error}). {_CURE}") from None
    with conn:
        for channel in channels:
            # LISTEN takes a name, not a parameter, so that no .sql file can hold it.
            conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        yield Listener(conn)


_CURE = (
    f"Check that the server runs and that {URL_VARIABLE} names it, its database, user and "
    f"password; or unset {URL_VARIABLE} to use the embedded server."
)


def with_scheme(url: str, scheme: str) -> str:
    """`url` with another scheme; a connection string without a scheme stays as it is."""
    return f"{scheme}://{url.split('://', 1)[1]}" if "://" in url else url


def _check(url: str) -> None:
    try:
        psycopg.connect(connection_info(url)).close()
    except psycopg.OperationalError as error:
        raise DatabaseAwayError(f"The database does not answer ({error}). {_CURE}") from None
