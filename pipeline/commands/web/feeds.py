"""What each dashboard has got already, and so what it gets next.

A frame is made when the browser can take it, from the state at that moment. While a browser is
slow nothing is made for it, and nothing waits.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from pipeline.commands.web.live import Live
from pipeline.commands.web.signals import MOST_WATCHED

SIGN_OF_LIFE_S: Final = 5.0
"""A frame is sent at least so often, so that a page knows that the server is there."""

_Name = Annotated[str, msgspec.Meta(max_length=64)]


class Watch(msgspec.Struct, tag="watch"):
    """What a dashboard has in view."""

    devices: Annotated[list[_Name], msgspec.Meta(max_length=MOST_WATCHED)]
    open: _Name | None = None


class DashboardFeed:
    """What one dashboard gets."""

    def __init__(self, live: Live) -> None:
        """Begin with nothing sent."""
        self._live = live
        self.watched: Sequence[str] = ()
        self.opened: str | None = None
        self.due = asyncio.Event()
        """Set when it is time for a frame"""
        self._seen = 0
        self._seen_opened = 0
        self._cursors: dict[str, int] = {}
        self._opened_cursor = 0
        self._opened_before: str | None = None
        self._last_frame = 0.0

    def pulse(self) -> None:
        """Let a frame be made."""
        self._live.counts.n_skipped += self.due.is_set()
        self.due.set()

    def heard(self, device: str, leaf: str, payload: bytes) -> None:
        """Hear of a message; a dashboard gets it with the next frame."""

    def watch(self, watch: Watch) -> None:
        """Heed what the dashboard has in view from now on."""
        self.watched, self.opened = watch.devices, watch.open
        self._cursors = {d: c for d, c in self._cursors.items() if d in set(watch.devices)}
        if self.opened != self._opened_before:
            self._opened_before = self.opened
            self._seen_opened = self._opened_cursor = 0
        self._live.look()

    def frames(self) -> list[bytes]:
        """Return what is new for this browser, as of now."""
        now = time.monotonic()
        frames = []
        update = self._update()
        if len(update) > 2 or not self._last_frame or now - self._last_frame > SIGN_OF_LIFE_S:
            frames.append(msgspec.json.encode(update))
            self._last_frame = now
        if self.opened is not None and (opened := self._details(self.opened)) is not None:
            frames.append(msgspec.json.encode(opened))
        return frames

    def _update(self) -> dict[str, object]:
        fleet = self._live.fleet
        seen, self._seen = self._seen, fleet.version
        update: dict[str, object] = {"type": "update", "now": round(time.time(), 3)}
        if fleet.program_version > seen or not seen:
            update |= {
                "link": "up" if fleet.is_linked else "down",
                "stream": fleet.stream,
                "load": fleet.load,
                "activities": fleet.activities,
            }
        patches, forgotten = fleet.patches(seen)
        for device in self.watched:
            signals, self._cursors[device] = self._live.signals.since(
                device, self._cursors.get(device, 0)
            )
            if signals is not None and device in fleet.phones:
                patches.setdefault(device, {})["signals"] = signals
        if patches:
            update["phones"] = patches
        if forgotten and seen:
            update["forgotten"] = forgotten
        return update

    def _details(self, device: str) -> dict[str, object] | None:
        fleet = self._live.fleet
        details = fleet.details(device, self._seen_opened)
        self._seen_opened = fleet.version
        signals, self._opened_cursor = self._live.opened.since(device, self._opened_cursor)
        if signals is not None:
            details["signals"] = signals
        if not details:
            return None
        return {"type": "opened", "device": device, **details}
