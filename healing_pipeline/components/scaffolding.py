"""What `dg scaffold defs healing_pipeline.HealingSources NAME` writes: a component that runs."""

from __future__ import annotations

from textwrap import indent
from typing import Any

import dagster as dg

from healing_pipeline.errors import ConfigurationError

CONFIGURATION = """\
# simulated: every source is played by the built-in simulator; no keys, no network. Start it with
#            python -m healing_pipeline.simulator
# real:      ask the providers below; export the keys first.
upstreams: simulated

sources:
  yahoo:
    hosts:
      query1: https://query1.finance.yahoo.com
      query2: https://query2.finance.yahoo.com
    quota: {per_minute: 60}
    probe_share: 0.5
    calendar: XNYS
  polygon:
    hosts: {polygon: https://api.polygon.io}
    keys: {primary: {env: POLYGON_API_KEY}}
    quota: {per_minute: 5}
    calendar: XNYS

# One question each, asked again and again. The file that `healing init` writes tells every setting.
endpoints:
  yahoo/chart-aapl-1d:
    path: /v8/finance/chart/AAPL
    params: {interval: 1d, range: 3mo}
    alternates: {endpoints: [polygon/aggs-aapl-1d]}
  yahoo/chart-spy-1d:
    path: /v8/finance/chart/SPY
    params: {interval: 1d, range: 3mo}
  polygon/aggs-aapl-1d:
    path: "/v2/aggs/ticker/AAPL/range/1/day/{today-90d}/{today}"
    params: {adjusted: true, sort: asc, limit: 5000}
    interval_s: 300
    alternates: {endpoints: [yahoo/chart-aapl-1d]}
"""

COMPONENT = """\
from pathlib import Path

import dagster as dg

from healing_pipeline import HealingSources


@dg.component_instance
def load(context: dg.ComponentLoadContext) -> HealingSources:
    return HealingSources(Path(__file__).parent / "healing_config.yaml")
"""


class HealingSourcesScaffolder(dg.Scaffolder):
    """Writes three endpoints of two simulated providers."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Write ``defs.yaml``, or ``component.py`` and the configuration beside it.

        Raises
        ------
        ConfigurationError
            If it is to be put into the file of another component.
        """
        folder = request.target_path
        if request.append:
            raise ConfigurationError(
                "HealingSources is read as it stands, from a file that holds nothing else.",
                "Scaffold it into a folder of its own.",
            )
        if request.scaffold_format == "python":
            (folder / "component.py").write_text(COMPONENT, encoding="utf-8")
            (folder / "healing_config.yaml").write_text(CONFIGURATION, encoding="utf-8")
            return
        (folder / "defs.yaml").write_text(
            "# `healing check -c FILE` lists every mistake with its line and its cure.\n"
            f"type: {request.type_name}\n\nattributes:\n{indent(CONFIGURATION, '  ')}",
            encoding="utf-8",
        )
