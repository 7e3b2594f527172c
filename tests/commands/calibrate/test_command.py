import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.calibration_message import decode_calibration
from pipeline.commands.calibrate.command import describe
from pipeline.commands.calibrate.settings import CalibrateSettings
from pipeline.readings import MAX_PAYLOAD_BYTES
from pipeline.recognition.placement.calibration import Calibration
from pipeline.recognition.placement.frames import FRAMES, UP, angle_deg
from pipeline.vocabulary import SAMPLING_RATE_HZ
from tests.client import TIMEOUT_S, MqttClient
from tests.commands.calibrate.wearers import ASKEW, EPOCH, Rows, stand, stroll

if TYPE_CHECKING:
    from tests.brokers import Broker, Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., subprocess.CompletedProcess[str]]


def test_description() -> None:
    """People are told gravity, the steps, and the placement that is nearest."""
    gravity = FRAMES["portrait"].T @ (9.6, 1.7, 0.0)
    calibration = Calibration(FRAMES["portrait"], gravity, np.array([1.0, 0, 0]), 11)
    assert describe(calibration) == (
        "11 steps; gravity in the phone's axes -1.70 9.60 0.00 m/s²\n"
        "nearest placement: portrait, 0 degrees off, leaning by 10"
    )


# The command


def test_settings_that_are_refused(refused_settings: Callable[..., str]) -> None:
    """A phone's name and a broker are needed."""
    written = refused_settings(CalibrateSettings, "har-calibrate")
    assert "--broker or HAR_BROKER is needed" in written
    assert "--device or HAR_DEVICE is needed" in written


