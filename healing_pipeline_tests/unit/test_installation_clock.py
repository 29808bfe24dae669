"""The clock that every part of an installation goes by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.installation import CLOCK_OFFSET_VARIABLE, system_clock

A_MOMENT = timedelta(seconds=5)


def test_it_is_the_machines_where_nothing_is_said(monkeypatch):
    monkeypatch.delenv(CLOCK_OFFSET_VARIABLE, raising=False)
    assert abs(system_clock().now() - datetime.now(UTC)) < A_MOMENT


def test_a_drill_moves_it_to_the_date_of_its_market(monkeypatch):
    monkeypatch.setenv(CLOCK_OFFSET_VARIABLE, "-86400.5")
    behind = datetime.now(UTC) - system_clock().now()
    assert abs(behind - timedelta(days=1, seconds=0.5)) < A_MOMENT


def test_what_is_asked_for_goes_before_what_the_environment_says(monkeypatch):
    monkeypatch.setenv(CLOCK_OFFSET_VARIABLE, "86400")
    assert abs(system_clock(0.0).now() - datetime.now(UTC)) < A_MOMENT


@pytest.mark.parametrize("said", ["soon", "nan", "inf", "1h"])
def test_what_is_no_number_of_seconds_is_refused_with_its_cure(monkeypatch, said):
    monkeypatch.setenv(CLOCK_OFFSET_VARIABLE, said)
    with pytest.raises(ConfigurationError, match="unset HEALING_CLOCK_OFFSET_S"):
        system_clock()
