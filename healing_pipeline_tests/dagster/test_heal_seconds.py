from __future__ import annotations

from types import SimpleNamespace

import dagster as dg
import pytest

from healing_pipeline.orchestration.heal_seconds import seconds_before, seconds_between

AT = 1_795_694_400.0  # 2026-11-26 12:00:00 UTC
TAGS = {
    "healing/requested_at": "2026-11-26T12:00:00.250+00:00",
    "healing/asked_after_s": "0.120",
}


def spent(tags: dict[str, str], enqueued: float | None, launched: float | None) -> dict[str, float]:
    run = dg.DagsterRun(job_name="heal_endpoint", tags=tags)
    stats = SimpleNamespace(enqueued_time=enqueued, launch_time=launched)
    found = seconds_before(run, stats, AT + 2.0)
    return {name: round(seconds, 3) for name, seconds in found.items()}


def test_the_seconds_before_the_first_step_follow_each_other_without_a_gap():
    found = spent(TAGS, AT + 0.5, AT + 1.25)
    assert found == {"asking": 0.12, "requesting": 0.25, "queue": 0.75, "launch": 0.75}
    assert sum(found.values()) == pytest.approx(0.12 + 2.0 - 0.25)


def test_without_a_queue_a_run_is_requested_until_it_is_launched():
    assert spent(TAGS, None, AT + 1.25) == {"asking": 0.12, "requesting": 1.0, "launch": 0.75}


def test_a_run_that_was_started_by_hand_was_not_asked_for():
    assert spent({}, AT + 0.5, AT + 1.25) == {"queue": 0.75, "launch": 0.75}


@pytest.mark.parametrize("text", ["", "yesterday", "12"])
def test_a_tag_that_somebody_edited_counts_as_none(text):
    tags = {"healing/requested_at": text, "healing/asked_after_s": "soon"}
    assert spent(tags, AT + 0.5, AT + 1.25) == {"queue": 0.75, "launch": 0.75}


def test_clocks_that_disagree_make_no_negative_seconds():
    assert spent(TAGS, AT, AT + 1.0)["requesting"] == 0.0


def test_a_step_lasts_until_the_next_begins():
    assert seconds_between(("a", "b"), (1.0, 3.0, 3.5)) == {"a": 2.0, "b": 0.5}
