from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from healing_pipeline.cli.learn import add_maintenance, learn
from healing_pipeline.cli.moments import hours_between, moment
from healing_pipeline.errors import ConfigurationError

SINCE = date(2025, 11, 1)
NOW = datetime(2026, 11, 26, 8, 40, tzinfo=UTC)


def test_a_day_is_its_begin_and_a_moment_is_in_utc_unless_it_says_otherwise():
    assert moment("2026-02-03", "--from") == datetime(2026, 2, 3, tzinfo=UTC)
    assert moment("2026-02-03T10:00+05:30", "--from") == datetime(2026, 2, 3, 4, 30, tzinfo=UTC)


def test_a_span_may_reach_from_the_first_day_to_the_last_closed_hour():
    found = hours_between("2025-11-01", "2026-11-26T08:00", SINCE, NOW)
    assert found == (datetime(2025, 11, 1, tzinfo=UTC), datetime(2026, 11, 26, 8, tzinfo=UTC))


@pytest.mark.parametrize(
    ("from_text", "to_text", "said"),
    [
        ("2026-02-02", "2026-02-01", "is not after --from"),
        ("2026-02-02", "2026-02-02", "is not after --from"),
        ("2026-02-02", "2026-11-26T09:00", r"is in the future.*Write --to 2026-11-26T08:00"),
        (
            "2025-10-31",
            "2026-01-01",
            r"Write --from 2025-11-01, or set `learning: \{since: 2025-10-31",
        ),
        ("yesterday", "2026-01-01", "--from is 'yesterday', which is no day"),
        ("2026-01-01", "2026-13-01", "--to is '2026-13-01', which is no day"),
        ("2026-01-01T10:30", "2026-01-02", "is no whole hour"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_with_its_cure(from_text, to_text, said):
    with pytest.raises(ConfigurationError, match=said):
        hours_between(from_text, to_text, SINCE, NOW)


@pytest.mark.parametrize(
    ("from_text", "to_text", "only", "said"),
    [
        ("2026-01-01", None, [], "belong together"),
        (None, "2026-01-01", [], "belong together"),
        (None, None, ["fred"], "Add --from and --to"),
    ],
)
def test_half_a_span_is_refused(from_text, to_text, only, said):
    with pytest.raises(ConfigurationError, match=said):
        learn(Path("none.yaml"), from_text=from_text, to_text=to_text, only=only, as_json=False)


def test_a_window_that_ends_before_it_begins_is_refused():
    window = ("all", "2026-01-02", "2026-01-01")
    with pytest.raises(ConfigurationError, match="before it begins"):
        add_maintenance(Path("none.yaml"), window, "moves house", as_json=False)
