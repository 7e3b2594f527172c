import json
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.commands.stream.settings import StreamSettings
from pipeline.formats import FORMATS
from pipeline.recordings import simulated
from pipeline.vocabulary import ACTIVITIES
from tests.phone import EPOCH, Phone

if TYPE_CHECKING:
    from tests.brokers import Broker, Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]
    Make = Callable[..., Path]
    MakeCard = Callable[..., dict[str, object]]

TIMEOUT_S = 20.0
READY = "connected to"
"""What har-stream logs when the connection is made."""

pytestmark = pytest.mark.broker


@pytest.fixture
def join(request: pytest.FixtureRequest) -> Callable[..., Phone]:
    """A function that connects a phone to a broker until the test ends."""

    def connect(broker: "Broker") -> Phone:
        phone = Phone(broker)
        request.addfinalizer(phone.close)
        return phone

    return connect


@pytest.fixture
def phone(broker: "Broker", join: Callable[..., Phone]) -> Phone:
    """A phone at the shared broker."""
    return join(broker)


@pytest.fixture
def stream(broker: "Broker", start_command: "Start", tiny_model: Path) -> "Iterator[Running]":
    """A har-stream that is connected to the shared broker."""
    running = start_command("har-stream", *broker.flags, "--model", str(tiny_model))
    broker.await_har_stream()
    yield running
    if running.process.poll() is None:
        assert running.end() == 0


def raw_rows(n_samples: int, *, seed: int = 0) -> NDArray[np.float64]:
    """Return the noise of a phone that is shaken, ``(n_samples, 6)``."""
    noise = np.random.default_rng(seed).normal(size=(n_samples, 6))
    return noise * [2, 2, 2, 0.5, 0.5, 0.5] + [1, 9, 2, 0, 0, 0]


def prepared_rows(n_samples: int, *, seed: int = 0) -> NDArray[np.float64]:
    """Return prepared noise, ``(n_samples, 9)``."""
    return np.random.default_rng(seed).normal(size=(n_samples, 9)) * 0.3


