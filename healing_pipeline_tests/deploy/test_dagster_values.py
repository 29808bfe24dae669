"""deploy/helm/values.yaml against the classes that it ends up in: Dagster's launcher, our queue.

The official chart's templates are not here; what they do with these values is written out below as
far as it matters: names in camel case become names with underscores.
"""

from __future__ import annotations

import re
from typing import Any

import kubernetes_validate
import pytest
import yaml
from dagster._config import validate_config
from dagster._core.definitions.definition_config_schema import (
    convert_user_facing_definition_config_schema,
)
from dagster._core.instance.ref import InstanceRef
from dagster_k8s import K8sRunLauncher
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import (
    DagsterK8sJobConfig,
    UserDefinedDagsterK8sConfig,
    construct_dagster_k8s_job,
    get_user_defined_k8s_config,
)
from deploy_tools import DEPLOY, REPOSITORY, of_kind, rendered

from healing_pipeline.celery_runs import WatchedCeleryRunLauncher
from healing_pipeline.launcher import EagerRunCoordinator
from healing_pipeline.orchestration.jobs import heal_endpoint
from healing_pipeline.orchestration.pod_sizes import LEARN_POD
from healing_pipeline.orchestration.prune_job import prune
from healing_pipeline.stack.celery import RUN_LAUNCHER


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "helm" / "values.yaml").read_text("utf-8"))
    return found


def with_underscores(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name)


def launcher_config(values: dict[str, Any]) -> dict[str, Any]:
    given = values["runLauncher"]["config"]["k8sRunLauncher"]
    config = {with_underscores(name): value for name, value in given.items()}
    inner = config["run_k8s_config"]
    config["run_k8s_config"] = {with_underscores(name): each for name, each in inner.items()}
    return {
        **config,
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "postgres_password_secret": values["global"]["postgresqlSecretName"],
    }


def accepted(schema: Any, config: dict[str, Any]) -> None:
    field = convert_user_facing_definition_config_schema(schema)
    told = validate_config(field.config_type, config)
    assert told.success, told.errors


def test_dagsters_launcher_takes_its_settings(values) -> None:
    assert values["runLauncher"]["type"] == "K8sRunLauncher"
    accepted(K8sRunLauncher.config_type(), launcher_config(values))


def test_with_celery_the_launcher_is_the_projects_own() -> None:
    laid_over = yaml.safe_load((DEPLOY / "helm" / "values-celery.yaml").read_text("utf-8"))
    launcher = laid_over["runLauncher"]
    assert launcher["type"] == "CustomRunLauncher"
    assert launcher["config"]["customRunLauncher"] == dict(RUN_LAUNCHER)
    accepted(WatchedCeleryRunLauncher.config_type(), dict(RUN_LAUNCHER["config"]))
    (worker,) = [
        each
        for each in of_kind(rendered("celery.enabled=true"), "Deployment")
        if each["metadata"]["name"] == "healing-worker-heal"
    ]
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    for part in ("dagsterDaemon", "dagsterWebserver"):
        (secret,) = laid_over[part]["envSecrets"]
        assert {"secretRef": secret} in container["envFrom"], part


def test_our_queue_takes_its_settings_and_they_are_the_projects(values) -> None:
    custom = values["dagsterDaemon"]["runCoordinator"]["config"]["customRunCoordinator"]
    own = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text("utf-8"))
    accepted(EagerRunCoordinator.config_type(), custom["config"])
    assert (
        f"{custom['module']}.{custom['class']}" == "healing_pipeline.launcher.EagerRunCoordinator"
    )
    assert custom["config"].items() <= own["run_coordinator"]["config"].items()
    assert values["additionalInstanceConfig"]["concurrency"] == own["concurrency"]


def test_threads_are_enough_for_sensors_that_stay(values) -> None:
    own = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text("utf-8"))
    sensors = values["dagsterDaemon"]["sensors"]
    assert sensors["useThreads"] is own["sensors"]["use_threads"] is True
    assert sensors["numWorkers"] == own["sensors"]["num_workers"]


def pod_of(values: dict[str, Any], tags: dict[str, str]) -> dict[str, Any]:
    """The Job that the launcher would make for a run with `tags`."""
    config = launcher_config(values)
    (location,) = values["dagster-user-deployments"]["deployments"]
    context = (
        K8sContainerContext(
            run_k8s_config=UserDefinedDagsterK8sConfig.from_dict(config["run_k8s_config"])
        )
        .merge(
            K8sContainerContext(
                env=location["env"],
                env_secrets=[each["name"] for each in location["envSecrets"]],
                volumes=[
                    # As the template for locations hands them on.
                    {with_underscores(key): each for key, each in volume.items()}
                    for volume in location["volumes"]
                ],
            )
        )
        .merge(K8sContainerContext(run_k8s_config=get_user_defined_k8s_config(tags)))
    )
    job = construct_dagster_k8s_job(
        DagsterK8sJobConfig(
            job_image="healing-pipeline:0.1.0",
            dagster_home="/opt/dagster/dagster_home",
            instance_config_map=config["instance_config_map"],
            service_account_name="dagster",
        ),
        ["dagster", "api", "execute_run", "{}"],
        "dagster-run-1",
        user_defined_k8s_config=context.run_k8s_config,
    )
    from kubernetes.client import ApiClient

    with ApiClient() as client:
        found: dict[str, Any] = client.sanitize_for_serialization(job)
    return {"apiVersion": "batch/v1", "kind": "Job", **found}


@pytest.mark.parametrize(
    ("tags", "most"),
    [
        ({}, "1Gi"),
        (heal_endpoint.tags, "512Mi"),
        (prune.tags, "2Gi"),
        (LEARN_POD, "2Gi"),
    ],
    ids=["others", "heal", "prune", "fold"],
)
def test_a_runs_pod_is_as_large_as_its_kind_of_run(values, tags, most: str) -> None:
    job = pod_of(values, dict(tags))
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["memory"] == most
    assert job["spec"]["ttlSecondsAfterFinished"] == 300
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_both_charts_mean_the_same_secrets_and_the_same_configuration(values) -> None:
    objects = rendered()
    (gateway,) = of_kind(objects, "StatefulSet")
    (config,) = of_kind(objects, "ConfigMap")
    (job,) = of_kind(objects, "Job")
    (location,) = values["dagster-user-deployments"]["deployments"]
    assert {"name": "config", "configMap": {"name": config["metadata"]["name"]}} in location[
        "volumes"
    ]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    ours = {each["secretRef"]["name"] for each in container["envFrom"]}
    assert {each["name"] for each in location["envSecrets"]} == ours
    (serving,) = gateway["spec"]["template"]["spec"]["containers"]
    image = location["image"]
    assert serving["image"] == f"{image['repository']}:{image['tag']}"
    for part in ("dagsterDaemon", "dagsterWebserver"):
        assert values[part]["image"] == image


def test_the_limits_load_as_an_instance_that_queues(values, tmp_path) -> None:
    settings = {**values["additionalInstanceConfig"]}
    custom = values["dagsterDaemon"]["runCoordinator"]["config"]["customRunCoordinator"]
    settings["run_coordinator"] = custom
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    # Dagster refuses settings that it does not know, and limits that are set in two places.
    found = InstanceRef.from_dir(str(tmp_path))
    assert isinstance(found.run_coordinator, EagerRunCoordinator)
    (location,) = values["dagster-user-deployments"]["deployments"]
    writable = {
        mount["mountPath"] for mount in location["volumeMounts"] if not mount.get("readOnly")
    }
    place = found.local_artifact_storage.base_dir
    assert any(place.startswith(f"{each}/") for each in writable)
