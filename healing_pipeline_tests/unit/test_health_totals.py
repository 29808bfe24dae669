"""What a health report adds up to, and the shares its picture is made of."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.reporting import plot
from healing_pipeline.reporting.columns import HEALTH_COLUMNS, MARKET_DATA_COLUMNS
from healing_pipeline.reporting.health import HEALTHY, HealthReport, totals
from healing_pipeline.reporting.plot import MOST_BYTES, health_plot, shares, worst_of
from healing_pipeline.storage.reports import HealthRow

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    endpoint: str = "yahoo/x"
    source: str = "yahoo"
    state: str = HEALTHY
    requests: int = 0
    met_fault: int = 0
    healed_requests: int = 0
    reader_errors: int = 0
    incidents: int = 0
    uptime: float | None = None


@st.composite
def rows(draw):
    requests = draw(st.integers(0, 1000))
    errors = draw(st.integers(0, requests))
    met = draw(st.integers(0, requests))
    return Row(
        state=draw(st.sampled_from([HEALTHY, "open", "healed", "escalated"])),
        requests=requests,
        met_fault=met,
        healed_requests=draw(st.integers(0, met)),
        reader_errors=errors,
        incidents=draw(st.integers(0, 3)),
        uptime=draw(st.none() | st.floats(0, 1)),
    )


@given(row=rows())
def test_the_shares_of_an_endpoint_are_parts_of_one(row):
    parts = shares(row)
    assert math.isclose(sum(parts), 1.0)
    assert all(-1e-12 <= part <= 1 for part in parts)


@given(row=rows())
def test_reader_errors_are_never_painted_over(row):
    if row.requests:
        assert math.isclose(shares(row)[2], row.reader_errors / row.requests)


def test_worked_shares():
    # 10 requests: 3 met a fault and were answered, 1 failed, 6 were live.
    served = Row(requests=10, met_fault=4, healed_requests=3, reader_errors=1, uptime=0.2)
    assert all(
        math.isclose(one, other)
        for one, other in zip(shares(served), (0.6, 0.3, 0.1, 0.0), strict=True)
    )
    assert shares(Row(uptime=0.75)) == (0.75, 0.0, 0.25, 0.0)
    assert shares(Row()) == (0.0, 0.0, 0.0, 1.0)


@given(some=st.lists(rows(), max_size=20))
def test_totals_are_the_sums_of_the_rows(some):
    summed = totals(some)
    assert summed.endpoints == len(some)
    for name in ("incidents", "requests", "met_fault", "healed_requests", "reader_errors"):
        assert getattr(summed, name) == sum(getattr(each, name) for each in some)
    assert summed.open_incidents == len([each for each in some if each.state != "healthy"])


def test_the_healing_rate_says_nothing_where_nothing_was_met():
    assert totals([Row(requests=5)]).healing_rate is None
    met = [Row(met_fault=3, healed_requests=2), Row(met_fault=1, healed_requests=1)]
    assert totals(met).healing_rate == 0.75


def test_the_columns_of_the_report_are_fields_of_its_rows_and_told_once():
    names = [column.name for column in HEALTH_COLUMNS]
    assert set(names) <= set(HealthRow.__dataclass_fields__)
    for columns in (HEALTH_COLUMNS, MARKET_DATA_COLUMNS):
        assert len({column.name for column in columns}) == len(columns)
        assert {column.type for column in columns} <= {"string", "int", "float", "timestamp"}


def test_the_picture_of_the_shipped_catalog_is_a_png_small_enough_to_store():
    some = [
        replace(Row(requests=7, healed_requests=number % 3), endpoint=f"yahoo/{number}")
        for number in range(54)
    ]
    drawn = health_plot(HealthReport(AT, 3600, some))
    head = "![health](data:image/png;base64,"
    assert drawn.startswith(head)
    image = base64.b64decode(drawn[len(head) : -1])
    assert image.startswith(b"\x89PNG")
    assert len(image) <= MOST_BYTES


def test_a_report_without_endpoints_can_be_drawn():
    assert health_plot(HealthReport(AT, 3600, [])).startswith("![health]")


def test_of_ten_thousand_endpoints_the_least_healthy_are_drawn(monkeypatch):
    """With a bar for each there was no picture at all, and no report."""
    monkeypatch.setattr(plot, "MOST_BARS", 3)  # as many as it takes: each takes its time
    many = [Row(f"yahoo/{number:05}", requests=10) for number in range(10_000)]
    ill = replace(many[7_777], state="open", reader_errors=9)
    many[7_777] = ill
    drawn = health_plot(HealthReport(AT, 3600.0, many))
    assert drawn.startswith("![health](data:image/png;base64,")
    assert worst_of([*many], 3)[0] is ill
