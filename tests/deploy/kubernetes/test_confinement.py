"""What a pod may do, and how much of a machine it takes."""

from typing import Final

import pytest

from tests.deploy.image import DOCKERFILE, stages
from tests.deploy.kubernetes.manifests import Workload, controlled, of_kind, workloads

NAMES: Final = sorted(workloads())
WRITABLE: Final = {"/state", "/tmp", "/var/lib/mosquitto", "/checkpoint", "/var/spark"}
"""Where pods may write: what compose.yaml gives to the images, and what Spark needs"""
HAS_A_KEY: Final = {"har-spark-driver"}
"""Who may speak to Kubernetes: it starts executors"""


def test_the_namespace_refuses_pods_with_rights() -> None:
    """Kubernetes itself holds all pods to its strictest standard."""
    labels = of_kind("Namespace")["har"]["metadata"]["labels"]
    assert "restricted" == labels["pod-security.kubernetes.io/enforce"]


def has_a_key(workload: Workload) -> bool:
    """Tell whether a pod gets its account's token: it says so itself, or its account does."""
    account = of_kind("ServiceAccount").get(workload.pod.get("serviceAccountName", ""), {})
    word = "automountServiceAccountToken"
    return bool(workload.pod.get(word, account.get(word, True)))


@pytest.mark.parametrize("name", NAMES)
def test_a_pod_is_confined(name: str) -> None:
    """It is not root, has no right and no way to one, and no key to Kubernetes."""
    pod, container = workloads()[name].pod, workloads()[name].container
    assert (name in HAS_A_KEY) == has_a_key(workloads()[name])
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert {"type": "RuntimeDefault"} == pod["securityContext"]["seccompProfile"]
    assert {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    } == container["securityContext"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_pod_is_who_its_image_is_made_for(name: str) -> None:
    """User, group and the group of its volumes are the number of the image's user."""
    context = workloads()[name].pod["securityContext"]
    (number,) = {context[key] for key in ("runAsUser", "runAsGroup", "fsGroup")}
    target = {"har-stream": "runtime", "har-mosquitto": "mosquitto", "har-spark": "runtime"}
    _, instructions = stages(DOCKERFILE.read_text())[target[workloads()[name].container["image"]]]
    assert [("USER", f"{number}:{number}")] == [told for told in instructions if told[0] == "USER"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_a_volume(name: str) -> None:
    """Only the folders of state and /tmp can be written; secrets are for the group alone."""
    workload = workloads()[name]
    mounts = workload.container["volumeMounts"]
    assert {mount["mountPath"] for mount in mounts if not mount.get("readOnly")} <= WRITABLE
    for volume in workload.pod["volumes"]:
        assert volume.get("projected", {"defaultMode": 0o440})["defaultMode"] == 0o440
        assert {"projected", "emptyDir", "name", "persistentVolumeClaim"} >= volume.keys()


@pytest.mark.parametrize("name", sorted(controlled()))
def test_a_pod_says_what_it_needs(name: str) -> None:
    """It asks for a share of a core and for memory, and gets no more memory than it asks for.

    Its cores have no limit: one that is idle is for whoever can use it.
    """
    resources = workloads()[name].container["resources"]
    assert {"cpu", "memory"} == resources["requests"].keys()
    assert {"memory": resources["requests"]["memory"]} == resources["limits"]


@pytest.mark.parametrize("name", sorted(controlled()))
def test_a_pod_is_watched(name: str) -> None:
    """Three probes tell whether it has started, is alive and ready, by ports that it has."""
    workload = workloads()[name]
    probes = {
        kind: workload.container[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")
    }
    for probe in probes.values():
        (how,) = {"httpGet", "tcpSocket"} & probe.keys()
        assert probe[how]["port"] in workload.ports
    asked = [probe["httpGet"]["path"] for probe in probes.values() if "httpGet" in probe]
    assert asked in ([], ["/healthz", "/healthz", "/readyz"])
