import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.recordings import simulated
from pipeline.vocabulary import ACTIVITIES
from tests.commands.stream.sent import prepared_rows, raw_rows, sensor_logger
from tests.fuzz import times
from tests.phone import EPOCH, Phone

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]
    Make = Callable[..., Path]
    MakeCard = Callable[..., dict[str, object]]

pytestmark = pytest.mark.broker


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
    assert "tiny@0badcafe" == first["model"]
    assert first["settling"] is True
    assert list(first["probabilities"]) == list(ACTIVITIES)
    assert pytest.approx(1.0, abs=1e-5) == sum(first["probabilities"].values())
    assert first["probability"] == max(first["probabilities"].values())
    assert first["probabilities"][first["activity"]] == first["probability"]
    for number, prediction in enumerate((first, second, third)):
        assert pytest.approx(EPOCH + number * 1.28, abs=1e-5) == prediction["start"]
        assert pytest.approx(EPOCH + number * 1.28 + 2.54, abs=1e-5) == prediction["end"]


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

    assert b"online" == online[1]
    assert {"device", "activity", "since", "probability"} == set(activity)
    assert activity["device"] == phone.device
    assert activity["activity"] in (*ACTIVITIES, "transition", "unknown")
    assert pytest.approx(EPOCH, abs=1e-5) == activity["since"]
    assert json.loads(retained_activity) == activity
    assert is_retained
    assert (b"online", True) == availability


def test_what_the_program_is(
    phone: Phone, broker: "Broker", join: Callable[..., Phone], start_stream: "Start"
) -> None:
    """What others must know of har-stream is retained, and taken for no phone's."""
    phone.publish("har/history", b"online", retain=True)
    running = start_stream(
        "--hop", "32", "--subscribe", "har/+=native", "--subscribe", "phyphox/+=phyphox"
    )
    while json.loads(phone.await_message("har/info")[0])["hop"] != 32:  # of another before
        pass
    payload, is_retained = join(broker).await_message("har/info")
    assert is_retained
    expected = {
        "version": version("har-stream"), "model": "tiny@0badcafe", "hop": 32,
        "window_length": 128, "models": ["tiny@0badcafe"],
        "formats": ["browser", "native", "phyphox", "sensor-logger", "sensorspot"],
    }  # fmt: skip
    assert expected == json.loads(payload)
    assert 0 == running.end()
    assert "0 rejected messages" in running.log
    phone.publish("har/history", b"", retain=True)  # other tests have the same broker


def test_episodes(phone: Phone, broker: "Broker", start_command: "Start") -> None:
    """What a phone's wearer has done is told as episodes that follow one another, not retained."""
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
    assert 0 == running.end()
    phone.await_message("har/status", b"offline")
    episodes = [json.loads(m[1]) for m in phone.taken if m[0] == f"har/{phone.device}/episode"]
    assert pytest.approx(EPOCH + 59.5, abs=1.5) == episodes[-1]["end"]  # closed at the end


def test_the_heartbeat_and_the_silent_phone(phone: Phone, start_stream: "Start") -> None:
    """An unchanged activity is published again, and a silent phone goes offline."""
    start_stream("--heartbeat", "0.1", "--offline-after", "3")
    phone.send_rows(prepared_rows(128))

    activities = [phone.await_message(f"har/{phone.device}/activity")[0] for _ in range(2)]

    assert activities[0] == activities[1]
    phone.await_message(f"har/{phone.device}/availability", b"offline")


def test_a_phone_that_is_forgotten_with_its_last_window(
    phone: Phone, start_stream: "Start", join: Callable[..., Phone], broker: "Broker"
) -> None:
    """Rows that waited for others make windows when it ends; har-stream goes on without it."""
    running = start_stream("--hop", "1", "--forget-after", "1")
    _, sent = times.messages(1, seconds=4)
    for message in sent:
        phone.publish(f"har/{phone.device}/samples", message.payload)
    phone.await_message(f"har/{phone.device}/info", b"")
    other = join(broker)
    other.send_rows(raw_rows(200), size=200)
    assert 3 == len(other.predictions(3))
    assert 0 == running.end()


def test_formats_side_by_side(phone: Phone, start_stream: "Start") -> None:
    """Phones of several formats are served at once, each on the topic of its subscription."""
    running = start_stream(
        *("--subscribe", "sensor-logger=sensor-logger", "--subscribe", "spots/+/#=sensorspot"),
        *("--convention", "auto,other=ios"),
    )
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

    assert pytest.approx(EPOCH, abs=1e-5) == first["start"]
    assert pytest.approx(EPOCH + 1.28, abs=1e-5) == second["start"]
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
    assert 0 == running.end()
    assert "12 rejected messages (field 6, json 6)" in running.log


def test_home_assistant(
    phone: Phone, broker: "Broker", join: Callable[..., Phone], start_stream: "Start"
) -> None:
    """Each phone is announced to Home Assistant, and again when Home Assistant starts."""
    start_stream("--home-assistant")
    topic = f"homeassistant/device/har_{phone.device}/config"
    phone.send_rows(prepared_rows(128))

    announced, _ = phone.await_message(topic)
    kept = join(broker).await_message(topic)
    phone.publish("homeassistant/status", "online")
    again, _ = phone.await_message(topic)

    config = json.loads(announced)
    assert config["components"]["activity"]["options"] == [*ACTIVITIES, "transition", "unknown"]
    assert f"har/{phone.device}/activity" == config["components"]["activity"]["state_topic"]
    assert kept == (announced, True)
    assert again == announced
    phone.publish(topic, b"", retain=True)


def test_a_phone_that_home_assistant_need_not_show_any_more(
    phone: Phone, start_stream: "Start"
) -> None:
    """When a phone is forgotten, its announcement is taken back with all that was retained."""
    start_stream("--home-assistant", "--offline-after", "1", "--forget-after", "2")
    topic = f"homeassistant/device/har_{phone.device}/config"
    phone.send_rows(prepared_rows(128))

    assert phone.await_message(topic)[0]
    phone.await_message(f"har/{phone.device}/availability", b"offline")
    phone.await_message(f"har/{phone.device}/availability", b"")
    phone.await_message(f"har/{phone.device}/activity", b"")
    phone.await_message(topic, b"")


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
    assert 0 == stream.end()
    assert "calibrated" in stream.log
    assert "1 rejected messages (calibration 1)" in stream.log


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
