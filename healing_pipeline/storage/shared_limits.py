"""Limits shared with other processes, off the data path: cooldowns as they happen, quotas by share.

A thread of its own, with one connection that both writes and listens: `SharedMemory` may be reading
megabytes of snapshots at the moment when a key is told to wait. Nobody waits for this thread. While
the database is away each process goes by what it knows; when it is back, what was learned meanwhile
is told, as far as it still holds, and what the others learned is taken over.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from time import monotonic
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from healing_pipeline.errors import StorageError
from healing_pipeline.healing.guard.cooldowns import Cooldown, CooldownNews, Kind, Untold
from healing_pipeline.storage.cooldowns import (
    cooldown_told,
    listen_to_cooldowns,
    standing_cooldowns,
    store_cooldowns,
)
from healing_pipeline.storage.database import Notice, connection_info
from healing_pipeline.storage.key_shares import CHANNEL as SHARES
from healing_pipeline.storage.key_shares import KeyShares, ShareOut

_LOG = logging.getLogger(__name__)

# Notices come at once; the table is looked at in case one got lost.
LOOK_EVERY_S = 20.0
# By so much may our own words come back later than we told them.
OWN_WITHIN_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 2.0

# A server that went silent is noticed, and left.
_PATIENCE = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_SETTINGS = {"statement_timeout": "5s", "lock_timeout": "2s"}

Take = Callable[[tuple[CooldownNews, ...]], None]


class SharedLimits:
    """Tells others what limits this process met, and this process what others did.

    Parameters
    ----------
    url : str or callable
        Of the database, or what says where it is once that is known: until then it raises
        `ConnectionError`.
    take : callable
        Is handed what others told, in this thread.
    share_out : callable, optional
        Applies shares of keys' calls a minute, see `KeyShares`; without it none are taken.
    """

    def __init__(
        self, url: str | Callable[[], str], take: Take, share_out: ShareOut | None = None
    ) -> None:
        self._url = partial(str, url) if isinstance(url, str) else url
        self._take = take
        self._shares = None if share_out is None else KeyShares(share_out)
        self._follows = False
        self._looked = threading.Event()
        self._lock = threading.Lock()
        self._untold = Untold()
        self._told: dict[tuple[str, Kind, str], CooldownNews] = {}
        self._wake_out, self._wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._connected = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="healing-limits", daemon=True)
        self._has_started = False

    @property
    def is_connected(self) -> bool:
        """Whether others are heard at this moment."""
        return self._connected

    def start(self) -> None:
        """Begin to listen, and to share quotas; who only tells begins when there is news."""
        self._follows = True
        self._begin()
        with self._lock:
            self._wake()

    def wait(self, seconds: float) -> bool:
        """Wait until what others know was taken over; False when it was not within that time."""
        return self._looked.wait(seconds)

    def _begin(self) -> None:
        with self._lock:
            if not self._has_started and not self._stopped.is_set():
                self._has_started = True
                self._thread.start()

    def tell(self, news: CooldownNews) -> None:
        """Let the others know, soon; returns at once."""
        with self._lock:
            self._untold.put(news)
            self._wake()
        if not self._has_started:
            self._begin()

    def close(self, timeout_s: float = 2.0) -> None:
        """Tell what is left to tell, if the database is there, and stop."""
        with self._lock:
            self._stopped.set()
            self._wake()
        if self._has_started:
            self._thread.join(timeout_s)
        with self._lock:
            if not self._thread.is_alive() and self._wake_in >= 0:
                os.close(self._wake_in)
                os.close(self._wake_out)
                self._wake_in = self._wake_out = -1

    def _wake(self) -> None:
        """Wake the thread. Under the lock, so that what is written to is not closed meanwhile."""
        # Full, it wakes the thread all the same; closed, there is none.
        with suppress(OSError):
            os.write(self._wake_in, b"!")

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopped.is_set():
            began = monotonic()
            try:
                self._follow()
            except (StorageError, psycopg.Error, OSError) as error:
                if self._connected:
                    _LOG.warning("limits are not shared for now: %s", error)
            except Exception:  # a thread that ends unseen would never share again
                _LOG.exception("sharing limits failed; trying again")
            if self._connected:
                pause_s = FIRST_PAUSE_S
            self._connected = False
            self._stopped.wait(max(0.0, pause_s - (monotonic() - began)))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _follow(self) -> None:
        """Exchange until the connection is lost, or nobody wants to any more."""
        with _connected(self._url()) as connection:
            listen_to_cooldowns(connection)
            shares: KeyShares | None = None
            look_at = 0.0
            while True:
                is_last = self._stopped.is_set()
                self._store_told(connection)
                if is_last:
                    if shares is not None:
                        shares.leave(connection)
                    return
                if shares is None and self._follows and self._shares is not None:
                    shares = self._shares
                    shares.connected(connection)
                if monotonic() >= look_at:
                    look_at = monotonic() + LOOK_EVERY_S
                    self._hear(tuple(self._of_others(standing_cooldowns(connection))))
                    self._connected = True
                if shares is not None and monotonic() >= shares.turn_at:
                    shares.settle(connection)
                self._looked.set()
                # What came while a statement ran wakes nobody.
                self._hear(tuple(self._notices(connection)))
                wake_at = look_at if shares is None else min(look_at, shares.turn_at)
                self._wait(connection, wake_at - monotonic())

    def _store_told(self, connection: psycopg.Connection[Any]) -> None:
        with self._lock:
            told = self._untold.take()
        if not told:
            return
        try:
            with connection.transaction():
                store_cooldowns(connection, told, monotonic())
        except BaseException:
            with self._lock:
                self._untold.put_back(told)
            raise
        self._told.update({(each.source, each.kind, each.name): each for each in told})

    def _of_others(self, news: Iterable[CooldownNews]) -> Iterator[CooldownNews]:
        """What others told: our own words are in the table too."""
        for each in news:
            own = self._told.get((each.source, each.kind, each.name))
            if type(own) is not type(each) or _is_longer(each, own):
                yield each

    def _notices(self, connection: psycopg.Connection[Any]) -> Iterator[CooldownNews]:
        """What was told meanwhile, but for our own words."""
        for notify in connection.notifies(timeout=0):
            if notify.pid == connection.info.backend_pid:
                continue
            if notify.channel == SHARES:
                if self._shares is not None:
                    self._shares.hasten()
            else:
                news = cooldown_told(Notice(notify.channel, notify.payload).told, monotonic())
                if news is not None:
                    yield news

    def _hear(self, news: tuple[CooldownNews, ...]) -> None:
        if news:
            self._take(news)

    def _wait(self, connection: psycopg.Connection[Any], seconds: float) -> None:
        """Wait for a notice, for something to tell, or for so long."""
        woken, _, _ = select.select(
            [connection.fileno(), self._wake_out], [], [], max(0.0, seconds)
        )
        if self._wake_out in woken:
            os.read(self._wake_out, 4096)


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    info = connection_info(url, application_name="healing-limits", settings=_SETTINGS)
    with psycopg.connect(make_conninfo(info, **_PATIENCE), autocommit=True) as connection:
        yield connection


def _is_longer(one: CooldownNews, other: CooldownNews | None) -> bool:
    """Whether both are cooldowns, and one lasts longer by more than the way of news."""
    if not isinstance(one, Cooldown) or not isinstance(other, Cooldown):
        return False
    return one.until - other.until > OWN_WITHIN_S
