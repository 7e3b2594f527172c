"""``POST /push`` at a running har-web."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.formats import FORMATS
from pipeline.readings import MAX_PAYLOAD_BYTES
from tests.client import MqttClient
from tests.commands.web.browser import Answer, Site
from tests.commands.web.conftest import TOKEN

if TYPE_CHECKING:
    from tests.brokers import Broker

pytestmark = pytest.mark.broker


def message(device: str) -> bytes:
    """Return a message as Sensor Logger pushes it."""
    values = {"x": 0.1, "y": 0.2, "z": 9.8}
    readings = [
        {"name": name, "time": 1_700_000_000_000_000_000 + i * 20_000_000, "values": values}
        for i in range(10)
        for name in ("accelerometer", "gravity", "gyroscope")
    ]
    content = {"messageId": 1, "sessionId": "s", "deviceId": device, "payload": readings}
    return json.dumps(content).encode()


def push(site: Site, body: bytes, path: str = "/push", **headers: Any) -> Answer:  # noqa: ANN401
    """Push a message."""
    return site.ask(path, method="POST", body=body, **headers)


def test_a_message(site: Site, broker: "Broker", device: str) -> None:
    """It is published as it came, under the phone's own name."""
    with MqttClient(broker, f"sensor-logger/{device}") as client:
        assert (200, "") == push(site, message(device))[::2]
        payload, _ = client.await_message(f"sensor-logger/{device}")
    assert message(device) == payload
    assert 3 == len(FORMATS["sensor-logger"].decode(payload, device))


def test_a_name_in_the_address(site: Site, broker: "Broker", device: str) -> None:
    """It takes the place of the one that the app has."""
    with MqttClient(broker, f"sensor-logger/{device}") as client:
        assert 200 == push(site, message("0815"), f"/push?device={device}").status
        client.await_message(f"sensor-logger/{device}", message("0815"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no message of Sensor Logger"),
        (b"\xff", "no message of Sensor Logger"),
        (b"[]", "no message of Sensor Logger"),
        (b"{}", "a device name has"),
        (b'{"deviceId": "a/b"}', "a device name has"),
        (b'{"deviceId": "a"}', "payload"),
        (b'{"deviceId": "a", "payload": [{"name": "gyroscope"}]}', "gyroscope"),
    ],
)
def test_messages_that_do_not_fit(site: Site, body: bytes, words: str) -> None:
    """The app is told why, in words."""
    answer = push(site, body)
    assert 400 == answer.status
    assert words in answer.body


def test_a_message_that_is_too_large(site: Site) -> None:
    """It is refused for its size, whatever it holds."""
    answer = push(site, b" " * (MAX_PAYLOAD_BYTES + 1))
    assert (413, True) == (answer.status, "push more often" in answer.body)


def test_too_many_messages(site: Site, device: str) -> None:
    """Beyond what a phone may send, the reason is said; other phones are not touched."""
    answers = [push(site, message(device)) for _ in range(60)]
    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert "push less often" in refused[0].body
    assert "1" == refused[0].headers["retry-after"]
    assert 200 == push(site, message(f"{device}-2")).status


def test_the_token(locked: Site, device: str) -> None:
    """It stands in the header or the address; a phone's own opens its own name alone."""
    body = message(device)
    cookie = locked.ask(f"/?token={TOKEN}").cookie
    link = locked.ask(f"/link?device={device}", Cookie=cookie).body
    own = link.partition("token=")[2].partition('"')[0]
    assert 200 == push(locked, body, Authorization=f"Bearer {TOKEN}").status
    assert 200 == push(locked, body, f"/push?token={TOKEN}").status
    assert 200 == push(locked, body, f"/push?device={device}&token={own}").status
    named = f"/push?device={device}"
    assert 200 == push(locked, body, named, Authorization=f"bearer {own}").status
    for path, headers in (
        ("/push", {}),
        ("/push?token=x", {}),
        ("/push", {"Authorization": "Bearer x"}),
        ("/push", {"Authorization": f"Basic {TOKEN}"}),
        ("/push", {"Authorization": f"Bearer {own}"}),
        ("/push", {"Cookie": cookie}),
        (f"/push?device={device}x&token={own}", {}),
    ):
        answer = push(locked, body, path, **headers)
        assert (401, True) == (answer.status, "token" in answer.body), (path, headers)
