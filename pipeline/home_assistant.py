"""Home Assistant's MQTT discovery, as far as all announcements of a phone have it alike.

Each command announces what it publishes of a phone in a message of its own, by device discovery
(https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload, 2024.11 and later). All
of them name the same device, so that Home Assistant shows what they announce together.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from typing import Final

import msgspec

from pipeline.messages import Publication

BIRTH_TOPIC: Final = "homeassistant/status"
"""Home Assistant publishes ``online`` here when it starts, and then expects all announcements."""
ORIGIN: Final = "har-stream"

_FOREIGN: Final = re.compile(r"[^a-zA-Z0-9_-]")
_ENDS_LIKE_A_HASH: Final = re.compile(r"_[0-9a-f]{8}")


def announcement(
    topic: str,
    device: str,
    *,
    name: str | None,
    components: Mapping[str, Mapping[str, object]],
    **shared: object,
) -> Publication:
    """Return the message, to be retained, that announces something of a phone.

    Args:
        topic: where it belongs, from `announcement_topic`.
        device: the phone's name.
        name: how it is shown, None for as it is named.
        components: what is announced, by keys of its own.
        shared: what holds for all components, such as the availability.
    """
    message = {
        "device": {
            "identifiers": [f"har_{object_id(device)}"],
            "name": name or device,
            "manufacturer": ORIGIN,
            "serial_number": device,
        },
        "origin": {"name": ORIGIN, "sw_version": version(ORIGIN)},
        **shared,
        "components": components,
    }
    return Publication(topic, msgspec.json.encode(message), retain=True)


def announcement_topic(announcer: str, device: str) -> str:
    """Return the topic of what ``announcer`` announces of a phone; it holds no underscore."""
    return f"homeassistant/device/{announcer}_{object_id(device)}/config"


def object_id(name: str) -> str:
    """Return a name in the letters that discovery takes, another for each name."""
    slug = _FOREIGN.sub("_", name)
    if slug == name and not _ENDS_LIKE_A_HASH.fullmatch(slug[-9:]):
        return slug
    return f"{slug}_{sha256(name.encode()).hexdigest()[:8]}"
