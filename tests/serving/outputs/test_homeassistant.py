from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages import Message, Publication
from pipeline.serving.outputs.homeassistant import announced_device, discovery, removal
from pipeline.vocabulary import ACTIVITIES

# The keys that Home Assistant takes: its documentation and the schema in its source,
# homeassistant/components/mqtt/schemas.py, sensor.py and device_trigger.py. Its own validation of
# these messages is in tests/operation.
MESSAGE_KEYS = {
    "device",
    "origin",
    "components",
    "availability",
    "availability_mode",
    "state_topic",
    "command_topic",
    "qos",
    "encoding",
}
DEVICE_KEYS = {
    "identifiers",
    "connections",
    "manufacturer",
    "model",
    "name",
    "hw_version",
    "serial_number",
    "sw_version",
    "via_device",
    "suggested_area",
    "configuration_url",
}
ORIGIN_KEYS = {"name", "sw_version", "support_url"}
SENSOR_KEYS = {
    "platform",
    "unique_id",
    "name",
    "icon",
    "device_class",
    "options",
    "state_class",
    "unit_of_measurement",
    "suggested_display_precision",
    "entity_category",
    "state_topic",
    "value_template",
    "expire_after",
}
TRIGGER_KEYS = {"platform", "automation_type", "type", "subtype", "topic", "payload"}

# What `pipeline.readings.check_device` lets through.
devices = st.text(
    st.characters(exclude_characters="/+#$", exclude_categories=["Cc", "Cs"]),
    min_size=1,
    max_size=64,
)


def message(
    device: str = "phone-7",
    activities: Sequence[str] = ACTIVITIES,
    *,
    name: str | None = None,
    heartbeat_s: float = 10.0,
) -> dict[str, Any]:
    """Return a phone's announcement as JSON data."""
    announced = discovery(device, activities, name=name, heartbeat_s=heartbeat_s)
    assert announced.retain
    content: dict[str, Any] = msgspec.json.decode(announced.payload)
    return content


def components_of(content: dict[str, Any], platform: str) -> list[dict[str, Any]]:
    """Return the components of a platform that a message announces."""
    return [one for one in content["components"].values() if one["platform"] == platform]


def test_only_keys_that_home_assistant_takes() -> None:
    """Every key is one of those documented: a single other one, and the message is refused."""
    content = message()
    assert set(content) <= MESSAGE_KEYS
    assert set(content["device"]) <= DEVICE_KEYS
    assert set(content["origin"]) <= ORIGIN_KEYS
    sensors = components_of(content, "sensor")
    triggers = components_of(content, "device_automation")
    assert len(content["components"]) == len(sensors) + len(triggers)
    assert set().union(*sensors) <= SENSOR_KEYS
    assert set().union(*triggers) == TRIGGER_KEYS


def test_what_is_required_is_there() -> None:
    """A device has an identifier, an origin a name, a component a unique id and a topic."""
    content = message()
    assert ["har_phone-7"] == content["device"]["identifiers"]
    assert {"name": "har-stream", "sw_version": version("har-stream")} == content["origin"]
    sensors = components_of(content, "sensor")
    assert len(sensors) == len({sensor["unique_id"] for sensor in sensors}) == 2
    assert {"har/phone-7/activity"} == {sensor["state_topic"] for sensor in sensors}


def test_the_activity_can_be_all_that_is_published() -> None:
    """The options are the words of the messages: the activities, transition and unknown."""
    sensor = message()["components"]["activity"]
    assert "enum" == sensor["device_class"]
    assert [*ACTIVITIES, "transition", "unknown"] == sensor["options"]
    assert "{{ value_json.activity }}" == sensor["value_template"]
    assert not {"state_class", "unit_of_measurement"} & set(sensor)  # not allowed beside options


def test_activities_of_another_model() -> None:
    """A model's own activities are options; none is listed twice."""
    options = message(activities=["JUMPING", "unknown"])["components"]["activity"]["options"]
    assert ["JUMPING", "unknown", "transition"] == options


