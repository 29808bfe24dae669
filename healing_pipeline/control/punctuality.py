"""How late the ticks of a sensor began; a few numbers that fit into its cursor.

A tick says of itself how late it is, and a check reads the last ones of all sensors. The cursor is
one row per sensor that Dagster keeps anyway: nothing grows with the number of ticks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import ceil

# Dagster's daemon begins ticks in a loop of its own, whatever shorter interval a sensor asks for.
LOOP_S = 5.0

# A tick that began this much late has missed a turn: the one before ended after it had come.
MISSED_S = LOOP_S / 2

# Ticks that say how busy the machine is now, what each missed turn takes off a tick's stay, and
# what is left of it at least.
LATELY, SHORTER_S, SHORTEST = 12, 0.3, 0.6

# Five minutes of ticks: enough for a 95th percentile, short enough to tell of now.
REMEMBERED = 60


@dataclass(frozen=True, slots=True)
class Punctuality:
    """When a sensor's latest tick began, and how late it and those before it were.

    Attributes
    ----------
    begun_at : float
        Seconds since the epoch.
    late_s : tuple of float
        The newest first, in tenths of a second, at most `REMEMBERED`.
    """

    begun_at: float
    late_s: tuple[float, ...]

    @classmethod
    def of_cursor(cls, cursor: str | None) -> Punctuality | None:
        """Read what `cursor` wrote; None when this is the sensor's first tick, as far as one knows.

        What cannot be read is no reason to fail a tick: it counts as nothing.
        """
        try:
            document = json.loads(cursor or "null")
            late = tuple(int(each) / 10 for each in document["late_ds"])
            return cls(float(document["begun_at"]), late[:REMEMBERED])
        except (ValueError, TypeError, KeyError):
            return None

    @property
    def cursor(self) -> str:
        """To be read by `of_cursor`."""
        late = [round(each * 10) for each in self.late_s]
        document = {"begun_at": round(self.begun_at, 3), "late_ds": late}
        return json.dumps(document, separators=(",", ":"))

    @property
    def latest_s(self) -> float:
        """How late the latest tick began."""
        return self.late_s[0] if self.late_s else 0.0

    def stay_s(self, longest_s: float) -> float:
        """How long a tick should stay to be over before the daemon's next turn.

        What the daemon needs before and after an evaluation cannot be seen from inside it, and
        grows with what else the machine does. It shows in turns that were missed.
        """
        missed = sum(each >= MISSED_S for each in self.late_s[:LATELY])
        return max(SHORTEST * longest_s, longest_s - SHORTER_S * missed)

    @property
    def p95_s(self) -> float:
        """The delay that 95 % of the remembered ticks did not exceed; 0 without any."""
        if not self.late_s:
            return 0.0
        return sorted(self.late_s)[ceil(0.95 * len(self.late_s)) - 1]

    @property
    def max_s(self) -> float:
        """The longest delay that is remembered."""
        return max(self.late_s, default=0.0)


def at_tick(
    before: Punctuality | None,
    begun_at: float,
    *,
    switched_on_at: float | None,
    every_s: float = LOOP_S,
) -> Punctuality:
    """The account with a tick that begins now.

    Parameters
    ----------
    before : Punctuality or None
        Up to the tick before.
    begun_at : float
        Seconds since the epoch.
    switched_on_at : float or None
        When the sensor was last switched on: a sensor that somebody stopped for an hour did not
        tick an hour late.
    every_s : float
        From one begin to the next when all is well.
    """
    if before is None:
        return Punctuality(begun_at, (0.0,))
    expected_at = max(before.begun_at + every_s, switched_on_at or 0.0)
    late_s = round(max(0.0, begun_at - expected_at), 1)
    return Punctuality(begun_at, (late_s, *before.late_s)[:REMEMBERED])
