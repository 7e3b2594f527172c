import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.commands.stream.sent import prepared_rows, raw_rows, sensor_logger
from tests.phone import EPOCH, Phone

if TYPE_CHECKING:
    from tests.brokers import Broker, Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]

pytestmark = pytest.mark.broker

BAD_MESSAGES = {
    "json": b"hello",
    "json NaN": b'{"v": 1, "start": NaN}',
    "field": b"{}",
    "field strings": b'{"start": "now", "rate": 50}',
    "field version": b'{"v": 2}',
    "length": b'{"start": 1e9, "rate": 50, "acc": [[0,0,9]], "acc_unit": "m/s2",'
    b' "gyro": [], "gyro_unit": "rad/s"}',
    "time": b'{"start": 1e12, "rate": 50, "acc": [[0,0,9]], "acc_unit": "m/s2",'
    b' "gyro": [[0,0,0]], "gyro_unit": "rad/s"}',
    "time of the future": b'{"start": 9e9, "rate": 50, "acc": [[0,0,9]], "acc_unit": "m/s2",'
    b' "gyro": [[0,0,0]], "gyro_unit": "rad/s"}',
    "magnitude": b'{"start": 1e9, "rate": 50, "acc": [[0,0,999]], "acc_unit": "g",'
    b' "gyro": [[0,0,0]], "gyro_unit": "rad/s"}',
    "size": b'{"acc": [' + b"[0,0,0]," * 1_000_000 + b"[0,0,0]]}",  # a million rows
}


def test_bad_messages_do_no_harm(phone: Phone, stream: "Running") -> None:
    """Bad messages of every kind, on its own topic too, are counted; a good phone goes on."""
    rows = prepared_rows(25 * len(BAD_MESSAGES))
    for number, payload in enumerate(BAD_MESSAGES.values()):
        phone.publish("har/other/samples", payload)
        phone.publish(f"har/{phone.device}/samples", payload)
        phone.send_rows(rows[25 * number : 25 * (number + 1)], first=25 * number)
    phone.publish("har/$odd/samples", b"{}")
    phone.publish("har/too/deep/samples", b"{}")  # is not even delivered
    phone.publish(f"har/{phone.device}/prediction", b"{}")

    predictions = [p for p in phone.predictions(3) if p]

    assert [0, 64] == [round((p["start"] - EPOCH) * 50) for p in predictions]
    assert 0 == stream.end()
    assert (
        f"{2 * len(BAD_MESSAGES) + 1} rejected messages "
        "(device 1, field 6, json 4, length 2, magnitude 2, size 2, time 4)"
    ) in stream.log
    for word in ("field", "json", "length", "magnitude", "size", "time"):
        assert f"samples' ({word}, 1 so far): " in stream.log
    assert "Traceback" not in stream.log


def test_what_cannot_be_right_is_told(phone: Phone, stream: "Running") -> None:
    """A phone that sends m/s² as g, or lacks a gyroscope, is told so in its info, and the log."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1000, 6)) * 0.02 + [9.81, 0, 0, 0, 0, 0]
    for k in range(0, 1000, 25):
        message = {
            "start": EPOCH + k / 50, "rate": 50.0, "acc": rows[k : k + 25, :3].tolist(),
            "acc_unit": "g", "gyro": rows[k : k + 25, 3:].tolist(), "gyro_unit": "rad/s",
        }  # fmt: skip
        phone.publish(f"har/{phone.device}/samples", json.dumps(message))

    def await_warning(device: str) -> dict[str, Any]:
        while not (info := json.loads(phone.await_message(f"har/{device}/info")[0]))["warnings"]:
            pass
        return info

    wrong = await_warning(phone.device)
    lone = {"time": (EPOCH + np.arange(50) / 50).tolist(), "values": [[0, 0, 9.8]] * 50}
    message = {"sensors": {"accelerometer": lone | {"unit": "m/s2"}}}
    phone.publish(f"har/{phone.device}-lone/samples", json.dumps(message))
    lacking = await_warning(f"{phone.device}-lone")

    assert ["no-gyroscope"] == lacking["warnings"]
    assert ["acc-unit"] == wrong["warnings"]
    assert "unit" in wrong["advice"][0]
    assert 0 == stream.end()
    assert f"{phone.device}: acc-unit: " in stream.log


def test_a_phone_too_many(
    broker: "Broker", join: Callable[..., Phone], start_stream: "Start"
) -> None:
    """With all places taken another phone is rejected, and the one that is there goes on."""
    first, second = join(broker), join(broker)
    running = start_stream("--max-devices", "1")
    first.send_rows(prepared_rows(100))
    first.await_message(f"har/{first.device}/availability", b"online")
    second.send_rows(prepared_rows(100))
    first.send_rows(prepared_rows(100), first=100)

    assert 2 == len(first.predictions(2))
    running.await_log("(devices, 1 so far)")


def test_a_message_that_is_much_too_large(
    own_mosquitto: "Mosquitto", join: Callable[..., Phone], start_command: "Start", tiny_model: Path
) -> None:
    """It is rejected in little time and memory; others' results come, also at a new start."""
    own_mosquitto.start()
    phone = join(own_mosquitto)
    phone.publish("har/large/samples", bytes(100_000_000), retain=True)
    for number in range(2):
        running = start_command("har-stream", *own_mosquitto.flags, "--model", str(tiny_model))
        running.await_log(
            "rejected a message on 'har/large/samples' (size, 1 so far): 1000000", timeout_s=5.0
        )
        phone.send_rows(prepared_rows(128), first=number * 1000)
        assert 1 == len(phone.predictions(1))
        status = (Path("/proc") / str(running.process.pid) / "status").read_text()
        peak_kib = int(status.split("VmHWM:")[1].split()[0])
        assert peak_kib < 150_000
        assert 0 == running.end()


