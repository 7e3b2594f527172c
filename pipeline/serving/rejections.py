"""The rejected messages: counted by reason, logged now and then, and kept for each phone.

They are kept for phones whose messages were rejected lately, and for a limited number of phones,
because senders can make up names. How they are published is decided in `phone_infos`.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.event_log import EventLog
from pipeline.log_intervals import LogIntervals
from pipeline.messages import Message
from pipeline.readings import REASONS, MessageError, Reason, is_device
from pipeline.serving.losses import LOG_INTERVAL_S
from pipeline.subscriptions import Route

logger = EventLog(__name__)

MOST_PHONES: Final = 1_000
PUBLISH_INTERVAL_S: Final = 10.0
"""A phone's rejected messages are published at once, and then at most this often"""
LASTS_S: Final = 60.0
"""Seconds without a rejected message after which a phone's rejections are forgotten"""


class Rejections:
    """Messages that could not be used, by reason."""

    def __init__(self) -> None:
        """Begin with none."""
        self.of_phones = RejectionsOfPhones()
        self._counts: Counter[Reason] = Counter()
        self._log_intervals = LogIntervals(LOG_INTERVAL_S)

    @property
    def total(self) -> int:
        """How many there were."""
        return self._counts.total()

    @property
    def counts(self) -> dict[str, int]:
        """How many there were for each reason that there can be."""
        return {reason: self._counts[reason] for reason in REASONS}

    def add(self, message: Message, error: MessageError, sent_by: Route | None) -> str | None:
        """Count a message; log it unless one of its phone for the same reason was just before.

        Return its phone, None if it has none or has had a message rejected lately already.
        """
        self._log(message, error, sent_by)
        device = error.device or (None if sent_by is None else sent_by.device)
        if device is None or sent_by is None or not is_device(device):
            return None
        is_first = self.of_phones.add(
            device, error, topic=sent_by.topic, format=sent_by.format.name, now=message.received
        )
        return device if is_first else None

    def __str__(self) -> str:
        """Return the counts for people."""
        by_reason = ", ".join(f"{reason} {n}" for reason, n in sorted(self._counts.items()))
        return f"{self.total} rejected messages" + (f" ({by_reason})" if by_reason else "")

    def _log(self, message: Message, error: MessageError, sent_by: Route | None) -> None:
        self._counts[error.reason] += 1
        device = error.device or (None if sent_by is None else sent_by.device)
        source = message.topic if device is None else device
        if not self._log_intervals.are_over(error.reason, source, message.received):
            return
        logger.warning(
            "message-rejected",
            "rejected a message on %(topic).100r (%(reason)s, %(n_so_far)d so far): %(error)s",
            topic=message.topic,
            reason=error.reason,
            n_so_far=self._counts[error.reason],
            error=error,
            device=device,
        )


@dataclass
class Rejected:
    """The rejected messages of one phone."""

    counts: Counter[str] = field(default_factory=Counter)
    """Messages by reason"""
    explanation: str = ""
    """Of the last message"""
    topic: str = ""
    """Of the last message"""
    format: str = ""
    last: float = 0.0
    """When the last message came, on the clock of messages"""
    published: float = -float("inf")
    """When they were published last, on the clock of messages"""


class RejectionsOfPhones:
    """The rejected messages of all phones."""

    def __init__(self) -> None:
        """Begin with none."""
        self._of: OrderedDict[str, Rejected] = OrderedDict()
        """By device, the longest ago first"""
        self._forgotten: list[str] = []
        """Devices for which there was no room any more"""
        self._unpublished: set[str] = set()
        """Devices with messages rejected since `unpublished` returned them"""

    def add(self, device: str, error: MessageError, *, topic: str, format: str, now: float) -> bool:
        """Note a rejected message; return whether it is the phone's first for a while."""
        rejected = self._of.pop(device, None)
        is_first = rejected is None
        if rejected is None:
            rejected = Rejected()
            if len(self._of) >= MOST_PHONES:
                oldest, _ = self._of.popitem(last=False)
                self._forgotten.append(oldest)
                self._unpublished.discard(oldest)
        self._of[device] = rejected
        rejected.counts[error.reason] += 1
        rejected.explanation, rejected.topic, rejected.format = str(error), topic, format
        rejected.last = now
        self._unpublished.add(device)
        return is_first

    def state(self) -> dict[str, Any]:
        """Return all of them, in values that MessagePack can hold."""
        return {
            "of": {
                device: {**vars(one), "counts": dict(one.counts)}
                for device, one in self._of.items()
            },
            "forgotten": self._forgotten,
            "unpublished": sorted(self._unpublished),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        self._of = OrderedDict(
            (device, Rejected(**(one | {"counts": Counter(one["counts"])})))
            for device, one in state["of"].items()
        )
        self._forgotten, self._unpublished = state["forgotten"], set(state["unpublished"])

    def of(self, device: str) -> Rejected | None:
        """Return the messages of a phone that were rejected lately, None if there are none."""
        return self._of.get(device)

    def unpublished(self, now: float) -> list[tuple[str, Rejected]]:
        """Return the phones of which messages were rejected since they were returned last."""
        due = [
            device
            for device in self._unpublished
            if now - self._of[device].published >= PUBLISH_INTERVAL_S
        ]
        self._unpublished.difference_update(due)
        for device in due:
            self._of[device].published = now
        return [(device, self._of[device]) for device in sorted(due)]

    def expire(self, now: float) -> list[str]:
        """Forget the phones of which no message was rejected lately; return them."""
        over, self._forgotten = self._forgotten, []
        for device, rejected in self._of.items():
            if now - rejected.last < LASTS_S:
                break
            over.append(device)
        for device in over:
            self._of.pop(device, None)
            self._unpublished.discard(device)
        return over
