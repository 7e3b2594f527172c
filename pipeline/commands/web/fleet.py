"""What is known of every phone now, from what har-stream publishes.

Rules:

* The fleet has a version, which grows with every change; each part of a phone knows at which
  version it changed. So any browser gets what it has not seen, from one state that all share.
* Parts are kept as the JSON that is sent: it is made once, whoever looks.
* Nothing is kept but what the broker retains, and the last minutes of what it does not. All of it
  is bounded.
* It knows no clock and no network.
"""

import struct
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pipeline.calibration_message import decode_calibration
from pipeline.commands.record.labels import decode_label
from pipeline.commands.web.published import (
    PublishedActivity,
    PublishedEpisode,
    PublishedInfo,
    PublishedLoad,
    PublishedPrediction,
)
from pipeline.commands.web.ribbon import Ribbon
from pipeline.commands.web.truth import Truth
from pipeline.readings import MessageError, is_device
from pipeline.vocabulary import ACTIVITIES

MOST_PHONES: Final = 10_000
MOST_GONE: Final = 10_000
"""Forgotten phones of which browsers are told"""
MOST_BYTES: Final = 65_536
"""Of a message about a phone; har-stream's have at most a few thousand"""
MOST_ACTIVITIES: Final = 100
MOST_EPISODES: Final = 100
"""Of a phone, the latest"""
MOST_PREDICTIONS: Final = 480
"""Of a phone, the latest: ten minutes of windows at the default hop"""

LEAVES: Final = (
    "activity",
    "availability",
    "info",
    "prediction",
    "episode",
    "label",
    "calibration",
)
"""The topics ``har/<device>/...`` that are read"""

_SHOWING: Final = frozenset({"activity", "availability", "info", "prediction"})
"""What makes a phone one of the fleet: labels and calibrations may be of phones long gone"""

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


class PhoneState:
    """All that is known of one phone."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.parts: dict[str, tuple[int, msgspec.Raw]] = {}
        """The JSON of each key of a patch, and the fleet's version when it changed"""
        self.ribbon = Ribbon()
        self.truth = Truth()
        self.last_samples: float | None = None
        """Monotonic seconds when its newest samples came"""
        self.info: bytes = b""
        """As published"""
        self.calibration: bytes = b""
        """As published, empty if there is none"""
        self.calibration_version = 0
        self.episodes: deque[tuple[int, msgspec.Raw]] = deque(maxlen=MOST_EPISODES)
        self.predictions: deque[tuple[int, bytes]] = deque(maxlen=MOST_PREDICTIONS)
        """Start, end and probabilities, packed: these are many"""
        self.seen_over = 0
        """Number of the connection over which anything came last"""


