"""The account of a fetch: what each attempt and the end of a request become as facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from healing_pipeline.catalog.values import ApiKey, Endpoint, Host, Source
from healing_pipeline.healing.answer import PLAIN, Answer, HealingFailed
from healing_pipeline.healing.facts import AnswerFact, Attempt, Decision, Origin, SnapshotFact
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.plan import Plan
from healing_pipeline.healing.strategy import Healed, NotHealed, Observation
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import RequestLine, Verdict
from healing_pipeline.providers.provider import Provider, UpstreamRequest

# A reader may write much into a question; what is put on record of it is bounded.
_LONGEST_ASKED = 200
_MOST_PARAMS = 30


@dataclass(frozen=True, slots=True)
class Question:
    """One fetch, with all that does not change while it is answered.

    Attributes
    ----------
    params, path
        The reader's own, where they differ from the endpoint's.
    key : str
        What tells this question from others to the same endpoint; empty for the endpoint's own.
    began : float
        Monotonic seconds; `began_at` is the same moment as wall time.
    """

    request_id: UUID
    endpoint: Endpoint
    source: Source
    provider: Provider
    params: Mapping[str, str] | None
    path: str | None
    key: str
    accepts: frozenset[Fidelity]
    origin: Origin
    began_at: datetime
    began: float
    incident_id: int | None

    def request(self, host: Host, key: ApiKey | None) -> UpstreamRequest:
        """The question as it is sent to a host with a key."""
        endpoint = self.endpoint if self.path is None else replace(self.endpoint, path=self.path)
        return self.provider.request(endpoint, host, key, self.began_at, self.params)

    @property
    def line(self) -> RequestLine:
        """The question as every request that is nothing but it says it."""
        keys = self.source.keys
        return self.request(self.source.hosts[0], keys[0] if keys else None).line


@dataclass(frozen=True, slots=True)
class Use:
    """One use of one strategy.

    Attributes
    ----------
    number : int
        1 for the first attempt of the request.
    seen : Observation or None
        Its last upstream call; None when it made none.
    calls : int
        Upstream calls it made.
    late : bool
        Whether the deadline was over when it ended.
    met : Verdict or None
        What it was used against; None for a plain first call.
    waited_s : float
        Seconds it let pass before its last call.
    """

    id: UUID
    strategy: str
    number: int
    began_at: datetime
    seconds: float
    result: Healed | NotHealed
    seen: Observation | None
    calls: int
    late: bool
    met: Verdict | None = None
    waited_s: float = 0.0


def attempt_fact(question: Question, use: Use) -> Attempt:
    """Put one attempt on record."""
    result, seen = use.result, use.seen
    if isinstance(result, Healed):
        failure_class, evidence = FailureClass.OK, result.evidence
    else:
        failure_class, evidence = result.verdict.failure_class, result.verdict.evidence
    return Attempt(
        id=use.id,
        request_id=question.request_id,
        attempt_no=use.number,
        at=use.began_at,
        origin=question.origin,
        source=question.endpoint.source,
        endpoint=question.endpoint.id,
        strategy=use.strategy,
        host=None if seen is None else seen.request.host_name,
        key_name=None if seen is None else seen.request.key_name,
        failure_class=failure_class,
        evidence=evidence,
        healed=isinstance(result, Healed),
        fidelity=result.fidelity if isinstance(result, Healed) else None,
        seconds=use.seconds,
        status=None if seen is None else seen.response.status,
        upstream_calls=use.calls,
        params=_params(question, use),
        late=use.late,
        incident_id=question.incident_id,
        met=None if use.met is None else use.met.failure_class,
    )


def _params(question: Question, use: Use) -> dict[str, Any]:
    """What else is worth knowing of an attempt.

    A plain good call for the endpoint's own question asked just that; what any other one asked is
    written down, without its key.
    """
    noted: dict[str, Any] = {"waited_s": round(use.waited_s, 4)} if use.waited_s else {}
    is_usual = use.strategy == PLAIN and isinstance(use.result, Healed) and not question.key
    if use.seen is not None and not is_usual:
        line = use.seen.request.line
        params = list(line.params.items())[:_MOST_PARAMS]
        noted["asked"] = {
            "path": line.path[:_LONGEST_ASKED],
            "params": {name[:_LONGEST_ASKED]: text[:_LONGEST_ASKED] for name, text in params},
        }
    return noted


def decision_fact(
    question: Question,
    plan: Plan,
    failure: Verdict,
    *,
    number: int,
    at: datetime,
    policy: str | None,
    late: bool = False,
) -> Decision:
    """Put a choice on record; `policy` is how the fingerprint of the one that made it begins."""
    return Decision(
        request_id=question.request_id,
        decision_no=number,
        at=at,
        origin=question.origin,
        source=question.endpoint.source,
        endpoint=question.endpoint.id,
        failure_class=failure.failure_class,
        policy=policy,
        budget_s=plan.budget_s,
        considered=plan.written(),
        late=late,
    )


def answer_fact(question: Question, end: Answer | HealingFailed, met: Verdict | None) -> AnswerFact:
    """Put the end of a request on record; `met` is what its first attempt failed with."""
    answered = end if isinstance(end, Answer) else None
    return AnswerFact(
        request_id=question.request_id,
        at=question.began_at,
        source=question.endpoint.source,
        endpoint=question.endpoint.id,
        fidelity=None if answered is None else answered.fidelity,
        strategy=None if answered is None else answered.strategy,
        provider=None if answered is None else answered.provider,
        attempts=end.attempts,
        seconds=end.seconds,
        failure_class=None if met is None else met.failure_class,
        failed=answered is None,
        as_of=None if answered is None else answered.as_of,
    )


def snapshot_fact(question: Question, healed: Healed) -> SnapshotFact:
    """Put good data on record, for the next time the endpoint fails."""
    return SnapshotFact(
        endpoint=question.endpoint.id,
        request_key=question.key,
        fetched_at=healed.fetched_at,
        as_of=healed.reading.as_of,
        provider=healed.provider,
        reading=healed.reading,
        body=healed.body,
        fidelity=healed.fidelity,
    )
