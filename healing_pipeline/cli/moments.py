"""Moments and durations as they are typed: read, held against what can be, or refused."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from healing_pipeline.errors import ConfigurationError

LONGEST = timedelta(days=92)
_DURATION = re.compile(r"(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,7})s)?")


def moment(text: str, option: str) -> datetime:
    """A day (its begin) or a moment, in UTC unless it says otherwise.

    Raises
    ------
    ConfigurationError
        If it is neither.
    """
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{option} is '{text}', which is no day.",
            "Write YYYY-MM-DD, or YYYY-MM-DDTHH:00 for an hour; UTC is meant.",
        ) from None


def duration(text: str, option: str) -> timedelta:
    """A time to come: days, hours, minutes and seconds, at most a quarter of a year.

    Raises
    ------
    ConfigurationError
        If it is none, nothing, or too long.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    days, hours, minutes, seconds = (
        (int(each or 0) for each in match.groups()) if match else [0] * 4
    )
    found = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta() < found <= LONGEST:
        raise ConfigurationError(
            f"{option} is '{text}'.",
            f"Write days, hours, minutes or seconds, {LONGEST.days}d at most: {option} 2h, "
            f"{option} 1h30m.",
        )
    return found


def begin_of(day: date) -> datetime:
    """The first moment of a UTC day."""
    return datetime.combine(day, time(), UTC)


def hours_between(
    from_text: str, to_text: str, since: date, now: datetime
) -> tuple[datetime, datetime]:
    """[from, to) in whole closed hours.

    Raises
    ------
    ConfigurationError
        If it ends before it begins, reaches into the future or back before `since`, or either
        is no whole hour.
    """
    from_at, to_at = moment(from_text, "--from"), moment(to_text, "--to")
    for option, at in (("--from", from_at), ("--to", to_at)):
        if at != at.replace(minute=0, second=0, microsecond=0):
            raise ConfigurationError(
                f"{option} {at:%Y-%m-%d %H:%M:%S} is no whole hour.",
                "Learning is by the hour: write YYYY-MM-DD or YYYY-MM-DDTHH:00.",
            )
    if to_at <= from_at:
        raise ConfigurationError(
            f"--to {to_at:%Y-%m-%d %H:%M} is not after --from {from_at:%Y-%m-%d %H:%M}.",
            "Name the first hour with --from, and with --to the one after the last.",
        )
    closed = now.replace(minute=0, second=0, microsecond=0)
    if to_at > closed:
        raise ConfigurationError(
            f"--to {to_at:%Y-%m-%d %H:%M} is in the future: the last closed hour ended at "
            f"{closed:%Y-%m-%d %H:%M} UTC.",
            f"Write --to {closed:%Y-%m-%dT%H:00}, or leave --from and --to out to learn up to now.",
        )
    if from_at < begin_of(since):
        raise ConfigurationError(
            f"--from {from_at:%Y-%m-%d} is before {since}, where learning begins.",
            f"Write --from {since}, or set `learning: {{since: {from_at.date()}}}` in the "
            "configuration.",
        )
    return from_at, to_at
