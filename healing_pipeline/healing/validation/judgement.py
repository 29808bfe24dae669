"""Whether numbers may be believed: the last gate before a reader, after the provider's own rules.

A body can be well formed, classified as good, and still be wrong: old, going backwards, or
impossible beside what the same endpoint said minutes ago.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache

from healing_pipeline.catalog.market_hours import HOURS
from healing_pipeline.catalog.values import Endpoint
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import Verdict

# A market does not do this between two looks minutes apart; a mangled body does.
IMPOSSIBLE_RATIO = 3.0

# Over night a share may split ten to one. Were that impossible too, the endpoint would be refused
# for ever, because what is refused is never remembered.
SAME_SESSION = timedelta(hours=6)

# Servers behind one name disagree by seconds about the newest number.
BACKWARDS_TOLERANCE = timedelta(minutes=2)

# The date of an exchange east of us is ahead of ours; more than this is not of this world. Only for
# prices: projections among economic series speak of years to come.
FUTURE_TOLERANCE = timedelta(hours=15)

PRICE_FIELDS = frozenset({"open", "high", "low", "close", "price"})
CURRENCY = re.compile(r"[A-Z]{3}")


def judge(
    reading: Reading, endpoint: Endpoint, last: Reading | None, now: datetime
) -> Verdict | None:
    """Find fault with a reading.

    Parameters
    ----------
    reading : Reading
        What the body says.
    endpoint : Endpoint
        Gives `max_age_s`, the calendar in whose open hours it is counted, and whether its numbers
        are a market's: of others nobody knows what is impossible.
    last : Reading or None
        The last good reading of the same question.
    now : datetime
        Aware UTC.

    Returns
    -------
    Verdict or None
        None when there is nothing to object to.

    Notes
    -----
    Numbers that are frozen under fresh time stamps pass this gate: `Scrutiny` knows them by how
    they moved before.
    """
    age = now - reading.as_of
    if endpoint.is_market and age < -FUTURE_TOLERANCE and any(map(_is_of_now, reading.fields)):
        return Verdict(
            FailureClass.INVALID_DATA,
            f"the newest number is dated {reading.as_of:%Y-%m-%d %H:%M} UTC, in the future",
        )
    if endpoint.max_age_s is not None and age.total_seconds() > endpoint.max_age_s:
        age_s, kind = age.total_seconds(), ""
        if endpoint.calendar is not None:
            age_s = HOURS[endpoint.calendar].open_seconds_between(reading.as_of, now)
            kind = " of open market"
        if age_s > endpoint.max_age_s:
            return Verdict(
                FailureClass.STALE_DATA,
                f"the newest number is {age_s:.0f} s{kind} old, "
                f"over the endpoint's {endpoint.max_age_s:.0f} s",
            )
    if last is None or last.instrument != reading.instrument:
        return None
    # What our own clock dated ahead of now was dated before the clock was set, or by another one.
    is_comparable = endpoint.is_dated or last.as_of <= now
    if is_comparable and reading.as_of < last.as_of - BACKWARDS_TOLERANCE:
        return Verdict(
            FailureClass.STALE_DATA,
            f"the newest number is of {reading.as_of:%Y-%m-%d %H:%M} UTC, "
            f"yet one of {last.as_of:%Y-%m-%d %H:%M} was served before",
        )
    return _impossible(reading, last) if endpoint.is_market else None


def _is_of_now(field: str) -> bool:
    return field == "volume" or _is_bounded(field)


@lru_cache(maxsize=1024)
def _is_bounded(field: str) -> bool:
    """Whether a field is a price or a rate: ``close``, ``price``, ``AAPL.price``, ``EUR``."""
    return field.rpartition(".")[2] in PRICE_FIELDS or CURRENCY.fullmatch(field) is not None


def _impossible(reading: Reading, last: Reading) -> Verdict | None:
    if reading.interval != last.interval or reading.as_of - last.as_of > SAME_SESSION:
        return None
    newest = reading.newest_values()
    for field, old in last.newest_values().items():
        new = newest.get(field)
        if new is None or old <= 0 or not _is_bounded(field):
            continue
        if not old / IMPOSSIBLE_RATIO <= new <= old * IMPOSSIBLE_RATIO:
            return Verdict(
                FailureClass.INVALID_DATA,
                f"{field} of {reading.instrument} went from {old:g} to {new:g} between two looks",
            )
    return None
