"""Deliveries: a tick's samples on their way through the recognizer, and the results as messages.

Samples are collected and go through the recognizer together. A change of how a phone's samples are
processed (a new placement, or that it is forgotten) takes effect behind the samples that came
before: these are processed first.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.blocks import BlockDelivery
from pipeline.event_log import EventLog
from pipeline.messages import Publication
from pipeline.readings import Delivery
from pipeline.recognition.preparation.dropped import Dropped
from pipeline.recognition.results import Recognised
from pipeline.serving.losses import Failures, Losses
from pipeline.serving.outputs import phone_topics
from pipeline.serving.outputs.phone_info import ALTERNATING, WARNINGS, advice_on
from pipeline.serving.phones import Phones
from pipeline.serving.presence import Presence

logger = EventLog(__name__)


class Predicted(NamedTuple):
    """The times of a published prediction; its phone may have been forgotten since."""

    end: float
    """Of its last sample, in epoch seconds"""
    last_message: float
    """When its phone's last message before it came"""
    is_live: bool
    """Whether the samples of that message were not old"""


class Deliveries:
    """Samples that wait for the recognizer."""

    def __init__(
        self,
        phones: Phones,
        presence: Presence,
        outgoing: list[Publication],
    ) -> None:
        """Begin with none; what is to be published is put at the end of ``outgoing``."""
        self._recognizer = phones.recognizer
        self._phones = phones
        self._presence = presence
        self._outgoing = outgoing
        self._waiting: list[Delivery] = []
        self._blocks: list[BlockDelivery] = []
        self._devices: set[str] = set()
        """Phones that have samples among those that wait"""
        self._in_blocks: set[str] = set()
        """Those of them that have them in blocks"""
        self.failures = Failures()
        """Messages and phones that an error of ours kept from being processed"""
        self._late = Losses("samples that came again or too late (see --lateness)")
        self._unused = Losses("samples with nothing to combine them with, or too few a second")
        self.n_dropped = Dropped()
        """Samples of which no row was made, since the start"""
        self.n_predictions: Counter[str] = Counter()
        """Predictions by activity"""
        self.n_episodes: Counter[str] = Counter()
        """Finished episodes by activity"""
        self._predicted: list[Predicted] = []
        self._now = 0.0
        """When the last message came"""

    def add(self, delivery: Delivery, now: float) -> None:
        """Let samples of an admitted phone, which came now, wait for the next `recognise`."""
        device = delivery.device
        if device in self._in_blocks:
            self.recognise()
        self._now = now
        self._waiting.append(delivery)
        self._devices.add(device)

    def add_block(self, block: BlockDelivery, now: float) -> None:
        """Let a block's samples, of which the last came now, wait for the next `recognise`."""
        if not self._devices.isdisjoint(block.devices):
            self.recognise()
        self._now = now
        self._blocks.append(block)
        self._devices.update(block.devices)
        self._in_blocks.update(block.devices)

    def recognise(self) -> None:
        """Take all samples that wait through the recognizer."""
        waiting, self._waiting = self._waiting, []
        blocks, self._blocks = self._blocks, []
        self._devices.clear()
        self._in_blocks.clear()
        self._collect(self._recognizer.push(waiting, blocks))

    def finish(self, devices: Sequence[str]) -> None:
        """Publish the last results of these phones, which have fallen silent."""
        if not self._devices.isdisjoint(devices):
            self.recognise()
        self._collect(self._recognizer.finish(devices))

    def has_newer(self, delivery: Delivery) -> bool:
        """Return whether a message of an admitted phone goes on behind all samples before."""
        if delivery.device in self._devices:
            self.recognise()
        return self._recognizer.has_newer(delivery)

    def place(self, device: str) -> None:
        """Let a phone's placement take effect, behind all samples that came before."""
        if device in self._devices:
            self.recognise()
        phone = self._phones[device]
        alternated = phone.statements_alternate
        self._phones.place(device)
        if phone.statements_alternate and not alternated:
            _warn(device, ALTERNATING, WARNINGS[ALTERNATING])

    def forget(self, devices: Sequence[str]) -> None:
        """Forget phones, and clear what the broker retains of them."""
        if not devices:
            return
        self.finish(devices)
        for device, phone in zip(devices, self._phones.forget(devices), strict=True):
            self._presence.clear(device, phone)

    def fail(self, topic: str, device: str | None, error: Exception) -> None:
        """Count a message or phone that an error of har-stream kept from being processed."""
        self.failures.add(topic, error)
        phone = self._phones.get(device)
        if phone is not None:
            phone.last_failure, phone.info_due = phone.last_message, 0.0

    def log_losses(self, now: float) -> None:
        """Log the losses since they were logged last, unless that was just before."""
        self._late.add({}, now)
        self._unused.add({}, now)

    def take_predicted(self) -> list[Predicted]:
        """Return the times of the predictions since this was called last."""
        predicted, self._predicted = self._predicted, []
        return predicted

    def summary(self) -> str:
        """Return the counts of the run, for people."""
        counts = self._recognizer.counts
        return (
            f"{self.n_predictions.total()} predictions from {counts['samples']} samples; "
            f"{self._late.total} repeated or late samples, {self._unused.total} of no use, "
            f"{counts['gaps']} gaps"
        )

    def _collect(self, recognised: Recognised) -> None:
        """Put results into messages."""
        for device, error in recognised.failures:
            self.fail(self._phones[device].route.topic, device, error)
        for error in recognised.faults:
            self.failures.add("several topics", error)
        self._count_dropped(recognised)
        self._outgoing += phone_topics.predictions(recognised.predictions)
        self.n_predictions.update([prediction.activity for prediction in recognised.predictions])
        for prediction in recognised.predictions:
            phone = self._phones[prediction.device]
            self._predicted.append(Predicted(prediction.end, phone.last_message, phone.is_live))
            if not prediction.settling:
                self._presence.note_window(prediction.device, prediction.end)
        for device, change in recognised.changes:
            self._presence.note_change(device, change)
        self.n_episodes.update([episode.activity for _, episode in recognised.episodes])
        self._outgoing += [
            phone_topics.episode(device, episode) for device, episode in recognised.episodes
        ]
        for device, problems in recognised.problems:
            phone = self._phones[device]
            needed_rate_hz = self._recognizer.model_of(device).needed_rate_hz
            for problem in set(problems) - set(phone.logged_problems):
                advice = advice_on(problem, needed_rate_hz=needed_rate_hz)
                _warn(device, problem, advice)
            phone.logged_problems, phone.info_due = problems, 0.0
        self._presence.replace_outdated()

    def _count_dropped(self, recognised: Recognised) -> None:
        for lost in recognised.dropped.values():
            self.n_dropped += lost
        late = {
            device: lost.late + lost.repeated
            for device, lost in recognised.dropped.items()
            if lost.late or lost.repeated
        }
        self._late.add(late, self._now)
        unused = {device: lost.unused for device, lost in recognised.dropped.items() if lost.unused}
        self._unused.add(unused, self._now)


def _warn(device: str, problem: str, advice: str) -> None:
    logger.warning(
        "phone-problem",
        "%(device)s: %(problem)s: %(advice)s",
        device=device,
        problem=problem,
        advice=advice,
    )
