"""Outages in the tables: what fails, and what was seen of it, as probes and calls leave it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from storage_samples import NOON, attempt, begin, probe

from healing_pipeline.catalog.values import ApiKey, Catalog, Endpoint, Host, Source, Upstreams
from healing_pipeline.control.diagnosing import Diagnosed, diagnose_open
from healing_pipeline.incidents.evidence import standings
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.storage import incidents
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.incidents import IncidentRow
from healing_pipeline.storage.joint_incidents import joint_incidents, members_of

QUOTES = tuple(f"yahoo/quote-{name}" for name in ("a", "b", "c", "d", "e", "f"))
SERIES = tuple(f"fred/series-{name}" for name in ("a", "b", "c"))
RATES = ("fx/rate-a", "fx/rate-b")


def catalog_of(endpoints: Iterable[str] = (*QUOTES, *SERIES, *RATES)) -> Catalog:
    sources = {
        "yahoo": Source(
            "yahoo", "yahoo", (Host("query1", "https://q1.test"), Host("query2", "https://q2.test"))
        ),
        "fred": Source(
            "fred", "fred", (Host("fred", "https://f.test"),),
            keys=(ApiKey("primary", "A_KEY", "k1"), ApiKey("spare", "B_KEY", "k2")),
        ),
        "fx": Source("fx", "exchange_rate", (Host("v6", "https://v6.test"),)),
    }  # fmt: skip
    return Catalog(
        MappingProxyType(sources),
        MappingProxyType(
            {
                each: Endpoint(each, each.partition("/")[0], f"/v1/{each.partition('/')[2]}")
                for each in endpoints
            }
        ),
        Upstreams.REAL,
    )


SAID = {"ok": "250 bars", "auth_error": "status 401: the API key is not valid"}
FIRST_HOST = {"yahoo": "query1", "fred": "fred", "fx": "v6"}


@dataclass
class Outages:
    """The tables, and a moment that moves when told to."""

    database: Any
    store: FactStore
    now: datetime = NOON
    places: Any = field(default_factory=lambda: standings(catalog_of()))

    def __call__(self, work, *arguments, **options):
        with self.database.connection() as connection:
            return work(connection, *arguments, **options)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def seen(self, *endpoints: str, failure: str = "ok", **changes: Any) -> None:
        """A probe of each of them just found this."""
        for each in endpoints:
            source = each.partition("/")[0]
            values = {
                "at": self.now, "endpoint": each, "source": source, "host": FIRST_HOST[source],
                "key_name": "primary" if source == "fred" else None, "failure_class": failure,
                "evidence": SAID.get(failure, f"it was {failure}"),
            }  # fmt: skip
            self.store.store([probe(**{**values, **changes})])

    def called(self, *endpoints: str, failure: str = "ok", **changes: Any) -> None:
        """A strategy of a heal run just met this."""
        for each in endpoints:
            source = each.partition("/")[0]
            values = {
                "at": self.now, "endpoint": each, "source": source, "origin": "heal",
                "host": FIRST_HOST[source], "failure_class": failure, "healed": failure == "ok",
                "evidence": SAID.get(failure, f"it was {failure}"),
            }  # fmt: skip
            self.store.store([attempt(**{**values, **changes})])

    def begin(self, *endpoints: str, failure: str = "timeout") -> list[int]:
        """An incident of each begins, and was seen twice."""
        found = []
        for each in endpoints:
            self.seen(each, failure=failure)
            self.seen(each, failure=failure)
            opened = self(
                begin,
                each,
                failure_class=failure,
                evidence=SAID.get(failure, f"it was {failure}"),
                began_at=self.now,
                at=self.now,
            )
            assert opened is not None
            found.append(opened.incident_id)
        return found

    def move(self, incident: int, to: State, signal: str = "recovered", **changes: Any) -> None:
        row = self.row(incident)
        moved = self(
            incidents.move_incident,
            incident_id=incident,
            from_state=row.state,
            to_state=to,
            signal=signal,
            at=self.now,
            note="",
            **changes,
        )
        assert moved is not None

    def resolve(self, *ids: int) -> None:
        for each in ids:
            self.seen(self.row(each).endpoint)
            self.move(each, State.RESOLVED)

    def diagnose(self, source: str | None = None) -> Diagnosed:
        return self(diagnose_open, self.places, self.now, source=source)

    def row(self, incident: int) -> IncidentRow:
        row = self(incidents.incident_by_id, incident)
        assert row is not None
        return row

    @property
    def joint(self) -> dict[int, set[int]]:
        """By joint incident, all that it is made of."""
        return {
            each.row.id: {member.id for member in self(members_of, each.row.id)}
            for each in self(joint_incidents, limit=100)
        }
