"""Whose the messages of each topic are, by which they wait in order and in fair shares.

Rules: messages of a device's own topic are the device's. Those of a topic that devices share are
the topic's: only the messages tell the device. A phone's calibration and options wait among its
samples, wherever they come: they are whose the topic of the phone's last message is.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

from pipeline.mqtt.inbox import Owner
from pipeline.serving.routes import INSTRUCTION, sample_route
from pipeline.subscriptions import Subscription


class Owners:
    """The owners of all topics."""

    def __init__(
        self,
        subscriptions: Sequence[Subscription],
        *,
        most: int,
        topic_of: Callable[[str], str | None],
    ) -> None:
        """Begin.

        Args:
            subscriptions: where samples come.
            most: owners that are kept at hand.
            topic_of: returns the topic of a device's last message, None if it has sent none.
        """
        self._of_samples = lru_cache(most)(partial(_of_samples, subscriptions))
        self._topic_of = topic_of

    def of(self, topic: str) -> Owner:
        """Return the owner of a topic's messages."""
        if not topic.endswith(("/calibration", "/options")):
            return self._of_samples(topic)
        instruction = INSTRUCTION.fullmatch(topic)
        if instruction is None:
            return self._of_samples(topic)
        came_on = self._topic_of(instruction["device"])
        return Owner(instruction["device"]) if came_on is None else self._of_samples(came_on)


def _of_samples(subscriptions: Sequence[Subscription], topic: str) -> Owner:
    """Return the owner of messages that instruct no phone: mostly samples."""
    sent_by = sample_route(subscriptions, topic)
    if sent_by is None:
        return Owner(topic)
    if sent_by.device is None:
        return Owner(topic, is_shared=topic == sent_by.topic)
    return Owner(sent_by.device)
