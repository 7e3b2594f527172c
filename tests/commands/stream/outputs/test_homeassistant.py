import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.stream.outputs.homeassistant import (
    BIRTH_TOPIC,
    discovery,
    object_id,
    removal,
)
from pipeline.vocabulary import ACTIVITIES

# The keys that Home Assistant takes: its documentation and the schema in its source,
# homeassistant/components/mqtt/schemas.py and sensor.py.
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

# What `pipeline.readings.check_device` lets through.
devices = st.text(
    st.characters(exclude_characters="/+#$", exclude_categories=["Cc", "Cs"]),
    min_size=1,
    max_size=64,
)


def message(
    device: str = "phone-7", activities: Sequence[str] = ACTIVITIES, *, heartbeat_s: float = 10.0
) -> dict[str, Any]:
    """Return a phone's announcement as JSON data."""
    _, payload = discovery(device, activities, version="0.1.0", heartbeat_s=heartbeat_s)
    content: dict[str, Any] = msgspec.json.decode(payload)
    return content


def test_only_keys_that_home_assistant_takes() -> None:
    """Every key is one of those documented: a single other one, and the message is refused."""
    content = message()
    assert set(content) <= MESSAGE_KEYS
    assert set(content["device"]) <= DEVICE_KEYS
    assert set(content["origin"]) <= ORIGIN_KEYS
    for sensor in content["components"].values():
        assert set(sensor) <= SENSOR_KEYS
        assert "sensor" == sensor["platform"]


def test_what_is_required_is_there() -> None:
    """A device has an identifier, an origin a name, a component a unique id and a topic."""
    content = message()
    assert ["har_phone-7"] == content["device"]["identifiers"]
    assert {"name": "har-stream", "sw_version": "0.1.0"} == content["origin"]
    sensors = content["components"].values()
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
    for sensor in message(heartbeat_s=heartbeat_s)["components"].values():
        assert expire_after == sensor["expire_after"]
        assert isinstance(sensor["expire_after"], int)


def test_topic() -> None:
    """The message goes to the device's own topic under Home Assistant's default prefix."""
    topic, _ = discovery("phone-7", ACTIVITIES, version="1", heartbeat_s=10)
    assert "homeassistant/device/har_phone-7/config" == topic
    assert BIRTH_TOPIC == "homeassistant/status"


def test_removal() -> None:
    """An empty payload on the same topic takes the device away."""
    topic, _ = discovery("küche 1", ACTIVITIES, version="1", heartbeat_s=10)
    assert (topic, b"") == removal("küche 1")


def test_object_ids() -> None:
    """Plain names stay as they are; others get a hash, so that none is mistaken for another."""
    assert "phone-7" == object_id("phone-7")
    assert "phone_7_1c670588" == object_id("phone 7")
    assert "phone_7_bdff5c81" == object_id("phone.7")
    assert "phone_7_1c670588_97cd2910" == object_id("phone_7_1c670588")


@given(devices, devices)
def test_any_two_devices(one: str, other: str) -> None:
    """Whatever the names are, the ids are of the letters allowed, and differ if the names do."""
    ids = [object_id(one), object_id(other), object_id(object_id(one))]
    assert all(re.fullmatch("[a-zA-Z0-9_-]+", text) for text in ids)
    assert (one == other) == (ids[0] == ids[1])
    assert (object_id(one) == one) == (ids[0] == ids[2])


@given(devices)
def test_any_device(device: str) -> None:
    """Whatever the name is, it is shown, and its topics are those of its results."""
    content = message(device)
    assert device == content["device"]["name"]
    assert f"har/{device}/activity" == content["components"]["activity"]["state_topic"]
