"""What a dashboard gets of what the broker has, by the front door."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.recordings import simulated
from tests.client import MqttClient
from tests.commands.web.browser import Site

if TYPE_CHECKING:
    from tests.brokers import Broker, Mosquitto
    from tests.commands.web.conftest import StartWeb
    from tests.processes import Running

pytestmark = pytest.mark.broker


def tell(client: MqttClient, device: str, **leaves: object) -> None:
    """Publish on a phone's topics what har-stream would."""
    for leaf, content in leaves.items():
        payload = content if isinstance(content, bytes) else json.dumps(content)
        retain = leaf in ("availability", "activity", "info", "calibration")
        client.publish(f"har/{device}/{leaf}", payload, retain=retain)


def test_a_phone_appears(site: Site, client: MqttClient, device: str) -> None:
    """As soon as har-stream tells of it; what follows is told as a change."""
    with site.page() as page:
        page.receive()
        page.await_that(lambda: page.state.get("link") == "up")
        tell(client, device, availability=b"online")
        page.await_that(lambda: device in page.phones)
        change = {"activity": "WALKING", "since": 1.7e9, "probability": 0.9}
        tell(client, device, activity=change)
        page.await_that(lambda: page.phones[device].get("activity") == change)
        assert [[1.7e9, 1.7e9, "WALKING", 0.9]] == page.phones[device]["ribbon"]
        tell(client, device, availability=b"", activity=b"")
        page.await_that(lambda: device not in page.phones)


def test_a_server_that_is_started_again_shows_the_same(
    start_web: "StartWeb", client: MqttClient, device: str
) -> None:
    """It has it from the broker."""
    tell(client, device, availability=b"online", info={"device": device, "warnings": ["gaps"]})
    tell(client, device, activity={"activity": "SITTING", "since": 1.7e9, "probability": 0.5})
    shown = []
    for _ in range(2):
        running, site = start_web()
        with site.page() as page:
            page.await_that(lambda p=page: "activity" in p.phones.get(device, {}))  # type: ignore[misc]
            shown.append(page.phones[device])
        running.process.kill()
        running.process.wait()
    assert shown[0] == shown[1]
    tell(client, device, availability=b"", info=b"", activity=b"")


