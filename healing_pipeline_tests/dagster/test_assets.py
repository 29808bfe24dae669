"""The assets, materialised against simulated upstreams, and what their checks find."""

from __future__ import annotations

import base64
from datetime import timedelta
from uuid import uuid4

import dagster as dg
import pytest
from dagster_installation import DGS10, QUIET, RATES, SERVER_ERROR, UNRATE, Installation

from healing_pipeline.reporting.columns import HEALTH_COLUMNS, MARKET_DATA_COLUMNS
from healing_pipeline.storage.database import Database

pytestmark = [pytest.mark.processes, QUIET]


def materialise(installation: Installation, *assets: str) -> dg.ExecuteInProcessResult:
    """Assets by name, with their checks, as Dagster's page does it."""
    selection = dg.AssetSelection.assets(*assets)
    job = installation.definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            asset_selection=list(selection.resolve(job.asset_layer.asset_graph)),
            instance=instance,
        )


def check_alone(installation: Installation, name: str) -> dg.AssetCheckEvaluation:
    """One check, nothing materialised."""
    definitions = installation.definitions
    (key,) = [
        each for each in definitions.resolve_asset_graph().asset_check_keys if each.name == name
    ]
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [*(definitions.assets or ()), *(definitions.asset_checks or ())],
            selection=dg.AssetSelection.checks(key),
            resources=dict(definitions.resources or {}),
            instance=instance,
        )
    return checks_of(result)[name]


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {each.check_name: each for each in result.get_asset_check_evaluations()}


def records(table: object) -> dict[str, dict[str, object]]:
    """The rows of a table in metadata, by endpoint."""
    assert isinstance(table, dg.TableMetadataValue)
    return {str(each.data["endpoint"]): dict(each.data) for each in table.records}


def answer(installation: Installation, **given: object) -> None:
    """One reader's answer, written by hand; exact, at the first try and just now unless given."""
    values = {
        "fidelity": "exact",
        "attempts": 1,
        "failure_class": None,
        "failed": False,
        "ago": timedelta(seconds=5),
        **given,
    }
    installation.write(
        "INSERT INTO healing.answer (request_id, at, source, endpoint, fidelity, strategy,"
        " provider, attempts, seconds, failure_class, failed, as_of)"
        " VALUES (%(id)s, now() - %(ago)s, 'fred', %(endpoint)s, %(fidelity)s, 'plain', 'fred',"
        " %(attempts)s, 0.1, %(failure_class)s, %(failed)s, now())",
        id=uuid4(),
        endpoint=DGS10,
        **values,
    )


def test_market_data_is_every_endpoints_data_with_its_label(installation: Installation) -> None:
    result = materialise(installation, "market_data")
    metadata = metadata_of(result, "market_data")
    assert metadata["dagster/row_count"] == 3
    assert metadata["failed"] == 0
    assert metadata["fidelity_exact"] == 3
    rows = records(metadata["answers"])
    assert set(rows) == {DGS10, UNRATE, RATES}
    for endpoint, row in rows.items():
        assert list(row) == [each.name for each in MARKET_DATA_COLUMNS]
        assert row["fidelity"] == "exact"
        assert row["strategy"] == "plain"
        assert row["provider"] == endpoint.split("/")[0]
        assert row["points"]
    stored = installation.rows("SELECT endpoint, provider FROM healing.snapshot")
    assert {each["endpoint"] for each in stored} == set(rows)
    checks = checks_of(result)
    assert checks["every_endpoint_has_data"].passed
    assert checks["labels_are_honest"].passed


def test_what_market_data_read_is_in_the_tables_when_it_ends(installation: Installation) -> None:
    result = materialise(installation, "market_data")
    answers = installation.rows("SELECT endpoint, fidelity::text, attempts FROM healing.answer")
    assert {
        each["endpoint"]: (each["fidelity"], each["attempts"]) for each in answers
    } == dict.fromkeys((DGS10, UNRATE, RATES), ("exact", 1))
    attempts = installation.rows("SELECT count(*) AS made FROM healing.attempt")
    assert attempts == [{"made": len(answers)}]
    # The checks are of the same run: they saw what it had just read.
    assert checks_of(result)["every_endpoint_has_data"].metadata["missing"].value == "none"


