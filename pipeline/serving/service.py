"""The parts that serve phones, joined: messages in, publications out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.messages import Message, Publication
from pipeline.recognition.judgement.model import Model
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.recognizer import Recognizer
from pipeline.serving.deliveries import Deliveries
from pipeline.serving.phone_infos import PhoneInfos
from pipeline.serving.phones import Phones
from pipeline.serving.presence import Presence
from pipeline.serving.receiver import ReceiptClock, Receiver
from pipeline.serving.rejections import Rejections
from pipeline.serving.rules import Rules
from pipeline.serving.upkeep import PhoneSilence, Upkeep
from pipeline.subscriptions import Subscription


class Service:
    """Serves all phones; what is to be published gathers in `outgoing`."""

    def __init__(
        self,
        rules: Rules,
        models: Sequence[Model],
        recognizer: Recognizer,
        placements: Placements,
        subscriptions: Sequence[Subscription],
        *,
        silence: PhoneSilence,
        clock: ReceiptClock,
        take_other: Callable[[Message], None] = lambda message: None,
    ) -> None:
        """Begin without phones.

        Args:
            rules: by which phones are served.
            models: one for all phones, or one for those at the waist and one for the others.
            recognizer: with these models, and without phones.
            placements: how phones are worn, as far as that is set.
            subscriptions: the topics and formats of samples.
            silence: knows for how long phones have been silent.
            clock: dates messages when they come.
            take_other: gets messages that are about no phone.
        """
        activities = [name for model in models for name in model.activities]
        self.outgoing: list[Publication] = []
        self.phones = Phones(recognizer, placements, max_devices=rules.max_devices)
        self.rejections = Rejections()
        self.presence = Presence(rules, self.phones, activities, self.outgoing)
        self.deliveries = Deliveries(self.phones, self.presence, self.outgoing)
        self.infos = PhoneInfos(self.phones, models, self.rejections.of_phones, self.outgoing)
        self.upkeep = Upkeep(
            rules,
            phones=self.phones,
            presence=self.presence,
            deliveries=self.deliveries,
            infos=self.infos,
            silence=silence,
        )
        self.receiver = Receiver(
            rules,
            subscriptions,
            phones=self.phones,
            presence=self.presence,
            deliveries=self.deliveries,
            rejections=self.rejections,
            upkeep=self.upkeep,
            clock=clock,
            take_other=take_other,
        )

    def exact_state(self) -> dict[str, object]:
        """Return all that results depend on, with all times, for a clock that goes on."""
        return {
            "phones": self.phones.exact_state(),
            "rejected": self.rejections.of_phones.state(),
            "connected": self.presence.connected,
        }

    def restore_exactly(self, state: Mapping[str, Any]) -> None:
        """Restore what `exact_state` returned.

        Raises:
            StateError: it belongs to another model or other settings.
        """
        self.phones.restore_exactly(state["phones"])
        self.rejections.of_phones.restore(state["rejected"])
        self.presence.connected = state["connected"]

    def summary(self) -> str:
        """Return the counts of the run, in a line."""
        return f"{self.deliveries.summary()}, {self.rejections}"
