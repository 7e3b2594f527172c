"""What Home Assistant is told of phones while har-stream comes and goes."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.recordings.simulated import recordings
from pipeline.serving.outputs.homeassistant import discovery
from tests.commands.stream.sent import prepared_rows
from tests.phone import Phone

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]


def motion_of(activity: str, seconds: int) -> NDArray[np.float64]:
    """Return a simulated wearer's samples, ``(50 * seconds, 6)``."""
    (recording,) = recordings(1, seconds=seconds, activity=activity)
    samples = np.concatenate([stretch.samples for stretch in recording.stretches])
    return samples[: 50 * seconds]


def test_activities_begin(
    phone: Phone, join: Callable[..., Phone], broker: "Broker", start_command: "Start"
) -> None:
    """That each does is published once, by its name; not of what may have begun before."""
    start_command("har-stream", *broker.flags, "--heartbeat", "1")
    broker.await_har_stream()
    topic = f"har/{phone.device}/begins"
    phone.send_rows(np.concatenate([motion_of(name, 20) for name in ("WALKING", "LAYING")]))
    assert (b"LAYING", False) == phone.await_message(topic)
    phone.send_rows(motion_of("WALKING", 20), first=2000)
    assert (b"WALKING", False) == phone.await_message(topic)
    late = join(broker)
    for _ in range(2):  # retained, and a heartbeat
        assert "WALKING" in late.await_message(f"har/{phone.device}/activity")[0].decode()
    phone.publish("har/end", b"")
    for hears in (late, phone):
        hears.await_message("har/end")
    begun = [one.payload for one in phone.received if one.topic == topic]
    assert ([b"LAYING", b"WALKING"], []) == (begun, [r for r in late.received if r.topic == topic])


def test_a_phone_is_named(
    phone: Phone, broker: "Broker", start_stream: "Start", join: Callable[..., Phone]
) -> None:
    """A phone is announced by the name of its options, which its info says, until it is empty."""
    start_stream("--home-assistant")
    announced = f"homeassistant/device/har_{phone.device}/config"
    info, options = f"har/{phone.device}/info", f"har/{phone.device}/options"

    def shown() -> str:
        return json.loads(phone.await_message(announced)[0])["device"]["name"]

    def await_info(key: str, value: object) -> dict[str, object]:
        while (content := json.loads(phone.await_message(info)[0])).get(key) != value:
            pass
        return content

    phone.publish(options, json.dumps({"name": "Anna's phone"}), retain=True)
    phone.send_rows(prepared_rows(128))
    assert "Anna's phone" == shown()
    await_info("name", "Anna's phone")
    phone.publish(options, json.dumps({"name": "n" * 65}))
    advice = await_info("rejected", {"options": 1})["advice"]
    assert "a name is to have 1 to 64 printable characters" in str(advice)
    phone.publish(options, json.dumps({"name": "Küche"}), retain=True)
    assert "Küche" == shown()
    phone.publish(options, b"", retain=True)
    assert phone.device == shown()
    await_info("name", None)


def test_a_name_outlives_the_program(phone: Phone, start_stream: "Start", broker: "Broker") -> None:
    """Whether the broker sends it again or not, a phone's name is there with the state."""
    flags = ("--home-assistant", "--state", "state", "--checkpoint", "0.01")
    options = f"har/{phone.device}/options"
    announced = f"homeassistant/device/har_{phone.device}/config"
    running = start_stream(*flags)
    phone.publish(options, json.dumps({"name": "Anna's phone"}))  # and not retained
    phone.send_rows(prepared_rows(128))
    assert "Anna's phone" in phone.await_message(announced)[0].decode()
    assert 0 == running.end()
    start_stream(*flags)
    phone.publish("homeassistant/status", "online")
    assert "Anna's phone" in phone.await_message(announced)[0].decode()


def test_a_phone_of_before_that_does_not_come_again(
    phone: Phone, start_stream: "Start", broker: "Broker"
) -> None:
    """What an earlier har-stream announced is taken away where it sends nothing more."""
    left = discovery("long gone", ["WALKING"], name=None, heartbeat_s=10.0)
    lamp = "homeassistant/device/lamp/config"
    phone.publish(left.topic, left.payload, retain=True)
    phone.publish("har/long gone/availability", "offline", retain=True)
    phone.publish("har/long gone/activity", "{}", retain=True)
    phone.publish(lamp, json.dumps({"origin": {"name": "lamps"}}), retain=True)
    running = start_stream("--home-assistant", "--forget-after", "1", "--offline-after", "0.5")
    for leaf in ("availability", "activity", "info"):
        phone.await_message(f"har/long gone/{leaf}", b"")
    phone.await_message(left.topic, b"")
    assert "long gone: was announced to Home Assistant, and has not come again" in running.log
    assert (lamp, b"") not in [(topic, payload) for topic, payload, _ in phone.received]
    phone.publish(lamp, b"", retain=True)
