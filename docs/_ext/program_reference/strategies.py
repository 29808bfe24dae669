"""Every strategy: from its class what it is and costs, from itself what it is for.

Which failures a strategy may help against is asked of it: each gets every failure class in every
situation of the default configuration, with all that a situation can have (other hosts, a spare
key, stored data, alternates), and answers for itself.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from healing_pipeline.catalog.values import Alternates, ApiKey, Endpoint, Host, Source
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.healing.strategy import Alternate, Situation, Snapshot, Strategy, Way
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.probing.response import Verdict
from healing_pipeline.providers.registry import provider_of
from program_reference.default_catalog import default_catalog
from program_reference.markdown import attributes, code, docstring, sentence, table

NOW = datetime(2026, 1, 2, 15, tzinfo=UTC)
# What a provider with sessions says of one that it does not know any more.
EVIDENCE = "Invalid Crumb"
ELSEWHERE = Host("elsewhere", "https://elsewhere.example")
KEYS = (ApiKey("primary", "KEY", "one"), ApiKey("spare", "SPARE_KEY", "another"))


def text() -> str:
    """A section for each strategy, in the order in which they are tried untaught."""
    return "\n\n".join(_section(each) for each in STRATEGIES)


@cache
def failure_classes_of(strategy: Strategy) -> tuple[FailureClass, ...]:
    """Which failures a strategy may help against, in some situation."""
    return tuple(
        each
        for each in FailureClass
        if each.is_failure and any(strategy.applies(met).ok for met in situations(each))
    )


@cache
def situations(failure: FailureClass) -> tuple[Situation, ...]:
    """A failure met by each endpoint of the default configuration."""
    catalog = default_catalog()
    one_of_each = {each.source: each for each in catalog.endpoints.values()}.values()
    return tuple(
        _situation(catalog.sources[each.source], each, failure, tuple(one_of_each), has_key=has_key)
        for each in catalog.endpoints.values()
        for has_key in (False, True)
    )


def _situation(
    source: Source,
    endpoint: Endpoint,
    failure: FailureClass,
    others: Collection[Endpoint],
    *,
    has_key: bool,
) -> Situation:
    # A sister host may ask for no key: a key's failures are cured there.
    keys = (*KEYS, None) if has_key else (None,)
    stored = Reading("X", "1d", (Point(NOW, "close", 1.0),), NOW)
    return Situation(
        endpoint=_with_substitutes(endpoint),
        provider=provider_of(source, endpoint),
        host=source.hosts[0],
        key=keys[0],
        params=None,
        failure=Verdict(failure, EVIDENCE),
        now=NOW,
        remaining_s=30.0,
        accepts=frozenset(Fidelity),
        snapshot=Snapshot(NOW - timedelta(minutes=1), stored, b"{}", source.name),
        attempt_timeout_s=1.0,
        source=source,
        ways=tuple(Way(host, key) for host in (source.hosts[0], ELSEWHERE) for key in keys),
        alternates=tuple(
            Alternate(each, its, provider_of(its, each), Way(ELSEWHERE, None))
            for each in others
            for its in [default_catalog().sources[each.source]]
        ),
    )


def _with_substitutes(endpoint: Endpoint) -> Endpoint:
    return replace(endpoint, alternates=Alternates(series="GS10", etf="XLK"))


def _section(strategy: Strategy) -> str:
    cost = strategy.cost
    calls = "1 call" if cost.upstream_calls == 1 else f"{cost.upstream_calls} calls"
    told = attributes(type(strategy))
    parameters = [
        [code(each.name), code(getattr(strategy, each.name)), sentence(told.get(each.name, ""))]
        for each in fields(strategy)  # type: ignore[arg-type]
    ]
    against = ", ".join(map(code, failure_classes_of(strategy)))
    lines = [
        f"### {code(strategy.name)}",
        docstring(type(strategy)),
        f"Against {against}. Costs at most {calls} and {cost.seconds:.2f} s; its worst answer is "
        f"`{cost.worst}`.",
    ]
    if parameters:
        lines.append(table(["parameter", "default", "what it is"], parameters))
    return "\n\n".join(lines)
