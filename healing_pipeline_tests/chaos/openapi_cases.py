"""Requests generated from the gateway's own OpenAPI page, and its answers held against it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# A schema cannot say which windows of an endpoint are its own subject, nor that a parameter nobody
# knows is laid over its question: whether a request has to be taken is asked by other tests.
NOT_CHECKED = ("positive_data_acceptance", "negative_data_rejection")
HEALING_FAILED = frozenset({502, 503, 504})
"""What the page documents for upstreams that cannot be healed and for a database that is away."""


@dataclass
class Cases:
    """What became of the requests.

    Attributes
    ----------
    statuses : Counter
        Answers by status.
    failures : dict
        What the page did not say, and the first request that showed it.
    """

    operations: int = 0
    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)


def played(schema: Any, examples: int, seed: int) -> Cases:
    """Ask every operation of a page with so many valid and as many invalid requests."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded
    from schemathesis import GenerationMode, checks
    from schemathesis.core.failures import FailureGroup

    excluded = [getattr(checks, name) for name in NOT_CHECKED]
    cases = Cases()

    def ask(label: str, case: Any) -> None:
        cases.requests += 1
        response = case.call()
        cases.statuses[response.status_code] += 1
        # With `X-Healing: off` a fault is the upstream's own, and passed on as it is.
        is_passed_on = "fwd=bypass" in str(response.headers.get("cache-status", ""))
        is_documented = response.status_code in HEALING_FAILED or is_passed_on
        if response.status_code >= 500 and not is_documented:
            cases.failures.setdefault(f"status {response.status_code}", f"{label}: {case!r}"[:500])
        try:
            case.validate_response(response, excluded_checks=excluded)
        except FailureGroup as group:
            for each in group.exceptions:
                kind = str(getattr(each, "title", type(each).__name__))
                if kind == "Server error" and is_documented:
                    continue
                cases.failures.setdefault(kind, f"{label}: {each}"[:700])

    def ask_some(operation: Any, mode: Any) -> None:
        @seeded(seed)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode))
        def ask_each(case: Any) -> None:
            ask(operation.label, case)

        ask_each()

    for found in schema.get_all_operations():
        cases.operations += 1
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            ask_some(found.ok(), mode)
    return cases
