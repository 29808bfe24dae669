"""A whole drill: real sockets, real PostgreSQL, faults by script, and a clean score."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from server_for_tests import ServerForTests, as_role

from healing_pipeline.drill.run import run_drill
from healing_pipeline.drill.score import is_clean
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.storage.roles import APP, OWNER

pytestmark = pytest.mark.processes

# An error burst, a revoked key, a mangled body, a dead host and a blocked provider, some at once.
STORM = """
name: storm
sources: [fred, exchange_rate, yahoo, polygon]
duration_s: 8
traffic: {readers: 4, requests_per_s: 30}
faults:
  - {at_s: 1, for_s: 3, match: {source: fred, share: 0.8}, fault: server_error}
  - {at_s: 2, for_s: 4, match: {source: exchange_rate, host: v6}, fault: down}
  - {at_s: 4.5, for_s: 1.5, match: {source: fred, path: "/fred/series/*"}, fault: truncate}
  - {at_s: 6, for_s: 1.5, match: {source: fred, key: primary}, fault: auth_error}
  - {at_s: 3, for_s: 4, match: {source: yahoo}, fault: bot_block}
"""
# As Upptime keeps it: half an hour of an API that fell over while its documentation hung.
HISTORY = """\
checked_at,endpoint,status,http_code,response_ms,commit
2026-01-05T12:00:00+00:00,API,up,200,90,a
2026-01-05T12:05:00+00:00,API,down,503,0,b
2026-01-05T12:08:00+00:00,Docs,down,0,0,c
2026-01-05T12:20:00+00:00,API,up,200,95,d
2026-01-05T12:35:00+00:00,Docs,up,200,80,e
"""
# Nothing stands in for what is asked for here: see `unhealed`.
OUTAGE = """
name: outage
sources: [exchange_rate]
accepts: [exact]
duration_s: 16
traffic: {readers: 4, requests_per_s: 20}
faults:
  - {at_s: 1, for_s: 5, match: {source: exchange_rate}, fault: server_error}
"""
SEED = 5


def as_parted_roles(patch: pytest.MonkeyPatch, pg_server: ServerForTests) -> None:
    """The application as a role that can neither change the schema nor take facts away."""
    server = pg_server.url("postgres")
    patch.setenv("HEALING_DATABASE_URL", as_role(server, APP))
    patch.setenv("HEALING_OWNER_DATABASE_URL", as_role(server, OWNER))


@pytest.fixture(scope="module")
def drills(pg_server, tmp_path_factory) -> list[dict]:
    """Two drills of one script with one seed, one after the other."""
    folder: Path = tmp_path_factory.mktemp("drill")
    script = folder / "storm.yaml"
    script.write_text(STORM)
    scenario = load_scenario(script)
    with pytest.MonkeyPatch.context() as patch:
        as_parted_roles(patch, pg_server)
        return [
            run_drill(
                scenario,
                script,
                seed=SEED,
                duration_s=scenario.duration_s,
                state_dir=folder / f"state{number}",
                progress=lambda what, at_s: None,
            )
            for number in range(2)
        ]


@pytest.fixture(scope="module")
def replay(pg_server, tmp_path_factory) -> dict:
    """The first seconds of a drill made from a history."""
    folder: Path = tmp_path_factory.mktemp("replay")
    file = folder / "some_api.csv"
    file.write_text(HISTORY)
    with pytest.MonkeyPatch.context() as patch:
        as_parted_roles(patch, pg_server)
        return run_drill(
            load_scenario(file),
            file,
            seed=SEED,
            duration_s=8.0,
            state_dir=folder / "state",
            progress=lambda what, at_s: None,
        )


@pytest.fixture(scope="module")
def unhealed(pg_server, tmp_path_factory) -> dict:
    """A drill of a source that is down, whose readers take no older data and no other's."""
    folder: Path = tmp_path_factory.mktemp("unhealed")
    script = folder / "outage.yaml"
    script.write_text(OUTAGE)
    scenario = load_scenario(script)

    with pytest.MonkeyPatch.context() as patch:
        as_parted_roles(patch, pg_server)
        return run_drill(
            scenario,
            script,
            seed=SEED,
            duration_s=scenario.duration_s,
            state_dir=folder / "state",
            progress=lambda what, at_s: None,
        )


