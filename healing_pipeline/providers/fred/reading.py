"""The numbers in FRED's bodies: `series/observations` as JSON."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from statistics import median

from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.bars import bar_start
from healing_pipeline.providers.bodies import (
    LATEST,
    NotReadableError,
    assembled_reading,
    json_object,
    mapping,
    number,
    sequence,
    text,
    unreadable_as_value,
)
from healing_pipeline.providers.dates import iso_date

MISSING = "."
# The longest median spacing in days that still is this interval.
_SPACINGS = ((4, "1d"), (10, "1w"), (20, "2w"), (45, "1mo"), (135, "3mo"), (270, "6mo"))
FREQUENCIES = {
    "d": "1d", "w": "1w", "bw": "2w", "m": "1mo", "q": "3mo", "sa": "6mo", "a": "1y",
}  # fmt: skip


@unreadable_as_value
def read(body: bytes, line: RequestLine) -> Reading:
    """Read observations; the series is named by the request alone, FRED does not repeat it."""
    series = line.params.get("series_id", "").strip().upper()
    if not series:
        raise NotReadableError("the request names no series_id, and neither does the body")
    envelope = json_object(body)
    if "error_message" in envelope:
        raise NotReadableError("the body carries an error_message")
    rows = sequence(envelope.get("observations"), "observations")
    if not rows:
        raise NotReadableError("observations is empty")

    # A question over several real-time periods returns a date once per vintage: the newest counts.
    newest: dict[date, tuple[str, object]] = {}
    for index, entry in enumerate(rows):
        row = mapping(entry, f"observations[{index}]")
        day = iso_date(text(row.get("date"), f"observations[{index}].date"))
        if day is None:
            raise NotReadableError(f"observations[{index}].date is not a date")
        if "value" not in row:
            raise NotReadableError(f"observations[{index}] has no value")
        vintage = row.get("realtime_start")
        known = (vintage if isinstance(vintage, str) else "", row["value"])
        if day.year >= LATEST.year:
            continue
        if day in newest and newest[day][0] == known[0] and newest[day][1] != known[1]:
            raise NotReadableError(f"two values for {day}")
        if day not in newest or newest[day][0] < known[0]:
            newest[day] = known

    interval = _interval(sorted(newest), line.params.get("frequency", ""))
    return assembled_reading(
        series,
        interval,
        [
            Point(bar_start(day, "1d"), "value", number(said, f"value of {day}", as_text=True))
            for day, (_, said) in newest.items()
            if said != MISSING
        ],
    )


def _interval(days: list[date], frequency: str) -> str:
    """The interval asked for, else what the spacing of the dates says; one date is a day's."""
    if frequency.lower() in FREQUENCIES:
        return FREQUENCIES[frequency.lower()]
    if len(days) < 2:
        return "1d"
    spacing = median((later - earlier).days for earlier, later in pairwise(days))
    return interval_spaced(spacing)


def interval_spaced(days: float) -> str:
    """The interval of rows that lie so many days apart, by the median."""
    return next((name for longest, name in _SPACINGS if days <= longest), "1y")
