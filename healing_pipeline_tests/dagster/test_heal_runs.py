"""Real ticks and real heal runs: simulated upstreams that fail, real tables, no daemon."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster_installation import DGS10, QUIET, RATES, SERVER_ERROR, UNRATE, Installation

from healing_pipeline.control import heal_run
from healing_pipeline.errors import StorageError
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.orchestration import sensors
from healing_pipeline.orchestration.resources import close_sessions
from healing_pipeline.storage.routes import active_routes

pytestmark = [pytest.mark.processes, QUIET]

ROOT = Path(__file__).parents[2]


def only(requests: list[dg.RunRequest] | None) -> dg.RunRequest:
    assert requests is not None
    assert len(requests) == 1
    return requests[0]


def metadata_of(result: dg.ExecuteInProcessResult, step: str) -> dict[str, Any]:
    """What a step told with its output."""
    (output,) = (each for each in result.events_for_node(step) if each.is_successful_output)
    found = output.step_output_data.metadata
    return {name: value.value for name, value in found.items()}


def open_incident(installation: Installation) -> dg.RunRequest:
    """An incident of DGS10 that asks for its heal run, and nothing in store to heal it with."""
    installation.upstreams.add_fault({**SERVER_ERROR})
    installation.write("UPDATE healing.probe_schedule SET next_at = now() + interval '1 hour'")
    installation.make_due(DGS10)
    return only(installation.tick().run_requests)


def let_time_pass(installation: Installation, by: timedelta) -> None:
    """As if every open incident had come into its state that much earlier."""
    installation.write(
        "UPDATE healing.incident SET state_since = state_since - %(by)s, "
        "healing_since = healing_since - %(by)s WHERE state <> 'resolved'",
        by=by,
    )


def test_a_tick_at_a_source_that_is_well_asks_for_nothing(installation: Installation) -> None:
    tick = installation.tick()
    assert tick.run_requests == []
    assert tick.skip_message == "2 probed, 0 bad, 0 over their budget"


def test_a_tick_while_a_source_fails_asks_for_one_run_per_incident(
    installation: Installation,
) -> None:
    installation.upstreams.add_fault(SERVER_ERROR)
    tick = installation.tick()
    events = installation.rows(
        "SELECT event.id, incident_id, endpoint FROM healing.incident_event AS event"
        " JOIN healing.incident ON incident.id = incident_id ORDER BY event.id"
    )
    assert sorted(each["endpoint"] for each in events) == [DGS10, UNRATE]
    asked = {each.run_key: each for each in tick.run_requests}
    assert set(asked) == {f"incident_event:{each['id']}" for each in events}
    for event in events:
        request = asked[f"incident_event:{event['id']}"]
        assert request.run_config["ops"]["diagnose"]["config"] == {
            "incident_id": event["incident_id"],
            "event_id": event["id"],
        }
        tags = dict(request.tags)
        asked_at = datetime.fromisoformat(tags.pop("healing/requested_at"))
        assert timedelta() <= datetime.now(UTC) - asked_at < timedelta(seconds=30)
        assert 0 <= float(tags.pop("healing/asked_after_s")) < 30
        assert {name: tag for name, tag in tags.items() if name.startswith("healing/")} == {
            "healing/source": "fred",
            "healing/endpoint": event["endpoint"],
            "healing/incident": str(event["incident_id"]),
            "healing/incident_event": str(event["id"]),
            "healing/failure_class": "server_error",
            "healing/tick_late_s": "0.0",
        }


def test_what_limits_runs_in_dagster_yaml_is_a_tag_of_every_request(
    installation: Installation,
) -> None:
    settings = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    limited = {each["key"] for each in settings["concurrency"]["runs"]["tag_concurrency_limits"]}
    ours = {each for each in limited if each.startswith("healing/")}
    assert ours
    assert ours <= set(open_incident(installation).tags)


def test_a_second_tick_asks_for_nothing_again(installation: Installation) -> None:
    installation.upstreams.add_fault(SERVER_ERROR)
    cursor = installation.tick().cursor
    installation.make_due(DGS10, UNRATE)
    again = installation.tick(cursor=cursor)
    assert again.run_requests == []
    assert again.skip_message == "2 probed, 2 bad, 0 over their budget"


def test_a_sensor_sees_only_its_own_source(installation: Installation) -> None:
    installation.upstreams.add_fault(SERVER_ERROR)
    installation.tick()
    other = installation.tick("probe_exchange_rate")
    assert other.run_requests == []
    assert other.skip_message == "1 probed, 0 bad, 0 over their budget"


def test_a_run_heals_the_incident_and_leaves_a_route(installation: Installation) -> None:
    installation.tick()  # good data, to be had later
    request = open_incident(installation)
    result = installation.run(request)
    assert result.success
    said = metadata_of(result, "diagnose")
    assert said["root_cause"] in {"provider down", "host down"}
    assert said["scope"] == len(str(said["endpoints"]).split(", ")) >= 1
    assert said["place"]
    rows = str(said["chain"]).splitlines()
    assert rows[0] == "| asked | found | so |"
    assert str(said["root_cause"]) in rows[-1], "the last link names the verdict"
    said = metadata_of(result, "verify")
    assert said["checks"] > 0
    assert said["failed"] == 0
    incident = installation.rows("SELECT * FROM healing.incident")[0]
    assert incident["state"] == "healed"
    assert incident["place"]
    assert incident["strategy"] == "use_cached_data"
    assert incident["fidelity"] == "stale"
    with installation.database.connection() as connection:
        routes = active_routes(connection)
    assert [(each.endpoint, each.strategy) for each in routes] == [(DGS10, "use_cached_data")]
    attempts = installation.rows(
        "SELECT origin, strategy, healed, incident_id FROM healing.attempt"
        " WHERE endpoint = %(endpoint)s ORDER BY attempt_no",
        endpoint=DGS10,
    )
    assert {(each["origin"], each["incident_id"]) for each in attempts} == {
        ("heal", incident["id"])
    }
    # What lies between depends on whether the looks before have opened the breaker by then.
    told = [(each["strategy"], each["healed"]) for each in attempts]
    assert told[0] == ("plain", False)
    assert told[-1] == ("use_cached_data", True)
    assert installation.rows("SELECT * FROM healing.alert") == []
    assert installation.rows("SELECT * FROM healing.answer") == [], "nobody read"


def test_a_run_shows_where_its_seconds_went(installation: Installation) -> None:
    installation.tick()
    request = open_incident(installation)
    began = time.monotonic()
    said = metadata_of(installation.run(request), "route_or_escalate")
    took_s = time.monotonic() - began
    steps = [said[f"{each}_s"] for each in ("diagnosis", "healing", "verification", "settling")]
    assert all(each > 0 for each in steps)
    assert sum(steps) < took_s
    assert said["asking_s"] == pytest.approx(
        float(request.tags["healing/asked_after_s"]), abs=0.001
    )
    # Nothing queues or launches a run that is executed where it was asked for.
    assert not {"queue_s", "launch_s", "requesting_s"} & set(said)


def test_a_run_leaves_each_of_its_events_once_and_no_more_than_it_needs(
    installation: Installation,
) -> None:
    installation.tick()
    result = installation.run(open_incident(installation))
    kinds = Counter(each.event_type_value for each in result.all_events)
    assert kinds["STEP_START"] == kinds["STEP_SUCCESS"] == kinds["STEP_OUTPUT"] == 4
    through_a_manager = {"HANDLED_OUTPUT", "LOADED_INPUT", "STEP_INPUT"}
    assert not through_a_manager & set(kinds), "the steps hand on in memory"
    assert len(result.all_events) <= 21


def test_a_run_of_some_of_its_steps_says_how_to_run_it(installation: Installation) -> None:
    job = installation.definitions.resolve_job_def("heal_endpoint")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance, op_selection=["verify"], raise_on_error=False
        )
    (failure,) = (each for each in result.all_events if each.is_step_failure)
    assert "run all of it again" in failure.step_failure_data.user_failure_data.description


def test_a_run_after_the_primary_recovered_resolves_without_a_route(
    installation: Installation,
) -> None:
    request = open_incident(installation)
    installation.upstreams.clear_faults()
    assert installation.run(request).success
    assert installation.state_of(DGS10) is None
    with installation.database.connection() as connection:
        assert list(active_routes(connection)) == []


def test_a_run_for_an_incident_that_somebody_else_took_does_nothing_and_succeeds(
    installation: Installation,
) -> None:
    request = open_incident(installation)
    incident_id = int(request.tags["healing/incident"])
    with installation.database.connection() as connection:
        assert heal_run.take(connection, incident_id, datetime.now(UTC))
    result = installation.run(request)
    assert result.success
    assert [each.step_key for each in result.get_step_success_events()] == ["diagnose"]
    assert {each.step_key for each in result.get_step_skipped_events()} == {
        "heal",
        "verify",
        "route_or_escalate",
    }
    assert installation.state_of(DGS10) is State.HEALING
    assert installation.rows("SELECT * FROM healing.attempt") == []


def test_of_two_runs_for_one_incident_one_heals(installation: Installation) -> None:
    installation.tick()
    request = open_incident(installation)
    with ThreadPoolExecutor(2) as both:
        results = list(both.map(installation.run, [request, request]))
    assert [each.success for each in results] == [True, True]
    skipped = [each.get_step_skipped_events() for each in results]
    assert sorted(len(each) for each in skipped) == [0, 3]
    assert installation.state_of(DGS10) is State.HEALED


def test_healing_that_fails_escalates_with_one_alert(installation: Installation) -> None:
    request = open_incident(installation)
    assert installation.run(request).success, "an upstream's failure is no failure of the run"
    assert installation.state_of(DGS10) is State.ESCALATED
    alerts = installation.rows("SELECT * FROM healing.alert")
    assert len(alerts) == 1
    assert alerts[0]["title"] == "fred is down: healing dgs10 failed"
    assert alerts[0]["incident_id"] == int(request.tags["healing/incident"])
    (group,) = installation.rows("SELECT * FROM healing.alert_group")
    assert (alerts[0]["group_id"], group["fingerprint"]) == (group["id"], "source:fred:unreachable")
    with installation.database.connection() as connection:
        assert list(active_routes(connection)) == []


def requests_like(request: dg.RunRequest, tick: dg.SensorResult) -> list[dg.RunRequest]:
    """Those of a tick for the same incident; others that share its cause may have begun."""
    incident = request.tags["healing/incident"]
    return [each for each in tick.run_requests or [] if each.tags["healing/incident"] == incident]


def test_an_escalated_incident_asks_again_by_a_new_event_and_alerts_no_more(
    installation: Installation,
) -> None:
    first = open_incident(installation)
    cursor = first.run_key.removeprefix("incident_event:") if first.run_key else None
    installation.run(first)
    installation.make_due(DGS10)
    assert requests_like(first, installation.tick(cursor=cursor)) == [], "not at once"
    let_time_pass(installation, timedelta(seconds=61))
    installation.make_due(DGS10)
    second = only(requests_like(first, installation.tick(cursor=cursor)))
    assert second.run_key != first.run_key
    assert second.tags["healing/incident"] == first.tags["healing/incident"]
    assert installation.run(second).success
    assert installation.state_of(DGS10) is State.ESCALATED
    assert len(installation.rows("SELECT * FROM healing.alert")) == 1
    assert installation.run(first).get_step_skipped_events(), "the first request is stale"


def test_an_endpoint_that_fails_again_after_its_recovery_asks_again(
    installation: Installation,
) -> None:
    first = open_incident(installation)
    installation.upstreams.clear_faults()
    installation.make_due(DGS10)
    installation.tick()
    assert installation.state_of(DGS10) is None
    second = open_incident(installation)
    assert second.run_key != first.run_key
    assert second.tags["healing/incident"] != first.tags["healing/incident"]


def test_a_run_that_died_half_way_is_asked_for_again(installation: Installation) -> None:
    request = open_incident(installation)
    cursor = str(request.run_config["ops"]["diagnose"]["config"]["event_id"])
    with installation.database.connection() as connection:
        heal_run.take(connection, int(request.tags["healing/incident"]), datetime.now(UTC))
    let_time_pass(installation, timedelta(seconds=61))
    again = only(installation.tick(cursor=cursor).run_requests)
    assert again.run_key != request.run_key
    assert installation.run(again).success
    assert installation.state_of(DGS10) is State.ESCALATED


def test_an_answer_with_another_past_than_the_known_one_is_no_healing(
    installation: Installation,
) -> None:
    installation.tick()
    request = open_incident(installation)
    installation.upstreams.clear_faults()
    session = installation.resource.session()
    known = session.engine.last_good(DGS10)
    assert known is not None
    points = tuple(replace(each, value=each.value * 1.1) for each in known.reading.points)
    # Newer than what the run takes over from the tables.
    session.snapshots.put(
        DGS10,
        "",
        replace(
            known,
            fetched_at=known.fetched_at + timedelta(milliseconds=1),
            reading=replace(known.reading, points=points),
        ),
    )
    assert installation.run(request).success
    assert installation.state_of(DGS10) is State.ESCALATED
    alert = installation.rows("SELECT body FROM healing.alert")[0]["body"]
    assert alert.startswith("plain answered, but past numbers are what they were did not hold: ")


def test_a_report_is_asked_for_once_when_an_incident_was_settled(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installation.tick("report_on_change").run_requests == []
    request = open_incident(installation)
    assert installation.tick("report_on_change").run_requests == [], "open is no news for a report"
    installation.run(request)
    early = installation.tick("report_on_change")
    assert early.run_requests == [], "a report would take the CPU of whatever is healed next"
    monkeypatch.setattr(sensors, "QUIET_S", 0.0)
    tick = installation.tick("report_on_change", cursor=early.cursor)
    newest = installation.rows("SELECT max(id) AS id FROM healing.incident_event")[0]["id"]
    assert only(tick.run_requests).run_key == f"report_after_event:{newest}"
    assert installation.tick("report_on_change", cursor=tick.cursor).run_requests == []


def test_a_report_does_not_wait_for_ever_for_a_quiet_moment(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.run(open_incident(installation))
    waiting = installation.tick("report_on_change")
    assert installation.tick("report_on_change", cursor=waiting.cursor).run_requests == []
    monkeypatch.setattr(sensors, "REPORTED_WITHIN_S", 0.0)
    assert len(installation.tick("report_on_change", cursor=waiting.cursor).run_requests) == 1


def test_a_tick_without_its_database_fails_with_the_cure_and_the_next_one_works(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("HEALING_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(
        StorageError, match="Check that the server runs and that HEALING_DATABASE_URL"
    ):
        installation.tick()
    monkeypatch.setenv("HEALING_DATABASE_URL", database_url)
    assert installation.tick().run_requests == []


def test_all_threads_of_a_process_share_one_session(installation: Installation) -> None:
    with ThreadPoolExecutor(8) as threads:
        sessions = list(threads.map(lambda _: installation.resource.session(), range(8)))
    assert len({id(each) for each in sessions}) == 1


def test_closing_the_sessions_leaves_no_thread_and_no_connection_behind(
    installation: Installation,
) -> None:
    before = set(threading.enumerate())
    installation.tick("probe_exchange_rate")
    first = installation.resource.session()
    assert set(threading.enumerate()) - before
    close_sessions()
    assert not {each.name for each in set(threading.enumerate()) - before}
    until = time.monotonic() + 5
    while left := installation.rows(
        "SELECT application_name FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'healing-recorder'"
    ):
        # The server notices a moment later that a client has gone.
        assert time.monotonic() < until, left
        time.sleep(0.01)
    assert installation.resource.session() is not first
    installation.make_due(RATES)
    assert installation.tick("probe_exchange_rate").skip_message.startswith("1 probed")
