"""Looking at sources for as long as a tick lasts, and saying what is to be healed.

Two kinds of ticks share the work. A source's own sensor looks at it and returns at the first thing
to heal; what is left of the daemon's five seconds, stand-ins look at it, one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from healing_pipeline.control.asking import Asking, Request
from healing_pipeline.control.attendance import LEFT_TO_OTHERS, Attendance
from healing_pipeline.control.look import Look
from healing_pipeline.control.looks import Looks
from healing_pipeline.control.punctuality import LOOP_S
from healing_pipeline.control.watching import Watcher
from healing_pipeline.healing.parts import Clock
from healing_pipeline.storage.database import Database

# The daemon begins ticks every five seconds; one that is not over by then, with what the daemon has
# to do before and after it, misses the next turn.
STAY_S = 4.5

# Requests come in waves, and each wave uses up one tick: five more bridge a turn of the daemon with
# less than a second between two of them at worst.
STAND_INS = 5

# A wave of failures ends in one tick's requests rather than in many ticks'.
GATHER_S = 0.1

# Where there is no place to stay in, a look is waited for, as long as it may take.
LOOK_ONCE_S = 15.0

IsRequested = Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class Watch:
    """What one tick saw.

    Attributes
    ----------
    stayed : bool
        False when there was no place for it: it looked once, or left that to a stand-in.
    """

    probed: int = 0
    bad: int = 0
    skipped: int = 0
    looks: int = 0
    stayed: bool = True
    requests: tuple[Request, ...] = ()


@dataclass(slots=True)
class _Tally:
    """What one tick saw so far."""

    probed: int = 0
    bad: int = 0
    skipped: int = 0
    looks: int = 0
    error: BaseException | None = None
    found: list[Request] = field(default_factory=list)

    def add(self, ended: list[Look | BaseException]) -> None:
        for each in ended:
            if isinstance(each, BaseException):
                self.error = each
                continue
            self.looks += 1
            self.probed += each.probed
            self.bad += each.bad
            self.skipped += each.skipped

    def watch(self, *, stayed: bool = True) -> Watch:
        counts = self.probed, self.bad, self.skipped, self.looks
        return Watch(*counts, stayed=stayed, requests=tuple(self.found))


class Lookout:
    """What the ticks of one process share; many of them call its methods at once.

    Parameters
    ----------
    watcher, database, clock
    start : callable
        Starts a coroutine function on the event loop of the watcher's engine, and returns at once.
    name_of : callable
        The name under which an endpoint is looked at; None when it is not looked at here.
    workers : int
        How many evaluations the process can do at once.
    """

    def __init__(
        self,
        watcher: Watcher,
        database: Database,
        clock: Clock,
        *,
        start: Callable[..., Future[Any]],
        name_of: Callable[[str], str | None],
        workers: int,
    ) -> None:
        self._looks = Looks(watcher, database, clock, start=start, name_of=name_of)
        self._asking = Asking(database, watcher.shards)
        self._attendance = Attendance(monotonic, max(0, workers - LEFT_TO_OTHERS), STAND_INS)
        self._on_duty = False
        self._in_reserve = 0
        self._paced_until = 0.0
        self._turn_at = -LOOP_S
        self._bridge_at = -LOOP_S

    def start(self) -> None:
        """Begin to hear news."""
        self._looks.news.start()

    def close(self) -> None:
        """Hear no more, and let the looks that run come to their ends."""
        self._looks.close(LOOK_ONCE_S)

    def watch(self, source: str, stay_s: float, is_requested: IsRequested) -> Watch:
        """Look at a source until there is something to heal, or the tick is over.

        Parameters
        ----------
        source : str
            Its name, or that of a shard of it.
        stay_s : float
            How long the tick may last; 0 to look once.
        is_requested : callable
            Whether a run was requested for an incident event; see `Asking.hand_out`.

        Raises
        ------
        StorageError
            If PostgreSQL cannot be had.
        """
        until = monotonic() + stay_s
        with self._looks.changed:
            self._attendance.tick(source)
            stays = stay_s > 0 and self._attendance.may_stay(as_stand_in=False)
            if stay_s > 0 and not stays and self._attendance.has_stand_in:
                return Watch(stayed=False)
            self._attendance.attend(source)
            self._looks.make_due(source)
        try:
            if stays:
                return self._stay(lambda: (source,), until, is_requested)
            return self._look_once(source, is_requested)
        finally:
            with self._looks.changed:
                self._attendance.leave(source)
                if stays:
                    self._attendance.go()
            self._looks.tell()

    def stand_in(self, stay_s: float, is_requested: IsRequested) -> Watch:
        """Look at the sources whose own sensors are between two ticks; one at a time does.

        The others are in reserve. What is found first is handed out at once; from then on those
        that are left share the rest of the turn, so that they are not used up in its first second.
        Of those that begin in one turn one stays for the next as well: when all other ticks are
        over, and the next ones have not begun, somebody looks.
        """
        with self._looks.changed:
            if not self._attendance.may_stay(as_stand_in=True):
                return Watch(stayed=False)
            now = monotonic()
            if stay_s > 0 and now - self._bridge_at > LOOP_S / 2:
                self._bridge_at = now
                stay_s += LOOP_S
            # They come together, when the daemon takes its turn: there is no need to be sparing.
            self._turn_at, self._paced_until = now, 0.0
            self._in_reserve += 1
            is_mine = self._looks.changed.wait_for(lambda: not self._on_duty, stay_s)
            self._in_reserve -= 1
            self._on_duty = self._on_duty or is_mine
        try:
            if not is_mine:
                return Watch()
            unattended = self._attendance.unattended
            watch = self._stay(unattended, now + stay_s, is_requested, is_paced=True)
            if watch.requests:
                self._pace()
            return watch
        finally:
            with self._looks.changed:
                self._on_duty = self._on_duty and not is_mine
                self._attendance.go()
            self._looks.tell()

    def _pace(self) -> None:
        """Let those in reserve last until the daemon's next turn brings new ones."""
        with self._looks.changed:
            now = monotonic()
            rest_s = max(0.0, self._turn_at + LOOP_S - now)
            self._paced_until = now + rest_s / (self._in_reserve + 1)

    def _stay(
        self,
        names: Callable[[], Collection[str]],
        until: float,
        is_requested: IsRequested,
        *,
        is_paced: bool = False,
    ) -> Watch:
        tally, return_at, looks = _Tally(), until, self._looks
        while True:
            with looks.changed:
                changes, now, here = looks.changes, monotonic(), names()
                for name in here:
                    tally.add(looks.take_ended(name))
                    looks.look_if_due(name)
                ask_at = self._paced_until if is_paced else now
                told = looks.take_told(here) if now >= ask_at else []
            if tally.error is not None and not tally.found:
                raise tally.error
            if told:
                tally.found.extend(self._asking.hand_out(told, is_requested))
                if tally.found:
                    return_at = min(return_at, now + GATHER_S)
            with looks.changed:
                # More may come of a look that still runs; otherwise nothing is worth waiting for.
                more, wake_at = looks.is_running(here), min([return_at, *looks.due_times(here)])
            now = monotonic()
            if now >= return_at or (tally.found and not more):
                return tally.watch()
            looks.wait_for_change(changes, min(wake_at, ask_at) if ask_at > now else wake_at)

    def _look_once(self, source: str, is_requested: IsRequested) -> Watch:
        tally, looks, until = _Tally(), self._looks, monotonic() + LOOK_ONCE_S
        with looks.changed:
            # A look that runs already may have begun before what this tick is to see.
            looks.changed.wait_for(lambda: not looks.is_running([source]), LOOK_ONCE_S)
            looks.take_ended(source)
            looks.make_due(source)
            looks.look_if_due(source)
            looks.changed.wait_for(
                lambda: not looks.is_running([source]), max(0.0, until - monotonic())
            )
            tally.add(looks.take_ended(source))
            looks.take_told([source])
        if tally.error is not None:
            raise tally.error
        tally.found.extend(self._asking.hand_out([source], is_requested))
        return tally.watch(stayed=False)
