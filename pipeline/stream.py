"""The command har-stream: samples in from the broker, predictions out to it."""

import logging
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable
from types import FrameType
from typing import Final

import msgspec

from pipeline.classifier import Classifier, ModelError, find_model
from pipeline.formats import native
from pipeline.mqtt import STATUS_TOPIC, Connection, Message
from pipeline.readings import MessageError, Readings
from pipeline.recognizer import Prediction, Recognizer
from pipeline.settings import StreamSettings, from_command_line

logger = logging.getLogger(__name__)

LOG_INTERVAL_S: Final = 10.0
"""Trouble of one kind is logged at most this often."""
DELIVERY_TIMEOUT_S: Final = 5.0
HOUSEKEEPING_S: Final = 1.0


class Stream:
    """One running har-stream."""

    def __init__(
        self, settings: StreamSettings, classifier: Classifier, connection: Connection
    ) -> None:
        """Join a loaded model with a connection."""
        self._settings = settings
        self._classifier = classifier
        self._connection = connection
        self._recognizer = Recognizer(
            classifier,
            hop=settings.hop,
            filter_start=settings.filter_start,
            max_devices=settings.max_devices,
        )
        self._last_seen: dict[str, float] = {}  # monotonic seconds
        self._online: set[str] = set()
        self._activities: dict[str, tuple[float, bytes]] = {}  # when and what was published last
        self._rejections = RejectionLog()
        self._dropped: Counter[str] = Counter()
        self._dropped_logged: Counter[str] = Counter()
        self._next_dropped_log = 0.0
        self._n_predictions = 0
        self._stopping = False

    def stop(self) -> None:
        """End `run` after what has arrived is done; may be called from a signal handler."""
        self._stopping = True
        self._connection.wake()

    def run(self) -> None:
        """Classify what arrives until `stop`."""
        next_housekeeping = 0.0
        while not self._stopping:
            self._tick(
                self._connection.take(timeout_s=HOUSEKEEPING_S, gather_s=self._settings.tick)
            )
            now = time.monotonic()
            if now >= next_housekeeping:
                self._keep_house(now)
                next_housekeeping = now + HOUSEKEEPING_S
        self._connection.stop_receiving()
        while messages := self._connection.take(timeout_s=0.1, gather_s=0.0):
            self._tick(messages)

    def summary(self) -> str:
        """What the run came to, in a line."""
        counts = self._recognizer.counts
        return (
            f"{self._n_predictions} predictions from {counts['samples']} samples; "
            f"{self._dropped.total()} repeated or late samples, {counts['gaps']} gaps, "
            f"{self._rejections}"
        )

    def _tick(self, messages: Iterable[Message]) -> None:
        recognised = self._recognizer.push(list(self._readings(messages)))
        self._dropped += recognised.dropped
        for prediction in recognised.predictions:
            self._connection.publish(
                f"har/{prediction.device}/prediction", self._prediction_payload(prediction)
            )
        self._n_predictions += len(recognised.predictions)
        for change in recognised.changes:
            payload = msgspec.json.encode(
                {
                    "device": change.device,
                    "activity": change.activity,
                    "since": round(change.since, 6),
                    "probability": round(change.probability, 7),
                }
            )
            logger.info("%s: %s (%.2f)", change.device, change.activity, change.probability)
            self._publish_activity(change.device, payload)

    def _readings(self, messages: Iterable[Message]) -> Iterable[Readings]:
        """Yield the readings of the messages that can be used; count and log the others."""
        for message in messages:
            try:
                reading = native.decode(message.topic, message.payload)
                self._check_clock(reading)
                self._recognizer.admit(reading.device)
            except MessageError as error:
                self._rejections.add(message, error)
                continue
            self._last_seen[reading.device] = message.received
            if reading.device not in self._online:
                self._online.add(reading.device)
                self._connection.publish(
                    f"har/{reading.device}/availability", "online", retain=True
                )
            yield reading

    def _check_clock(self, reading: Readings) -> None:
        """Refuse samples of the future: every true one after them would be late."""
        ahead_s = float(reading.times.max()) - time.time()
        if ahead_s > self._settings.max_ahead:
            raise MessageError("time", f"{ahead_s:.0f} s ahead of this machine's clock")

    def _prediction_payload(self, prediction: Prediction) -> bytes:
        probabilities = [round(float(p), 7) for p in prediction.probabilities]
        activities = self._classifier.activities
        payload: dict[str, object] = {
            "device": prediction.device,
            "start": round(prediction.start, 6),
            "end": round(prediction.end, 6),
            "activity": activities[prediction.label],
            "probability": probabilities[prediction.label],
            "probabilities": dict(zip(activities, probabilities, strict=True)),
            "model": self._classifier.card.identity,
        }
        if prediction.settling:
            payload["settling"] = True
        return msgspec.json.encode(payload)

    def _publish_activity(self, device: str, payload: bytes) -> None:
        self._connection.publish(f"har/{device}/activity", payload, retain=True)
        self._activities[device] = time.monotonic(), payload

    def _keep_house(self, now: float) -> None:
        """Publish heartbeats, log drops, mark silent phones offline, forget those long silent."""
        if self._dropped != self._dropped_logged and now >= self._next_dropped_log:
            news = self._dropped - self._dropped_logged
            logger.warning(
                "dropped samples not newer than their phone's newest (repeated, or its clock was "
                "set back): %s",
                ", ".join(f"{device} {n}" for device, n in news.most_common(5)),
            )
            self._dropped_logged = self._dropped.copy()
            self._next_dropped_log = now + LOG_INTERVAL_S
        for device, (published, payload) in list(self._activities.items()):
            if device in self._online and now - published >= self._settings.heartbeat:
                self._publish_activity(device, payload)
        silence = {device: now - seen for device, seen in self._last_seen.items()}
        for device in [d for d in self._online if silence[d] > self._settings.offline_after]:
            self._online.remove(device)
            self._connection.publish(f"har/{device}/availability", "offline", retain=True)
        forgotten = [d for d, seconds in silence.items() if seconds > self._settings.forget_after]
        self._recognizer.forget(forgotten)
        for device in forgotten:
            del self._last_seen[device]
            self._activities.pop(device, None)


