"""What stands above every page, whatever is the matter."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from worlds import START

from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage.alert_groups import AlertGroup
from healing_pipeline.storage.dashboards import Standing
from healing_pipeline.storage.own_outages import OwnOutage
from healing_pipeline.web.dashboard.banner import MOST_LINES, banner_of, when_away


def group(number: int = 1, level: Severity = Severity.ERROR, **changes: Any) -> AlertGroup:
    values: dict[str, Any] = {
        "id": number,
        "fingerprint": f"f{number}",
        "source": "yahoo",
        "root_cause": "host down",
        "level": level,
        "title": f"yahoo is down ({number}) with key s3cret",
        "body": "",
        "owners": (),
        "detail": {},
        "began_at": START,
        "recovered_at": None,
        "resolved_at": None,
        "acknowledged_at": None,
        "acknowledged_by": None,
        "endpoints": ("yahoo/a",),
        "ill": ("yahoo/a",),
        "incident_ids": (7,),
    }
    return AlertGroup(**{**values, **changes})


def standing(endpoint: str, state: str | None) -> Standing:
    return Standing(endpoint, 7, state, START, "timeout", "no answer", None, None, None)


def lines(groups=(), standings=(), outage=None):
    told = banner_of(
        groups,
        {each.endpoint: each for each in standings},
        outage,
        endpoints=52,
        strike=lambda text: text.replace("s3cret", "***"),
    )
    return [(each.level, f"{each.word} {each.text}".strip(), each.href) for each in told.lines]


def test_when_nothing_is_wrong_it_says_so():
    assert lines() == [("info", "Nothing is wrong with any of 52 endpoints.", None)]


def test_the_worst_comes_first_and_leads_to_its_page():
    told = lines([group(1, Severity.WARNING), group(2, Severity.CRITICAL), group(3)])
    assert [each[0] for each in told] == ["critical", "error", "warning"]
    assert [each[2] for each in told] == [f"/health-dashboard/alerts/{n}" for n in (2, 3, 1)]
    assert all("s3cret" not in text for _, text, _ in told)


def test_many_groups_do_not_fill_the_page():
    told = lines([group(number) for number in range(MOST_LINES + 3)])
    assert len(told) == MOST_LINES + 1
    assert told[-1][1:] == ("Error: and 3 more", "/health-dashboard/alerts")


@pytest.mark.parametrize(
    ("state", "level", "what"),
    [
        ("open", "warning", "Failing, not healed yet"),
        ("healing", "warning", "Being healed"),
        ("healed", "warning", "Served by a fallback"),
        (None, "warning", "Served by a fallback"),
        ("escalated", "error", "Could not be healed"),
    ],
)
def test_what_nobody_was_told_of_yet_is_said_too(state, level, what):
    ((found, text, _),) = lines([], [standing(f"yahoo/{each}", state) for each in "abcde"])
    assert found == level
    assert what in text
    assert text.endswith("yahoo/a, yahoo/b, yahoo/c and 2 more")


def test_an_endpoint_is_spoken_of_once():
    told = lines([group()], [standing("yahoo/a", "healed"), standing("fred/b", "healed")])
    assert len(told) == 2
    assert "fred/b" in told[1][1]
    assert "yahoo/a" not in told[1][1]


def test_a_group_that_recovered_is_no_alarm_and_who_sees_to_one_is_named():
    ((level, text, _),) = lines([group(recovered_at=START)])
    assert level == "info"
    assert text.startswith("Recovered:")
    ((level, text, _),) = lines([group(acknowledged_at=START, acknowledged_by="anna")])
    assert level == "error"
    assert "anna sees to it" in text


def test_our_own_outage_stands_above_all():
    told = lines([group(1, Severity.CRITICAL)], outage=OwnOutage(1, START, None, "no witness"))
    assert "Our own connection is down since 15:00:00" in told[0][1]


def test_without_postgresql_what_was_known_stays_below_the_moment_it_is_of():
    before = banner_of([group()], {}, None, endpoints=3, strike=str)
    told = when_away(before, START + timedelta(seconds=9), START)
    assert "does not answer since 15:00:09; what is shown is of 15:00:00" in told.lines[0].text
    assert told.lines[1:] == before.lines