def test_a_message_that_the_broker_need_not_send(
    own_mosquitto: "Mosquitto", join: Callable[..., Phone], start_stream: "Start"
) -> None:
    """A broker of MQTT 5 is told what is too large, and does not send it."""
    own_mosquitto.start()
    phone = join(own_mosquitto)
    running = start_stream("--protocol", "5", "--max-packet", "100000", at=own_mosquitto)
    phone.publish("har/large/samples", bytes(200_000))
    phone.publish("har/small/samples", bytes(50_000))
    running.await_log("rejected a message on 'har/small/samples'")
    assert "har/large" not in running.log


def test_calibrations_of_phones_that_are_not_there(
    own_mosquitto: "Mosquitto", join: Callable[..., Phone], start_stream: "Start"
) -> None:
    """Of them so many are kept as phones are served; that of a phone which sends is kept always."""
    own_mosquitto.start()
    phone = join(own_mosquitto)
    running = start_stream("--max-devices", "1", at=own_mosquitto)
    calibration = json.dumps({"v": 1, "rotation": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]})
    for name in ("invented-1", "invented-2"):
        phone.publish(f"har/{name}/calibration", calibration, retain=True)
    running.await_log("rejected a message on 'har/invented-2/calibration' (devices, 1 so far)")
    phone.send_rows(prepared_rows(25))
    phone.await_message(f"har/{phone.device}/availability", b"online")
    phone.publish(f"har/{phone.device}/calibration", calibration, retain=True)
    while json.loads(phone.await_message(f"har/{phone.device}/info")[0])["frame"] != "calibrated":
        pass


def test_a_calibration_that_cannot_be_used(phone: Phone, stream: "Running") -> None:
    """The info of its phone says so, and why."""
    phone.send_rows(prepared_rows(25))
    phone.await_message(f"har/{phone.device}/availability", b"online")
    phone.publish(f"har/{phone.device}/calibration", b"nonsense")
    while "rejected" not in (
        info := json.loads(phone.await_message(f"har/{phone.device}/info")[0])
    ):
        pass
    assert {"calibration": 1} == info["rejected"]
    assert "let har-calibrate write it" in str(info["advice"])
    assert 0 == stream.end()


def test_a_refused_message_takes_no_place(
    own_mosquitto: "Mosquitto", join: Callable[..., Phone], start_stream: "Start"
) -> None:
    """Who sends samples of which some are of the future does not count as a phone."""
    own_mosquitto.start()
    phone = join(own_mosquitto)
    running = start_stream(
        "--max-devices", "1", "--subscribe", "sensor-logger=sensor-logger", at=own_mosquitto
    )
    message = json.loads(sensor_logger(raw_rows(25), first=0, device="ghost"))
    for entry in message["payload"]:
        if entry["name"] == "gyroscope":  # the others would be taken
            entry["time"] = 4_000_000_000 * 10**9
    phone.publish("sensor-logger", json.dumps(message))
    running.await_log("s ahead of this machine's clock")
    phone.send_rows(prepared_rows(128))
    assert 1 == len(phone.predictions(1))
