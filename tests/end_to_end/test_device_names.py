"""Whose results a message can lead to: nobody's but its sender's, whatever it says.

Goes through `subscriptions.route` and all formats, as har-stream does; what a broker's rights add
to that is tested in tests/deploy.
"""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats import FORMATS
from pipeline.readings import Label, MessageError, Readings, check_device
from pipeline.serving.outputs.homeassistant import discovery
from pipeline.subscriptions import parse, route

EXAMPLES = Path(__file__).parents[1] / "formats" / "examples"
RESULTS = ("prediction", "activity", "begins", "episode", "availability", "info")
SUBSCRIPTIONS = [
    parse(text)
    for text in (
        "har/+/samples=native",
        "sensor-logger=sensor-logger",
        "sensor-logger/+=sensor-logger",
        "browser=browser",
        "browser/+=browser",
        "phyphox/+=phyphox",
        "sensorspot/+/#=sensorspot",
    )
]
NAMED_BY_PAYLOAD = {
    "sensor-logger-android": ("sensor-logger", "deviceId"),
    "sensor-logger-ios": ("sensor-logger", "deviceId"),
    "browser-android": ("browser", "device"),
}

special = st.sampled_from(
    [*"/+#$\0\n\x7f\x85\ufffe\uffff\ufdd0\U0001fffe\u200b ", "..", "$share", "+/#", "phone-b"]
)
names = st.lists(st.one_of(special, st.text(max_size=5)), max_size=6).map("".join)


def senders(topic: str, payload: bytes) -> list[str]:
    """Return the devices to which the pipeline gives what a message holds."""
    found = route(SUBSCRIPTIONS, topic)
    if found is None:
        return []
    try:
        return [one.device for one in found.decode(payload) if isinstance(one, Readings | Label)]
    except MessageError:
        return []


def assert_harmless(device: str) -> None:
    """Hold every topic to which a device's name leads against MQTT's rules for topic names."""
    topics = [f"har/{device}/{result}" for result in RESULTS]
    topics.append(discovery(device, ["WALKING"], name=None, heartbeat_s=10.0).topic)
    for topic in topics:
        assert len(topic.split("/")) in (3, 4)
        assert not set("+#\0") & set(topic)
        topic.encode("utf-8")  # raises for halves of characters
        # What Mosquitto takes for no topic
        assert not [c for c in topic if ord(c) & 0xFFFE == 0xFFFE or "\ufdd0" <= c <= "\ufdef"]
        assert not [c for c in topic if c < " " or "\x7f" <= c <= "\x9f"]


def examples() -> list[tuple[str, bytes]]:
    """Return all example messages with the names of their formats."""
    return [
        (name, path.read_bytes())
        for path in sorted(EXAMPLES.glob("*.json"))
        for name in FORMATS
        if path.name.startswith(name)
    ]


@given(names, st.sampled_from(examples()), st.sampled_from(["phone-b", "", "+", "har/phone-b"]))
def test_the_topic_decides(name: str, example: tuple[str, bytes], told: str) -> None:
    """Where the topic names the device, results go there or nowhere, whatever the payload says."""
    kind, payload = example
    message = json.loads(payload)
    if isinstance(message, dict):
        message |= {"device": told, "deviceId": told, "device_id": told, "topic": told}
        payload = json.dumps(message).encode()
    folder, end = {"native": ("har", "/samples")}.get(kind, (kind, ""))
    for sender in senders(f"{folder}/{name}{end}", payload):
        assert sender == name.split("/")[0] if kind == "sensorspot" else sender == name
        assert_harmless(sender)


@given(names, st.sampled_from(sorted(NAMED_BY_PAYLOAD)))
def test_a_payload_names_no_topic(name: str, example: str) -> None:
    """Where the payload names the device, the name stays one harmless level of a topic."""
    topic, key = NAMED_BY_PAYLOAD[example]
    message = json.loads((EXAMPLES / f"{example}.json").read_bytes()) | {key: name}
    for sender in senders(topic, json.dumps(message).encode()):
        assert sender == name
        assert_harmless(sender)


def may_be_in_a_name(character: str) -> bool:
    """Return whether a character means nothing to MQTT, and is one that Unicode has or may have."""
    never = ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef"
    return not (character in "/+#" or unicodedata.category(character) in ("Cc", "Cs") or never)


@given(names | st.text(min_size=60, max_size=70), st.integers(1, 10))
@settings(max_examples=500)
def test_what_a_name_may_be(name: str, times: int) -> None:
    """A name of 1 to 64 characters is taken, whichever these are; else it is refused.

    Not in it may be a topic's wildcards and separators, controls and what is no character, nor $ as
    the first.
    """
    name *= times
    taken = 1 <= len(name) <= 64 and name[0] != "$" and all(map(may_be_in_a_name, name))
    if taken:
        check_device(name)
        return
    with pytest.raises(MessageError) as rejected:
        check_device(name)
    assert "device" == rejected.value.reason


@pytest.mark.parametrize("example", sorted(NAMED_BY_PAYLOAD))
def test_ordinary_names_are_taken(example: str) -> None:
    """The tests above do see results: a device with an ordinary or a foreign name has them."""
    topic, key = NAMED_BY_PAYLOAD[example]
    for name in ("phone-7", "Телефон 7", "📱", "a" * 64):
        message = json.loads((EXAMPLES / f"{example}.json").read_bytes()) | {key: name}
        assert set(senders(topic, json.dumps(message).encode())) == {name}


@pytest.mark.parametrize("character", ["\ufffe", "\uffff", "\ufdd0", "\U0010ffff", "\ud800"])
def test_what_would_end_the_connection(character: str) -> None:
    """A name in which Unicode knows no character is refused: brokers hang up on such topics."""
    with pytest.raises(MessageError):
        check_device(f"phone{character}")
