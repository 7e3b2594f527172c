"""The phones that are served.

A phone has a state in three places: its signals in the recognizer, its placement in the placements,
and what is published of it in `Phone`. `Phones` alone admits, places and forgets a phone, in all
three at once.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from pipeline.event_log import EventLog
from pipeline.formats import FORMATS
from pipeline.messages import Message, Publication
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.recognizer import Recognizer
from pipeline.serving.phone_names import PhoneNames
from pipeline.subscriptions import Route

logger = EventLog(__name__)


@dataclass(eq=False)
class Phone:
    """The state of one phone beside its signals; times are on the clock of its messages."""

    route: Route
    """Where its last samples came from, and how"""
    admitted: float
    """When its first message came"""
    last_message: float
    """When its last message came"""
    received_s: float = 0.0
    """The same in epoch seconds"""
    stream: int = 0
    """Which of several streams it came in"""
    topic: str | None = None
    """The topic of its last message"""
    last_live: float = -np.inf
    """When the last message came whose samples were not old"""
    is_live: bool = False
    """Whether the samples of its last message were not old"""
    online: bool = False
    """Whether it is published to be online"""
    last_classified: float = 0.0
    """When its last settled window was classified, or when it came online"""
    classified_until: float = 0.0
    """Epoch seconds: end of its last settled window"""
    activity: Publication | None = None
    """The activity now, also while it is not published"""
    published_activity: Publication | None = None
    """The activity that was published last"""
    activity_published: float = 0.0
    """When it was published"""
    was_there: bool = False
    """Whether it was sending already when har-stream began, and what it does may have begun before:
    until its first activity is published"""
    unknown: Publication | None = None
    """The last `unknown` that was published because windows failed to come"""
    info: Publication | None = None
    """The last message on ``har/<device>/info``"""
    info_due: float = 0.0
    """When the next is due"""
    logged_placement: str = ""
    """How it is worn, and its model, as far as that is in the log already"""
    lacks_sensor: bool = False
    """Whether a sensor is missing, as far as its info says"""
    statements_alternate: bool = False
    """Whether what its messages state of its placement alternates"""
    logged_problems: tuple[str, ...] = ()
    """The problems of its samples that are in the log already"""
    last_problem: float = -np.inf
    """When anything was wrong with its samples, the last time"""
    last_failure: float = -np.inf
    """When har-stream itself failed on its samples, the last time"""


_KEPT_EXACTLY: Final = (
    *("admitted", "last_message", "received_s", "stream", "last_live", "is_live"),
    *("last_classified", "activity_published", "was_there", "unknown"),
    *("info_due", "logged_placement", "lacks_sensor", "statements_alternate"),
    *("last_problem", "last_failure"),
)
"""What of a phone is known only while its messages' clock goes on"""


