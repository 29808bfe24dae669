"""Small worlds for tests of the data path: a provider of one line, an upstream that is a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from healing_pipeline.catalog.values import (
    Alternates,
    ApiKey,
    Catalog,
    Endpoint,
    Host,
    Quota,
    Source,
    Upstreams,
)
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.facts import Fact
from healing_pipeline.healing.fidelity import DEFAULT_ACCEPTS, Fidelity
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.healing.parts import Clock
from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Point, Reading, Unreadable
from healing_pipeline.probing.response import NoAnswer, RequestLine, Response, Verdict
from healing_pipeline.providers.provider import UpstreamRequest

START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


@dataclass
class Time:
    """A clock that only moves when told to."""

    elapsed: float = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed)

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.elapsed += seconds
        await asyncio.sleep(0)

    def clock(self) -> Clock:
        return Clock(now=self.now, monotonic=lambda: self.elapsed, sleep=self.sleep)


@dataclass(frozen=True)
class LineProvider:
    """Speaks JSON: {"value": x, "as_of": seconds since START} or {"error": failure class}."""

    name: str = "line"
    reducible: bool = True

    def request(self, endpoint, host, key, now, params=None):
        line = RequestLine(endpoint.path, {**endpoint.params, **(params or {})}, host.name)
        return UpstreamRequest(
            endpoint.source, host.name, key.name if key else None, host.base_url, {}, line
        )

    def classify(self, response: Response, line: RequestLine) -> Verdict:
        if response.no_answer is NoAnswer.TIMEOUT:
            return Verdict(FailureClass.TIMEOUT, response.detail)
        if response.no_answer is not None:
            return Verdict(FailureClass.NETWORK_ERROR, response.detail)
        body = json.loads(response.body)
        if "error" in body:
            return Verdict(FailureClass(body["error"]), f"said {body['error']}")
        return Verdict(FailureClass.OK, "good")

    def read(self, body: bytes, line: RequestLine) -> Reading | Unreadable:
        said = json.loads(body)
        if "value" not in said:
            return Unreadable("no value in it")
        at = START + timedelta(seconds=said.get("as_of", 0))
        return Reading("X", "now", (Point(at, "price", said["value"]),), at)

    def smaller(self, endpoint, params, factor, now):
        if not self.reducible:
            return None
        return endpoint.path, {**params, "rows": str(int(int(params.get("rows", 100)) * factor))}

    def examine(self, response: Response, line: RequestLine) -> tuple[Verdict, Reading | None]:
        verdict = self.classify(response, line)
        found = self.read(response.body, line) if verdict.is_ok else None
        if isinstance(found, Unreadable):
            return Verdict(FailureClass.INVALID_DATA, found.evidence), None
        return verdict, found

    def subject(self, path, params):
        return path, *(f"{k}={v}" for k, v in sorted(params.items()) if k != "rows")

    def substituted(self, path, params, instrument):
        return path, {**params, "of": instrument}

    def daily(self, path, params, now):
        return None

    def merged(self, questions):
        return None

    def part(self, reading, path, params):
        return None

    def rendered(self, reading, path, params, now):
        as_of = (reading.as_of - START).total_seconds()
        return json.dumps({"value": reading.points[-1].value, "as_of": as_of}).encode()

    @property
    def session(self):
        return None


def good(value: float = 10.0, as_of: float = 0.0) -> Response:
    body = json.dumps({"value": value, "as_of": as_of}).encode()
    return Response(status=200, body=body, elapsed_s=0.05)


def bad(failure: FailureClass | str) -> Response:
    return Response(status=500, body=json.dumps({"error": str(failure)}).encode(), elapsed_s=0.05)


Script = Callable[[UpstreamRequest, float], Response | float]


@dataclass
class World:
    """An engine with a scripted upstream; a script returns a Response, or seconds of silence."""

    script: Script
    accepts: frozenset[Fidelity] = DEFAULT_ACCEPTS
    deadline_s: float = 3.0
    max_age_s: float | None = None
    reducible: bool = True
    hosts: tuple[str, ...] = ("one",)
    keys: tuple[str, ...] = ("primary",)
    quota: Quota = field(default_factory=Quota)
    alternate: bool = False
    first_id: int = 1
    time: Time = field(default_factory=Time)
    facts: list[Fact] = field(default_factory=list)
    sent: list[UpstreamRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.snapshots = SnapshotMemory()
        self.routes = RouteTable()
        self.endpoint = Endpoint(
            id="line/x",
            source="line",
            path="/x",
            params=MappingProxyType({"rows": "100"}),
            accepts=self.accepts,
            deadline_s=self.deadline_s,
            max_age_s=self.max_age_s,
            alternates=Alternates(endpoints=("other/x",) if self.alternate else ()),
        )
        source = Source(
            "line",
            "line",
            tuple(Host(name, f"http://{name}.test") for name in self.hosts),
            tuple(ApiKey(name, f"LINE_{name.upper()}", "s3cret") for name in self.keys),
            self.quota,
        )
        other = Source("other", "line", (Host("other", "http://other.test"),))
        endpoints = {
            "line/x": self.endpoint,
            "other/x": Endpoint(id="other/x", source="other", path="/x"),
        }
        self.catalog = Catalog({"line": source, "other": other}, endpoints, Upstreams.SIMULATED)
        numbers = iter(range(self.first_id, self.first_id + 1_000_000))
        self.provider = LineProvider(reducible=self.reducible)
        self.engine = HealingEngine(
            catalog=self.catalog,
            providers={"line": self.provider},
            send=self._send,
            clock=self.time.clock(),
            random=lambda: 0.5,
            new_id=lambda: UUID(int=next(numbers)),
            record=self.facts.append,
            snapshots=self.snapshots,
            routes=self.routes,
            strategies=STRATEGIES,
        )

    async def _send(self, request: UpstreamRequest, timeout_s: float) -> Response:
        self.sent.append(request)
        result = self.script(request, self.time.elapsed)
        if isinstance(result, Response):
            if result.elapsed_s <= timeout_s:
                self.time.elapsed += result.elapsed_s
                return result
            result = result.elapsed_s
        waited = min(result, timeout_s)
        self.time.elapsed += waited
        return Response(no_answer=NoAnswer.TIMEOUT, detail="silence", elapsed_s=waited)

    def fetch(self, *, learn_on: bool = False, **options: object):
        """Ask once; what would run on behind the reader is waited for, or given up."""

        async def ask():
            end = await self.engine.fetch("line/x", **options)
            self.ended_at = self.time.elapsed
            if learn_on:
                await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
            await self.engine.aclose()
            return end

        return asyncio.run(ask())

    def observe(self):
        return asyncio.run(self.engine.observe("line/x", timeout_s=1.0))

    def facts_of(self, kind: type) -> list:
        return [fact for fact in self.facts if isinstance(fact, kind)]


def rows(request: UpstreamRequest) -> int:
    params: Mapping[str, str] = request.line.params
    return int(params["rows"])
