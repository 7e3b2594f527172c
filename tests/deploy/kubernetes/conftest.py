from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.kubernetes.secure_kafka import SecureKafka, certificates_of_strimzi


@pytest.fixture(scope="session")
def secrets(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificates and keys that Strimzi makes for a user, and those of Kafka itself."""
    folder = tmp_path_factory.mktemp("secrets")
    certificates_of_strimzi(folder, certificates)
    return folder


@pytest.fixture(scope="session")
def secure_kafka(secrets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """Kafka with the topics of the manifests."""
    node = SecureKafka(tmp_path_factory.mktemp("kafka"), secrets)
    try:
        node.start()
        node.create_topics()
        yield node
    finally:
        node.stop()