class Phones:
    """All phones by name, the longest silent first."""

    def __init__(self, recognizer: Recognizer, placements: Placements, *, max_devices: int) -> None:
        """Begin without phones; ``max_devices`` are served at once."""
        self.recognizer = recognizer
        """The phones' signals"""
        self.placements = placements
        """How the phones are worn"""
        self.names = PhoneNames(max_devices, is_admitted=lambda device: device in self._phones)
        """How the phones are shown"""
        self._max_devices = max_devices
        self._phones: OrderedDict[str, Phone] = OrderedDict()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._phones)

    def __iter__(self) -> Iterator[str]:
        """Yield their names."""
        return iter(self._phones)

    def __getitem__(self, device: str) -> Phone:
        """Return an admitted phone."""
        return self._phones[device]

    def get(self, device: str | None) -> Phone | None:
        """Return a phone, None if it is not admitted."""
        return None if device is None else self._phones.get(device)

    def topic_of(self, device: str) -> str | None:
        """Return the topic of a phone's last message, None if it is not admitted."""
        phone = self._phones.get(device)
        return None if phone is None else phone.topic

    def items(self) -> Iterable[tuple[str, Phone]]:
        """Return names and phones."""
        return self._phones.items()

    def admit(self, device: str, route: Route, now: float) -> Phone:
        """Admit a phone that is not admitted yet, everywhere, and return it.

        Raises:
            MessageError: there are as many as can be served.
        """
        self.recognizer.admit(device)
        self.placements.admit(device)
        phone = self._phones[device] = Phone(route, admitted=now, last_message=now)
        self.place(device)
        return phone

    def note_message(self, device: str, route: Route, message: Message, received_s: float) -> None:
        """Note when and where a phone's last message came; ``received_s`` in epoch seconds."""
        phone = self._phones[device]
        phone.received_s, phone.stream = received_s, message.stream
        phone.route, phone.topic, phone.last_message = route, message.topic, message.received
        self._phones.move_to_end(device)

    def place(self, device: str) -> None:
        """Let a phone's placement take effect on the samples to come."""
        placement = self.placements.of(device)
        self.recognizer.place(
            device,
            placement.sign,
            placement.rotation,
            at_waist=placement.worn_at == "waist",
        )
        phone, model = self._phones[device], self.recognizer.model_of(device)
        worn = f"placement {placement.worn_at} ({placement.worn_at_by}), model {model.identity}"
        if phone.logged_placement not in ("", worn):
            logger.info(
                "placement-changed",
                "%(device)s: placement %(placement)s (%(by)s), model %(model)s",
                device=device,
                placement=placement.worn_at,
                by=placement.worn_at_by,
                model=model.identity,
            )
        phone.logged_placement, phone.info_due = worn, 0.0
        phone.statements_alternate = placement.statements_alternate

    def expect_info(self, device: str | None) -> None:
        """Note that a phone's info may have changed, if it is admitted."""
        phone = self.get(device)
        if phone is not None:
            phone.info_due = 0.0

    def forget(self, devices: Sequence[str]) -> list[Phone]:
        """Drop all that is known of phones but calibration and name; return them."""
        self.recognizer.forget(devices)
        for device in devices:
            self.placements.forget(device)
        return [self._phones.pop(device) for device in devices]

    @property
    def is_full(self) -> bool:
        """Whether all places are taken."""
        return len(self._phones) >= self._max_devices

    def to_make_room(self, now: float, *, offline_after_s: float) -> str | None:
        """Return the longest silent offline phone if all places are taken, else None.

        None also where every phone that has been silent for so long is online.
        """
        if not self.is_full:
            return None
        for device, phone in self._phones.items():
            if now - phone.last_message < offline_after_s:
                return None
            if not phone.online:
                return device
        return None

    def state(self) -> dict[str, object]:
        """Return the state of the phones, of all three places."""
        phones = [
            {
                "device": device,
                "format": phone.route.format.name,
                "topic": phone.route.topic,
                "came_on": phone.topic,
                "named": phone.route.device is not None,
                "online": phone.online,
                "activity": phone.activity,
                "shown": phone.published_activity,
                "judged_until": phone.classified_until,
                "info": phone.info,
            }
            for device, phone in self._phones.items()
        ]
        return {
            "core": self.recognizer.state(),
            "phones": phones,
            "placements": self.placements.state(),
            "names": self.names.state(),
        }

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Restore what `state` returned; no time before ``now`` counts as silence.

        Raises:
            StateError: it belongs to another model or other settings.
        """
        self.recognizer.restore(state["core"])
        self.placements.restore(state["placements"])
        self.names.restore(state.get("names", {}))  # of before there were names
        for known in state["phones"]:
            device = known["device"]
            named = device if known["named"] else None
            self._phones[device] = Phone(
                Route(FORMATS[known["format"]], named, known["topic"]),
                admitted=now,
                last_message=now,
                topic=known["came_on"],
                last_live=now,
                online=known["online"],
                last_classified=now,
                classified_until=known["judged_until"],
                activity=msgspec.convert(known["activity"], Publication | None),
                published_activity=msgspec.convert(known["shown"], Publication | None),
                activity_published=now,
                info=msgspec.convert(known["info"], Publication | None),
                logged_problems=self.recognizer.problems(device),
            )
            self.place(device)

    def exact_state(self) -> dict[str, object]:
        """Return the state of the phones with all times, for a clock that goes on."""
        kept = [[getattr(phone, name) for name in _KEPT_EXACTLY] for phone in self._phones.values()]
        return {**self.state(), "kept": kept}

    def restore_exactly(self, state: Mapping[str, Any]) -> None:
        """Restore what `exact_state` returned.

        Raises:
            StateError: it belongs to another model or other settings.
        """
        self.restore(state, 0.0)
        for phone, kept in zip(self._phones.values(), state["kept"], strict=True):
            for name, value in zip(_KEPT_EXACTLY, kept, strict=True):
                setattr(phone, name, value)
            phone.unknown = msgspec.convert(phone.unknown, Publication | None)
            if phone.unknown == phone.published_activity:  # `Presence` knows them by identity
                phone.unknown = phone.published_activity
            if phone.activity == phone.published_activity:
                phone.activity = phone.published_activity
