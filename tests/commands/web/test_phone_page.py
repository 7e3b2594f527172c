"""A phone's page at a running har-web: samples, labels and calibration, by the front door."""

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from pipeline.calibration_message import decode_calibration
from pipeline.formats import FORMATS
from pipeline.readings import Readings
from pipeline.recognition.placement.frames import UP, angle_deg
from tests.client import MqttClient
from tests.commands.calibrate.wearers import ASKEW, EPOCH, Rows, stand, stroll
from tests.commands.web.browser import Page, Site

if TYPE_CHECKING:
    from tests.brokers import Broker, Mosquitto
    from tests.commands.web.conftest import StartWeb
    from tests.processes import Running

pytestmark = pytest.mark.broker


@pytest.fixture
def listener(broker: "Broker", device: str) -> Iterator[MqttClient]:
    """A client that hears what is published of the phone."""
    topics = [f"browser/{device}", f"har/{device}/samples"]
    topics += [f"har/{device}/label", f"har/{device}/calibration"]
    with MqttClient(broker, *topics) as client:
        client.publish("har/status", b"online", retain=True)
        yield client
        for leaf in ("info", "calibration", "activity", "availability"):
            client.publish(f"har/{device}/{leaf}", b"", retain=True)
        client.publish("har/status", b"offline", retain=True)


@pytest.fixture
def page(site: Site, device: str, listener: MqttClient) -> Iterator[Page]:
    """The phone's page, which has been greeted."""
    with site.page(f"?device={device}") as page:
        hello = page.receive()
        assert ("hello", device) == (hello["type"], hello["device"])
        yield page


def compact(rows: Rows, *, first: int = 0) -> bytes:
    """Return rows as the page sends them: float32, deg/s, each with its time."""
    return msgspec.msgpack.encode(
        {
            "v": 1, "recording": "r1", "convention": "android",
            "time": (EPOCH + (first + np.arange(len(rows))) / 50).astype("<f8").tobytes(),
            "acc": rows[:, :3].astype("<f4").tobytes(), "acc_unit": "m/s2",
            "gyro": np.degrees(rows[:, 3:]).astype("<f4").tobytes(), "gyro_unit": "deg/s",
        }
    )  # fmt: skip


def samples(rows: Rows, *, first: int = 0) -> dict[str, Any]:
    """Return rows as a page of har-stream 0.1 sends them, or one of a phone that lacks a sensor."""
    return {
        "v": 1, "unit": "m/s2", "gyro_unit": "deg/s", "platform": "android", "recording": "r1",
        "samples": [
            dict(
                zip(
                    ("t", "agx", "agy", "agz", "rx", "ry", "rz"),
                    [EPOCH + (first + i) / 50, *row[:3], *np.degrees(row[3:])],
                    strict=True,
                )
            )
            for i, row in enumerate(rows.tolist())
        ],
    }  # fmt: skip


def send_rows(page: Page, rows: Rows, *, first: int = 0) -> int:
    """Send rows in frames of twenty; return the number of the next row."""
    for begin in range(0, len(rows), 20):
        page.send_bytes(compact(rows[begin : begin + 20], first=first + begin))
    return first + len(rows)


def test_compact_samples_reach_the_broker(page: Page, listener: MqttClient, device: str) -> None:
    """As the page sent them, on the topic of native samples, and that is confirmed."""
    rows = stand(0.4)
    payload = compact(rows)
    page.send_bytes(payload)
    published, is_retained = listener.await_message(f"har/{device}/samples")
    assert (payload, False) == (published, is_retained)
    [readings] = FORMATS["native"].decode(published, device)
    assert isinstance(readings, Readings)
    np.testing.assert_allclose(readings.values, rows, rtol=1e-6, atol=1e-6)
    page.await_that(lambda: page.answers.get("received") == 20)
    assert pytest.approx(EPOCH + 19 / 50) == page.answers["until"]


@pytest.mark.parametrize("payload", [b"", b"\x81", b"{}", b"\x00" * 100])
def test_bytes_that_do_not_fit(page: Page, payload: bytes) -> None:
    """That is said in words, until some fit again; the connection goes on."""
    page.send_bytes(payload)
    page.await_that(lambda: "cannot be used" in str(page.answers.get("problem")))
    page.send_bytes(compact(stand(0.4)))
    page.await_that(lambda: page.answers.get("problem", "") is None)


