"""The five providers as servers: a module each, and `UPSTREAMS` by source."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from healing_pipeline.simulator.upstreams import (
    alpha_vantage,
    exchange_rate,
    fred,
    polygon,
    yahoo,
)
from healing_pipeline.simulator.upstreams.contract import Upstream

UPSTREAMS: Mapping[str, Upstream] = MappingProxyType(
    {
        "yahoo": yahoo,
        "fred": fred,
        "polygon": polygon,
        "alpha_vantage": alpha_vantage,
        "exchange_rate": exchange_rate,
    }
)
