"""Whether numbers may be believed: the last gate before a reader, after the provider's own rules.

A body can be well formed, classified as good, and still be wrong. `judge` is pure and sees one
reading and the one before it; `Scrutiny` remembers how each number usually moves.
"""

from healing_pipeline.healing.validation.judgement import (
    BACKWARDS_TOLERANCE,
    FUTURE_TOLERANCE,
    IMPOSSIBLE_RATIO,
    SAME_SESSION,
    judge,
)
from healing_pipeline.healing.validation.scrutiny import Scrutiny

__all__ = [
    "BACKWARDS_TOLERANCE",
    "FUTURE_TOLERANCE",
    "IMPOSSIBLE_RATIO",
    "SAME_SESSION",
    "Scrutiny",
    "judge",
]
