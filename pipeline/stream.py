"""The command har-stream: samples in from the broker, predictions out to it."""

import logging
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from types import FrameType
from typing import Final

import msgspec

from pipeline import homeassistant
from pipeline.classifier import Classifier, ModelError, find_model
from pipeline.formats import FORMATS, native
from pipeline.mqtt import STATUS_TOPIC, Connection, Message
from pipeline.orientation import decode_calibration
from pipeline.placements import PlacementError, Placements
from pipeline.plausibility import ADVICE
from pipeline.readings import MessageError, Readings
from pipeline.recognizer import LOW_RATE_HZ, Prediction, Recognised, Recognizer
from pipeline.settings import StreamSettings, from_command_line
from pipeline.subscriptions import Route, Subscription, SubscriptionError, parse, route

logger = logging.getLogger(__name__)

LOG_INTERVAL_S: Final = 10.0
"""Trouble of one kind is logged at most this often."""
DELIVERY_TIMEOUT_S: Final = 5.0
HOUSEKEEPING_S: Final = 1.0
INFO_S: Final = 30.0
"""What is known of a phone is looked at this often."""

WARNINGS: Final = ADVICE | {
    "low-rate": f"a sensor sends fewer than {LOW_RATE_HZ:.0f} samples a second: "
    "let the app send 50 or more",
}
"""What is seen of a phone's samples that cannot be right, and what to do."""
MISSING: Final = (
    "accelerometer, with gravity, and gyroscope are both needed: switch it on in the app"
)

CALIBRATION_TOPIC: Final = "har/+/calibration"
CALIBRATION: Final = re.compile("har/(?P<device>[^/]+)/calibration")


@dataclass(eq=False)
class Phone:
    """What is known of one phone beside the core's state."""

    route: Route
    """Where its last samples came from, and how"""
    last_seen: float
    """Monotonic seconds"""
    online: bool = False
    published: float = 0.0
    """Monotonic seconds when its activity was published last"""
    activity: bytes | None = None
    """What was published then"""
    info: bytes | None = None
    """What was published of it last"""
    info_due: float = 0.0
    """Monotonic seconds when that may have changed"""
    problems: tuple[str, ...] = ()
    """What of its samples cannot be right"""


