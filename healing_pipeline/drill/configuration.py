"""A drill's configuration as a file, for processes that read theirs: Dagster's and what they run.

It says what `world.drill_catalog` says: the scenario's sources only, on simulated upstreams.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import yaml

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.simulator.quotas import OFF
from healing_pipeline.simulator.scenario import Scenario

# Of each source's endpoints so many are asked for by no reader.
UNREAD_SHARE = 1 / 3


def drill_config_text(scenario: Scenario, simulator_port: int) -> str:
    """The default configuration, cut down to a scenario.

    Parameters
    ----------
    simulator_port : int
        The control port of a running simulator.
    """
    whole: dict[str, Any] = yaml.safe_load(default_config_text())
    names = [name for name in whole["endpoints"] if name.split("/")[0] in scenario.sources]
    own = {
        **whole,
        "upstreams": "simulated",
        "simulator": {"port": simulator_port},
        "sources": {name: _source(whole["sources"][name], scenario) for name in scenario.sources},
        "endpoints": {
            name: _endpoint(whole["endpoints"][name], names, scenario.accepts) for name in names
        },
    }
    head = "# Written for one drill; gone with it.\n"
    return head + yaml.safe_dump(own, sort_keys=False, allow_unicode=True)


def _source(written: Mapping[str, Any], scenario: Scenario) -> dict[str, Any]:
    # Where the scenario's upstreams meter nothing, neither does the catalog.
    metered = scenario.quotas != OFF
    return {name: each for name, each in written.items() if metered or name != "quota"}


def _endpoint(
    written: Mapping[str, Any], names: Sequence[str], accepts: Sequence[str]
) -> dict[str, Any]:
    """Without alternates that the drill does not have: the file would be refused."""
    own = {**written, "accepts": list(accepts)} if accepts else dict(written)
    alternates = dict(own.pop("alternates", {}))
    there = [name for name in alternates.pop("endpoints", []) if name in names]
    if there:
        alternates["endpoints"] = there
    return {**own, "alternates": alternates} if alternates else own


def unread_endpoints(catalog: Catalog, seed: int) -> frozenset[str]:
    """A third of each source's endpoints, drawn by the seed: only probes ask for them.

    What happens to those is seen without any reader's help.
    """
    rng = Random(f"unread:{seed}")  # noqa: S311 (a draw, not a secret)  # nosec B311
    drawn: set[str] = set()
    for source in catalog.sources:
        names = sorted(name for name, each in catalog.endpoints.items() if each.source == source)
        drawn.update(rng.sample(names, int(len(names) * UNREAD_SHARE)))
    return frozenset(drawn)
