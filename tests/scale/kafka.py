"""A Kafka node of one machine (KRaft), that tests can kill and start again on the same data."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.brokers import HOST, find_free_port
from tests.scale.jars import jars, java
from tests.scale.part import Part, await_answer

START_TIMEOUT_S: Final = 60.0
REQUEST_TIMEOUT_S: Final = 20.0
HEAP: Final = "-Xmx512m"


class Kafka(Part):
    """A node on free ports that is broker and controller, and creates no topic by itself."""

    def __init__(self, folder: Path) -> None:
        """Format an empty ``folder`` for its data; skip the test where Kafka cannot run."""
        super().__init__("Kafka", folder / "kafka.log")
        self._java = [java(), "-cp", f"{jars('kafka')}/*"]
        self._java += [f"-Dorg.slf4j.simpleLogger.logFile={folder / 'kafka.log'}"]
        self._java += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        self._config = folder / "server.properties"
        self._data = folder / "data"
        port, controller = find_free_port(), find_free_port()
        self.address = f"{HOST}:{port}"
        """What clients call bootstrap.servers"""
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": f"{HOST}:{controller}",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self._data),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "auto.create.topics.enable": "false",
            "log.retention.ms": "-1",  # records may have times of long ago
            # After a kill the node is let in again when its session before is over: 9 s by default.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
        }
        self._config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        storage = [*self._java, "kafka.tools.StorageTool"]
        cluster = _output_of([*storage, "random-uuid"]).split()[-1]
        _output_of([*storage, "format", "--standalone", "-t", cluster, "-c", str(self._config)])

    def start(self) -> None:
        """Start it, on the data that are there, and return when it serves."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        self.launch([*self._java, HEAP, "kafka.Kafka", str(self._config)])
        client = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        for _ in await_answer(self, START_TIMEOUT_S):
            try:
                # Its port opens before it serves; it is listed once it is let into the cluster.
                if client.list_topics(timeout=1.0).brokers:
                    return
            except KafkaException:
                continue

    def kept_bytes(self, topic: str) -> int:
        """Return how many bytes a topic's records take on the disk."""
        logs = self._data.glob(f"{topic}-[0-9]*/*.log")
        return sum(log.stat().st_size for log in logs)

    def create_topic(self, name: str, *, partitions: int, **config: str) -> None:
        """Create a topic; ``_`` in the names of its settings stands for a dot."""
        from confluent_kafka.admin import AdminClient
        from confluent_kafka.cimpl import NewTopic

        settings: Mapping[str, str] = {key.replace("_", "."): config[key] for key in config}
        client = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        topic = NewTopic(name, partitions, replication_factor=1, config=dict(settings))
        (created,) = client.create_topics([topic], operation_timeout=REQUEST_TIMEOUT_S).values()
        created.result(REQUEST_TIMEOUT_S)


def _output_of(command: list[str]) -> str:
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=START_TIMEOUT_S
    ).stdout
