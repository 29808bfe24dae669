"""Which sources somebody looks at right now, which need a stand-in, and who may stay for it.

Kept by the process, under its caller's lock: all evaluations of a code location run in one process.
Where they do not, two look at the same source, which PostgreSQL makes harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

# A sensor that has not ticked for this long was stopped, perhaps by hand: nobody stands in for it.
# Two turns of the daemon's loop, and some.
GONE_AFTER_S = 12.0

# Threads of the code server that evaluations leave to others: launching a run asks it twice.
LEFT_TO_OTHERS = 3


class Attendance:
    """Who looks at what.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    most : int
        Evaluations that may stay in their ticks at once.
    kept : int
        Of these, how many are kept for stand-ins, each of which looks at all sources.
    """

    def __init__(self, clock: Callable[[], float], most: int, kept: int) -> None:
        self._clock = clock
        self._most = most
        self._kept = kept
        self._staying = 0
        self._ticked_at: dict[str, float] = {}
        self._attended: dict[str, int] = {}
        self._stood_in_at: float | None = None

    def tick(self, source: str) -> None:
        """Note that a source's own sensor ticks, so that it wants to be stood in for."""
        self._ticked_at[source] = self._clock()

    def attend(self, source: str) -> None:
        """Note that a source's own sensor looks at it from now on."""
        self._attended[source] = self._attended.get(source, 0) + 1

    def leave(self, source: str) -> None:
        """Note that a source's own sensor looks away; it wants a stand-in from now on."""
        self._attended[source] -= 1
        self._ticked_at[source] = self._clock()

    def unattended(self) -> tuple[str, ...]:
        """Sources at which nobody looks though their sensors run."""
        oldest = self._clock() - GONE_AFTER_S
        return tuple(
            source
            for source, at in self._ticked_at.items()
            if at >= oldest and not self._attended.get(source)
        )

    @property
    def has_stand_in(self) -> bool:
        """Whether stand-ins tick, and so look at what nobody else looks at."""
        return self._stood_in_at is not None and self._stood_in_at >= self._clock() - GONE_AFTER_S

    def may_stay(self, *, as_stand_in: bool) -> bool:
        """Take one of the places for evaluations that stay; give it back with `go`."""
        if as_stand_in:
            self._stood_in_at = self._clock()
        if self._staying >= self._most - (0 if as_stand_in else self._kept):
            return False
        self._staying += 1
        return True

    def go(self) -> None:
        """Give a place back."""
        self._staying -= 1


def workers_of(argv: Sequence[str], environ: Mapping[str, str], cpus: int) -> int:
    """How many evaluations the process's code server can do at once.

    Notes
    -----
    Dagster takes ``--max-workers`` or ``DAGSTER_GRPC_MAX_WORKERS``, and else what Python takes for
    a pool of threads: four more than there are processors. A code server that only passes calls on
    has ``DAGSTER_CODE_SERVER_MAX_WORKERS``; the narrower one counts. Nothing gives the number away
    at run time, so that this reads what Dagster read.
    """
    own = _number(environ.get("DAGSTER_GRPC_MAX_WORKERS", ""))
    for at, each in enumerate(argv if "grpc" in argv else ()):
        name, has_value, value = each.partition("=")
        if name in {"--max-workers", "--max_workers", "-n"}:
            own = _number(value if has_value else "".join(argv[at + 1 : at + 2]))
    passing_on = _number(environ.get("DAGSTER_CODE_SERVER_MAX_WORKERS", ""))
    usual = min(32, cpus + 4)
    return min(own or usual, passing_on or own or usual)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and int(text) > 0 else None
