"""A policy as a document: what its text holds, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from healing_pipeline.learning.rates import Parameters, Rate, Rates

if TYPE_CHECKING:
    from healing_pipeline.learning.policy import Policy


def _rates_document(rates: Rates) -> dict[str, list[float | int | None]]:
    return {name: [each.p, each.tries, each.seconds, each.exact] for name, each in rates.items()}


def document_of(policy: Policy) -> dict[str, Any]:
    """A policy as JSON's own types."""
    inner: dict[str, dict[str, Any]] = {}
    for (source, failure_class), rates in policy.inner.items():
        inner.setdefault(source, {})[failure_class] = _rates_document(rates)
    return {
        "format": 1,
        "as_of": None if policy.as_of is None else policy.as_of.isoformat(),
        "inner": inner,
        "outer": {name: _rates_document(rates) for name, rates in policy.outer.items()},
        "anywhere": _rates_document(policy.anywhere),
        "after": {name: dict(then) for name, then in policy.after.items()},
        "parameters": {
            name: [each.retry_delay_s, each.timeout_s] for name, each in policy.parameters.items()
        },
        "tables": dict(policy.tables),
    }


def _rates(document: Mapping[str, Any]) -> Rates:
    found = {}
    for name, (p, tries, seconds, exact) in document.items():
        if not (isinstance(p, float | int) and math.isfinite(p) and 0.0 <= p <= 1.0):
            raise ValueError(f"{p!r} is no probability of {name}")
        found[name] = Rate(float(p), int(tries), seconds, exact)
    return MappingProxyType(found)


def parts_of(document: Any) -> dict[str, Any]:
    """What a document says, as the arguments of `Policy`.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not isinstance(document, dict) or document.get("format") != 1:
        raise ValueError("this is no policy of format 1")
    try:
        as_of = document["as_of"]
        return {
            "as_of": None if as_of is None else datetime.fromisoformat(as_of),
            "inner": MappingProxyType(
                {
                    (source, failure_class): _rates(rates)
                    for source, classes in document["inner"].items()
                    for failure_class, rates in classes.items()
                }
            ),
            "outer": MappingProxyType(
                {name: _rates(rates) for name, rates in document["outer"].items()}
            ),
            "anywhere": _rates(document["anywhere"]),
            "after": MappingProxyType(
                {name: MappingProxyType(dict(then)) for name, then in document["after"].items()}
            ),
            "parameters": MappingProxyType(
                {name: Parameters(*each) for name, each in document["parameters"].items()}
            ),
            "tables": MappingProxyType(document["tables"]),
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this policy lacks something: {error!r}") from error
