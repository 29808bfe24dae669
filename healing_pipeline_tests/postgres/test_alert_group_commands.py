"""`healing alerts` as its commands meet the tables; in this process, to be quick."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from storage_samples import AAPL, begin
from typer.testing import CliRunner

from healing_pipeline.catalog.default import write_default
from healing_pipeline.cli.app import app
from healing_pipeline.control.alerting import fire, recover
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage import alert_groups
from healing_pipeline.storage.alert_watch import note_evaluation
from healing_pipeline.storage.database import Database

DOWN = "source:yahoo:unreachable"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("alerts") / "healing_config.yaml"
    write_default(path)
    return path


@pytest.fixture
def healing(config, database_url, monkeypatch):
    monkeypatch.setenv("HEALING_DATABASE_URL", database_url)
    monkeypatch.setenv("HEALING_CONFIG", str(config))
    monkeypatch.setattr("getpass.getuser", lambda: "ann")

    def run(*arguments):
        done = CliRunner().invoke(app, ["alerts", *arguments], catch_exceptions=True)
        if isinstance(done.exception, ConfigurationError):
            raise done.exception
        assert done.exit_code == 0, done.output
        run.warned = done.stderr
        return done.stdout

    run.json = lambda *arguments: json.loads(run(*arguments, "--json"))
    return run


@pytest.fixture
def firing(database_url):
    """A group that fires, and one of long ago."""
    with Database(database_url, max_size=1) as database, database.connection() as connection:
        now = datetime.now(UTC)
        long_ago = now - timedelta(days=9)
        fire(
            connection,
            fingerprint="source:fred:key",
            level=Severity.CRITICAL,
            title="fred refuses its key",
            body="",
            at=long_ago,
            source="fred",
        )
        recover(connection, fingerprint="source:fred:key", at=long_ago, note="")
        (old,) = alert_groups.firing_groups(connection)
        alert_groups.resolve_group(connection, old.id, long_ago)
        return fire(
            connection,
            fingerprint=DOWN,
            level=Severity.ERROR,
            title="yahoo cannot be reached [/red]",
            body="no strategy helped",
            at=now,
            source="yahoo",
            incident_id=begin(connection, AAPL).incident_id,
            detail={"action": "look at the provider's status page"},
        )


def test_what_fires_is_listed_first_and_what_is_over_with_all(healing, firing):
    assert "yahoo cannot be reached [/red]" in healing()
    (only,) = healing.json("list")
    assert (only["id"], only["state"], only["endpoints"]) == (firing, "firing", [AAPL])
    assert "told at" in only["told"]
    first, second = healing.json("list", "--all")
    assert (first["id"], second["state"]) == (firing, "resolved")


def test_one_is_shown_with_its_messages_incidents_and_why(healing, firing):
    text = healing("show", str(firing))
    for said in ("no strategy helped", "status page", "nobody was told yet", AAPL, "no answer"):
        assert said in " ".join(text.split())
    shown = healing.json("show", str(firing))
    assert [each["kind"] for each in shown["messages"]] == ["fired"]
    assert shown["deliveries"] == [], "nobody has routed it yet"
    assert shown["incidents"][0]["endpoint"] == AAPL


def test_it_is_said_when_nobody_looks_after_alerts(healing, firing, database_url):
    def said():
        healing.json("list")
        return healing.warned

    with Database(database_url, max_size=1) as database:

        def evaluate(at):
            with database.connection() as connection:
                note_evaluation(connection, at)

        assert "Nobody has looked after alerts yet" in said()
        evaluate(datetime.now(UTC) - timedelta(minutes=2))
        assert "Nobody has looked after alerts since" in said()
        evaluate(datetime.now(UTC))
        assert said() == ""


def test_one_is_acknowledged_once(healing, firing):
    assert healing.json("ack", str(firing))["acknowledged_by"] == "ann"
    assert "ann sees to alert" in healing("ack", str(firing), "--by", "bob")
    assert "acknowledged, so it is not repeated" in healing.json("list")[0]["told"]


def test_a_silence_is_made_listed_and_ended(healing, firing):
    made = healing.json("silence", "--endpoint", "chart-*", "--for", "2h", "--reason", "known")
    assert AAPL in made["endpoints"]
    (found,) = healing.json("silences")
    assert (found["made_by"], found["reason"], found["endpoint"]) == ("ann", "known", "chart-*")
    assert "muted: silence" in healing.json("list")[0]["told"]
    assert "told of" in healing("unsilence", str(made["silence"]))
    assert healing.json("silences") == []


def test_maintenance_is_begun_listed_and_ended(healing, firing):
    made = healing.json(
        "maintenance", "begin", "--source", "yahoo", "--for", "1h30m", "--reason", "moves"
    )
    assert "moves" in healing("maintenance")
    assert "muted: maintenance" in healing.json("list")[0]["told"]
    healing("maintenance", "end", str(made["maintenance"]))
    assert healing.json("maintenance", "list") == []
    later = healing.json(
        "maintenance", "begin", "--at", "2090-01-01T02:00", "--for", "1h", "--reason", "moves"
    )
    assert later["ends_at"] == "2090-01-01 03:00:00+00:00"
    assert "told at" in healing.json("list")[0]["told"]


WHY = ("--reason", "known")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "999"), "no alert 999"),
        (("ack", "999"), "no alert 999"),
        (("unsilence", "999"), "not in force"),
        (("silence", "--for", "2h", "--reason", " "), "reason is needed"),
        (("silence", "--for", "soon", *WHY), "--for is 'soon'"),
        (("silence", "--for", "0h", *WHY), "--for is '0h'"),
        (("silence", "--for", "93d", *WHY), "92d at most"),
        (("silence", "--for", "1h", "--source", "yaho", *WHY), "Did you mean `yahoo`"),
        (("silence", "--for", "1h", "--endpoint", "chart-zz*", *WHY), "No endpoint is called"),
        (
            ("silence", "--for", "1h", "--source", "fred", "--endpoint", "chart-*", *WHY),
            "No endpoint of fred",
        ),
        (("maintenance", "end", "999"), "no maintenance 999"),
        (("maintenance", "begin", "--for", "1h", "--at", "monday", *WHY), "--at is 'monday'"),
        (("maintenance", "begin", "--for", "1h", "--at", "2020-01-01", *WHY), "was over"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_cure(healing, arguments, said):
    with pytest.raises(ConfigurationError, match=said):
        healing(*arguments)


def test_an_alert_that_is_over_needs_nobody(healing, firing):
    over = next(each["id"] for each in healing.json("list", "--all") if each["id"] != firing)
    with pytest.raises(ConfigurationError, match="was over"):
        healing("ack", str(over))


def test_nobody_can_acknowledge_without_a_name(healing, firing, monkeypatch):
    def nobody():
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    with pytest.raises(ConfigurationError, match="--by NAME"):
        healing("ack", str(firing))


def test_options_before_the_command_would_be_forgotten_and_are_refused(config, healing):
    done = CliRunner().invoke(app, ["alerts", "--config", "other.yaml", "list"])
    assert done.exit_code == 2
    assert "behind the command" in done.output
