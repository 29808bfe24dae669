"""When incidents began after what caused them, with readers about and without. Pure.

Counted by the pair of a fault and an endpoint whose plain call it more likely hits than not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from healing_pipeline.drill.fates import Evidence, Fate, Read
from healing_pipeline.drill.score import counted_spread
from healing_pipeline.simulator.faults import Fault
from healing_pipeline.storage.incident_rows import IncidentRow

# An incident so shortly after a fault's end is still the fault's: a second look, a hanging call.
AFTERWARDS = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Detection:
    """One endpoint that a fault hit, and when that was seen.

    Attributes
    ----------
    is_read : bool
        Whether readers ask for the endpoint.
    after_s : float or None
        From the fault's begin to the incident; None when there was none.
    after_meeting_s : float or None
        From the moment a reader who met the fault had asked; 0 when a probe saw it before any did,
        None when none met it, or there was no incident.
    """

    fault: Fault
    endpoint: str
    is_read: bool
    after_s: float | None
    after_meeting_s: float | None


def detections(
    incidents: Sequence[IncidentRow],
    reads: Sequence[Read],
    fates: Mapping[str, Fate],
    evidence: Evidence,
    *,
    read_endpoints: Collection[str],
    duration_s: float,
) -> tuple[Detection, ...]:
    """Every pair of fault and endpoint, but where an older incident was still open.

    Parameters
    ----------
    incidents : sequence of IncidentRow
        Of the drill, in the order of their detection.
    fates : Mapping[str, Fate]
        By the token of each read.
    """
    met = _first_meetings(reads, fates)
    found = []
    for fault in evidence.plan.faults:
        if fault.at_s >= duration_s:
            continue
        begin = evidence.started_at + timedelta(seconds=fault.at_s)
        end = evidence.started_at + timedelta(seconds=min(fault.at_s + fault.for_s, duration_s))
        for endpoint in evidence.catalog.endpoints:
            if evidence.likely(endpoint, begin) != fault:
                continue
            own = [each for each in incidents if each.endpoint == endpoint]
            if any(_was_open(each, begin) for each in own):
                continue
            detected_at = next(
                (each.detected_at for each in own if begin <= each.detected_at <= end + AFTERWARDS),
                None,
            )
            met_at = met.get((fault.index, endpoint))
            found.append(
                Detection(
                    fault=fault,
                    endpoint=endpoint,
                    is_read=endpoint in read_endpoints,
                    after_s=_seconds(begin, detected_at),
                    after_meeting_s=_seconds(met_at, detected_at),
                )
            )
    return tuple(found)


def detection_report(found: Sequence[Detection]) -> dict[str, Any]:
    """The spreads of all pairs that a fault surely hits, and a line for every fault.

    Of a fault that hits a share of the calls the second look sees nothing as often as not, and one
    bad answer that the next does not bear out is no incident.

    Returns
    -------
    dict
        ``detect_with_traffic_s`` counts from a reader's meeting, the same ``_from_begin_s`` and
        ``detect_idle_s`` from the fault's begin; ``undetected`` are pairs without an incident.
    """
    sure = [each for each in found if each.fault.match.share >= 1.0]
    read = [each for each in sure if each.is_read]
    idle = [each for each in sure if not each.is_read]
    faults = {each.fault.index: each.fault for each in found}
    return {
        "detect_with_traffic_s": counted_spread(each.after_meeting_s for each in read),
        "detect_with_traffic_from_begin_s": _spread(read),
        "detect_idle_s": _spread(idle),
        "detected_by_fault": [
            {
                "index": index,
                "fault": str(fault.kind),
                "for_s": fault.for_s,
                "share": fault.match.share,
                "with_traffic": _spread(_of(found, index, is_read=True)),
                "idle": _spread(_of(found, index, is_read=False)),
            }
            for index, fault in sorted(faults.items())
        ],
    }


def _of(found: Sequence[Detection], index: int, *, is_read: bool) -> list[Detection]:
    return [each for each in found if each.fault.index == index and each.is_read is is_read]


def _spread(found: Sequence[Detection]) -> dict[str, Any]:
    seen = [each.after_s for each in found]
    return {**counted_spread(seen), "undetected": sum(each is None for each in seen)}


def _first_meetings(
    reads: Sequence[Read], fates: Mapping[str, Fate]
) -> dict[tuple[int, str], datetime]:
    """By fault and endpoint: when the first reader asked whose plain call met it."""
    met: dict[tuple[int, str], datetime] = {}
    for each in reads:
        fate = fates[each.token]
        # Who shared an answer, or was kept back, made no call that could have told anybody.
        if fate.hit and fate.fault is not None and fate.healing_from_s > 0:
            pair = fate.fault.index, each.arrival.endpoint
            met[pair] = min(met.get(pair, each.asked_at), each.asked_at)
    return met


def _was_open(incident: IncidentRow, moment: datetime) -> bool:
    ended_at = incident.resolved_at
    return incident.detected_at < moment and (ended_at is None or ended_at > moment)


def _seconds(since: datetime | None, until: datetime | None) -> float | None:
    if since is None or until is None:
        return None
    return max(0.0, (until - since).total_seconds())
