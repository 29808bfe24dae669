"""What is fuzzed: a name, inputs that look real, a function that raises for a broken promise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Check = Callable[[bytes], object]

# Planted wherever an upstream or a reader could repeat a key; no output may hold it.
CANARY = "q7Zk2Vx9Lm4Tt8Rw3Np6Yb1H"

# Recorded answers of the real providers, where whoever runs this has them.
RECORDED = Path(__file__).resolve().parents[4] / "shared" / "recorded"


@dataclass(frozen=True, slots=True)
class Target:
    """A part of the program that is given whatever comes.

    Attributes
    ----------
    about : str
        What the inputs stand for and what is promised of them, in a line.
    open : callable
        Makes the check; what takes long to load is loaded there. The check takes an input and
        raises when a promise is broken: an exception that is not declared is one, too.
    seeds : callable
        Inputs that look real.
    share : int
        How many of 1,000 inputs it gets, about.
    """

    name: str
    about: str
    open: Callable[[], Check]
    seeds: Callable[[], Sequence[bytes]]
    share: int = 50