def test_predictions(phone: Phone, stream: "Running") -> None:
    """A raw phone gets a prediction a hop, with the contract's keys, not retained."""
    phone.send_rows(raw_rows(260))

    payload, retained = phone.await_message(f"har/{phone.device}/prediction")
    first = json.loads(payload)
    [second, third] = phone.predictions(2)

    assert not retained
    expected = {
        "device", "start", "end", "activity", "probability", "probabilities", "model", "settling",
    }  # fmt: skip
    assert expected == set(first)
    assert first["device"] == phone.device
    assert first["model"] == "tiny@0badcafe"
    assert first["settling"] is True
    assert list(first["probabilities"]) == list(ACTIVITIES)
    assert sum(first["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)
    assert first["probability"] == max(first["probabilities"].values())
    assert first["probabilities"][first["activity"]] == first["probability"]
    for number, prediction in enumerate((first, second, third)):
        assert prediction["start"] == pytest.approx(EPOCH + number * 1.28, abs=1e-5)
        assert prediction["end"] == pytest.approx(EPOCH + number * 1.28 + 2.54, abs=1e-5)


def test_activity_and_availability(
    phone: Phone, stream: "Running", broker: "Broker", join: Callable[..., Phone]
) -> None:
    """A phone's activity and availability are retained: who comes later is told at once."""
    phone.send_rows(prepared_rows(128))
    activity = json.loads(phone.await_message(f"har/{phone.device}/activity")[0])
    [online] = [m for m in phone.taken if m[0] == f"har/{phone.device}/availability"]

    later = join(broker)
    retained_activity, is_retained = later.await_message(f"har/{phone.device}/activity")
    availability = join(broker).await_message(f"har/{phone.device}/availability")

    assert online[1] == b"online"
    assert {"device", "activity", "since", "probability"} == set(activity)
    assert activity["device"] == phone.device
    assert activity["activity"] in (*ACTIVITIES, "transition", "unknown")
    assert activity["since"] == pytest.approx(EPOCH, abs=1e-5)
    assert json.loads(retained_activity) == activity
    assert is_retained
    assert availability == (b"online", True)


def test_what_the_program_is(
    phone: Phone,
    broker: "Broker",
    join: Callable[..., Phone],
    start_command: "Start",
    tiny_model: Path,
) -> None:
    """What others must know of har-stream is retained, and taken for no phone's."""
    running = start_command(
        "har-stream", *broker.flags, "--model", str(tiny_model), "--hop", "32",
        "--subscribe", "har/+=native", "--subscribe", "phyphox/+=phyphox",
    )  # fmt: skip
    broker.await_har_stream()
    while json.loads(phone.await_message("har/info")[0])["hop"] != 32:  # of another before
        pass
    payload, is_retained = join(broker).await_message("har/info")
    assert is_retained
    expected = {
        "version": version("har-stream"), "model": "tiny@0badcafe", "hop": 32,
        "window_length": 128, "formats": ["native", "phyphox"],
    }  # fmt: skip
    assert expected == json.loads(payload)
    assert 0 == running.end()
    assert "0 rejected messages" in running.log


def test_episodes(phone: Phone, broker: "Broker", start_command: "Start") -> None:
    """What a phone's carrier has done is told as episodes that follow one another, not retained."""
    running = start_command("har-stream", *broker.flags)
    broker.await_har_stream()
    [recording] = simulated.recordings(1, seconds=60)
    phone.send_rows(recording.stretches[0].samples)

    payload, retained = phone.await_message(f"har/{phone.device}/episode")
    first = json.loads(payload)
    second = json.loads(phone.await_message(f"har/{phone.device}/episode")[0])

    assert not retained
    assert {"device", "activity", "start", "end", "probability"} == set(first)
    assert ("WALKING", "WALKING_UPSTAIRS") == (first["activity"], second["activity"])
    assert first["end"] == second["start"]
    assert running.end() == 0
    phone.await_message("har/status", b"offline")
    episodes = [json.loads(m[1]) for m in phone.taken if m[0] == f"har/{phone.device}/episode"]
    assert episodes[-1]["end"] == pytest.approx(EPOCH + 59.5, abs=1.5)  # closed at the end


def test_the_heartbeat_and_the_silent_phone(
    phone: Phone, broker: "Broker", start_command: "Start", tiny_model: Path
) -> None:
    """An unchanged activity is published again, and a silent phone goes offline."""
    start_command(
        "har-stream", *broker.flags, "--model", str(tiny_model),
        "--heartbeat", "0.1", "--offline-after", "3",
    )  # fmt: skip
    broker.await_har_stream()
    phone.send_rows(prepared_rows(128))

    activities = [phone.await_message(f"har/{phone.device}/activity")[0] for _ in range(2)]

    assert activities[0] == activities[1]
    phone.await_message(f"har/{phone.device}/availability", b"offline")


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_protocols(
    phone: Phone, broker: "Broker", start_command: "Start", tiny_model: Path, protocol: str
) -> None:
    """Both versions of MQTT serve: predictions, status, and a clean end."""
    if protocol == "5" and type(broker).__name__ != "Mosquitto":
        pytest.skip("the embedded broker does not speak MQTT 5")
    running = start_command(
        "har-stream", *broker.flags, "--model", str(tiny_model), "--protocol", protocol
    )
    phone.await_message("har/status", b"online")
    phone.send_rows(prepared_rows(192))

    assert len(phone.predictions(2)) == 2
    assert running.end() == 0
    phone.await_message("har/status", b"offline")


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

    assert [round((p["start"] - EPOCH) * 50) for p in predictions] == [0, 64]
    assert stream.end() == 0
    assert (
        f"{2 * len(BAD_MESSAGES) + 1} rejected messages "
        "(device 1, field 6, json 4, length 2, magnitude 2, size 2, time 4)"
    ) in stream.log
    for word in ("field", "json", "length", "magnitude", "size", "time"):
        assert f"samples' ({word}, 1 so far): " in stream.log
    assert "Traceback" not in stream.log


def sensor_logger(rows: NDArray[np.float64], *, first: int, device: str) -> str:
    """Return raw rows ``(n, 6)`` at 100 Hz as Sensor Logger sends them, gravity apart."""
    readings = []
    for k, row in enumerate(rows, first):
        time_ns = round((EPOCH + k / 100) * 1e9)
        parts = {"accelerometer": row[:3] - [0, 9, 0], "gravity": [0, 9, 0], "gyroscope": row[3:]}
        for name, vector in parts.items():
            values = dict(zip("xyz", map(float, vector), strict=True))
            readings.append({"name": name, "time": time_ns, "values": values})
    message = {"messageId": first, "sessionId": "s", "deviceId": device, "payload": readings}
    return json.dumps(message)


def test_formats_side_by_side(
    phone: Phone, broker: "Broker", start_command: "Start", tiny_model: Path
) -> None:
    """Phones of several formats are served at once, each on the topic of its subscription."""
    running = start_command(
        "har-stream", *broker.flags, "--model", str(tiny_model),
        "--subscribe", "sensor-logger=sensor-logger", "--subscribe", "spots/+/#=sensorspot",
        "--convention", "auto,other=ios",
    )  # fmt: skip
    broker.await_har_stream()
    rows = raw_rows(600)
    for k in range(0, 600, 100):
        message = sensor_logger(rows[k : k + 100], first=k, device=phone.device)
        phone.publish("sensor-logger", message)
        phone.publish("sensor-logger", b"rubbish")
        phone.publish("spots/one/accelerometer", b"{}")

    first, second = phone.predictions(2)
    topic = f"har/{phone.device}/info"
    infos = [m[1:] for m in phone.taken if m[0] == topic]  # it may have come before
    while not infos or "gravity" not in json.loads(infos[-1][0])["rates_hz"]:
        infos.append(phone.await_message(topic))
    info, retained = infos[-1]

    assert first["start"] == pytest.approx(EPOCH, abs=1e-5)
    assert second["start"] == pytest.approx(EPOCH + 1.28, abs=1e-5)
    assert not retained
    expected = {
        "device": phone.device,
        "topic": "sensor-logger",
        "format": "sensor-logger",
        "convention": "android",
        "convention_by": "assumed",
        "frame": "landscape",
        "rates_hz": {"gravity": 100, "gyroscope": 100, "linear_acceleration": 100},
    }
    assert expected == {key: json.loads(info)[key] for key in expected}
    assert running.end() == 0
    assert "12 rejected messages (field 6, json 6)" in running.log


def test_home_assistant(
    phone: Phone,
    broker: "Broker",
    join: Callable[..., Phone],
    start_command: "Start",
    tiny_model: Path,
) -> None:
    """Each phone is announced to Home Assistant, and again when Home Assistant starts."""
    start_command("har-stream", *broker.flags, "--model", str(tiny_model), "--home-assistant")
    broker.await_har_stream()
    topic = f"homeassistant/device/har_{phone.device}/config"
    phone.send_rows(prepared_rows(128))

    announced, _ = phone.await_message(topic)
    kept = join(broker).await_message(topic)
    phone.publish("homeassistant/status", "online")
    again, _ = phone.await_message(topic)

    config = json.loads(announced)
    assert config["components"]["activity"]["options"] == [*ACTIVITIES, "transition", "unknown"]
    assert config["components"]["activity"]["state_topic"] == f"har/{phone.device}/activity"
    assert kept == (announced, True)
    assert again == announced
    phone.publish(topic, b"", retain=True)


def test_a_phone_that_home_assistant_need_not_show_any_more(
    phone: Phone, broker: "Broker", start_command: "Start", tiny_model: Path
) -> None:
    """When a phone is forgotten, its announcement is taken back with all that was retained."""
    start_command(
        "har-stream", *broker.flags, "--model", str(tiny_model), "--home-assistant",
        "--offline-after", "1", "--forget-after", "2",
    )  # fmt: skip
    broker.await_har_stream()
    topic = f"homeassistant/device/har_{phone.device}/config"
    phone.send_rows(prepared_rows(128))

    assert phone.await_message(topic)[0]
    phone.await_message(f"har/{phone.device}/availability", b"offline")
    phone.await_message(f"har/{phone.device}/availability", b"")
    phone.await_message(f"har/{phone.device}/activity", b"")
    phone.await_message(topic, b"")


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

    assert lacking["warnings"] == ["no-gyroscope"]
    assert wrong["warnings"] == ["acc-unit"]
    assert "unit" in wrong["advice"][0]
    assert stream.end() == 0
    assert f"{phone.device}: acc-unit: " in stream.log


def test_a_calibration_takes_effect(phone: Phone, stream: "Running") -> None:
    """A phone that is calibrated is turned from then on, and no more when it is taken back."""
    phone.send_rows(raw_rows(100))
    rotation = [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]

    def await_frame(frame: str) -> None:
        while json.loads(phone.await_message(f"har/{phone.device}/info")[0])["frame"] != frame:
            pass

    await_frame("landscape")
    calibration = f"har/{phone.device}/calibration"
    phone.publish(calibration, json.dumps({"v": 1, "rotation": rotation}), retain=True)
    phone.publish(calibration, json.dumps({"v": 1, "rotation": [[1, 0, 0]] * 3}), retain=True)
    phone.send_rows(raw_rows(25), first=100)
    await_frame("calibrated")
    phone.publish(calibration, b"", retain=True)
    phone.send_rows(raw_rows(25), first=125)
    await_frame("landscape")
    assert stream.end() == 0
    assert "calibrated" in stream.log
    assert "1 rejected messages (calibration 1)" in stream.log


def test_list_formats(run_command: "Run") -> None:
    """--list-formats names each format with its usual topic, without a broker."""
    result = run_command("har-stream", "--list-formats")
    assert result.returncode == 0
    for name, one in FORMATS.items():
        [line] = [line for line in result.stdout.splitlines() if line.split()[0] == name]
        assert one.topic in line
        assert one.summary in line


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--subscribe", "sensor-logger"], "'sensor-logger' is not TOPIC=FORMAT"),
        (["--subscribe", "a/#/b=native"], "no topic filter"),
        (["--subscribe", "a=csv"], "no format 'csv'"),
        (["--convention", "windows"], "no convention 'windows'"),
        (["--frame", "phone=sideways"], "no frame 'sideways'"),
    ],
)
def test_subscriptions_and_placements_that_do_not_fit(
    run_command: "Run", flags: list[str], problem: str
) -> None:
    """A subscription, convention or frame that cannot be is refused in a line."""
    result = run_command("har-stream", "--broker", "localhost", *flags)
    assert result.returncode == 1
    assert problem in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_phone_too_many(
    broker: "Broker", join: Callable[..., Phone], start_command: "Start", tiny_model: Path
) -> None:
    """With all places taken another phone is rejected, and the one that is there goes on."""
    first, second = join(broker), join(broker)
    running = start_command(
        "har-stream", *broker.flags, "--model", str(tiny_model), "--max-devices", "1"
    )
    broker.await_har_stream()
    first.send_rows(prepared_rows(100))
    first.await_message(f"har/{first.device}/availability", b"online")
    second.send_rows(prepared_rows(100))
    first.send_rows(prepared_rows(100), first=100)

    assert len(first.predictions(2)) == 2
    running.await_log("(devices, 1 so far)")


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_end(phone: Phone, stream: "Running", signal_number: int) -> None:
    """A signal lets har-stream do what has arrived, say offline and end with 0."""
    phone.await_message("har/status", b"online")
    phone.send_rows(prepared_rows(192))

    assert stream.end(signal_number) == 0
    assert len(phone.predictions(2)) == 2
    phone.await_message("har/status", b"offline")
    assert "stopped: 2 predictions from 192 samples; 0 repeated or late" in stream.log


