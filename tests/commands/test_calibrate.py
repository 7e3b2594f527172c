import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from pipeline.calibration_message import decode_calibration
from pipeline.commands.calibrate import Measurement, describe
from pipeline.readings import MAX_PAYLOAD_BYTES, Readings, Sensor
from pipeline.recognition.placement.calibration import Calibration, CalibrationError
from pipeline.recognition.placement.frames import FRAMES, UP, angle_deg, rotation_onto_x
from pipeline.recordings import simulated
from pipeline.settings import CalibrateSettings
from pipeline.vocabulary import SAMPLING_RATE_HZ, STANDARD_GRAVITY

if TYPE_CHECKING:
    from tests.conftest import Broker, Mosquitto, Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]

EPOCH = 1.7e9
TIMEOUT_S = 20.0

Rows = NDArray[np.float64]

ASKEW = rotation_onto_x(np.array([0.2, -0.7, 0.6])) @ rotation_onto_x(np.array([0.1, 0.8, 0.3]))
"""A way to wear a phone that is none of the named placements."""


def perform(activity: str, seconds: float, *, worn: NDArray[np.float64] = ASKEW) -> Rows:
    """Return what a phone measures that is turned by ``worn`` to the training frame."""
    (recording,) = simulated.recordings(1, seconds=seconds, activity=activity)
    rows = recording.stretches[0].samples.astype(np.float64)
    return np.hstack([rows[:, :3] @ worn, rows[:, 3:] @ worn])


def stand(seconds: float = 4.0, *, worn: NDArray[np.float64] = ASKEW) -> Rows:
    """Return rows of somebody who stands."""
    return perform("STANDING", seconds, worn=worn)


def stroll(seconds: float = 8.0, *, worn: NDArray[np.float64] = ASKEW) -> Rows:
    """Return rows of somebody who walks."""
    return perform("WALKING", seconds, worn=worn)


# The measurement


def motion(rows: Rows, *, first: int = 0) -> Readings:
    """Return rows as the samples of one message, from row ``first`` on."""
    return Readings("phone", EPOCH + (first + np.arange(len(rows))) / SAMPLING_RATE_HZ, rows)


def cut(rows: Rows, n_rows: int) -> Iterator[Readings]:
    """Yield rows as messages of so many."""
    for first in range(0, len(rows), n_rows):
        yield motion(rows[first : first + n_rows], first=first)


@pytest.mark.parametrize("n_rows", [10, 25, 100, 1000])
def test_a_measurement(n_rows: int) -> None:
    """First the stand is awaited, then the walk, however the samples are cut into messages."""
    measurement = Measurement("android")
    phases = [measurement.phase]
    for message in cut(np.vstack([stand(), stroll()]), n_rows):
        measurement.push([message])
        phases.append(measurement.phase)
        if measurement.phase == "done":
            break
    assert sorted(phases, key=["stand", "walk", "done"].index) == phases
    assert phases[-1] == "done"
    assert measurement.n_steps >= 10
    rotation = measurement.result().rotation
    assert angle_deg(rotation @ stand()[:, :3].mean(axis=0), UP) < 5
    assert np.trace(rotation @ ASKEW.T) > 1 + 2 * np.cos(np.radians(25))


def test_an_iphone() -> None:
    """Accelerations with the signs of an iPhone give the same calibration."""
    calibrations = []
    for convention, sign in (("android", 1.0), ("ios", -1.0)):
        measurement = Measurement(convention)  # type: ignore[arg-type]
        rows = np.vstack([stand(), stroll()]) * np.repeat([sign, 1.0], 3)
        measurement.push([motion(rows)])
        calibrations.append(measurement.result())
    np.testing.assert_allclose(calibrations[0].rotation, calibrations[1].rotation)
    np.testing.assert_allclose(calibrations[0].gravity, calibrations[1].gravity)


def test_sensors_apart() -> None:
    """Sensors with times of their own, faster than 50 Hz, do as well."""
    rows = np.repeat(np.vstack([stand(), stroll()]), 2, axis=0)
    times = EPOCH + np.arange(len(rows)) / 100
    measurement = Measurement("android")
    for first in range(0, len(rows), 50):
        now = slice(first, first + 50)
        sensors: list[tuple[Sensor, Rows]] = [
            ("gyroscope", rows[now, 3:]),
            ("accelerometer", rows[now, :3]),
        ]
        measurement.push(
            [Readings("phone", times[now], values, sensor) for sensor, values in sensors]
        )
    assert measurement.phase == "done"
    assert angle_deg(measurement.result().rotation @ stand()[:, :3].mean(axis=0), UP) < 5


