"""Facts and incidents to store, and ten workers to race."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import psycopg

from healing_pipeline.healing.facts import AnswerFact, Attempt, Decision, ProbeResult, SnapshotFact
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.storage.database import connection_info
from healing_pipeline.storage.incidents import NewIncident, OpenedIncident, begin_incident

Result = TypeVar("Result")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
AAPL = "yahoo/chart-aapl-1d"


def at_once(
    url: str, work: Callable[[psycopg.Connection[Any], int], Result], workers: int = 10
) -> list[Result]:
    """What `work` gave each of the workers, which start together, a connection each."""
    start = threading.Barrier(workers)

    def one(number: int) -> Result:
        with psycopg.connect(connection_info(url)) as connection:
            start.wait(20)
            return work(connection, number)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, range(workers)))


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def new(endpoint: str = AAPL, **changes: Any) -> NewIncident:
    values = {
        "endpoint": endpoint,
        "source": endpoint.split("/")[0],
        "failure_class": "timeout",
        "evidence": "no answer within 3 s",
        "severity": "error",
        "detected_by": "probe",
        "began_at": NOON,
        "at": later(2),
        "signal": "confirmed",
        "to_state": "open",
        "asks_heal": True,
        "note": "seen twice",
    }
    return NewIncident(**{**values, **changes})


def begin(
    connection: psycopg.Connection[Any], endpoint: str = AAPL, **changes: Any
) -> OpenedIncident | None:
    return begin_incident(connection, **asdict(new(endpoint, **changes)))


def attempt(**changes: Any) -> Attempt:
    made = Attempt(
        id=uuid4(),
        request_id=uuid4(),
        attempt_no=1,
        at=NOON,
        origin="reader",
        source="yahoo",
        endpoint=AAPL,
        strategy="plain",
        host="query1",
        key_name=None,
        failure_class="ok",
        evidence="250 bars",
        healed=True,
        fidelity="exact",
        seconds=0.25,
        status=200,
        upstream_calls=1,
        params={"range": "1y"},
    )
    return replace(made, **changes)


def decision(**changes: Any) -> Decision:
    made = Decision(
        request_id=uuid4(),
        decision_no=1,
        at=NOON,
        origin="reader",
        source="yahoo",
        endpoint=AAPL,
        failure_class="timeout",
        policy=None,
        budget_s=1.8,
        considered={"candidates": [], "left_out": [], "failed": []},
    )
    return replace(made, **changes)


def failed_attempt(**changes: Any) -> Attempt:
    failure: dict[str, Any] = {
        "failure_class": "timeout",
        "evidence": "no answer within 3 s",
        "healed": False,
        "fidelity": None,
        "status": None,
    }
    return attempt(**{**failure, **changes})


def answer(**changes: Any) -> AnswerFact:
    made = AnswerFact(
        request_id=uuid4(),
        at=NOON,
        source="yahoo",
        endpoint=AAPL,
        fidelity="exact",
        strategy="plain",
        provider="yahoo",
        attempts=1,
        seconds=0.25,
        failure_class=None,
        failed=False,
        as_of=NOON,
    )
    return replace(made, **changes)


def probe(**changes: Any) -> ProbeResult:
    made = ProbeResult(
        id=uuid4(),
        at=NOON,
        source="yahoo",
        endpoint=AAPL,
        host="query1",
        key_name=None,
        failure_class="ok",
        evidence="250 bars",
        seconds=0.2,
        status=200,
        as_of=NOON,
    )
    return replace(made, **changes)


def snapshot(**changes: Any) -> SnapshotFact:
    reading = Reading("AAPL", "1d", (Point(NOON, "close", 187.25),), NOON)
    made = SnapshotFact(
        endpoint=AAPL,
        request_key="",
        fetched_at=NOON,
        as_of=NOON,
        provider="yahoo",
        reading=reading,
        body=b'{"chart": 1}\x00\xff',
        fidelity="exact",
    )
    return replace(made, **changes)
