"""The process of alerts: looks at the rules each second, and lets each channel send by itself.

Every part has a thread and goes on by itself: a channel that is slow holds up no other, and
PostgreSQL may go away and come back. Other processes of the same kind may run beside it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.control.delivering import Sender, give_up_unknown, route
from healing_pipeline.errors import StorageError
from healing_pipeline.storage.database import Database, listen

DIAGNOSE_EVERY_S = 1.0
EVALUATE_EVERY_S = 1.0
FOLD_EVERY_S = 60.0
# What is due later than now is found by looking; news come at once.
LOOK_EVERY_S = 1.0
LISTENS_TO = "healing_alert"
# After a fault of ours, not to fill the log with it.
REST_S = 5.0
# A try that has begun may end: the other side may have the message already.
LAST_TRIES_S = 10.0

Work = Callable[[Connection[Any], datetime], object]


class AlertsProcess:
    """Everything that has to run for people to be told.

    Parameters
    ----------
    diagnose, evaluate, fold : callable
        Given a connection in a transaction and the time: what broke, each second; the rules of
        alerts, each second; what they stand on for longer times, each minute.
    tell : callable
        Given a line for the log.
    """

    def __init__(
        self,
        database: Database,
        settings: AlertSettings,
        senders: Sequence[Sender],
        *,
        diagnose: Work,
        evaluate: Work,
        fold: Work,
        now: Callable[[], datetime],
        tell: Callable[[str], None],
    ) -> None:
        self._database = database
        self._settings = settings
        self._senders = senders
        self._diagnose = diagnose
        self._evaluate = evaluate
        self._fold = fold
        self._now = now
        self._tell = tell
        self._news = threading.Event()
        self._mail = {each.name: threading.Event() for each in senders}
        self._stopped = threading.Event()
        self._away: set[str] = set()

    def run(self, stopped: threading.Event) -> None:
        """Run until `stopped` is set; tries that have begun may end."""
        parts = [
            self._thread("diagnose", lambda: self._each(DIAGNOSE_EVERY_S, self._diagnose)),
            self._thread("evaluate", lambda: self._each(EVALUATE_EVERY_S, self._evaluate)),
            self._thread("fold", lambda: self._each(FOLD_EVERY_S, self._tidy)),
            self._thread("listen", self._listen),
            self._thread("route", self._route),
            *(self._thread(each.name, partial(self._send, each)) for each in self._senders),
        ]
        for part in parts:
            part.start()
        stopped.wait()
        self._stopped.set()
        for event in (self._news, *self._mail.values()):
            event.set()
        until = time.monotonic() + LAST_TRIES_S
        for part in parts:
            part.join(max(0.0, until - time.monotonic()))

    def _thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        def go_on() -> None:
            while not self._stopped.is_set():
                self._guarded(name, work)

        return threading.Thread(target=go_on, name=f"alerts {name}", daemon=True)

    def _guarded(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except (StorageError, psycopg.OperationalError, psycopg.InterfaceError) as error:
            self._lost(name, error)
        except Exception as error:
            # A fault of one part must not end the others.
            self._tell(f"{name}: {type(error).__name__}: {error}")
            self._stopped.wait(REST_S)

    def _lost(self, name: str, error: Exception) -> None:
        if not self._away:
            self._tell(f"PostgreSQL is away; going on when it is back. {error}")
        self._away.add(name)
        self._stopped.wait(LOOK_EVERY_S)

    def _there(self, name: str) -> None:
        if name in self._away:
            self._away.discard(name)
            if not self._away:
                self._tell("PostgreSQL is back.")

    def _each(self, every_s: float, work: Work) -> None:
        name = threading.current_thread().name.removeprefix("alerts ")
        while not self._stopped.is_set():
            began = time.monotonic()
            with self._database.connection() as connection:
                work(connection, self._now())
            self._there(name)
            self._stopped.wait(max(0.0, every_s - (time.monotonic() - began)))

    def _tidy(self, connection: Connection[Any], now: datetime) -> None:
        give_up_unknown(connection, self._settings, now)
        self._fold(connection, now)

    def _listen(self) -> None:
        with listen(self._database.url, [LISTENS_TO]) as listener:
            self._there("listen")
            while not self._stopped.is_set():
                for _ in listener.notices(LOOK_EVERY_S):
                    self._news.set()
                    if self._stopped.is_set():
                        return

    def _route(self) -> None:
        while not self._stopped.is_set():
            with self._database.connection() as connection:
                found = route(connection, self._settings, self._now())
            self._there("route")
            if found:
                for event in self._mail.values():
                    event.set()
            self._news.wait(LOOK_EVERY_S)
            self._news.clear()

    def _send(self, sender: Sender) -> None:
        mail = self._mail[sender.name]
        while not self._stopped.is_set():
            mail.clear()
            while not self._stopped.is_set() and sender.send_next():
                pass
            self._there(sender.name)
            mail.wait(LOOK_EVERY_S)
