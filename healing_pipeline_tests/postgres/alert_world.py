"""The evaluator of alerts on real tables, with a date that moves when told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from storage_samples import AAPL, NOON, answer, begin, probe

from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.catalog.values import Catalog, Endpoint, Host, Quota, Source, Upstreams
from healing_pipeline.control import heal_run
from healing_pipeline.control.alerting import Alerting
from healing_pipeline.control.diagnosing import Diagnosing
from healing_pipeline.control.settling import settle
from healing_pipeline.healing.answer import HealingFailed, Tried
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.diagnosis import Diagnosis, Place, PlaceKind, PlannedStep, RootCause
from healing_pipeline.incidents.lifecycle import Signal, State
from healing_pipeline.probing.response import Verdict
from healing_pipeline.storage import alert_groups, incidents, probes
from healing_pipeline.storage.alerts import SavedAlert, alerts_since
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.fact_store import FactStore

MSFT, GDP = "yahoo/chart-msft-1d", "fred/gdp"
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
CATALOG = Catalog(
    MappingProxyType(
        {
            # Counted by the day: a diagnosis asks for no further looks, which nobody here takes.
            name: Source(
                name, name, (Host("api", f"https://{name}.test"),), quota=Quota(per_day=500)
            )
            for name in ("yahoo", "fred")
        }
    ),
    MappingProxyType(
        {
            AAPL: Endpoint(AAPL, "yahoo", "/aapl", owner="desk"),
            MSFT: Endpoint(MSFT, "yahoo", "/msft"),
            GDP: Endpoint(GDP, "fred", "/gdp"),
        }
    ),
    Upstreams.REAL,
)


# What an upstream says that fails so.
SAID = {
    "ok": "250 bars",
    "timeout": "no answer within 3 s",
    "server_error": "status 503",
    "auth_error": "status 401: the API key is not valid",
    "invalid_data": "a bar without a close",
}


@dataclass
class AlertWorld:
    """The tables, a store of facts, an evaluator, and a date that moves when told to."""

    database: Any
    store: FactStore
    settings: AlertSettings = field(default_factory=AlertSettings)
    now: datetime = NOON

    def __post_init__(self) -> None:
        self.alerting = Alerting(CATALOG, self.settings)
        self.diagnosing = Diagnosing(CATALOG)

    def __call__(self, work, *arguments, **options):
        with self.database.connection() as connection:
            return work(connection, *arguments, **options)

    def evaluate(self):
        self(self.diagnosing.look, self.now)
        return self(self.alerting.evaluate, self.now)

    def wait(self, seconds: float, every_s: float = 5.0) -> None:
        """Let time pass, and evaluate all through it."""
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            self.now = min(until, self.now + timedelta(seconds=every_s))
            self.evaluate()

    def stored(self, *facts) -> None:
        self.store.store(list(facts))

    def looks(self) -> None:
        """Somebody looks at the sources."""
        self(
            lambda connection: probes.seed_schedule(
                connection, CATALOG.endpoints.values(), self.now + 24 * HOUR, lambda: 0.0
            )
        )

    @property
    def messages(self) -> list[SavedAlert]:
        return sorted(self(alerts_since, NOON - timedelta(days=30), 1000), key=lambda m: m.id)

    @property
    def told(self) -> list[str]:
        return [f"{each.kind} {each.level}" for each in self.messages]

    @property
    def groups(self) -> list[alert_groups.AlertGroup]:
        return self(alert_groups.groups_since, NOON - timedelta(days=30))

    def read(self, endpoint: str, good: int, bad: int, **changes) -> None:
        """Readers' requests that were just answered, or not."""
        values = {"endpoint": endpoint, "source": endpoint.split("/")[0], "at": self.now}
        failed = {"failed": True, "fidelity": None, "failure_class": "timeout"}
        self.stored(
            *(answer(**{**values, **changes}) for _ in range(good)),
            *(answer(**{**values, **failed, **changes}) for _ in range(bad)),
        )

    def seen(
        self, endpoint: str, *, good: bool, times: int = 1, failure: str | None = None
    ) -> None:
        """Probes that just found an endpoint well or ill, as its incident has it."""
        if not good and failure is None:
            row = self(incidents.open_incident_of, endpoint)
            failure = "timeout" if row is None else str(row.failure_class)
        failure = "ok" if good else failure
        for _ in range(times):
            self.stored(
                probe(
                    at=self.now,
                    endpoint=endpoint,
                    source=endpoint.split("/")[0],
                    host="api",
                    failure_class=failure,
                    evidence=SAID[failure],
                )
            )

    def incident(self, endpoint: str = AAPL, **changes) -> int:
        """An incident that begins now."""
        values = {"began_at": self.now, "at": self.now, **changes}
        values["evidence"] = SAID[values.get("failure_class", "timeout")]
        opened = self(lambda connection: begin(connection, endpoint, **values))
        assert opened is not None
        return opened.incident_id

    def give_up(self, incident_id: int) -> State:
        """Take an incident and find that nothing heals it; its cause is found by what was seen."""
        taken = self(heal_run.take, incident_id, self.now)
        seen = Verdict(taken.failure_class, taken.evidence)
        diagnosis = Diagnosis(
            endpoint=taken.endpoint,
            failure_class=taken.failure_class,
            evidence=taken.evidence,
            root_cause=RootCause.HOST_DOWN,
            severity=Severity.ERROR,
            plan=(
                PlannedStep("use_cached_data", True, "stored data may do"),
                PlannedStep("rotate_api_key", False, "the key is not what is wrong"),
            ),
            place=Place(
                PlaceKind.SOURCE, taken.endpoint.split("/")[0], taken.endpoint.split("/")[0]
            ),
            scope=(taken.endpoint,),
            chain=(),
        )
        end = HealingFailed(
            request_id=uuid4(),
            endpoint=taken.endpoint,
            verdict=seen,
            tried=(
                Tried("use_cached_data", "did not heal", "nothing stored"),
                Tried("rotate_api_key", "left out", "the key is not what is wrong"),
            ),
            attempts=1,
            seconds=2.0,
        )
        again = self(heal_run.diagnosed_again, CATALOG, taken, diagnosis, self.now)
        return self(
            settle,
            taken,
            again,
            end,
            (),
            self.now,
            catalog=replace(CATALOG, alerts=self.settings),
        ).state

    def move(self, incident_id: int, to: State, signal: Signal, **changes) -> None:
        row = self(incidents.incident_by_id, incident_id)
        moved = self(
            incidents.move_incident,
            incident_id=incident_id,
            from_state=row.state,
            to_state=to,
            signal=signal,
            at=self.now,
            note="",
            **changes,
        )
        assert moved is not None

    def try_again(self, incident_id: int) -> None:
        self.move(incident_id, State.OPEN, Signal.TRIED_AGAIN)

    def try_again_unheard(self, incident_id: int) -> None:
        """An incident that no heal run took asks with a new event."""
        self.move(incident_id, State.OPEN, Signal.TRIED_AGAIN)

    def resolve(self, incident_id: int, good: int = 2) -> None:
        endpoint = self(incidents.incident_by_id, incident_id).endpoint
        self.now += SECOND
        self.seen(endpoint, good=True, times=good)
        self.move(incident_id, State.RESOLVED, Signal.RECOVERED)

    def heal(self, incident_id: int) -> None:
        self.move(incident_id, State.HEALING, Signal.HEAL_STARTED)
        self.move(
            incident_id,
            State.HEALED,
            Signal.HEAL_SUCCEEDED,
            strategy="use_cached_data",
            fidelity="stale",
        )


@contextmanager
def alert_world(database: Database, url: str) -> Iterator[AlertWorld]:
    """A world whose sources somebody looks at."""
    with closing(FactStore(url)) as store:
        made = AlertWorld(database, store)
        made.looks()
        yield made


# Whatever a test here leaves behind.
TABLES = (
    "alert_group_incident, delivery, alert, alert_group, silence, maintenance, route,"
    " incident_event, incident, own_outage, answer, attempt, probe_result, probe_schedule,"
    " health_quarter, health_quarter_news, alert_evaluation"
)


def emptied(connection: Any) -> None:
    """Empty the tables of the one before: ten times as quick as a database of one's own."""
    connection.execute("SET LOCAL session_replication_role = replica")
    connection.execute(f"TRUNCATE {TABLES} RESTART IDENTITY CASCADE")
    connection.execute("UPDATE health_fold SET until = '-infinity'")


def escalated(world: AlertWorld, endpoint: str = AAPL, **changes) -> int:
    incident = world.incident(endpoint, **changes)
    world.seen(endpoint, good=False, times=2)
    world.give_up(incident)
    return incident
