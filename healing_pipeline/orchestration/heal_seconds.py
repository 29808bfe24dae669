"""Where the seconds of a heal run went, from the failure's detection to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import dagster as dg


def seconds_before(run: dg.DagsterRun, stats: Any, first_step_at: float) -> dict[str, float]:
    """The seconds before the first step, by what they were spent on.

    Parameters
    ----------
    run : DagsterRun
    stats : DagsterRunStatsSnapshot
        When Dagster's queue took the run, and when it was launched.
    first_step_at : float
        Seconds since the epoch.

    Returns
    -------
    dict
        ``asking``, from detection to the end of the tick that asked for the run; ``requesting``, to
        the run's place in the queue; ``queue``, to its launch; ``launch``, to the first step. What
        there was none of, or is not known, is left out: a run that was started by hand was not
        asked for.
    """
    enqueued_at, launched_at = stats.enqueued_time, stats.launch_time
    requested_at = _moment(run.tags, "healing/requested_at")
    known = [
        ("asking", 0.0, _number(run.tags, "healing/asked_after_s")),
        ("requesting", requested_at, enqueued_at or launched_at),
        ("queue", enqueued_at, launched_at),
        ("launch", launched_at, first_step_at),
    ]
    return {
        name: max(0.0, end - begin)
        for name, begin, end in known
        if begin is not None and end is not None
    }


def seconds_between(names: Sequence[str], moments: Sequence[float]) -> dict[str, float]:
    """The seconds of steps that follow each other; a step lasts until the next begins."""
    pairs = pairwise(moments)
    return {name: end - begin for name, (begin, end) in zip(names, pairs, strict=True)}


def _number(tags: Mapping[str, str], name: str) -> float | None:
    try:
        return float(tags[name])
    except (KeyError, ValueError):
        return None


def _moment(tags: Mapping[str, str], name: str) -> float | None:
    try:
        return datetime.fromisoformat(tags[name]).timestamp()
    except (KeyError, ValueError):
        return None
