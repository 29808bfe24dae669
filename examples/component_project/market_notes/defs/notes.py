"""An asset of the project's own; it reads through the resource that the component brings."""

from __future__ import annotations

import dagster as dg

from healing_pipeline import HealingClientResource, HealingFailed


@dg.asset
def market_note(healing_client: HealingClientResource) -> dg.MaterializeResult:
    """The last close of Apple's share, and how far it can be trusted."""
    answer = healing_client.client().fetch("yahoo/chart-aapl-1d")
    if isinstance(answer, HealingFailed):
        raise dg.Failure(answer.verdict.evidence)
    return dg.MaterializeResult(
        metadata={
            "close": answer.reading.newest("close"),
            "as_of": answer.as_of.isoformat(),
            "fidelity": str(answer.fidelity),
            "healed_by": answer.strategy,
        }
    )
