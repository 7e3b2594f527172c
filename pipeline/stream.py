"""The command har-stream: samples in from the broker, predictions out to it."""

import gc
import logging
import re
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import version
from types import FrameType
from typing import Any, Final

import msgspec

from pipeline import homeassistant, results
from pipeline.checkpoint import RESET, CheckpointError, StateFolder
from pipeline.classifier import Classifier, ModelError, find_model
from pipeline.formats import FORMATS, native
from pipeline.keeper import Keeper
from pipeline.mqtt import STATUS_TOPIC, Connection, Session
from pipeline.orientation import decode_calibration
from pipeline.packets import Message, Publication
from pipeline.placements import PlacementError, Placements
from pipeline.plausibility import ADVICE
from pipeline.readings import MAX_PAYLOAD_BYTES, Delivery, MessageError, Readings
from pipeline.recognizer import Recognised, Recognizer, StateError
from pipeline.resampling import LOW_RATE_HZ
from pipeline.settings import StreamSettings, from_command_line
from pipeline.silence import Silence
from pipeline.subscriptions import Route, Subscription, SubscriptionError, parse, route
from pipeline.workload import Load, Losses, Rejections

logger = logging.getLogger(__name__)

DELIVERY_TIMEOUT_S: Final = 5.0
HOUSEKEEPING_S: Final = 1.0
SURVEY_S: Final = 3.0
"""So long after its first message it is clear what a phone sends."""
INFO_S: Final = 30.0
"""What is known of a phone is looked at this often."""
LOAD_TOPIC: Final = "har/load"
MOST_UNCONFIRMED: Final = 20_000
"""While the broker has not confirmed so many results, no more are made."""