def test_confidence_is_a_measurement_of_its_own() -> None:
    """The probability is a percentage, apart from the activity, for diagnosis."""
    sensor = message()["components"]["confidence"]
    assert "%" == sensor["unit_of_measurement"]
    assert "measurement" == sensor["state_class"]
    assert "diagnostic" == sensor["entity_category"]
    assert "value_json.probability" in sensor["value_template"]


def test_unavailable_without_har_stream_or_without_the_phone() -> None:
    """Both have to be there, har-stream also while its status is ``degraded``."""
    content = message()
    assert "all" == content["availability_mode"]
    assert [
        {
            "topic": "har/status",
            "value_template": "{{ 'offline' if value == 'offline' else 'online' }}",
        },
        {"topic": "har/phone-7/availability"},
    ] == content["availability"]


@pytest.mark.parametrize(("heartbeat_s", "expire_after"), [(10.0, 30), (0.25, 1), (3.4, 11)])
def test_a_state_expires_after_three_heartbeats(heartbeat_s: float, expire_after: int) -> None:
    """The time is whole seconds, never zero, which would mean never."""
    for sensor in components_of(message(heartbeat_s=heartbeat_s), "sensor"):
        assert expire_after == sensor["expire_after"]
        assert isinstance(sensor["expire_after"], int)


def test_topic() -> None:
    """The message goes to the device's own topic under Home Assistant's default prefix."""
    announced = discovery("phone-7", ACTIVITIES, name=None, heartbeat_s=10)
    assert "homeassistant/device/har_phone-7/config" == announced.topic


def test_removal() -> None:
    """An empty payload on the same topic takes the device away."""
    announced = discovery("küche 1", ACTIVITIES, name=None, heartbeat_s=10)
    assert Publication(announced.topic, b"", retain=True) == removal("küche 1")


def test_a_trigger_for_each_activity() -> None:
    """Each reads like ``"JUMPING" begins``, and heeds the activity's name on the phone's topic."""
    activities = ["JUMPING", "Stand up", "JUMPING"]
    components = message("p", activities)["components"]
    assert ["activity", "confidence", "begins_JUMPING", "begins_Stand_up_e4401d0a"] == [*components]
    assert {
        "platform": "device_automation",
        "automation_type": "trigger",
        "type": "begins",
        "subtype": "Stand up",
        "topic": "har/p/begins",
        "payload": "Stand up",
    } == components["begins_Stand_up_e4401d0a"]


def test_a_name_for_people() -> None:
    """A phone with a name is shown by it, and otherwise stays what it is."""
    plain, named = message(), message(name="Anna's phone")
    assert "phone-7" == plain["device"]["name"]
    assert plain | {"device": plain["device"] | {"name": "Anna's phone"}} == named


@given(devices, st.none() | st.text(min_size=1))
def test_whom_a_message_announces(device: str, name: str | None) -> None:
    """A phone's announcement is known as the phone's, also that of an earlier version."""
    announced = discovery(device, ACTIVITIES, name=name, heartbeat_s=10)
    content = msgspec.json.decode(announced.payload)
    del content["device"]["serial_number"]
    earlier = msgspec.json.encode(content)
    for payload in (announced.payload, earlier):
        assert device == announced_device(Message(announced.topic, payload, 0.0))
        assert announced_device(Message(announced.topic + "x", payload, 0.0)) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"device": {"serial_number": 7}, "origin": {"name": "har-stream"}}',
        b'{"device": {"serial_number": "p"}, "origin": {"name": "zigbee2mqtt"}}',
        b'{"device": {"serial_number": "a/b"}, "origin": {"name": "har-stream"}}',
        b'{"device": {}, "origin": {"name": "har-stream"}, "availability": [{}, {"topic": "x"}]}',
        b"[" * 100_000,
    ],
)
def test_what_announces_no_phone(payload: bytes) -> None:
    """Announcements of other programs, and what is none, are nobody's."""
    for topic in (removal("p").topic, removal("a/b").topic, removal("").topic):
        assert announced_device(Message(topic, payload, 0.0)) is None


@given(devices)
def test_any_device(device: str) -> None:
    """Whatever the name is, it is shown, and its topics are those of its results."""
    content = message(device)
    assert device == content["device"]["name"]
    assert f"har/{device}/activity" == content["components"]["activity"]["state_topic"]