def test_a_gap() -> None:
    """After lost samples the wearer stands still again."""
    measurement = Measurement("android")
    phases = []
    for message in (motion(np.vstack([stand(), stroll(3)])), motion(stroll(3), first=1000)):
        measurement.push([message])
        phases.append(measurement.phase)
    assert phases == ["walk", "stand"]


def test_a_short_walk_that_is_over() -> None:
    """Eight or nine steps are enough when no more come."""
    measurement = Measurement("android")
    measurement.push([motion(np.vstack([stand(), stroll(5.0)]))])
    assert measurement.n_steps in (8, 9)
    phases = [measurement.phase]
    measurement.push([motion(stand(2), first=450)])
    phases.append(measurement.phase)
    assert phases == ["walk", "done"]


def test_a_phone_that_is_too_slow() -> None:
    """Its wearer is not to blame."""
    measurement = Measurement("android")
    times = 1.7e9 + np.arange(100) / 5
    measurement.push([Readings("phone", times, stand(2)[:100])])
    assert "let the app send 50 or more a second" in given_up(measurement)


def given_up(measurement: Measurement) -> str:
    """Return what is said of a measurement that took too long."""
    with pytest.raises(CalibrationError) as error:
        measurement.give_up()
    return str(error.value)


def test_giving_up() -> None:
    """Who waited too long is told what was missing."""
    measurement = Measurement("android")
    measurement.push([motion(stroll())])
    assert "never stood still" in given_up(measurement)
    measurement.push([motion(stand(), first=400)])
    measurement.push([motion(stroll(1.5), first=600)])
    assert "never walked 8 steps" in given_up(measurement)


def test_a_phone_without_a_gyroscope() -> None:
    """Who sends accelerations alone is told what lacks."""
    measurement = Measurement("android")
    for message in cut(stand(), 25):
        acc = message.values[:, :3]
        measurement.push([Readings("phone", message.times, acc, "accelerometer")])
    assert given_up(measurement) == "the phone does not send gyroscope"


def test_prepared_samples() -> None:
    """Prepared samples cannot be calibrated."""
    times = EPOCH + np.arange(100) / SAMPLING_RATE_HZ
    with pytest.raises(CalibrationError, match="prepared"):
        Measurement("android").push([Readings("phone", times, np.zeros((100, 9)), "prepared")])


def test_wrong_units() -> None:
    """Gravity that is not 1 g is noticed before the walk."""
    rows = stand() / np.repeat([STANDARD_GRAVITY, 1.0], 3)
    with pytest.raises(CalibrationError, match="unit"):
        Measurement("android").push([motion(rows)])


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


