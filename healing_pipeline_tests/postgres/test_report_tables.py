"""`healing report --format`: every form, the structures asked for, the digest, into files."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import toon_format
from storage_samples import AAPL, answer, failed_attempt
from typer.testing import CliRunner

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.cli.app import app
from healing_pipeline.cli.report_tables import FORMATS, report_digest, report_tables
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.reporting.structures import STRUCTURES
from healing_pipeline.reporting.table_reading import read_csv, read_json
from healing_pipeline.reporting.toon_reading import read_toon
from healing_pipeline.storage.database import URL_VARIABLE
from healing_pipeline.storage.fact_store import FactStore

SECRET = "Zq8vP2mK4xT7wB1nR5yL"


@pytest.fixture(scope="module")
def reported(pg_server, tmp_path_factory):
    """A configuration, and a database in which one reader met a timeout a minute ago."""
    name = f"test_{uuid4().hex}"
    pg_server.create(name, "healing_template")
    at = datetime.now(UTC) - timedelta(minutes=1)
    first = failed_attempt(at=at, evidence=f"[red]no answer[/red] {SECRET}")
    end = answer(
        at=at, request_id=first.request_id, failure_class="timeout", strategy="alternate_host"
    )
    store = FactStore(pg_server.url(name))
    store.store([first, end])
    store.close()
    config = tmp_path_factory.mktemp("report") / "healing_config.yaml"
    config.write_text(default_config_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(URL_VARIABLE, pg_server.url(name))
        yield config
    pg_server.drop(name)


def made(config: Path, form: str, *names: str, **options) -> int:
    asked = {"hours": 24.0, "limit": None, "output": None, **options}
    return report_tables(config, form=form, names=names, **asked)


def test_toon_and_json_hold_all_eight_and_say_the_same(reported, capsys):
    assert made(reported, "toon") == 0
    from_toon = read_toon(capsys.readouterr().out)
    assert made(reported, "json") == 0
    from_json = read_json(capsys.readouterr().out)
    assert [each.name for each in from_toon] == [each.name for each in from_json] == [*STRUCTURES]
    assert from_toon[0].rows == from_json[0].rows
    (event,) = from_toon[0].rows
    assert (event["endpoint"], event["healed_by"]) == (AAPL, "alternate_host")


def test_csv_holds_one_table_and_asks_which(reported, capsys):
    assert made(reported, "csv") == 0
    assert read_csv(capsys.readouterr().out).name == "endpoint_health"
    assert made(reported, "csv", "error_events") == 0
    assert len(read_csv(capsys.readouterr().out).rows) == 1
    with pytest.raises(ConfigurationError, match="Name one with --structure"):
        made(reported, "csv", "error_events", "active_alerts")


@pytest.mark.parametrize("form", ["text", "md", "html"])
def test_people_get_only_what_they_ask_for_and_every_text_as_it_is(reported, capsys, form):
    assert made(reported, form, "error_events") == 0
    said = capsys.readouterr().out
    assert "rror" in said
    assert "red]no answer" in said.replace("\\", "")
    assert "ctive_alerts" not in said.replace("Active alerts", "active_alerts")


def test_a_wrong_wish_names_the_right_ones_and_writes_nothing(reported, capsys, tmp_path):
    output = tmp_path / "report"
    for options, said in (
        (("xml",), f"Write --format {', '.join(FORMATS[:-1])} or html"),
        (("toon", "events"), "Name one of error_events, .*, realtime_metrics, or all"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            made(reported, *options, output=output)
    for options, said in (({"hours": 0.0}, "--hours"), ({"limit": 0}, "Ask for 1 to 100,000")):
        with pytest.raises(ConfigurationError, match=said):
            made(reported, "json", output=output, **options)
    assert capsys.readouterr().out == ""
    assert not output.exists()


def test_rows_are_bounded_and_the_document_says_which_tables_were_cut(reported, tmp_path):
    output = tmp_path / "report.json"
    assert made(reported, "json", "all", limit=2, output=output) == 0
    document = json.loads(output.read_text())
    assert len(document["fallback_chains"]) == 2
    assert "fallback_chains" in document["cut"]


def test_no_document_holds_a_key(reported, capsys):
    for form in FORMATS:
        assert made(reported, form, "error_events") == 0
    assert report_digest(reported, hours=1.0, output=None) == 0
    said = capsys.readouterr().out
    assert SECRET not in said
    assert said.count("redacted") >= len(FORMATS)


def test_the_digest_is_one_small_document(reported, capsys):
    assert report_digest(reported, hours=1.0, output=None) == 0
    said = toon_format.loads(capsys.readouterr().out)
    assert (said["events"], said["window_h"], said["unanswered"]) == (1, 1, 0)
    assert said["latest"][0]["endpoint"] == AAPL


def test_the_command_has_one_meaning_or_none(reported, tmp_path):
    def run(*options: str):
        return CliRunner().invoke(app, ["report", "--config", str(reported), *options])

    output = tmp_path / "report.txt"
    assert run("--output", str(output)).exit_code == 0
    assert "Health over 24 h" in output.read_text()
    assert "endpoints" in json.loads(run("--json").stdout)
    assert [*json.loads(run("--json", "--structure", "active_alerts").stdout)][-1] == (
        "active_alerts"
    )
    for wrong in (
        ("--json", "--format", "toon"),
        ("--digest", "--format", "csv"),
        ("--digest", "--structure", "error_events"),
        ("--format", "csv", "--pictures", str(tmp_path)),
    ):
        assert run(*wrong).exit_code == 2, wrong
