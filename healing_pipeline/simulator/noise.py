"""Smooth deterministic noise: a sum of octaves, each a pure function of a seed and of time.

Nothing about markets belongs here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Octave:
    """One scale of movement: values at multiples of `period_s`, smoothly joined.

    Attributes
    ----------
    period_s : int
        Seconds between two independent values; lattice points are multiples of it since 1970.
    amplitude : float
        Values lie within plus or minus this, > 0.
    """

    period_s: int
    amplitude: float


@lru_cache(maxsize=65536)
def seed_of(*words: object) -> int:
    """A 64-bit seed from words: the same in every process, on every machine."""
    digest = sha256("\x1f".join(str(word) for word in words).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def unit(seed: int, index: int) -> float:
    """A number in [0, 1) that looks random, from a seed and an index (splitmix64)."""
    mixed = (seed + (index + 1) * 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return float((mixed ^ (mixed >> 31)) >> 11) / float(1 << 53)


@lru_cache(maxsize=262144)
def _lattice(seed: int, period_s: int, index: int) -> float:
    return 2.0 * unit(seed ^ (period_s * 0xD6E8FEB86659FD93 & _MASK), index) - 1.0


def octave_at(seed: int, octave: Octave, at_s: int) -> float:
    """The value of one octave; monotone between two lattice points."""
    index, rest = divmod(at_s, octave.period_s)
    left = _lattice(seed, octave.period_s, index)
    if not rest:
        return octave.amplitude * left
    x = rest / octave.period_s
    right = _lattice(seed, octave.period_s, index + 1)
    return octave.amplitude * (left + (right - left) * x * x * (3.0 - 2.0 * x))


def noise_at(seed: int, octaves: Sequence[Octave], at_s: int) -> float:
    """The sum of all octaves at one second."""
    return sum(octave_at(seed, octave, at_s) for octave in octaves)


def noise_bounds(
    seed: int, octaves: Sequence[Octave], first_s: int, last_s: int, length_s: int
) -> tuple[float, float]:
    """Lowest and highest value the noise can have between two seconds of one bar.

    Parameters
    ----------
    seed : int
    octaves : sequence of Octave
    first_s, last_s : int
        Both within one bar that begins at a multiple of `length_s`.
    length_s : int
        Length of the bar.

    Returns
    -------
    tuple of float
        (low, high). Both only widen as `last_s` grows, so a live bar never loses its high.

    Notes
    -----
    Exact for octaves whose lattice the bar does not straddle, because those are monotone inside it;
    the others are bounded by their amplitude. That makes a bar O(1) instead of a scan.
    """
    low = high = 0.0
    for octave in octaves:
        if octave.period_s % length_s and first_s != last_s:
            low -= octave.amplitude
            high += octave.amplitude
            continue
        one, other = octave_at(seed, octave, first_s), octave_at(seed, octave, last_s)
        low += min(one, other)
        high += max(one, other)
    return low, high
