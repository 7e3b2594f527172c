"""The metrics of har-stream, made every other second of counts that its parts keep.

The page docs/reference/metrics.md lists them. Each count is of this process, also where a saved
state goes on, and never goes down. No label names a phone or a topic.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from pipeline.commands.monitoring.broker import broker_families
from pipeline.commands.monitoring.families import (
    Family,
    Histogram,
    counter,
    gauge,
    info,
    summary,
)
from pipeline.commands.stream.housekeeping import Housekeeping
from pipeline.commands.stream.latencies import Latencies
from pipeline.commands.stream.workload import Load
from pipeline.models.classifier import Classifier
from pipeline.mqtt.connection import Connection
from pipeline.serving.phone import Phone
from pipeline.serving.phones import Phones
from pipeline.serving.presence import UNKNOWN_CAUSES
from pipeline.serving.service import Service
from pipeline.state.acknowledgements import Keeper
from pipeline.vocabulary import TRANSITION, UNKNOWN

SIZE_BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Of messages and windows"""
DURATION_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

OFFLINE: Final = "offline"
"""It is silent, and not forgotten yet"""
BACKLOG: Final = "backlog"
"""It sends old samples alone"""
LACKING_SENSOR: Final = "lacking-sensor"
STARTING: Final = "starting"
"""It is online, and has not had a settled window yet"""
WITHOUT_WINDOWS: Final = "without-windows"
"""It is online, and has had no window for a while"""
RECOGNISED: Final = "recognised"
PHONE_STATES: Final = (RECOGNISED, STARTING, LACKING_SENSOR, WITHOUT_WINDOWS, BACKLOG, OFFLINE)


class Ticks:
    """The ticks since the start."""

    def __init__(self) -> None:
        """Begin with none."""
        self.messages = Histogram(SIZE_BOUNDS)
        self.windows = Histogram(SIZE_BOUNDS)
        self.seconds = Histogram(DURATION_BOUNDS_S)

    def add(self, *, n_messages: int, n_windows: int, seconds: float) -> None:
        """Add a tick that had messages."""
        self.messages.add([n_messages])
        self.windows.add([n_windows])
        self.seconds.add([seconds])


