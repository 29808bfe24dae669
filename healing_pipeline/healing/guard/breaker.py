"""A circuit breaker with decaying ejection, for one host or one key of a source.

Considered and left aside: pybreaker, aiobreaker and purgatory count consecutive failures, read the
clock themselves and stay open for one fixed time. interlock-cb is near (a given clock, rates over
windows, slow calls, verdicts on results, waits that grow), but its waits are its own: no single
answer ejects at once and for as long as the upstream asks, none extends an ejection under way, and
the row of past ejections does not fade while all is well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from healing_pipeline.probing.failure_class import FailureClass


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When a breaker ejects, and for how long.

    Attributes
    ----------
    least : int
        Outcomes in the window below which no share is trusted.
    window_s : int
        Seconds that the sliding window covers, in buckets of one second.
    failed_share : float
        Of the outcomes in the window, from which on the breaker ejects.
    slow_s : float
        A good answer that took this long counts as slow.
    slow_share : float
        The like of `failed_share` for slow answers.
    base_s : float
        The first ejection; the n-th in a row lasts n times as long.
    max_s : float
        No ejection that a share or a row gives rise to lasts longer.
    """

    least: int = 5
    window_s: int = 10
    failed_share: float = 0.5
    slow_s: float = 2.0
    slow_share: float = 0.8
    base_s: float = 2.0
    max_s: float = 60.0


class Window:
    """Counts of outcomes over the last seconds: a ring of one-second buckets and their sums."""

    __slots__ = ("_failed", "_second", "_size", "_slow", "_total", "failed", "slow", "total")

    def __init__(self, size: int) -> None:
        self._size = size
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.total = self.failed = self.slow = 0
        self._second = -1
        self._total = [0] * self._size
        self._failed = [0] * self._size
        self._slow = [0] * self._size

    def add(self, now: float, *, failed: bool, slow: bool) -> None:
        """Count one outcome at `now`; what is older than the window is taken out."""
        second = int(now)
        if second != self._second:
            self._move_to(second)
        at = second % self._size
        self.total += 1
        self._total[at] += 1
        if failed:
            self.failed += 1
            self._failed[at] += 1
        if slow:
            self.slow += 1
            self._slow[at] += 1

    def _move_to(self, second: int) -> None:
        for each in range(max(self._second + 1, second - self._size + 1), second + 1):
            at = each % self._size
            self.total -= self._total[at]
            self.failed -= self._failed[at]
            self.slow -= self._slow[at]
            self._total[at] = self._failed[at] = self._slow[at] = 0
        self._second = second


class Breaker:
    """Closed, open (ejected until a moment), half-open (one trial at a time).

    Every moment is absolute monotonic seconds. A call tells when it began, so that an answer which
    was under way when the ejection began neither ends it nor makes the next one longer.

    Parameters
    ----------
    what : str
        What it guards, for a person: ``host query1``, ``key primary``.
    rules : BreakerRules

    Attributes
    ----------
    until : float or None
        Until when it ejects, or ejected: in the past it is half-open. None when it is closed.
    cause : FailureClass
        What the latest ejection followed from.
    """

    __slots__ = (
        "_because",
        "_closed_at",
        "_ejected_at",
        "_in_flight",
        "_in_row",
        "_rules",
        "_window",
        "cause",
        "until",
        "what",
    )

    def __init__(self, what: str, rules: BreakerRules) -> None:
        self.what = what
        self.until: float | None = None
        self.cause = FailureClass.OK
        self._rules = rules
        self._window = Window(rules.window_s)
        self._because: str = ""
        self._in_flight = 0
        self._in_row = 0
        self._ejected_at = -math.inf
        self._closed_at = -math.inf

    def refusal(self, now: float) -> str | None:
        """Why no call is let through now; None when one is."""
        if self.until is None:
            return None
        if now < self.until:
            return f"{self.what}: {self._because}, not asked for another {self.until - now:.1f} s"
        if self._in_flight:
            return f"{self.what}: {self._because}, a trial is under way"
        return None

    def begin(self) -> None:
        """A call was let through."""
        self._in_flight += 1

    def end(self) -> None:
        """It is over, whatever came of it."""
        self._in_flight -= 1

    def answered(self, now: float, began: float) -> None:
        """A call showed that what is guarded works: an ejection that is older than it is over."""
        if self.until is not None and began >= self._ejected_at:
            self.until = None
            self._closed_at = now
            self._window.clear()

    def succeeded(self, now: float, began: float) -> None:
        """Count a good answer."""
        self.answered(now, began)
        rules, window = self._rules, self._window
        slow = now - began >= rules.slow_s
        window.add(now, failed=False, slow=slow)
        if slow and window.total >= rules.least:
            share = window.slow / window.total
            if share >= rules.slow_share and self.until is None:
                self.eject(now, began, FailureClass.SLOW, f"{share:.0%} of {window.total} slow")

    def failed(self, now: float, began: float, cause: FailureClass) -> None:
        """Count a failure that one call alone does not prove much by."""
        rules, window = self._rules, self._window
        window.add(now, failed=True, slow=False)
        if self.until is not None:
            self.eject(now, began, cause)
        elif window.total >= rules.least:
            share = window.failed / window.total
            if share >= rules.failed_share:
                self.eject(now, began, cause, f"{share:.0%} of {window.total} calls failed")

    def eject(
        self,
        now: float,
        began: float,
        cause: FailureClass,
        evidence: str = "",
        at_least_s: float = 0.0,
    ) -> None:
        """Let nothing through for a while; a later end replaces an earlier one, never a shorter.

        Parameters
        ----------
        now, began : float
            Monotonic seconds: now, and when the call began that this follows from.
        cause, evidence
            What it follows from, and what there is to add.
        at_least_s : float
            What the upstream asked for, already capped.
        """
        rules = self._rules
        self._count_in_row(now, began)
        lasts_s = max(min(rules.base_s * self._in_row, rules.max_s), at_least_s)
        self._close(now + lasts_s, cause, evidence)

    def eject_until(self, until: float, now: float, cause: FailureClass, evidence: str) -> None:
        """Let nothing through until a moment that is known; never sooner than was known before.

        Of the same refusal several processes may tell: it counts once in the row.
        """
        if until > now and (self.until is None or until > self.until):
            self._count_in_row(now, now)
            self._close(until, cause, evidence)

    def _count_in_row(self, now: float, began: float) -> None:
        """Count an ejection that follows from a call which began then, unless one is under way."""
        rules = self._rules
        if self.until is None:
            # While healthy, one step of the row is forgiven per base period.
            healthy_s = now - self._closed_at
            forgiven = self._in_row if math.isinf(healthy_s) else int(healthy_s / rules.base_s)
            self._in_row = max(0, self._in_row - forgiven) + 1
            self._ejected_at = now
        elif began >= self.until:
            self._in_row += 1
            self._ejected_at = now
        self._in_row = min(self._in_row, math.ceil(rules.max_s / rules.base_s))

    def _close(self, until: float, cause: FailureClass, evidence: str) -> None:
        self.until = until if self.until is None else max(self.until, until)
        self.cause = cause
        self._because = f"{cause} ({evidence})" if evidence else cause