def test_samples_reach_the_broker(page: Page, listener: MqttClient, device: str) -> None:
    """As the page sent them, in a format that har-stream reads, and that is confirmed."""
    rows = stand(0.4)
    payload = samples(rows)
    page.send(type="samples", payload=payload)
    published, is_retained = listener.await_message(f"browser/{device}")
    assert (payload, False) == (json.loads(published), is_retained)
    [readings] = FORMATS["browser"].decode(published, device)
    assert isinstance(readings, Readings)
    np.testing.assert_allclose(readings.values, rows, atol=1e-9)
    page.await_that(lambda: page.answers.get("received") == 20)
    assert pytest.approx(EPOCH + 19 / 50) == page.answers["until"]


def test_samples_that_do_not_fit(page: Page, device: str) -> None:
    """That is said in words, until some fit again; the connection goes on."""
    payload = samples(stand(0.4))
    for sample in payload["samples"]:
        sample["rx"] = None
    page.send(type="samples", payload=payload)
    page.await_that(lambda: "no gyroscope" in str(page.answers.get("problem")))
    page.send(type="samples", payload=samples(stand(0.4)))
    page.await_that(lambda: page.answers.get("problem", "") is None)


def test_what_is_recognised_comes_back(page: Page, listener: MqttClient, device: str) -> None:
    """Activity, and advice where something is wrong; of this phone alone."""
    other = {"activity": "LAYING", "since": 1.0, "probability": 1.0}
    listener.publish(f"har/{device}x/activity", json.dumps(other))
    activity = {"activity": "WALKING", "since": 2.0, "probability": 0.75}
    listener.publish(f"har/{device}/activity", json.dumps(activity), retain=True)
    info = {"topic": "t", "format": "browser", "warnings": ["low-rate"], "advice": ["send more"]}
    listener.publish(f"har/{device}/info", json.dumps(info), retain=True)
    page.await_that(lambda: page.answers.get("advice") == ["send more"])
    assert ("WALKING", 2.0, 0.75) == tuple(page.answers[key] for key in activity)
    assert not any(frame.get("activity") == "LAYING" for frame in page.frames)


def test_from_motion_to_the_word(
    start_web: "StartWeb",
    own_mosquitto: "Mosquitto",
    start_command: "Callable[..., Running]",
    device: str,
) -> None:
    """Without any setting, who walks with the page is told so, and so is the dashboard."""
    own_mosquitto.start()
    _, site = start_web(at=own_mosquitto)
    start_command("har-stream", *own_mosquitto.flags)
    own_mosquitto.await_har_stream()
    with site.page(f"?device={device}") as page, site.page() as dashboard:
        dashboard.await_that(lambda: dashboard.state.get("stream") == "online")
        send_rows(page, stroll(14.0))
        page.await_that(lambda: page.answers.get("activity") == "WALKING")
        dashboard.await_that(lambda: "info" in dashboard.phones.get(device, {}))
        shown = dashboard.phones[device]
        assert ("WALKING", "native") == (shown["activity"]["activity"], shown["info"]["format"])


def test_labels(page: Page, listener: MqttClient, device: str) -> None:
    """Each is published as har-record reads it, and confirmed; none ends the one before."""
    now = round(time.time(), 3)
    page.send(type="label", activity="cycling fast", time=now)
    published, _ = listener.await_message(f"har/{device}/label")
    assert {"label": "CYCLING_FAST", "time": now} == json.loads(published)
    expected = {"activity": "CYCLING_FAST", "time": now}
    page.await_that(lambda: page.answers.get("label") == expected)
    page.send(type="label", activity=None, time=now)
    assert "" == json.loads(listener.await_message(f"har/{device}/label")[0])["label"]
    page.send(type="label", activity="!", time=now)
    page.await_that(lambda: "is no activity" in str(page.answers.get("problem")))


def tell_info(client: MqttClient, device: str, **changes: Any) -> None:  # noqa: ANN401
    """Publish what har-stream would tell of this phone."""
    info = {"topic": f"har/{device}/samples", "format": "native", "convention": "android"}
    payload = json.dumps({"device": device, "warnings": []} | info | changes)
    client.publish(f"har/{device}/info", payload, retain=True)