class Stream:
    """One running har-stream."""

    def __init__(
        self,
        settings: StreamSettings,
        classifier: Classifier,
        connection: Connection,
        *,
        subscriptions: Sequence[Subscription],
        placements: Placements,
    ) -> None:
        """Join a loaded model with a connection."""
        self._settings = settings
        self._classifier = classifier
        self._connection = connection
        self._subscriptions = subscriptions
        self._placements = placements
        self._recognizer = Recognizer(
            classifier,
            hop=settings.hop,
            filter_start=settings.filter_start,
            max_devices=settings.max_devices,
            lateness_s=settings.lateness,
        )
        self._phones: dict[str, Phone] = {}
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
        self._publish(self._recognizer.finish(list(self._phones)))

    def summary(self) -> str:
        """What the run came to, in a line."""
        counts = self._recognizer.counts
        return (
            f"{self._n_predictions} predictions from {counts['samples']} samples; "
            f"{self._dropped.total()} repeated or late samples, {counts['gaps']} gaps, "
            f"{self._rejections}"
        )

    def _tick(self, messages: Iterable[Message]) -> None:
        readings = list(self._readings(messages))
        self._publish(self._recognizer.push(readings, received=time.time()))

    def _readings(self, messages: Iterable[Message]) -> Iterable[Readings]:
        """Yield the readings of the messages that can be used; count and log the others."""
        for message in messages:
            try:
                yield from self._used(message)
            except MessageError as error:
                self._rejections.add(message, error)

    def _used(self, message: Message) -> Sequence[Readings]:
        """Return a message's readings; what else it says takes effect.

        Raises:
            MessageError: nothing of it can be used.
        """
        calibrated = CALIBRATION.fullmatch(message.topic)
        if calibrated is not None:
            self._calibrate(calibrated["device"], message)
            return []
        if message.topic == homeassistant.BIRTH_TOPIC:
            if self._settings.home_assistant and message.payload == b"online":
                for device in self._phones:
                    self._announce(device)
            return []
        found = route(self._subscriptions, message.topic)
        if found is None:  # the broker is free to send what nobody asked for
            return []
        readings = [one for one in found.decode(message.payload) if isinstance(one, Readings)]
        for one in readings:
            self._check_clock(one)
            self._recognizer.admit(one.device)
        for one in readings:
            self._meet(one, found, message)
        return readings

    def _meet(self, reading: Readings, found: Route, message: Message) -> None:
        """Note that a phone has sent something."""
        device = reading.device
        phone = self._phones.get(device)
        if phone is None:
            phone = self._phones[device] = Phone(found, message.received)
            logger.info("%s: here, %s on %s", device, found.format.name, message.topic)
            self._place(device)
            if self._settings.home_assistant:
                self._announce(device)
        phone.route, phone.last_seen = found, message.received
        if reading.convention is not None and self._placements.prove(device, reading.convention):
            self._place(device)
        if not phone.online:
            phone.online = True
            self._connection.publish(f"har/{device}/availability", "online", retain=True)

    def _calibrate(self, device: str, message: Message) -> None:
        rotation = decode_calibration(message.payload)
        self._placements.calibrate(device, rotation)
        if device in self._phones:
            logger.info(
                "%s: %s", device, "calibration taken back" if rotation is None else "calibrated"
            )
            self._place(device)

    def _place(self, device: str) -> None:
        placement = self._placements.of(device)
        self._recognizer.place(device, placement.sign, placement.rotation)
        self._phones[device].info_due = 0.0

    def _announce(self, device: str) -> None:
        """Tell Home Assistant of a phone."""
        topic, payload = homeassistant.discovery(
            device,
            self._classifier.activities,
            version=version("har-stream"),
            heartbeat_s=self._settings.heartbeat,
        )
        self._connection.publish(topic, payload, retain=True)

    def _check_clock(self, reading: Readings) -> None:
        """Refuse samples of the future: every true one after them would be late."""
        if reading.clock == "boot":
            return
        ahead_s = float(reading.times.max()) - time.time()
        if ahead_s > self._settings.max_ahead:
            raise MessageError("time", f"{ahead_s:.0f} s ahead of this machine's clock")

    def _publish(self, recognised: Recognised) -> None:
        self._dropped += recognised.dropped
        for prediction in recognised.predictions:
            self._connection.publish(
                f"har/{prediction.device}/prediction", self._prediction_payload(prediction)
            )
        self._n_predictions += len(recognised.predictions)
        for device, change in recognised.changes:
            payload = msgspec.json.encode(
                {
                    "device": device,
                    "activity": change.activity,
                    "since": round(change.since, 6),
                    "probability": round(change.probability, 7),
                }
            )
            logger.info("%s: %s (%.2f)", device, change.activity, change.probability)
            self._publish_activity(device, payload)
        for device, episode in recognised.episodes:
            payload = msgspec.json.encode(
                {
                    "device": device,
                    "activity": episode.activity,
                    "start": round(episode.start, 6),
                    "end": round(episode.end, 6),
                    "probability": round(episode.probability, 7),
                }
            )
            self._connection.publish(f"har/{device}/episode", payload)

        for device, problems in recognised.problems:
            phone = self._phones[device]
            for problem in set(problems) - set(phone.problems):
                logger.warning("%s: %s: %s", device, problem, WARNINGS[problem])
            phone.problems, phone.info_due = problems, 0.0

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
        phone = self._phones[device]
        phone.published, phone.activity = time.monotonic(), payload

    def _keep_house(self, now: float) -> None:
        """Publish heartbeats and infos, log drops, see which phones have fallen silent."""
        self._log_dropped(now)
        silent, forgotten = [], []
        for device, phone in self._phones.items():
            silence = now - phone.last_seen
            if phone.online and silence > self._settings.offline_after:
                silent.append(device)
            if silence > self._settings.forget_after:
                forgotten.append(device)
            if not phone.online:
                continue
            if phone.activity is not None and now - phone.published >= self._settings.heartbeat:
                self._publish_activity(device, phone.activity)
            if now >= phone.info_due:
                self._publish_info(device, phone, now)
        self._publish(self._recognizer.finish(silent))
        for device in silent:
            self._phones[device].online = False
            self._connection.publish(f"har/{device}/availability", "offline", retain=True)
        self._recognizer.forget(forgotten)
        for device in forgotten:
            del self._phones[device]
            self._placements.forget(device)

    def _publish_info(self, device: str, phone: Phone, now: float) -> None:
        """Tell what is known of a phone, if it is news."""
        placement = self._placements.of(device)
        rates_hz = self._recognizer.rates_hz(device)
        lacks = self._recognizer.lacks(device)
        problems = [*phone.problems, *(f"no-{sensor.replace('_', '-')}" for sensor in lacks)]
        info = msgspec.json.encode(
            {
                "device": device,
                "topic": phone.route.topic,
                "format": phone.route.format.name,
                "convention": placement.convention,
                "convention_by": placement.convention_by,
                "frame": placement.frame,
                "rates_hz": {sensor: round(rate) for sensor, rate in sorted(rates_hz.items())},
                "warnings": problems,
                "advice": [WARNINGS.get(problem, MISSING) for problem in problems],
            }
        )
        if info != phone.info:
            phone.info = info
            self._connection.publish(f"har/{device}/info", info, retain=True)
        phone.info_due = now + (INFO_S if rates_hz else HOUSEKEEPING_S)

    def _log_dropped(self, now: float) -> None:
        if self._dropped == self._dropped_logged or now < self._next_dropped_log:
            return
        news = self._dropped - self._dropped_logged
        logger.warning(
            "dropped samples that came again or too late (see --lateness): %s",
            ", ".join(f"{device} {n}" for device, n in news.most_common(5)),
        )
        self._dropped_logged = self._dropped.copy()
        self._next_dropped_log = now + LOG_INTERVAL_S


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


def list_formats() -> None:
    """Print the formats that a subscription can name."""
    print("format          usual topic         messages")
    for one in FORMATS.values():
        print(f"{one.name:<15} {one.topic:<19} {one.summary}")


def main() -> None:
    """Run the command."""
    if "--list-formats" in sys.argv:  # without a broker
        list_formats()
        return
    settings = from_command_line(StreamSettings)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        classifier = Classifier(
            find_model(settings.model), threads=settings.threads, batch_size=settings.batch_size
        )
        subscriptions = [parse(text) for text in [*settings.subscribe, f"{native.TOPIC}=native"]]
        placements = Placements(settings.convention, settings.frame)
    except (ModelError, SubscriptionError, PlacementError) as error:
        sys.exit(f"har-stream: {error}")
    topics = [*(one.filter for one in subscriptions), CALIBRATION_TOPIC]
    if settings.home_assistant:
        topics.append(homeassistant.BIRTH_TOPIC)
    connection = Connection(
        settings, name="har-stream", subscriptions=topics, status_topic=STATUS_TOPIC
    )
    stream = Stream(
        settings, classifier, connection, subscriptions=subscriptions, placements=placements
    )

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
