"""The code location: what users see in it, and that it loads wherever it has to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster_installation import QUIET
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.definitions import build_definitions
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.installation import load_catalog
from healing_pipeline.orchestration.assets import table_schema
from healing_pipeline.reporting.columns import HEALTH_COLUMNS, MARKET_DATA_COLUMNS
from healing_pipeline.reporting.learning_columns import (
    INNER_KNOWLEDGE_COLUMNS,
    OUTER_KNOWLEDGE_COLUMNS,
    POLICY_COLUMNS,
)
from healing_pipeline.reporting.structures import STRUCTURES, Structure
from healing_pipeline.storage.database import Database

pytestmark = QUIET

ROOT = Path(__file__).parents[2]
RUNNING = dg.DefaultSensorStatus.RUNNING
COLUMNS = {
    "market_data": MARKET_DATA_COLUMNS,
    "health_report": HEALTH_COLUMNS,
    "inner_knowledge": INNER_KNOWLEDGE_COLUMNS,
    "outer_knowledge": OUTER_KNOWLEDGE_COLUMNS,
    "policy": POLICY_COLUMNS,
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The default configuration, somewhere else."""
    path = tmp_path / "elsewhere" / "healing_config.yaml"
    path.parent.mkdir()
    path.write_text(default_config_text(), encoding="utf-8")
    return path


@pytest.fixture
def definitions(config: Path) -> dg.Definitions:
    return build_definitions(config, {})


