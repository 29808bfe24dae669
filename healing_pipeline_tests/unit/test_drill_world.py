"""What a drill was told, and what it keeps of it."""

from __future__ import annotations

from datetime import timedelta

from healing_pipeline.drill.world import EPOCH, Telling
from healing_pipeline.healing.facts import SnapshotFact
from healing_pipeline.probing.reading import Point, Reading


def test_old_data_existed_only_where_it_was_good_within_the_time():
    reading = Reading("AAPL", "now", (Point(EPOCH, "price", 1.0),), EPOCH)
    telling = Telling()
    telling.hear(SnapshotFact("yahoo/x", "", EPOCH, EPOCH, "yahoo", reading, b"", "exact"))
    minute = timedelta(minutes=1)
    assert telling.was_good("yahoo/x", EPOCH - minute, EPOCH + minute)
    assert not telling.was_good("yahoo/x", EPOCH + minute, EPOCH + 2 * minute)
    assert not telling.was_good("yahoo/x", EPOCH - minute, EPOCH)
    assert not telling.was_good("yahoo/y", EPOCH - minute, EPOCH + minute)
