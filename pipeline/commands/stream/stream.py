"""One running har-stream: samples in from the broker, predictions out to it.

Every tick takes the messages that have come, for all phones together: the service
(`pipeline.serving`) decodes them and takes their samples through the recognizer, and the results
are published. Every second `housekeeping` checks the program, and in between the phones in turn;
`durability` ensures that nothing is lost.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from pipeline.commands.monitoring.monitor import Monitor
from pipeline.commands.program_info import ProgramInfo
from pipeline.commands.stream.durability import Durability
from pipeline.commands.stream.housekeeping import HOUSEKEEPING_S, Housekeeping
from pipeline.commands.stream.latencies import Latencies
from pipeline.commands.stream.left_announcements import LeftAnnouncements
from pipeline.commands.stream.machine_clock import MachineClock
from pipeline.commands.stream.metrics import StreamMetrics, Ticks
from pipeline.commands.stream.program_reports import ProgramReports
from pipeline.commands.stream.readiness import readiness
from pipeline.commands.stream.settings import StreamSettings
from pipeline.commands.stream.silence import Silence
from pipeline.commands.stream.workload import Load
from pipeline.home_assistant import BIRTH_TOPIC
from pipeline.messages import Message, Publication
from pipeline.models.classifier import Classifier
from pipeline.mqtt.connection import Connection
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.recognizer import Recognizer
from pipeline.serving.outputs import phone_topics
from pipeline.serving.receiver import AheadError
from pipeline.serving.service import Service
from pipeline.state.acknowledgements import Keeper
from pipeline.subscriptions import Subscription

MOST_UNCONFIRMED: Final = 20_000
"""While the broker has not confirmed so many results, no more are made."""


class Stream:
    """One running har-stream."""

    def __init__(
        self,
        settings: StreamSettings,
        classifiers: Sequence[Classifier],
        connection: Connection,
        *,
        subscriptions: Sequence[Subscription],
        placements: Placements,
        monitor: Monitor,
        keeper: Keeper | None = None,
    ) -> None:
        """Join loaded models with a connection, and with a keeper if nothing may be lost.

        ``classifiers`` is one for all phones, or one for those at the waist and one for the others.
        """
        self._classifiers = classifiers
        self._monitor = monitor
        self._settings = settings
        self._connection = connection
        self._silence = Silence()
        self._clock = MachineClock()
        self._load = Load(settings.max_waiting, time.monotonic())
        self._durability = None
        if keeper is not None:
            self._durability = Durability(
                keeper, connection, self._clock, most_waiting=settings.max_waiting
            )
        recognizer = Recognizer(
            classifiers[0],
            model_elsewhere=classifiers[1] if len(classifiers) > 1 else None,
            hop=settings.hop,
            filter_start=settings.filter_start,
            max_devices=settings.max_devices,
            lateness_s=settings.lateness,
        )
        self._service = Service(
            settings.rules(announces=settings.home_assistant),
            classifiers,
            recognizer,
            placements,
            subscriptions,
            silence=self._silence,
            clock=self._clock,
            take_other=self._take_other,
        )
        self._phones = self._service.phones
        self._latencies = Latencies()
        self._left_announcements = LeftAnnouncements(
            self._phones, most=settings.max_devices, forget_after_s=settings.forget_after
        )
        program = ProgramInfo.of(
            [classifier.identity for classifier in classifiers],
            hop=settings.hop,
            formats=[subscription.format.name for subscription in subscriptions],
        )
        self._reports = ProgramReports(
            connection,
            program,
            phones=self._phones,
            load=self._load,
            rejections=self._service.rejections,
            clock=self._clock,
            durability=self._durability,
        )
        self._housekeeping = Housekeeping(
            connection,
            self._service,
            silence=self._silence,
            reports=self._reports,
            left_announcements=self._left_announcements,
            clock=self._clock,
        )
        self._ticks = Ticks()
        self._metrics = StreamMetrics(
            classifiers,
            connection,
            self._service,
            formats=program.formats,
            most_unconfirmed=MOST_UNCONFIRMED,
            offline_after_s=settings.offline_after,
            housekeeping=self._housekeeping,
            load=self._load,
            latencies=self._latencies,
            ticks=self._ticks,
            keeper=keeper,
        )
        self._stopping = False

    def topic_of(self, device: str) -> str | None:
        """Return the topic of a phone's last message, None if it is not admitted."""
        return self._phones.topic_of(device)

    def stop(self) -> None:
        """End `run` after what has arrived is done; may be called from a signal handler."""
        self._stopping = True
        self._connection.wake()

    def be_watched(self) -> None:
        """Let the monitor see this har-stream from now on."""
        self._metrics.begin()
        checks = readiness(self._connection, self._load, self._durability)
        self._monitor.begin(self._metrics.families, checks)
        self._monitor.status(f"connecting to {self._connection.address}")

    def run(self) -> None:
        """Classify what arrives until `stop`."""
        self._reports.introduce()
        next_housekeeping = 0.0
        while not self._stopping:
            self._monitor.turn()
            if self._connection.await_confirmations(MOST_UNCONFIRMED, timeout_s=HOUSEKEEPING_S):
                self._tick(
                    self._connection.take(timeout_s=HOUSEKEEPING_S, gather_s=self._settings.tick)
                )
            now = time.monotonic()
            if now >= next_housekeeping:
                self._housekeeping.keep(now)
                self._latencies.confirmed(self._connection.take_progress())
                self._monitor.status(self._status())
                next_housekeeping = now + HOUSEKEEPING_S
            self._housekeeping.keep_phones(now)
            self._publish()
            if self._durability is not None:
                self._durability.keep(self.state, now)
        self._monitor.stopping()
        if self._durability is not None:
            self._durability.leave(self.state)
            return
        self._connection.stop_receiving()
        while messages := self._connection.take(timeout_s=0.1, gather_s=0.0):
            self._tick(messages)
        self._service.deliveries.finish(list(self._phones))
        self._publish()

    def state(self) -> dict[str, object]:
        """Return all that would be lost with the program."""
        return {
            "time": self._clock.latest if self._clock.is_known_wrong else time.time(),
            **self._phones.state(),
            "unconfirmed": self._connection.unconfirmed,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned.

        Raises:
            StateError: it belongs to another model or other settings.
        """
        self._clock.passed(state["time"])
        self._phones.restore(state, time.monotonic())
        self._phones.state()  # so that no tick waits for the memory of the first checkpoint
        unconfirmed = msgspec.convert(
            state["unconfirmed"], list[Publication], builtin_types=(bytes,)
        )
        if time.time() - state["time"] > self._settings.max_behind:
            unconfirmed = [one for one in unconfirmed if not phone_topics.is_of_now(one)]
        self._connection.publish_all(unconfirmed)
        self._service.presence.renew()  # broker and har-stream may have been started anew together

    def summary(self) -> str:
        """Return the counts of the run, in a line."""
        return self._service.summary()

    def _tick(self, messages: Sequence[Message]) -> None:
        """Take messages, and publish what they lead to."""
        begun, n_windows_before = time.monotonic(), self._n_windows
        epoch = time.time() - time.monotonic()  # of the monotonic clock's 0
        has_jumped = self._clock.has_jumped(epoch)
        if self._durability is None:
            self._service.receiver.take_all(messages, epoch)
        else:
            to_process = self._durability.to_process(messages, clock_has_jumped=has_jumped)
            for unknown in self._durability.unknown(to_process):
                errors = self._service.receiver.take_all(unknown, epoch)
                for place, message in enumerate(unknown):
                    # of the future: or this machine's clock is wrong
                    is_final = not isinstance(errors.get(place), AheadError)
                    self._durability.note(message, is_final=is_final)
            self._durability.give_up_postponed()
        self._service.deliveries.recognise()
        self._publish()
        now = time.monotonic()
        self._load.add(messages, now, busy=self._connection.busy)
        if messages:
            n_windows = self._n_windows - n_windows_before
            self._ticks.add(n_messages=len(messages), n_windows=n_windows, seconds=now - begun)

    def _take_other(self, message: Message) -> None:
        """Take a message of Home Assistant's."""
        if message.topic != BIRTH_TOPIC:
            self._left_announcements.note(message)
        elif message.payload == b"online":
            self._service.presence.announce_all()

    def _publish(self) -> None:
        """Publish what was collected, and note how long its predictions took."""
        predicted = self._service.deliveries.take_predicted()
        self._latencies.predicted(
            [one.last_message for one in predicted],
            [one.end for one in predicted if one.is_live],
            time.time(),
        )
        outgoing = self._service.outgoing
        if outgoing:
            self._connection.publish_all(outgoing)
            outgoing.clear()
            self._latencies.published(self._connection.publications.made)

    @property
    def _n_windows(self) -> int:
        """How many windows were classified since the start."""
        return sum([classifier.n_windows for classifier in self._classifiers])

    def _status(self) -> str:
        """Return in a line how it is."""
        if not self._connection.ready.is_set():
            return f"no connection to {self._connection.address}: {self._connection.failure}"
        return f"{len(self._phones)} phones{', overloaded' if self._load.too_much else ''}"
