"""Starts parts of a stack again that ended by themselves, and says so.

It knows neither processes nor PostgreSQL: a part is a few functions. A part that ends again and
again is left alone for a while, and the others go on: readers are served without the web page, and
the web page shows what is wrong without the gateway.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

Tell = Callable[[str], None]

# Enough for every part to be started at once, one that takes long included.
THREADS = 8


@dataclass(frozen=True, slots=True)
class Patience:
    """How soon a part is started again, and how often.

    Attributes
    ----------
    first_pause_s, longest_pause_s : float
        The pause before a start; it doubles with each end within `within_s`.
    most, within_s
        A part that ends so often within so many seconds is left alone for `rest_s`.
    """

    first_pause_s: float = 0.5
    longest_pause_s: float = 8.0
    most: int = 5
    within_s: float = 60.0
    rest_s: float = 300.0

    def pause_s(self, ends: Sequence[float]) -> float:
        """How long to wait after the last of `ends`, moments on one clock in their order."""
        recent = sum(each > ends[-1] - self.within_s for each in ends)
        if recent >= self.most:
            return self.rest_s
        return float(min(self.first_pause_s * 2.0 ** (recent - 1), self.longest_pause_s))


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is to run for as long as the stack does.

    Attributes
    ----------
    ended : callable
        How it ended, for people (``signal 9``); None while it runs.
    start : callable
        Starts it again; may take its time and may fail.
    answers : callable or None
        Whether it is of use; asked often. None where only whether it runs can be known.
    then : callable
        What is to follow once it answers again; tried again when it fails.
    last_words : callable
        What it said last, and where there is more.
    """

    name: str
    ended: Callable[[], str | None]
    start: Callable[[], object]
    answers: Callable[[], bool] | None = None
    then: Callable[[], object] = _nothing
    last_words: Callable[[], str] = lambda: ""


@dataclass(slots=True)
class _State:
    ends: list[float] = field(default_factory=list)
    start_at: float | None = None
    starting: Future[object] | None = None
    is_new: bool = False


class Supervisor:
    """Watches parts; a context manager that has begun no start any more when it is left.

    Parameters
    ----------
    parts : callable
        The parts as they are now.
    tell : callable
        Given a line for people.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        parts: Callable[[], Sequence[Part]],
        tell: Tell,
        *,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts = parts
        self._tell = tell
        self._patience = Patience() if patience is None else patience
        self._clock = clock
        self._states: dict[str, _State] = {}
        self._threads = ThreadPoolExecutor(THREADS, "healing-start")

    def tend(self) -> None:
        """Look at every part once; to be called several times a second. Waits for nothing."""
        for part in self._parts():
            self._tend(part, self._states.setdefault(part.name, _State()))

    def _tend(self, part: Part, state: _State) -> None:
        now = self._clock()
        if state.starting is not None:
            if not state.starting.done():
                return
            error, state.starting = state.starting.exception(), None
            if error is not None:
                self._note_end(part, state, now, f"it cannot be started: {error}", "")
                return
            state.is_new = True
        elif state.start_at is not None:
            if now >= state.start_at:
                state.start_at = None
                state.starting = self._threads.submit(part.start)
            return
        how = part.ended()
        if how is not None:
            self._note_end(part, state, now, how, part.last_words())
        elif state.is_new and (part.answers is None or part.answers()) and _succeeds(part.then):
            state.is_new = False
            what = "runs" if part.answers is None else "answers"
            self._tell(f"{part.name} {what} again after {now - state.ends[-1]:.1f} s.")

    def _note_end(self, part: Part, state: _State, now: float, how: str, words: str) -> None:
        state.is_new = False
        state.ends.append(now)
        del state.ends[: -self._patience.most]
        pause_s = self._patience.pause_s(state.ends)
        state.start_at = now + pause_s
        if pause_s < self._patience.rest_s:
            self._tell(f"{part.name} ended ({how}); it is started again in {pause_s:g} s.")
            return
        self._tell(
            f"{part.name} ended {len(state.ends)} times within {self._patience.within_s:g} s "
            f"({how}). {words} The other parts go on; it is tried again in "
            f"{pause_s / 60:g} minutes."
        )

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


def _succeeds(work: Callable[[], object]) -> bool:
    try:
        work()
    except Exception:
        return False
    return True
