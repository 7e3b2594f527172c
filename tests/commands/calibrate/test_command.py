import json
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.calibration_message import decode_calibration
from pipeline.commands.calibrate.command import describe
from pipeline.commands.calibrate.settings import CalibrateSettings
from pipeline.recognition.placement.calibration import Calibration
from pipeline.recognition.placement.frames import FRAMES, UP, angle_deg
from tests.client import TIMEOUT_S
from tests.commands.calibrate.phone import Phone, obey
from tests.commands.calibrate.wearers import ASKEW, stand, stroll

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Run = Callable[..., subprocess.CompletedProcess[str]]


def test_description() -> None:
    """People are told gravity, the steps, and the placement that is nearest."""
    gravity = FRAMES["portrait"].T @ (9.6, 1.7, 0.0)
    calibration = Calibration(FRAMES["portrait"], gravity, np.array([1.0, 0, 0]), 11, 0.8)
    assert (
        "11 steps; gravity in the phone's axes -1.70 9.60 0.00 m/s²\n"
        "nearest placement: portrait, 0 degrees off, leaning by 10"
    ) == describe(calibration)


def test_settings_that_are_refused(refused_settings: Callable[..., str]) -> None:
    """A phone's name and a broker are needed."""
    written = refused_settings(CalibrateSettings, "har-calibrate")
    assert "--broker or HAR_BROKER is needed" in written
    assert "--device or HAR_DEVICE is needed" in written


@pytest.mark.broker
@pytest.mark.parametrize("worn", [FRAMES["portrait"], ASKEW], ids=["portrait", "askew"])
def test_calibrating(
    phone: Phone, calibrate: "Callable[..., Running]", worn: NDArray[np.float64]
) -> None:
    """Whoever does what the command says gets a calibration, retained, that fits the phone."""
    phone.tell()
    running = calibrate()
    obey(phone, running, worn=worn)
    assert 0 == running.process.wait(TIMEOUT_S), running.log

    assert "gravity in the phone's axes" in running.log
    assert f"{phone.device} is calibrated" in running.log
    payload, _ = phone.await_calibrations(1)[0]
    rotation = decode_calibration(payload)
    assert rotation is not None
    for rows in (stand(worn=worn), stroll(worn=worn)):
        assert angle_deg(rotation @ rows[:, :3].mean(axis=0), UP) < 8
    assert np.trace(rotation @ worn.T) > 1 + 2 * np.cos(np.radians(25))
    if worn is not ASKEW:
        assert "nearest placement: portrait" in running.log
    phone.listen_again()
    assert phone.await_calibrations(2)[1] == (payload, True)
    assert {"v", "rotation", "created", "gravity", "forward", "steps"} == set(json.loads(payload))


@pytest.mark.broker
def test_taking_a_calibration_back(phone: Phone, calibrate: "Callable[..., Running]") -> None:
    """--remove empties what the broker retains, whether or not har-stream knows the phone."""
    phone.publish_on("calibration", b"whatever", retain=True)
    assert [(b"whatever", False)] == phone.await_calibrations(1)
    running = calibrate("--remove")
    assert 0 == running.process.wait(TIMEOUT_S), running.log
    assert "taken back" in running.log
    assert (b"", False) == phone.await_calibrations(2)[1]


@pytest.mark.broker
@pytest.mark.parametrize("device", ["[red]:smile:", "..", "телефон %20"])
def test_whatever_the_phone_is_called(run_command: "Run", broker: "Broker", device: str) -> None:
    """A name that looks like markup, an emoji or a path is said as it is."""
    ended = run_command("har-calibrate", *broker.flags, "--device", device, "--remove")
    assert (0, "") == (ended.returncode, ended.stderr)
    assert f"The calibration of {device} is taken back.\n" == ended.stdout


def test_no_broker(run_command: "Run", free_port: int) -> None:
    """Without a broker the command says so in a line."""
    flags = ["--broker", "127.0.0.1", "--port", str(free_port), "--device", "phone-7"]
    ended = run_command("har-calibrate", *flags)
    assert 1 == ended.returncode
    assert "har-calibrate: no connection to 127.0.0.1" in ended.stderr


@pytest.mark.broker
def test_a_name_that_no_phone_can_have(run_command: "Run", broker: "Broker") -> None:
    """A device's name with a topic's characters is refused."""
    ended = run_command("har-calibrate", *broker.flags, "--device", "har/+")
    assert (1, True) == (ended.returncode, "har-calibrate: a device name has" in ended.stderr)
