"""`healing diagnose`: what a person reads of one incident, of all, and of a number that is none."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from outages import QUOTES, SERIES, Outages
from rich.console import Console
from typer.testing import CliRunner

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.cli import diagnose_text
from healing_pipeline.cli.app import app
from healing_pipeline.cli.diagnose import diagnose
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.incidents.cause import RootCause
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.storage.database import connection_info
from healing_pipeline.storage.fact_store import FactStore

LONG_AGO = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def config(database_url, tmp_path, monkeypatch):
    path = tmp_path / "healing_config.yaml"
    path.write_text(default_config_text(), encoding="utf-8")
    monkeypatch.setenv("HEALING_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HEALING_DATABASE_URL", database_url)
    monkeypatch.setenv("HEALING_UPSTREAMS", "simulated")
    return path


@pytest.fixture
def world(database, database_url):
    with closing(FactStore(database_url)) as store:
        yield Outages(database, store, now=LONG_AGO)


@pytest.fixture
def said(capsys, monkeypatch, config):
    """What the command prints for people."""
    console = Console(width=160, highlight=False)
    monkeypatch.setattr(diagnose_text, "out", console)

    def ask(number=None) -> str:
        capsys.readouterr()
        monkeypatch.setattr(console, "file", None, raising=False)
        assert diagnose(config, number, as_json=False) == 0
        return capsys.readouterr().out

    return ask


def outage(world) -> list[int]:
    """An outage of a whole source: diagnosed, one member healed, one given up."""
    ids = world.begin(*QUOTES[:4])
    for each in ids:
        endpoint = world.row(each).endpoint
        values = {"strategy": "alternate_host", "host": "query2", "incident_id": each}
        world.called(endpoint, failure="timeout", met="timeout", **values)
    world.diagnose()
    plan = [
        {"strategy": "use_cached_data", "taken": True, "because": "stored data may do"},
        {"strategy": "rotate_api_key", "taken": False, "because": "the [bold] key is fine"},
    ]
    for each in ids[:2]:
        world.move(each, State.HEALING, "heal_started")
    world.move(
        ids[0],
        State.HEALED,
        "heal_succeeded",
        strategy="use_cached_data",
        fidelity="stale",
        detail={"plan": plan},
    )
    world.move(ids[1], State.ESCALATED, "heal_failed", detail={"plan": plan})
    return ids


def test_a_past_incident_is_shown_with_its_chain_members_scope_plan_and_what_was_tried(world, said):
    ids = outage(world)
    world.wait(90)
    world.move(ids[1], State.OPEN, "tried_again")
    world.resolve(*ids)
    text = said(ids[0])
    for words in (
        f"Incident {ids[0]}: provider down, at yahoo; resolved",
        "4 endpoints failed, 0 of them open; it concerns 6 endpoints",
        "over after 1 min 30 s",
        "as of 2026-03-02 12:00:00 UTC",
        "1. ",
        "→ ",
        "use_cached_data, stale",
        f"Concerned as well, though none of them was found failing: {QUOTES[4]}, {QUOTES[5]}",
        "taken     use_cached_data: stored data may do",
        "left out  rotate_api_key: the [bold] key is fine",
        "alternate_host",
    ):
        assert words in text, words
    for each in QUOTES[:4]:
        assert each in text


def test_a_members_number_shows_the_incident_that_it_is_a_part_of(world, said):
    ids = outage(world)
    text = said(ids[2])
    assert f"Incident {ids[2]} is a part of incident {ids[0]}." in text
    assert f"Incident {ids[0]}: provider down" in text


def test_without_a_number_what_fails_now_has_a_line_for_each_joint_incident(world, said, config):
    assert "Nothing fails now." in said()
    world.now = datetime.now(UTC) - timedelta(seconds=5)
    quotes = outage(world)
    series = world.begin(*SERIES[:2], failure="auth_error")
    world.diagnose()
    lines = said().splitlines()
    assert "Failing now: 2 incidents" in lines[0]
    (first,) = (each for each in lines if each.strip().startswith(f"{quotes[0]} "))
    assert "provider down" in first
    assert "yahoo" in first
    assert "escalated" in first, "as bad as the worst of its members"
    assert sum(each.strip().startswith(f"{series[0]} ") for each in lines) == 1


def test_the_verdict_of_this_moment_is_shown_before_it_is_written_down(world, config, capsys):
    """Nobody has to be running for it: the evidence is read anew."""
    world.now = datetime.now(UTC) - timedelta(seconds=5)
    ids = world.begin(*QUOTES[:4])
    assert diagnose(config, ids[1], as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["asked"] == document["incident"] == ids[1], "not joined yet"
    assert document["verdicts"] == []
    world.diagnose()
    world.wait(3)
    assert diagnose(config, ids[1], as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["asked"], document["incident"]) == (ids[1], ids[0])
    assert document["chain"]
    assert [each["incident"] for each in document["incidents"]] == ids
    assert document["verdicts"][0]["root_cause"] == document["root_cause"]
    assert diagnose(config, None, as_json=True) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert (line["incident"], line["members"], line["root_cause"]) == (
        ids[0],
        4,
        RootCause.PROVIDER_DOWN,
    )


def test_an_incident_that_was_never_diagnosed_is_shown_all_the_same(world, said):
    (lonely,) = world.begin(QUOTES[0])
    text = said(lonely)
    assert "It was not diagnosed" in text
    assert "No heal run has ended yet." in text


@pytest.mark.parametrize("number", [0, -1, 99, 10**30])
def test_a_number_that_is_none_is_named_with_those_that_exist(world, config, number):
    with pytest.raises(ConfigurationError, match=rf"no incident {number}\. There was none yet"):
        diagnose(config, number, as_json=False)
    (known,) = world.begin(QUOTES[0])
    with pytest.raises(ConfigurationError, match=rf"The newest are {known} \({QUOTES[0]}, open\)"):
        diagnose(config, number, as_json=True)


def test_what_is_no_number_is_refused_by_the_command_line(config):
    shown = CliRunner().invoke(app, ["diagnose", "yahoo/quote-a", "--config", str(config)])
    assert shown.exit_code == 2
    assert "'incident': Input should be a valid integer" in shown.output


def test_reading_writes_nothing(world, config, database_url):
    world.now = datetime.now(UTC) - timedelta(seconds=5)
    (first, *_) = world.begin(*QUOTES[:3])
    diagnose(config, first, as_json=True)
    with psycopg.connect(connection_info(database_url)) as connection:
        assert connection.execute("SELECT count(*) FROM diagnosis").fetchone() == (0,)
        assert connection.execute("SELECT count(parent_id) FROM incident").fetchone() == (0,)
