"""Bars that are being traded in only grow: less volume under a newer date is an older bar."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from healing_pipeline.probing.reading import Reading

# Providers round, and take small prints back.
LOST_VOLUME = 0.01
LOST_REACH = 1e-3

# A provider may mend a bar; what it keeps telling for so long is believed.
BAR_BELIEVED_AFTER_S = 600.0

_GROWING = {"high": (1.0, LOST_REACH), "low": (-1.0, LOST_REACH), "volume": (1.0, LOST_VOLUME)}


@dataclass(slots=True)
class LiveBar:
    """The newest bar as last believed, and since when it is told to be smaller."""

    newest_at: datetime
    as_of: datetime
    sizes: dict[str, float] = field(default_factory=dict)
    doubted_s: float | None = None

    @classmethod
    def of(cls, reading: Reading) -> LiveBar:
        """The newest bar of a reading."""
        bar = cls(reading.newest_at, reading.as_of)
        bar.sizes = _sizes(reading)
        return bar

    def look(self, reading: Reading, at_s: float) -> str | None:
        """Take one more look; say what has shrunk, or None when the bar is believed.

        Notes
        -----
        Only a look that the provider dates after the one before contradicts it: two hosts may be
        seconds apart, and then the older one says so.
        """
        sizes = _sizes(reading)
        shrunk = None
        if reading.newest_at == self.newest_at and reading.as_of > self.as_of:
            shrunk = next((name for name in sizes if self._is_less(name, sizes[name])), None)
        if shrunk is not None:
            if self.doubted_s is None:
                self.doubted_s = at_s
            if at_s - self.doubted_s < BAR_BELIEVED_AFTER_S:
                return (
                    f"{shrunk} of the newest bar went from {self.sizes[shrunk]:g} back to "
                    f"{sizes[shrunk]:g}, though dated later"
                )
        if reading.newest_at != self.newest_at or reading.as_of >= self.as_of:
            self.newest_at, self.as_of, self.sizes = reading.newest_at, reading.as_of, sizes
            self.doubted_s = None
        return None

    def _is_less(self, name: str, size: float) -> bool:
        sign, share = _GROWING[name]
        before = self.sizes.get(name)
        return before is not None and sign * (size - before) < -share * abs(before)


def _sizes(reading: Reading) -> dict[str, float]:
    found = {name: reading.newest(name) for name in _GROWING if name in reading.fields}
    return {name: size for name, size in found.items() if size is not None}
