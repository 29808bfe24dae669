"""The date marks of a catalogued path or parameter: ``{today}`` and ``{today-30d}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from healing_pipeline.errors import ConfigurationError

_ANYTHING_LIKE_A_MARK = re.compile(r"\{today[^}]*\}")
_MARK = re.compile(r"\{today(?:-(\d{1,5})d)?\}", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def today(now: datetime) -> date:
    """The UTC date of `now`.

    Raises
    ------
    ValueError
        If `now` has no time zone.
    """
    if now.tzinfo is None:
        raise ValueError("`now` has no time zone: pass datetime.now(UTC)")
    return now.astimezone(UTC).date()


def filled(text: str, now: datetime) -> str:
    """`text` with its date marks replaced by ISO dates.

    Raises
    ------
    ConfigurationError
        For a mark that looks like one of ours and is not, such as ``{today+1d}``.
    """

    def as_date(mark: re.Match[str]) -> str:
        known = _MARK.fullmatch(mark[0])
        if known is None:
            raise ConfigurationError(
                f"Unknown date mark {mark[0]} in {text!r}.", "Write {today} or {today-30d}."
            )
        return (today(now) - timedelta(days=int(known[1] or 0))).isoformat()

    return _ANYTHING_LIKE_A_MARK.sub(as_date, text)


def filled_all(params: Mapping[str, str], now: datetime) -> dict[str, str]:
    """`params`, in their order, with the date marks of their values replaced."""
    return {name: filled(value, now) for name, value in params.items()}


def iso_date(text: str) -> date | None:
    """The date that `text` is, as ``YYYY-MM-DD`` and nothing else; None for any other text."""
    if _ISO_DATE.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
