"""When learning is asked for: by the hour, after a late event, on a fresh installation."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.automation_tick_evaluation_context import (
    build_run_requests_with_backfill_policies,
)
from dagster._core.definitions.events import AssetKeyPartitionKey

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.orchestration.learning_assets import learning_assets
from healing_pipeline.orchestration.learning_sensors import run_requests
from healing_pipeline.orchestration.partitions import (
    Span,
    key_of,
    range_of,
    require_bearable,
    spans_of,
)
from healing_pipeline.storage.learning import LateHour

# The evaluation itself passes parameters that it calls beta.
pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")

SINCE = date(2026, 3, 1)
SOURCES = ("fred", "yahoo", "polygon")
AN_HOUR = timedelta(hours=1)
NINE = datetime(2026, 3, 3, 9, tzinfo=UTC)
INNER, OUTER, POLICY = (dg.AssetKey(n) for n in ("inner_knowledge", "outer_knowledge", "policy"))


class Daemon:
    """Evaluates the conditions tick after tick, and does what was asked for."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.assets = learning_assets(SINCE, SOURCES)
        self.definitions = dg.Definitions(self.assets, resources={"healing": object()})
        self.cursor = None

    def tick(self, at: datetime) -> dict[str, set[str]]:
        """What is asked for; it is not done."""
        result = dg.evaluate_automation_conditions(
            self.definitions, self.instance, evaluation_time=at, cursor=self.cursor
        )
        self.cursor = result.cursor
        asked = {
            key.to_user_string(): set(result.get_requested_partitions(key))
            for key in (INNER, OUTER, POLICY)
        }
        return {name: keys for name, keys in asked.items() if keys}

    def materialise(self, asset: dg.AssetKey, *keys: str | None) -> None:
        for key in keys:
            self.instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=key))

    def work(self, at: datetime, ticks: int = 4) -> list[dict[str, set[str]]]:
        """What some ticks ask for, one after another, each done before the next."""
        done = []
        for number in range(ticks):
            asked = self.tick(at + timedelta(seconds=30 * number))
            for name, keys in asked.items():
                self.materialise(dg.AssetKey(name), *(keys if name != "policy" else [None]))
            done.append(asked)
        return done


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Daemon(instance)


def keys(hour: datetime) -> set[str]:
    return {str(key_of(hour, source)) for source in SOURCES}


def test_every_hour_is_folded_at_five_past_for_every_source_and_a_policy_follows(daemon):
    daemon.tick(NINE + timedelta(minutes=1))
    assert daemon.tick(NINE + timedelta(minutes=4)) == {}
    asked = daemon.work(NINE + timedelta(minutes=5, seconds=10))
    assert asked[0] == {"inner_knowledge": keys(NINE - AN_HOUR)}
    assert asked[1:] == [{}, {"policy": {None}}, {}]


def test_a_fresh_installation_gets_its_policy_though_its_first_hours_are_missing(daemon):
    daemon.tick(NINE + timedelta(minutes=1))
    daemon.work(NINE + timedelta(minutes=5, seconds=10))
    folded = daemon.instance.get_materialized_partitions(INNER)
    assert folded == keys(NINE - AN_HOUR)
    assert daemon.instance.get_latest_materialization_event(POLICY) is not None


def test_a_day_is_summed_when_its_last_hour_was_folded_and_a_policy_follows(daemon):
    midnight = NINE.replace(hour=0)
    daemon.tick(midnight + timedelta(minutes=1))
    asked = daemon.work(midnight + timedelta(minutes=5, seconds=10), ticks=8)
    assert asked[0] == {"inner_knowledge": keys(midnight - AN_HOUR)}
    assert [each for each in asked[1:] if each] == [
        {"outer_knowledge": {"2026-03-02"}},
        {"policy": {None}},
    ]


def test_a_late_events_hour_leads_to_its_day_and_to_a_policy_again(daemon):
    old = datetime(2026, 3, 1, 14, tzinfo=UTC)
    daemon.tick(NINE + timedelta(minutes=1))
    daemon.work(NINE + timedelta(minutes=5, seconds=10))
    daemon.materialise(INNER, *keys(old))
    asked = daemon.work(NINE + timedelta(minutes=20), ticks=8)
    assert [each for each in asked if each] == [
        {"outer_knowledge": {"2026-03-01"}},
        {"policy": {None}},
    ]


