"""The client as a resource of somebody's own assets."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster_installation import DGS10, QUIET, SERVER_ERROR, Installation

from healing_pipeline import Answer
from healing_pipeline.orchestration.resources import HealingClientResource

pytestmark = [pytest.mark.processes, QUIET]


def test_an_asset_of_ones_own_reads_healed_and_labelled_data(installation: Installation) -> None:
    @dg.asset
    def ten_year_yield(healing: HealingClientResource) -> dict[str, object]:
        client = healing.client()
        assert healing.client() is client
        ends = client.fetch_many([DGS10])
        assert client.flush()
        (answer,) = ends
        assert isinstance(answer, Answer)
        return {"fidelity": str(answer.fidelity), "newest": answer.reading.points[-1].value}

    resources = {"healing": HealingClientResource(config_path=str(installation.config))}
    healthy = dg.materialize([ten_year_yield], resources=resources)
    assert healthy.output_for_node("ten_year_yield")["fidelity"] == "exact"
    installation.upstreams.add_fault(SERVER_ERROR)
    try:
        healed = dg.materialize([ten_year_yield], resources=resources)
    finally:
        installation.upstreams.clear_faults()
    assert healed.output_for_node("ten_year_yield")["fidelity"] == "stale"
    with installation.database.connection() as connection:
        rows = connection.execute("SELECT fidelity::text FROM answer ORDER BY at").fetchall()
    assert [each for (each,) in rows] == ["exact", "stale"]
