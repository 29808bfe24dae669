"""What Celery's workers work at, as they say themselves.

The result backend knows what became of a task that ended, and nothing of a worker that was killed
with it: such a task is called started for ever. So the workers are asked. One that answers and does
not have the task has lost it; one that is silent may only be busy, and is believed dead when it has
been silent for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

ANSWER_WITHIN_S = 1.5

# Run monitoring asks for one run after the other; all of them may go by one answer.
ANSWER_KEPT_S = 3.0

# A run that is over is not asked after any more.
FORGOTTEN_AFTER_S = 600.0


class Place(StrEnum):
    """Where a task that has begun is found."""

    HELD = "held"
    LOST = "lost"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Found:
    """Where a task is, and for people why that is believed."""

    place: Place
    because: str


Active = Callable[[], Mapping[str, frozenset[str]]]


@dataclass(slots=True)
class _Sought:
    """A task that was looked for: since when at all, and since when without finding it."""

    first_at: float
    last_at: float
    missed_since: float | None = None


class Workers:
    """Looks for tasks among the workers; for one thread at a time.

    Parameters
    ----------
    active : callable
        The tasks that each worker is executing, of those workers that answer.
    silent_s : float
        A worker that has not answered for so long is taken for dead.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self, active: Active, silent_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._active = active
        self._silent_s = silent_s
        self._clock = clock
        self._answered: Mapping[str, frozenset[str]] = {}
        self._asked_at: float | None = None
        self._sought: dict[str, _Sought] = {}

    def find(self, task_id: str, worker: str | None) -> Found:
        """Look for a task that has begun.

        Parameters
        ----------
        worker : str or None
            The worker that began it, where that is known.
        """
        now = self._clock()
        sought = self._sought.setdefault(task_id, _Sought(first_at=now, last_at=now))
        sought.last_at = now
        answered, asked_at = self._ask(now)
        holder = next((name for name, tasks in answered.items() if task_id in tasks), None)
        if holder is not None:
            sought.missed_since = None
            return Found(Place.HELD, f"worker {holder} is at it")
        if worker is not None and worker in answered:
            sought.missed_since = None
            # An answer that is older than the task knows nothing of it, either.
            if asked_at < sought.first_at:
                return Found(Place.UNKNOWN, f"worker {worker} was asked before it began")
            return Found(Place.LOST, f"worker {worker} answers and knows nothing of it")
        if sought.missed_since is None:
            sought.missed_since = now
        silent_s = now - sought.missed_since
        who = "no worker that answers has it" if worker is None else f"worker {worker} is silent"
        place = Place.UNKNOWN if silent_s < self._silent_s else Place.LOST
        return Found(place, f"{who}, for {silent_s:.0f} s")

    def _ask(self, now: float) -> tuple[Mapping[str, frozenset[str]], float]:
        if self._asked_at is None or now - self._asked_at > ANSWER_KEPT_S:
            self._answered, self._asked_at = self._active(), now
            self._sought = {
                task_id: each
                for task_id, each in self._sought.items()
                if now - each.last_at < FORGOTTEN_AFTER_S
            }
        return self._answered, self._asked_at


def active_by_control(app: Any) -> Mapping[str, frozenset[str]]:
    """Ask the workers of a Celery app; those that do not answer in time are not in the answer."""
    said = app.control.inspect(timeout=ANSWER_WITHIN_S).active() or {}
    return {name: frozenset(str(each["id"]) for each in tasks) for name, tasks in said.items()}
