"""How long an upstream asks to be left alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(headers: Mapping[str, str], now: datetime, cap_s: float) -> float | None:
    """Seconds of a ``Retry-After`` header (RFC 9110 10.2.3), as number or as date.

    Only this header: none of our providers documents another one with a moment in it. FRED sends
    ``x-rate-limit-limit`` and ``-remaining``, with good answers, without saying until when.

    Parameters
    ----------
    headers : Mapping[str, str]
        Names in lower case.
    now : datetime
        Aware UTC, for a date.
    cap_s : float
        The most that is believed.

    Returns
    -------
    float or None
        0 to `cap_s`; a date in the past is 0. None for no header, a negative number and for
        anything that is neither number nor date.
    """
    told = headers.get("retry-after")
    if told is None:
        return None
    seconds = _seconds(told.strip(), now)
    return None if seconds is None else min(seconds, cap_s)


def _seconds(told: str, now: datetime) -> float | None:
    try:
        number = float(told)
    except ValueError:
        return _until(told, now)
    return number if number >= 0 and math.isfinite(number) else None


def _until(told: str, now: datetime) -> float | None:
    try:
        at = parsedate_to_datetime(told)
    except (ValueError, OverflowError):
        return None
    # RFC 5322's "-0000" gives a naive time, which is UTC all the same.
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return max(0.0, (at - now).total_seconds())
