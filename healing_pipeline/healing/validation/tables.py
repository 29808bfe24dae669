"""Tables of rates: renewed now and then, and of one content until they are.

They stand still by nature, so standing still says nothing. What gives old rates away is that the
same table, by its own date, was seen with others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

# Below this a rate of one and the same date differs by rounding only.
SAME_RATE = 1e-5

# A provider may mend a table; what it keeps telling for so long is believed.
TABLE_BELIEVED_AFTER_S = 600.0


@dataclass(slots=True)
class RateTable:
    """A table as last believed, and other content under the same date, since when."""

    as_of: datetime
    rates: dict[str, float]
    doubted: dict[str, float] | None = None
    doubted_s: float = 0.0

    def look(self, as_of: datetime, rates: dict[str, float], at_s: float) -> str | None:
        """Take one more look; say which rate contradicts the table, None when it is believed."""
        if as_of != self.as_of or rates == self.rates:
            self.as_of, self.rates, self.doubted = as_of, rates, None
            return None
        differing = [
            name
            for name, rate in rates.items()
            if not math.isclose(rate, self.rates.get(name, rate), rel_tol=SAME_RATE)
        ]
        if self.doubted != rates:
            self.doubted, self.doubted_s = rates, at_s
        if not differing or at_s - self.doubted_s >= TABLE_BELIEVED_AFTER_S:
            self.as_of, self.rates, self.doubted = as_of, rates, None
            return None
        name = differing[0]
        return (
            f"{name} is {rates[name]:g}, was {self.rates[name]:g} in the table of the same "
            f"{as_of:%Y-%m-%d %H:%M:%S} UTC"
        )