def step(page: Page, name: str) -> dict[str, Any]:
    """Return the calibration when it has come to a step."""
    page.await_that(
        lambda: page.answers.get("calibration", {}).get("step") == name, f"no step {name}"
    )
    found: dict[str, Any] = page.answers["calibration"]
    return found


def begin(page: Page, client: MqttClient, device: str, **info: object) -> None:
    """Let a calibration begin, once the server knows the phone."""
    tell_info(client, device, advice=["known"], **info)
    page.await_that(lambda: page.answers.get("advice") == ["known"])
    page.send(type="calibrate", step="begin")


def test_calibrating(page: Page, listener: MqttClient, device: str) -> None:
    """Whoever does what the page says gets a calibration, retained, that fits the phone."""
    begin(page, listener, device)
    assert "Stand still" in step(page, "stand")["words"]
    next_row = send_rows(page, stand(worn=ASKEW))
    assert "walk ten steps" in step(page, "walk")["words"]
    send_rows(page, stroll(worn=ASKEW), first=next_row)
    assert "Calibrated." in step(page, "done")["words"]
    assert any(frame.get("calibration", {}).get("steps", 0) > 2 for frame in page.frames)
    payload, _ = listener.await_message(f"har/{device}/calibration")
    rotation = decode_calibration(payload)
    assert rotation is not None
    assert angle_deg(rotation @ stand(worn=ASKEW)[:, :3].mean(axis=0), UP) < 8
    page.send(type="calibrate", step="remove")
    assert "taken back" in step(page, "removed")["words"]
    listener.await_message(f"har/{device}/calibration", b"")


def test_calibrations_that_cannot_be(page: Page, listener: MqttClient, device: str) -> None:
    """Of a phone that is not known, or that would have nothing of it, none is begun."""
    page.send(type="calibrate", step="begin")
    assert "does not know this phone" in step(page, "failed")["words"]
    page.answers.clear()
    begin(page, listener, device, calibration="none", placement="any", placement_by="set")
    assert "changes nothing" in step(page, "failed")["words"]


def test_a_calibration_that_is_cancelled(page: Page, listener: MqttClient, device: str) -> None:
    """Nothing is published, whatever the phone does then."""
    begin(page, listener, device)
    step(page, "stand")
    page.send(type="calibrate", step="cancel")
    next_row = send_rows(page, stand())
    next_row = send_rows(page, stroll(), first=next_row)
    page.await_that(lambda: page.answers.get("received") == next_row)
    assert "stand" == page.answers["calibration"]["step"]


def test_no_har_stream(page: Page, listener: MqttClient) -> None:
    """That nothing is recognised is said, until it is again."""
    listener.publish("har/status", b"offline", retain=True)
    page.await_that(lambda: "har-stream is not running" in str(page.answers.get("problem")))
    listener.publish("har/status", b"online", retain=True)
    page.await_that(lambda: page.answers.get("problem", "") is None)


def test_no_broker(start_web: "StartWeb", own_mosquitto: "Mosquitto") -> None:
    """Samples wait, and that is said; they are confirmed when the broker is back."""
    own_mosquitto.start()
    _, site = start_web(at=own_mosquitto)
    with site.page("?device=anna") as page:
        page.await_that(lambda: "not running" in str(page.answers.get("problem")))
        own_mosquitto.stop()
        page.await_that(lambda: "no connection" in str(page.answers.get("problem")))
        page.send_bytes(compact(stand(0.4)))
        own_mosquitto.start()
        page.await_that(lambda: page.answers.get("received") == 20)


def test_a_page_that_sends_too_fast(page: Page) -> None:
    """It is read more slowly; nothing is lost."""
    begun = time.monotonic()
    rows = stand(1.4)
    for number in range(70):
        page.send_bytes(compact(rows[number : number + 1], first=number))
    page.await_that(lambda: page.answers.get("received") == 70)
    assert time.monotonic() - begun > (70 - 40) / 20 - 0.1


def test_frames_that_no_phone_sends(site: Site, device: str) -> None:
    """They end the connection, with the reason."""
    for frame in (
        {"type": "watch", "devices": []},
        {"type": "label", "activity": "WALKING"},
        {"type": "label", "activity": "WALKING", "time": -1},
        {"type": "calibrate", "step": "publish"},
    ):
        with site.page(f"?device={device}") as page:
            page.send(**frame)
            assert "A frame does not fit" in page.await_frame("error")["reason"]
            with pytest.raises(ConnectionClosed):
                page.receive()
