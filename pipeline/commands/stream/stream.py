"""The command har-stream: samples in from the broker, predictions out to it."""

import gc
import logging
import re
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from importlib.metadata import version
from types import FrameType
from typing import Any, Final

import msgspec
import numpy as np

from pipeline.commands import log
from pipeline.commands.stream import homeassistant, info, results
from pipeline.commands.stream.info import WARNINGS
from pipeline.commands.stream.own_clock import OwnClock
from pipeline.commands.stream.refusals import Refusals
from pipeline.commands.stream.silence import Silence
from pipeline.commands.stream.workload import Failures, Load, Losses, Rejections
from pipeline.formats import FORMATS, native
from pipeline.models.classifier import Classifier, ModelError, find_model
from pipeline.mqtt.connection import STATUS_TOPIC, Connection, Session
from pipeline.mqtt.packets import Message, Publication
from pipeline.readings import MAX_PAYLOAD_BYTES, Delivery, MessageError, Readings, is_device
from pipeline.recognition.placement.calibration import decode_calibration
from pipeline.recognition.placement.placements import PlacementError, Placements
from pipeline.recognition.recognizer import Recognised, Recognizer, StateError
from pipeline.settings import StreamSettings, from_command_line
from pipeline.state.acknowledgements import Keeper
from pipeline.state.checkpoint import RESET, CheckpointError, StateFolder
from pipeline.subscriptions import Route, Subscription, SubscriptionError, parse, route

logger = logging.getLogger(__name__)

DELIVERY_TIMEOUT_S: Final = 5.0
HOUSEKEEPING_S: Final = 1.0
SURVEY_S: Final = 3.0
"""So long after its first message it is clear what a phone sends."""
NEW_S: Final = 30.0
"""So long after its first message all that is known of a phone is looked at every second."""
INFO_S: Final = 30.0
"""And later, if all is well, this often."""
LIVE_AGAIN_S: Final = 3.0
"""Between live samples that come so often, those of a backlog are no trouble."""
FAULT_S: Final = 600.0
"""So long its owner is told that we have failed on a phone's samples."""
LOAD_TOPIC: Final = "har/load"
MOST_UNCONFIRMED: Final = 20_000
"""While the broker has not confirmed so many results, no more are made."""

UNKNOWN_AFTER_S: Final = 10.0
"""So long a phone may send without a window that could be judged until its activity is unknown: the
filters take 3.2 s to settle, a window has 2.56 s, and so much may lie between two."""

CALIBRATION_TOPIC: Final = "har/+/calibration"
CALIBRATION: Final = re.compile("har/(?P<device>[^/]+)/calibration")


@dataclass(eq=False)
class Phone:
    """What is known of one phone beside the core's state; times are in monotonic seconds."""

    route: Route
    """Where its last samples came from, and how"""
    here_since: float
    last_seen: float
    """When its last message came"""
    last_live: float = -np.inf
    """When the last came whose samples were not old"""
    is_live: bool = False
    """Whether the last one was such"""
    online: bool = False
    judged: float = 0.0
    """When a window of its was judged last, or when it came online"""
    judged_until: float = 0.0
    """Epoch seconds: end of the last window that was judged"""
    activity: Publication | None = None
    """What it does, as far as is known"""
    shown: Publication | None = None
    """What was published of that last"""
    published: float = 0.0
    """When"""
    unknown: Publication | None = None
    """What was published last when windows failed to come"""
    info: Publication | None = None
    """What was published of it last"""
    info_due: float = 0.0
    """When that may have changed"""
    problems: tuple[str, ...] = ()
    """What of its samples cannot be right"""
    ailing: float = -np.inf
    """When anything was wrong with its samples last"""
    failed: float = -np.inf
    """When we failed on its samples last"""