def test_a_replay_with_labels(
    start_web: "StartWeb",
    own_mosquitto: "Mosquitto",
    start_command: "Callable[..., Running]",
    run_command: Callable[..., object],
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    """Windows, accuracy and confusion matrix are those that har-replay reports."""
    own_mosquitto.start()
    _, site = start_web(at=own_mosquitto)
    start_command("har-stream", *own_mosquitto.flags, "--model", str(tiny_model))
    own_mosquitto.await_har_stream()
    with site.page() as page:
        page.receive()
        run_command(
            "har-replay", *own_mosquitto.flags, "--recording", "simulated", "--duration", "24",
            "--speed", "max", "--labels", "--wait", "--report", "report.json",
        )  # fmt: skip
        report = json.loads((tmp_path / "report.json").read_text())

        def judged() -> int:
            truths = [phone.get("truth", {"windows": 0}) for phone in page.phones.values()]
            return sum(truth["windows"] for truth in truths)

        page.await_that(lambda: judged() >= report["windows_labelled"])
        assert report["windows_labelled"] == judged() > 0
        truths = [phone["truth"] for phone in page.phones.values()]
        right = sum(truth["right"] for truth in truths)
        assert report["accuracy"] == pytest.approx(right / judged(), abs=1e-4)
        names = page.state["activities"]
        for i, true in enumerate(names):
            row = [sum(truth["confusion"][i][j] for truth in truths) for j in range(len(names))]
            assert row == [report["confusion"][true][name] for name in names]


def test_signals_of_watched_phones(site: Site, client: MqttClient, device: str) -> None:
    """Only of those, and of the opened one all that there is."""
    rows = simulated.recordings(1, seconds=8, activity="WALKING")[0].stretches[0].samples
    now = time.time() - 8

    def send(first: int) -> None:
        content = {
            "start": now + first / 50, "rate": 50.0, "acc_unit": "m/s2", "gyro_unit": "rad/s",
            "acc": rows[first : first + 50, :3].tolist(),
            "gyro": rows[first : first + 50, 3:].tolist(),
        }  # fmt: skip
        client.publish(f"har/{device}/samples", json.dumps(content))

    tell(client, device, availability=b"online")
    for first in range(0, 300, 50):
        send(first)
    with site.page() as page:
        page.await_that(lambda: device in page.phones)
        assert "signals" not in page.phones[device]
        page.send(type="watch", devices=[device, "nobody"], open=device)
        page.await_that(lambda: "signals" in page.phones[device])
        first_block = page.phones[device]["signals"]
        assert first_block["start"] == pytest.approx(now, abs=0.001)
        opened = page.await_frame("opened")
        assert device == opened["device"]
        assert opened["signals"]["start"] == pytest.approx(now, abs=0.001)
        assert 9 == len(opened["signals"]["rows"][0])
        send(300)
        page.await_that(lambda: page.phones[device]["signals"]["start"] > first_block["start"])
        end = first_block["start"] + len(first_block["acc"]) / 50
        assert page.phones[device]["signals"]["start"] == pytest.approx(end, abs=0.002)
    tell(client, device, availability=b"")


def test_at_most_ten_frames_a_second(site: Site, client: MqttClient, device: str) -> None:
    """Whatever the phones do."""
    with site.page() as page:
        page.receive()
        page.await_that(lambda: page.state.get("link") == "up")
        begun = time.monotonic()
        for number in range(600):
            activity = {"activity": "WALKING", "since": 1e9 + number, "probability": 0.5}
            client.send(f"har/{device}/activity", json.dumps(activity))
        page.await_that(
            lambda: page.phones.get(device, {}).get("activity", {}).get("since") == 1e9 + 599
        )
        seconds = time.monotonic() - begun
    n_updates = sum(frame["type"] == "update" for frame in page.frames)
    assert n_updates <= 10 * seconds + 3


def test_a_browser_that_does_not_read(
    start_web: "StartWeb", client: MqttClient, device: str
) -> None:
    """It is skipped over: memory stays bounded, others get all, and it has the newest at last."""
    running, site = start_web()
    status = Path(f"/proc/{running.process.pid}/status")

    def resident_mib() -> float:
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) / 1024

    slow = socket.create_connection(("127.0.0.1", site.port))
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(
        b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    with site.page() as page:
        page.receive()
        page.await_that(lambda: page.state.get("link") == "up")
        before = resident_mib()
        for number in range(60):
            info = {"device": device, "n": number, "text": "x" * 60_000}
            client.publish(f"har/{device}/info", json.dumps(info))
            page.await_that(
                lambda n=number: page.phones.get(device, {}).get("info", {}).get("n") == n  # type: ignore[misc]
            )
        assert resident_mib() < before + 3  # 60 frames would be 3.6 MB, if they were kept
    slow.close()


def test_a_broker_that_goes_away(start_web: "StartWeb", own_mosquitto: "Mosquitto") -> None:
    """That is said, and when it is back, so is what it has."""
    own_mosquitto.start()
    running, site = start_web(at=own_mosquitto)
    with site.page() as page:
        page.await_that(lambda: page.state.get("link") == "up")
        own_mosquitto.stop()
        page.await_that(lambda: page.state["link"] == "down")
        assert "unknown" == page.state["stream"]
        own_mosquitto.start()
        with MqttClient(own_mosquitto) as client:
            client.publish("har/status", b"online", retain=True)
        page.await_that(lambda: (page.state["link"], page.state["stream"]) == ("up", "online"))
    assert 0 == running.end()


def test_without_a_broker(start_web: "StartWeb", free_port: int) -> None:
    """The pages are there, and say that the broker is away."""
    running, site = start_web("--port", str(free_port), awaits="next try in")
    with site.page() as page:
        page.await_that(lambda: page.state.get("link") == "down")
    assert 0 == running.end()


def test_messages_that_do_not_fit(
    start_web: "StartWeb", client: MqttClient, device: str, broker: "Broker"
) -> None:
    """They are logged, and nothing else happens."""
    running, site = start_web()
    for leaf in ("activity", "prediction", "info", "label", "calibration"):
        client.publish(f"har/{device}/{leaf}", b"\xff{")
    client.publish("har/load", b"[]")
    client.publish("har/status", b"\xff")
    running.await_log("passed over", times=6)
    with site.page() as page:
        tell(client, device, availability=b"online")
        page.await_that(lambda: device in page.phones)
    tell(client, device, availability=b"")
    client.publish("har/status", b"offline", retain=True)
    assert 0 == running.end()
