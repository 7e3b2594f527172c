"""The job on Spark, as the operator is to run it."""

import re
import sys
import tomllib
from pathlib import Path
from typing import Final

import kubernetes_validate
import msgspec
import pytest

from pipeline.commands.spark.settings import SparkSettings
from pipeline.settings import from_command_line
from tests.deploy.image import DOCKERFILE
from tests.deploy.kubernetes.manifests import KUBERNETES_VERSIONS, of_kind, of_spark, selected
from tests.deploy.kubernetes.spark_operator import API_VERSION, SparkApplicationSpec
from tests.deploy.secure_broker import DEPLOY
from tests.processes import ROOT

CHECKPOINT: Final = "file:///checkpoint/"
POM: Final = DEPLOY / "spark" / "pom.xml"


@pytest.fixture
def spec() -> SparkApplicationSpec:
    """The job's specification; it has no key that the operator's documentation does not have."""
    manifest = of_kind("SparkApplication")["har-spark"]
    assert API_VERSION == manifest["apiVersion"]
    assert {"apiVersion", "kind", "metadata", "spec"} == manifest.keys()
    return msgspec.convert(manifest["spec"], SparkApplicationSpec)


@pytest.fixture
def settings(
    spec: SparkApplicationSpec, own_settings: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> SparkSettings:
    """What har-spark reads of the job's arguments."""
    monkeypatch.setattr(sys, "argv", ["har-spark", *spec.arguments])
    return from_command_line(SparkSettings)


def test_a_key_that_the_operator_does_not_know_is_found() -> None:
    """The types are strict: Kubernetes would leave out such a key in silence."""
    manifest = of_kind("SparkApplication")["har-spark"]["spec"]
    wrong = manifest | {"driver": manifest["driver"] | {"coreLimits": "1"}}
    with pytest.raises(msgspec.ValidationError, match="coreLimits"):
        msgspec.convert(wrong, SparkApplicationSpec)


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("name", sorted(of_spark()))
def test_kubernetes_takes_its_pods(name: str, version: str) -> None:
    """What the operator hands on to Kubernetes is as its schemas say."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": of_spark()[name].pod,
    }
    kubernetes_validate.validate(pod, version, strict=True)


def test_its_version_is_that_of_the_image(spec: SparkApplicationSpec) -> None:
    """Operator, PySpark in the lock and the connector are of one version of Spark."""
    lock = (DEPLOY / "requirements" / "scale.txt").read_text()
    assert f"\npyspark=={spec.spark_version} " in lock
    versions = re.findall(
        r"<artifactId>(spark-.*_2\.13)</artifactId>\s*<version>(.*)<", POM.read_text()
    )
    assert {spec.spark_version} == {version for _, version in versions}
    jars = [line.split()[1] for line in (DEPLOY / "spark" / "jars.sha256").read_text().splitlines()]
    assert set(jars) >= {f"{name}-{version}.jar" for name, version in versions}


def test_its_program_is_in_the_image(spec: SparkApplicationSpec) -> None:
    """The image has har-spark by a name that Spark takes for one of Python."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert "har-spark" in scripts
    linked = f"ln -s har-spark {spec.main_application_file.removeprefix('local://')}"
    assert linked in DOCKERFILE.read_text()
    assert spec.main_application_file.endswith(".py")


def test_it_goes_on_from_where_it_was(spec: SparkApplicationSpec, settings: SparkSettings) -> None:
    """Whatever ends it, it is started again; state and progress are on a volume that all share."""
    assert "Always" == spec.restart_policy.type
    assert settings.checkpoint_location.startswith(CHECKPOINT)
    (claim,) = (
        volume["persistentVolumeClaim"] for volume in spec.volumes if volume["name"] == "checkpoint"
    )
    access = of_kind("PersistentVolumeClaim")[claim["claimName"]]["spec"]["accessModes"]
    assert ["ReadWriteMany"] == access
    for role in (spec.driver, spec.executor):
        places = {mount["name"]: mount["mountPath"] for mount in role.volume_mounts}
        assert f"file://{places['checkpoint']}/" == CHECKPOINT


def test_its_settings_fit_its_size(spec: SparkApplicationSpec, settings: SparkSettings) -> None:
    """There are 1 to 2 buckets a core, two partitions a core or more, and no other master."""
    cores = spec.executor.instances * spec.executor.cores
    assert cores <= settings.buckets <= 2 * cores
    assert 2 * cores <= of_kind("KafkaTopic")[settings.samples_topic]["spec"]["partitions"]
    assert settings.master is None
    assert settings.jars is None


def test_its_file_of_properties_is_mounted(settings: SparkSettings) -> None:
    """Driver and executors have all files that the connection to Kafka needs, at one place."""
    text = (DEPLOY / "kubernetes" / "har-spark.properties").read_text()
    named = {f"{folder}/{file}" for folder, file in re.findall(r"\$\{dir:(.*?):(.*?)\}", text)}
    assert len(named) == 3
    for workload in of_spark().values():
        assert named | {str(settings.kafka_config)} == set(workload.files)


def test_the_driver_may_make_its_executors_and_no_more(spec: SparkApplicationSpec) -> None:
    """Its account has rights on pods, and what goes with them, in this namespace alone."""
    (role,) = of_kind("Role").values()
    (binding,) = of_kind("RoleBinding").values()
    assert not of_kind("ClusterRole")
    assert role["metadata"]["name"] == binding["roleRef"]["name"]
    assert [{"kind": "ServiceAccount", "name": spec.driver.service_account}] == binding["subjects"]
    (rule,) = role["rules"]
    assert {"pods", "services", "configmaps", "persistentvolumeclaims"} == set(rule["resources"])
    assert "*" not in rule["verbs"]
    for role_of_spark in (spec.driver, spec.executor):
        assert role_of_spark.service_account in of_kind("ServiceAccount")


def test_machines_are_emptied_of_one_executor_at_a_time(spec: SparkApplicationSpec) -> None:
    """All others stay meanwhile.

    Kubernetes knows no share of pods that it does not control itself, only a number.
    """
    (budget,) = (
        budget["spec"]
        for budget in of_kind("PodDisruptionBudget").values()
        if selected(budget["spec"]["selector"]["matchLabels"]) & set(of_spark())
    )
    assert {"har-spark-executor"} == selected(budget["selector"]["matchLabels"])
    assert spec.executor.instances - 1 == budget["minAvailable"]


def test_it_is_watched(spec: SparkApplicationSpec) -> None:
    """Prometheus finds the driver's metrics where Spark is told to show them."""
    sink = "spark.metrics.conf.*.sink.prometheusServlet"
    assert spec.spark_conf[f"{sink}.class"].endswith(".PrometheusServlet")
    assert spec.spark_conf[f"{sink}.path"] == spec.driver.annotations["prometheus.io/path"]
    assert (
        str(of_spark()["har-spark-driver"].ports["metrics"])
        == spec.driver.annotations["prometheus.io/port"]
    )