def test_the_last_will(phone: Phone, stream: "Running") -> None:
    """When har-stream is killed, the broker says offline for it."""
    phone.await_message("har/status", b"online")
    stream.end(signal.SIGKILL)
    phone.await_message("har/status", b"offline")


def test_the_broker_restarts(
    own_mosquitto: "Mosquitto",
    join: Callable[..., Phone],
    start_command: "Start",
    tiny_model: Path,
) -> None:
    """After the broker's restart har-stream connects and subscribes again, its windows intact."""
    own_mosquitto.start()
    running = start_command("har-stream", *own_mosquitto.flags, "--model", str(tiny_model))
    own_mosquitto.await_har_stream()
    phone = join(own_mosquitto)
    phone.send_rows(prepared_rows(100))
    phone.await_message(f"har/{phone.device}/availability", b"online")

    own_mosquitto.stop()
    running.await_log("connection lost")
    own_mosquitto.start()
    running.await_log(READY, times=2)
    phone.await_subscription()
    phone.await_message("har/status", b"online")

    phone.send_rows(prepared_rows(200)[100:], first=100)
    assert len(phone.predictions(2)) == 2
    assert running.end() == 0


def test_a_copy_of_the_state(
    own_mosquitto: "Mosquitto", start_command: "Start", tiny_model: Path, tmp_path: Path
) -> None:
    """Who is started on a copy takes the session; the other ends, says so, and does not fight."""
    own_mosquitto.start()
    flags = [*own_mosquitto.flags, "--model", str(tiny_model)]
    first = start_command("har-stream", *flags, "--state", "state")
    own_mosquitto.await_har_stream()
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    second = start_command("har-stream", *flags, "--state", "copy")
    assert 1 == first.process.wait(TIMEOUT_S)
    assert "another program has taken our place" in first.log
    assert "has it a copy of our --state folder?" in first.log
    second.await_log("connected to", times=second.log.count("connection lost") + 1)
    own_mosquitto.await_har_stream()
    assert 0 == second.end()
    assert second.log.count("connected to") <= 2


