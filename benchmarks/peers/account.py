"""From a replay to figures: per contender, per fault met, and where exact data was missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from healing_pipeline.drill.ways import asked_of
from healing_pipeline.simulator.faults import FaultPlan
from peers.existing import ExactWay, Had, exact_way
from peers.judging import Judge, Judged, Worth
from peers.replay import Done, Replayed

NO_FAULT = "none"
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Scored:
    """One request with its worth.

    Attributes
    ----------
    fault : str
        Kind of the fault that covered the plain call; `NO_FAULT` for none.
    exact_by : ExactWay or None
        A call that would have brought exact data in time; None where there was none, and where
        there was no need.
    """

    done: Done
    judged: Judged
    at_s: float
    fault: str
    exact_by: ExactWay | None


def scored(replayed: Replayed, judge: Judge, plan: FaultPlan) -> list[Scored]:
    """Judge every request of a replay."""
    found = []
    for done in replayed.done:
        at_s = (done.asked_at - replayed.started_at) / timedelta(seconds=1)
        judged = judge.worth(done.arrival.endpoint, done.end, done.asked_at, done.answered_at)
        endpoint = replayed.catalog.endpoints[done.arrival.endpoint]
        asked = asked_of(replayed.catalog, endpoint, done.asked_at)
        covering = plan.matching(asked, at_s)
        fault = covering[-1].kind.value if covering else NO_FAULT
        exact_by = None
        if judged.worth is not Worth.EXACT:
            exact_by = exact_way(replayed.catalog, endpoint, judge.truth, plan, done.asked_at, at_s)
        found.append(Scored(done, judged, at_s, fault, exact_by))
    return found


def figures(name: str, results: Sequence[Scored], calls: int) -> dict[str, Any]:
    """What is printed of one contender."""
    by_fault: dict[str, list[Scored]] = {}
    for each in results:
        by_fault.setdefault(each.fault, []).append(each)
    waits = sorted(each.done.seconds for each in results)
    return {
        "contender": name,
        "requests": len(results),
        **shares(results),
        "p50_ms": 1000 * percentile(waits, 0.50),
        "p99_ms": 1000 * percentile(waits, 0.99),
        "max_ms": 1000 * waits[-1],
        "upstream_calls_per_request": calls / len(results),
        "by_fault": {
            fault: {"requests": len(some), **shares(some)}
            for fault, some in sorted(by_fault.items())
        },
        "exact_missed": missed(results),
        "wrong": _examples(results, {Worth.WRONG_AS_GOOD, Worth.ERROR_AS_SUCCESS}),
        "failed": _examples(results, {Worth.ERROR}),
    }


def shares(results: Sequence[Scored]) -> dict[str, Any]:
    """Shares of correct data, and counts of what went wrong."""
    counts = Counter(each.judged.worth for each in results)
    correct = counts[Worth.EXACT] + counts[Worth.LABELLED]
    return {
        "exact_share": counts[Worth.EXACT] / len(results),
        "correct_share": correct / len(results),
        "wrong_as_good": counts[Worth.WRONG_AS_GOOD],
        "error_as_success": counts[Worth.ERROR_AS_SUCCESS],
        "errors": counts[Worth.ERROR],
    }


def percentile(ascending: Sequence[float], share: float) -> float:
    """The smallest value that `share` of the values do not exceed."""
    rank = -(-share * len(ascending) // 1)
    return ascending[max(0, int(rank) - 1)]


def missed(results: Sequence[Scored]) -> list[dict[str, Any]]:
    """Where exact data existed and was not handed over: the surest, then the most frequent."""
    groups: dict[tuple[str, ...], list[Scored]] = {}
    for each in results:
        if each.exact_by is not None:
            source = each.done.arrival.endpoint.partition("/")[0]
            ended = each.judged.said if each.judged.worth is Worth.LABELLED else each.judged.worth
            groups.setdefault((str(each.exact_by), each.fault, source, ended), []).append(each)
    surest = list(Had)
    return [
        {
            "exact_was_at": at,
            "fault": fault,
            "source": source,
            "ended": ended,
            "requests": len(some),
            "examples": [_example(each) for each in some[:_EXAMPLES]],
        }
        for (at, fault, source, ended), some in sorted(
            groups.items(),
            key=lambda item: (surest.index(item[1][0].exact_by.had), -len(item[1])),
        )
    ]


def _examples(results: Sequence[Scored], worths: set[Worth]) -> list[Mapping[str, Any]]:
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for each in results:
        if each.judged.worth in worths:
            group = (each.judged.worth, each.fault)
            seen[group] += 1
            if seen[group] <= _EXAMPLES:
                found.append(_example(each))
    return found


def _example(each: Scored) -> Mapping[str, Any]:
    return {
        "at_s": round(each.at_s, 2),
        "endpoint": each.done.arrival.endpoint,
        "fault": each.fault,
        "ended": each.judged.worth.value,
        "said": each.judged.said,
        "because": each.judged.because,
        "trail": each.judged.trail,
        "seconds": round(each.done.seconds, 3),
        "exact_was_at": None if each.exact_by is None else str(each.exact_by),
    }
