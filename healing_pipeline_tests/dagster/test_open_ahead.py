"""A session that is opened before there is a run: what it holds, and what it knows by then."""

from __future__ import annotations

import time
from datetime import timedelta

import dagster as dg
import pytest
from dagster_installation import DGS10, QUIET, SERVER_ERROR, UNRATE, Installation

from healing_pipeline.orchestration.resources import close_sessions, open_ahead

pytestmark = [pytest.mark.processes, QUIET]


@pytest.fixture
def waiting(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Everything was read once by another process; this one has opened ahead and waits."""
    monkeypatch.setenv("HEALING_CONFIG", str(installation.config))
    installation.tick()
    close_sessions()
    return installation


def connections(installation: Installation) -> set[tuple[str, int]]:
    """The server's processes for us, the test's own among them."""
    found = installation.rows(
        "SELECT pid, application_name FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name LIKE %(ours)s",
        ours="healing%",
    )
    return {(each["application_name"], each["pid"]) for each in found}


def request(installation: Installation) -> dg.RunRequest:
    """An incident of DGS10, as another process would open it."""
    installation.upstreams.add_fault(SERVER_ERROR)
    installation.write(
        "WITH begun AS (INSERT INTO healing.incident (endpoint, source, state, state_since,"
        " failure_class, evidence, severity, detected_by, began_at, detected_at) VALUES"
        " (%(endpoint)s, 'fred', 'open', now(), 'server_error', 'status 500', 'error', 'probe',"
        " now(), now()) RETURNING id)"
        " INSERT INTO healing.incident_event (incident_id, at, signal, to_state, note, asks_heal)"
        " SELECT id, now(), 'confirmed', 'open', '', true FROM begun",
        endpoint=DGS10,
    )
    (event,) = installation.rows("SELECT id, incident_id FROM healing.incident_event")
    config = {"incident_id": event["incident_id"], "event_id": event["id"]}
    return dg.RunRequest(run_config={"ops": {"diagnose": {"config": config}}})


def test_it_names_the_file_that_makes_it_out_of_date(waiting: Installation) -> None:
    assert open_ahead() == [waiting.config.resolve()]


def test_it_opens_what_its_definitions_are_of_wherever_that_lies(
    waiting: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project that ours is part of has its configuration where it likes, and no variable."""
    monkeypatch.delenv("HEALING_CONFIG")
    assert open_ahead() == [waiting.config.resolve()]


def test_a_run_uses_the_session_that_was_opened_for_it(waiting: Installation) -> None:
    open_ahead()
    ahead = waiting.resource.bare_session()
    assert waiting.run(request(waiting)).success
    assert waiting.resource.bare_session() is ahead


def test_it_holds_no_more_than_two_connections_while_it_waits(waiting: Installation) -> None:
    before = connections(waiting)
    open_ahead()
    time.sleep(1.0)
    assert 1 <= len(connections(waiting) - before) <= 2


def test_a_run_knows_what_was_learned_while_its_process_waited(waiting: Installation) -> None:
    open_ahead()
    session = waiting.resource.bare_session()
    assert session.engine.last_good(DGS10) is None, "nothing is read for nothing"
    assert waiting.run(request(waiting)).success
    known = session.engine.last_good(DGS10)
    assert known is not None
    assert waiting.rows("SELECT strategy FROM healing.incident") == [
        {"strategy": "use_cached_data"}
    ]
    assert session.engine.last_good(UNRATE) is None, "one endpoint is healed"


def test_a_process_that_waited_learns_all_when_something_else_runs_in_it(
    waiting: Installation,
) -> None:
    open_ahead()
    session = waiting.resource.session()
    assert session.engine.last_good(DGS10) is not None
    assert session.engine.last_good(UNRATE) is not None


def test_it_survives_a_postgresql_that_hung_up_on_it(waiting: Installation) -> None:
    open_ahead()
    session = waiting.resource.bare_session()
    with session.database.connection() as connection:
        (held,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    waiting.rows("SELECT pg_terminate_backend(%(pid)s)", pid=held)
    result = waiting.run(request(waiting))
    assert result.success
    assert waiting.rows("SELECT state FROM healing.incident") == [{"state": "healed"}]


def test_data_that_is_too_old_by_the_time_of_the_run_is_not_taken(waiting: Installation) -> None:
    open_ahead()
    waiting.write("UPDATE healing.snapshot SET fetched_at = fetched_at - %(by)s", by=timedelta(2))
    waiting.run(request(waiting))
    assert waiting.resource.bare_session().engine.last_good(DGS10) is None