def test_a_message_that_is_much_too_large(
    own_mosquitto: "Mosquitto",
    join: Callable[..., Phone],
    start_command: "Start",
    tiny_model: Path,
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
        assert len(phone.predictions(1)) == 1
        status = (Path("/proc") / str(running.process.pid) / "status").read_text()
        peak_kib = int(status.split("VmHWM:")[1].split()[0])
        assert peak_kib < 150_000
        assert 0 == running.end()


def test_a_message_that_the_broker_need_not_send(
    own_mosquitto: "Mosquitto",
    join: Callable[..., Phone],
    start_command: "Start",
    tiny_model: Path,
) -> None:
    """A broker of MQTT 5 is told what is too large, and does not send it."""
    own_mosquitto.start()
    phone = join(own_mosquitto)
    running = start_command(
        "har-stream", *own_mosquitto.flags, "--model", str(tiny_model), "--protocol", "5",
        "--max-packet", "100000",
    )  # fmt: skip
    own_mosquitto.await_har_stream()
    phone.publish("har/large/samples", bytes(200_000))
    phone.publish("har/small/samples", bytes(50_000))
    running.await_log("rejected a message on 'har/small/samples'")
    assert "har/large" not in running.log


def test_the_broker_comes_later(
    own_mosquitto: "Mosquitto",
    join: Callable[..., Phone],
    start_command: "Start",
    tiny_model: Path,
) -> None:
    """Without a broker har-stream says so in a line, and tries until there is one."""
    running = start_command("har-stream", *own_mosquitto.flags, "--model", str(tiny_model))
    running.await_log(f"no connection to 127.0.0.1:{own_mosquitto.port}")
    own_mosquitto.start()
    own_mosquitto.await_har_stream()
    phone = join(own_mosquitto)
    phone.send_rows(prepared_rows(128))
    assert len(phone.predictions(1)) == 1


def test_an_end_without_a_broker(free_port: int, start_command: "Start", tiny_model: Path) -> None:
    """A signal ends har-stream with 0 while it waits for the broker, too."""
    running = start_command(
        "har-stream", "--broker", "127.0.0.1", "--port", str(free_port), "--model", str(tiny_model)
    )
    running.await_log("no connection")
    assert running.end() == 0


def test_no_broker_and_no_retry(free_port: int, run_command: "Run", tiny_model: Path) -> None:
    """Without a broker and with --no-retry har-stream ends with 1 and one clear line."""
    result = run_command(
        "har-stream", "--broker", "127.0.0.1", "--port", str(free_port), "--no-retry",
        "--model", str(tiny_model), "--log-level", "error",
    )  # fmt: skip
    expected = f"har-stream: no connection to 127.0.0.1:{free_port}: nobody answers there\n"
    assert result.stderr == expected
    assert result.returncode == 1


@pytest.mark.parametrize(
    ("model", "said"),
    [("transformer", "no model 'transformer'"), ("gone.onnx", "no model 'gone.onnx'")],
)
def test_an_unknown_model(run_command: "Run", model: str, said: str) -> None:
    """An unknown model ends har-stream with 1 and one clear line."""
    result = run_command("har-stream", "--broker", "127.0.0.1", "--model", model)
    assert result.returncode == 1
    assert result.stderr.startswith(f"har-stream: {said}")
    assert result.stderr.count("\n") == 1


def test_a_broken_model(run_command: "Run", tmp_path: Path) -> None:
    """A model file that is none ends har-stream with 1 and one clear line."""
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    result = run_command("har-stream", "--broker", "127.0.0.1", "--model", "broken.onnx")
    assert result.returncode == 1
    assert result.stderr.startswith("har-stream: broken.onnx: cannot be loaded as an ONNX model")
    assert result.stderr.count("\n") == 1


def test_a_model_that_gives_no_probabilities(
    run_command: "Run", make_model: "Make", make_card: "MakeCard", tmp_path: Path
) -> None:
    """It is refused at the start, with what it gives."""
    path = make_model(tmp_path / "odd.onnx", card=make_card(), answer="Sqrt")
    result = run_command("har-stream", "--broker", "localhost", "--model", str(path))
    assert result.returncode == 1
    assert result.stderr.startswith(f"har-stream: {path}: its probabilities are not numbers")


def test_a_window_without_an_answer(
    phone: Phone,
    broker: "Broker",
    start_command: "Start",
    make_model: "Make",
    make_card: "MakeCard",
    tmp_path: Path,
) -> None:
    """Where the model gives no numbers there is no prediction, and the activity is unknown."""
    path = make_model(tmp_path / "some.onnx", card=make_card(), answer="some NaN")
    running = start_command("har-stream", *broker.flags, "--model", str(path))
    broker.await_har_stream()
    rows = prepared_rows(128 + 12 * 64)
    rows[:, 8] = np.where(np.arange(len(rows)) < 192, rows[:, 8], 0.5)
    phone.send_rows(rows)
    starts = [round((one["start"] - EPOCH) * 50) for one in phone.predictions(3)]
    assert [0, 64, 128] == starts
    running.await_log(f"{phone.device}: unknown")
    assert 0 == running.end()
    phone.await_message("har/status", b"offline")
    assert 3 == sum(topic.endswith("/prediction") for topic, _, _ in phone.taken)


def test_a_baseline_for_any_phone_is_refused(run_command: "Run") -> None:
    """To a model for phones worn any way round it says nothing; that is told before connecting."""
    flags = ("--broker", "127.0.0.1", "--model", "cnn-lstm-any", "--baseline")
    result = run_command("har-stream", *flags)
    assert result.returncode == 1
    assert result.stderr.startswith("har-stream: --baseline tells a model for upright phones")
    assert "cnn-lstm-any is for any; leave out one of the two" in result.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--broker", ""], "broker = '': "),
        (["--hop", "0"], "hop = '0': "),
        (["--hop", "129"], "hop = '129': "),
        (["--hop", "many"], "hop = 'many': "),
        (["--port", "70000"], "port = '70000': "),
        (["--protocol", "4"], "protocol = '4': "),
        (["--tick", "0"], "tick = '0': "),
        (["--tick", "nan"], "tick = 'nan': "),
        (["--max-devices", "0"], "max-devices = '0': "),
        (["--filter-start", "warm"], "filter-start = 'warm': "),
        (["--frobnicate", "1"], "--frobnicate"),
    ],
)
def test_settings_that_do_not_fit(
    refused_settings: Callable[..., str], flags: list[str], said: str
) -> None:
    """A setting out of bounds ends har-stream with one line that names it."""
    written = refused_settings(StreamSettings, "har-stream", "--broker", "127.0.0.1", *flags)
    *usage, line = written.splitlines()
    assert line.startswith("har-stream: ")
    assert said in line
    assert not usage or usage[0].startswith("usage: har-stream ")


