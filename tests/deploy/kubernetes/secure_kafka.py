"""A real Kafka with the topics of the manifests, which lets in who has a certificate alone."""

import shutil
import subprocess
from pathlib import Path

from tests.brokers import HOST, find_free_port
from tests.deploy.kubernetes.manifests import of_kind
from tests.scale.kafka import START_TIMEOUT_S, Kafka
from tests.scale.part import await_answer


def certificates_of_strimzi(folder: Path, certificates: Path) -> None:
    """Put certificates into a folder, by the names and in the form that Strimzi has: PKCS #8."""
    for made, name in (("server", "server"), ("client", "user")):
        key = ["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", certificates / f"{made}.key"]
        subprocess.run([*key, "-out", folder / f"{name}.key"], check=True)
        shutil.copy(certificates / f"{made}.crt", folder / f"{name}.crt")
    shutil.copy(certificates / "ca.crt", folder / "kafka-ca.crt")


class SecureKafka(Kafka):
    """A node that has, besides, a listener for clients with a certificate alone."""

    def __init__(self, folder: Path, secrets: Path) -> None:
        """Make it speak TLS with the certificate of the secrets."""
        super().__init__(folder)
        self.secure_address = f"{HOST}:{find_free_port()}"
        store = folder / "server.pem"
        store.write_text(
            (secrets / "server.key").read_text() + (secrets / "server.crt").read_text()
        )
        file = folder / "server.properties"
        settings = dict(line.split("=", 1) for line in file.read_text().splitlines())
        for listeners in ("listeners", "advertised.listeners"):
            settings[listeners] += f",SSL://{self.secure_address}"
        settings["listener.security.protocol.map"] += ",SSL:SSL"
        settings |= {
            "ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(secrets / "kafka-ca.crt"),
        }
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def create_topics(self) -> None:
        """Create the topics of the manifests, with their properties, and return once all see them.

        Until then a client may be told that there are none.
        """
        from confluent_kafka.admin import AdminClient

        for name, topic in of_kind("KafkaTopic").items():
            properties = topic["spec"]["config"] | {"min.insync.replicas": 1}  # here is one node
            config = {key.replace(".", "_"): str(value) for key, value in properties.items()}
            self.create_topic(name, partitions=topic["spec"]["partitions"], **config)
        client = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        for _ in await_answer(self, START_TIMEOUT_S):
            if set(of_kind("KafkaTopic")) <= set(client.list_topics(timeout=5).topics):
                return

    def produce(self, topic: str, key: str, value: bytes, /, **headers: str) -> None:
        """Add a record to a topic, and return once it is there."""
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": self.address, "log_level": 0})
        producer.produce(topic, value, key=key.encode(), headers=list(headers.items()))
        assert 0 == producer.flush(20)
