"""The scale of an instrument's moves, told by its bars before any live number was seen to move."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import median

from healing_pipeline.probing.reading import Reading

BARS_FOR_SCALE = 60


def scale_of(reading: Reading) -> float | None:
    """The typical |log change| per square root of a second between the closes of bars.

    The median, so that a split or one wild day does not make everything look usual; None for too
    few bars or for ones that mostly stand still.
    """
    rows = zip(
        reading.at_s[-BARS_FOR_SCALE:], reading.column("close")[-BARS_FOR_SCALE:], strict=True
    )
    closes = [(at_s, value) for at_s, value in rows if value is not None and value > 0]
    strides = [
        abs(math.log(value / before)) / math.sqrt(at_s - earlier_s)
        for (earlier_s, before), (at_s, value) in pairwise(closes)
    ]
    if len(strides) < 8:
        return None
    return median(strides) / 0.6745 or None
