"""The job's very arguments, in its image, at a Kafka that demands certificates."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.brokers import HOST
from tests.deploy.image import Builder, Container
from tests.deploy.kubernetes.manifests import generated, of_kind, of_spark
from tests.deploy.kubernetes.secure_kafka import SecureKafka
from tests.deploy.secure_broker import DEPLOY

TIMEOUT_S: Final = 180.0
STOP_TIMEOUT_S: Final = 30.0
N_MESSAGES: Final = 16

pytestmark = pytest.mark.operation


class Job:
    """A driver, which is its own executor here."""

    def __init__(self, builder: Builder, folder: Path, secrets: Path, address: str) -> None:
        """Start it as its pod would be, with Kafka at another address."""
        spec = of_kind("SparkApplication")["har-spark"]["spec"]
        driver = of_spark()["har-spark-driver"]
        files = {}
        for place, (kind, name, key) in driver.files.items():
            of_strimzi = secrets / Path(place).name
            files[place] = folder / Path(place).name
            shutil.copy(
                DEPLOY / generated(kind)[name][key] if kind == "ConfigMap" else of_strimzi,
                files[place],
            )
            files[place].chmod(0o644)
        files["/etc/hosts"] = folder / "hosts"
        files["/etc/hosts"].write_text(f"{HOST} localhost {Path('/etc/hostname').read_text()}")
        volumes = {
            mount["mountPath"]: folder / mount["name"]
            for mount in driver.container["volumeMounts"]
            if not mount.get("readOnly") and mount["mountPath"] != "/tmp"
        }
        for volume in volumes.values():
            volume.mkdir()
        image = builder.image("spark")
        environment = {"SPARK_DRIVER_BIND_ADDRESS": HOST, "SPARK_LOCAL_IP": HOST}
        container = Container(
            image,
            environment=environment | {"SPARK_LOCAL_DIRS": "/var/spark"},
            files=files,
            volumes=volumes,
        )
        program = spec["mainApplicationFile"].removeprefix("local://")
        arguments = [argument for argument in spec["arguments"] if "--kafka=" not in argument]
        command = [*image.entrypoint, "driver", "--master", "local[2]", program, *arguments]
        self._log = folder / "log"
        self.process: subprocess.Popen[bytes] = container.start(
            [*command, f"--kafka={address}"], self._log
        )

    @property
    def log(self) -> str:
        """The end of what it has written."""
        return self._log.read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        """Stop it as Kubernetes does."""
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def job(
    builder: Builder, tmp_path: Path, secrets: Path, secure_kafka: SecureKafka
) -> Iterator[Job]:
    """The job, which runs."""
    job = Job(builder, tmp_path, secrets, secure_kafka.secure_address)
    yield job
    job.stop()


def message(number: int, begin_s: float) -> bytes:
    """Return a message of 32 samples at rest."""
    fields: dict[str, Any] = {
        "start": begin_s + 0.64 * number, "rate": 50.0, "acc_unit": "m/s2", "gyro_unit": "rad/s",
        "acc": [[9.8, 0.1, 0.2]] * 32, "gyro": [[0.01, 0.0, 0.0]] * 32,
    }  # fmt: skip
    return json.dumps(fields).encode()


def test_samples_become_predictions(job: Job, secure_kafka: SecureKafka) -> None:
    """A phone's samples get in and its predictions out, over TLS and from a read-only tree."""
    from confluent_kafka import Consumer

    begin_s = time.time() - 0.64 * N_MESSAGES
    for number in range(N_MESSAGES):
        body = message(number, begin_s)
        secure_kafka.produce("har.samples", "phone-1", body, topic="har/phone-1/samples")
    consumer = Consumer(
        {"bootstrap.servers": secure_kafka.address, "group.id": "test", "log_level": 0}
        | {"auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["har.results"])
    deadline = time.monotonic() + TIMEOUT_S
    topics: set[str] = set()
    while "har/phone-1/prediction" not in topics:
        assert job.process.poll() is None, job.log
        assert time.monotonic() < deadline, job.log
        record = consumer.poll(0.5)
        if record is not None and record.error() is None:
            assert b"phone-1" == record.key()
            topics.add(dict(record.headers())["topic"].decode())
    consumer.close()
