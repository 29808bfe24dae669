"""What a key has spent of its day and its month, by the UTC calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from healing_pipeline.catalog.values import Quota
from healing_pipeline.healing.guard.bucket import share_of

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Ledger:
    """Counts the calls of one key against its daily and monthly quota.

    A provider that says "exhausted" is believed until the next UTC midnight, whatever was counted
    here: others may spend the same key. After a month's quota, whose reset depends on the account,
    that asks once a day.

    Parameters
    ----------
    quota : Quota
        With a limit per day, per month, or both.
    probe_share : float
        The part of each that probes may spend.
    """

    __slots__ = (
        "_day",
        "_day_ends",
        "_month",
        "_month_of",
        "_probes_day",
        "_probes_month",
        "_quota",
        "_share",
        "is_marked_spent",
    )

    def __init__(self, quota: Quota, probe_share: float) -> None:
        self._quota = quota
        self._share = probe_share
        self._day = self._month = self._probes_day = self._probes_month = 0
        self._day_ends = _LONG_AGO
        self._month_of = (0, 0)
        self.is_marked_spent = False

    def refusal(self, wall_now: datetime, *, is_probe: bool) -> str | None:
        """Why the quota lets no call through by our own count; None when it does."""
        if self._is_another_day(wall_now):
            self._turn(wall_now)
        per_day, per_month = self._quota.per_day, self._quota.per_month
        if per_day is not None and self._day >= per_day:
            return f"its {per_day} calls of the day are spent"
        if per_month is not None and self._month >= per_month:
            return f"its {per_month} calls of the month are spent"
        if is_probe:
            return self._refusal_of_probe()
        return None

    def spent(self, wall_now: datetime) -> float:
        """The share of day or month that is spent, whichever is more, 0 to 1; 1 when marked so."""
        if self.marked(wall_now) is not None:
            return 1.0
        per_day, per_month = self._quota.per_day, self._quota.per_month
        shares = [0.0]
        if per_day is not None:
            shares.append(self._day / per_day if per_day else 1.0)
        if per_month is not None:
            shares.append(self._month / per_month if per_month else 1.0)
        return min(1.0, max(shares))

    def marked(self, wall_now: datetime) -> str | None:
        """What the provider said of the quota and still holds; None when nothing."""
        if self._is_another_day(wall_now):
            self._turn(wall_now)
        if self.is_marked_spent:
            return (
                f"the provider calls its quota exhausted, asked again from {self._day_ends:%F} on"
            )
        return None

    def back_in_s(self, wall_now: datetime) -> float:
        """Seconds until there are calls for a reader again; 0 when there are."""
        spent = self.refusal(wall_now, is_probe=False) or self.marked(wall_now)
        if spent is None:
            return 0.0
        back_at, per_month = self._day_ends, self._quota.per_month
        if per_month is not None and self._month >= per_month:
            year, month = self._month_of
            back_at = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        return (back_at - wall_now).total_seconds()

    def day_left_s(self, wall_now: datetime) -> float:
        """Seconds until the day turns."""
        self.marked(wall_now)
        return (self._day_ends - wall_now).total_seconds()

    def count(self, wall_now: datetime, *, is_probe: bool) -> None:
        """Book one call."""
        if self._is_another_day(wall_now):
            self._turn(wall_now)
        self._day += 1
        self._month += 1
        if is_probe:
            self._probes_day += 1
            self._probes_month += 1

    def mark_spent(self, wall_now: datetime) -> None:
        """Believe the provider that nothing is left."""
        self.marked(wall_now)
        self.is_marked_spent = True

    def seed(
        self,
        wall_now: datetime,
        *,
        day_count: int,
        month_count: int,
        probes_day: int | None = None,
        probes_month: int | None = None,
    ) -> None:
        """Take over what was counted elsewhere; the larger count holds, so it may be repeated.

        Parameters
        ----------
        wall_now : datetime
            When it was counted.
        day_count, month_count : int
            Calls of the current UTC day and month, by everybody.
        probes_day, probes_month : int or None
            How many of them were probes'; None counts all of them as such, so that a restart does
            not give the probes a new share.
        """
        self.marked(wall_now)
        if wall_now < self._day_ends - timedelta(days=1):
            return  # counted yesterday, and told only now
        self._day = max(self._day, day_count)
        self._month = max(self._month, month_count)
        self._probes_day = max(self._probes_day, day_count if probes_day is None else probes_day)
        self._probes_month = max(
            self._probes_month, month_count if probes_month is None else probes_month
        )

    def _refusal_of_probe(self) -> str | None:
        per_day, per_month = self._quota.per_day, self._quota.per_month
        if per_day is not None and self._probes_day >= share_of(per_day, self._share):
            return f"the probes' share of its {per_day} calls of the day is spent"
        if per_month is not None and self._probes_month >= share_of(per_month, self._share):
            return f"the probes' share of its {per_month} calls of the month is spent"
        return None

    def _is_another_day(self, wall_now: datetime) -> bool:
        """Whether it is tomorrow; set back within a day or by one, the clock turns nothing.

        Where it was further ahead, what was counted then would stand until that day comes.
        """
        return wall_now >= self._day_ends or self._day_ends - wall_now > timedelta(days=2)

    def _turn(self, wall_now: datetime) -> None:
        """Begin a new day."""
        midnight = wall_now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._day_ends = midnight + timedelta(days=1)
        self._day = self._probes_day = 0
        self.is_marked_spent = False
        if self._month_of != (month_of := (midnight.year, midnight.month)):
            self._month_of = month_of
            self._month = self._probes_month = 0
