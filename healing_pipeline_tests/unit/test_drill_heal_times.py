"""How long an incident waited for its heal run, by two clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from test_drill_detections import incident

from healing_pipeline.drill.heal_times import Heal, HealRun, heal_report, heals_of
from healing_pipeline.drill.world import EPOCH
from healing_pipeline.incidents.lifecycle import Signal, State
from healing_pipeline.storage.incident_rows import IncidentEventRow

ENDPOINT = "yahoo/quote-aapl"

# Dagster's clock shows November when the drill's shows March.
DAGSTER_EPOCH_S = datetime(2026, 11, 26, 10, 0, tzinfo=UTC).timestamp()
OFFSET_S = EPOCH.timestamp() - DAGSTER_EPOCH_S

DETECTED_S = 6.0


def event(number, at_s, signal, from_state, to_state, asks_heal=False):
    at = EPOCH + timedelta(seconds=at_s)
    return IncidentEventRow(number, 1, at, signal, from_state, to_state, "", {}, asks_heal)


BEGUN = event(40, DETECTED_S, Signal.CONFIRMED, None, State.OPEN, asks_heal=True)
TAKEN = event(41, 6.5, Signal.HEAL_STARTED, State.OPEN, State.HEALING)
HEALED = event(42, 7.1, Signal.HEAL_SUCCEEDED, State.HEALING, State.HEALED)


def run(event_id=40, created_s=6.1, dequeued_s=6.2, steps=None):
    return HealRun(
        run_key=f"incident_event:{event_id}",
        status="SUCCESS",
        created_s=DAGSTER_EPOCH_S + created_s,
        dequeued_s=None if dequeued_s is None else DAGSTER_EPOCH_S + dequeued_s,
        steps={
            name: (DAGSTER_EPOCH_S + begin, None if end is None else DAGSTER_EPOCH_S + end)
            for name, (begin, end) in (steps or {}).items()
        },
        ended_s=None,
    )


def heal_of(events, *runs) -> Heal:
    (only,) = heals_of([incident(ENDPOINT, DETECTED_S)], {1: events}, runs, OFFSET_S)
    return only


def test_each_part_of_the_wait_is_told_by_the_incidents_clock():
    # detected 6.0 | made 6.1 | let go 6.2 | diagnose 6.4-6.6, heal 6.6-7.0 | healed 7.1
    steps = {"diagnose": (6.4, 6.6), "heal": (6.6, 7.0), "verify": (7.0, None)}
    heal = heal_of([BEGUN, TAKEN, HEALED], run(steps=steps))
    assert (heal.endpoint, heal.end) == (ENDPOINT, "healed")
    assert heal.requested_s == pytest.approx(0.1, abs=1e-5)
    assert heal.dequeued_s == pytest.approx(0.2, abs=1e-5)
    assert heal.begun_s == pytest.approx(0.4, abs=1e-5)
    assert heal.verified_s == pytest.approx(1.1)
    assert heal.steps == {
        "diagnose": pytest.approx(0.2, abs=1e-5),
        "heal": pytest.approx(0.4, abs=1e-5),
    }


@pytest.mark.parametrize(
    ("last", "end", "verified"),
    [
        (event(42, 7.0, Signal.RECOVERED, State.HEALING, State.RESOLVED), "recovered", 1.0),
        (event(42, 7.0, Signal.HEAL_FAILED, State.HEALING, State.ESCALATED), "escalated", None),
        (event(42, 7.0, Signal.RECOVERED, State.OPEN, State.RESOLVED), "over", None),
        (event(42, 7.0, Signal.HEAL_LOST, State.HEALING, State.OPEN), "waiting", None),
    ],
)
def test_only_what_a_run_healed_and_verified_has_its_time(last, end, verified):
    heal = heal_of([BEGUN, TAKEN, last])
    assert heal.end == end
    assert heal.verified_s == verified


def test_a_run_that_another_event_asked_for_is_not_taken_for_the_first():
    later = run(event_id=44, steps={"diagnose": (9.0, 9.1)})
    assert heal_of([BEGUN], later).begun_s is None
    assert heal_of([BEGUN], later, run()).requested_s == pytest.approx(0.1, abs=1e-5)


def test_of_two_runs_that_one_event_asked_for_the_first_to_begin_counts():
    slow = run(created_s=6.1, steps={"diagnose": (8.0, 8.1)})
    quick = run(created_s=6.2, steps={"diagnose": (6.5, 6.6)})
    for runs in ((slow, quick), (quick, slow)):
        assert heal_of([BEGUN], *runs).begun_s == pytest.approx(0.5, abs=1e-5)


def test_a_failure_that_is_the_callers_waits_for_no_run():
    quiet = replace(BEGUN, asks_heal=False)
    assert heals_of([incident(ENDPOINT, DETECTED_S)], {1: [quiet]}, [], OFFSET_S) == ()


def test_the_report_has_the_parts_one_after_the_other_and_every_end():
    def heal(end, *times, steps):
        requested_s, dequeued_s, begun_s, verified_s = times
        return Heal(ENDPOINT, "empty", end, requested_s, dequeued_s, begun_s, verified_s, steps)

    report = heal_report(
        [
            heal("healed", 0.1, 0.2, 0.5, 1.0, steps={"diagnose": 0.1, "heal": 0.3}),
            heal("healed", 0.1, 0.4, 0.5, 2.0, steps={"diagnose": 0.1, "heal": 0.5}),
            # The coordinator launched it without queueing, and it is still at it.
            heal("waiting", 0.2, None, 0.6, None, steps={}),
            heal("over", None, None, None, None, steps={}),
        ]
    )
    assert report["heals"] == {
        "healed": 2, "recovered": 0, "escalated": 0, "over": 1, "waiting": 1
    }  # fmt: skip
    assert report["healed_and_verified_s"] == {"p50": 1.5, "p95": 2.0, "max": 2.0, "n": 2}
    assert report["time_to_launch_s"]["n"] == 3
    pieces = report["pieces"]
    assert list(pieces) == ["request_s", "queue_s", "launch_s", "diagnose_s", "heal_s"]
    assert (pieces["queue_s"]["p50"], pieces["queue_s"]["n"]) == (pytest.approx(0.2), 2)
    assert (pieces["launch_s"]["max"], pieces["launch_s"]["n"]) == (pytest.approx(0.4), 3)
    assert pieces["heal_s"]["max"] == 0.5
    assert report["slowest"][0].endswith("2.00 s")