class Phone(MqttClient):
    """A client of the broker that plays a phone, and har-stream as far as that is needed."""

    def __init__(self, broker: "Broker") -> None:
        """Connect under a name that no other test uses."""
        self.device = f"phone-{uuid.uuid4().hex[:8]}"
        self._recording = uuid.uuid4().hex[:8]
        self._n_rows_sent = 0
        super().__init__(broker, f"har/{self.device}/calibration")

    def listen_again(self) -> None:
        """Subscribe to this phone's calibration, so that the broker sends what it has."""
        self.subscribe(f"har/{self.device}/calibration")

    def await_calibrations(self, n: int) -> list[tuple[bytes, bool]]:
        """Return the calibrations when there are ``n``, and whether they were retained."""
        self.await_that(lambda: len(self.calibrations) >= n)
        return self.calibrations

    @property
    def calibrations(self) -> list[tuple[bytes, bool]]:
        """All calibrations so far, and whether they were retained."""
        return [(one.payload, one.is_retained) for one in self.received]

    def tell(self, **changes: Any) -> None:  # noqa: ANN401 (any JSON)
        """Publish what har-stream would tell of this phone, with some entries changed."""
        info = {
            "device": self.device,
            "topic": f"har/{self.device}/samples",
            "format": "native",
            "convention": "android",
            "warnings": [],
        }
        self.publish_on("info", msgspec.json.encode(info | changes), retain=True)

    def send_rows(self, rows: Rows) -> None:
        """Send rows as native messages, each following on the one before."""
        for part in np.array_split(rows, -(-len(rows) // 25)):
            message = {
                "start": EPOCH + self._n_rows_sent / SAMPLING_RATE_HZ,
                "rate": SAMPLING_RATE_HZ,
                "acc": part[:, :3].tolist(),
                "acc_unit": "m/s2",
                "gyro": part[:, 3:].tolist(),
                "gyro_unit": "rad/s",
                "recording": self._recording,
            }
            self.publish_on("samples", msgspec.json.encode(message))
            self._n_rows_sent += len(part)

    def publish_on(self, leaf: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish on one of the phone's topics, and return when the broker has it."""
        self.publish(f"har/{self.device}/{leaf}", payload, retain=retain)

    def close(self) -> None:
        """Take the retained messages back and disconnect."""
        for leaf in ("info", "calibration"):
            self.publish_on(leaf, b"", retain=True)
        super().close()


@pytest.fixture
def phone(broker: "Broker") -> Iterator[Phone]:
    """A phone at the shared broker."""
    with Phone(broker) as phone:
        yield phone


@pytest.fixture
def calibrate(phone: Phone, broker: "Broker", start_command: "Start") -> "Callable[..., Running]":
    """A function that starts har-calibrate for the phone."""

    def start(*flags: str) -> "Running":
        return start_command("har-calibrate", *broker.flags, "--device", phone.device, *flags)

    return start


def obey(phone: Phone, running: "Running", *, worn: NDArray[np.float64] = ASKEW) -> None:
    """Do what the command asks its wearer to do."""
    running.await_log("Stand still for three seconds")
    phone.send_rows(stand(worn=worn))
    running.await_log("Now walk ten steps")
    phone.send_rows(stroll(worn=worn))


@pytest.mark.broker
@pytest.mark.parametrize("worn", [FRAMES["portrait"], ASKEW], ids=["portrait", "askew"])
def test_calibrating(
    phone: Phone, calibrate: "Callable[..., Running]", worn: NDArray[np.float64]
) -> None:
    """Whoever does what the command says gets a calibration, retained, that fits the phone."""
    phone.tell()
    running = calibrate()
    obey(phone, running, worn=worn)
    assert running.process.wait(TIMEOUT_S) == 0, running.log

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
    assert set(json.loads(payload)) == {"v", "rotation", "created", "gravity", "forward", "steps"}


@pytest.mark.broker
def test_taking_a_calibration_back(phone: Phone, calibrate: "Callable[..., Running]") -> None:
    """--remove empties what the broker retains, whether or not har-stream knows the phone."""
    phone.publish_on("calibration", b"whatever", retain=True)
    assert phone.await_calibrations(1) == [(b"whatever", False)]
    running = calibrate("--remove")
    assert running.process.wait(TIMEOUT_S) == 0, running.log
    assert "taken back" in running.log
    assert phone.await_calibrations(2)[1] == (b"", False)


@pytest.fixture
def limited_phone(own_mosquitto: "Mosquitto", tmp_path: Path) -> Iterator[Callable[..., Phone]]:
    """A function that returns a phone at a broker where har-calibrate has the rights given.

    Beside these it may read infos and samples; others may do everything.
    """
    phones: list[Phone] = []

    def begin(*rights: str) -> Phone:
        own = ("user har-calibrate", "topic read har/+/info", "topic read har/+/samples", *rights)
        acl = tmp_path / "acl"
        acl.write_text("\n".join(["topic readwrite har/#", *own, ""]))
        with (tmp_path / "mosquitto.conf").open("a") as config:
            config.write(f"acl_file {acl}\n")
            config.write("user root\n" if os.geteuid() == 0 else "")  # to read the tests' folders
        own_mosquitto.start()
        phones.append(Phone(own_mosquitto))
        return phones[-1]

    yield begin
    for phone in phones:
        phone.close()


@pytest.fixture
def limited_calibrate(
    own_mosquitto: "Mosquitto", start_command: "Start"
) -> "Callable[..., Running]":
    """A function that starts har-calibrate for a phone, where it has few rights."""

    def start(phone: Phone, *flags: str) -> "Running":
        who = ["--username", "har-calibrate", "--device", phone.device]
        return start_command("har-calibrate", *own_mosquitto.flags, *who, *flags)

    return start


@pytest.mark.broker
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_calibration_that_the_broker_drops(
    limited_phone: Callable[..., Phone],
    limited_calibrate: "Callable[..., Running]",
    protocol: str,
) -> None:
    """Without the right to write it the command fails, also where the broker confirms it.

    That the phone was calibrated before does not count.
    """
    phone = limited_phone("topic read har/+/calibration")
    phone.tell(frame="calibrated")
    running = limited_calibrate(phone, "--protocol", protocol)
    obey(phone, running)
    assert running.process.wait(TIMEOUT_S) == 1, running.log
    assert (
        "har-calibrate: the broker did not pass the calibration on: may har-calibrate write "
        f"har/{phone.device}/calibration, and read it?\n"
    ) in running.log
    assert "is calibrated" not in running.log
    assert phone.calibrations == []


@pytest.mark.broker
def test_a_removal_that_the_broker_drops(
    limited_phone: Callable[..., Phone], limited_calibrate: "Callable[..., Running]"
) -> None:
    """So does it with --remove, and what the broker retains is still there."""
    phone = limited_phone("topic read har/+/calibration")
    phone.publish_on("calibration", b"{}", retain=True)
    phone.tell(frame="calibrated")
    running = limited_calibrate(phone, "--remove")
    assert running.process.wait(TIMEOUT_S) == 1, running.log
    assert "the broker did not pass the removal on: may har-calibrate write" in running.log
    assert "taken back" not in running.log
    phone.listen_again()
    assert phone.await_calibrations(2)[1] == (b"{}", True)


@pytest.mark.broker
def test_what_har_stream_tells_is_enough(
    limited_phone: Callable[..., Phone], limited_calibrate: "Callable[..., Running]"
) -> None:
    """A login that may not read calibrations takes har-stream's word for it that one came."""
    phone = limited_phone("topic write har/+/calibration")
    phone.tell(frame="portrait")
    running = limited_calibrate(phone)
    obey(phone, running)
    phone.await_calibrations(1)
    phone.publish_on("info", b"nonsense")
    phone.tell(frame="calibrated")
    assert running.process.wait(TIMEOUT_S) == 0, running.log
    assert f"{phone.device} is calibrated" in running.log

    running = limited_calibrate(phone, "--remove")
    assert phone.await_calibrations(2)[1] == (b"", False)
    phone.tell(frame="portrait")
    assert running.process.wait(TIMEOUT_S) == 0, running.log
    assert f"The calibration of {phone.device} is taken back." in running.log


@pytest.mark.broker
@pytest.mark.parametrize("device", ["[red]:smile:", "..", "телефон %20"])
def test_whatever_the_phone_is_called(run_command: "Run", broker: "Broker", device: str) -> None:
    """A name that looks like markup, an emoji or a path is said as it is."""
    ended = run_command("har-calibrate", *broker.flags, "--device", device, "--remove")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"The calibration of {device} is taken back.\n"


@pytest.mark.broker
def test_a_phone_that_nobody_knows(calibrate: "Callable[..., Running]") -> None:
    """Without har-stream, or with another name, the command ends with what to do."""
    running = calibrate()
    assert running.process.wait(TIMEOUT_S) == 1
    assert "no har-stream knows" in running.log


@pytest.mark.broker
def test_a_silent_phone(phone: Phone, calibrate: "Callable[..., Running]") -> None:
    """A phone that sends nothing is not waited for long."""
    phone.tell()
    running = calibrate()
    assert running.process.wait(TIMEOUT_S) == 1
    assert f"no samples of {phone.device} on har/{phone.device}/samples" in running.log


def ahead(seconds: float) -> bytes:
    """Return a native message of a phone whose clock is ahead."""
    return msgspec.json.encode(
        {
            "start": time.time() + seconds,
            "rate": SAMPLING_RATE_HZ,
            "acc": stand(0.5)[:, :3].tolist(),
            "acc_unit": "m/s2",
            "gyro": stand(0.5)[:, 3:].tolist(),
            "gyro_unit": "rad/s",
        }
    )


@pytest.mark.broker
def test_a_phone_of_which_har_stream_refuses_all(
    phone: Phone,
    calibrate: "Callable[..., Running]",
    broker: "Broker",
    start_command: "Start",
    tiny_model: Path,
) -> None:
    """Nobody stands and walks for nothing: the command ends with har-stream's reason."""
    start_command("har-stream", *broker.flags, "--model", str(tiny_model))
    broker.await_har_stream()
    phone.publish_on("samples", ahead(200_000))
    running = calibrate()
    assert running.process.wait(TIMEOUT_S) == 1
    assert (
        f"har-calibrate: har-stream can use nothing of {phone.device}: messages are refused, the "
        "last because: "
    ) in running.log
    assert "s ahead of this machine's clock" in running.log
    assert "Stand still" not in running.log


@pytest.mark.broker
def test_a_phone_that_was_mended_just_now(
    phone: Phone, calibrate: "Callable[..., Running]"
) -> None:
    """What har-stream tells meanwhile counts, not what the broker kept from before."""
    refused = {"device": phone.device, "topic": f"har/{phone.device}/samples", "format": "native"}
    refused |= {"warnings": ["rejected"], "advice": ["messages are refused"]}
    phone.publish_on("info", msgspec.json.encode(refused), retain=True)
    running = calibrate("--timeout", "1")
    with pytest.raises(subprocess.TimeoutExpired):
        running.process.wait(1.5)  # it could have ended by then
    phone.tell(convention_by="assumed")
    running.await_log("Stand still for three seconds")


@pytest.mark.broker
@pytest.mark.parametrize("trouble", ["size", "clock"])
def test_messages_that_har_stream_would_refuse(
    phone: Phone, calibrate: "Callable[..., Running]", trouble: str
) -> None:
    """They are not measured, and the reason is har-stream's."""
    phone.tell(convention_by="assumed", warnings=["rejected"], advice=["messages are refused"])
    running = calibrate()
    running.await_log("Stand still for three seconds")
    if trouble == "size":
        phone.publish_on("samples", b" " * 1_200_906)  # is passed over, but for its beginning
        reason = f" bytes; at most {MAX_PAYLOAD_BYTES}"
    else:
        phone.publish_on("samples", ahead(200_000))
        reason = "s ahead of this machine's clock"
    assert running.process.wait(TIMEOUT_S) == 1
    assert f"har-calibrate: no samples of {phone.device} on har/" in running.log
    assert reason in running.log
    assert "Now walk" not in running.log


@pytest.mark.broker
def test_a_wearer_who_does_not_stand(phone: Phone, calibrate: "Callable[..., Running]") -> None:
    """After the timeout the command ends with what was missing."""
    phone.tell(
        warnings=["wrong-frame", "low-rate"],
        advice=["place it anew", "let the app send 50 or more"],
        convention_by="assumed",
    )
    running = calibrate("--timeout", "1")
    running.await_log("Stand still for three seconds")
    phone.send_rows(stroll())
    assert running.process.wait(TIMEOUT_S) == 1
    assert "har-calibrate: you never stood still" in running.log
    assert "First see to low-rate: let the app send 50 or more." in running.log
    assert "place it anew" not in running.log
    assert f"--convention {phone.device}=ios" in running.log
    assert phone.calibrations == []


@pytest.mark.broker
@pytest.mark.parametrize(
    ("changes", "complaint"),
    [({"topic": 1}, "says nothing useful"), ({"format": "morse"}, "format of phone-")],
)
def test_information_that_is_of_no_use(
    phone: Phone,
    calibrate: "Callable[..., Running]",
    changes: dict[str, object],
    complaint: str,
) -> None:
    """What cannot be understood of the phone's information ends the command."""
    phone.tell(**changes)
    running = calibrate()
    assert running.process.wait(TIMEOUT_S) == 1
    assert complaint in running.log


def test_no_broker(run_command: "Run", free_port: int) -> None:
    """Without a broker the command says so in a line."""
    flags = ["--broker", "127.0.0.1", "--port", str(free_port), "--device", "phone-7"]
    ended = run_command("har-calibrate", *flags)
    assert ended.returncode == 1
    assert "har-calibrate: no connection to 127.0.0.1" in ended.stderr


@pytest.mark.broker
def test_a_name_that_no_phone_can_have(run_command: "Run", broker: "Broker") -> None:
    """A device's name with a topic's characters is refused."""
    ended = run_command("har-calibrate", *broker.flags, "--device", "har/+")
    assert (ended.returncode, "har-calibrate: a device name has" in ended.stderr) == (1, True)
