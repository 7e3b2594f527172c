"""The MQTT discovery message that announces a phone's minutes of today to Home Assistant.

Each activity has a sensor, on the device that har-stream announces. It begins anew every day, and
may be set right by a little: so it is a total, with the time of its last reset
(https://developers.home-assistant.io/docs/core/entity/sensor/#available-state-classes).
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from pipeline.commands.history.day_of_phone import today_topic
from pipeline.home_assistant import announcement, announcement_topic, object_id
from pipeline.messages import Publication
from pipeline.program_topics import HISTORY_TOPIC
from pipeline.vocabulary import TRANSITION, UNKNOWN

_ANNOUNCER: Final = "har-history"


def discovery(device: str, activities: Iterable[str], *, name: str | None) -> Publication:
    """Return the message that announces a phone's sensors.

    Args:
        device: the phone's name.
        activities: those that may stand in its messages on ``har/<device>/today``.
        name: how the phone is shown, None for as it is named.
    """
    return announcement(
        announcement_topic(_ANNOUNCER, device),
        device,
        name=name,
        components={
            object_id(activity): _sensor(device, activity)
            for activity in sorted(activities)
            if activity not in (TRANSITION, UNKNOWN)
        },
        availability=[{"topic": HISTORY_TOPIC}],
    )


def removal(device: str) -> Publication:
    """Return the message that takes a phone's sensors away again."""
    return Publication(announcement_topic(_ANNOUNCER, device), b"", retain=True)


def _sensor(device: str, activity: str) -> dict[str, object]:
    quoted = msgspec.json.encode(activity).decode()  # which is a string of a template, too
    return {
        "platform": "sensor",
        "unique_id": f"{_ANNOUNCER} {object_id(device)} {activity}",
        "name": f"{activity.replace('_', ' ').capitalize()} today",
        "icon": "mdi:timer-outline",
        "state_topic": today_topic(device),
        "value_template": f"{{{{ value_json.minutes.get({quoted}, 0) }}}}",
        "device_class": "duration",
        "unit_of_measurement": "min",
        "suggested_display_precision": 0,
        "state_class": "total",
        "last_reset_value_template": "{{ value_json.begin | as_datetime }}",
    }
