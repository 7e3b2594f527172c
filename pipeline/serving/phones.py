"""The phones that are served.

A phone has a state in three places: its signals in the recognizer, its placement in the placements,
and what is published of it in its `Phone`. `Phones` alone admits, places and forgets a phone, in
all three at once.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pipeline.event_log import EventLog
from pipeline.messages import Message
from pipeline.readings import Delivery
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.recognizer import Recognizer
from pipeline.serving.frozen_phone import FrozenPhone
from pipeline.serving.phone import Phone
from pipeline.serving.phone_names import PhoneNames
from pipeline.serving.saved_phone import SavedPhone, saved_phones
from pipeline.subscriptions import Route

logger = EventLog(__name__)


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

    def note_message(self, device: str, route: Route, message: Message, delivery: Delivery) -> None:
        """Note when and where a phone's last message came, and whether it was a plain one."""
        phone = self._phones[device]
        phone.received_s, phone.stream = delivery.received, message.stream
        phone.route, phone.topic, phone.last_message = route, message.topic, message.received
        first = delivery.readings[0]
        phone.is_plain = (
            len(delivery.readings) == 1
            and (first.sensor, first.clock) == ("motion", "epoch")
            and route.device is not None
        )
        self._phones.move_to_end(device)

    def note_going_on(
        self, messages: Sequence[Message], routes: Sequence[Route], received_s: Sequence[float]
    ) -> None:
        """Note when and where messages of phones that only go on came, in epoch seconds too."""
        phones, move_to_end = self._phones, self._phones.move_to_end
        for message, route, received in zip(messages, routes, received_s, strict=True):
            device = route.device
            assert device is not None
            phone = phones[device]
            phone.received_s, phone.stream = received, message.stream
            phone.route, phone.topic = route, message.topic
            phone.last_message = phone.last_live = message.received
            move_to_end(device)

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
        phone.n_placed += 1
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
        return {
            "core": self.recognizer.state(),
            "phones": [SavedPhone.of(device, phone) for device, phone in self._phones.items()],
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
        for saved in saved_phones(state["phones"]):
            device, phone = saved.device, saved.phone(now)
            phone.logged_problems = self.recognizer.problems(device)
            self._phones[device] = phone
            self.place(device)

    def exact_state(self) -> dict[str, object]:
        """Return the state of the phones with all times, for a clock that goes on."""
        return {
            "core": self.recognizer.state(),
            "kept": [FrozenPhone.of(device, phone) for device, phone in self._phones.items()],
            "placements": self.placements.state(),
            "names": self.names.state(),
        }

    def restore_exactly(self, state: Mapping[str, Any]) -> None:
        """Restore what `exact_state` returned.

        Raises:
            StateError: it belongs to another model or other settings.
        """
        self.recognizer.restore(state["core"])
        self.placements.restore(state["placements"])
        self.names.restore(state["names"])
        for kept in msgspec.convert(state["kept"], list[FrozenPhone], builtin_types=(bytes,)):
            device, phone = kept.device, kept.phone()
            phone.logged_problems = self.recognizer.problems(device)
            self._phones[device] = phone
            self.place(device)
            phone.info_due = kept.info_due
