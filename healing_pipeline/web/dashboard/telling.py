"""Requests and probes as a page tells them: what was chosen and sent, without a key.

Incidents and their timelines are told in `incident_telling`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from healing_pipeline.catalog.values import Catalog, Host
from healing_pipeline.healing.answer import PLAIN
from healing_pipeline.healing.explanation import candidates_of, left_out_of, verdict_of
from healing_pipeline.healing.facts import Attempt, Decision, ProbeResult
from healing_pipeline.providers.registry import provider_of
from healing_pipeline.web.dashboard.striking import Striking


@dataclass(frozen=True, slots=True)
class Sent:
    """One call or one use of a strategy, as it went out and what came of it.

    Attributes
    ----------
    origin : str
        ``reader``, ``heal`` or ``probe``.
    strategy : str
        ``plain``, or what was tried.
    host, address : str or None
        Name of the host and its base URL; None when nothing was sent.
    path : str or None
    params : sequence of pairs
        Without the key.
    is_usual : bool
        Whether the question is read off the catalogue: it was the endpoint's own.
    key_name : str or None
        Name of the key that was spent; never the key.
    gave : str
        The answer's fidelity, or the failure class.
    calls : int
    """

    at: datetime
    request_id: UUID | None
    origin: str
    strategy: str
    met: str | None
    host: str | None
    address: str | None
    path: str | None
    params: Sequence[tuple[str, str]]
    is_usual: bool
    key_name: str | None
    status: int | None
    seconds: float
    is_good: bool
    gave: str
    evidence: str
    calls: int
    late: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice among strategies.

    Attributes
    ----------
    candidates : sequence of mappings
        In the order of trying: ``strategy``, ``because``, ``verdict``, ``p``, ``tries``, ``layer``,
        ``seconds``, ``score``.
    left_out : sequence of pairs
        Strategy and reason.
    """

    number: int
    failure_class: str
    budget_s: float
    policy: str | None
    tried_before: Sequence[str]
    candidates: Sequence[Mapping[str, Any]]
    left_out: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Told:
    """One request: its choices and its attempts."""

    request_id: UUID
    at: datetime
    choices: Sequence[Choice]
    attempts: Sequence[Sent]


