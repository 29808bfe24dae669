"""How one number moves from look to look, and what it does that it never does.

Everything is learned from the number itself: how far it goes in a time, how often it stays.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

# Looks closer than this tell nothing about each other: clocks of providers tick in seconds.
SHORTEST_SPACING_S = 1.0

# The scale of a share with a volatility of 40 % a year: |log change| per square root of a second of
# an open market. Assumed until the number's own scale is known.
ASSUMED_SCALE = 1.5e-4
FEWEST_STRIDES = 8
KEPT_STRIDES = 64

# A jump is this many times the longest stride seen, or the scale told by bars.
TIMES_LONGEST = 4.0
TIMES_SCALE = 8.0

# No move below this per square root of a second is called a jump, however calm a number was: trade
# prices bounce between bid and ask.
SMALLEST_JUMP = 1e-4

# Over longer times a market may be anywhere.
LONGEST_JUMP_S = 900.0

# A jump is believed when a look at least this much later shows that the number moves there.
CONFIRMED_AFTER_S = 2.0
MOST_SUSPECTS = 3

# A run of looks without a change is accused when it is this unlikely; where the provider does not
# say that its number is fresh, more is asked for.
UNLIKELY_STILL = 1e-6
UNLIKELY_STILL_UNDATED = 1e-8
REMEMBERED_LOOKS = 128.0

# So long a number that was doubted, and then contradicted by a look that went on from the one
# before, is known again by its digits: one host of two may still serve it.
REFUTED_FOR_S = 60.0

# Whatever stands still for so long is believed: a trading halt is true.
BELIEVED_AFTER_S = 1800.0


@dataclass(slots=True)
class Suspect:
    """A value that is not believed yet."""

    value: float
    at_s: float
    since_s: float
    count: int


@dataclass(slots=True)
class Movement:
    """What is known of one live number.

    Attributes
    ----------
    value : float
        The last one believed, > 0 or of no use here.
    seen_s, changed_s : float
        When it was last seen, and first seen: seconds since 1970.
    strides : deque of float
        |log change| per square root of a second, of the newest changes.
    spacing_s : float
        The usual time between looks.
    looks, still_looks : float
        Looks counted, and those of them without a change; old ones fade.
    run : float
        Looks without a change since the last one, each weighed by its spacing over the usual one.
    surprise : float
        How unlikely the last look was, in nats, for having brought no change.
    suspect : Suspect or None
        The jump that is not believed yet.
    refuted : Suspect or None
        The last one that did not come true.
    """

    value: float
    seen_s: float
    changed_s: float
    strides: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_STRIDES))
    spacing_s: float = 0.0
    looks: float = 0.0
    still_looks: float = 0.0
    run: float = 0.0
    surprise: float = 0.0
    suspect: Suspect | None = None
    refuted: Suspect | None = None

    def look(self, value: float, at_s: float, *, is_fresh: bool, scale: float | None) -> str | None:
        """Take one more look; say what is wrong with it, or None when it is believed.

        Parameters
        ----------
        is_fresh : bool
            Whether the provider dates this look after the one before.
        scale : float or None
            Told by the bars of the instrument, where they are known.
        """
        self.surprise = 0.0
        if value == self.value:
            return self._still(at_s, is_fresh)
        suspect, refuted = self.suspect, self.refuted
        if refuted is not None and value == refuted.value:
            if at_s - refuted.at_s < REFUTED_FOR_S:
                return f"is {value:g} again, which was doubted and then seen to be elsewhere"
            self.refuted = None
        if suspect is not None and value == suspect.value:
            if at_s - suspect.since_s < BELIEVED_AFTER_S:
                return f"stands at {value:g}, which is not believed until it is seen to move"
            self.believe(value, at_s)
            return None
        span_s = at_s - self.changed_s
        if span_s > LONGEST_JUMP_S or value <= 0 or self.value <= 0:
            self.believe(value, at_s)
            return None
        jump, usual = abs(math.log(value / self.value)), self.usual(span_s, scale)
        if jump <= usual:
            # What was doubted did not come true: another host went on from the number before.
            self.refuted = self.suspect or self.refuted
            self.believe(value, at_s, jump, span_s)
            return None
        return self._jumped(value, at_s, jump, usual, scale)

    def usual(self, span_s: float, scale: float | None) -> float:
        """The furthest |log change| in a time that is no jump."""
        if len(self.strides) >= FEWEST_STRIDES:
            reach = TIMES_LONGEST * max(self.strides)
        else:
            reach = TIMES_SCALE * (ASSUMED_SCALE if scale is None else scale)
        return max(SMALLEST_JUMP, reach) * math.sqrt(max(span_s, SHORTEST_SPACING_S))

    def believe(
        self, value: float, at_s: float, jump: float | None = None, span_s: float = 0.0
    ) -> None:
        """Take a value as the last good one; with `jump`, learn from how it came there."""
        if jump is not None and at_s - self.seen_s >= SHORTEST_SPACING_S:
            self.strides.append(jump / math.sqrt(max(span_s, SHORTEST_SPACING_S)))
            self._count(at_s, changed=True)
        self.value, self.changed_s, self.seen_s = value, at_s, at_s
        self.run, self.suspect = 0.0, None

    def _still(self, at_s: float, is_fresh: bool) -> str | None:
        spacing_s = at_s - self.seen_s
        # Without a stride it has never been seen to move: a bar of yesterday does not.
        if spacing_s < SHORTEST_SPACING_S or not self.strides:
            return self._unlikely(is_fresh, at_s) if self.strides else None
        weight = min(1.0, spacing_s / self.spacing_s) if self.spacing_s else 1.0
        self.run += weight
        self.surprise = -weight * math.log(self._usual_stillness())
        self.refuted = self.suspect or self.refuted
        self.seen_s, self.suspect = at_s, None
        return self._unlikely(is_fresh, at_s)

    def _unlikely(self, is_fresh: bool, at_s: float) -> str | None:
        if at_s - self.changed_s > BELIEVED_AFTER_S:
            return None
        share = self._usual_stillness()
        if share**self.run > (UNLIKELY_STILL if is_fresh else UNLIKELY_STILL_UNDATED):
            return None
        return (
            f"stands at {self.value:g} for {at_s - self.changed_s:.0f} s, "
            f"though it moves in {1 - share:.0%} of the looks"
        )

    def _usual_stillness(self) -> float:
        """The share of looks that bring no change; never 0."""
        return (self.still_looks + 1.0) / (self.looks + 2.0)

    def _jumped(
        self, value: float, at_s: float, jump: float, usual: float, scale: float | None
    ) -> str | None:
        suspect = self.suspect
        if suspect is None:
            self.suspect = Suspect(value, at_s, at_s, 1)
        elif at_s - suspect.at_s >= CONFIRMED_AFTER_S:
            since_s = at_s - suspect.at_s
            near = abs(math.log(value / suspect.value))
            if near <= max(self.usual(since_s, scale), jump / 2) or suspect.count >= MOST_SUSPECTS:
                # How it moves there is how it moves now, or a wild market would be refused again
                # and again.
                self.strides.append(near / math.sqrt(since_s))
                self.believe(value, at_s)
                return None
            self.suspect = Suspect(value, at_s, suspect.since_s, suspect.count + 1)
        return (
            f"jumped from {self.value:g} to {value:g}, by {jump:.3%} where {usual:.3%} is the most "
            "that is usual: not believed until it is seen to move there"
        )

    def _count(self, at_s: float, *, changed: bool) -> None:
        """Count the run that ends here and the look that ends it."""
        fade = 1.0 - 1.0 / REMEMBERED_LOOKS if self.looks >= REMEMBERED_LOOKS else 1.0
        self.looks = self.looks * fade + self.run + changed
        self.still_looks = self.still_looks * fade + self.run
        spacing_s = min(at_s - self.seen_s, LONGEST_JUMP_S)
        weight = max(1.0 / 16.0, 1.0 / max(self.looks, 1.0))
        self.spacing_s += (spacing_s - self.spacing_s) * weight