def test_the_broker_must_be_named(run_command: "Run") -> None:
    """Without a broker's name har-stream says how to give it."""
    result = run_command("har-stream")
    assert result.returncode == 1
    assert result.stderr == "har-stream: --broker or HAR_BROKER is needed\n"


def test_flags_before_variables_before_the_file(
    run_command: "Run", tmp_path: Path, tiny_model: Path
) -> None:
    """A flag goes before a HAR_ variable, that before .env, that before the default."""
    with socket.socket() as taken:  # bound, but nobody listens: the port refuses
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        (tmp_path / ".env").write_text(
            f"HAR_BROKER=127.0.0.1\nHAR_PORT=1\nHAR_RETRY=false\nHAR_MODEL={tiny_model}\n"
        )

        def refused(*flags: str, **environment: str) -> str:
            return run_command("har-stream", *flags, **environment).stderr.splitlines()[-1]

        assert refused() == ("har-stream: no connection to 127.0.0.1:1: nobody answers there")
        assert f"127.0.0.1:{port}:" in refused(HAR_PORT=str(port))
        assert f"127.0.0.1:{port}:" in refused("--port", str(port), HAR_PORT="2")


def test_help(run_command: "Run") -> None:
    """--help names every setting with its default, and no variable is needed for it."""
    result = run_command("har-stream", "--help")
    assert result.returncode == 0
    settings = result.stdout.split("options:")[1].strip().splitlines()
    assert len(StreamSettings.model_fields) + 1 == len(settings)  # one line each, and --help's
    assert "default: 64" in result.stdout
    assert "20 ms" in result.stdout