class RejectionLog:
    """Counts rejected messages by reason, and logs each reason now and then."""

    def __init__(self) -> None:
        """Begin with nothing rejected."""
        self._counts: Counter[str] = Counter()
        self._logged: dict[str, float] = {}

    def add(self, message: Message, error: MessageError) -> None:
        """Count a message; log it unless one for the same reason was logged just before."""
        self._counts[error.reason] += 1
        if message.received - self._logged.get(error.reason, -float("inf")) < (LOG_INTERVAL_S):
            return
        self._logged[error.reason] = message.received
        logger.warning(
            "rejected a message on %.100r (%s, %d so far): %s",
            message.topic,
            error.reason,
            self._counts[error.reason],
            error,
        )

    def __str__(self) -> str:
        """Return the counts for people."""
        by_reason = ", ".join(f"{reason} {n}" for reason, n in sorted(self._counts.items()))
        return f"{self._counts.total()} rejected messages" + (
            f" ({by_reason})" if by_reason else ""
        )


def main() -> None:
    """Run the command."""
    settings = from_command_line(StreamSettings)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        classifier = Classifier(
            find_model(settings.model), threads=settings.threads, batch_size=settings.batch_size
        )
    except ModelError as error:
        sys.exit(f"har-stream: {error}")
    connection = Connection(
        settings,
        name="har-stream",
        subscriptions=[native.TOPIC_FILTER],
        status_topic=STATUS_TOPIC,
    )
    stream = Stream(settings, classifier, connection)

    def stop(signum: int, frame: FrameType | None) -> None:
        stream.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    logger.info("model %s, hop %d samples", classifier.card.identity, settings.hop)
    try:
        connection.start(retry=settings.retry)
    except ConnectionError as error:
        sys.exit(f"har-stream: {error}")
    stream.run()
    delivered = connection.close(timeout_s=DELIVERY_TIMEOUT_S)
    logger.info("stopped: %s", stream.summary())
    if not delivered:
        logger.warning("the broker did not confirm everything that was sent")
