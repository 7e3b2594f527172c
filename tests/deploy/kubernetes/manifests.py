"""deploy/kustomization.yaml and the manifests that it names, as the tests read them: once, for all.

So nobody changes what is returned.
"""

import os
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import yaml

from tests.deploy.secure_broker import DEPLOY

Manifest = dict[str, Any]

KUSTOMIZATION: Final = DEPLOY / "kustomization.yaml"
KUBERNETES_VERSIONS: Final = ("1.32", "1.37")
"""The oldest and the newest Kubernetes that the manifests are for"""
CONTROLLED: Final = ("Deployment", "StatefulSet")
"""Kinds by which Kubernetes itself keeps pods going"""
SPARK_UI_PORT: Final = 4040
"""Where a driver answers, Spark's own default"""


@cache
def kustomization() -> Manifest:
    """Return what kustomize is told."""
    found: Manifest = yaml.safe_load(KUSTOMIZATION.read_text())
    return found


@cache
def manifests() -> list[Manifest]:
    """Return all that is in the files of the kustomization, in its order."""
    return [
        manifest
        for file in kustomization()["resources"]
        for manifest in yaml.safe_load_all((DEPLOY / file).read_text())
    ]


def of_kind(kind: str) -> dict[str, Manifest]:
    """Return the manifests of a kind by their name."""
    return {
        manifest["metadata"]["name"]: manifest
        for manifest in manifests()
        if manifest["kind"] == kind
    }


def name_of(manifest: Manifest) -> str:
    """Return kind and name, by which a test is called."""
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def generated(kind: str) -> dict[str, dict[str, str]]:
    """Return the ConfigMaps or Secrets that kustomize makes, by their name.

    Of each there is the content by its key: a file, from the folder of the kustomization, or what
    is said in place.
    """
    generators = kustomization()[
        {"ConfigMap": "configMapGenerator", "Secret": "secretGenerator"}[kind]
    ]
    found: dict[str, dict[str, str]] = {}
    for generator in generators:
        entries = [*generator.get("files", ()), *generator.get("literals", ())]
        pairs = [entry.split("=", 1) if "=" in entry else ("", entry) for entry in entries]
        found[generator["name"]] = {key or os.path.basename(value): value for key, value in pairs}
    return found


def by_strimzi() -> dict[str, set[str]]:
    """Return the keys of the Secrets that Strimzi makes, by their name.

    It makes one of each KafkaUser, and one that holds the cluster's authority.
    """
    of_user = {"ca.crt", "user.crt", "user.key", "user.p12", "user.password"}
    secrets = dict.fromkeys(of_kind("KafkaUser"), of_user)
    of_cluster = {"ca.crt", "ca.p12", "ca.password"}
    return secrets | {f"{cluster}-cluster-ca-cert": of_cluster for cluster in of_kind("Kafka")}


@dataclass(frozen=True)
class Workload:
    """Pods of a kind, each with one container."""

    name: str
    labels: dict[str, str]
    annotations: dict[str, str]
    pod: Manifest
    volume_claims: tuple[str, ...] = ()
    """Volumes that each pod gets besides those of its specification"""

    @property
    def container(self) -> Manifest:
        """Its only container."""
        (container,) = self.pod["containers"]
        assert isinstance(container, dict)
        return container

    @property
    def ports(self) -> dict[str, int]:
        """Its ports by their name."""
        return {port["name"]: port["containerPort"] for port in self.container["ports"]}

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it gets besides those of its image."""
        found: dict[str, str] = {}
        for source in self.container.get("envFrom", ()):
            found |= generated("ConfigMap")[source["configMapRef"]["name"]]
        return found | {entry["name"]: entry["value"] for entry in self.container.get("env", ())}

    @property
    def files(self) -> dict[str, tuple[str, str, str]]:
        """Where each file of a ConfigMap or Secret is within: its kind, its name and the key."""
        found = {}
        for mount in self.container["volumeMounts"]:
            for kind, source in _sources(self._volumes[mount["name"]]):
                items = source.get("items") or [
                    {"key": key, "path": key} for key in generated(kind)[source["name"]]
                ]
                for item in items:
                    place = os.path.join(mount["mountPath"], item["path"])
                    found[place] = (kind, source["name"], item["key"])
        return found

    @property
    def _volumes(self) -> dict[str, Manifest]:
        claims: dict[str, Manifest] = {name: {} for name in self.volume_claims}
        return claims | {volume["name"]: volume for volume in self.pod.get("volumes", ())}

    @property
    def volumes(self) -> set[str]:
        """The names of its volumes."""
        return set(self._volumes)


def _sources(volume: Manifest) -> list[tuple[str, Manifest]]:
    """Return the ConfigMaps and Secrets of a projected volume, each with its kind."""
    kinds = {"configMap": "ConfigMap", "secret": "Secret"}
    return [
        (kinds[kind], source)
        for sources in volume.get("projected", {}).get("sources", ())
        for kind, source in sources.items()
    ]


def controlled() -> dict[str, Workload]:
    """Return the workloads that Kubernetes itself keeps going, by their name."""
    found = {}
    for kind in CONTROLLED:
        for name, manifest in of_kind(kind).items():
            template = manifest["spec"]["template"]
            claims = manifest["spec"].get("volumeClaimTemplates", ())
            found[name] = Workload(
                name,
                template["metadata"]["labels"],
                template["metadata"].get("annotations", {}),
                template["spec"],
                tuple(claim["metadata"]["name"] for claim in claims),
            )
    return found


def of_spark() -> dict[str, Workload]:
    """Return the pods of each SparkApplication, driver and executor, as Spark makes them."""
    found = {}
    for application, manifest in of_kind("SparkApplication").items():
        spec = manifest["spec"]
        for role in ("driver", "executor"):
            name, own = f"{application}-{role}", spec[role]
            container = {
                "name": f"spark-kubernetes-{role}",
                "image": spec["image"],
                "ports": [
                    {"name": port, "containerPort": number}
                    for port, number in _spark_ports(spec["sparkConf"], role).items()
                ],
                "securityContext": own["securityContext"],
                "volumeMounts": own["volumeMounts"],
            }
            pod = {
                "serviceAccountName": own["serviceAccount"],
                "securityContext": own["podSecurityContext"],
                "containers": [container],
                "volumes": spec["volumes"],
            }
            found[name] = Workload(name, own["labels"], own.get("annotations", {}), pod)
    return found


def _spark_ports(configuration: dict[str, str], role: str) -> dict[str, int]:
    """Return where driver or executors listen; those that are not set would be any."""
    if role == "executor":
        return {"blocks": int(configuration["spark.blockManager.port"])}
    return {
        "driver": int(configuration["spark.driver.port"]),
        "blocks": int(configuration["spark.driver.blockManager.port"]),
        "metrics": SPARK_UI_PORT,
    }


def workloads() -> dict[str, Workload]:
    """Return all that has pods, but for Kafka, by its name."""
    return controlled() | of_spark()


def selected(labels: dict[str, str]) -> set[str]:
    """Return the names of the workloads that have all of some labels."""
    return {
        name for name, workload in workloads().items() if labels.items() <= workload.labels.items()
    }
