"""The MQTT discovery message that announces a phone to Home Assistant.

Home Assistant shows each phone as a device with two entities, *Activity* and *Confidence*, and with
a trigger for each activity, that it begins. When phones are announced is decided in `presence`.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from pipeline.home_assistant import (
    ORIGIN,
    announcement,
    announcement_topic,
    object_id,
)
from pipeline.messages import Message, Publication
from pipeline.readings import is_device

ANNOUNCEMENTS: Final = "homeassistant/device/+/config"
"""Topics on which phones are announced, and other devices by other programs"""

MISSED_HEARTBEATS: Final = 3
"""A state that was not published again for so many heartbeats is no longer shown."""

NO_ACTIVITIES: Final = ("transition", "unknown")
"""The states of a phone that are no activity of the model's."""

_ANNOUNCER: Final = "har"
_STATUS: Final = "{{ 'offline' if value == 'offline' else 'online' }}"
"""Of har-stream; it is there also while its status is ``degraded``."""


class _Device(msgspec.Struct):
    serial_number: str = ""


class _Origin(msgspec.Struct):
    name: str = ""


class _Announcement(msgspec.Struct):
    device: _Device
    origin: _Origin
    availability: list[dict[str, str]] = []


_decode: Final = msgspec.json.Decoder(_Announcement).decode


def discovery(
    device: str, activities: Sequence[str], *, name: str | None, heartbeat_s: float
) -> Publication:
    """Return the message that announces a phone.

    Args:
        device: the phone's name.
        activities: the model's, as they stand in the messages on ``har/<device>/activity``.
        name: how the phone is shown, None for as it is named.
        heartbeat_s: seconds after which an unchanged activity is published again.
    """
    key = f"har_{object_id(device)}"
    sensor = {
        "platform": "sensor",
        "state_topic": f"har/{device}/activity",
        "expire_after": math.ceil(MISSED_HEARTBEATS * heartbeat_s),
    }
    activity = sensor | {
        "unique_id": f"{key}_activity",
        "name": "Activity",
        "icon": "mdi:walk",
        "device_class": "enum",
        "options": list(dict.fromkeys([*activities, *NO_ACTIVITIES])),
        "value_template": "{{ value_json.activity }}",
    }
    confidence = sensor | {
        "unique_id": f"{key}_confidence",
        "name": "Confidence",
        "icon": "mdi:gauge",
        "entity_category": "diagnostic",
        "unit_of_measurement": "%",
        "state_class": "measurement",
        "suggested_display_precision": 0,
        "value_template": "{{ (value_json.probability * 100) | round(1) }}",
    }
    return announcement(
        announcement_topic(_ANNOUNCER, device),
        device,
        name=name,
        components={
            "activity": activity,
            "confidence": confidence,
            **{f"begins_{object_id(begun)}": _trigger(device, begun) for begun in activities},
        },
        availability=[
            {"topic": "har/status", "value_template": _STATUS},
            {"topic": f"har/{device}/availability"},
        ],
        availability_mode="all",
    )


def removal(device: str) -> Publication:
    """Return the message that takes a phone away again."""
    return Publication(announcement_topic(_ANNOUNCER, device), b"", retain=True)


def announced_device(message: Message) -> str | None:
    """Return the phone that a message announces, None if it announces something else."""
    try:
        announced = _decode(message.payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    device = announced.device.serial_number
    for entry in announced.availability:  # where those of earlier versions name it
        level = entry.get("topic", "").split("/")
        if not device and len(level) == 3 and (level[0], level[2]) == ("har", "availability"):
            device = level[1]
    if announced.origin.name != ORIGIN or not is_device(device):
        return None
    return device if message.topic == removal(device).topic else None


def _trigger(device: str, activity: str) -> dict[str, object]:
    """Return the trigger that an activity begins, which reads ``"WALKING" begins`` there."""
    return {
        "platform": "device_automation",
        "automation_type": "trigger",
        "type": "begins",
        "subtype": activity,
        "topic": f"har/{device}/begins",
        "payload": activity,
    }
