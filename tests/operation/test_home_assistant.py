"""What a real Home Assistant, its core, makes of the announcements of phones.

Its MQTT integration validates every announcement by its own schemas, and complains in its log.
"""

import json
import re
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from tests.brokers import Mosquitto
from tests.commands.stream.sent import prepared_rows
from tests.operation.home_assistant import HomeAssistant
from tests.phone import Phone
from tests.processes import ROOT

if TYPE_CHECKING:
    from tests.processes import Running

    Start = Callable[..., Running]
    StartHome = Callable[..., HomeAssistant]

pytestmark = [pytest.mark.broker, pytest.mark.operation]
ACTIVITIES = ("WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "SITTING", "STANDING", "LAYING")


@pytest.fixture
def start_home_assistant(
    own_mosquitto: Mosquitto, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[str], HomeAssistant]:
    """A function that starts a Home Assistant with a configuration at a broker of the test's."""

    def start(configuration: str = "") -> HomeAssistant:
        home_assistant = HomeAssistant(
            tmp_path / "home-assistant", own_mosquitto, configuration=configuration
        )
        request.addfinalizer(home_assistant.close)
        return home_assistant

    return start


def announced(
    phone: Phone, own_mosquitto: Mosquitto, start_command: "Start", model: Path, *flags: str
) -> "Running":
    """Start a har-stream that announces the phone."""
    running = start_command(
        "har-stream", *own_mosquitto.flags, "--model", str(model), "--home-assistant", *flags
    )
    own_mosquitto.await_har_stream()
    phone.send_rows(prepared_rows(256))
    phone.await_message(f"har/{phone.device}/activity")
    return running


def is_shown_as(state: str) -> Callable[[dict[str, Any] | None], bool]:
    """Return a function that says whether a phone's activity is shown so."""

    def is_so(shown: dict[str, Any] | None) -> bool:
        states = {} if shown is None else shown["entities"]
        ours = [one for key, one in states.items() if key.endswith("_activity") and one]
        return [state] == [one["state"] for one in ours]

    return is_so


def test_a_phone(
    own_mosquitto: Mosquitto,
    start_home_assistant: "StartHome",
    start_command: "Start",
    tiny_model: Path,
) -> None:
    """It is shown with its entities and triggers, renamed, unavailable, and gone when forgotten."""
    own_mosquitto.start()
    home_assistant = start_home_assistant()
    phone = Phone(own_mosquitto)
    flags = ("--offline-after", "8", "--forget-after", "16", "--heartbeat", "2")
    announced(phone, own_mosquitto, start_command, tiny_model, *flags)
    key = f"har_{phone.device}"
    shown = home_assistant.await_device(phone.device, is_shown_as("unknown"))
    assert phone.device == shown["name"]
    assert {f"{key}_activity", f"{key}_confidence"} == set(shown["entities"])
    activity = shown["entities"][f"{key}_activity"]
    assert [*ACTIVITIES, "transition", "unknown"] == activity["options"]
    assert f"sensor.{phone.device.replace('-', '_')}_activity" == activity["entity_id"]
    assert "%" == shown["entities"][f"{key}_confidence"]["unit_of_measurement"]
    assert sorted(f"begins {name}" for name in ACTIVITIES) == shown["triggers"]

    for name in ("SITTING", "WALKING", "WALKING"):
        phone.publish(f"har/{phone.device}/begins", name)
    phone.publish(f"har/{phone.device}/begins", "transition")
    fired = home_assistant.await_device(phone.device, lambda shown: len(shown["fired"]) == 3)
    assert ["SITTING", "WALKING", "WALKING"] == fired["fired"]

    phone.publish(f"har/{phone.device}/options", json.dumps({"name": "Anna's"}), retain=True)
    home_assistant.await_device(phone.device, lambda shown: shown["name"] == "Anna's")
    home_assistant.await_device(phone.device, is_shown_as("unavailable"))
    home_assistant.await_device(phone.device, lambda shown: shown is None)
    assert [] == home_assistant.complaints()


def test_a_phone_of_before(
    own_mosquitto: Mosquitto,
    start_home_assistant: "StartHome",
    start_command: "Start",
    tiny_model: Path,
) -> None:
    """One that an earlier har-stream announced goes, too, and har-stream's end is no end of it."""
    own_mosquitto.start()
    phone = Phone(own_mosquitto)
    running = announced(phone, own_mosquitto, start_command, tiny_model)
    assert 0 == running.end()
    home_assistant = start_home_assistant()
    home_assistant.await_device(phone.device, is_shown_as("unavailable"))
    start_command("har-stream", *own_mosquitto.flags, "--home-assistant", "--forget-after", "2")
    home_assistant.await_device(phone.device, lambda shown: shown is None)
    assert [] == home_assistant.complaints()


def test_minutes_of_today(
    own_mosquitto: Mosquitto,
    start_home_assistant: "StartHome",
    start_command: "Start",
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    """har-history's sensors are on the phone's device, reset at midnight, and outlive the phone."""
    own_mosquitto.start()
    phone = Phone(own_mosquitto)
    flags = ("--forget-after", "4", "--offline-after", "1")
    announced(phone, own_mosquitto, start_command, tiny_model, *flags)
    history = start_command(
        "har-history", "run", *own_mosquitto.flags, "--home-assistant",
        "--database", str(tmp_path / "history.sqlite"), "--zone", "Europe/Berlin",
    )  # fmt: skip
    history.await_log("connected to")
    now = time.time()
    zone = ZoneInfo("Europe/Berlin")
    midnight = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    odd = 'SAYING "{{ x }}" \\'
    for activity, begin, end in (("LAYING", -10, 0), ("WALKING_UPSTAIRS", 0, 3), (odd, 3, 5)):
        times = {"start": midnight + 60.0 * begin, "end": midnight + 60.0 * end}
        content = {"device": phone.device, "activity": activity, **times}
        phone.send(f"har/{phone.device}/episode", json.dumps(content | {"probability": 0.9}))
    home_assistant = start_home_assistant()
    unique = f"har-history {phone.device} "

    def states(shown: dict[str, Any] | None) -> dict[str, str]:
        entities = (shown or {"entities": {}})["entities"].items()
        return {
            unique_id.removeprefix(unique): state["state"]
            for unique_id, state in entities
            if unique_id.startswith(unique) and state is not None
        }

    expected = {"LAYING": "0.0", "WALKING_UPSTAIRS": "3.0", odd: "2.0"}
    shown = home_assistant.await_device(phone.device, lambda shown: states(shown) == expected)
    upstairs = shown["entities"][unique + "WALKING_UPSTAIRS"]
    assert f"{phone.device} Walking upstairs today" == upstairs["friendly_name"]
    assert ("total", "duration", "min") == tuple(
        upstairs[key] for key in ("state_class", "device_class", "unit_of_measurement")
    )
    assert midnight == datetime.fromisoformat(upstairs["last_reset"]).timestamp() <= now
    activity = f"har_{phone.device}_activity"
    home_assistant.await_device(phone.device, lambda shown: activity not in shown["entities"])
    assert expected == states(home_assistant.show(phone.device))
    assert 0 == history.end()
    home_assistant.await_device(
        phone.device, lambda shown: {*states(shown).values()} == {"unavailable"}
    )
    assert [] == home_assistant.complaints()


def test_the_automations_of_the_guide(
    own_mosquitto: Mosquitto, start_home_assistant: "StartHome"
) -> None:
    """They are taken as they stand there, and the light goes on when somebody begins to walk."""
    guide = (ROOT / "docs" / "guides" / "home-assistant.md").read_text()
    automations = re.findall("```yaml\n(- alias.*?)```", guide, re.DOTALL)
    assert 3 == len(automations)
    own_mosquitto.start()
    with Phone(own_mosquitto) as switch:
        switch.subscribe("hall/light")
        light = {"name": "Hall", "unique_id": "hall", "command_topic": "hall/light"}
        switch.publish("homeassistant/light/hall/config", json.dumps(light), retain=True)
        home_assistant = start_home_assistant("automation:\n" + "".join(automations))
        switch.await_message("homeassistant/status", b"online")
        for activity in ("SITTING", "WALKING"):
            switch.publish("har/phone-7/begins", activity)
        assert (b"ON", False) == switch.await_message("hall/light")
        assert [] == home_assistant.complaints()
