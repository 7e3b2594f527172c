"""Kafka as Strimzi is to run it."""

import copy
from typing import Any, Final

import jsonschema
import pytest

from pipeline.settings import MAX_PACKET_BYTES
from tests.deploy.kubernetes.manifests import Manifest, manifests, name_of, of_kind
from tests.deploy.kubernetes.strimzi import VERSION, Schema, definitions, strict_schema

GIB: Final = 1024**3
SEGMENT_BYTES: Final = GIB
"""By which a partition may exceed its limit: what is being written is not deleted"""
FULL: Final = 0.9
"""Share of a disk that may be used"""
OF_STRIMZI: Final = [
    manifest for manifest in manifests() if manifest["apiVersion"].startswith("kafka.strimzi.io/")
]
TOPICS: Final = sorted(of_kind("KafkaTopic"))


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Schema]:
    """Strimzi's own schemas of its kinds."""
    return definitions(tmp_path_factory.mktemp("strimzi"))


@pytest.mark.operation
@pytest.mark.parametrize("manifest", OF_STRIMZI, ids=name_of)
def test_strimzi_takes_it(manifest: Manifest, schemas: dict[str, Schema]) -> None:
    """The schema of Strimzi's version has each key that is there, and each value is of its type."""
    schema = strict_schema(copy.deepcopy(schemas[manifest["kind"]]), manifest["apiVersion"])
    jsonschema.validate(manifest, schema)
    wrong = copy.deepcopy(manifest)
    wrong["spec"]["partitionz"] = 24
    with pytest.raises(jsonschema.ValidationError, match="partitionz"):
        jsonschema.validate(wrong, schema)


def test_each_part_belongs_to_the_one_cluster() -> None:
    """Nodes, topics and users have the label by which Strimzi finds their cluster."""
    (cluster,) = of_kind("Kafka")
    for kind in ("KafkaNodePool", "KafkaTopic", "KafkaUser"):
        for manifest in of_kind(kind).values():
            assert {"strimzi.io/cluster": cluster} == manifest["metadata"]["labels"]


@pytest.mark.parametrize("name", TOPICS)
def test_one_node_may_fail(name: str) -> None:
    """Before a producer hears that a record is kept, all nodes but for one have it, at least."""
    (pool,) = of_kind("KafkaNodePool").values()
    topic, nodes = of_kind("KafkaTopic")[name]["spec"], pool["spec"]["replicas"]
    assert {"controller", "broker"} == set(pool["spec"]["roles"])
    assert (nodes, nodes - 1) == (topic["replicas"], topic["config"]["min.insync.replicas"])


def test_the_disks_never_fill_up() -> None:
    """What all partitions may hold, at their limits, is less than a node's disk."""
    (pool,) = of_kind("KafkaNodePool").values()
    (volume,) = pool["spec"]["storage"]["volumes"]
    held = sum(
        topic["spec"]["partitions"] * (topic["spec"]["config"]["retention.bytes"] + SEGMENT_BYTES)
        for topic in of_kind("KafkaTopic").values()
    )
    assert held <= FULL * int(volume["size"].removesuffix("Gi")) * GIB


def test_samples_are_stamped_by_kafka_and_as_large_as_they_come() -> None:
    """The time of a sample's record is Kafka's, and what the broker takes fits into one."""
    config = of_kind("KafkaTopic")["har.samples"]["spec"]["config"]
    assert "LogAppendTime" == config["message.timestamp.type"]
    assert MAX_PACKET_BYTES <= config["max.message.bytes"]


def test_nobody_speaks_to_it_without_a_certificate() -> None:
    """Its only listener is for clients within, by TLS, who are known and have rights."""
    kafka = of_kind("Kafka")["har"]["spec"]["kafka"]
    (listener,) = kafka["listeners"]
    assert ("internal", True, {"type": "tls"}) == (
        listener["type"],
        listener["tls"],
        listener["authentication"],
    )
    assert {"type": "simple"} == kafka["authorization"]
    assert kafka["config"]["auto.create.topics.enable"] is False


def test_nobody_has_more_rights_than_he_needs() -> None:
    """har-bridge writes samples and reads results, har-spark the reverse; nobody may all."""
    rights = {
        user: {
            acl["resource"]["name"]: set(acl["operations"])
            for acl in manifest["spec"]["authorization"]["acls"]
        }
        for user, manifest in of_kind("KafkaUser").items()
    }
    for user, writes, reads in (
        ("har-bridge", "har.samples", "har.results"),
        ("har-spark", "har.results", "har.samples"),
    ):
        assert "Write" in rights[user][writes]
        assert "Read" not in rights[user][writes]
        assert "Read" in rights[user][reads]
        assert "Write" not in rights[user][reads]
    every = set().union(*(operations for right in rights.values() for operations in right.values()))
    assert {"Describe", "DescribeConfigs", "Read", "Write"} == every


@pytest.mark.parametrize(
    ("part", "containers"),
    [
        ("kafka", ["kafkaContainer"]),
        ("entityOperator", ["topicOperatorContainer", "userOperatorContainer"]),
    ],
)
def test_its_pods_are_let_in_by_the_namespace(part: str, containers: list[str]) -> None:
    """They keep the rules of Kubernetes' strictest standard."""
    template: dict[str, Any] = of_kind("Kafka")["har"]["spec"][part]["template"]
    assert {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}} == template["pod"][
        "securityContext"
    ]
    for container in containers:
        context = template[container]["securityContext"]
        assert (False, {"drop": ["ALL"]}) == (
            context["allowPrivilegeEscalation"],
            context["capabilities"],
        )


def test_the_version_is_one_that_the_operator_knows() -> None:
    """The manifests are for one version of Strimzi, which the guide installs."""
    assert "1.2.0" == VERSION
    assert "4.3.1" == of_kind("Kafka")["har"]["spec"]["kafka"]["version"]
