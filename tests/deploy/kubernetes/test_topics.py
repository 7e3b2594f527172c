"""The names by which manifests, har-bridge and har-spark mean the same."""

from typing import Any

from pipeline.commands.bridge.settings import BridgeSettings
from pipeline.commands.bridge.topics import OF_SAMPLES
from pipeline.commands.spark.settings import SparkSettings
from pipeline.settings import CommandSettings
from tests.deploy.kubernetes.manifests import controlled, of_kind


def default(kind: type[CommandSettings], name: str) -> Any:  # noqa: ANN401  # of any setting
    """Return the default of a setting."""
    return kind.model_fields[name].default


def test_the_topics_are_those_of_the_settings() -> None:
    """Nobody has to be told the topics: they are the defaults of both commands."""
    for kind in (BridgeSettings, SparkSettings):
        names = {default(kind, name) for name in ("samples_topic", "results_topic")}
        assert names == set(of_kind("KafkaTopic"))


def test_a_topic_is_as_har_bridge_would_make_it() -> None:
    """It has as many partitions, and the properties that its records need."""
    partitions = {topic["spec"]["partitions"] for topic in of_kind("KafkaTopic").values()}
    assert {default(BridgeSettings, "partitions")} == partitions
    config = of_kind("KafkaTopic")[default(BridgeSettings, "samples_topic")]["spec"]["config"]
    for name, needed in OF_SAMPLES.items():
        if needed.isdecimal():
            assert int(needed) <= config[name]
        else:
            assert needed == config[name]


def test_the_group_is_that_of_the_settings() -> None:
    """har-bridge may read in the group that it names, and in no other."""
    acls = of_kind("KafkaUser")["har-bridge"]["spec"]["authorization"]["acls"]
    groups = [acl["resource"] for acl in acls if acl["resource"]["type"] == "group"]
    group = default(BridgeSettings, "group")
    assert [{"type": "group", "name": group, "patternType": "literal"}] == groups


def test_its_login_is_its_client_id() -> None:
    """The broker knows har-bridge by its login, as Kafka does by its client id."""
    login = controlled()["har-bridge"].environment["HAR_USERNAME"]
    assert default(BridgeSettings, "client_id") == login
