"""The project as it was: an asset, the job that writes it, and when."""

from __future__ import annotations

import dagster as dg

from healing_pipeline import HealingClientResource, HealingFailed


@dg.asset
def price_letter(healing_client: HealingClientResource) -> dg.MaterializeResult:
    """The last close of the S&P 500's ETF, and how far it can be trusted."""
    answer = healing_client.client().fetch("yahoo/chart-spy-1d")
    if isinstance(answer, HealingFailed):
        raise dg.Failure(answer.verdict.evidence)
    return dg.MaterializeResult(
        metadata={
            "close": answer.reading.newest("close"),
            "as_of": answer.as_of.isoformat(),
            # exact, stale, coarser or proxy: the letter says which.
            "fidelity": str(answer.fidelity),
            "healed_by": answer.strategy,
        }
    )


write_letter = dg.define_asset_job("write_letter", selection=[price_letter])

own = dg.Definitions(
    assets=[price_letter],
    jobs=[write_letter],
    schedules=[dg.ScheduleDefinition(job=write_letter, cron_schedule="0 18 * * 5")],
)
