"""The step of an engine: a state and the records of a batch in, publications and the state out.

It is what har-stream does with messages as they come, for an engine that keeps records, states and
offsets, and may run a batch again: the same state and records give the same publications, to the
last bit. However the records are cut into batches, predictions and episodes are the same; the
activity now, infos and heartbeats are as of the end of each batch.

Rules:

* The time is that of the records, never that of a machine. Records of a partition are in the order
  of their offsets, and so of time; one that is dated earlier than the one before counts as of then.
* A phone is silent if later records of its partition have come and none of its own. Where a whole
  partition pauses for so long that all would be offline, nobody is known to be silent in it.
* A record that cannot be used is rejected, counted and told in its phone's info, and never stops a
  batch. So is one of a phone for which there is no room: whose records come first decides, so there
  the cut matters.
* Publications are numbered; those of a batch that is run again have the same numbers.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from pipeline.messages import Message, Publication
from pipeline.program_topics import TIME_TOPIC
from pipeline.recognition.judgement.model import Model
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.preparation.filters import FilterStart
from pipeline.recognition.recognizer import Recognizer
from pipeline.serving.adoption import dealt
from pipeline.serving.phone import Phone
from pipeline.serving.rules import Rules
from pipeline.serving.service import Service
from pipeline.state.checkpoint import decode, encode
from pipeline.subscriptions import Subscription

_UNKNOWN: Final = -1
"""The partition of a phone that has sent nothing since it came from a har-stream"""
AT_ONCE: Final = 1_000
"""Records whose samples go through the recognizer together"""


class Record(msgspec.Struct, frozen=True, gc=False):
    """A message as a log keeps it."""

    topic: str
    """The MQTT topic on which it came"""
    payload: bytes
    time_s: float
    """When it came, in epoch seconds"""
    partition: int = 0
    """The part of the log that it is in; all records of a phone are in one"""
    retained: bool = False
    """The broker had kept it for later subscribers: it may be of any age"""


@dataclass(frozen=True)
class Stepped:
    """What a batch led to."""

    publications: list[Publication]
    first_number: int
    """Number of the first publication of all since the state was begun; the others follow"""
    state: bytes
    n_phones: int
    """Phones in the state"""
    n_windows: int
    """Predictions among the publications"""
    n_rejected: Counter[str]
    """Records that could not be used, by reason"""
    n_failed: int
    """Records and phones that an error of ours kept from being processed"""


class Step:
    """Serves the phones of one bucket, batch by batch."""

    def __init__(
        self,
        rules: Rules,
        models: Sequence[Model],
        subscriptions: Sequence[Subscription],
        *,
        conventions: Sequence[str],
        frames: Sequence[str],
        body_places: Sequence[str],
        hop: int,
        filter_start: FilterStart,
        lateness_s: float,
    ) -> None:
        """Take what `Service` and `Placements` do; nothing of a batch stays here.

        Raises:
            PlacementError: a setting of placements is none of those.
        """
        self._rules = rules
        self._models = models
        self._subscriptions = subscriptions
        self._placements = (conventions, frames, body_places)
        self._hop = hop
        self._filter_start: FilterStart = filter_start
        self._lateness_s = lateness_s
        self._service(_PartitionTimes(rules.offline_after_s))  # so that wrong settings are told now

    def __call__(self, state: bytes | None, records: Sequence[Record]) -> Stepped:
        """Return what a bucket's records lead to, and its next state.

        Args:
            state: what the batch before returned, None before the first.
            records: of at least one; those of each partition in their order.

        Raises:
            StateError: the state belongs to other models or settings.
            CheckpointError: it is of another version, or damaged.
        """
        times = _PartitionTimes(self._rules.offline_after_s)
        service = self._service(times)
        first = 0
        if state is not None:
            known = decode(state)
            first = known["n_published"]
            service.restore_exactly(known["service"])
            times.restore(known["times"])
        messages: list[Message] = []
        for record in records:
            if times.is_pause(record.partition, record.time_s):
                self._take(service, messages)
                service.upkeep.end_silent()
            now = times.note(record.partition, record.time_s)
            service.presence.note_connection(now)
            if record.topic == TIME_TOPIC:
                continue
            messages.append(
                Message(
                    record.topic,
                    record.payload,
                    now,
                    retained=record.retained,
                    stream=record.partition,
                )
            )
            if len(messages) == AT_ONCE:
                self._take(service, messages)
        self._take(service, messages)
        service.upkeep.keep()
        service.infos.publish_rejections(times.latest)
        service.deliveries.log_losses(math.inf)
        return Stepped(
            service.outgoing,
            first,
            _encoded(first + len(service.outgoing), times, service),
            len(service.phones),
            len(service.deliveries.take_predicted()),
            Counter({reason: n for reason, n in service.rejections.counts.items() if n}),
            service.deliveries.failures.total,
        )

    def adopt(
        self, state: Mapping[str, Any], is_own: Callable[[str], bool], time_s: float
    ) -> bytes:
        """Return the state in which a bucket begins with phones of a har-stream.

        Args:
            state: of the har-stream, as its checkpoint holds it.
            is_own: tells by its name whether a phone is the bucket's.
            time_s: epoch seconds from which on their silence counts.

        Raises:
            StateError: it belongs to other models or settings, or has too many phones of the
                bucket's.
        """
        times = _PartitionTimes(self._rules.offline_after_s)
        service = self._service(times)
        taken_apart = self._recognizer(max_devices=max(1, len(state["core"]["devices"])))
        service.phones.restore(dealt(state, taken_apart, is_own), time_s)
        for _, phone in service.phones.items():
            phone.stream = _UNKNOWN
        return _encoded(0, times, service)

    def _take(self, service: Service, messages: list[Message]) -> None:
        """Take messages through the recognizer, and empty the list."""
        service.receiver.take_all(messages, 0.0)
        service.deliveries.recognise()
        messages.clear()

    def _service(self, times: "_PartitionTimes") -> Service:
        return Service(
            self._rules,
            self._models,
            self._recognizer(max_devices=self._rules.max_devices),
            Placements(*self._placements, max_devices=self._rules.max_devices),
            self._subscriptions,
            silence=times,
            clock=_LogClock(),
        )

    def _recognizer(self, *, max_devices: int) -> Recognizer:
        return Recognizer(
            self._models[0],
            model_elsewhere=self._models[1] if len(self._models) > 1 else None,
            hop=self._hop,
            filter_start=self._filter_start,
            max_devices=max_devices,
            lateness_s=self._lateness_s,
        )


def _encoded(n_published: int, times: "_PartitionTimes", service: Service) -> bytes:
    return encode(
        {
            "n_published": n_published,
            "times": times.state(),
            "service": service.exact_state(),
        }
    )


class _PartitionTimes:
    """The time in each partition, and since when it is known who is silent."""

    def __init__(self, pause_s: float) -> None:
        """Begin without records; a pause of ``pause_s`` is one of the whole partition."""
        self._pause_s = pause_s
        self._latest: dict[int, float] = {}
        self._since: dict[int, float] = {}

    @property
    def latest(self) -> float:
        """The latest time of all partitions."""
        return max(self._latest.values())

    def note(self, partition: int, time_s: float) -> float:
        """Note a record's time; return the time that it is in its partition then."""
        now = max(time_s, self._latest.get(partition, time_s))
        if partition not in self._latest or self.is_pause(partition, time_s):
            self._since[partition] = now
        self._latest[partition] = now
        return now

    def is_pause(self, partition: int, time_s: float) -> bool:
        """Return whether a record comes after a pause of its partition."""
        return time_s - self._latest.get(partition, time_s) > self._pause_s

    def now(self, phone: Phone) -> float:
        """Return the time in a phone's partition."""
        return self._latest.get(phone.stream, self.latest)

    def silent_s(self, phone: Phone, since: float, until: float) -> float:
        """Return how long a phone has sent nothing, if it did last at the time ``since``.

        What is known of the time after ``until`` does not count.
        """
        if phone.stream == _UNKNOWN:  # at least so long
            return min(*self._latest.values(), until) - since
        return min(self._latest[phone.stream], until) - max(since, self._since[phone.stream])

    def state(self) -> list[tuple[int, float, float]]:
        """Return the times of all partitions."""
        return [(number, time_s, self._since[number]) for number, time_s in self._latest.items()]

    def restore(self, state: Sequence[tuple[int, float, float]]) -> None:
        """Restore what `state` returned."""
        for number, time_s, since in state:
            self._latest[number], self._since[number] = time_s, since


class _LogClock:
    """The clock by which a log dates its records: it is right."""

    def confirm(self) -> None:
        """Learn nothing new."""

    def is_known_wrong_at(self, time_s: float) -> bool:
        """Return False."""
        return False
