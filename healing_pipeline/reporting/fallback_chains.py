"""What may stand in for each endpoint, level by level, as the catalog declares it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from healing_pipeline.catalog.values import Catalog, Endpoint
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.reporting.tables import Cell

PRIMARY = "plain"


class Level(NamedTuple):
    """One way to data: the strategy that goes it, what it asks, and its best label."""

    strategy: str
    target: str
    source: str
    fidelity: Fidelity


def fallback_chains(
    catalog: Catalog, routes: Mapping[str, tuple[str, Fidelity]]
) -> Iterator[dict[str, Cell]]:
    """The rows of `FALLBACK_CHAINS`, the endpoints in the catalog's order.

    Parameters
    ----------
    routes : Mapping[str, tuple[str, Fidelity]]
        Strategy and label of the route that readers follow now, by endpoint.

    Notes
    -----
    The order is from what loses nothing to what loses most. What a plan tries first against one
    failure, the policy decides.
    """
    for endpoint in catalog.endpoints.values():
        levels = list(levels_of(endpoint, catalog))
        route = routes.get(endpoint.id)
        if route is not None and all(each.strategy != route[0] for each in levels):
            levels.append(Level(route[0], endpoint.id, endpoint.source, route[1]))
        in_use = PRIMARY if route is None else route[0]
        for number, level in enumerate(levels):
            yield {
                "endpoint": endpoint.id,
                "level": number,
                "strategy": level.strategy,
                "target": level.target,
                "source": level.source,
                "fidelity": str(level.fidelity),
                "accepted": level.fidelity in endpoint.accepts,
                "in_use": level.strategy == in_use,
            }


def levels_of(endpoint: Endpoint, catalog: Catalog) -> Iterator[Level]:
    """The chain of one endpoint: other hosts, keys and providers, our store, other instruments."""
    source = catalog.sources[endpoint.source]
    yield Level(PRIMARY, source.hosts[0].name, source.name, Fidelity.EXACT)
    for host in source.hosts[1:]:
        yield Level("alternate_host", host.name, source.name, Fidelity.EXACT)
    for key in source.keys[1:]:
        yield Level("rotate_api_key", key.name, source.name, Fidelity.EXACT)
    for name in endpoint.alternates.endpoints:
        other = catalog.endpoints[name].source
        yield Level("fallback_provider", name, other, Fidelity.EXACT)
    yield Level("use_cached_data", "snapshot", source.name, Fidelity.STALE)
    if endpoint.alternates.series is not None:
        target = endpoint.alternates.series
        yield Level("alternate_series", target, source.name, Fidelity.PROXY)
    if endpoint.alternates.etf is not None:
        yield Level("etf_proxy", endpoint.alternates.etf, source.name, Fidelity.PROXY)
