"""What goes wrong with the machine that har-stream runs on, by the front door."""

import json
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.vocabulary import CHANNELS
from tests.client import MqttClient, results_of
from tests.processes import ROOT

if TYPE_CHECKING:
    from tests.brokers import Broker, Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]

pytestmark = pytest.mark.broker


class Listener(MqttClient):
    """A client that keeps all that har-stream publishes, and sends samples."""

    def __init__(self, broker: "Broker") -> None:
        """Connect and subscribe."""
        super().__init__(broker, *results_of(), "har/status", "har/load")

    def send_noise(
        self, device: str, start: float, n_messages: int, *, first: int = 0, raw: bool = False
    ) -> None:
        """Send so many messages of noise, prepared or raw, of 25 rows each."""
        for number in range(first, first + n_messages):
            noise = np.random.default_rng(number).normal(size=(25, 9)).round(3) * 0.3
            content: dict[str, Any] = {"start": start + number / 2, "rate": 50}
            if raw:
                content |= {"acc": (noise[:, :3] + [9, 3, 1]).tolist(), "acc_unit": "m/s2"}
                content |= {"gyro": noise[:, 3:6].tolist(), "gyro_unit": "rad/s"}
            else:
                content |= {"samples": noise.tolist(), "channels": CHANNELS}
            self.publish(f"har/{device}/samples", json.dumps(content))

    def starts(self, device: str) -> set[float]:
        """Return when the windows began that were predicted so far."""
        return {prediction["start"] for prediction in self.predictions(device)}

    def predictions(self, device: str) -> list[dict[str, Any]]:
        """Return the predictions of a phone so far."""
        topic = f"har/{device}/prediction"
        return [json.loads(one.payload) for one in self.received if one.topic == topic]

    def mentions(self, topic: str, words: str) -> bool:
        """Return whether something with these words has been published on a topic."""
        return any(one.topic == topic and words in one.payload.decode() for one in self.received)

    def status(self) -> bytes:
        """Return what har-stream last said that it is."""
        return [one.payload for one in self.received if one.topic == "har/status"][-1]


@pytest.fixture
def listener(lasting_mosquitto: "Mosquitto") -> Iterator[Listener]:
    """A client of a broker that keeps what waits."""
    lasting_mosquitto.start()
    with Listener(lasting_mosquitto) as listener:
        yield listener


