"""When people are told of a group: any order of events, and a few stories."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.alerting.messages import (
    CALLS,
    LEVELS,
    TRANSITIONS,
    Change,
    GroupState,
    Kind,
    Said,
    Standing,
    after,
    due_at_once,
    message_due,
    rank,
    state_of,
)
from healing_pipeline.alerting.settings import PEOPLE_ARE_TOLD, AlertSettings
from healing_pipeline.incidents.detection import Severity

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTINGS = AlertSettings()
TOLD_LEVELS = (Severity.WARNING, Severity.ERROR, Severity.CRITICAL)


@dataclass
class Life:
    """A group that is moved by events, and asked after each whether a message is due."""

    settings: AlertSettings
    group: Standing
    now: datetime = NOON
    muted: str | None = None
    said: list[Said] = field(default_factory=list)

    def move(self, change: Change) -> None:
        self.group = replace(self.group, state=after(self.group.state, change))

    def rise(self, level: Severity) -> None:
        self.move(Change.FIRES)
        if self.group.state is GroupState.FIRING and rank(level) > rank(self.group.level):
            self.group = replace(self.group, level=level)

    def ask(self) -> Kind | None:
        decision = message_due(
            self.group, self.said, muted=self.muted, settings=self.settings, now=self.now
        )
        assert decision.because
        if decision.kind is not None:
            self.said.append(Said(decision.kind, self.group.level, self.now))
        return decision.kind


EVENTS = st.one_of(
    st.sampled_from(TOLD_LEVELS),
    st.sampled_from([Change.RECOVERS, Change.STAYED_WELL]),
    st.sampled_from(["acknowledge", "mute", "unmute"]),
    st.timedeltas(timedelta(seconds=1), 3 * HOUR),
)
ALL_SETTINGS = st.builds(
    AlertSettings,
    send_on_resolved=st.booleans(),
    minimum_reminder_interval=st.sampled_from([None, HOUR, 2 * HOUR, timedelta(minutes=5)]),
)


@given(ALL_SETTINGS, st.sampled_from(TOLD_LEVELS), st.lists(EVENTS, max_size=40))
def test_in_any_order_of_events_nobody_is_told_too_often_or_too_little(settings, level, events):
    life = Life(settings, Standing(GroupState.FIRING, level))
    rises = 0
    life.ask()
    for event in events:
        before = life.group
        match event:
            case Severity():
                life.rise(event)
                rises += life.group.level is not before.level
            case Change():
                life.move(event)
            case "acknowledge":
                life.group = replace(life.group, is_acknowledged=True)
            case "mute":
                life.muted = "silence 1"
            case "unmute":
                life.muted = None
            case timedelta():
                life.now += event
        life.ask()
        assert life.ask() is None, "the same question has no second answer"
        calls = [each for each in life.said if each.kind in CALLS]
        if life.group.state is GroupState.FIRING and life.muted is None:
            # Nothing that fires stays untold, and no rise does.
            assert calls
            assert max(rank(each.level) for each in calls) == rank(life.group.level)
    kinds = [each.kind for each in life.said]
    assert kinds.count(Kind.FIRED) <= 1
    assert kinds.count(Kind.RAISED) <= rises
    assert kinds.count(Kind.RESOLVED) <= 1
    assert kinds[:1] in ([], [Kind.FIRED])
    if Kind.RESOLVED in kinds:
        assert settings.send_on_resolved
        assert kinds[-1] is Kind.RESOLVED
        assert len(kinds) > 1
    for level in TOLD_LEVELS:
        at = [each.at for each in life.said if each.level is level and each.kind in CALLS]
        gaps = [later - earlier for earlier, later in pairwise(at)]
        assert all(gap >= HOUR for gap in gaps)
    if settings.minimum_reminder_interval is None:
        assert Kind.REMINDER not in kinds


def said(*kinds: Kind, level: Severity = Severity.ERROR) -> list[Said]:
    return [Said(each, level, NOON) for each in kinds]


FIRING = Standing(GroupState.FIRING, Severity.ERROR)


@pytest.mark.parametrize(
    ("group", "told", "muted", "kind", "because"),
    [
        (FIRING, [], None, Kind.FIRED, "nobody was told"),
        (FIRING, [], "silence 3", None, "muted: silence 3"),
        (FIRING, said(Kind.FIRED), None, None, "told at 2026-03-02 12:00:00"),
        (
            replace(FIRING, level=Severity.CRITICAL),
            said(Kind.FIRED),
            None,
            Kind.RAISED,
            "rose from error to critical",
        ),
        (
            replace(FIRING, level=Severity.CRITICAL, is_acknowledged=True),
            said(Kind.FIRED),
            None,
            Kind.RAISED,
            "rose",
        ),
        (replace(FIRING, state=GroupState.RECOVERED), [], None, None, "it has recovered"),
        (replace(FIRING, level=Severity.INFO), [], None, None, "logged"),
    ],
)
def test_who_is_called_at_once_and_why(group, told, muted, kind, because):
    decision = due_at_once(group, told, muted)
    assert decision.kind is kind
    assert because in decision.because


@pytest.mark.parametrize(
    ("group", "after", "kind", "because"),
    [
        (FIRING, HOUR - timedelta(seconds=1), None, "again at 2026-03-02 13:00"),
        (FIRING, HOUR, Kind.REMINDER, "still fires"),
        (replace(FIRING, is_acknowledged=True), HOUR, None, "acknowledged"),
        (replace(FIRING, level=Severity.WARNING), HOUR, None, "warning is not repeated"),
    ],
)
def test_who_is_reminded_and_why(group, after, kind, because):
    told = said(Kind.FIRED, level=group.level)
    decision = message_due(group, told, muted=None, settings=SETTINGS, now=NOON + after)
    assert decision.kind is kind
    assert because in decision.because


@pytest.mark.parametrize(
    ("told", "settings", "kind"),
    [
        (said(Kind.FIRED), SETTINGS, Kind.RESOLVED),
        ([], SETTINGS, None),
        (said(Kind.FIRED, Kind.RESOLVED), SETTINGS, None),
        (said(Kind.FIRED), replace(SETTINGS, send_on_resolved=False), None),
    ],
)
def test_what_was_told_is_closed_even_while_it_is_muted(told, settings, kind):
    group = Standing(GroupState.RESOLVED, Severity.ERROR)
    decision = message_due(group, told, muted="silence 1", settings=settings, now=NOON)
    assert decision.kind is kind


def test_levels_are_told_that_people_can_be_told():
    assert {Severity.ERROR, Severity.CRITICAL} == PEOPLE_ARE_TOLD
    assert [rank(each) for each in LEVELS] == [0, 1, 2, 3]


def test_a_group_stands_where_its_moments_say():
    assert state_of(None, None) is GroupState.FIRING
    assert state_of(NOON, None) is GroupState.RECOVERED
    assert state_of(NOON, NOON) is GroupState.RESOLVED
    assert TRANSITIONS[GroupState.RESOLVED] == {}


def test_the_documents_diagram_is_the_table():
    document = (Path(__file__).parents[2] / "docs" / "explanation" / "alerts.md").read_text(
        encoding="utf-8"
    )
    drawn = document.split("stateDiagram-v2\n")[1].split("```")[0]
    moves = [
        f"    {state} --> {to}: {change}"
        for state, changes in TRANSITIONS.items()
        for change, to in changes.items()
        if to is not state
    ]
    assert drawn.splitlines() == ["    [*] --> firing: fires", *moves, "    resolved --> [*]"]
