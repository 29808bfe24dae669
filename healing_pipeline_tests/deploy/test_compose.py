"""deploy/compose.yaml as Docker Compose itself reads it: who has which secret, network and port."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
import yaml
from deploy_tools import DEPLOY, REPOSITORY, composed, ran, tool

from healing_pipeline.stack.celery import RUN_LAUNCHER
from healing_pipeline.storage.roles import roles_sql

CELERY = {"COMPOSE_PROFILES": "celery", "HEALING_LAUNCHER": "celery"}
PARTS = {
    "postgres",
    "migrate",
    "gateway",
    "balancer",
    "code_server",
    "daemon",
    "webserver",
    "alerts",
}
WORKERS = {"redis", "worker_heal", "worker_other"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return composed("compose.yaml", env=CELERY)


def secrets_of(service: dict[str, Any]) -> set[str]:
    return {each["source"] for each in service.get("secrets", [])}


def test_celery_is_a_profile_and_everything_else_is_always_there(project) -> None:
    plain = composed("compose.yaml", env={"COMPOSE_PROFILES": ""})
    assert set(plain["services"]) == PARTS
    assert set(project["services"]) == PARTS | WORKERS
    home = project["services"]["daemon"]["environment"]["DAGSTER_HOME"]
    assert home.endswith("/homes/celery")
    assert plain["services"]["daemon"]["environment"]["DAGSTER_HOME"].endswith("/homes/default")


def test_nothing_is_published_but_balancer_and_page_and_those_on_loopback(project) -> None:
    published = {
        (name, port["host_ip"])
        for name, service in project["services"].items()
        for port in service.get("ports", [])
    }
    assert published == {("balancer", "127.0.0.1"), ("webserver", "127.0.0.1")}


def test_only_who_changes_the_schema_or_prunes_has_the_owners_url(project) -> None:
    owners = {
        name
        for name, service in project["services"].items()
        if "healing_owner_url" in secrets_of(service)
    }
    assert owners == {"migrate", "code_server", "worker_other"}


def test_no_secret_stands_in_the_environment(project) -> None:
    for name, service in project["services"].items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN|DATABASE_URL|SECRET|KEY", variable):
                assert variable.endswith("_FILE"), (name, variable)
                assert value.startswith("/run/secrets/"), (name, variable)
                assert value.removeprefix("/run/secrets/") in secrets_of(service), (name, variable)


def test_the_database_is_on_a_network_from_which_nothing_leads_out(project) -> None:
    assert project["networks"]["inside"]["internal"] is True
    assert set(project["services"]["postgres"]["networks"]) == {"inside"}
    assert set(project["services"]["redis"]["networks"]) == {"inside"}
    assert "inside" not in project["services"]["balancer"]["networks"]


def test_each_part_restarts_is_bounded_and_may_do_nothing(project) -> None:
    for name, service in project["services"].items():
        if name != "migrate":
            assert service["restart"] == "unless-stopped", name
            assert service["deploy"]["resources"]["limits"].keys() >= {"cpus", "memory"}, name
        if name != "postgres":  # which changes to a user of its own
            assert service["cap_drop"] == ["ALL"], name
            assert service["read_only"] is True, name


def test_facts_of_a_gateway_outlive_its_container(project) -> None:
    for name in ("gateway", "code_server", "worker_heal", "worker_other"):
        volumes = {each["target"]: each for each in project["services"][name]["volumes"]}
        assert volumes["/var/lib/healing"]["type"] == "volume", name
        assert volumes["/etc/healing"]["read_only"] is True, name


def test_whoever_needs_the_schema_waits_for_the_migration(project) -> None:
    def waits(name: str) -> bool:
        needed = project["services"][name].get("depends_on", {})
        if needed.get("migrate", {}).get("condition") == "service_completed_successfully":
            return True
        return any(waits(other) for other in needed)

    for name in (PARTS | WORKERS) - {"postgres", "migrate", "redis"}:
        assert waits(name), name


def test_a_server_of_ones_own_takes_the_place_of_the_one_here() -> None:
    found = composed("compose.yaml", "compose.external-postgres.yaml", env=CELERY)
    assert set(found["services"]) == (PARTS | WORKERS) - {"postgres"}
    for name, service in found["services"].items():
        assert "postgres" not in service.get("depends_on", {}), name
    for name in ("migrate", "gateway", "code_server", "daemon", "webserver", "alerts"):
        assert "out" in found["services"][name]["networks"], name


def test_the_workers_queues_are_all_that_runs_are_put_into(project) -> None:
    from healing_pipeline.orchestration.queues import HEAL, LEARN, OTHER, QUEUE_TAG

    queues = {
        queue
        for name in ("worker_heal", "worker_other")
        for word in project["services"][name]["command"]
        if word.startswith("--queues=")
        for queue in word.removeprefix("--queues=").split(",")
    }
    assert queues == {HEAL[QUEUE_TAG], LEARN[QUEUE_TAG], OTHER}


def test_the_roles_are_those_of_this_version() -> None:
    """``healing roles --sql > deploy/postgres/10_roles.sql`` writes it anew."""
    kept = (DEPLOY / "postgres" / "10_roles.sql").read_text(encoding="utf-8")
    assert kept == roles_sql("")


def test_dagsters_settings_in_containers_are_the_projects_but_for_the_launcher(tmp_path) -> None:
    source = REPOSITORY / "dagster.yaml"
    run_path(str(DEPLOY / "dagster" / "write_homes.py"))["main"](source, tmp_path)
    own = yaml.safe_load(source.read_text(encoding="utf-8"))
    for name in ("default", "celery"):
        written = yaml.safe_load((tmp_path / name / "dagster.yaml").read_text(encoding="utf-8"))
        launcher = written.pop("run_launcher", None)
        assert launcher == (dict(RUN_LAUNCHER) if name == "celery" else None)
        assert written.pop("local_artifact_storage")["config"]["base_dir"].startswith(
            "/var/lib/healing/"
        )
        assert written == {
            key: value
            for key, value in own.items()
            if key not in {"run_launcher", "local_artifact_storage"}
        }


def test_secrets_are_made_once_and_are_nobody_elses(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    shutil.copy(DEPLOY / "secrets" / "make.sh", folder)
    ran("sh", folder / "make.sh")
    named = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["secrets"]
    made = {path.name: path.read_text() for path in folder.iterdir() if path.suffix != ".sh"}
    assert set(made) == {Path(each["file"]).name for each in named.values()}
    assert len(set(made.values())) == len(made)
    assert made["healing_app_password"].strip() in made["healing_app_url"]
    assert folder.stat().st_mode & 0o077 == 0
    ran("sh", folder / "make.sh")
    assert {name: (folder / name).read_text() for name in made} == made


def test_nginx_takes_the_balancers_settings(tmp_path: Path) -> None:
    text = (DEPLOY / "balancer" / "nginx.conf").read_text(encoding="utf-8")
    config = tmp_path / "nginx.conf"
    config.write_text(text.replace("/tmp/", f"{tmp_path}/"), encoding="utf-8")
    told = subprocess.run(
        [tool("nginx"), "-t", "-p", tmp_path, "-c", config],
        check=False,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
