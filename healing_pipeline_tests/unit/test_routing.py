from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.alerting.backoff import is_given_up, wait_s
from healing_pipeline.alerting.messages import Kind
from healing_pipeline.alerting.routing import channels_for
from healing_pipeline.alerting.settings import AlertSettings, ChannelSettings
from healing_pipeline.incidents.detection import Severity

SETTINGS = AlertSettings(
    channels=(
        ChannelSettings("mail", "MAIL"),
        ChannelSettings("sms", "SMS", levels=frozenset({Severity.CRITICAL})),
        ChannelSettings("yahoo", "YAHOO", sources=frozenset({"yahoo"})),
        ChannelSettings("desk", "DESK", owners=frozenset({"markets"})),
        ChannelSettings("log", "LOG", levels=frozenset(Severity)),
    )
)


def routed(
    kind: Kind = Kind.FIRED,
    level: Severity = Severity.ERROR,
    source: str | None = "fred",
    owners: tuple[str, ...] = (),
    told: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    return channels_for(SETTINGS, kind=kind, level=level, source=source, owners=owners, told=told)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ("mail", "log")),
        ({"level": Severity.WARNING}, ("log",)),
        ({"level": Severity.CRITICAL}, ("mail", "sms", "log")),
        ({"source": "yahoo"}, ("mail", "yahoo", "log")),
        ({"source": None}, ("mail", "log")),
        ({"owners": ("risk", "markets")}, ("mail", "desk", "log")),
        ({"kind": Kind.ADVISORY, "level": Severity.WARNING}, ("log",)),
    ],
)
def test_a_message_takes_the_channels_meant_for_its_level_source_and_owners(changes, names):
    assert routed(**changes) == names


def test_the_end_is_told_to_those_who_were_called_and_to_nobody_else():
    told = frozenset({"sms", "gone"})
    assert routed(Kind.RESOLVED, Severity.INFO, told=told) == ("sms",)
    assert routed(Kind.RESOLVED, Severity.CRITICAL) == ()


def test_a_rise_reaches_those_who_were_called_whatever_their_levels():
    assert "desk" in routed(Kind.RAISED, Severity.CRITICAL, told=frozenset({"desk"}))
    assert "desk" not in routed(Kind.REMINDER, Severity.CRITICAL, told=frozenset({"desk"}))


def test_a_test_takes_every_channel():
    assert len(routed(Kind.TEST, Severity.INFO)) == len(SETTINGS.channels)


@given(tries=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_waits_grow_to_five_minutes_and_no_further(tries, chance):
    assert 0.5 <= wait_s(tries, chance) <= 300
    assert wait_s(tries, chance) <= wait_s(tries + 1, chance)
    assert wait_s(tries, chance) >= wait_s(tries, 0.999) / 2


def test_what_may_have_been_taken_is_sent_again_rarely():
    day_s, copies, at_s = 86_400, 0, 0.0
    while at_s < day_s:
        copies += 1
        at_s += wait_s(copies, 0.5, unanswered=True)
    assert copies < 45
    assert wait_s(1, 0.5, unanswered=True) < 20


def test_a_message_is_tried_for_a_day():
    saved = datetime(2026, 3, 2, tzinfo=UTC)
    assert not is_given_up(saved, saved + timedelta(hours=23, minutes=59), 300)
    assert is_given_up(saved, saved + timedelta(hours=24), 300)
    assert not is_given_up(saved, saved + timedelta(days=3), 1), "nobody sent meanwhile"