class Teller:
    """Tells requests and probes of one catalogue.

    Parameters
    ----------
    catalog : Catalog
    striking : Striking
    """

    def __init__(self, catalog: Catalog, striking: Striking) -> None:
        self._catalog = catalog
        self.striking = striking

    def attempt(self, fact: Attempt) -> Sent:
        """One attempt, with what it asked."""
        asked = fact.params.get("asked")
        path: str | None = None
        params: Sequence[tuple[str, str]] = ()
        is_usual = False
        if isinstance(asked, Mapping):
            written = asked.get("params")
            path = self._path(str(asked.get("path", "")))
            params = self._params(written if isinstance(written, Mapping) else {})
        elif fact.strategy == PLAIN and fact.host is not None:
            path, params = self._usual(fact.endpoint, fact.host, fact.key_name, fact.at)
            is_usual = path is not None
        return Sent(
            at=fact.at,
            request_id=fact.request_id,
            origin=fact.origin,
            strategy=fact.strategy,
            met=fact.met,
            host=fact.host,
            address=self._address(fact.source, fact.host),
            path=path,
            params=params,
            is_usual=is_usual,
            key_name=fact.key_name,
            status=fact.status,
            seconds=fact.seconds,
            is_good=fact.healed,
            gave=str(fact.fidelity) if fact.healed and fact.fidelity else str(fact.failure_class),
            evidence=self.striking.text(fact.evidence),
            calls=fact.upstream_calls,
            late=fact.late,
        )

    def probe(self, fact: ProbeResult) -> Sent:
        """One probe: it asks the endpoint's own question."""
        path, params = self._usual(fact.endpoint, fact.host, fact.key_name, fact.at)
        is_good = fact.failure_class == "ok"
        return Sent(
            at=fact.at,
            request_id=None,
            origin="probe",
            strategy="second look" if fact.confirms else PLAIN,
            met=None,
            host=fact.host,
            address=self._address(fact.source, fact.host),
            path=path,
            params=params,
            is_usual=path is not None,
            key_name=fact.key_name,
            status=fact.status,
            seconds=fact.seconds,
            is_good=is_good,
            gave="exact" if is_good else str(fact.failure_class),
            evidence=self.striking.text(fact.evidence),
            calls=1,
            late=False,
        )

    def choice(self, fact: Decision) -> Choice:
        """One choice; what cannot be read of it is left out."""
        try:
            candidates = [self._candidate(each, fact) for each in candidates_of(fact)]
            left_out = self._pairs(left_out_of(fact))
        except (KeyError, TypeError, AssertionError, AttributeError):
            candidates, left_out = [], []
        failed = fact.considered.get("failed")
        return Choice(
            number=fact.decision_no,
            failure_class=fact.failure_class,
            budget_s=fact.budget_s,
            policy=fact.policy,
            tried_before=[str(each) for each in failed] if isinstance(failed, list) else [],
            candidates=candidates,
            left_out=left_out,
        )

    def requests(
        self, attempts: Iterable[Attempt], decisions: Mapping[UUID, Sequence[Decision]]
    ) -> list[Told]:
        """Attempts gathered by their request, each with its choices."""
        gathered: dict[UUID, list[Attempt]] = {}
        for each in attempts:
            gathered.setdefault(each.request_id, []).append(each)
        return [
            Told(
                request_id=request_id,
                at=group[0].at,
                choices=[self.choice(each) for each in decisions.get(request_id, ())],
                attempts=[self.attempt(each) for each in group],
            )
            for request_id, group in gathered.items()
        ]

    def question(self, endpoint_id: str, now: datetime) -> tuple[str | None, Any]:
        """What an endpoint asks its first host now: path and parameters."""
        source = self._catalog.sources[self._catalog.endpoints[endpoint_id].source]
        return self._usual(endpoint_id, source.hosts[0].name, None, now)

    def _usual(
        self, endpoint_id: str, host_name: str, key_name: str | None, at: datetime
    ) -> tuple[str | None, Sequence[tuple[str, str]]]:
        endpoint = self._catalog.endpoints.get(endpoint_id)
        if endpoint is None:
            return None, ()
        source = self._catalog.sources[endpoint.source]
        host = next((each for each in source.hosts if each.name == host_name), source.hosts[0])
        keys = [each for each in source.keys if each.name == key_name] or source.keys
        key = keys[0] if keys else None
        line = provider_of(source, endpoint).request(endpoint, host, key, at).line
        return self._path(line.path), self._params(line.params)

    def _address(self, source_name: str, host_name: str | None) -> str | None:
        """The base URL of a host, of this source's first: a strategy may ask another's."""
        if host_name is None:
            return None
        own = self._catalog.sources.get(source_name)
        hosts: list[Host] = [*(own.hosts if own else ())]
        hosts += [each for source in self._catalog.sources.values() for each in source.hosts]
        found = next((each.base_url for each in hosts if each.name == host_name), None)
        return None if found is None else self.striking.text(found)

    def _path(self, path: str) -> str:
        return "/".join(self.striking.text(each) for each in path.split("/"))

    def _params(self, params: Mapping[str, Any]) -> list[tuple[str, str]]:
        return [
            (self.striking.text(name), self.striking.param(name, value))
            for name, value in params.items()
        ]

    def _candidate(self, candidate: Mapping[str, Any], fact: Decision) -> dict[str, Any]:
        return {
            "strategy": self.striking.text(candidate["strategy"]),
            "because": self.striking.text(candidate["because"]),
            "verdict": verdict_of(candidate, fact),
            "p": float(candidate["p"]),
            "tries": int(candidate["tries"]),
            "layer": str(candidate["layer"]),
            "seconds": float(candidate["seconds"]),
            "score": float(candidate["score"]),
        }

    def _pairs(self, written: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
        return [
            (self.striking.text(each["strategy"]), self.striking.text(each["because"]))
            for each in written
        ]
