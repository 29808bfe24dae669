"""What goes wrong, when and for whom: a pure plan of faults.

A plan says which fault a request meets; how it looks on the wire is `upstreams` and `delivery`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from healing_pipeline.simulator.noise import seed_of, unit


class FaultKind(StrEnum):
    """Every way an upstream can fail: the failure classes, and what lies beneath them."""

    TIMEOUT = "timeout"
    SLOW = "slow"
    NETWORK_ERROR = "network_error"
    SERVER_ERROR = "server_error"
    RATE_LIMIT = "rate_limit"
    QUOTA_EXHAUSTED = "quota_exhausted"
    BOT_BLOCK = "bot_block"
    AUTH_ERROR = "auth_error"
    PLAN_LIMIT = "plan_limit"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    INVALID_DATA = "invalid_data"
    EMPTY = "empty"
    STALE_DATA = "stale_data"
    RESET = "reset"
    TRUNCATE = "truncate"
    GARBAGE = "garbage"
    HTML_PAGE = "html_page"
    FROZEN_VALUE = "frozen_value"
    WRONG_SCHEMA = "wrong_schema"
    HUGE_BODY = "huge_body"
    SLOW_DRIP = "slow_drip"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as far as a fault's match needs it.

    Attributes
    ----------
    source, host : str
    key : str or None
        Name of the key it was sent with.
    path : str
        Without the key.
    rows : int
        How many rows it asks for.
    """

    source: str
    host: str
    key: str | None = None
    path: str = ""
    rows: int = 1


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests a fault hits; None matches all.

    Attributes
    ----------
    source, host, key : str or None
    path : str or None
        A glob over the path without the key: ``/v8/finance/chart/*``.
    share : float
        The part of the matching requests that is hit, 0 to 1.
    rows_over : int or None
        Only requests that ask for more rows than this.
    """

    source: str | None = None
    host: str | None = None
    key: str | None = None
    path: str | None = None
    share: float = 1.0
    rows_over: int | None = None

    def covers(self, asked: Asked) -> bool:
        """Whether a request matches, the share left aside."""
        return (
            self.source in (None, asked.source)
            and self.host in (None, asked.host)
            and self.key in (None, asked.key)
            and (self.path is None or fnmatchcase(asked.path, self.path))
            and (self.rows_over is None or asked.rows > self.rows_over)
        )

    @property
    def is_whole_host(self) -> bool:
        """Whether everything of a source or of one of its hosts is hit."""
        return (
            self.key is None and self.path is None and self.rows_over is None and self.share == 1.0
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong for a while.

    Attributes
    ----------
    index : int
        Its place in the plan; names it in logs.
    at_s, for_s : float
        Begin and length on the clock of faults; `for_s` may be infinite.
    match : Match
    kind : FaultKind
    latency_s : float
        With `slow`: seconds before the answer. With others: seconds before the fault shows.
    retry_after_s : int or None
        Sent as ``Retry-After`` where given; none of the providers is known to send one.
    age_s : float or None
        With `stale_data`: how old the data is; None takes the data's default (`staleness`). With
        `frozen_value`: for how long it stood still when the fault begins; None is not at all.
    period_s : float or None
        Where set the fault comes back with this period.
    """

    index: int
    at_s: float
    for_s: float
    match: Match
    kind: FaultKind
    latency_s: float = 0.0
    retry_after_s: int | None = None
    age_s: float | None = None
    period_s: float | None = None

    def began_at_s(self, at_s: float) -> float | None:
        """When the fault that is on at `at_s` began; None when it is off."""
        rounds = 0.0 if self.period_s is None else max(0.0, at_s // self.period_s)
        shift_s = 0.0 if self.period_s is None else rounds * self.period_s
        began_s = self.at_s + shift_s
        return began_s if began_s <= at_s < began_s + self.for_s else None


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Faults in the order of their file; where several match, the later one wins.

    Attributes
    ----------
    seed : int
        Decides which requests a share takes.
    faults : tuple of Fault
    """

    seed: int
    faults: tuple[Fault, ...] = ()

    def matching(self, asked: Asked, at_s: float) -> tuple[Fault, ...]:
        """All faults that are on and match, their share left aside, in the plan's order."""
        return tuple(
            fault
            for fault in self.faults
            if fault.began_at_s(at_s) is not None and fault.match.covers(asked)
        )

    def active(self, asked: Asked, at_s: float, ordinals: Mapping[int, int]) -> Fault | None:
        """The fault that a request meets.

        Parameters
        ----------
        asked : Asked
        at_s : float
            On the clock of faults.
        ordinals : Mapping[int, int]
            By fault index: how many matching requests came before this one; 0 when absent.
            A share is drawn from (seed, fault, ordinal), so equal sequences meet equal faults.
        """
        for fault in reversed(self.matching(asked, at_s)):
            if self._takes(fault, ordinals.get(fault.index, 0)):
                return fault
        return None

    def _takes(self, fault: Fault, ordinal: int) -> bool:
        share = fault.match.share
        return share >= 1.0 or unit(seed_of(self.seed, "share", fault.index), ordinal) < share
