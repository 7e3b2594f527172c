"""The commands at a broker with the files of deploy/."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.recognition.placement.frames import FRAMES
from pipeline.recordings import simulated
from tests.brokers import HOST
from tests.client import TIMEOUT_S
from tests.commands.replay.file_recordings import write_calibrated
from tests.deploy.secure_broker import Guest, SecureBroker, password_of

if TYPE_CHECKING:
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., subprocess.CompletedProcess[str]]

EPOCH: Final = 1698501144.4

pytestmark = pytest.mark.broker


def samples(first: int = 0, **changes: object) -> str:
    """Return a message of 32 samples at rest, of which the first is the ``first``."""
    message = {
        "start": EPOCH + first / 50, "rate": 50.0, "acc_unit": "m/s2", "gyro_unit": "rad/s",
        "acc": [[9.8, 0.1, 0.2]] * 32, "gyro": [[0.01, 0.0, 0.0]] * 32,
    }  # fmt: skip
    return json.dumps(message | changes)


def stand_and_walk() -> NDArray[np.float64]:
    """Return samples of somebody who stands and then walks, ``(600, 6)``."""
    kinds = {"STANDING": 4.0, "WALKING": 8.0}
    return np.vstack(
        [
            simulated.recordings(1, seconds=seconds, activity=activity)[0].stretches[0].samples
            for activity, seconds in kinds.items()
        ]
    ).astype(np.float64)


@pytest.fixture
def stream(
    broker: SecureBroker, start_command: "Start", tiny_model: Path, tmp_path: Path
) -> "Iterator[Running]":
    """A har-stream that is connected; its password comes from a file, and is never logged."""
    secret = tmp_path / "secret"
    secret.write_text(password_of("har-stream") + "\n")
    running = start_command(
        "har-stream", *broker.flags_of("har-stream"), "--model", str(tiny_model),
        "--password-file", str(secret), "--log-level", "debug",
    )  # fmt: skip
    running.await_log("by TLS")
    yield running
    assert 0 == running.end()
    assert "s3cret" not in running.log


def test_har_stream_over_tls(stream: "Running", visit: Callable[..., Guest]) -> None:
    """Samples of a phone become its predictions over TLS, whoever the phone says it is."""
    reader, phone = visit("reader"), visit("phone-a")
    reader.subscribe("#")
    assert b"online" == reader.heard_until("har/status")[-1][1]
    for first in range(0, 192, 32):
        body = samples(first, device="phone-b", deviceId="phone-b", topic="har/phone-b/samples")
        assert "Success" == phone.answer_to("har/phone-a/samples", body)
    heard = reader.heard_until("har/phone-a/prediction")
    assert "phone-a" == json.loads(heard[-1][1])["device"]
    assert [] == [topic for topic, _ in heard if "phone-b" in topic]


def test_har_calibrate_over_tls(
    broker: SecureBroker,
    stream: "Running",
    visit: Callable[..., Guest],
    start_command: "Start",
    run_command: "Run",
) -> None:
    """har-calibrate is heard, also when it takes the calibration back.

    Its password comes from the environment.
    """
    phone, secret = visit("phone-a"), password_of("har-calibrate")
    assert "Success" == phone.answer_to("har/phone-a/samples", samples())
    flags = (*broker.flags_of("har-calibrate"), "--device", "phone-a")
    calibrate = start_command("har-calibrate", *flags, HAR_PASSWORD=secret)
    calibrate.await_log("Stand still")
    for number, part in enumerate(np.split(stand_and_walk(), 24)):
        body = samples(192 + 25 * number, acc=part[:, :3].tolist(), gyro=part[:, 3:].tolist())
        assert "Success" == phone.answer_to("har/phone-a/samples", body)
    assert 0 == calibrate.process.wait(TIMEOUT_S), calibrate.log
    assert "phone-a is calibrated" in calibrate.log
    stream.await_log("phone-a: calibrated")
    done = run_command("har-calibrate", *flags, "--remove", HAR_PASSWORD=secret)
    assert 0 == done.returncode, done.stderr
    stream.await_log("calibration taken back")


def test_a_password_is_no_argument(stream: "Running") -> None:
    """What stands in a file does not stand in the arguments of the process."""
    arguments = Path(f"/proc/{stream.process.pid}/cmdline")
    if arguments.exists():
        assert b"s3cret" not in arguments.read_bytes()


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize(("user", "may"), [("har-calibrate", True), ("har-record", False)])
def test_whether_a_calibration_came_through(
    broker: SecureBroker, run_command: "Run", protocol: str, user: str, may: bool
) -> None:
    """har-calibrate sees what the broker did, though no har-stream runs; MQTT 3.1.1 hides it."""
    result = run_command(
        "har-calibrate", *broker.flags_of(user), "--protocol", protocol, "--device", "phone-b",
        "--remove", HAR_PASSWORD=password_of(user),
    )  # fmt: skip
    expected = (
        "har-calibrate: the broker did not pass the removal on: may har-record write "
        "har/phone-b/calibration, and read it?"
    )
    assert (result.returncode == 0, expected in result.stderr) == (may, not may)
    assert ("is taken back" in result.stdout) == may


def test_a_calibration_that_may_not_be_published(
    broker: SecureBroker, run_command: "Run", tmp_path: Path
) -> None:
    """har-replay says that the recording of a calibrated phone may be played without it."""
    write_calibrated(tmp_path / "own", "phone-a", FRAMES["portrait"])
    result = run_command(
        "har-replay", *broker.flags_of("har-record"), "--recording", "own", "--speed", "max",
        HAR_PASSWORD=password_of("har-record"),
    )  # fmt: skip
    expected = "may har-record write har/phone-a/calibration, and read it?"
    assert (0, True) == (result.returncode, expected in result.stderr), result.stderr


@pytest.mark.parametrize("command", ["har-stream", "har-replay", "har-record", "har-calibrate"])
def test_commands_that_are_refused(
    broker: SecureBroker, run_command: "Run", tiny_model: Path, command: str
) -> None:
    """With a wrong password each command ends with 1 and one clear line, also if it would retry."""
    own = {
        "har-stream": ["--model", str(tiny_model), "--log-level", "error"],
        "har-replay": ["--recording", "simulated", "--duration", "5"],
        "har-record": ["--device", "phone-a"],
        "har-calibrate": ["--device", "phone-a"],
    }
    result = run_command(
        command, *broker.flags_of("reader"), *own[command], HAR_PASSWORD="a s3cret guess"
    )
    expected = (
        f"{command}: no connection to {HOST}:{broker.port}: the broker refuses the login of reader "
        "(Not authorized): are name and password right?\n"
    )
    assert (expected, 1) == (result.stderr, result.returncode)
    assert "s3cret" not in result.stdout