class StreamMetrics:
    """Reads the counts of all parts of a har-stream."""

    def __init__(
        self,
        classifiers: Sequence[Classifier],
        connection: Connection,
        service: Service,
        *,
        formats: Sequence[str],
        most_unconfirmed: int,
        offline_after_s: float,
        housekeeping: Housekeeping,
        load: Load,
        latencies: Latencies,
        ticks: Ticks,
        keeper: Keeper | None,
    ) -> None:
        """Take the parts.

        Args:
            classifiers: one for all phones, or one for those at the waist and one for the others.
            connection: to the broker.
            service: of all phones.
            formats: names of those subscribed to.
            most_unconfirmed: publications beyond which nothing is taken.
            offline_after_s: seconds of silence after which a phone is offline.
            housekeeping: counts messages that were dropped.
            load: knows whether too much waits.
            latencies: of predictions.
            ticks: of this run.
            keeper: of checkpoints, None without a state.
        """
        self._classifiers = classifiers
        self._connection = connection
        self._formats = sorted(set(formats))
        self._most_unconfirmed = most_unconfirmed
        self._offline_after_s = offline_after_s
        self._phones = service.phones
        self._presence = service.presence
        self._deliveries = service.deliveries
        self._receiver = service.receiver
        self._rejections = service.rejections
        self._housekeeping = housekeeping
        self._load = load
        self._latencies = latencies
        self._ticks = ticks
        self._keeper = keeper
        self._n_gaps_before = 0

    def begin(self) -> None:
        """Count gaps from now on: a saved state goes on with those before it."""
        self._n_gaps_before = self._phones.recognizer.counts["gaps"]

    def families(self) -> Iterator[Family]:
        """Yield all of them, as of now."""
        yield from self._models()
        yield from broker_families(self._connection)
        yield from self._messages()
        yield from self._samples()
        yield from self._results()
        yield from self._times()
        if self._keeper is not None:
            yield from _checkpoints(self._keeper)

    def _models(self) -> Iterator[Family]:
        *waist, elsewhere = [classifier.identity for classifier in self._classifiers]
        waist_model = waist[0] if waist else elsewhere
        yield info(
            "har_model_info",
            "Models of the phones at the waist and of all others",
            {"waist": waist_model, "elsewhere": elsewhere},
        )
        yield gauge(
            "har_phones",
            "Phones that are known, by state",
            _phone_states(self._phones, self._offline_after_s),
            "state",
        )

    def _messages(self) -> Iterator[Family]:
        yield counter(
            "har_messages_total",
            "Messages whose samples were taken, by format",
            {name: self._receiver.n_messages[name] for name in self._formats},
            "format",
        )
        yield counter(
            "har_rejected_messages_total",
            "Messages that could not be used, by reason",
            self._rejections.counts,
            "reason",
        )
        yield counter(
            "har_dropped_messages_total",
            "Messages that were dropped: their sender sent too many, or at QoS 0 too many waited",
            self._housekeeping.n_dropped,
        )
        yield counter(
            "har_failures_total",
            "Messages and phones that an error of har-stream kept from being processed",
            self._deliveries.failures.total,
        )
        yield gauge(
            "har_overloaded", "1 while too many messages wait, else 0", int(self._load.too_much)
        )
        yield gauge(
            "har_unconfirmed_limit_publications",
            "Unconfirmed messages to publish beyond which no samples are taken",
            self._most_unconfirmed,
        )

    def _samples(self) -> Iterator[Family]:
        yield counter(
            "har_samples_total",
            "Samples of the messages that were taken, each sensor's by itself, by format",
            {name: self._receiver.n_samples[name] for name in self._formats},
            "format",
        )
        yield counter(
            "har_dropped_samples_total",
            "Samples that were not used, by cause",
            asdict(self._deliveries.n_dropped),
            "cause",
        )
        yield counter(
            "har_gaps_total",
            "Pauses in phones' samples after which filters and windows began anew",
            max(0, self._phones.recognizer.counts["gaps"] - self._n_gaps_before),
        )

    def _results(self) -> Iterator[Family]:
        yield counter(
            "har_windows_total",
            "Windows that were classified",
            sum(classifier.n_windows for classifier in self._classifiers),
        )
        yield counter(
            "har_unanswered_windows_total",
            "Windows for which the model gave no numbers",
            sum(classifier.n_unanswered for classifier in self._classifiers),
        )
        activities = [name for classifier in self._classifiers for name in classifier.activities]
        yield counter(
            "har_predictions_total",
            "Predictions, by activity",
            _complete(self._deliveries.n_predictions, activities),
            "activity",
        )
        yield counter(
            "har_episodes_total",
            "Finished episodes, by activity",
            _complete(self._deliveries.n_episodes, [*activities, TRANSITION, UNKNOWN]),
            "activity",
        )
        yield counter(
            "har_unknowns_total",
            "How often the activity of a phone became unknown, by cause",
            _complete(self._presence.n_unknowns, UNKNOWN_CAUSES),
            "cause",
        )

    def _times(self) -> Iterator[Family]:
        yield self._latencies.to_confirmation.family(
            "har_prediction_latency_seconds",
            "Time from receipt of a window's last message to the broker's confirmation",
        )
        yield self._latencies.from_samples.family(
            "har_prediction_age_seconds",
            "Time by this machine's clock from a live window's last sample to its prediction",
        )
        yield self._ticks.seconds.family(
            "har_tick_duration_seconds", "Time that a pass over what had arrived took"
        )
        yield self._ticks.messages.family(
            "har_tick_messages", "Messages in a pass over what had arrived"
        )
        yield self._ticks.windows.family(
            "har_tick_windows", "Windows in a pass over what had arrived"
        )
        batches = Histogram(SIZE_BOUNDS)
        for classifier in self._classifiers:
            batches.add(list(classifier.batches), list(classifier.batches.values()))
        yield batches.family("har_batch_windows", "Windows in a call of the model")


def _complete(counts: Mapping[str, int], names: Sequence[str]) -> dict[str, int]:
    """Return the counts of these names, 0 where there is none: the series are there at once."""
    return {name: counts.get(name, 0) for name in names}


def _phone_states(phones: Phones, offline_after_s: float) -> dict[str, int]:
    """Return how many phones are in each state."""
    sending_since = time.monotonic() - offline_after_s
    counts = Counter([_state(phone, sending_since) for _, phone in phones.items()])
    return _complete(counts, PHONE_STATES)


def _state(phone: Phone, sending_since: float) -> str:
    if not phone.online:
        return BACKLOG if phone.last_message >= sending_since else OFFLINE
    if phone.lacks_sensor:
        return LACKING_SENSOR
    if phone.unknown is not None and phone.published_activity is phone.unknown:
        return WITHOUT_WINDOWS
    return RECOGNISED if phone.classified_until else STARTING


def _checkpoints(keeper: Keeper) -> Iterator[Family]:
    yield gauge(
        "har_checkpoint_timestamp_seconds",
        "When the last checkpoint was on the disk, in seconds since 1970; 0 before the first",
        keeper.last_time_s,
    )
    yield gauge("har_checkpoint_bytes", "Size of the last checkpoint", keeper.last_bytes)
    yield summary(
        "har_checkpoint_duration_seconds",
        "Time that writing a checkpoint took",
        keeper.n_written,
        keeper.writing_s,
    )
    yield counter(
        "har_checkpoint_failures_total", "Checkpoints that could not be written", keeper.n_failed
    )
    yield gauge("har_unsaved_messages", "Messages that are in no checkpoint yet", keeper.unsaved)
