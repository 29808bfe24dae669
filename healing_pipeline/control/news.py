"""What PostgreSQL tells while nobody asks: readers met a failure, an incident wants to be healed.

One connection listens for the whole process, however many ticks wait for its news. While it is lost
it is sought again, and who waits is told to look at the tables instead.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from time import monotonic

from healing_pipeline.errors import StorageError
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.storage.database import Notice, listen

_LOG = logging.getLogger(__name__)

_FAILED_ANSWER, _INCIDENT = "healing_answer_failed", "healing_incident"

# How long closing may have to wait for the thread.
LISTEN_S = 0.25
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 4.0


class News:
    """Counts, by what is looked at under one name, what was told; in a thread of its own.

    Parameters
    ----------
    url : str
        Of the database.
    name_of : callable
        The name under which an endpoint is looked at; None when it is not looked at here.
    changed : callable
        Called from the thread after every change.
    """

    def __init__(
        self,
        url: str,
        name_of: Callable[[str], str | None],
        changed: Callable[[], None],
    ) -> None:
        self._url = url
        self._name_of = name_of
        self._changed = changed
        self._met: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._reconnected = 0
        self._listening = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="healing-news", daemon=True)

    @property
    def is_listening(self) -> bool:
        """Whether news arrive; without it the tables are the only way to learn of anything."""
        return self._listening

    def failures(self, name: str) -> int:
        """How often readers were heard to meet a failure there; only changes matter."""
        return self._met[name] + self._reconnected

    def requests(self, name: str) -> int:
        """How often an incident there was heard to be open; only changes matter."""
        return self._asked[name] + self._reconnected

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopped.is_set():
            began = monotonic()
            try:
                self._follow()
            except StorageError as error:
                if self._listening or pause_s == FIRST_PAUSE_S:
                    _LOG.warning("Nothing is heard of PostgreSQL; looking instead: %s", error)
            except Exception:  # a thread that ends unseen would never listen again
                _LOG.exception("Listening to PostgreSQL failed; trying again.")
            if self._listening:
                pause_s = FIRST_PAUSE_S
            self._listening = False
            self._stopped.wait(max(0.0, pause_s - (monotonic() - began)))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _follow(self) -> None:
        with listen(self._url, (_FAILED_ANSWER, _INCIDENT)) as listener:
            # What was told while nobody listened has to be looked up.
            self._reconnected += 1
            self._listening = True
            self._changed()
            while not self._stopped.is_set():
                for notice in listener.notices(LISTEN_S):
                    self._hear(notice)
                    if self._stopped.is_set():
                        return

    def _hear(self, notice: Notice) -> None:
        told = notice.told
        if notice.channel == _FAILED_ANSWER:
            heard = self._met
        elif told.get("to_state") == State.OPEN:
            heard = self._asked
        else:
            return
        name = self._name_of(str(told.get("endpoint")))
        if name is None:
            return
        heard[name] += 1
        self._changed()