def test_what_nothing_heals_is_told_once_however_many_endpoints_have_it_and_closed_once(unhealed):
    alerts = unhealed["alerts"]
    assert unhealed["answers"]["failed"] > 50
    assert (unhealed["incidents"], unhealed["incident_members"]) == (1, 6)
    diagnosis = unhealed["diagnosis"]
    assert (diagnosis["of"], diagnosis["root_cause_right"], diagnosis["scope_exact"]) == (1, 1, 1)
    assert alerts["to_be_told"] >= 6
    assert (alerts["missed_incidents"], alerts["over_allowed"]) == (0, 0), alerts["missed_examples"]
    assert alerts["groups"] == 1
    assert alerts["messages"]["fired"] == 1
    assert alerts["messages"]["resolved"] == 1
    assert unhealed["alerts_sent"] == 2 + alerts["messages"]["raised"]
    assert alerts["share_of_faults_with_alert"] == 1.0
    assert alerts["for_healed_faults"] == 0


def test_nobody_is_called_for_what_was_healed_and_gatus_would_have_called(drills):
    for report in drills:
        alerts = report["alerts"]
        assert alerts["for_healed_faults"] == alerts["missed_incidents"] == 0
        assert alerts["over_allowed"] == 0
        assert report["alerts_sent"] == alerts["people_got"]
        assert alerts["gatus"]["rules"]


def test_a_history_is_replayed_and_says_what_stands_for_what(replay):
    assert is_clean(replay), (replay["error_examples"], replay["wrong_examples"])
    assert replay["scenario"] == "some_api"
    assert [each["fault"] for each in replay["faults"]] == ["server_error", "timeout"]
    assert [each["met"] > 0 for each in replay["faults"]] == [True, True]
    assert replay["met_fault"] > 0
    assert "API is played by yahoo" in replay["mapped"][0]


def test_an_answer_of_another_provider_is_among_those_that_were_judged(drills):
    """Yahoo is blocked as a whole: Polygon's bars are the exact answer that was left."""
    for report in drills:
        assert report["healed_by_class"]["bot_block"]["healed"] > 0
        assert report["healed_by_strategy"]["fallback_provider"] > 0


def test_every_reader_is_served_and_none_is_lied_to(drills):
    for report in drills:
        assert report["error_examples"] == []
        assert report["wrong_examples"] == []
        assert is_clean(report)
        assert report["met_fault"] > 10
        assert report["unavoidable"] == 0
        assert report["healed_share"] == 1.0
        assert report["answers"]["failed"] == 0


def test_no_event_is_lost_or_told_twice(drills):
    for report in drills:
        assert report["events"] >= 2 * report["requests"]  # an answer and an attempt of each
        assert (report["events_lost"], report["events_doubled"]) == (0, 0)


def test_every_fault_is_met_and_noticed(drills):
    for report in drills:
        assert len(report["faults"]) == 5
        assert report["faults_undetected"] == 0
        assert report["time_to_detect_s"]["max"] < 3
        assert report["incidents"] > 0
        # A host that refuses connections answers nothing, so the simulator logs nothing of it.
        assert all(each["met"] > 0 for each in report["faults"] if each["fault"] != "down")


def test_readers_wait_no_longer_than_their_deadline(drills):
    # The deadline is 3 s; a busy machine may hand an answer over a little late.
    for report in drills:
        assert report["longest_wait_s"] < 4


def test_one_seed_is_one_truth_one_script_and_one_load(drills):
    one, other = drills
    assert one["truth_digest"] == other["truth_digest"]
    assert one["requests"] == other["requests"] > 100
    script = [
        [(each["fault"], each["source"], each["at_s"], each["for_s"]) for each in report["faults"]]
        for report in drills
    ]
    assert script[0] == script[1]


def test_the_report_is_json(drills):
    assert json.loads(json.dumps(drills, allow_nan=False)) == drills
