"""The MQTT discovery messages that announce phones to Home Assistant, one for each.

Home Assistant shows each phone as a device with two entities, *Activity* and *Confidence*. The
format is that of https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery (device
discovery, 2024.11 and later). When they are published is decided in `presence`.
"""

import math
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import msgspec

BIRTH_TOPIC: Final = "homeassistant/status"
"""Home Assistant publishes ``online`` here when it starts, and then expects all announcements."""

MISSED_HEARTBEATS: Final = 3
"""A state that was not published again for so many heartbeats is no longer shown."""

NO_ACTIVITIES: Final = ("transition", "unknown")
"""The states of a phone that are no activity of the model's."""

_STATUS: Final = "{{ 'offline' if value == 'offline' else 'online' }}"
"""Of har-stream; it is there also while its status is ``degraded``."""

_FOREIGN: Final = re.compile(r"[^a-zA-Z0-9_-]")
_ENDS_LIKE_A_HASH: Final = re.compile(r"_[0-9a-f]{8}")


def discovery(
    device: str,
    activities: Sequence[str],
    *,
    version: str,
    heartbeat_s: float,
) -> tuple[str, bytes]:
    """Return topic and payload of the message, to be retained, that announces a phone.

    Args:
        device: the phone's name.
        activities: the model's, as they stand in the messages on ``har/<device>/activity``.
        version: of har-stream.
        heartbeat_s: seconds after which an unchanged activity is published again.
    """
    key = f"har_{object_id(device)}"
    state = f"har/{device}/activity"
    sensor = {
        "platform": "sensor",
        "state_topic": state,
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
    message = {
        "device": {"identifiers": [key], "name": device, "manufacturer": "har-stream"},
        "origin": {"name": "har-stream", "sw_version": version},
        "availability": [
            {"topic": "har/status", "value_template": _STATUS},
            {"topic": f"har/{device}/availability"},
        ],
        "availability_mode": "all",
        "components": {"activity": activity, "confidence": confidence},
    }
    return _topic(device), msgspec.json.encode(message)


def removal(device: str) -> tuple[str, bytes]:
    """Return topic and payload of the message, to be retained, that takes a phone away again."""
    return _topic(device), b""


def object_id(device: str) -> str:
    """Return a device's name in the letters that discovery takes, another for each device."""
    slug = _FOREIGN.sub("_", device)
    if slug == device and not _ENDS_LIKE_A_HASH.fullmatch(slug[-9:]):
        return slug
    return f"{slug}_{sha256(device.encode()).hexdigest()[:8]}"


def _topic(device: str) -> str:
    return f"homeassistant/device/har_{object_id(device)}/config"
