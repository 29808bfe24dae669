"""The learning assets on real tables: what a run leaves, what it tells, what its check finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster_installation import QUIET, Installation

from healing_pipeline.control.learning_run import fold, hour_of
from healing_pipeline.learning.policy import Policy
from healing_pipeline.orchestration.learning_assets import rates_table
from healing_pipeline.orchestration.partitions import Span, key_of, range_of, range_tags
from healing_pipeline.storage.policies import REFUSED, Judged, active_policy, store_policy

pytestmark = [pytest.mark.processes, QUIET]

AN_HOUR = timedelta(hours=1)
SOURCES = ("fred", "exchange_rate")
NOW = datetime.now(UTC)
# Closed, folded by now if anybody was there, and of a day that is closed too.
HOUR = hour_of(NOW) - 30 * AN_HOUR


def attempt(
    installation: Installation,
    at: datetime = HOUR,
    *,
    strategy: str = "use_cached_data",
    healed: bool = True,
    source: str = "fred",
) -> None:
    installation.write(
        "INSERT INTO healing.attempt (id, request_id, attempt_no, at, origin, source, endpoint,"
        " strategy, failure_class, evidence, healed, fidelity, seconds, upstream_calls, met)"
        " VALUES (gen_random_uuid(), gen_random_uuid(), 2, %(at)s, 'reader', %(source)s, 'e',"
        " %(strategy)s, %(class)s, 'seen', %(healed)s, %(fidelity)s, 0.5, 1, 'timeout')",
        at=at,
        source=source,
        strategy=strategy,
        healed=healed,
        fidelity="exact" if healed else None,
        **{"class": "ok" if healed else "timeout"},
    )


def materialise(
    installation: Installation, asset: str, **options: object
) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return installation.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=[dg.AssetKey(asset)], instance=instance, **options
        )


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    event = result.asset_materializations_for_node(asset)[-1]
    return {name: value.value for name, value in event.metadata.items()}


def test_an_hour_its_day_and_a_policy_are_made_of_what_was_tried(
    installation: Installation,
) -> None:
    for _ in range(3):
        attempt(installation)
    hour = materialise(installation, "inner_knowledge", partition_key=str(key_of(HOUR, "fred")))
    assert metadata_of(hour, "inner_knowledge") == {
        "dagster/row_count": 1,
        "inner_pair": 0,
        "inner_parameter": 1,
        "inner_observation": 0,
        "partitions": 1,
    }
    day = materialise(installation, "outer_knowledge", partition_key=f"{HOUR:%Y-%m-%d}")
    assert metadata_of(day, "outer_knowledge") == {"dagster/row_count": 1, "days": 1}
    told = metadata_of(materialise(installation, "policy"), "policy")
    assert (told["version"], told["status"], told["events"]) == (1, "published", 0)
    assert "| timeout | " in str(told["rates_fred"])
    for picture in ("heat_map_fred", "learning_curve"):
        assert str(told[picture]).startswith("![")
    changes = told["changes"]
    assert isinstance(changes, dg.TableMetadataValue)
    assert changes.records[0].data["strategy"] == "use_cached_data"
    with installation.database.connection() as connection:
        found = active_policy(connection)
    assert found is not None
    rate, layer = found[1].rate("fred", "timeout", "use_cached_data")
    assert (rate.tries, layer, told["fingerprint"]) == (3, "inner", found[1].fingerprint)


def test_an_hour_without_events_materialises_with_no_rows(installation: Installation) -> None:
    key = str(key_of(HOUR, "exchange_rate"))
    result = materialise(installation, "inner_knowledge", partition_key=key)
    assert metadata_of(result, "inner_knowledge")["dagster/row_count"] == 0
    (event,) = result.asset_materializations_for_node("inner_knowledge")
    assert event.partition == key


def test_a_run_over_a_range_materialises_every_partition_of_it(installation: Installation) -> None:
    attempt(installation)
    attempt(installation, HOUR + 2 * AN_HOUR, source="exchange_rate")
    span = Span(HOUR, HOUR + 3 * AN_HOUR, SOURCES)
    result = materialise(installation, "inner_knowledge", tags=range_tags(range_of(span)))
    events = result.asset_materializations_for_node("inner_knowledge")
    assert {each.partition for each in events} == {
        str(key_of(HOUR + n * AN_HOUR, source)) for n in range(3) for source in SOURCES
    }
    assert len(installation.rows("SELECT * FROM inner_knowledge")) == 2
    assert len(installation.rows("SELECT * FROM inner_fold")) == 6


def test_late_events_asks_for_the_hours_whose_facts_came_after_their_fold(
    installation: Installation,
) -> None:
    attempt(installation)
    fold(installation.database, HOUR, HOUR + AN_HOUR, SOURCES)
    tick = installation.tick("late_events")
    assert not tick.run_requests
    attempt(installation, HOUR + timedelta(minutes=20))
    tick = installation.tick("late_events", tick.cursor)
    (request,) = tick.run_requests
    (newest,) = installation.rows("SELECT max(seq) AS seq FROM attempt")
    assert request.run_key == f"late_event:{newest['seq']}:{HOUR:%Y-%m-%dT%H}"
    job = installation.definitions.resolve_job_def("fold_hours")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(tags=dict(request.tags), instance=instance).success
    (row,) = installation.rows("SELECT source, tries FROM inner_knowledge")
    assert (row["source"], row["tries"]) == ("fred", 2)
    assert not installation.tick("late_events", tick.cursor).run_requests


def test_late_events_waits_for_an_hour_that_is_open(installation: Installation) -> None:
    attempt(installation, NOW)
    tick = installation.tick("late_events")
    assert not tick.run_requests
    (first,) = installation.rows("SELECT min(seq) AS seq FROM attempt")
    assert int(tick.cursor or 0) < first["seq"]


def test_the_check_fails_while_the_newest_policy_is_a_refused_one(
    installation: Installation,
) -> None:
    def check() -> dg.AssetCheckEvaluation:
        definitions = installation.definitions
        (key,) = [
            each
            for each in definitions.resolve_asset_graph().asset_check_keys
            if each.name == "policy_is_no_worse"
        ]
        with dg.DagsterInstance.ephemeral() as instance:
            result = dg.materialize(
                [*(definitions.assets or ()), *(definitions.asset_checks or ())],
                selection=dg.AssetSelection.checks(key),
                resources=dict(definitions.resources or {}),
                instance=instance,
            )
        (found,) = result.get_asset_check_evaluations()
        return found

    assert check().passed
    with installation.database.connection() as connection:
        store_policy(connection, Judged(Policy(), REFUSED, "it would heal less"), NOW)
    found = check()
    assert not found.passed
    assert found.metadata["reason"].value == "it would heal less"


def test_pictures_are_stored_with_the_first_policy_of_a_day_only(
    installation: Installation,
) -> None:
    attempt(installation)
    fold(installation.database, HOUR, HOUR + AN_HOUR, SOURCES)
    assert "heat_map_fred" in metadata_of(materialise(installation, "policy"), "policy")
    attempt(installation, healed=False)
    fold(installation.database, HOUR, HOUR + AN_HOUR, SOURCES)
    told = metadata_of(materialise(installation, "policy"), "policy")
    assert (told["version"], told["status"]) == (2, "published")
    assert "rates_fred" in told
    assert "heat_map_fred" not in told


def test_a_table_of_rates_has_a_row_per_failure_class(installation: Installation) -> None:
    attempt(installation)
    attempt(installation, strategy="alternate_host", healed=False)
    fold(installation.database, HOUR, HOUR + AN_HOUR, SOURCES)
    materialise(installation, "policy")
    with installation.database.connection() as connection:
        found = active_policy(connection)
    assert found is not None
    head, _, *rows = rates_table(found[1], "fred").splitlines()
    assert head == "| | alternate_host | use_cached_data |"
    assert [row.split(" | ")[0] for row in rows] == ["| timeout"]