def test_calibrations_of_phones_that_are_not_there(
    own_mosquitto: "Mosquitto",
    join: Callable[..., Phone],
    start_command: "Start",
    tiny_model: Path,
) -> None:
    """Of them so many are kept as phones are served; that of a phone which sends is kept always."""
    own_mosquitto.start()
    phone = join(own_mosquitto)
    running = start_command(
        "har-stream", *own_mosquitto.flags, "--model", str(tiny_model), "--max-devices", "1"
    )
    own_mosquitto.await_har_stream()
    calibration = json.dumps({"v": 1, "rotation": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]})
    for name in ("invented-1", "invented-2"):
        phone.publish(f"har/{name}/calibration", calibration, retain=True)
    running.await_log("rejected a message on 'har/invented-2/calibration' (devices, 1 so far)")
    phone.send_rows(prepared_rows(25))
    phone.await_message(f"har/{phone.device}/availability", b"online")
    phone.publish(f"har/{phone.device}/calibration", calibration, retain=True)
    while json.loads(phone.await_message(f"har/{phone.device}/info")[0])["frame"] != "calibrated":
        pass


def test_a_refused_message_takes_no_place(
    own_mosquitto: "Mosquitto",
    join: Callable[..., Phone],
    start_command: "Start",
    tiny_model: Path,
) -> None:
    """Who sends samples of which some are of the future does not count as a phone."""
    own_mosquitto.start()
    phone = join(own_mosquitto)
    running = start_command(
        "har-stream", *own_mosquitto.flags, "--model", str(tiny_model), "--max-devices", "1",
        "--subscribe", "sensor-logger=sensor-logger",
    )  # fmt: skip
    own_mosquitto.await_har_stream()
    message = json.loads(sensor_logger(raw_rows(25), first=0, device="ghost"))
    for entry in message["payload"]:
        if entry["name"] == "gyroscope":  # the others would be taken
            entry["time"] = 4_000_000_000 * 10**9
    phone.publish("sensor-logger", json.dumps(message))
    running.await_log("s ahead of this machine's clock")
    phone.send_rows(prepared_rows(128))
    assert len(phone.predictions(1)) == 1
