"""How much of a cluster all of it takes, as the guide says."""

import math
import re
from typing import Final

from tests.deploy.kubernetes.manifests import Manifest, controlled, of_kind
from tests.processes import ROOT

GUIDE: Final = ROOT / "docs" / "guides" / "kubernetes.md"
MIB: Final = {"Mi": 1, "Gi": 1024, "m": 1, "g": 1024}
"""Of Kubernetes' units and of Java's"""


def mebibytes(text: str) -> int:
    """Return an amount of memory in MiB."""
    number, unit = re.fullmatch(r"(\d+)([A-Za-z]+)", text).groups()  # type: ignore[union-attr]
    return int(number) * MIB[unit]


def cores(text: str) -> float:
    """Return a share of processors, of which Kubernetes counts thousandths."""
    return int(text.removesuffix("m")) / 1000 if text.endswith("m") else float(text)


def requests() -> list[tuple[int, Manifest]]:
    """Return what each kind of pod asks for, and how many there are."""
    found = [
        (of_kind(kind)[name]["spec"]["replicas"], workload.container["resources"]["requests"])
        for name, workload in controlled().items()
        for kind in ("Deployment", "StatefulSet")
        if name in of_kind(kind)
    ]
    for pool in of_kind("KafkaNodePool").values():
        found.append((pool["spec"]["replicas"], pool["spec"]["resources"]["requests"]))
    for kafka in of_kind("Kafka").values():
        for operator in ("topicOperator", "userOperator"):
            found.append((1, kafka["spec"]["entityOperator"][operator]["resources"]["requests"]))
    for application in of_kind("SparkApplication").values():
        for role in ("driver", "executor"):
            pod = application["spec"][role]
            memory = mebibytes(pod["memory"]) + mebibytes(pod["memoryOverhead"])
            found.append(
                (pod.get("instances", 1), {"cpu": str(pod["cores"]), "memory": f"{memory}Mi"})
            )
    return found


def test_the_guide_says_what_is_asked_for() -> None:
    """Its figures are the sums of the manifests'."""
    n_cores = sum(n * cores(asked["cpu"]) for n, asked in requests())
    memory = sum(n * mebibytes(asked["memory"]) for n, asked in requests())
    (pool,) = of_kind("KafkaNodePool").values()
    (volume,) = pool["spec"]["storage"]["volumes"]
    text = " ".join(GUIDE.read_text().split())
    assert f"{math.ceil(n_cores)} cores and {math.ceil(memory / 1024)} GiB of memory" in text
    disk = volume["size"].removesuffix("Gi")
    assert f"{pool['spec']['replicas']} disks of {disk} GiB" in text
