"""A dashboard over a real database without a socket, and facts for it to show."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
from starlette.applications import Starlette

from healing_pipeline.catalog.settings import Settings
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.healing.facts import AnswerFact, Attempt, Decision, Fact, ProbeResult
from healing_pipeline.incidents.lifecycle import Signal, State
from healing_pipeline.storage.bounded import BoundedDatabase
from healing_pipeline.storage.database import connection_info
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.incidents import begin_incident, move_incident
from healing_pipeline.web.dashboard.app import PAGES
from healing_pipeline.web.dashboard.parts import Dashboard

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOW = NOON + timedelta(hours=1)
AAPL = "yahoo/chart-aapl-1d"
PLANTED = "<script>alert('planted')</script>"


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@dataclass
class Visitor:
    """Asks the pages of a dashboard, as a browser without JavaScript would."""

    catalog: Catalog
    url: str
    settings: Settings
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.database = BoundedDatabase(lambda: self.url)
        dashboard = Dashboard(self.catalog, self.settings, lambda: self.now, self.database)
        self.app = Starlette(routes=[route for pages in PAGES for route in pages(dashboard)])

    def ask(self, target: str, method: str = "GET", **options: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as own:
                return await own.request(method, target, **options)

        return asyncio.run(once())

    def page(self, target: str, status: int = 200) -> str:
        response = self.ask(target)
        assert response.status_code == status, response.text
        assert response.headers["content-type"].startswith("text/html")
        return response.text


def stored(url: str, *facts: Fact) -> None:
    store = FactStore(url)
    try:
        store.store(facts)
    finally:
        store.close()


def attempt(**changes: Any) -> Attempt:
    values: dict[str, Any] = {
        "id": uuid4(),
        "request_id": uuid4(),
        "attempt_no": 1,
        "at": NOON,
        "origin": "reader",
        "source": "yahoo",
        "endpoint": AAPL,
        "strategy": "plain",
        "host": "query1",
        "key_name": None,
        "failure_class": "ok",
        "evidence": "250 bars",
        "healed": True,
        "fidelity": "exact",
        "seconds": 0.25,
        "status": 200,
        "upstream_calls": 1,
    }
    return Attempt(**{**values, **changes})


def failed_attempt(**changes: Any) -> Attempt:
    failure = {"failure_class": "timeout", "evidence": "no answer within 3 s", "healed": False}
    return attempt(**{**failure, "fidelity": None, "status": None, **changes})


def answer(**changes: Any) -> AnswerFact:
    values: dict[str, Any] = {
        "request_id": uuid4(),
        "at": NOON,
        "source": "yahoo",
        "endpoint": AAPL,
        "fidelity": "exact",
        "strategy": "plain",
        "provider": "yahoo",
        "attempts": 1,
        "seconds": 0.25,
        "failure_class": None,
        "failed": False,
        "as_of": NOON,
    }
    return AnswerFact(**{**values, **changes})


def unanswered(**changes: Any) -> AnswerFact:
    failure = {"fidelity": None, "strategy": None, "provider": None, "as_of": None, "failed": True}
    return answer(**{**failure, "failure_class": "timeout", "seconds": 3.0, **changes})


def probe(**changes: Any) -> ProbeResult:
    values: dict[str, Any] = {
        "id": uuid4(),
        "at": NOON,
        "source": "yahoo",
        "endpoint": AAPL,
        "host": "query1",
        "key_name": None,
        "failure_class": "ok",
        "evidence": "250 bars",
        "seconds": 0.2,
        "status": 200,
        "as_of": NOON,
    }
    return ProbeResult(**{**values, **changes})


def decision(request_id: UUID, **changes: Any) -> Decision:
    values: dict[str, Any] = {
        "request_id": request_id,
        "decision_no": 1,
        "at": later(3),
        "origin": "heal",
        "source": "yahoo",
        "endpoint": AAPL,
        "failure_class": "timeout",
        "policy": None,
        "budget_s": 9.5,
        "considered": {
            "candidates": [
                candidate("alternate_host", "query2 may answer", 0.8, 2.7),
                candidate("use_cached_data", "data of 40 s ago is in the store", 0.4, 1.3),
            ],
            "left_out": [{"strategy": "etf_proxy", "because": "no proxy is accepted"}],
            "failed": [],
            "belief": {},
        },
    }
    return Decision(**{**values, **changes})


def candidate(strategy: str, because: str, p: float, score: float) -> dict[str, Any]:
    return {
        "strategy": strategy,
        "because": because,
        "p": p,
        "learned": p,
        "layer": "inner",
        "tries": 12,
        "seconds": 0.3,
        "loss_s": 0.0,
        "score": score,
        "packed": True,
    }


def an_incident(
    url: str,
    *signals: tuple[Signal, State, float],
    endpoint: str = AAPL,
    evidence: str = "no answer within 3 s",
    note: str = "as it was",
    detail: dict[str, Any] | None = None,
    began_s: float = 0.0,
) -> int:
    """An incident that began at noon, was detected two seconds later and took these steps."""
    with psycopg.connect(connection_info(url)) as connection:
        opened = begin_incident(
            connection,
            endpoint=endpoint,
            source=endpoint.split("/")[0],
            failure_class="timeout",
            evidence=evidence,
            severity="error",
            detected_by="probe",
            began_at=later(began_s),
            at=later(began_s + 2),
            signal="confirmed",
            to_state="open",
            asks_heal=True,
            note=note,
        )
        assert opened is not None
        state = State.OPEN
        for signal, to_state, at_s in signals:
            moved = move_incident(
                connection,
                incident_id=opened.incident_id,
                from_state=state,
                to_state=to_state,
                signal=signal,
                at=later(began_s + at_s),
                note=note,
                detail=detail,
                strategy="alternate_host" if to_state is State.HEALED else None,
                fidelity="exact" if to_state is State.HEALED else None,
                root_cause="host down",
            )
            assert moved is not None
            state = to_state
    return opened.incident_id


HEALED = ((Signal.HEAL_STARTED, State.HEALING, 3.0), (Signal.HEAL_SUCCEEDED, State.HEALED, 5.0))
OVER = (*HEALED, (Signal.RECOVERED, State.RESOLVED, 62.0))
ESCALATED = (
    (Signal.HEAL_STARTED, State.HEALING, 3.0),
    (Signal.HEAL_FAILED, State.ESCALATED, 9.0),
)
