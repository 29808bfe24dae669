"""deploy/helm/healing-gateway as Helm renders it, held against the schemas of Kubernetes."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
from deploy_tools import CHART, REPOSITORY, of_kind, ran, rendered, tool

from healing_pipeline.orchestration.queues import HEAL, LEARN, OTHER, QUEUE_TAG

EVERYTHING = (
    "gateway.autoscaling.enabled=true",
    "ingress.enabled=true",
    "ingress.tlsSecret=tls",
    "celery.enabled=true",
)
# The oldest that Chart.yaml takes for which there are schemas here, and the newest.
VERSIONS = ("1.27", kubernetes_validate.latest_version())


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    return rendered()


@pytest.fixture(scope="module")
def everything() -> list[dict[str, Any]]:
    return rendered(*EVERYTHING)


def pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each["spec"]["template"]["spec"] for each in objects if "template" in each["spec"]]


def with_pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in objects if "template" in each.get("spec", {})]


@pytest.mark.parametrize("version", VERSIONS)
def test_each_object_is_one_that_kubernetes_knows(everything, version: str) -> None:
    kinds = [each["kind"] for each in everything]
    assert {"StatefulSet", "Deployment", "Job", "ConfigMap", "Ingress"} <= set(kinds)
    for each in everything:
        kubernetes_validate.validate(each, version, strict=True)


def test_helm_finds_nothing_to_complain_of() -> None:
    config = f"config={REPOSITORY / 'config' / 'healing_config.yaml'}"
    ran(tool("helm"), "lint", "--strict", CHART, "--set-file", config)


def test_the_configuration_arrives_as_it_is(objects) -> None:
    (found,) = of_kind(objects, "ConfigMap")
    text = (REPOSITORY / "config" / "healing_config.yaml").read_text(encoding="utf-8")
    assert found["data"]["healing_config.yaml"].strip() == text.strip()


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("image.tag=latest", "/image/tag"),
        ("gateway.spool.kind=hostPath", "/gateway/spool/kind"),
        ("gateway.replica=3", "replica"),
        ("config=", "Give the configuration"),
    ],
)
def test_a_value_that_is_none_is_refused(setting: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        ran(tool("helm"), "template", "x", CHART, "--set", "config=x", "--set", setting)


def test_pods_are_nobody_may_do_nothing_and_write_only_into_their_volumes(everything) -> None:
    found = with_pods(everything)
    assert len(found) == 5
    for each in found:
        pod = each["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]


def test_only_who_migrates_or_prunes_has_the_owners_secret(everything) -> None:
    owners = [
        each["metadata"]["name"]
        for each in with_pods(everything)
        for container in each["spec"]["template"]["spec"]["containers"]
        if {"secretRef": {"name": "healing-database-owner"}} in container["envFrom"]
    ]
    assert sorted(owners) == ["healing-migration", "healing-worker-other"]


def test_the_migration_comes_before_everything_and_the_configuration_before_it(objects) -> None:
    weights = {}
    for kind in ("ConfigMap", "Job"):
        (each,) = of_kind(objects, kind)
        notes = each["metadata"]["annotations"]
        assert notes["helm.sh/hook"] == "pre-install,pre-upgrade"
        weights[kind] = int(notes["helm.sh/hook-weight"])
    assert weights["ConfigMap"] < weights["Job"]
    # A hook runs before there is a service account of ours.
    (job,) = of_kind(objects, "Job")
    assert "serviceAccountName" not in job["spec"]["template"]["spec"]


def test_facts_of_a_gateway_outlive_its_pod(objects) -> None:
    (gateway,) = of_kind(objects, "StatefulSet")
    (claim,) = gateway["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "state"
    assert gateway["spec"]["persistentVolumeClaimRetentionPolicy"] == {
        "whenDeleted": "Retain",
        "whenScaled": "Retain",
    }
    (container,) = gateway["spec"]["template"]["spec"]["containers"]
    assert {"name": "state", "mountPath": "/var/lib/healing"} in container["volumeMounts"]
    assert {"name": "HEALING_SPOOL_MB", "value": "1024"} in container["env"]


def test_a_spool_without_a_volume_has_to_be_asked_for() -> None:
    (gateway,) = of_kind(rendered("gateway.spool.kind=emptyDir"), "StatefulSet")
    assert "volumeClaimTemplates" not in gateway["spec"]
    volumes = gateway["spec"]["template"]["spec"]["volumes"]
    assert {"name": "state", "emptyDir": {"sizeLimit": "2Gi"}} in volumes


def test_a_scaler_and_a_fixed_number_never_disagree(objects, everything) -> None:
    (fixed,) = of_kind(objects, "StatefulSet")
    (scaled,) = of_kind(everything, "StatefulSet")
    assert fixed["spec"]["replicas"] == 2
    assert of_kind(objects, "HorizontalPodAutoscaler") == []
    assert "replicas" not in scaled["spec"]
    (scaler,) = of_kind(everything, "HorizontalPodAutoscaler")
    assert scaler["spec"]["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "name": scaled["metadata"]["name"],
    }


def test_services_and_policies_choose_the_gateways_pods(everything) -> None:
    (gateway,) = of_kind(everything, "StatefulSet")
    labels = gateway["spec"]["template"]["metadata"]["labels"].items()
    chosen = [each["spec"]["selector"] for each in of_kind(everything, "Service")]
    chosen += [
        each["spec"]["selector"]["matchLabels"]
        for each in of_kind(everything, "PodDisruptionBudget")
    ]
    chosen += [
        each["spec"]["podSelector"]["matchLabels"] for each in of_kind(everything, "NetworkPolicy")
    ]
    assert len(chosen) == 5
    for each in chosen:
        assert each.items() <= labels
    for other in of_kind(everything, "Deployment"):
        others = other["spec"]["template"]["metadata"]["labels"].items()
        for service in of_kind(everything, "Service"):
            assert not service["spec"]["selector"].items() <= others


def test_workers_take_each_queue_that_runs_are_put_into(objects, everything) -> None:
    assert not [each for each in of_kind(objects, "Deployment") if "worker" in str(each)]
    queues = set()
    for each in of_kind(everything, "Deployment"):
        (container,) = each["spec"]["template"]["spec"]["containers"]
        for word in container["args"]:
            if word.startswith("--queues="):
                queues |= set(word.removeprefix("--queues=").split(","))
                assert {"name": "DAGSTER_HOME", "value": "/srv/healing/homes/celery"} in container[
                    "env"
                ]
    assert queues == {HEAL[QUEUE_TAG], LEARN[QUEUE_TAG], OTHER}


def test_a_gateway_has_left_the_balancers_before_it_is_killed(objects) -> None:
    (gateway,) = of_kind(objects, "StatefulSet")
    pod = gateway["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    wait = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    probe = container["readinessProbe"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert wait >= probe["periodSeconds"]
    assert pod["terminationGracePeriodSeconds"] >= wait + 10
