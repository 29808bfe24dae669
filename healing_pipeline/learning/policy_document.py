"""A policy as a document: what its text holds, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from healing_pipeline.learning.rates import Parameters, Rate, Rates

if TYPE_CHECKING:
    from healing_pipeline.learning.policy import Policy


# More than any count or any second that was ever seen.
_MOST = 1e15


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


def _number(value: Any, what: str, most: float = math.inf) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared before anything else: a whole number of JSON may be longer than a float.
    if not is_number or not 0 <= value <= min(most, _MOST):
        raise ValueError(f"{what} is {str(value)[:40]!r}")
    return float(value)


def _optional(value: Any, what: str, most: float = math.inf) -> float | None:
    return None if value is None else _number(value, what, most)


def _rates(document: Mapping[str, Any]) -> Rates:
    found = {}
    for name, (p, tries, seconds, exact) in document.items():
        found[name] = Rate(
            _number(p, f"the probability of {name}", 1.0),
            int(_number(tries, f"the number of tries of {name}")),
            _optional(seconds, f"the seconds of {name}"),
            _optional(exact, f"the exact share of {name}", 1.0),
        )
    return MappingProxyType(found)


def _changes(document: Mapping[str, Any]) -> Mapping[str, float]:
    """Factors of odds; 0 would make a certainty of a guess, and a division by zero of it."""
    found = {name: _number(factor, f"the factor of {name}") for name, factor in document.items()}
    if not all(found.values()):
        raise ValueError("a factor is 0")
    return MappingProxyType(found)


def _parameters(document: Mapping[str, Any]) -> Mapping[str, Parameters]:
    return MappingProxyType(
        {
            name: Parameters(
                _optional(delay_s, f"the delay of {name}"),
                _optional(timeout_s, f"the time limit of {name}"),
            )
            for name, (delay_s, timeout_s) in document.items()
        }
    )


def _tables(document: Mapping[str, Any]) -> Mapping[str, list[dict[str, Any]]]:
    tables = dict(document.items())
    for name, rows in tables.items():
        if not isinstance(rows, list) or not all(isinstance(each, dict) for each in rows):
            raise ValueError(f"the table {name!r} is none")
    json.dumps(tables, allow_nan=False)  # what cannot be written again was never written by us
    return MappingProxyType(tables)


def _moment(text: Any) -> datetime | None:
    at = None if text is None else datetime.fromisoformat(text)
    if at is not None and at.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return at


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
        return {
            "as_of": _moment(document["as_of"]),
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
                {name: _changes(then) for name, then in document["after"].items()}
            ),
            "parameters": _parameters(document["parameters"]),
            "tables": _tables(document["tables"]),
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this policy lacks something: {error!r}") from error