class Fleet:
    """The phones, and what har-stream says of itself."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.version = 0
        self.phones: dict[str, PhoneState] = {}
        self.activities: list[str] = list(ACTIVITIES)
        """Of the models, in their order"""
        self.is_linked = False
        """Whether there is a connection to the broker"""
        self.stream = "unknown"
        """``online``, ``offline`` or ``degraded``, as on ``har/status``"""
        self.load: msgspec.Raw = msgspec.Raw(b"null")
        self.program_version = 0
        """Version at which link, stream, load or activities changed"""
        self.n_left_out = 0
        """Messages about phones beyond `MOST_PHONES`"""
        self._activities_are_known = False
        self._n_connections = 0
        self._latest: OrderedDict[str, int] = OrderedDict()  # versions, the newest last
        self._gone: OrderedDict[str, int] = OrderedDict()
        self._absent: OrderedDict[str, PhoneState] = OrderedDict()
        """What is known of phones that are not there, the latest last"""

    def take(self, device: str, leaf: str, payload: bytes, *, received: float, now: float) -> None:
        """Take a message on ``har/<device>/<leaf>``.

        Args:
            device: the phone's name.
            leaf: one of `LEAVES`.
            payload: what it holds; empty where it takes back what was retained.
            received: monotonic seconds.
            now: epoch seconds.

        Raises:
            MessageError: it is not what is published there; nothing has changed.
        """
        if not is_device(device) or len(payload) > MOST_BYTES:
            raise MessageError("field", f"{device[:80]!r}: not a phone, or too long")
        if not payload and leaf not in ("label", "calibration"):
            self._take_back(device, leaf)
            return
        is_new = device not in self.phones
        phone = self.phones.get(device) or self._absent.get(device) or PhoneState()
        if is_new and leaf in _SHOWING and len(self.phones) >= MOST_PHONES:
            self.n_left_out += 1
            return
        try:
            self._take(phone, device, leaf, payload, received=received, now=now)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise MessageError("field", f"har/{device}/{leaf}: {error}") from error
        phone.seen_over = self._n_connections
        if not is_new or leaf in _SHOWING:
            self._show(device, phone)
        else:
            self._keep_absent(device, phone)

    def note_samples(self, device: str, received: float) -> None:
        """Note that samples of a phone came at ``received``, in monotonic seconds."""
        phone = self.phones.get(device)
        if phone is not None:
            phone.last_samples = received

    def set_stream(self, status: str) -> None:
        """Take a message on ``har/status``."""
        if status in ("online", "offline", "degraded") and status != self.stream:
            self.stream = status
            self._touch_program()

    def set_load(self, payload: bytes) -> None:
        """Take a message on ``har/load``.

        Raises:
            MessageError: it is not what is published there.
        """
        if len(payload) > MOST_BYTES:
            raise MessageError("size", "har/load: too long")
        try:
            msgspec.json.decode(payload, type=PublishedLoad)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise MessageError("field", f"har/load: {error}") from error
        self.load = msgspec.Raw(payload)
        self._touch_program()

    def set_link(self, n_connections: int, *, is_up: bool) -> None:
        """Note the connection to the broker: whether there is one, and the how-manieth."""
        if (is_up, n_connections) != (self.is_linked, self._n_connections):
            if not is_up:
                self.stream = "unknown"
            self.is_linked, self._n_connections = is_up, n_connections
            self._touch_program()

    def forget_unseen(self) -> None:
        """Forget phones of which nothing has come over the present connection."""
        for device in [d for d, p in self.phones.items() if p.seen_over != self._n_connections]:
            self._forget(device)

    def patches(self, since: int) -> tuple[dict[str, dict[str, object]], list[str]]:
        """Return what has changed after a version: a patch by phone, and the forgotten phones."""
        patches: dict[str, dict[str, object]] = {}
        for device, version in reversed(self._latest.items()):
            if version <= since:
                break
            phone = self.phones[device]
            patch: dict[str, object] = {
                key: raw for key, (changed, raw) in phone.parts.items() if changed > since
            }
            if ribbon := phone.ribbon.since(since):
                patch["ribbon"] = ribbon
            if patch:
                patches[device] = patch
        forgotten = []
        for device, version in reversed(self._gone.items()):
            if version <= since:
                break
            forgotten.append(device)
        return patches, forgotten

    def details(self, device: str, since: int) -> dict[str, object]:
        """Return what an opened phone has besides, as far as it has changed after a version."""
        phone = self.phones.get(device)
        details: dict[str, object] = {}
        if phone is None:
            return details
        new = [packed for version, packed in _newest(phone.predictions, since)]
        if new:
            details["probabilities"] = [_unpacked(packed) for packed in new]
        if episodes := [raw for _, raw in _newest(phone.episodes, since)]:
            details["episodes"] = episodes
        if phone.calibration_version > since or since <= 0:
            details["calibration"] = msgspec.Raw(phone.calibration or b"null")
        return details

    def _take(
        self,
        phone: PhoneState,
        device: str,
        leaf: str,
        payload: bytes,
        *,
        received: float,
        now: float,
    ) -> None:
        """Enter a message; ``phone`` is unchanged if that raises."""
        version = self.version + 1
        if leaf == "activity":
            activity = msgspec.json.decode(payload, type=PublishedActivity)
            probability = round(activity.probability, 4)
            phone.ribbon.set_activity(activity.activity, activity.since, probability, version)
            self._set(phone, "activity", activity)
        elif leaf == "availability":
            self._set(phone, "availability", payload.decode())
            if payload == b"offline":
                phone.ribbon.fall_silent()
        elif leaf == "info":
            self._set_info(phone, payload)
        elif leaf == "prediction":
            self._predict(
                phone, msgspec.json.decode(payload, type=PublishedPrediction), received, version
            )
        elif leaf == "episode":
            episode = msgspec.json.decode(payload, type=PublishedEpisode)
            phone.episodes.append((version, msgspec.Raw(_encode(episode))))
        elif leaf == "label":
            name, time = decode_label(payload)
            phone.truth.label(name, now if time is None else time)
        elif leaf == "calibration":
            decode_calibration(payload)
            phone.calibration, phone.calibration_version = payload, version

    def _set_info(self, phone: PhoneState, payload: bytes) -> None:
        payload.decode()
        info = msgspec.json.decode(payload, type=PublishedInfo)
        msgspec.json.decode(payload, type=dict[str, Any])
        phone.info = payload
        phone.parts["info"] = (self.version + 1, msgspec.Raw(payload))
        if info.rates_hz:
            self._set(phone, "rate", round(min(info.rates_hz.values()), 1))

    def _predict(
        self, phone: PhoneState, prediction: PublishedPrediction, received: float, version: int
    ) -> None:
        self._note_activities(prediction.probabilities)
        probability = round(prediction.probability, 4)
        shown = {
            "start": round(prediction.start, 3),
            "end": round(prediction.end, 3),
            "activity": prediction.activity,
            "probability": probability,
        }
        self._set(phone, "prediction", shown)
        if phone.ribbon.go_on(prediction.start, prediction.end, version):
            while phone.predictions and _start_of(phone.predictions[-1][1]) >= prediction.start:
                phone.predictions.pop()
        if phone.last_samples is not None:
            self._set(phone, "latency", round(max(0.0, received - phone.last_samples), 4))
        values = [prediction.probabilities.get(name, 0.0) for name in self.activities]
        packed = struct.pack(f"dd{len(values)}f", prediction.start, prediction.end, *values)
        phone.predictions.append((version, packed))
        if phone.truth.judge(
            prediction.start,
            prediction.end,
            prediction.activity,
            list(prediction.probabilities),
        ):
            self._set(phone, "truth", phone.truth.summary(self.activities))

    def _note_activities(self, probabilities: Mapping[str, float]) -> None:
        """Learn the names of the activities, which no other message tells."""
        if not self._activities_are_known and list(probabilities) != self.activities:
            self.activities = list(probabilities)[:MOST_ACTIVITIES]
            self._touch_program()
        self._activities_are_known = True
        if new := [name for name in probabilities if name not in self.activities]:
            self.activities += new[: MOST_ACTIVITIES - len(self.activities)]
            self._touch_program()

    def _set(self, phone: PhoneState, key: str, value: object) -> None:
        raw = msgspec.Raw(_encode(value))
        before = phone.parts.get(key)
        if before is None or bytes(before[1]) != bytes(raw):
            phone.parts[key] = (self.version + 1, raw)

    def _show(self, device: str, phone: PhoneState) -> None:
        """Note that a phone of the fleet, perhaps a new one, has changed."""
        if device not in self.phones:
            self.phones[device] = phone
            self._absent.pop(device, None)
            self._gone.pop(device, None)
        self.version += 1
        self._latest[device] = self.version
        self._latest.move_to_end(device)

    def _keep_absent(self, device: str, phone: PhoneState) -> None:
        """Keep what is known of a phone that is not of the fleet."""
        self._absent[device] = phone
        self._absent.move_to_end(device)
        if len(self._absent) > MOST_PHONES:
            self._absent.popitem(last=False)

    def _take_back(self, device: str, leaf: str) -> None:
        """Heed that something retained is taken back."""
        phone = self.phones.get(device)
        if phone is None:
            return
        # Of a phone that has only ever been rejected there is an info alone.
        if leaf == "availability" or (leaf == "info" and "availability" not in phone.parts):
            self._forget(device)

    def _touch_program(self) -> None:
        self.version += 1
        self.program_version = self.version

    def _forget(self, device: str) -> None:
        phone = self.phones.pop(device, None)
        if phone is None:
            return
        if phone.calibration:  # it stays with the broker
            left = PhoneState()
            left.calibration = phone.calibration
            self._keep_absent(device, left)
        self._latest.pop(device)
        self.version += 1
        self._gone[device] = self.version
        if len(self._gone) > MOST_GONE:
            self._gone.popitem(last=False)


def _newest(entries: deque[tuple[int, Any]], since: int) -> list[tuple[int, Any]]:
    """Return the entries of later versions, which are at the end."""
    newer = []
    for entry in reversed(entries):
        if entry[0] <= since:
            break
        newer.append(entry)
    return newer[::-1]


def _start_of(packed: bytes) -> float:
    start: float = struct.unpack_from("d", packed)[0]
    return start


def _unpacked(packed: bytes) -> tuple[float, float, list[float]]:
    start, end, *values = struct.unpack(f"dd{(len(packed) - 16) // 4}f", packed)
    return round(start, 3), round(end, 3), [round(value, 3) for value in values]
