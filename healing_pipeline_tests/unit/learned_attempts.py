"""Attempts as learning takes them, drawn for properties and written for worked examples."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pandas as pd
from hypothesis import strategies as st

# A fit takes a twentieth of a second: properties over fits look at fewer examples than others.
FITTED = 25

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)

SOURCES = ("polygon", "yahoo")
CLASSES = ("rate_limit", "timeout")
STRATEGIES = ("alternate_host", "exponential_backoff_retry", "use_cached_data")

COLUMNS = (
    *("at", "event_id", "attempt_no", "source", "failure_class", "strategy"),
    *("healed", "seconds", "late"),
)


def frame(rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Rows in the order of `COLUMNS`, times as hours since `BEGIN`."""
    made = pd.DataFrame(list(rows), columns=list(COLUMNS))
    hours = pd.to_timedelta(made["at"].astype(float), unit="h").dt.floor("ms")
    made["at"] = pd.Timestamp(BEGIN) + hours
    return made


def tries(
    outcomes: str,
    *,
    source: str = "yahoo",
    failure_class: str = "timeout",
    strategy: str = "alternate_host",
    every_h: float = 1.0,
    first_h: float = 0.0,
    seconds: float = 0.3,
    event: str = "e",
) -> pd.DataFrame:
    """One attempt an event: `1` healed, `0` did not."""
    return frame(
        [
            (first_h + place * every_h, f"{event}{place}", 1, source, failure_class, strategy,
             each == "1", seconds, False)
            for place, each in enumerate(outcomes)
        ]
    )  # fmt: skip


def after(hours: float) -> datetime:
    """A moment so many hours after the begin."""
    return BEGIN + timedelta(hours=hours)


def drawn(seed: int, most: int = 40) -> pd.DataFrame:
    """Some events by chance, each with a few attempts at different strategies."""
    random = Random(seed)
    rows = []
    for event in range(random.randint(1, most)):
        hour = random.uniform(0, 24 * 40)
        source, failure = random.choice(SOURCES), random.choice(CLASSES)
        used = random.sample(STRATEGIES, random.randint(1, 3))
        for number, strategy in enumerate(used, start=1):
            healed = random.random() < 0.5
            rows.append(
                (hour + number / 3600, f"e{event:03d}", number, source, failure, strategy,
                 healed, random.uniform(0, 5), random.random() < 0.2)
            )  # fmt: skip
            if healed:
                break
    return frame(rows)


def attempts() -> st.SearchStrategy[pd.DataFrame]:
    """Drawn by one number: a frame drawn cell by cell would take longer than what it tests."""
    return st.integers(0, 2**32).map(drawn)
