"""A real heal run with a model configured: asked before people are, and told in Dagster."""

from __future__ import annotations

import pytest
from dagster_installation import DGS10, QUIET, Installation
from model_servers import Exchange, ModelServer, model_server, says
from test_heal_runs import metadata_of, open_incident

from healing_pipeline.catalog import second_opinion_section
from healing_pipeline.control import consulting

pytestmark = [pytest.mark.processes, QUIET]

SECTION = """
second_opinion:
  service: openai
  base_url: {url}/v1
  model: a-model
  daily_budget_usd: 1
  timeout_s: 60
  price_per_million_tokens: {{input: 1, output: 4}}
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch):
    # A busy machine may take long to import an SDK.
    monkeypatch.setattr(second_opinion_section, "LONGEST_WAIT_S", 60.0)
    with model_server() as running:
        yield running
    for process in consulting._running:
        process.wait(15)


def configured(installation: Installation, server: ModelServer) -> None:
    text = installation.config.read_text(encoding="utf-8")
    installation.config.write_text(text + SECTION.format(url=server.url), encoding="utf-8")


def test_a_run_that_would_call_people_asks_first_and_tries_what_is_advised(
    installation: Installation, server: ModelServer
) -> None:
    def back_by_then(exchange: Exchange) -> None:
        installation.upstreams.clear_faults()
        says()(exchange)

    server.behave = back_by_then
    configured(installation, server)
    result = installation.run(open_incident(installation))
    assert result.success
    told = metadata_of(result, "heal")["second_opinion"]
    assert "It healed" in told
    assert installation.state_of(DGS10) is None, "nobody was called"
    assert installation.rows("SELECT * FROM healing.alert") == []
    key = installation.rows("SELECT diagnosis, because FROM healing.second_opinion_call")
    assert [each["because"] for each in key] == ["unhealed"]


def test_a_run_that_heals_by_itself_asks_nobody_and_says_nothing_of_it(
    installation: Installation, server: ModelServer
) -> None:
    configured(installation, server)
    installation.tick()  # good data, to be had later
    result = installation.run(open_incident(installation))
    assert "second_opinion" not in metadata_of(result, "heal")
    assert server.connections == 0


def test_a_model_that_talks_leaves_the_run_as_it_would_have_been(
    installation: Installation, server: ModelServer
) -> None:
    server.behave = says("All keys were rotated.")
    configured(installation, server)
    result = installation.run(open_incident(installation))
    assert result.success
    assert metadata_of(result, "route_or_escalate")["state"] == "escalated"
    assert "no JSON" in metadata_of(result, "heal")["second_opinion"]
    assert server.connections == 1
