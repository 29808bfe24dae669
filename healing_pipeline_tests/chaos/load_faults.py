"""Which upstreams of the load trial fail when, and how: a function of the moment and a seed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

# A third of the sources fail at any moment, on the average; each of its own minute of the clock.
ONE_IN = 3
LASTS_S = 60.0


class Fault(StrEnum):
    """How an upstream fails."""

    SERVER_ERROR = "server_error"
    RATE_LIMIT = "rate_limit"
    HANG = "hang"
    RESET = "reset"
    HTML = "html_in_a_200"
    ERROR_TEXT = "error_in_a_200"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    OLD = "old_numbers"
    STRANGER = "another_subject"


KINDS = tuple(Fault)


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of a trial.

    Attributes
    ----------
    begins_at, ends_at : float
        Seconds since 1970; before and after nothing fails.
    """

    seed: int
    begins_at: float
    ends_at: float
    lasts_s: float = LASTS_S

    def of(self, source: int, host: int, at: float) -> Fault | None:
        """How a host of a source fails at a moment; None when it answers well."""
        if not self.begins_at <= at < self.ends_at:
            return None
        draw = self._draw(source, at)
        if draw % ONE_IN:
            return None
        draw //= ONE_IN
        # Two in five outages are of the first host alone.
        if host and draw % 5 < 2:
            return None
        return KINDS[draw // 5 % len(KINDS)]

    def _draw(self, source: int, at: float) -> int:
        # Outages do not all begin together.
        shift_s = self.lasts_s * (source * 7 % 20) / 20
        turn = int((at - self.begins_at + shift_s) / self.lasts_s)
        digest = blake2b(f"{self.seed}/{source}/{turn}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big")
