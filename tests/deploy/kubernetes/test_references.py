"""What the manifests refer to by name is there."""

import re
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.brokers import mosquitto_binary
from tests.deploy.compose import make_secrets
from tests.deploy.image import DOCKERFILE, stages
from tests.deploy.kubernetes.manifests import (
    by_strimzi,
    controlled,
    generated,
    kustomization,
    of_kind,
    selected,
    workloads,
)
from tests.deploy.secure_broker import DEPLOY

TARGETS: Final = {"har-stream": "stream", "har-mosquitto": "mosquitto", "har-spark": "spark"}
"""The target of the Dockerfile that each image is, as the guide builds them"""
NAMES: Final = sorted(workloads())


def test_each_image_is_a_target_of_the_dockerfile() -> None:
    """No image is from elsewhere, and kustomize knows the version of each."""
    images = {workload.container["image"] for workload in workloads().values()}
    assert set(TARGETS) == images
    assert images == {image["name"] for image in kustomization()["images"]}
    assert set(TARGETS.values()) <= set(stages(DOCKERFILE.read_text()))
    version = re.search(r'image.version="(.*)"', DOCKERFILE.read_text())
    assert version
    assert {version[1]} == {image["newTag"] for image in kustomization()["images"]}


@pytest.mark.parametrize("name", NAMES)
def test_each_file_is_of_a_configmap_or_secret(name: str) -> None:
    """What a pod mounts has the keys that are named, and settings name files that are there."""
    workload = workloads()[name]
    for kind, source, key in workload.files.values():
        made = generated(kind) if source in generated(kind) else by_strimzi()
        assert key in made[source], source
    named = {
        value
        for value in workload.environment.values()
        if value.startswith("/") and not value.startswith("/state/")
    }
    assert named <= set(workload.files)


@pytest.mark.parametrize("name", NAMES)
def test_each_mount_has_a_volume(name: str) -> None:
    """Each volume is mounted, and nothing else is."""
    workload = workloads()[name]
    assert workload.volumes == {mount["name"] for mount in workload.container["volumeMounts"]}


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_nothing_is_generated_for_nobody(kind: str) -> None:
    """Each ConfigMap and Secret, and each key of it, is used."""
    used = {found for workload in workloads().values() for found in workload.files.values()}
    used = {found for found in used if found[1] in generated(found[0])}
    used |= {
        ("ConfigMap", source["configMapRef"]["name"], key)
        for workload in controlled().values()
        for source in workload.container.get("envFrom", ())
        for key in generated("ConfigMap")[source["configMapRef"]["name"]]
    }
    made = {(kind, name, key) for name, keys in generated(kind).items() for key in keys}
    assert made == {found for found in used if found[0] == kind}


def test_each_file_of_a_generator_is_there(tmp_path: Path) -> None:
    """It is in deploy/, or secrets.sh makes it."""
    if mosquitto_binary() is None or shutil.which("openssl") is None:
        pytest.skip("needs openssl and mosquitto_passwd")
    make_secrets(tmp_path / "secrets", "broker.example.org")
    files = [*generated("Secret").values(), *generated("ConfigMap").values()]
    for key, file in ((key, file) for entry in files for key, file in entry.items()):
        if key.isupper():  # a variable, whose value is said in place
            continue
        assert (DEPLOY / file).is_file() or (tmp_path / file).is_file(), file


@pytest.mark.parametrize("name", sorted(of_kind("Service")))
def test_each_service_leads_somewhere(name: str) -> None:
    """It selects the pods of one workload, which have the ports that it names."""
    service = of_kind("Service")[name]["spec"]
    (target,) = selected(service["selector"])
    assert {port["targetPort"] for port in service["ports"]} <= set(workloads()[target].ports)


def test_each_broker_is_a_service() -> None:
    """Who names the broker names a Service, at the port of MQTT with TLS."""
    brokers = {
        workload.environment["HAR_BROKER"]
        for workload in controlled().values()
        if "HAR_BROKER" in workload.environment
    }
    assert {"mosquitto"} == brokers
    ports = of_kind("Service")["mosquitto"]["spec"]["ports"]
    assert [8883] == [port["port"] for port in ports]


@pytest.mark.parametrize("name", sorted(of_kind("StatefulSet")))
def test_each_stateful_set_has_its_service(name: str) -> None:
    """The Service that gives its pods their names is there."""
    assert of_kind("StatefulSet")[name]["spec"]["serviceName"] in of_kind("Service")


@pytest.mark.parametrize("name", sorted(controlled()))
def test_each_workload_says_how_it_may_be_disturbed(name: str) -> None:
    """One PodDisruptionBudget selects its pods."""
    budgets = [
        budget["spec"]
        for budget in of_kind("PodDisruptionBudget").values()
        if name in selected(budget["spec"]["selector"]["matchLabels"])
    ]
    (budget,) = budgets
    assert {name} == selected(budget["selector"]["matchLabels"])
    assert "AlwaysAllow" == budget["unhealthyPodEvictionPolicy"]
