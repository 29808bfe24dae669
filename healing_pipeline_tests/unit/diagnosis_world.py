"""A small world for tests of the diagnosis: three sources, and calls to them, written in a line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from healing_pipeline.incidents.diagnosis import Cause, find_causes
from healing_pipeline.incidents.evidence import PROBE, Evidence, Failing, Seen, Standing
from healing_pipeline.probing.failure_class import FailureClass

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)

YAHOO = {
    **{
        f"yahoo/chart-{each.lower()}": f"/v8/finance/chart/{each}"
        for each in ("AAPL", "MSFT", "IBM", "XOM")
    },
    **{f"yahoo/quote-{each.lower()}": "/v7/finance/quote" for each in ("AAPL", "SPY")},
}
FRED = {f"fred/{each}": "/fred/series/observations" for each in ("dgs10", "gdp", "unrate", "m2")}
POLYGON = {
    f"polygon/{each.lower()}-{span}": f"/v2/aggs/ticker/{each}/range/{bars}/2026-01-01"
    for each in ("AAPL", "SPY")
    for span, bars in (("1d", "1/day"), ("5m", "5/minute"))
}

HOSTS = {"yahoo": ("query1", "query2"), "fred": ("api",), "polygon": ("polygon", "massive")}
KEYS = {"yahoo": (), "fred": ("primary", "spare"), "polygon": ("primary", "spare")}

PLACES = {
    name: Standing(
        name,
        source := name.split("/")[0],
        HOSTS[source],
        KEYS[source],
        path,
        {"series_id": name.split("/")[1]} if source == "fred" else {},
    )
    for name, path in {**YAHOO, **FRED, **POLYGON}.items()
}


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def call(
    endpoint: str,
    failure: FailureClass = FailureClass.OK,
    *,
    s: float = 1.0,
    host: str | None = None,
    key: str | None = None,
    how: str = PROBE,
    evidence: str = "",
) -> Seen:
    """A call by the endpoint's first way, unless another is named."""
    place = PLACES[endpoint]
    return Seen(
        at=at(s),
        source=place.source,
        endpoint=endpoint,
        host=host or place.hosts[0],
        key_name=key or (place.keys[0] if place.keys else None),
        failure_class=failure,
        evidence=evidence or str(failure),
        how=how,
    )


def failing(endpoint: str, number: int, failure: FailureClass, s: float = 0.0) -> Failing:
    return Failing(
        number, endpoint, endpoint.split("/")[0], failure, str(failure), at(s), at(s + 0.5)
    )


def evidence(*calls: Seen, **more: object) -> Evidence:
    """What is known when these calls were made: an endpoint whose first way fails has an incident.

    Incidents are numbered in the order of the catalog.
    """
    began: dict[str, Seen] = {}
    for each in sorted(calls, key=lambda one: one.at, reverse=True):
        place = PLACES[each.endpoint]
        if not each.is_ok and each.host == place.hosts[0] and each.how == PROBE:
            began[each.endpoint] = each
    incidents = tuple(
        Failing(
            number,
            name,
            PLACES[name].source,
            began[name].failure_class,
            began[name].evidence,
            began[name].at,
            began[name].at + timedelta(seconds=0.5),
        )
        for number, name in enumerate(PLACES, 1)
        if name in began
    )
    values = {"failing": incidents, "seen": calls, "endpoints": PLACES, "now": at(10), **more}
    return Evidence(**values)  # type: ignore[arg-type]


def the_cause(found: Evidence) -> Cause:
    """The one cause there is."""
    (cause,) = find_causes(found)
    return cause


def said(cause: Cause) -> str:
    """The chain as one text."""
    return "\n".join(map(str, cause.chain))