def test_the_code_location_loads(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_every_source_has_a_sensor_that_runs_unasked(
    definitions: dg.Definitions, config: Path
) -> None:
    sensors = {each.name: each for each in definitions.sensors or ()}
    catalog = load_catalog(config, {})
    assert len(catalog.sources) == 5
    automation = sensors.pop("learning_automation")
    assert isinstance(automation, dg.AutomationConditionSensorDefinition)
    assert (automation.minimum_interval_seconds, automation.default_status) == (30, RUNNING)
    for name, every_s in (("alert_on_run_failure", 10), ("alert_watch", 20)):
        teller = sensors.pop(name)
        assert isinstance(teller, dg.SensorDefinition)
        assert (teller.minimum_interval_seconds, teller.default_status) == (every_s, RUNNING)
        assert not teller.targets, "it asks for no runs"
    assert {
        name: (each.job_name, each.minimum_interval_seconds, each.default_status)
        for name, each in sensors.items()
        if isinstance(each, dg.SensorDefinition)
    } == {
        **{f"probe_{source}": ("heal_endpoint", 4, RUNNING) for source in catalog.sources},
        **{f"stand_in_{number}": ("heal_endpoint", 4, RUNNING) for number in (1, 2, 3, 4, 5)},
        "report_on_change": ("report_health", 20, RUNNING),
        "late_events": ("fold_hours", 60, RUNNING),
    }


def test_every_sensor_has_its_resources(definitions: dg.Definitions) -> None:
    """Dagster finds this out only when the sensor ticks."""
    for sensor in definitions.sensors or ():
        assert isinstance(sensor, dg.SensorDefinition)
        if isinstance(sensor, dg.AutomationConditionSensorDefinition):
            continue  # it asks Dagster alone
        assert sensor.required_resource_keys, sensor.name
        assert sensor.required_resource_keys <= set(definitions.resources or ()), sensor.name


def test_every_asset_and_check_has_its_resources(definitions: dg.Definitions) -> None:
    needed = {
        key
        for each in [*(definitions.assets or ()), *(definitions.asset_checks or ())]
        if isinstance(each, dg.AssetsDefinition)
        for key in each.required_resource_keys
    }
    # Dagster brings an `io_manager` of its own.
    assert {"healing", "healing_client"} <= needed <= {*(definitions.resources or ()), "io_manager"}


def test_the_assets_say_what_they_are_and_whose(definitions: dg.Definitions) -> None:
    seen = {
        spec.key.to_user_string(): (
            spec.group_name,
            set(spec.kinds),
            list(spec.owners),
            spec.metadata["dagster/table_name"],
            {each.asset_key.to_user_string() for each in spec.deps},
        )
        for spec in definitions.resolve_all_asset_specs()
    }
    assert seen == {
        "market_data": (
            "data",
            {"postgres", "pandas"},
            ["team:reliability"],
            "healing.snapshot",
            set(),
        ),
        "health_report": (
            "health",
            {"postgres", "pandas"},
            ["team:reliability"],
            "healing.health_report",
            {"market_data"},
        ),
        "inner_knowledge": (
            "learning",
            {"postgres"},
            ["team:reliability"],
            "healing.inner_knowledge",
            set(),
        ),
        "outer_knowledge": (
            "learning",
            {"postgres"},
            ["team:reliability"],
            "healing.outer_knowledge",
            {"inner_knowledge"},
        ),
        "policy": (
            "learning",
            {"postgres", "pandas", "scikitlearn"},
            ["team:reliability"],
            "healing.policy",
            {"inner_knowledge", "outer_knowledge"},
        ),
    }
    assert all(spec.description for spec in definitions.resolve_all_asset_specs())


def test_the_assets_declare_their_columns_with_a_meaning_each(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        columns = COLUMNS[spec.key.to_user_string()]
        schema = spec.metadata["dagster/column_schema"]
        assert isinstance(schema, dg.TableSchema)
        assert [(each.name, each.type) for each in schema.columns] == [
            (each.name, each.type) for each in columns
        ]
        assert all(each.description for each in schema.columns)


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=list(STRUCTURES))
def test_every_structure_can_be_declared_to_dagster(structure: Structure) -> None:
    declared = table_schema(structure.columns).columns
    assert [(each.name, each.type, each.constraints.nullable) for each in declared] == [
        (each.name, each.type, each.nullable) for each in structure.columns
    ]


def test_a_heal_run_is_four_steps_in_one_process(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("heal_endpoint")
    assert [each.name for each in job.nodes_in_topological_order] == [
        "diagnose",
        "heal",
        "verify",
        "route_or_escalate",
    ]
    assert job.executor_def is dg.in_process_executor
    assert all(each.definition.description for each in job.nodes_in_topological_order)


def test_the_assets_are_refreshed_by_schedules_that_run_unasked(
    definitions: dg.Definitions,
) -> None:
    schedules = [
        each for each in definitions.schedules or () if isinstance(each, dg.ScheduleDefinition)
    ]
    assert {
        each.name: (each.job_name, each.cron_schedule, each.default_status) for each in schedules
    } == {
        "market_data_every_10_minutes": (
            "refresh_market_data",
            "*/10 * * * *",
            dg.DefaultScheduleStatus.RUNNING,
        ),
        "health_report_every_hour": (
            "report_health",
            "2 * * * *",
            dg.DefaultScheduleStatus.RUNNING,
        ),
        "prune_every_night": ("prune", "37 3 * * *", dg.DefaultScheduleStatus.RUNNING),
    }


def test_every_asset_has_its_checks(definitions: dg.Definitions) -> None:
    keys = definitions.resolve_asset_graph().asset_check_keys
    assert {(each.asset_key.to_user_string(), each.name) for each in keys} == {
        ("market_data", "every_endpoint_has_data"),
        ("market_data", "labels_are_honest"),
        ("health_report", "healing_rate"),
        ("health_report", "ticks_are_on_time"),
        ("policy", "policy_is_no_worse"),
    }


def test_the_resource_finds_its_configuration_from_any_folder(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    resources = build_definitions(config.relative_to(tmp_path), {}).resources or {}
    assert {resources[each].config_path for each in ("healing", "healing_client")} == {
        str(config.resolve())
    }


def test_it_merges_with_definitions_of_ones_own(definitions: dg.Definitions) -> None:
    @dg.asset(deps=["health_report"])
    def weekly_letter(postman: dg.ResourceParam[str]) -> None: ...

    @dg.sensor(target=weekly_letter)
    def letter_day() -> None: ...

    own = dg.Definitions(
        assets=[weekly_letter],
        sensors=[letter_day],
        resources={"postman": "pat", "client": "of theirs", "io_manager": dg.mem_io_manager},
        executor=dg.multiprocess_executor,
    )
    merged = dg.Definitions.merge(definitions, own)
    dg.Definitions.validate_loadable(merged)
    keys = {each.to_user_string() for each in merged.resolve_all_asset_keys()}
    assert keys == {*COLUMNS, "weekly_letter"}
    assert merged.resolve_job_def("heal_endpoint").executor_def is dg.in_process_executor


def test_a_broken_configuration_names_its_line_and_the_cure(config: Path) -> None:
    config.write_text(
        default_config_text().replace("interval_s: 60", "interval_s: 5", 1), encoding="utf-8"
    )
    with pytest.raises(ConfigurationError) as error:
        build_definitions(config, {})
    assert error.value.path == config
    assert error.value.line is not None
    assert "interval_s: 5" in config.read_text("utf-8").splitlines()[error.value.line - 1]
    assert error.value.cure
    assert error.value.cure in str(error.value)


def test_a_missing_configuration_names_the_cure(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="healing init"):
        build_definitions(tmp_path / "none.yaml", {})


def test_all_entrances_lead_to_one_code_location() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    (place,) = yaml.safe_load((ROOT / "workspace.yaml").read_text("utf-8"))["load_from"]
    module, name = place["python_module"]["module_name"], place["python_module"]["location_name"]
    assert settings["dagster"] == {"module_name": module, "code_location_name": name}
    project = settings["dg"]["project"]
    assert (project["code_location_target_module"], project["code_location_name"]) == (module, name)


# -- processes of their own ------------------------------------------------------------------------


def project_folder(tmp_path: Path) -> Path:
    """What a Dagster command needs of the repository."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "config", folder / "config")
    return folder


def run(folder: Path, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with nothing of ours in the environment but what is given."""
    ours = {"DAGSTER_HOME", "PYTHONPATH", "PYTHONWARNINGS"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith("HEALING_")
    }
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**kept, "NO_COLOR": "1", **environ},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.processes
def test_dagster_validates_the_workspace_with_nothing_running(
    tmp_path: Path, database_url: str
) -> None:
    folder = project_folder(tmp_path)
    validate = ("-m", "dagster", "definitions", "validate", "-w", "workspace.yaml")
    done = run(folder, *validate, HEALING_DATABASE_URL=database_url)
    assert done.returncode == 0, done.stderr
    assert "Validation successful for code location healing_pipeline" in done.stderr + done.stdout
    left = {each.name for each in folder.iterdir()} - {"dagster.yaml", "workspace.yaml", "config"}
    assert not left, "a command that looks leaves nothing behind"


@pytest.mark.processes
def test_dagster_says_what_is_wrong_with_a_broken_configuration(
    tmp_path: Path, database_url: str
) -> None:
    folder = project_folder(tmp_path)
    config = folder / "config" / "healing_config.yaml"
    config.write_text(config.read_text("utf-8").replace("upstreams: simulated", "upstreams: sim"))
    validate = ("-m", "dagster", "definitions", "validate", "-w", "workspace.yaml")
    done = run(folder, *validate, HEALING_DATABASE_URL=database_url)
    assert done.returncode == 1
    said = "config/healing_config.yaml:7: `upstreams` is `sim`. Write `real` or `simulated`."
    assert said in done.stderr + done.stdout


@pytest.mark.processes
def test_a_run_does_not_pay_for_libraries_it_does_not_use(tmp_path: Path) -> None:
    """Every run imports the code location; these libraries cost more than a heal takes."""
    program = (
        "import sys; from healing_pipeline.definitions import defs;"
        "assert defs.resolve_all_job_defs();"
        "print(sorted({each.split('.')[0] for each in sys.modules}))"
    )
    done = run(project_folder(tmp_path), "-c", program)
    assert done.returncode == 0, done.stderr
    imported = set(yaml.safe_load(done.stdout))
    assert {"dagster", "psycopg", "aiohttp"} <= imported
    assert not imported & {"pandas", "numpy", "sklearn", "matplotlib", "scipy", "antlr4"}


@pytest.mark.processes
def test_who_merges_needs_no_configuration_at_the_default_place(
    tmp_path: Path, config: Path
) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from healing_pipeline.definitions import build_definitions;"
        "print(len(build_definitions(Path(sys.argv[1])).sensors))"
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    done = run(empty, "-c", program, str(config))
    assert (done.returncode, done.stdout) == (0, "15\n"), done.stderr


# -- dagster.yaml ----------------------------------------------------------------------------------


@pytest.fixture
def instance(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    folder = project_folder(tmp_path)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HEALING_DAGSTER_DATABASE_URL", raising=False)
    monkeypatch.setenv("HEALING_DATABASE_URL", database_url)
    monkeypatch.setenv("HEALING_STATE_DIR", str(tmp_path / "state"))
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        yield instance


@pytest.mark.processes
def test_dagster_yaml_loads_and_keeps_its_tables_beside_ours(
    instance: dg.DagsterInstance, database: Database, definitions: dg.Definitions
) -> None:
    assert isinstance(instance.run_storage, PostgresRunStorage)
    assert isinstance(instance.event_log_storage, PostgresEventLogStorage)
    assert isinstance(instance.schedule_storage, PostgresScheduleStorage)
    run = instance.create_run_for_job(definitions.resolve_job_def("report_health"))
    with database.connection() as connection:
        found = connection.execute("SELECT run_id, status FROM public.runs").fetchall()
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'healing' AND tablename = 'runs'"
        ).fetchall()
    assert found == [(run.run_id, "NOT_STARTED")]
    assert tables == []


@pytest.mark.processes
def test_the_limits_on_runs_in_dagster_yaml_are_the_ones_in_force(
    instance: dg.DagsterInstance,
) -> None:
    coordinator = instance.run_coordinator
    assert isinstance(coordinator, QueuedRunCoordinator)
    assert coordinator.dequeue_interval_seconds == 1
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    assert queue.max_concurrent_runs == 24
    per_value = {"applyLimitPerUniqueValue": True}
    assert queue.tag_concurrency_limits == [
        {"key": "healing/endpoint", "value": per_value, "limit": 1},
        {"key": "healing/source", "value": per_value, "limit": 18},
        {"key": "dagster/backfill", "limit": 2},
    ]


@pytest.mark.processes
def test_a_run_that_was_killed_is_noticed_and_not_started_again(
    instance: dg.DagsterInstance,
) -> None:
    assert instance.run_monitoring_enabled
    assert instance.run_retries_max_retries == 0


@pytest.mark.processes
def test_what_a_run_says_is_in_its_event_log(instance: dg.DagsterInstance) -> None:
    assert "healing_pipeline" in instance.managed_python_loggers
    assert isinstance(instance.compute_log_manager, NoOpComputeLogManager)


@pytest.mark.processes
def test_with_the_threads_of_dagster_yaml_no_source_waits_for_another(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    threads = instance.get_settings("sensors")
    assert threads["use_threads"]
    assert threads["num_workers"] >= len(list(definitions.sensors or ()))


@pytest.mark.processes
def test_no_block_of_dagster_yaml_goes_unread(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    blocks = yaml.safe_load((ROOT / "dagster.yaml").read_text("utf-8"))
    assert set(blocks) <= set(yaml.safe_load(instance.info_str())) | {"storage"}
