"""When an incident began after its fault: with a reader about, and where only probes look."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from healing_pipeline.drill.detections import Detection, detection_report, detections
from healing_pipeline.drill.fates import Evidence, Fate, Read
from healing_pipeline.drill.schedule import Arrival
from healing_pipeline.drill.world import EPOCH, drill_catalog
from healing_pipeline.healing.answer import HealingFailed
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict
from healing_pipeline.simulator.faults import Fault, FaultKind, FaultPlan, Match
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.storage.incident_rows import IncidentRow

CATALOG = drill_catalog(addresses(21_000), load_scenario("calm"))
READ, UNREAD = "yahoo/quote-aapl", "yahoo/quote-spy"
QUOTES = Match("yahoo", path="/v7/finance/quote")
DURATION_S = 30.0


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def fault(index=0, at_s=5.0, for_s=10.0, match=QUOTES):
    return Fault(index, at_s, for_s, match, FaultKind.HTML_PAGE)


def incident(endpoint, detected_s, resolved_s=None) -> IncidentRow:
    detected_at = EPOCH + seconds(detected_s)
    resolved_at: datetime | None = None if resolved_s is None else EPOCH + seconds(resolved_s)
    return IncidentRow(
        id=1,
        endpoint=endpoint,
        source="yahoo",
        state=State.OPEN if resolved_at is None else State.RESOLVED,
        state_since=detected_at,
        failure_class=FailureClass.INVALID_DATA,
        evidence="",
        severity=Severity.ERROR,
        root_cause=None,
        detected_by="probe",
        began_at=detected_at,
        detected_at=detected_at,
        healing_since=None,
        healed_at=None,
        resolved_at=resolved_at,
        strategy=None,
        fidelity=None,
        heals=0,
    )


def meeting(asked_s, hit, token="r1") -> tuple[Read, Fate]:
    """A reader that asked, and met the fault or not."""
    asked_at = EPOCH + seconds(asked_s)
    end = HealingFailed(UUID(int=1), READ, Verdict(FailureClass.EMPTY, ""), (), 1, 0.3)
    read = Read(Arrival(asked_s, READ), token, asked_at, asked_at + seconds(0.3), end)
    return read, Fate(hit is not None, hit, misjudged=False, healing_from_s=0.3)


def found(faults, incidents, meetings=()) -> dict[str, Detection]:
    """By endpoint, of those two."""
    evidence = Evidence(CATALOG, FaultPlan(1, tuple(faults)), EPOCH, {}, {})
    all_of_them = detections(
        incidents,
        [read for read, _ in meetings],
        {read.token: fate for read, fate in meetings},
        evidence,
        read_endpoints={READ},
        duration_s=DURATION_S,
    )
    return {each.endpoint: each for each in all_of_them if each.endpoint in (READ, UNREAD)}


def test_every_endpoint_that_a_fault_hits_counts_and_no_other():
    evidence = Evidence(CATALOG, FaultPlan(1, (fault(),)), EPOCH, {}, {})
    pairs = detections([], [], {}, evidence, read_endpoints={READ}, duration_s=DURATION_S)
    assert {each.endpoint for each in pairs} == {
        name for name, each in CATALOG.endpoints.items() if each.path == "/v7/finance/quote"
    }
    assert [each.endpoint for each in pairs if each.is_read] == [READ]


def test_where_nobody_asks_it_counts_from_the_begin_of_the_fault():
    seen = found([fault()], [incident(UNREAD, 8.5)])
    assert seen[UNREAD].after_s == pytest.approx(3.5)
    assert seen[UNREAD].after_meeting_s is None
    assert seen[READ].after_s is None


def test_where_readers_ask_it_counts_from_the_first_who_met_it_too():
    meetings = [meeting(4.0, None, "r0"), meeting(6.0, fault(), "r1"), meeting(7.0, fault(), "r2")]
    seen = found([fault()], [incident(READ, 6.4)], meetings)[READ]
    assert seen.after_s == pytest.approx(1.4)
    assert seen.after_meeting_s == pytest.approx(0.4)


def test_a_probe_that_was_first_leaves_nothing_to_wait_for():
    seen = found([fault()], [incident(READ, 5.5)], [meeting(6.0, fault())])[READ]
    assert seen.after_s == pytest.approx(0.5)
    assert seen.after_meeting_s == 0.0


@pytest.mark.parametrize(
    ("detected_s", "after_s"), [(4.9, None), (5.0, 0.0), (19.9, 14.9), (20.1, None)]
)
def test_an_incident_is_a_faults_from_its_begin_to_a_moment_after_its_end(detected_s, after_s):
    seen = found([fault()], [incident(READ, detected_s, resolved_s=detected_s)])[READ]
    assert seen.after_s == (None if after_s is None else pytest.approx(after_s))


def test_what_had_an_incident_open_cannot_be_detected_again():
    old = incident(READ, 2.0, resolved_s=6.0)
    assert set(found([fault()], [old])) == {UNREAD}
    assert set(found([fault()], [incident(READ, 2.0, resolved_s=4.0)])) == {READ, UNREAD}


def test_a_fault_that_another_covers_is_not_waited_for():
    later = fault(1, at_s=5.0)
    assert {each.fault.index for each in found([fault(), later], []).values()} == {1}
    assert found([fault(at_s=DURATION_S)], []) == {}


def test_what_hits_a_share_of_the_calls_is_told_by_its_fault_and_not_in_the_spreads():
    partly = fault(0, match=Match("yahoo", path="/v7/finance/quote", share=0.5))
    sure = fault(1, at_s=20.0)
    report = detection_report(
        [
            Detection(partly, READ, True, 9.0, 8.0),
            Detection(partly, UNREAD, False, None, None),
            Detection(sure, READ, True, 2.0, 0.5),
            Detection(sure, UNREAD, False, 4.0, None),
        ]
    )
    assert report["detect_with_traffic_s"] == {"p50": 0.5, "p95": 0.5, "max": 0.5, "n": 1}
    assert report["detect_with_traffic_from_begin_s"]["max"] == 2.0
    assert (report["detect_idle_s"]["max"], report["detect_idle_s"]["undetected"]) == (4.0, 0)
    first, second = report["detected_by_fault"]
    assert (first["share"], second["share"]) == (0.5, 1.0)
    assert first["with_traffic"]["max"] == 9.0
    assert (first["idle"]["n"], first["idle"]["undetected"]) == (0, 1)