class AheadError(MessageError):
    """Samples are of the future by this machine's clock; one of both clocks is wrong."""


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
        self._phones: OrderedDict[str, Phone] = OrderedDict()  # the longest silent first
        self._refusals = Refusals()
        self._clock = OwnClock()
        self._clock_is_wrong = False
        self._postponed: dict[int, Message] = {}
        """Refused, perhaps by our clock's fault, and unacknowledged; by packet identifier"""
        self._deliveries: list[Delivery] = []  # of this tick, and not yet in the core
        self._delivering: set[str] = set()  # their devices
        self._to_show: set[str] = set()  # phones whose activity may not be what is published
        self._results: list[Publication] = []  # to be published at the end of a tick
        self._rejections = Rejections()
        self._late = Losses("samples that came again or too late (see --lateness)")
        self._unused = Losses("samples with nothing to combine them with, or too few a second")
        self._failures = Failures()
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
                "shown": phone.shown,
                "judged_until": phone.judged_until,
                "info": phone.info,
                "problems": phone.problems,
            }
            for device, phone in self._phones.items()
        ]
        return {
            "time": self._clock.latest if self._clock_is_wrong else time.time(),
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
        self._clock.passed(state["time"])
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
                last_live=now,
                online=known["online"],
                judged=now,
                judged_until=known["judged_until"],
                activity=msgspec.convert(known["activity"], Publication | None),
                shown=msgspec.convert(known["shown"], Publication | None),
                published=now,
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
            f"{self._late.total} repeated or late samples, {self._unused.total} of no use, "
            f"{counts['gaps']} gaps, "
            f"{self._rejections}"
        )

    def _tick(self, messages: Sequence[Message]) -> None:
        epoch = time.time() - time.monotonic()  # of the monotonic clock's 0
        if self._clock.has_jumped(epoch):
            postponed, self._postponed = list(self._postponed.values()), {}
        else:
            postponed = []
        for message in [*postponed, *messages]:
            if self._keeper is not None and self._keeper.knows(message):
                self._keeper.note(message)
                continue
            is_settled = self._take(message, epoch)
            if self._keeper is None:
                continue
            if is_settled:
                self._keeper.note(message)
            else:
                self._postponed.pop(message.mid, None)
                self._postponed[message.mid] = message
        self._settle_postponed()
        self._recognise()
        self._publish()
        self._load.add(messages, time.monotonic())

    def _settle_postponed(self) -> None:
        """Give up what is ahead of our clock, once that is right or there is too much of it.

        The broker sends only so many messages that are not acknowledged.
        """
        if self._keeper is None or not self._postponed:
            return
        if self._clock.is_confirmed or self._connection.owed > self._settings.max_waiting / 2:
            for message in self._postponed.values():
                self._keeper.note(message)
            self._postponed.clear()

    def _take(self, message: Message, epoch: float) -> bool:
        """Put a message's samples to those of this tick; count and log what cannot be used.

        Args:
            message: what came.
            epoch: the monotonic clock's 0 in epoch seconds.

        Returns:
            whether that is settled: if not it was refused, but perhaps by our own clock's fault.
        """
        found = None
        try:
            found = self._route(message.topic)
            delivery = self._used(message, found, epoch)
        except MessageError as error:
            self._refuse(message, found, error)
            return not (isinstance(error, AheadError) and message.mid)
        except Exception as error:  # of ours; it is not to end the other phones
            self._fail(message.topic, None if found is None else found.device, error)
        else:
            if delivery is not None:
                self._deliveries.append(delivery)
                self._delivering.add(delivery.device)
        return True

    def _recognise(self) -> None:
        """Take what has been delivered so far through the core."""
        deliveries, self._deliveries = self._deliveries, []
        self._delivering.clear()
        self._gather(self._recognizer.push(deliveries))

    def _used(self, message: Message, found: Route | None, epoch: float) -> Delivery | None:
        """Return a message's samples, if it has any; what else it says takes effect.

        Args:
            message: what came.
            found: what its topic says of it, None if it brings no samples.
            epoch: epoch seconds of the monotonic clock's 0.

        Raises:
            MessageError: nothing of it can be used.
        """
        if message.oversize:
            raise MessageError("size", f"{message.oversize} bytes; at most {MAX_PAYLOAD_BYTES}")
        if found is None:
            self._obey(message)
            return None
        readings = [one for one in found.decode(message.payload) if isinstance(one, Readings)]
        if not readings:
            return None
        delivery = Delivery(readings, epoch + message.received)
        try:
            self._check_clock(delivery)
            self._make_room(delivery.device, message.received)
            self._recognizer.admit(delivery.device)  # and met, or it would never be forgotten
        except MessageError as error:
            error.device = delivery.device
            raise
        self._meet(delivery, found, message)
        return delivery

    def _check_clock(self, delivery: Delivery) -> None:
        """Refuse samples of the future: every true one after them would be late.

        Unless it is this machine's clock that is wrong.
        """
        if delivery.readings[0].clock != "epoch":
            return
        ahead_s = delivery.newest - delivery.received
        if ahead_s <= self._settings.max_ahead:
            self._clock.is_confirmed |= abs(ahead_s) <= self._settings.max_behind
            return
        self._look_at_clock(delivery.received)
        if not self._clock_is_wrong:
            raise AheadError("time", f"{ahead_s:.0f} s ahead of this machine's clock")

    def _look_at_clock(self, time_s: float) -> None:
        """See whether this machine's clock can be right, and say so when that changes."""
        before, self._clock_is_wrong = self._clock_is_wrong, self._clock.is_wrong(time_s)
        if self._clock_is_wrong and not before:
            logger.error(
                "this machine's clock is wrong: it was later before, at %s; until it is set, "
                "samples are taken however far ahead of it they are",
                datetime.fromtimestamp(self._clock.latest, UTC).isoformat(timespec="seconds"),
            )
        elif before and not self._clock_is_wrong:
            logger.info("this machine's clock can be right again")

    def _make_room(self, device: str, now: float) -> None:
        """Forget the longest silent phone if there is no room for another one."""
        if device in self._phones or len(self._phones) < self._settings.max_devices:
            return
        for other, phone in self._phones.items():
            if now - phone.last_seen < self._settings.offline_after:
                return
            if not phone.online:
                if other in self._delivering:
                    self._recognise()
                self._forget([other])
                return

    def _refuse(self, message: Message, found: Route | None, error: MessageError) -> None:
        """Count and log a message that cannot be used, and let its phone's owner know."""
        self._rejections.add(message, error)
        device = error.device or (None if found is None else found.device)
        if device is None or found is None or not is_device(device):
            return
        if self._refusals.add(
            device, error, topic=found.topic, format=found.format.name, now=message.received
        ):
            phone = self._phones.get(device)
            if phone is not None:
                phone.info_due = 0.0

    def _fail(self, topic: str, device: str | None, error: Exception) -> None:
        """Go on without what could not be worked through, by a mistake of ours."""
        self._failures.add(topic, error)
        phone = None if device is None else self._phones.get(device)
        if phone is not None:
            phone.failed, phone.info_due = time.monotonic(), 0.0

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
                for device, phone in self._phones.items():
                    if phone.last_live > -np.inf:
                        self._announce(device)

    def _meet(self, delivery: Delivery, found: Route, message: Message) -> None:
        """Note that a phone has sent something."""
        device = delivery.device
        phone = self._phones.get(device)
        if phone is None:
            phone = self._phones[device] = Phone(found, message.received, message.received)
            logger.info("%s: here, %s on %s", device, found.format.name, message.topic)
            self._placements.meet(device)
            self._place(device)
        else:
            self._phones.move_to_end(device)
        phone.route, phone.last_seen = found, message.received
        for reading in delivery.readings:
            if reading.convention is not None:
                if self._placements.prove(device, reading.convention):
                    self._place(device)
        is_old = self._recognizer.age_s(delivery) > self._settings.max_behind
        is_live = not (is_old or message.retained)
        if is_live != phone.is_live:
            phone.is_live, phone.info_due = is_live, 0.0
            self._to_show.add(device)
        if not is_live:
            return
        phone.last_live = message.received
        if not phone.online:
            phone.online, phone.judged = True, message.received
            self._results.append(results.availability(device, online=True))
            if phone.shown is not None:  # what it did before is not what it does now
                self._show_unknown(phone, device, delivery.received)
            if self._settings.home_assistant:
                self._announce(device)

    def _calibrate(self, device: str, message: Message) -> None:
        rotation = decode_calibration(message.payload)
        self._placements.calibrate(device, rotation)
        if device in self._phones:
            logger.info(
                "%s: %s", device, "calibration taken back" if rotation is None else "calibrated"
            )
            self._place(device)

    def _place(self, device: str) -> None:
        """Let a phone's placement take effect, behind all samples that came before."""
        if device in self._delivering:
            self._recognise()
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
        now, time_s = time.monotonic(), time.time()
        for device, error in recognised.failures:
            self._fail(self._phones[device].route.topic, device, error)
        self._late.add(
            {
                device: lost.late + lost.repeated
                for device, lost in recognised.dropped.items()
                if lost.late or lost.repeated
            },
            now,
        )
        self._unused.add(
            {device: lost.unused for device, lost in recognised.dropped.items() if lost.unused}, now
        )
        self._results += results.predictions(recognised.predictions, self._classifier)
        self._n_predictions += len(recognised.predictions)
        for prediction in recognised.predictions:
            if not prediction.settling:
                phone = self._phones[prediction.device]
                phone.judged, phone.judged_until = now, prediction.end
                if phone.shown is not phone.activity:
                    self._to_show.add(prediction.device)
        for device, change in recognised.changes:
            phone = self._phones[device]
            phone.activity = results.activity(device, change)
            if phone.is_live and time_s - change.since <= self._settings.max_behind:
                logger.info("%s: %s (%.2f)", device, change.activity, change.probability)
                self._show(phone, phone.activity)
            else:
                self._to_show.add(device)
        self._results += [results.episode(device, one) for device, one in recognised.episodes]
        for device, problems in recognised.problems:
            phone = self._phones[device]
            for problem in set(problems) - set(phone.problems):
                logger.warning("%s: %s: %s", device, problem, WARNINGS[problem])
            phone.problems, phone.info_due = problems, 0.0
        for device in self._to_show:
            known = self._phones.get(device)
            if known is None or known.activity is None or known.shown == known.activity:
                continue
            if known.is_live and time_s - known.judged_until <= self._settings.max_behind:
                self._show(known, known.activity)
        self._to_show.clear()

    def _show(self, phone: Phone, activity: Publication) -> None:
        """Publish what a phone does now."""
        self._results.append(activity)
        phone.published, phone.shown = time.monotonic(), activity

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
        self._look_at_clock(time.time())
        silent, forgotten = [], []
        for device, phone in self._phones.items():
            topic = phone.route.topic
            phone.last_seen = max(phone.last_seen, spoken.get(topic, 0.0))
            if self._silence.seconds(topic, phone.last_seen) > self._settings.forget_after:
                forgotten.append(device)
            if phone.online:
                last_live = max(phone.last_live, spoken.get(topic, 0.0))
                if self._silence.seconds(topic, last_live) > self._settings.offline_after:
                    silent.append(device)
                else:
                    self._keep_showing(device, phone, now)
            if now >= phone.info_due and now - phone.last_seen <= INFO_S:
                try:
                    self._tell_info(device, phone, now)
                except Exception as error:  # of ours; it is not to end the other phones
                    self._fail(topic, device, error)
                    phone.info_due = now + INFO_S
        for device in silent:  # what is recognised of it now is not what it does now
            self._phones[device].online = self._phones[device].is_live = False
        self._gather(self._recognizer.finish(silent))
        for device in silent:
            self._results.append(results.availability(device, online=False))
        self._forget(forgotten)
        self._tell_refusals(now)
        self._publish()

    def _keep_showing(self, device: str, phone: Phone, now: float) -> None:
        """Publish again what a phone that is online does, or that it is not known any more."""
        if phone.shown is not None and now - phone.published >= self._settings.heartbeat:
            self._show(phone, phone.shown)
        if phone.last_live - phone.judged <= UNKNOWN_AFTER_S or not phone.is_live:
            return
        if phone.unknown is None or phone.shown is not phone.unknown:
            logger.info("%s: unknown, for want of windows", device)
            since = phone.judged_until or time.time() - (now - phone.judged)
            self._show_unknown(phone, device, since)
            phone.info_due = 0.0

    def _show_unknown(self, phone: Phone, device: str, since: float) -> None:
        """Publish that it is not known what a phone does now."""
        phone.unknown = results.unknown(device, since)
        self._show(phone, phone.unknown)

    def _forget(self, devices: Sequence[str]) -> None:
        """Forget phones, and clear what is retained of them."""
        if not devices:
            return
        self._gather(self._recognizer.finish(devices))
        self._recognizer.forget(devices)
        for device in devices:
            phone = self._phones.pop(device)
            self._placements.forget(device)
            self._results += results.cleared(
                device, activity=phone.shown is not None, info=phone.info is not None
            )
            if self._settings.home_assistant:
                self._results.append(Publication(*homeassistant.removal(device), retain=True))

    def _tell_refusals(self, now: float) -> None:
        """Tell the owners of phones that are not here why nothing of their messages is used."""
        for device, refused in self._refusals.news(now):
            if device not in self._phones:
                self._results.append(info.of_refused(device, refused))
        for device in self._refusals.expire(now):
            phone = self._phones.get(device)
            if phone is None:
                self._results += results.cleared(device, activity=False, info=True)[1:]
            else:
                phone.info_due = 0.0

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
        """Publish how much waits, how old what is published is, and what troubles the program."""
        waiting = self._connection.waiting
        self._load.watch(waiting)
        troubles = self._troubles()
        is_news = self._connection.show_status("degraded" if troubles else "online")
        report = self._load.report(now, at_once=is_news)
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
        if self._connection.refused:
            report["refused"] = self._connection.refused
        report["troubles"] = troubles
        self._connection.publish(LOAD_TOPIC, msgspec.json.encode(report), retain=True)

    def _troubles(self) -> list[str]:
        """Return what whoever runs this program should mend, a sentence each."""
        troubles = []
        if self._keeper is not None and self._keeper.trouble is not None:
            troubles.append(self._keeper.trouble)
        if self._connection.refused:
            topics = ", ".join(self._connection.refused)
            troubles.append(f"the broker does not let us read {topics}")
        if self._clock_is_wrong:
            troubles.append("this machine's clock is wrong")
        return troubles

    def _tell_info(self, device: str, phone: Phone, now: float) -> None:
        """Tell what is known of a phone, if it is news."""
        recognizer = self._recognizer
        rates_hz = recognizer.rates_hz(device)
        settled = now - phone.here_since >= SURVEY_S  # before, a sensor may be yet to come
        lacks = recognizer.lacks(device) if settled else []
        problems = list(recognizer.problems(device))
        if phone.last_seen - phone.last_live > LIVE_AGAIN_S:
            problems.append("old-samples")
        if now - phone.failed < FAULT_S:
            problems.append("fault")
        refused = self._refusals.of(device)
        if problems or lacks or refused:
            phone.ailing = now
        elif phone.last_live - max(phone.judged, phone.ailing) > UNKNOWN_AFTER_S:
            problems.append("gaps")
        told = info.publication(
            device,
            topic=phone.route.topic,
            format=phone.route.format.name,
            placement=self._placements.of(device),
            rates_hz=rates_hz,
            clocks_apart_s=recognizer.clocks_apart_s(device),
            problems=problems,
            lacks=lacks,
            refused=refused,
        )
        if told != phone.info:
            phone.info = told
            self._results.append(told)
        is_well = rates_hz and not (problems or lacks or refused)
        is_known = is_well and now - phone.here_since > NEW_S
        phone.info_due = now + (INFO_S if is_known else HOUSEKEEPING_S)


def _sample_route(subscriptions: Sequence[Subscription], topic: str) -> Route | None:
    """Return what a topic says of a message, None if it brings no samples."""
    return None if CALIBRATION.fullmatch(topic) else route(subscriptions, topic)


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
    log.configure(settings.log_level.upper(), "%(asctime)s %(levelname)s %(message)s")
    try:
        classifier = Classifier(
            find_model(settings.model), threads=settings.threads, batch_size=settings.batch_size
        )
        classifier.check_answers()
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
