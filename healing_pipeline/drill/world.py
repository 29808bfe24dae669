"""What a drill runs in: simulated upstreams, a scratch database, an engine with a marked client."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.load import load
from healing_pipeline.catalog.values import Catalog, Endpoint, Quota
from healing_pipeline.healing.facts import Fact, SnapshotFact
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.parts import Clock
from healing_pipeline.installation import state_dir, system_clock
from healing_pipeline.probing.response import RequestLine, Response
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.providers.registry import provider_named, provider_names
from healing_pipeline.simulator.control import RunningSimulator
from healing_pipeline.simulator.keys import default_keys
from healing_pipeline.simulator.quotas import OFF
from healing_pipeline.simulator.scenario import Scenario
from healing_pipeline.storage.database import Database, resolve_database
from healing_pipeline.storage.migration import bring_up_to_date
from healing_pipeline.storage.scratch import scratch_database
from healing_pipeline.transport.http import HttpSender

# Every drill begins at this moment of the simulated market, so that one seed means one truth.
EPOCH = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)

# Half a minute of drill has to see what a day's probing sees.
PROBE_INTERVAL_S = 5.0

# And half a minute of drill has to see the end of an alert: what stays well for three seconds is
# over, instead of for a minute. Every threshold is the default.
DRILL_ALERTS = AlertSettings(keep_firing_for=timedelta(seconds=3))

# The simulator is asked for its date at least so often, and on until one asking was so quick that
# half of it is far within what the judge allows two clocks to be apart.
CLOCK_ASKINGS, MOST_CLOCK_ASKINGS = 5, 200
QUICK_ASKING = timedelta(seconds=0.05)


def drill_catalog(addresses: Mapping[tuple[str, str], str], scenario: Scenario) -> Catalog:
    """The default catalog on simulated upstreams, cut down to a scenario's sources.

    Where the scenario's upstreams meter nothing, neither does the catalog; what its readers take,
    where it says so, is what every endpoint accepts.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "healing_config.yaml"
        path.write_text(default_config_text(), encoding="utf-8")
        whole = load(
            path,
            environ={"HEALING_UPSTREAMS": "simulated"},
            providers=provider_names(),
            simulated_hosts=addresses,
            simulated_keys=default_keys(),
        )
    endpoints = {
        name: replace(
            endpoint,
            interval_s=PROBE_INTERVAL_S,
            accepts=frozenset(map(Fidelity, scenario.accepts)) or endpoint.accepts,
        )
        for name, endpoint in whole.endpoints.items()
        if endpoint.source in scenario.sources
    }
    return Catalog(
        MappingProxyType(
            {
                name: whole.sources[name]
                if scenario.quotas != OFF
                else replace(whole.sources[name], quota=Quota())
                for name in scenario.sources
            }
        ),
        MappingProxyType(endpoints),
        whole.upstreams,
        alerts=DRILL_ALERTS,
    )


@contextmanager
def database_kept() -> Iterator[None]:
    """Keep this installation's server up from one drill to the next."""
    address = resolve_database(os.environ, state_dir(os.environ))
    try:
        yield
    finally:
        address.close()


@contextmanager
def drill_database() -> Iterator[str]:
    """A database of the drill's own on this installation's server; its URL. Dropped afterwards."""
    address = resolve_database(os.environ, state_dir(os.environ))
    try:
        with scratch_database(address, f"drill_{uuid4().hex[:12]}") as scratch:
            with Database(scratch.url) as database:
                bring_up_to_date(database, scratch.owner_url)
            yield scratch.url
    finally:
        address.close()


caller: ContextVar[str] = ContextVar("caller", default="")
"""Who asks: set around a request, it marks every upstream call that the request makes."""


@dataclass
class MarkedSender:
    """Sends like the data path's client, with a mark by which the simulator's log can be read.

    Attributes
    ----------
    calls : dict
        Calls so far, by who asked.
    with_session : set of str
        Marks of the calls that carried a session: a crumb, which only healing fetches.
    """

    sender: HttpSender
    calls: dict[str, int] = field(default_factory=dict)
    with_session: set[str] = field(default_factory=set)

    async def send(self, request: UpstreamRequest, timeout_s: float) -> Response:
        """Send one request, marked ``caller.number``."""
        who = caller.get()
        number = self.calls[who] = self.calls.get(who, 0) + 1
        mark = f"{who}.{number}"
        if "crumb" in parse_qs(urlsplit(request.url).query):
            self.with_session.add(mark)
        return await self.sender.send(request, timeout_s, {"x-request-id": mark})


@dataclass
class Telling:
    """Everything the drill was told, before any of it went to the database."""

    facts: list[Fact] = field(default_factory=list)
    _good_at: dict[str, list[datetime]] = field(default_factory=dict)

    def hear(self, fact: Fact) -> None:
        """Keep a fact."""
        self.facts.append(fact)
        if isinstance(fact, SnapshotFact):
            self._good_at.setdefault(fact.endpoint, []).append(fact.fetched_at)

    def was_good(self, endpoint: str, since: datetime, until: datetime) -> bool:
        """Whether good data of an endpoint was had in [since, until)."""
        return any(since <= each < until for each in reversed(self._good_at.get(endpoint, ())))


def line_of(catalog: Catalog, endpoint: Endpoint, now: datetime) -> RequestLine:
    """The whole question of an endpoint at a moment."""
    source = catalog.sources[endpoint.source]
    key = source.keys[0] if source.keys else None
    provider = provider_named(source.provider)
    return provider.request(endpoint, source.hosts[0], key, now).line


def clock_offset_s(simulator: RunningSimulator) -> float:
    """Seconds by which the simulator's date is ahead; the asking itself is allowed for.

    Half of the time the asking took is what the shift may be wrong by, so the quickest of some
    askings is believed: a busy machine must not make honest answers look like lies.
    """
    wall = system_clock(0.0)
    askings: list[tuple[timedelta, timedelta]] = []
    while len(askings) < CLOCK_ASKINGS or (
        min(askings)[0] > QUICK_ASKING and len(askings) < MOST_CLOCK_ASKINGS
    ):
        before = wall.now()
        said = simulator.control.now()
        took = wall.now() - before
        askings.append((took, said - before - took / 2))
    return min(askings)[1].total_seconds()


def simulated_clock(simulator: RunningSimulator) -> Clock:
    """The machine's clock, shifted to the simulator's date."""
    return system_clock(clock_offset_s(simulator))