def test_market_data_makes_the_tables_it_needs(
    installation: Installation, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a first run is left on disk, although its tables take a moment to make."""
    monkeypatch.setenv("HEALING_DATABASE_URL", empty_database_url)
    result = materialise(installation, "market_data")
    assert checks_of(result)["every_endpoint_has_data"].passed
    with Database(empty_database_url, max_size=1) as database, database.connection() as connection:
        (read,) = connection.execute("SELECT count(*) FROM healing.answer").fetchall()
    assert read == (3,)


def test_market_data_follows_the_route_of_an_incident(installation: Installation) -> None:
    installation.tick()
    installation.upstreams.add_fault(SERVER_ERROR)
    installation.make_due(DGS10)
    (request,) = installation.tick().run_requests
    installation.run(request)
    result = materialise(installation, "market_data")
    row = records(metadata_of(result, "market_data")["answers"])[DGS10]
    assert (row["strategy"], row["fidelity"]) == ("use_cached_data", "stale")
    (answer,) = installation.rows(
        "SELECT attempts FROM healing.answer WHERE endpoint = %(endpoint)s", endpoint=DGS10
    )
    assert answer == {"attempts": 0}, "the primary was not asked first"


def test_market_data_says_so_where_its_rows_were_healed(installation: Installation) -> None:
    materialise(installation, "market_data")
    installation.upstreams.add_fault(SERVER_ERROR)
    result = materialise(installation, "market_data")
    metadata = metadata_of(result, "market_data")
    assert (metadata["fidelity_exact"], metadata["fidelity_stale"], metadata["failed"]) == (1, 2, 0)
    rows = records(metadata["answers"])
    assert {rows[each]["strategy"] for each in (DGS10, UNRATE)} == {"use_cached_data"}
    assert checks_of(result)["labels_are_honest"].passed


def test_market_data_is_made_even_where_nothing_can_be_had(installation: Installation) -> None:
    installation.upstreams.add_fault(SERVER_ERROR)
    result = materialise(installation, "market_data")
    metadata = metadata_of(result, "market_data")
    assert (metadata["dagster/row_count"], metadata["failed"]) == (3, 2)
    assert metadata["fidelity_failed"] == 2
    row = records(metadata["answers"])[DGS10]
    assert (row["fidelity"], row["newest"], row["points"]) == (None, None, 0)
    check = checks_of(result)["every_endpoint_has_data"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert check.metadata["missing"].value == f"{DGS10}, {UNRATE}"
    assert check.metadata["old"].value == "none"


def test_data_that_was_fetched_too_long_ago_is_no_data(installation: Installation) -> None:
    materialise(installation, "market_data")
    installation.write(
        "UPDATE healing.snapshot SET fetched_at = fetched_at - interval '31 minutes'"
        " WHERE endpoint = %(endpoint)s",
        endpoint=DGS10,
    )
    check = check_alone(installation, "every_endpoint_has_data")
    assert not check.passed
    assert (check.metadata["missing"].value, check.metadata["old"].value) == ("none", DGS10)


def test_an_answer_from_the_store_that_is_called_exact_is_found(
    installation: Installation,
) -> None:
    answer(installation, fidelity="stale", attempts=0)
    answer(installation, fidelity="exact", attempts=1)
    assert check_alone(installation, "labels_are_honest").passed
    answer(installation, fidelity="exact", attempts=0)
    check = check_alone(installation, "labels_are_honest")
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert check.metadata["mislabelled"].value == 1


def test_the_health_report_is_a_row_per_endpoint_and_a_picture(installation: Installation) -> None:
    result = materialise(installation, "market_data", "health_report")
    metadata = metadata_of(result, "health_report")
    assert metadata["dagster/row_count"] == 3
    assert (metadata["requests"], metadata["reader_errors"], metadata["incidents"]) == (3, 0, 0)
    assert metadata["healing_rate"] == "nothing met"
    rows = records(metadata["health"])
    assert set(rows) == {DGS10, UNRATE, RATES}
    assert list(rows[DGS10]) == [each.name for each in HEALTH_COLUMNS]
    assert rows[DGS10]["state"] == "healthy"
    plot = str(metadata["plot"])
    head = "![health](data:image/png;base64,"
    assert plot.startswith(head)
    picture = base64.b64decode(plot.removeprefix(head).removesuffix(")"), validate=True)
    assert picture.startswith(b"\x89PNG")
    assert picture.rstrip().endswith(b"IEND\xaeB`\x82")
    stored = installation.rows("SELECT endpoint, requests FROM healing.health_report")
    assert {each["endpoint"]: each["requests"] for each in stored} == dict.fromkeys(rows, 1)
    assert checks_of(result)["healing_rate"].passed


def test_the_health_report_shows_an_incident_and_what_heals_it(installation: Installation) -> None:
    installation.tick()
    installation.upstreams.add_fault(SERVER_ERROR)
    installation.make_due(DGS10)
    (request,) = installation.tick().run_requests
    installation.run(request)
    metadata = metadata_of(materialise(installation, "health_report"), "health_report")
    assert (metadata["open_incidents"], metadata["incidents"]) == (1, 1)
    row = records(metadata["health"])[DGS10]
    assert (row["state"], row["active_strategy"], row["fidelity_now"]) == (
        "healed",
        "use_cached_data",
        "stale",
    )
    assert "| fred |" in str(metadata["by_source"])


def test_the_columns_a_report_is_made_of_are_columns_of_market_data(
    installation: Installation,
) -> None:
    metadata = metadata_of(materialise(installation, "health_report"), "health_report")
    lineage = metadata["dagster/column_lineage"]
    assert isinstance(lineage, dg.TableColumnLineage)
    assert set(lineage.deps_by_column) <= {each.name for each in HEALTH_COLUMNS}
    for sources in lineage.deps_by_column.values():
        assert {each.column_name for each in sources} <= {each.name for each in MARKET_DATA_COLUMNS}


@pytest.mark.parametrize(("failed", "passes"), [(0, True), (1, True), (2, False)])
def test_of_twenty_requests_that_met_a_failure_nineteen_have_to_be_answered(
    installation: Installation, failed: int, passes: bool
) -> None:
    for number in range(20):
        # 19 of 20 is 95 %.
        answer(installation, failure_class="timeout", failed=number < failed)
    for _ in range(50):
        answer(installation)
    result = materialise(installation, "health_report")
    check = checks_of(result)["healing_rate"]
    assert check.passed is passes
    assert check.severity is dg.AssetCheckSeverity.WARN, "people are called by incidents"
    assert check.metadata["met_healable_failure"].value == 20
    assert check.metadata["healed"].value == 20 - failed
    assert check.metadata["rate"].value == pytest.approx((20 - failed) / 20)


def test_the_healing_rate_passes_before_the_first_report(installation: Installation) -> None:
    check = check_alone(installation, "healing_rate")
    assert check.passed
    assert check.metadata["rate"].value == "nothing met"
