"""The phone page's side of the server: its samples, labels and calibration in, answers out.

Samples go to the broker as the page made them, once they fit their format: native samples in their
compact form; or the browser format, of a phone that lacks a sensor or a page of before. What the
page is told is always the latest: answers that it cannot take yet are replaced, never queued.
Samples are confirmed up to a time, so none behind those that were not taken is confirmed before
they have come again.
"""

import asyncio
import math
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec

from pipeline.commands.calibrate.wire import Info
from pipeline.commands.web.bus import Bus
from pipeline.commands.web.calibrating import Calibrating
from pipeline.commands.web.fleet import PhoneState
from pipeline.commands.web.live import Live
from pipeline.formats import FORMATS, Format
from pipeline.readings import LATEST_TIME_S, MessageError, Readings, check_payload
from pipeline.recordings.activity_names import activity_name

COMPACT: Final = FORMATS["native"]
BROWSER: Final = FORMATS["browser"]
NO_BROKER: Final = "The server has no connection to the broker: samples wait."
NO_STREAM: Final = "har-stream is not running: nothing is recognised."
TOO_MUCH: Final = "The broker does not keep up: these samples were not taken."


class Samples(msgspec.Struct, tag="samples"):
    """Samples of the phone, a message of the browser format."""

    payload: msgspec.Raw


class LabelNow(msgspec.Struct, tag="label"):
    """What the wearer does from a time on."""

    activity: Annotated[str, msgspec.Meta(max_length=200)] | None
    time: Annotated[float, msgspec.Meta(ge=0, le=LATEST_TIME_S)]


class CalibrationStep(msgspec.Struct, tag="calibrate"):
    """What is to happen with the calibration."""

    step: Literal["begin", "cancel", "remove"]


Frame = Samples | LabelNow | CalibrationStep


class _Window(msgspec.Struct):
    end: float


class PhoneFeed:
    """What one phone page sends and gets."""

    watched: Sequence[str] = ()
    opened: str | None = None

    def __init__(self, live: Live, bus: Bus, device: str) -> None:
        """Begin with what is known of the phone."""
        self._live, self._bus, self._device = live, bus, device
        self.due = asyncio.Event()
        """Set when there is something to tell"""
        self._answer: dict[str, object] = {}
        self._n_received = 0
        self._problem: str | None = None  # told last
        self._rejected: str | None = None
        self._missing_from = math.inf
        """Time of the first sample that was not taken and has not come again"""
        self._activities = list(live.fleet.activities)  # told last
        self._prediction: bytes | None = None  # told last
        self._calibrating = Calibrating(device, self._publish_calibration, self._tell_calibration)
        phone = live.fleet.phones.get(device)
        if phone is not None:
            self._prediction = _prediction_of(phone)
            if (activity := phone.parts.get("activity")) is not None:
                self.heard(device, "activity", bytes(activity[1]))
            if phone.info:
                self.heard(device, "info", phone.info)

    def pulse(self) -> None:
        """Look for news: a problem or its end, other activities, another window recognised."""
        self._calibrating.tick()
        fleet = self._live.fleet
        if fleet.activities != self._activities:
            self._activities = list(fleet.activities)
            self._tell(activities=self._activities)
        phone = fleet.phones.get(self._device)
        prediction = None if phone is None else _prediction_of(phone)
        if prediction not in (None, self._prediction):
            self._prediction = prediction
            self._tell(recognised=msgspec.json.decode(prediction, type=_Window).end)
        problem = self._rejected
        if not fleet.is_linked:
            problem = NO_BROKER
        elif fleet.stream not in ("online", "degraded"):
            problem = NO_STREAM
        if problem != self._problem:
            self._problem = problem
            self._tell(problem=problem)

    def heard(self, device: str, leaf: str, payload: bytes) -> None:
        """Hear of a message that has come from the broker; tell what is of this phone."""
        if device != self._device:
            return
        if leaf == "activity" and payload:
            activity = msgspec.json.decode(payload, type=dict[str, object])
            self._tell(**{key: activity[key] for key in ("activity", "since", "probability")})
        elif leaf == "info" and payload:
            try:
                self._tell(advice=msgspec.json.decode(payload, type=Info).advice)
            except msgspec.MsgspecError:
                return
        elif leaf == "calibration":
            self._calibrating.heard(payload)

    def frames(self) -> list[bytes]:
        """Return what there is to tell."""
        if not self._answer:
            return []
        answer, self._answer = self._answer, {}
        return [msgspec.json.encode({"type": "answer", **answer})]

    def take(self, frame: Frame) -> None:
        """Take what the page sends."""
        if isinstance(frame, Samples):
            self._take_samples(bytes(frame.payload), BROWSER)
        elif isinstance(frame, LabelNow):
            self._take_label(frame)
        elif frame.step == "begin":
            phone = self._live.fleet.phones.get(self._device)
            self._calibrating.begin(b"" if phone is None else phone.info)
        elif frame.step == "remove":
            self._calibrating.remove()
        else:
            self._calibrating.cancel()

    def take_bytes(self, payload: bytes) -> None:
        """Take samples in the compact form."""
        self._take_samples(payload, COMPACT)

    def _take_samples(self, payload: bytes, format: Format) -> None:
        try:
            check_payload(payload)
            parts = format.decode(payload, self._device)
        except MessageError as error:
            self._rejected = f"These samples cannot be used: {error}."
            return
        readings = [part for part in parts if isinstance(part, Readings)]
        n_rows = sum(len(part.times) for part in readings)
        first = min(float(part.times.min()) for part in readings)
        until = max(float(part.times.max()) for part in readings)

        def confirmed() -> None:
            self._n_received += n_rows
            self._tell(received=self._n_received)
            if until < self._missing_from:
                self._tell(until=until)

        topic = format.topic.replace("+", self._device)
        taken = self._bus.publish(topic, payload, on_confirmed=confirmed)
        if not taken:
            self._missing_from = min(self._missing_from, first)
            self._tell_not_taken()
            return
        self._rejected = None
        if first <= self._missing_from:
            self._missing_from = math.inf
        self._calibrating.push(readings)

    def _take_label(self, label: LabelNow) -> None:
        try:
            name = activity_name(label.activity or "")
        except MessageError as error:
            self._rejected = str(error)
            return
        self._rejected = None
        payload = msgspec.json.encode({"label": name or "", "time": label.time})

        def confirmed() -> None:
            self._tell(label={"activity": name, "time": label.time})

        if not self._bus.publish(f"har/{self._device}/label", payload, on_confirmed=confirmed):
            self._tell_not_taken()

    def _tell_not_taken(self) -> None:
        """Tell at once, so that the page is told of the end too, and sends again."""
        self._rejected = self._problem = TOO_MUCH
        self._tell(problem=TOO_MUCH)

    def _publish_calibration(self, payload: bytes) -> bool:
        return self._bus.publish(f"har/{self._device}/calibration", payload, retain=True)

    def _tell_calibration(self, step: str, n_steps: int, words: str) -> None:
        self._tell(calibration={"step": step, "steps": n_steps, "words": words})

    def _tell(self, **answer: object) -> None:
        self._answer |= answer
        self.due.set()


def _prediction_of(phone: PhoneState) -> bytes | None:
    part = phone.parts.get("prediction")
    return None if part is None else bytes(part[1])
