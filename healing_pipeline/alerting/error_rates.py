"""How bad a share of errors is: of readers' requests, those without an accepted answer. Pure.

Two rules. The *level* looks at the last minutes: what is wrong now. The *burn rate* looks at hours
and days against the objective: what is wrong for long, though never much at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from healing_pipeline.incidents.detection import Severity

# From 5 % up a warning, from 20 % up an error, above 50 % critical: exactly half is still an error.
WARNING_FROM = 0.05
ERROR_FROM = 0.20
CRITICAL_ABOVE = 0.50

# The shortest of these that holds enough requests is looked at: a source that is read a hundred
# times a second tells within seconds, one that is read now and then within half an hour.
WINDOWS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))

# What happened before that is over, however few requests came since.
LATEST_ERROR_WITHIN = timedelta(minutes=5)

# Errors that a heal run is about to end are none that people have to know of: a share of errors has
# to stand so long while nothing of the source is being healed, or for longer than a heal may take.
STANDS_FOR = timedelta(seconds=10)
LONGEST_HEAL = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Window:
    """Requests of one source within a time that ends now.

    Attributes
    ----------
    lasts : timedelta
    requests : int
        Of readers; what was the caller's own fault is in neither number.
    errors : int
        Of `requests`: those without an accepted answer.
    """

    lasts: timedelta
    requests: int
    errors: int

    @property
    def rate(self) -> float:
        """The share of errors; 0 without requests."""
        return self.errors / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """A share of errors that people should know of, and the words for it.

    Attributes
    ----------
    burns : bool
        Whether it is a matter of hours and days, not of the last minutes.
    """

    level: Severity
    window: Window
    because: str
    burns: bool = False


def level_of_rate(rate: float) -> Severity | None:
    """The level of a share of errors, 0 to 1; None below the first bound."""
    if rate > CRITICAL_ABOVE:
        return Severity.CRITICAL
    if rate >= ERROR_FROM:
        return Severity.ERROR
    return Severity.WARNING if rate >= WARNING_FROM else None


def enough(windows: Iterable[Window], minimum_samples: int) -> Window | None:
    """The shortest window with enough requests to say something; None when none has."""
    full = [each for each in windows if each.requests >= minimum_samples]
    return min(full, key=lambda each: each.lasts, default=None)


def rate_finding(windows: Iterable[Window], minimum_samples: int) -> Finding | None:
    """What the last minutes say of a source; None when that is nothing."""
    window = enough(windows, minimum_samples)
    level = None if window is None else level_of_rate(window.rate)
    if window is None or level is None:
        return None
    return Finding(level, window, f"{window.rate:.0%} errors within {_words(window.lasts)}")


@dataclass(frozen=True, slots=True)
class BurnRule:
    """Errors that use the error budget up too fast: in a long window, and still in a short one.

    Attributes
    ----------
    factor : float
        Times the pace that would spend the budget exactly.
    long : timedelta
        Long enough to mean something; `short`, a twelfth of it, tells that it goes on.
    level : Severity
    """

    factor: float
    long: timedelta
    level: Severity

    @property
    def short(self) -> timedelta:
        """A twelfth of the long window."""
        return self.long / 12


# The fastest first. Those of the SRE workbook: 2 % of a month's budget in an hour and 5 % in six
# hours call people; 10 % in three days is a matter for office hours.
BURN_RULES = (
    BurnRule(14.4, timedelta(hours=1), Severity.ERROR),
    BurnRule(6.0, timedelta(hours=6), Severity.ERROR),
    BurnRule(1.0, timedelta(days=3), Severity.WARNING),
)

# An hour of which only its last minute was read says no more than that minute, and the level rule
# has said it: a budget has to burn for the shortest of the short windows before it is told.
BURNS_FOR = BURN_RULES[0].short

# A source that is read so seldom that one error reaches the bound says nothing with it.
LEAST_ERRORS = 2


def burns(rule: BurnRule, window: Window, objective: float, minimum_samples: int) -> bool:
    """Whether the long window of a rule is over its bound, with requests enough to say so.

    Parameters
    ----------
    objective : float
        The share of requests to be answered, above 0 and below 1.

    Notes
    -----
    At the bound there have to be two errors at least: with an objective of 99 % the long windows of
    the three rules need 14 (but `minimum_samples`), 34 and 200 requests.
    """
    bound = _bound(rule, objective)
    needed = max(minimum_samples, LEAST_ERRORS / bound)
    return window.requests >= needed and window.rate >= bound


def burn_finding(
    pairs: Sequence[tuple[BurnRule, Window, Window]], objective: float, minimum_samples: int
) -> Finding | None:
    """What hours and days say of a source; None when that is nothing.

    Parameters
    ----------
    pairs : sequence of (rule, long window, short window)
    """
    for rule, long, short in sorted(pairs, key=lambda pair: pair[0].long):
        bound = _bound(rule, objective)
        goes_on = short.rate >= bound and short.errors >= LEAST_ERRORS
        if goes_on and burns(rule, long, objective, minimum_samples):
            return Finding(
                rule.level,
                long,
                f"{long.rate:.1%} errors within {_words(long.lasts)} and {short.rate:.1%} within "
                f"{_words(short.lasts)}: the error budget of {1 - objective:.2%} is used up "
                f"{long.rate / (1 - objective):.1f} times too fast",
                burns=True,
            )
    return None


def _bound(rule: BurnRule, objective: float) -> float:
    # 1 - 0.99 is a little more than a hundredth; a rate of exactly the bound is at it.
    return round(rule.factor * (1 - objective), 9)


def _words(lasts: timedelta) -> str:
    minutes = round(lasts.total_seconds() / 60)
    for size, word in ((1440, "day"), (60, "hour")):
        if minutes >= size and minutes % size == 0:
            return f"{minutes // size} {word}{'s' if minutes > size else ''}"
    return f"{minutes} minute{'s' if minutes != 1 else ''}"


def stands_long_enough(since: datetime, quiet_since: datetime | None, now: datetime) -> bool:
    """Whether people are told of a share of errors.

    Parameters
    ----------
    since : datetime
        When it was first seen.
    quiet_since : datetime or None
        Since when nothing of the source has been in a heal; None while something is.
    """
    if now - since >= LONGEST_HEAL:
        return True
    return quiet_since is not None and now - max(since, quiet_since) >= STANDS_FOR