def test_nothing_is_asked_for_while_its_inputs_are_being_written(daemon):
    old = datetime(2026, 3, 1, 14, tzinfo=UTC)
    daemon.tick(NINE + timedelta(minutes=6))
    first, second, _ = sorted(keys(old))
    run = daemon.instance.create_run_for_job(
        daemon.definitions.resolve_implicit_global_asset_job_def(),
        asset_selection={INNER},
        tags={"dagster/partition": second},
        status=dg.DagsterRunStatus.STARTED,
    )
    daemon.materialise(INNER, first)
    assert daemon.tick(NINE + timedelta(minutes=7)) == {}
    daemon.materialise(INNER, second)
    daemon.instance.report_run_canceled(run)
    assert daemon.tick(NINE + timedelta(minutes=8)) == {"outer_knowledge": {"2026-03-01"}}


def test_a_backfill_from_the_page_is_one_run_per_source(daemon):
    graph = daemon.definitions.resolve_asset_graph()
    hours = [NINE - AN_HOUR * n for n in range(30)]
    wanted = {AssetKeyPartitionKey(INNER, key) for hour in hours for key in keys(hour)}
    requests = build_run_requests_with_backfill_policies(wanted, graph, daemon.instance)
    assert {
        (
            each.tags["dagster/asset_partition_range_start"],
            each.tags["dagster/asset_partition_range_end"],
        )
        for each in requests
    } == {(f"2026-03-02-04:00|{source}", f"2026-03-03-09:00|{source}") for source in SOURCES}


# -- late hours as run requests --------------------------------------------------------------------


def test_late_hours_that_follow_each_other_are_one_run_of_all_sources():
    hours = [LateHour(NINE, 7), LateHour(NINE + AN_HOUR, 12), LateHour(NINE + 5 * AN_HOUR, 9)]
    first, second = run_requests(hours, SOURCES)
    assert first.run_key == "late_event:12:2026-03-03T09"
    assert first.tags == {
        "dagster/asset_partition_range_start": "2026-03-03-09:00|fred",
        "dagster/asset_partition_range_end": "2026-03-03-10:00|polygon",
    }
    assert second.run_key == "late_event:9:2026-03-03T14"


def test_the_range_of_a_span_is_its_hours_by_its_sources(daemon):
    span = Span(NINE, NINE + 2 * AN_HOUR, SOURCES)
    inner = daemon.assets[0].partitions_def
    assert inner is not None
    found = inner.get_partition_keys_in_range(range_of(span))
    assert set(found) == keys(NINE) | keys(NINE + AN_HOUR)
    assert spans_of(found) == [Span(NINE, NINE + 2 * AN_HOUR, tuple(sorted(SOURCES)))]


def test_partitions_that_do_not_follow_each_other_are_spans_of_their_own():
    found = spans_of(
        [
            str(key_of(NINE, "fred")),
            str(key_of(NINE, "yahoo")),
            str(key_of(NINE + 3 * AN_HOUR, "fred")),
        ]
    )
    assert found == [
        Span(NINE, NINE + AN_HOUR, ("fred", "yahoo")),
        Span(NINE + 3 * AN_HOUR, NINE + 4 * AN_HOUR, ("fred",)),
    ]


# -- too many --------------------------------------------------------------------------------------


def test_more_partitions_than_dagster_bears_are_refused_and_the_cure_named():
    now = datetime(2030, 1, 1, tzinfo=UTC)
    with pytest.raises(ConfigurationError, match=r"learning: \{since: 2028-09-20\}"):
        require_bearable(date(2027, 1, 1), ["a"] * 5, now)


def test_a_year_before_there_are_too_many_a_warning_names_the_cure(caplog):
    now = datetime(2030, 1, 1, tzinfo=UTC)
    with caplog.at_level(logging.WARNING):
        require_bearable(date(2028, 9, 20), ["a"] * 5, now)
        assert caplog.text == ""
        require_bearable(date(2028, 9, 1), ["a"] * 5, now)
    assert "Within a year" in caplog.text
    assert "{since: 2028-09-20}" in caplog.text