WARNINGS: Final = ADVICE | {
    "low-rate": f"a sensor sends fewer than {LOW_RATE_HZ:.0f} samples a second: "
    "let the app send 50 or more",
    "clocks-apart": "the times of accelerometer and gyroscope do not belong together: let the app "
    "use one clock for both",
    "two-phones": "samples of two phones come under this name: give each a name of its own",
    "late-samples": "samples come that are older than others before, and are left out: two phones "
    "under one name, a backlog sent among live samples, or messages that overtake by more than "
    "--lateness",
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
    here_since: float
    """Monotonic seconds"""
    last_seen: float
    """Monotonic seconds"""
    online: bool = False
    published: float = 0.0
    """Monotonic seconds when its activity was published last"""
    activity: Publication | None = None
    """What was published then"""
    info: Publication | None = None
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
        keeper: Keeper | None = None,
    ) -> None:
        """Join a loaded model with a connection, and with a keeper if nothing may be lost."""
        self._settings = settings
        self._classifier = classifier
        self._connection = connection
        self._route = lru_cache(settings.max_devices)(partial(_sample_route, subscriptions))
        self._placements = placements
        self._recognizer = Recognizer(
            classifier,
            hop=settings.hop,
            filter_start=settings.filter_start,
            max_devices=settings.max_devices,
            lateness_s=settings.lateness,
            baseline=settings.baseline,
        )
        self._keeper = keeper
        self._phones: dict[str, Phone] = {}
        self._results: list[Publication] = []  # to be published at the end of a tick
        self._rejections = Rejections()
        self._late = Losses("samples that came again or too late (see --lateness)")
        self._crowded_out = Losses("messages at QoS 0, the oldest of who sent most")
        self._load = Load(settings.max_waiting, time.monotonic())
        self._n_predictions = 0
        self._silence = Silence()
        self._stopping = False

    def stop(self) -> None:
        """End `run` after what has arrived is done; may be called from a signal handler."""
        self._stopping = True
        self._connection.wake()

    def run(self) -> None:
        """Classify what arrives until `stop`."""
        next_housekeeping = 0.0
        while not self._stopping:
            if self._connection.await_confirmations(MOST_UNCONFIRMED, timeout_s=HOUSEKEEPING_S):
                self._tick(
                    self._connection.take(timeout_s=HOUSEKEEPING_S, gather_s=self._settings.tick)
                )
            now = time.monotonic()
            if now >= next_housekeeping:
                self._keep_house(now)
                next_housekeeping = now + HOUSEKEEPING_S
            if self._keeper is not None:
                self._keep_state(self._keeper, now)
        if self._keeper is not None:
            self._leave(self._keeper)
            return
        self._connection.stop_receiving()
        while messages := self._connection.take(timeout_s=0.1, gather_s=0.0):
            self._tick(messages)
        self._gather(self._recognizer.finish(list(self._phones)))
        self._publish()

    def state(self) -> dict[str, object]:
        """Return all that would be lost with the program."""
        phones = [
            {
                "device": device,
                "format": phone.route.format.name,
                "topic": phone.route.topic,
                "named": phone.route.device is not None,
                "online": phone.online,
                "activity": phone.activity,
                "info": phone.info,
                "problems": phone.problems,
            }
            for device, phone in self._phones.items()
        ]
        return {
            "core": self._recognizer.state(),
            "phones": phones,
            "placements": self._placements.state(),
            "unconfirmed": self._connection.unconfirmed,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned.

        Raises:
            StateError: it belongs to another model or other settings.
        """
        self._recognizer.restore(state["core"])
        self._placements.restore(state["placements"])
        now = time.monotonic()
        for known in state["phones"]:
            device = known["device"]
            route = Route(
                FORMATS[known["format"]], device if known["named"] else None, known["topic"]
            )
            self._phones[device] = Phone(
                route,
                here_since=now,
                last_seen=now,
                online=known["online"],
                published=now,
                activity=msgspec.convert(known["activity"], Publication | None),
                info=msgspec.convert(known["info"], Publication | None),
                problems=tuple(known["problems"]),
            )
            self._place(device)
        self._connection.publish_all(
            msgspec.convert(state["unconfirmed"], list[Publication], builtin_types=(bytes,))
        )

    def summary(self) -> str:
        """What the run came to, in a line."""
        counts = self._recognizer.counts
        return (
            f"{self._n_predictions} predictions from {counts['samples']} samples; "
            f"{self._late.total} repeated or late samples, {counts['gaps']} gaps, "
            f"{self._rejections}"
        )

    def _tick(self, messages: Sequence[Message]) -> None:
        self._gather(self._recognizer.push(list(self._deliveries(messages))))
        self._publish()
        self._load.add(messages, time.monotonic())

    def _deliveries(self, messages: Iterable[Message]) -> Iterable[Delivery]:
        """Yield the samples of the messages that can be used; count and log the others."""
        epoch = time.time() - time.monotonic()  # of the monotonic clock's 0
        for message in messages:
            if self._keeper is not None:
                known = self._keeper.knows(message)
                self._keeper.note(message)
                if known:
                    continue
            try:
                readings = self._used(message)
                if readings:
                    yield Delivery(readings, epoch + message.received)
            except MessageError as error:
                self._rejections.add(message, error)

    def _used(self, message: Message) -> Sequence[Readings]:
        """Return a message's readings; what else it says takes effect.

        Raises:
            MessageError: nothing of it can be used.
        """
        if message.oversize:
            raise MessageError("size", f"{message.oversize} bytes; at most {MAX_PAYLOAD_BYTES}")
        found = self._route(message.topic)
        if found is None:
            self._obey(message)
            return []
        readings = [one for one in found.decode(message.payload) if isinstance(one, Readings)]
        now_s = time.time()
        for one in readings:
            _check_clock(one, now_s, self._settings.max_ahead)
        for one in readings:
            self._recognizer.admit(one.device)  # and met at once, or it would never be forgotten
            self._meet(one, found, message)
        return readings

    def _obey(self, message: Message) -> None:
        """Let a message take effect that brings no samples.

        Raises:
            MessageError: it cannot be used.
        """
        calibrated = CALIBRATION.fullmatch(message.topic)
        if calibrated is not None:
            self._calibrate(calibrated["device"], message)
        elif message.topic == homeassistant.BIRTH_TOPIC and message.payload == b"online":
            if self._settings.home_assistant:
                for device in self._phones:
                    self._announce(device)

    def _meet(self, reading: Readings, found: Route, message: Message) -> None:
        """Note that a phone has sent something."""
        device = reading.device
        phone = self._phones.get(device)
        if phone is None:
            phone = self._phones[device] = Phone(found, message.received, message.received)
            logger.info("%s: here, %s on %s", device, found.format.name, message.topic)
            self._placements.meet(device)
            self._place(device)
            if self._settings.home_assistant:
                self._announce(device)
        phone.route, phone.last_seen = found, message.received
        if reading.convention is not None and self._placements.prove(device, reading.convention):
            self._place(device)
        if not phone.online:
            phone.online = True
            self._results.append(results.availability(device, online=True))

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
        self._results.append(Publication(topic, payload, retain=True))

    def _publish(self) -> None:
        """Publish what was gathered."""
        if self._results:
            self._connection.publish_all(self._results)
            self._results = []

    def _gather(self, recognised: Recognised) -> None:
        """Put what was recognised into messages."""
        self._late.add(
            {device: lost.late + lost.repeated for device, lost in recognised.dropped.items()},
            time.monotonic(),
        )
        self._results += results.predictions(recognised.predictions, self._classifier)
        self._n_predictions += len(recognised.predictions)
        for device, change in recognised.changes:
            logger.info("%s: %s (%.2f)", device, change.activity, change.probability)
            self._tell_activity(device, results.activity(device, change))
        self._results += [results.episode(device, one) for device, one in recognised.episodes]
        for device, problems in recognised.problems:
            phone = self._phones[device]
            for problem in set(problems) - set(phone.problems):
                logger.warning("%s: %s: %s", device, problem, WARNINGS[problem])
            phone.problems, phone.info_due = problems, 0.0

    def _tell_activity(self, device: str, publication: Publication) -> None:
        self._results.append(publication)
        phone = self._phones[device]
        phone.published, phone.activity = time.monotonic(), publication

    def _keep_house(self, now: float) -> None:
        """Publish heartbeats and infos, log drops, see which phones have fallen silent.

        That is done whatever waits; `silence` says how the phones' own messages count that do. Who
        has dropped messages has sent some: where phones share a topic, perhaps any of them.
        """
        dropped = self._connection.take_dropped()
        self._crowded_out.add(dropped, now)
        self._tell_load(now)
        if not self._connection.ready.is_set():
            self._silence.disconnect()
            return
        self._silence.update(
            now,
            held_back=self._connection.was_held_back(),
            waiting=self._by_route(self._connection.oldest_waiting()),
        )
        spoken = self._by_route(dict.fromkeys(dropped, now))
        silent, forgotten = [], []
        for device, phone in self._phones.items():
            phone.last_seen = max(phone.last_seen, spoken.get(phone.route.topic, 0.0))
            silence = self._silence.seconds(phone.route.topic, phone.last_seen)
            if phone.online and silence > self._settings.offline_after:
                silent.append(device)
            if silence > self._settings.forget_after:
                forgotten.append(device)
            if not phone.online:
                continue
            if phone.activity is not None and now - phone.published >= self._settings.heartbeat:
                self._tell_activity(device, phone.activity)
            if now >= phone.info_due:
                self._tell_info(device, phone, now)
        self._gather(self._recognizer.finish(silent))
        for device in silent:
            self._phones[device].online = False
            self._results.append(results.availability(device, online=False))
        self._recognizer.forget(forgotten)
        for device in forgotten:
            del self._phones[device]
            self._placements.forget(device)
        self._publish()

    def _by_route(self, times_s: Mapping[str, float]) -> dict[str, float]:
        """Return the earliest of each topic's times by `Route.topic`, as phones are known by it."""
        earliest: dict[str, float] = {}
        for topic, time_s in times_s.items():
            found = self._route(topic)
            if found is not None:
                earliest[found.topic] = min(time_s, earliest.get(found.topic, time_s))
        return earliest

    def _keep_state(self, keeper: Keeper, now: float) -> None:
        """Acknowledge what a checkpoint holds, and begin another when it is time."""
        self._connection.acknowledge(keeper.settled(now))
        if keeper.due(now):
            keeper.begin(self.state(), now)

    def _leave(self, keeper: Keeper) -> None:
        """Save the state for the next start; what waits stays with the broker until then."""
        self._connection.await_confirmations(0, timeout_s=DELIVERY_TIMEOUT_S)
        now = time.monotonic()
        self._connection.acknowledge(keeper.settled(now, wait=True))
        keeper.begin(self.state(), now)
        self._connection.acknowledge(keeper.settled(now, wait=True))

    def _tell_load(self, now: float) -> None:
        """Publish how much waits, and how old what is published is; warn of too much."""
        waiting = self._connection.waiting
        self._load.watch(waiting)
        report = self._load.report(now)
        if report is None:
            return
        report |= {
            "phones": len(self._phones),
            "waiting": waiting,
            "unconfirmed": len(self._connection.unconfirmed),
            "dropped": self._crowded_out.total,
            "rejected": self._rejections.total,
        }
        if self._keeper is not None:
            report["unsaved"] = self._keeper.unsaved
        self._connection.publish(LOAD_TOPIC, msgspec.json.encode(report), retain=True)

    def _tell_info(self, device: str, phone: Phone, now: float) -> None:
        """Tell what is known of a phone, if it is news."""
        placement = self._placements.of(device)
        rates_hz = self._recognizer.rates_hz(device)
        settled = now - phone.here_since >= SURVEY_S  # before, a sensor may be yet to come
        lacks = self._recognizer.lacks(device) if settled else []
        problems = [*phone.problems, *(f"no-{sensor.replace('_', '-')}" for sensor in lacks)]
        payload = msgspec.json.encode(
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
        info = Publication(f"har/{device}/info", payload, retain=True)
        if info != phone.info:
            phone.info = info
            self._results.append(info)
        phone.info_due = now + (INFO_S if rates_hz else HOUSEKEEPING_S)


def _sample_route(subscriptions: Sequence[Subscription], topic: str) -> Route | None:
    """Return what a topic says of a message, None if it brings no samples."""
    return None if CALIBRATION.fullmatch(topic) else route(subscriptions, topic)


def _check_clock(reading: Readings, now_s: float, most_ahead_s: float) -> None:
    """Refuse samples of the future: every true one after them would be late."""
    ahead_s = reading.times[reading.times.argmax()] - now_s  # a third of what max() takes
    if ahead_s > most_ahead_s and reading.clock == "epoch":
        raise MessageError("time", f"{ahead_s:.0f} s ahead of this machine's clock")


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
        if settings.baseline and classifier.orientation == "any":
            raise ModelError(
                f"--baseline tells a model for upright phones how upright they are: "
                f"{classifier.card.name} is for any; leave out one of the two"
            )
        subscriptions = [parse(text) for text in [*settings.subscribe, f"{native.TOPIC}=native"]]
        placements = Placements(
            settings.convention, settings.frame, max_devices=settings.max_devices
        )
        folder = None if settings.state is None else StateFolder(settings.state)
        if folder is not None and settings.reset_state:
            folder.discard()
        state = None if folder is None else folder.load()
    except (ModelError, SubscriptionError, PlacementError, CheckpointError) as error:
        sys.exit(f"har-stream: {error}")
    topics = [*(one.filter for one in subscriptions), CALIBRATION_TOPIC]
    if settings.home_assistant:
        topics.append(homeassistant.BIRTH_TOPIC)
    session = None
    if folder is not None:
        session = Session(folder.client_id, settings.session_expiry, expected=state is not None)
    connection = Connection(
        settings,
        name="har-stream",
        subscriptions=topics,
        optional=topics[len(subscriptions) :],
        status_topic=STATUS_TOPIC,
        session=session,
        most_waiting=settings.max_waiting,
        shared_topics=[one.filter for one in subscriptions if not set("+#") & set(one.filter)],
    )
    keeper = None if folder is None else Keeper(folder, period_s=settings.checkpoint)
    stream = Stream(
        settings,
        classifier,
        connection,
        subscriptions=subscriptions,
        placements=placements,
        keeper=keeper,
    )
    if keeper is not None and state is not None:
        try:
            stream.restore(state)
        except StateError as error:
            sys.exit(f"har-stream: {settings.state}: {error}; {RESET}")
        keeper.restore(state)
        logger.info("going on from %s, %d phones", settings.state, len(state["phones"]))

    def stop(signum: int, frame: FrameType | None) -> None:
        stream.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    gc.freeze()  # what is there now stays: it need not be gone through again and again
    logger.info("model %s, hop %d samples", classifier.card.identity, settings.hop)
    try:
        connection.start(retry=settings.retry)
        stream.run()
    except ConnectionError as error:
        sys.exit(f"har-stream: {error}")
    delivered = connection.close(timeout_s=DELIVERY_TIMEOUT_S)
    logger.info("stopped: %s", stream.summary())
    if not delivered:
        logger.warning("the broker did not confirm everything that was sent")
