"""The score of a drill: what readers got, held against what was true. Pure.

The keys of the report are a contract (DESIGN of the drill's JSON); more may be added, none renamed.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from healing_pipeline.healing.fidelity import Fidelity


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one reader's request ended, and what was true of it.

    Attributes
    ----------
    fidelity : Fidelity or None
        None when the reader got a failure.
    met_fault : bool
        Whether a plain first attempt at that moment would have failed or lied.
    failure_class : str
        What it met; ``ok`` when nothing.
    existed : bool
        Whether an answer of an accepted fidelity existed anywhere at that moment.
    wrong : str or None
        Why the data is worse than its label; None when it is not.
    lagging : str or None
        How the data lags behind the truth where nobody could have known; then `wrong` is None.
    upstream_calls : int
    heal_s : float
        Seconds from the end of the first attempt to the answer; 0 when nothing was healed.
    misjudged : bool
        Whether good data was called bad, and so healed for nothing.
    strategy : str or None
        What gave the answer; None when there is none.
    """

    request_id: str
    endpoint: str
    at_s: float
    fidelity: Fidelity | None
    met_fault: bool
    failure_class: str
    existed: bool
    wrong: str | None
    upstream_calls: int
    seconds: float
    heal_s: float
    misjudged: bool = False
    strategy: str | None = None
    lagging: str | None = None


@dataclass(frozen=True, slots=True)
class FaultSeen:
    """One fault of the script, and when it was noticed.

    Attributes
    ----------
    detected_after_s : float or None
        Seconds from its begin; None when nobody noticed.
    met : int
        Upstream calls of any origin that it touched.
    """

    index: int
    fault: str
    source: str
    at_s: float
    for_s: float
    detected_after_s: float | None
    met: int


@dataclass(frozen=True, slots=True)
class Books:
    """The drill's book-keeping of events: what was told, and what the database holds.

    Attributes
    ----------
    incidents : int
        As people count them: one for each root cause.
    incident_members : int
        Incidents of single endpoints that those are made of.
    """

    told: int
    lost: int
    doubled: int
    incidents: int
    incident_members: int
    alerts_sent: int


def score(
    *,
    scenario: str,
    seed: int,
    duration_s: float,
    outcomes: Sequence[Outcome],
    faults: Sequence[FaultSeen],
    books: Books,
) -> dict[str, Any]:
    """Add up a drill.

    Returns
    -------
    dict
        The report, ready for JSON.
    """
    met = [each for each in outcomes if each.met_fault]
    unavoidable = [each for each in met if each.fidelity is None and not each.existed]
    errors = [each for each in outcomes if each.fidelity is None and each.existed]
    healable = len(met) - len(unavoidable)
    answers = Counter("failed" if each.fidelity is None else each.fidelity for each in outcomes)
    return {
        "scenario": scenario,
        "seed": seed,
        "duration_s": duration_s,
        "requests": len(outcomes),
        "answers": {name: answers[name] for name in (*Fidelity, "failed")},
        "met_fault": len(met),
        "unavoidable": len(unavoidable),
        "healed_share": _healed_share(healable, len(errors)),
        "healed_by_class": _by_class(met),
        "healed_by_strategy": dict(
            sorted(Counter(each.strategy for each in met if each.strategy is not None).items())
        ),
        "reader_errors": len(errors),
        "wrong_as_good": sum(each.wrong is not None for each in outcomes),
        "lagging_as_good": sum(each.lagging is not None for each in outcomes),
        "time_to_detect_s": spread(
            each.detected_after_s for each in faults if each.detected_after_s is not None
        ),
        "time_to_heal_s": spread(each.heal_s for each in met if each.fidelity is not None),
        "longest_wait_s": max((each.seconds for each in outcomes), default=None),
        "upstream_calls_per_request": {
            "healthy": _mean(each.upstream_calls for each in outcomes if not each.met_fault),
            "faulty": _mean(each.upstream_calls for each in met),
        },
        "false_alarms": sum(each.misjudged for each in outcomes),
        "incidents": books.incidents,
        "incident_members": books.incident_members,
        "alerts_sent": books.alerts_sent,
        "events": books.told,
        "events_lost": books.lost,
        "events_doubled": books.doubled,
        "faults": [_fault(each) for each in faults],
        "faults_undetected": sum(each.detected_after_s is None for each in faults),
        "wrong_examples": [
            f"{each.endpoint} at {each.at_s:.1f} s: {each.wrong}" for each in outcomes if each.wrong
        ][:5],
        "lagging_examples": [
            f"{each.endpoint} at {each.at_s:.1f} s: {each.lagging}"
            for each in outcomes
            if each.lagging
        ][:5],
        "error_examples": [
            f"{each.endpoint} at {each.at_s:.1f} s: met {each.failure_class}" for each in errors
        ][:5],
    }


def is_clean(report: Mapping[str, Any]) -> bool:
    """Whether a drill may exit with 0: no reader error, no wrong datum, no event lost or twice.

    What lags where nobody could have known does not fail a drill; it is counted and shown.
    """
    return not any(
        report[key] for key in ("reader_errors", "wrong_as_good", "events_lost", "events_doubled")
    )


def spread(values: Iterable[float]) -> dict[str, float | None]:
    """Median, 95th percentile (nearest rank) and maximum; None of each when there are none."""
    ordered = sorted(values)
    if not ordered:
        return {"p50": None, "p95": None, "max": None}
    rank = max(0, -(-95 * len(ordered) // 100) - 1)
    return {
        "p50": round(statistics.median(ordered), 4),
        "p95": round(ordered[rank], 4),
        "max": round(ordered[-1], 4),
    }


def counted_spread(values: Iterable[float | None]) -> dict[str, Any]:
    """`spread` of the values that are there, and how many those are."""
    there = [each for each in values if each is not None]
    return {**spread(there), "n": len(there)}


def _healed_share(healable: int, errors: int) -> float:
    # An error without a fault of the script is an error all the same, and no share is below 0.
    return 1.0 if healable == 0 else max(0.0, (healable - errors) / healable)


def _by_class(met: Sequence[Outcome]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: {"met": 0, "healed": 0})
    for each in met:
        counts[each.failure_class]["met"] += 1
        counts[each.failure_class]["healed"] += each.fidelity is not None
    return dict(sorted(counts.items()))


def _mean(values: Iterable[int]) -> float | None:
    numbers = list(values)
    return round(statistics.fmean(numbers), 4) if numbers else None


def _fault(fault: FaultSeen) -> dict[str, Any]:
    return {
        "index": fault.index,
        "fault": fault.fault,
        "source": fault.source,
        "at_s": fault.at_s,
        "for_s": fault.for_s,
        "detected_after_s": (
            None if fault.detected_after_s is None else round(fault.detected_after_s, 3)
        ),
        "met": fault.met,
    }
