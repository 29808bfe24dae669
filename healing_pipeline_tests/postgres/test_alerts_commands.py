"""`healing alerts test` and `deliveries`, over real tables and a real server to send to."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from post_offices import free_port, http_server, mail_server
from storage_samples import NOON

from healing_pipeline.alerting.messages import Kind
from healing_pipeline.catalog.default import write_default
from healing_pipeline.cli import alerts_run
from healing_pipeline.errors import ConfigurationError, StorageError
from healing_pipeline.storage.alerts import alerts_since
from healing_pipeline.storage.database import URL_VARIABLE

CHANNELS = """
alerts:
  url: https://healing.test
  channels:
    mail: {env: ALERTS_MAIL_URL}
    hook: {env: ALERTS_HOOK_URL, levels: [critical]}
"""


@pytest.fixture
def config(tmp_path: Path, database_url: str, monkeypatch) -> Path:
    path = tmp_path / "healing_config.yaml"
    write_default(path, force=False)
    path.write_text(path.read_text() + CHANNELS)
    monkeypatch.setenv(URL_VARIABLE, database_url)
    monkeypatch.setenv("HEALING_STATE_DIR", str(tmp_path / "state"))
    return path


@pytest.fixture
def post(monkeypatch):
    with mail_server() as server:
        monkeypatch.setenv(
            "ALERTS_MAIL_URL",
            f"mailto://healing@healing.test:{server.port}"
            "?smtp=127.0.0.1&mode=insecure&to=oncall@healing.test",
        )
        yield server


def printed(capsys) -> dict[str, dict[str, object]]:
    return {each["channel"]: each for each in json.loads(capsys.readouterr().out)}


def test_a_test_reaches_every_channel_and_says_so(config, post, monkeypatch, capsys, database):
    with http_server() as hooks:
        monkeypatch.setenv("ALERTS_HOOK_URL", f"json://127.0.0.1:{hooks.port}/alerts")
        assert alerts_run.try_channels(config, None, as_json=True) == 0
    found = printed(capsys)
    assert {name: each["state"] for name, each in found.items()} == {
        "web": "sent",
        "mail": "sent",
        "hook": "sent",
    }
    (letter,) = post.letters
    assert letter.parsed["Subject"] == "[TEST] This is a test, nothing is wrong"
    (request,) = hooks.requests
    assert request.json["link"] == "https://healing.test/health-dashboard/alerts"
    with database.connection() as connection:
        (alert,) = alerts_since(connection, NOON)
    assert (alert.kind, alert.group_id) == (Kind.TEST, None)


def test_a_channel_that_does_not_take_the_test_is_named_with_its_cure(
    config, post, monkeypatch, capsys
):
    monkeypatch.delenv("ALERTS_HOOK_URL", raising=False)
    assert alerts_run.try_channels(config, None, as_json=False) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "ALERTS_HOOK_URL is not set" in said.replace("ALERTS_HOOK_ URL", "ALERTS_HOOK_URL")
    assert len(post.letters) == 1, "the other has it"
    monkeypatch.setenv("ALERTS_HOOK_URL", f"json://x:Pa55word@127.0.0.1:{free_port()}/alerts")
    assert alerts_run.try_channels(config, "hook", as_json=True) == 1
    found = printed(capsys)
    assert set(found) == {"web", "hook"}
    assert found["hook"]["state"] == "failed", "a test is not tried again for a day"
    assert "Connection error" in str(found["hook"]["error"])
    assert "Pa55word" not in str(found)
    assert alerts_run.deliveries(config, retry=False, as_json=True) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["state"] for each in listed] == ["failed", "failed", "sent"]
    assert alerts_run.deliveries(config, retry=True, as_json=False) == 0
    assert "2 that failed are tried again" in capsys.readouterr().out


def test_a_channel_of_another_name_is_refused(config):
    with pytest.raises(ConfigurationError, match=r"'mali' is no channel.*mail"):
        alerts_run.try_channels(config, "mali", as_json=False)


def test_what_tells_people_waits_for_a_database_that_is_away_and_says_so(
    config, database_url, monkeypatch, capsys
):
    stopped = threading.Event()
    monkeypatch.setenv("HEALING_DATABASE_URL", "postgresql://postgres@127.0.0.1:1/none")
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(alerts_run._awaited_database, config, stopped)
        with pytest.raises(TimeoutError):
            found.result(0.3)
        monkeypatch.setenv("HEALING_DATABASE_URL", database_url)
        assert found.result(10)
    told = " ".join(capsys.readouterr().out.split())
    assert told.index("Waiting for PostgreSQL") < told.index("PostgreSQL is there.")
    # Asked to stop while it waits, it stops; a URL that is none is an error at once.
    monkeypatch.setenv("HEALING_DATABASE_URL", "postgresql://postgres@127.0.0.1:1/none")
    stopped.set()
    assert not alerts_run._awaited_database(config, stopped)
    monkeypatch.setenv("HEALING_DATABASE_URL", "postgresql://[")
    with pytest.raises(StorageError, match="cannot be read"):
        alerts_run._awaited_database(config, threading.Event())
