"""Home Assistant's core, to be started with the Python of its own environment.

It runs as it does in a house, with its MQTT integration and the automations of the folder's
configuration.yaml, but without a user or a page. Lines of JSON go in and out: a device's serial
number in, and out what Home Assistant shows of the device, or null if there is none.
"""

import asyncio
import inspect
import json
import logging
import sys
from typing import Any

from homeassistant import auth, bootstrap, loader
from homeassistant.components import device_automation
from homeassistant.config import async_hass_config_yaml
from homeassistant.config_entries import ConfigEntries, ConfigEntry
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry, entity_registry, trigger
from homeassistant.setup import async_setup_component

_LOGGER = logging.getLogger("tests")


class House:
    """A running Home Assistant."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin without any trigger."""
        self._hass = hass
        self._triggers: set[tuple[str, str]] = set()
        self._fired: dict[str, list[str]] = {}

    async def show(self, serial: str) -> dict[str, Any] | None:
        """Return what there is of a device; from then on its triggers are heeded."""
        registered = device_registry.async_get(self._hass).devices.values()
        device = next((one for one in registered if one.serial_number == serial), None)
        if device is None:
            return None
        entities = entity_registry.async_entries_for_device(
            entity_registry.async_get(self._hass), device.id
        )
        by_device = await device_automation.async_get_device_automations(
            self._hass, device_automation.DeviceAutomationType.TRIGGER, [device.id]
        )
        triggers = [one for one in by_device[device.id] if one["domain"] == "mqtt"]
        for one in triggers:
            await self._heed(device.id, one)
        return {
            "name": device.name,
            "entities": {
                one.unique_id: self._state(one.entity_id) for one in entities if not one.disabled_by
            },
            "triggers": sorted(f"{one['type']} {one['subtype']}" for one in triggers),
            "fired": self._fired.get(device.id, []),
        }

    def _state(self, entity_id: str) -> dict[str, Any] | None:
        state = self._hass.states.get(entity_id)
        if state is None:
            return None
        return {"entity_id": entity_id, "state": state.state, **state.attributes}

    async def _heed(self, device_id: str, found: dict[str, Any]) -> None:
        """Attach a device's trigger, as an automation does."""
        if (device_id, found["subtype"]) in self._triggers:
            return
        self._triggers.add((device_id, found["subtype"]))

        async def fire(variables: dict[str, Any], context: object = None) -> None:
            self._fired.setdefault(device_id, []).append(found["subtype"])

        config = [{key: value for key, value in found.items() if key != "metadata"}]
        config = await trigger.async_validate_trigger_config(self._hass, config)
        await trigger.async_initialize_triggers(
            self._hass, config, fire, "tests", "trigger", _LOGGER.log
        )


async def start(folder: str, broker: str, port: int, http_port: int) -> HomeAssistant:
    """Start Home Assistant with the MQTT integration at a broker."""
    hass = HomeAssistant(folder)
    loader.async_setup(hass)
    hass.config.skip_pip = True
    hass.config_entries = ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth.auth_manager_from_config(hass, [], [])
    await hass.config.async_update(time_zone="Europe/Berlin")
    config = await async_hass_config_yaml(hass)
    config["http"] = {"server_host": ["127.0.0.1"], "server_port": http_port}
    for component in ("homeassistant", "http", "automation"):
        assert await async_setup_component(hass, component, config), component
    entry = {
        "domain": "mqtt", "title": "mqtt", "data": {"broker": broker, "port": port}, "options": {},
        "source": "user", "version": 1, "minor_version": 1, "unique_id": None, "discovery_keys": {},
        "subentries_data": None,
    }  # fmt: skip
    known = inspect.signature(ConfigEntry).parameters  # which differ from version to version
    await hass.config_entries.async_add(
        ConfigEntry(**{key: value for key, value in entry.items() if key in known})
    )
    await hass.async_start()
    return hass


async def serve(folder: str, broker: str, port: int, http_port: int) -> None:
    """Start, and answer until the input ends."""
    hass = await start(folder, broker, port, http_port)
    house = House(hass)
    print(json.dumps(__version__), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        answer = await house.show(json.loads(line))
        print(json.dumps(answer, default=str), flush=True)
    await hass.async_stop(force=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    asyncio.run(serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
