import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.formats import native
from pipeline.readings import Readings
from tests.benchmarks import load_messages, load_plan
from tests.client import TIMEOUT_S, MqttClient, Received
from tests.processes import ROOT

if TYPE_CHECKING:
    from tests.brokers import Broker


@pytest.fixture
def start_generator(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """A function that starts the generator, whose report is ``sent.npz``."""
    processes = []

    def start(port: int, motion: Path, **flags: float | str) -> subprocess.Popen[bytes]:
        named = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
        arguments = ["--port", str(port), "--motion", str(motion), *named]
        processes.append(
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.benchmarks.load_generator", *arguments),
                    *("--report", str(tmp_path / "sent.npz")),
                ],
                cwd=ROOT,
                stdout=subprocess.PIPE,
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


class Subscriber(MqttClient):
    """A subscriber that keeps the samples of the generator's phones."""

    def __init__(self, broker: "Broker") -> None:
        """Connect and subscribe."""
        self.payloads: defaultdict[str, list[bytes]] = defaultdict(list)
        super().__init__(broker, "har/+/samples")

    def keep(self, message: Received) -> None:
        """Keep a phone's samples."""
        self.payloads[message.topic.split("/")[1]].append(message.payload)

    def await_messages(self, n: int) -> None:
        """Return when so many have come."""
        self.await_that(lambda: sum(map(len, self.payloads.values())) >= n)


@pytest.fixture
def subscriber(broker: "Broker") -> Iterator[Subscriber]:
    """A subscriber at the shared broker."""
    with Subscriber(broker) as subscriber:
        yield subscriber


@pytest.mark.broker
@pytest.mark.parametrize(("qos", "form"), [(0, "json"), (1, "json"), (1, "compact")])
def test_phones_send_the_recordings_as_of_now_without_a_gap(
    broker: "Broker",
    subscriber: Subscriber,
    start_generator: Callable[..., subprocess.Popen[bytes]],
    motion_file: Path,
    tmp_path: Path,
    qos: int,
    form: str,
) -> None:
    """Every message of the load arrives, on one grid a phone, its last sample just measured."""
    load = load_plan.Load(3, qos, 1.0, 0.5)
    process = start_generator(
        broker.port, motion_file, phones=3, qos=qos, form=form, hold=1.0, ramp=0.5
    )
    assert 0 == process.wait(TIMEOUT_S)
    subscriber.await_messages(int(load.n_messages.sum()))

    sent = np.load(tmp_path / "sent.npz")
    recordings = np.load(motion_file)
    acc, gyro = load_messages.ACC_SCALE, load_messages.GYRO_SCALE
    step = np.repeat([acc, gyro] if form == "compact" else [10.0**-load_messages.DECIMALS] * 2, 3)
    assert [load_plan.device(phone) for phone in range(3)] == sorted(subscriber.payloads)
    for phone, (name, payloads) in enumerate(sorted(subscriber.payloads.items())):
        assert len(payloads) == load.n_messages[phone]
        readings = [one for payload in payloads for one in native.decode(payload, name)]
        assert all(isinstance(one, Readings) and len(one.times) == 25 for one in readings)
        times = np.concatenate([one.times for one in readings])
        values = np.concatenate([one.values for one in readings])
        grid = sent["first_samples_ms"][phone] / 1000 + np.arange(len(times)) / 50
        assert pytest.approx(grid, abs=1e-6) == times
        first = phone // 2 * load_messages.OFFSET * 25 % 750
        expected = recordings[phone % 2, first : first + len(times)]
        assert (abs(values - expected) <= step * 0.501).all()
        last_of_first = sent["due"][sent["phone"] == phone][0] + time.time() - time.monotonic()
        assert pytest.approx(last_of_first, abs=0.05) == times[24]
    assert (sent["sent"] >= sent["due"]).all()
    assert sent["acknowledged"] == (load.n_messages.sum() if qos else 0)
    n_payload_bytes = sum(len(one) for many in subscriber.payloads.values() for one in many)
    assert 0 < sent["bytes"] - n_payload_bytes < 40 * load.n_messages.sum()


@pytest.mark.broker
def test_generator_ends_at_once_on_sigterm(
    broker: "Broker",
    subscriber: Subscriber,
    start_generator: Callable[..., subprocess.Popen[bytes]],
    motion_file: Path,
) -> None:
    """A load of a minute that is under way stops when it is told to."""
    process = start_generator(broker.port, motion_file, phones=20, qos=1, hold=60.0)
    subscriber.await_messages(10)
    process.terminate()
    assert process.wait(5.0) == 128 + signal.SIGTERM
