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


@pytest.fixture
def start(lasting_mosquitto: "Mosquitto", start_command: "Start", tmp_path: Path) -> "Start":
    """A function that starts a har-stream with its state in a folder."""

    def start(*flags: str, **environment: str) -> "Running":
        state = ("--state", str(tmp_path / "state"))
        return start_command("har-stream", *lasting_mosquitto.flags, *state, *flags, **environment)

    return start


def test_a_full_disk(lasting_mosquitto: "Mosquitto", start: "Start", listener: Listener) -> None:
    """While the state cannot be saved that is said, no phone is called offline, nothing is lost."""
    running = start("--checkpoint", "0.1", "--max-waiting", "30", "--offline-after", "1")
    lasting_mosquitto.await_har_stream()
    begin = time.time() - 50
    listener.send_noise("phone", begin, 10)
    listener.await_that(lambda: len(listener.starts("phone")) == 2)
    pid = running.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (6_000, resource.RLIM_INFINITY))
    listener.send_noise("phone", begin, 60, first=10)

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
    lasting_mosquitto: "Mosquitto", start: "Start", listener: Listener, tmp_path: Path
) -> None:
    """With the clock two days behind after a restart, nothing that waits is lost; it is said."""
    begin = time.time() - 30
    first = start()
    lasting_mosquitto.await_har_stream()
    listener.send_noise("phone", begin, 20)
    listener.await_that(lambda: len(listener.starts("phone")) == 6)
    assert 0 == first.end()
    listener.send_noise("phone", begin, 40, first=20)

    (tmp_path / "sitecustomize.py").write_text(
        "import time\n_now = time.time\ntime.time = lambda: _now() - 2 * 86_400\n"
    )
    second = start(PYTHONPATH=f"{tmp_path}:{ROOT}")

    listener.await_that(lambda: len(listener.starts("phone")) == (60 * 25 - 128) // 64 + 1)
    second.await_log("this machine's clock is wrong")
    listener.await_that(lambda: listener.mentions("har/status", "degraded"))
    assert "rejected a message" not in second.log


@pytest.mark.parametrize("how", ["set while it runs", "set between"])
def test_a_clock_that_stood_still(
    lasting_mosquitto: "Mosquitto",
    start: "Start",
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
    patched = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "HAR_MAX_BEHIND": "60"}
    running = start("--checkpoint", "0.1", **patched)
    lasting_mosquitto.await_har_stream()
    begin = time.time() - 30
    listener.send_noise("phone", begin, 60)
    listener.await_that(
        lambda: listener.mentions("har/phone/info", "ahead of this machine's clock")
    )
    running.await_log("ahead of this machine's clock")
    assert set() == listener.starts("phone")
    offset.write_text("0")
    if how == "set between":
        assert 0 == running.end()
        start("--checkpoint", "0.1", **patched)
    listener.send_noise("phone", begin, 10, first=60)

    listener.await_that(lambda: len(listener.starts("phone")) == (70 * 25 - 128) // 64 + 1)


def test_samples_ahead_of_a_clock_that_is_right(
    lasting_mosquitto: "Mosquitto", start: "Start", listener: Listener
) -> None:
    """Once another phone agrees with the clock, or too much is kept, what is ahead is given up."""
    start("--checkpoint", "0.1", "--max-waiting", "40", HAR_MAX_BEHIND="60")
    lasting_mosquitto.await_har_stream()
    listener.send_noise("ahead", time.time() + 200_000, 100)  # more than may wait
    begin = time.time() - 30
    listener.send_noise("good", begin, 60)
    listener.await_that(lambda: len(listener.starts("good")) == (60 * 25 - 128) // 64 + 1)
    assert set() == listener.starts("ahead")


@pytest.mark.parametrize("where", ["formats.native.decode", "resampling.Resampler.push"])
def test_a_mistake_of_ours(
    lasting_mosquitto: "Mosquitto",
    start: "Start",
    listener: Listener,
    tmp_path: Path,
    where: str,
) -> None:
    """Whatever one phone's message raises: others go on, it is told, and it is not met again."""
    (tmp_path / "sitecustomize.py").write_text(MISTAKES[where])
    patched = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    first = start("--checkpoint", "0.1", **patched)
    lasting_mosquitto.await_har_stream()
    begin = time.time() - 30
    for number in range(20):
        listener.send_noise("good", begin, 1, first=number)
        listener.send_noise("bad", begin, 1, first=number)

    listener.await_that(lambda: len(listener.starts("good")) == 6)
    listener.await_that(lambda: listener.mentions("har/bad/info", "fault"))
    assert 1 == first.log.count("Traceback")
    assert 1 == first.log.count("ZeroDivisionError: a mistake")
    first.process.kill()
    first.process.wait()
    second = start("--checkpoint", "0.1", **patched)
    listener.send_noise("good", begin, 20, first=20)
    listener.await_that(lambda: len(listener.starts("good")) == (40 * 25 - 128) // 64 + 1)
    assert 0 == second.end()


def test_a_calibration_in_a_backlog(
    lasting_mosquitto: "Mosquitto", start: "Start", listener: Listener
) -> None:
    """A calibration between samples is for those behind it, also when all come at once."""
    begin = round(time.time()) - 50.0
    matrix = {"v": 1, "rotation": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]}

    def send(device: str, pause: Callable[[int], None]) -> None:
        listener.send_noise(device, begin, 30, raw=True)
        pause(1)
        listener.publish(f"har/{device}/calibration", json.dumps(matrix))
        pause(2)
        listener.send_noise(device, begin, 30, first=30, raw=True)

    running = start("--tick", "0.2")
    lasting_mosquitto.await_har_stream()
    windows = (30 * 25 - 128) // 64 + 1
    send("paced", lambda _: listener.await_that(lambda: len(listener.starts("paced")) >= windows))
    listener.await_that(lambda: len(listener.starts("paced")) == 2 * windows)
    assert 0 == running.end()
    send("backlog", lambda _: None)
    running = start("--tick", "0.2")
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