def test_a_full_disk(
    lasting_mosquitto: "Mosquitto", start_command: "Start", listener: Listener, tmp_path: Path
) -> None:
    """While the state cannot be saved that is said, no phone is called offline, nothing is lost."""
    running = start_command(
        "har-stream",
        *lasting_mosquitto.flags,
        *("--state", str(tmp_path / "state"), "--checkpoint", "0.1", "--max-waiting", "30"),
        *("--offline-after", "1"),
    )
    lasting_mosquitto.await_har_stream()
    start = time.time() - 50
    listener.send_noise("phone", start, 10)
    listener.await_that(lambda: len(listener.starts("phone")) == 2)
    pid = running.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (6_000, resource.RLIM_INFINITY))
    listener.send_noise("phone", start, 60, first=10)

    listener.await_that(lambda: listener.mentions("har/status", "degraded"))
    listener.await_that(lambda: listener.mentions("har/load", "the state cannot be saved"))
    n_held = len(listener.starts("phone"))
    assert 2 < n_held < 26
    time.sleep(2.5)  # longer than a phone may be silent
    assert not listener.mentions("har/phone/availability", "offline")

    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    listener.await_that(lambda: len(listener.starts("phone")) == (70 * 25 - 128) // 64 + 1)
    listener.await_that(lambda: listener.status() == b"online")
    assert 0 == running.end()


def test_a_clock_that_went_back(
    lasting_mosquitto: "Mosquitto", start_command: "Start", listener: Listener, tmp_path: Path
) -> None:
    """With the clock two days behind after a restart, nothing that waits is lost; it is said."""
    flags = (*lasting_mosquitto.flags, "--state", str(tmp_path / "state"))
    start = time.time() - 30
    first = start_command("har-stream", *flags)
    lasting_mosquitto.await_har_stream()
    listener.send_noise("phone", start, 20)
    listener.await_that(lambda: len(listener.starts("phone")) == 6)
    assert 0 == first.end()
    listener.send_noise("phone", start, 40, first=20)

    (tmp_path / "sitecustomize.py").write_text(
        "import time\n_now = time.time\ntime.time = lambda: _now() - 2 * 86_400\n"
    )
    second = start_command("har-stream", *flags, PYTHONPATH=f"{tmp_path}:{ROOT}")

    listener.await_that(lambda: len(listener.starts("phone")) == (60 * 25 - 128) // 64 + 1)
    second.await_log("this machine's clock is wrong")
    listener.await_that(lambda: listener.mentions("har/status", "degraded"))
    assert "rejected a message" not in second.log


@pytest.mark.parametrize("how", ["set while it runs", "set between"])
def test_a_clock_that_stood_still(
    lasting_mosquitto: "Mosquitto",
    start_command: "Start",
    listener: Listener,
    tmp_path: Path,
    how: str,
) -> None:
    """A clock that goes on where it was switched off may be right: what is refused is kept.

    It is told and logged as refused; once the clock is set, or a start finds it set, it is used.
    """
    offset = tmp_path / "offset"
    offset.write_text(f"{-2 * 86_400}")
    (tmp_path / "sitecustomize.py").write_text(
        "import pathlib, time\nimport pipeline.commands.stream.machine_clock\n_now = time.time\n"
        f"time.time = lambda: _now() + float(pathlib.Path({str(offset)!r}).read_text() or 0)\n"
        f"pipeline.commands.stream.machine_clock.BUILT = {time.time() - 30 * 86_400}\n"
    )
    flags = (*lasting_mosquitto.flags, "--state", str(tmp_path / "state"), "--checkpoint", "0.1")
    patched = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "HAR_MAX_BEHIND": "60"}
    running = start_command("har-stream", *flags, **patched)
    lasting_mosquitto.await_har_stream()
    start = time.time() - 30
    listener.send_noise("phone", start, 60)
    listener.await_that(
        lambda: listener.mentions("har/phone/info", "ahead of this machine's clock")
    )
    running.await_log("ahead of this machine's clock")
    assert set() == listener.starts("phone")
    offset.write_text("0")
    if how == "set between":
        assert 0 == running.end()
        start_command("har-stream", *flags, **patched)
    listener.send_noise("phone", start, 10, first=60)

    listener.await_that(lambda: len(listener.starts("phone")) == (70 * 25 - 128) // 64 + 1)


def test_samples_ahead_of_a_clock_that_is_right(
    lasting_mosquitto: "Mosquitto", start_command: "Start", listener: Listener, tmp_path: Path
) -> None:
    """Once another phone agrees with the clock, or too much is kept, what is ahead is given up."""
    flags = (*lasting_mosquitto.flags, "--state", str(tmp_path / "state"), "--checkpoint", "0.1")
    start_command("har-stream", *flags, "--max-waiting", "40", HAR_MAX_BEHIND="60")
    lasting_mosquitto.await_har_stream()
    listener.send_noise("ahead", time.time() + 200_000, 100)  # more than may wait
    start = time.time() - 30
    listener.send_noise("good", start, 60)
    listener.await_that(lambda: len(listener.starts("good")) == (60 * 25 - 128) // 64 + 1)
    assert set() == listener.starts("ahead")


@pytest.mark.parametrize("where", ["formats.native.decode", "resampling.Resampler.push"])
def test_a_mistake_of_ours(
    lasting_mosquitto: "Mosquitto",
    start_command: "Start",
    listener: Listener,
    tmp_path: Path,
    where: str,
) -> None:
    """Whatever one phone's message raises: others go on, it is told, and it is not met again."""
    (tmp_path / "sitecustomize.py").write_text(MISTAKES[where])
    flags = (*lasting_mosquitto.flags, "--state", str(tmp_path / "state"), "--checkpoint", "0.1")
    patched = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    first = start_command("har-stream", *flags, **patched)
    lasting_mosquitto.await_har_stream()
    start = time.time() - 30
    for number in range(20):
        listener.send_noise("good", start, 1, first=number)
        listener.send_noise("bad", start, 1, first=number)

    listener.await_that(lambda: len(listener.starts("good")) == 6)
    listener.await_that(lambda: listener.mentions("har/bad/info", "fault"))
    assert 1 == first.log.count("Traceback")
    assert 1 == first.log.count("ZeroDivisionError: a mistake")
    first.process.kill()
    first.process.wait()
    second = start_command("har-stream", *flags, **patched)
    listener.send_noise("good", start, 20, first=20)
    listener.await_that(lambda: len(listener.starts("good")) == (40 * 25 - 128) // 64 + 1)
    assert 0 == second.end()


def test_a_calibration_in_a_backlog(
    lasting_mosquitto: "Mosquitto", start_command: "Start", listener: Listener, tmp_path: Path
) -> None:
    """A calibration between samples is for those behind it, also when all come at once."""
    flags = (*lasting_mosquitto.flags, "--state", str(tmp_path / "state"), "--tick", "0.2")
    start = round(time.time()) - 50.0
    matrix = {"v": 1, "rotation": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]}

    def send(device: str, pause: Callable[[int], None]) -> None:
        listener.send_noise(device, start, 30, raw=True)
        pause(1)
        listener.publish(f"har/{device}/calibration", json.dumps(matrix))
        pause(2)
        listener.send_noise(device, start, 30, first=30, raw=True)

    running = start_command("har-stream", *flags)
    lasting_mosquitto.await_har_stream()
    windows = (30 * 25 - 128) // 64 + 1
    send("paced", lambda _: listener.await_that(lambda: len(listener.starts("paced")) >= windows))
    listener.await_that(lambda: len(listener.starts("paced")) == 2 * windows)
    assert 0 == running.end()
    send("backlog", lambda _: None)
    running = start_command("har-stream", *flags)
    listener.await_that(lambda: len(listener.starts("backlog")) == 2 * windows)
    assert 0 == running.end()

    for key in ("start", "probabilities"):
        paced, backlog = (
            [prediction[key] for prediction in listener.predictions(device)]
            for device in ("paced", "backlog")
        )
        assert paced == backlog


MISTAKES = {
    "formats.native.decode": """
from pipeline.formats import FORMATS, native
decode = native.decode
def broken(payload, device):
    if device == "bad" and b'"start": 0' not in payload and BAD.pop() % 7 == 3:
        raise ZeroDivisionError("a mistake")
    return decode(payload, device)
BAD = list(range(1000))
object.__setattr__(FORMATS["native"], "decode", broken)
""",
    "resampling.Resampler.push": """
from pipeline.recognition.preparation.resampler import Resampler
push = Resampler.push
def broken(self, slot, readings):
    if readings[0].device == "bad":
        raise ZeroDivisionError("a mistake")
    return push(self, slot, readings)
Resampler.push = broken
""",
}
