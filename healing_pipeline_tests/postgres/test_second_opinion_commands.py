"""`healing diagnose N --ask` and the report: what a person reads of a second opinion."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from model_servers import model_server, refuses
from storage_samples import begin
from typer.testing import CliRunner

from healing_pipeline.catalog import second_opinion_section
from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.cli.app import app
from healing_pipeline.storage.incidents import move_incident

PLAN = [
    {"strategy": "alternate_host", "taken": True, "because": "query2 is another host"},
    {"strategy": "fallback_provider", "taken": True, "because": "another provider has it"},
    {"strategy": "etf_proxy", "taken": False, "because": "proxy is not accepted"},
]


@pytest.fixture
def server():
    with model_server() as running:
        yield running


@pytest.fixture
def config(server, database_url, tmp_path, monkeypatch):
    text = default_config_text()
    section = f"""second_opinion:
  service: openai
  base_url: {server.url}/v1
  model: a-model
  daily_budget_usd: 1
  timeout_s: 60
  price_per_million_tokens: {{input: 1, output: 4}}

"""
    # A busy machine may take long to import an SDK.
    monkeypatch.setattr(second_opinion_section, "LONGEST_WAIT_S", 60.0)
    path = tmp_path / "healing_config.yaml"
    path.write_text(text.replace("# second_opinion:", f"{section}#", 1), encoding="utf-8")
    monkeypatch.setenv("HEALING_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HEALING_DATABASE_URL", database_url)
    monkeypatch.setenv("HEALING_UPSTREAMS", "simulated")
    monkeypatch.setenv("COLUMNS", "160")
    return path


@pytest.fixture
def incident(database) -> int:
    """Given up by a heal run a moment ago, with its plan on record."""
    now = datetime.now(UTC) - timedelta(seconds=30)
    with database.connection() as connection:
        opened = begin(connection, began_at=now, at=now)
        moves = [
            ("open", "healing", "heal_started", {}),
            ("healing", "escalated", "heal_failed", {"plan": PLAN, "tried": []}),
        ]
        for from_state, to_state, signal, detail in moves:
            move_incident(
                connection,
                incident_id=opened.incident_id,
                from_state=from_state,
                to_state=to_state,
                signal=signal,
                at=now,
                note="",
                detail=detail,
            )
    return opened.incident_id


def run(*arguments: object):
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_a_person_asks_reads_the_advice_and_finds_it_in_the_report(config, incident, server):
    told = run("diagnose", incident, "--ask", "--config", config)
    assert told.exit_code == 0, told.output
    line = next(each for each in told.stdout.splitlines() if "a-model" in each)
    assert "fallback_provider, then alternate_host: all of it fails" in " ".join(
        told.stdout[told.stdout.index(line) :].split()
    )
    assert len(server.exchanges) == 1
    document = json.loads(run("diagnose", incident, "--config", config, "--json").stdout)
    (call,) = document["second_opinion"]
    assert call["advice"]["order"] == ["fallback_provider", "alternate_host"]
    assert (call["because"], call["outcome"]) == ("on demand", "advice")
    assert call["cost_usd"] == pytest.approx((2000 + 400) / 1e6)
    report = json.loads(run("report", "--config", config, "--json").stdout)["second_opinion"]
    assert (report["calls"], report["advices"], report["unused"]) == (1, 1, 1)
    assert report["committed_today_usd"] == pytest.approx(call["cost_usd"])
    assert "No advice can be judged yet" in report["verdict"]
    assert "No advice can be judged yet; $0.00." in run("report", "--config", config).stdout


def test_a_service_that_refuses_is_told_and_ends_the_command_with_1(config, incident, server):
    server.behave = refuses("401 Unauthorized")
    told = run("diagnose", incident, "--ask", "--config", config)
    assert told.exit_code == 1
    assert "No second opinion: bad_key: status 401" in told.output
    again = run("diagnose", incident, "--ask", "--config", config)
    assert "not asked for another" in again.output
    assert len(server.exchanges) == 1


def test_what_cannot_be_asked_names_the_cure(config, incident):
    assert "healing diagnose 7 --ask" in str(run("diagnose", "--ask", "--config", config).exception)
    nobody = run("diagnose", 999, "--ask", "--config", config)
    assert "no incident 999" in str(nobody.exception)
    config.write_text(default_config_text(), encoding="utf-8")
    silent = run("diagnose", incident, "--ask", "--config", config)
    assert "No model is configured" in str(silent.exception)


def test_an_sdk_that_is_not_installed_is_told_with_its_line(config, monkeypatch):
    assert "SDK" not in run("check", "--config", config).output
    monkeypatch.setattr("healing_pipeline.cli.config.find_spec", lambda name: None)
    told = run("check", "--config", config)
    line = config.read_text(encoding="utf-8").splitlines().index("second_opinion:") + 1
    assert told.exit_code == 0
    assert f":{line}: warning: The SDK of `openai` is not installed" in told.output
    assert "healing-pipeline[second-opinion]" in told.output
