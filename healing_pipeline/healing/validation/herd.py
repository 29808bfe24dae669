"""What the numbers of one source do together: a feed that stops, stops for many of them at once.

One quote that stands still for two looks tells nothing; twenty quotes that do, tell much.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from healing_pipeline.healing.validation.movement import FEWEST_STRIDES, TIMES_LONGEST, TIMES_SCALE

# A herd is accused when it is this unlikely that all of it stands still at once.
UNLIKELY_TOGETHER = 1e-5

# Where the provider does not say that its numbers are fresh, a look without a change counts for so
# much of one where it does: bars are often written late, and then all of them at once.
UNDATED_WEIGHT = 0.5

# Of so many strides of a herd is the longest kept in mind.
KEPT_STRIDES = 64

# So long after it was caught, a herd's numbers are believed only once they are seen to move.
WARY_S = 20.0

# So many questions that were caught speak against everything their source says; so many whose jumps
# did not come true, against their kind.
MANY = 3

# Whatever stands still for so long is believed.
BELIEVED_AFTER_S = 1800.0


@dataclass(slots=True)
class Herd:
    """The numbers that one source serves by one kind of path.

    Attributes
    ----------
    surprise : float
        How unlikely it is, in nats, that so much stood still since `since_s`.
    since_s : float
        Since when everything may stand still.
    caught_s, wary_until_s : float
        When an alarm began and when it ends, seconds since 1970.
    strides : deque of float
        The newest of all its numbers: |log change| per square root of a second.
    refuted : dict
        Questions of which a look was refused and a later one went on from before, and when.
    """

    surprise: float = 0.0
    since_s: float = 0.0
    caught_s: float = 0.0
    wary_until_s: float = -math.inf
    strides: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_STRIDES))
    refuted: dict[object, float] = field(default_factory=dict)

    def scale(self) -> float | None:
        """For a new number: a jump is what would be one for the longest stride of its kind."""
        if len(self.strides) < FEWEST_STRIDES:
            return None
        return max(self.strides) * TIMES_LONGEST / TIMES_SCALE

    def stood(self, surprise: float, seen_s: float, at_s: float) -> str | None:
        """Take a look that shows what `seen_s` showed; say so when that has become too unlikely."""
        if not self.surprise:
            self.since_s = seen_s
        limit = -math.log(UNLIKELY_TOGETHER)
        is_news = self.surprise < limit
        self.surprise += surprise
        if self.surprise < limit:
            return None
        if at_s - self.since_s > BELIEVED_AFTER_S:
            return None
        self.alarm(at_s)
        if is_news:
            # Whatever was seen to move in an alarm before has stopped with the others.
            self.caught_s = at_s
        return "stands still, and so do all its kind from this source"

    def moved(self, seen_s: float) -> None:
        """Take a look at which something is not where it was at `seen_s`.

        What was last seen before everything stood still may have moved until then.
        """
        if seen_s >= self.since_s:
            self.surprise = 0.0

    def refute(self, question: object, at_s: float) -> None:
        """Note a jump that did not come true; where many do not, old numbers are going round."""
        self.refuted[question] = at_s
        self.refuted = {each: s for each, s in self.refuted.items() if at_s - s < WARY_S}
        if len(self.refuted) >= MANY:
            self.alarm(at_s)

    def alarm(self, at_s: float) -> None:
        """Be wary for a while; an alarm that is on goes on."""
        if at_s >= self.wary_until_s:
            self.caught_s = at_s
        self.wary_until_s = at_s + WARY_S

    def wary_since(self, at_s: float) -> float | None:
        """When the alarm that is on began; None when none is."""
        return self.caught_s if at_s < self.wary_until_s else None


@dataclass(slots=True)
class SourceHerds:
    """All herds of one source, and which of its questions were caught lately."""

    herds: dict[str, Herd] = field(default_factory=dict)
    whole: Herd = field(default_factory=Herd)
    caught: dict[object, float] = field(default_factory=dict)

    def of(self, path: str) -> Herd:
        """The herd of a path: ``/v8/finance/chart`` is one, whatever the symbol."""
        kind = "/".join(path.split("/", 4)[:4])
        herd = self.herds.get(kind)
        if herd is None:
            herd = self.herds[kind] = Herd()
        return herd

    def catch(self, question: object, at_s: float) -> None:
        """Note that a question was answered with frozen numbers."""
        self.caught[question] = at_s
        self.caught = {each: s for each, s in self.caught.items() if at_s - s < WARY_S}
        if len(self.caught) >= MANY:
            self.whole.alarm(at_s)

    def wary_since(self, herd: Herd, at_s: float) -> float | None:
        """When the alarm began that is on for a herd, its own or the source's."""
        own = herd.wary_since(at_s)
        return self.whole.wary_since(at_s) if own is None else own