class Phone:
    """A client of the broker that plays a phone, and har-stream as far as that is needed."""

    def __init__(self, broker: "Broker") -> None:
        """Connect under a name that no other test uses."""
        self.device = f"phone-{uuid.uuid4().hex[:8]}"
        self._recording = uuid.uuid4().hex[:8]
        self._n_sent = 0
        self.calibrations: list[tuple[bytes, bool]] = []
        self.calibrated = threading.Condition()
        """Payloads, and whether they were retained"""
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._note
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        self.listen()

    def listen(self) -> None:
        """Subscribe to this phone's calibration, so that the broker sends what it has."""
        self._client.subscribe(f"har/{self.device}/calibration", 1)

    def _note(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        with self.calibrated:
            self.calibrations.append((bytes(message.payload), message.retain))
            self.calibrated.notify_all()

    def tell(self, **changes: Any) -> None:  # noqa: ANN401 (any JSON)
        """Publish what har-stream would tell of this phone, with some entries changed."""
        info = {
            "device": self.device,
            "topic": f"har/{self.device}/samples",
            "format": "native",
            "convention": "android",
            "warnings": [],
        }
        self.publish("info", msgspec.json.encode(info | changes), retain=True)

    def send(self, rows: Rows) -> None:
        """Send rows as native messages, each following on the one before."""
        for part in np.array_split(rows, -(-len(rows) // 25)):
            message = {
                "start": EPOCH + self._n_sent / SAMPLING_RATE_HZ,
                "rate": SAMPLING_RATE_HZ,
                "acc": part[:, :3].tolist(),
                "acc_unit": "m/s2",
                "gyro": part[:, 3:].tolist(),
                "gyro_unit": "rad/s",
                "recording": self._recording,
            }
            self.publish("samples", msgspec.json.encode(message))
            self._n_sent += len(part)

    def publish(self, leaf: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish on one of the phone's topics, and return when the broker has it."""
        topic = f"har/{self.device}/{leaf}"
        self._client.publish(topic, payload, 1, retain).wait_for_publish(TIMEOUT_S)

    def close(self) -> None:
        """Take the retained messages back and disconnect."""
        for leaf in ("info", "calibration"):
            self.publish(leaf, b"", retain=True)
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def phone(broker: "Broker") -> Iterator[Phone]:
    """A phone at the shared broker."""
    phone = Phone(broker)
    yield phone
    phone.close()


@pytest.fixture
def calibrate(phone: Phone, broker: "Broker", start_command: "Start") -> "Callable[..., Running]":
    """A function that starts har-calibrate for the phone."""

    def start(*flags: str) -> "Running":
        return start_command("har-calibrate", *broker.flags, "--device", phone.device, *flags)

    return start


def obey(phone: Phone, running: "Running", *, worn: NDArray[np.float64] = ASKEW) -> None:
    """Do what the command asks its wearer to do."""
    running.await_log("Stand still for three seconds")
    phone.send(stand(worn=worn))
    running.await_log("Now walk ten steps")
    phone.send(stroll(worn=worn))


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
    payload, _ = await_calibrations(phone, 1)[0]
    rotation = decode_calibration(payload)
    assert rotation is not None
    for rows in (stand(worn=worn), stroll(worn=worn)):
        assert angle_deg(rotation @ rows[:, :3].mean(axis=0), UP) < 8
    assert np.trace(rotation @ worn.T) > 1 + 2 * np.cos(np.radians(25))
    if worn is not ASKEW:
        assert "nearest placement: portrait" in running.log
    phone.listen()
    assert await_calibrations(phone, 2)[1] == (payload, True)
    assert set(json.loads(payload)) == {"v", "rotation", "created", "gravity", "forward", "steps"}


@pytest.mark.broker
def test_taking_a_calibration_back(phone: Phone, calibrate: "Callable[..., Running]") -> None:
    """--remove empties what the broker retains, whether or not har-stream knows the phone."""
    phone.publish("calibration", b"whatever", retain=True)
    assert await_calibrations(phone, 1) == [(b"whatever", False)]
    running = calibrate("--remove")
    assert running.process.wait(TIMEOUT_S) == 0, running.log
    assert "taken back" in running.log
    assert await_calibrations(phone, 2)[1] == (b"", False)


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
    phone.publish("calibration", b"{}", retain=True)
    phone.tell(frame="calibrated")
    running = limited_calibrate(phone, "--remove")
    assert running.process.wait(TIMEOUT_S) == 1, running.log
    assert "the broker did not pass the removal on: may har-calibrate write" in running.log
    assert "taken back" not in running.log
    phone.listen()
    assert await_calibrations(phone, 2)[1] == (b"{}", True)


@pytest.mark.broker
def test_what_har_stream_tells_is_enough(
    limited_phone: Callable[..., Phone], limited_calibrate: "Callable[..., Running]"
) -> None:
    """A login that may not read calibrations takes har-stream's word for it that one came."""
    phone = limited_phone("topic write har/+/calibration")
    phone.tell(frame="portrait")
    running = limited_calibrate(phone)
    obey(phone, running)
    await_calibrations(phone, 1)
    phone.publish("info", b"nonsense")
    phone.tell(frame="calibrated")
    assert running.process.wait(TIMEOUT_S) == 0, running.log
    assert f"{phone.device} is calibrated" in running.log

    running = limited_calibrate(phone, "--remove")
    assert await_calibrations(phone, 2)[1] == (b"", False)
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
    phone.publish("samples", ahead(200_000))
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
    phone.publish("info", msgspec.json.encode(refused), retain=True)
    running = calibrate("--timeout", "1")
    with phone.calibrated:  # a while in which the command could have ended
        phone.calibrated.wait(1.5)
    assert running.process.poll() is None, running.log
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
        phone.publish("samples", b" " * 1_200_906)  # is passed over, but for its beginning
        reason = f" bytes; at most {MAX_PAYLOAD_BYTES}"
    else:
        phone.publish("samples", ahead(200_000))
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
    phone.send(stroll())
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


def await_calibrations(phone: Phone, n: int) -> list[tuple[bytes, bool]]:
    """Return the calibrations published when there are ``n``."""
    with phone.calibrated:
        came = phone.calibrated.wait_for(lambda: len(phone.calibrations) >= n, TIMEOUT_S)
    assert came, f"only {phone.calibrations}"
    return phone.calibrations
