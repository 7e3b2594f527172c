from pathlib import Path

import pytest

pytest.importorskip("confluent_kafka", reason="needs the extra kafka: make test-scale")

from tests.scale.kafka import Kafka
from tests.scale.topics import Outgoing, read, write

pytestmark = pytest.mark.scale


def test_records_outlive_a_kill(tmp_path: Path) -> None:
    """What was written is there, with key, headers and time, after Kafka was killed."""
    kafka = Kafka(tmp_path)
    try:
        kafka.start()
        kafka.create_topic("samples", partitions=3)
        records = [
            Outgoing(f"phone-{n}".encode(), b"%d" % n, {"topic": b"a/b"}, 1_700_000_000.0 + n)
            for n in range(100)
        ]
        write(kafka.address, "samples", records)
        kafka.kill()
        kafka.start()
        found = read(kafka.address, "samples")
        assert sorted(records) == sorted(
            Outgoing(entry.key or b"", entry.value, entry.headers, entry.time_s) for entry in found
        )
        assert {0, 1, 2} == {entry.partition for entry in found}
        assert kafka.cpu_s > 0
    finally:
        kafka.stop()
