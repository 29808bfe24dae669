"""The partitions of learning: hours by sources, and days."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from healing_pipeline.errors import ConfigurationError

HOUR, SOURCE = "hour", "source"
HOUR_FORMAT, DAY_FORMAT = "%Y-%m-%d-%H:%M", "%Y-%m-%d"

# Beyond this Dagster's page and its automation become slow.
MOST_PARTITIONS = 100_000
A_YEAR = timedelta(days=365)

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Span:
    """Hours [from_at, to_at) of some sources."""

    from_at: datetime
    to_at: datetime
    sources: tuple[str, ...]

    @property
    def as_range(self) -> tuple[datetime, datetime]:
        """From and to."""
        return self.from_at, self.to_at


def hours_by_source(since: date, sources: Sequence[str]) -> dg.MultiPartitionsDefinition:
    """Every closed hour since a day, of every source."""
    return dg.MultiPartitionsDefinition(
        {
            HOUR: dg.HourlyPartitionsDefinition(
                start_date=since.strftime(HOUR_FORMAT), timezone="UTC", fmt=HOUR_FORMAT
            ),
            SOURCE: dg.StaticPartitionsDefinition(list(sources)),
        }
    )


def days(since: date) -> dg.DailyPartitionsDefinition:
    """Every closed day since a day."""
    return dg.DailyPartitionsDefinition(
        start_date=since.strftime(DAY_FORMAT), timezone="UTC", fmt=DAY_FORMAT
    )


def require_bearable(since: date, sources: Sequence[str], now: datetime) -> None:
    """Refuse more partitions than Dagster bears; warn a year before there are so many.

    Raises
    ------
    ConfigurationError
        If there are more than `MOST_PARTITIONS` by now.
    """
    begin = datetime(since.year, since.month, since.day, tzinfo=UTC)
    bearable = timedelta(hours=MOST_PARTITIONS // max(len(sources), 1))
    # A year ahead of the limit, or half-way to it where so many sources reach it within a year.
    enough = now - max(bearable - A_YEAR, bearable / 2) + timedelta(days=1)
    cure = (
        f"Write `learning: {{since: {enough.date()}}}` or a later day; what was learned from "
        "earlier hours stays in the tables."
    )
    if now - begin > bearable:
        raise ConfigurationError(
            f"Learning since {since} is more than {MOST_PARTITIONS:,} hours of sources "
            f"({len(sources)} sources), which is more than Dagster bears.",
            cure,
        )
    if now + A_YEAR - begin > bearable:
        _LOG.warning(
            "Within a year, learning since %s will be more than %s hours of sources. %s",
            since,
            f"{MOST_PARTITIONS:,}",
            cure,
        )


def key_of(hour: datetime, source: str) -> dg.MultiPartitionKey:
    """The partition of an hour of a source."""
    return dg.MultiPartitionKey({HOUR: hour.strftime(HOUR_FORMAT), SOURCE: source})


def range_of(span: Span) -> dg.PartitionKeyRange:
    """All partitions of a span; its sources follow each other in the definition."""
    last = span.to_at - timedelta(hours=1)
    return dg.PartitionKeyRange(
        str(key_of(span.from_at, span.sources[0])), str(key_of(last, span.sources[-1]))
    )


def range_tags(keys: dg.PartitionKeyRange) -> dict[str, str]:
    """The tags by which a run takes a range of partitions at once."""
    return {
        "dagster/asset_partition_range_start": keys.start,
        "dagster/asset_partition_range_end": keys.end,
    }


def spans_of(keys: Iterable[str]) -> list[Span]:
    """Partitions put together to as few spans as there are: hours that follow each other."""
    hours: dict[str, set[datetime]] = {}
    for key in keys:
        hour, _, source = key.partition("|")
        at = datetime.strptime(hour, HOUR_FORMAT).replace(tzinfo=UTC)
        hours.setdefault(source, set()).add(at)
    sources: dict[tuple[datetime, datetime], list[str]] = {}
    for source, found in sorted(hours.items()):
        for stretch in stretches(found, timedelta(hours=1)):
            sources.setdefault(stretch, []).append(source)
    return [Span(*stretch, tuple(named)) for stretch, named in sorted(sources.items())]


def stretches(begins: Iterable[datetime], length: timedelta) -> list[tuple[datetime, datetime]]:
    """Equal pieces of time put together: [begin, end) of those that follow each other."""
    found: list[tuple[datetime, datetime]] = []
    for begin in sorted(begins):
        if found and found[-1][1] == begin:
            found[-1] = (found[-1][0], begin + length)
        else:
            found.append((begin, begin + length))
    return found
