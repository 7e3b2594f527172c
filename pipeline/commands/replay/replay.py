"""One replay: messages sent when they are due, and predictions entered as they come back."""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final
from uuid import uuid4

import msgspec

from pipeline.commands.replay.awaited_stream import HarStream
from pipeline.commands.replay.calibrations import Calibrations
from pipeline.commands.replay.native_message import native_message
from pipeline.commands.replay.outgoing_messages import OutgoingMessage, schedule
from pipeline.commands.replay.sending_pace import SendingPace
from pipeline.commands.replay.settings import ReplaySettings
from pipeline.commands.replay.windows import ExpectedWindows
from pipeline.mqtt.connection import Connection
from pipeline.recordings.recording import Recording
from pipeline.vocabulary import SAMPLING_RATE_HZ

MAX_OUTSTANDING_WINDOWS: Final = 256
"""Windows sent and not answered at ``--speed max``. At hop 64 they are about 650 messages of 25
rows, within the 1,000 that Mosquitto queues for a client by default."""

MAX_UNCONFIRMED_MESSAGES: Final = 100


class Replay:
    """One replay: what is sent, and what comes back."""

    def __init__(
        self,
        settings: ReplaySettings,
        recordings: Sequence[Recording],
        connection: Connection,
        *,
        hop: int,
        har_stream: HarStream | None = None,
    ) -> None:
        """Begin with nothing sent.

        Args:
            settings: speed and size of the messages.
            recordings: what to play.
            connection: to the broker.
            hop: that of the har-stream that answers.
            har_stream: what is known of it, if anything.
        """
        self._settings = settings
        self._connection = connection
        self._hop = hop
        self._har_stream = har_stream or HarStream()
        self._calibrations = Calibrations(settings, recordings, connection)
        self._outgoing, epoch = schedule(settings, recordings, hop=hop)
        self.behind_s = 0.0 if settings.original_times else max(0.0, time.time() - epoch)
        """How long before now the first sample was measured: what is played faster than it was made
        ends now, and so begins in the past"""
        devices = {recording.device for recording in recordings}
        self.n_samples = sum(recording.n_samples for recording in recordings)
        self.n_phones = len(devices)
        self.n_sent = 0
        """Samples sent so far"""
        self.windows = ExpectedWindows(devices, epoch=epoch)
        self.seconds = 0.0
        """What sending took"""
        self._recording = uuid4().hex[:8]
        self._labelled_until: dict[str, float] = {}
        """By phone that has a label: time of its newest sample"""
        self._pace = SendingPace()
        self._lost: ConnectionError | None = None
        """Why there will be no connection any more"""
        self._begun = 0.0
        self._done = False
        self._receiver = threading.Thread(target=self._receive, daemon=True)

    @property
    def answered_seconds(self) -> float:
        """Seconds from the first message to the last prediction, 0 if none came."""
        return max(0.0, self.windows.last_answer - self._begun)

    @property
    def is_stream_online(self) -> bool:
        """Whether har-stream says that it is there, as far as was received."""
        return self._har_stream.is_online

    def start_receiving(self) -> None:
        """Begin to note predictions as they arrive."""
        self._receiver.start()

    def send(self) -> Iterator[OutgoingMessage]:
        """Publish message after message, each when it is due, and yield it.

        At ``--speed max`` a message is due when not too many windows await their prediction. At any
        speed, a phone does not send so fast that it floods.

        Raises:
            TimeoutError: predictions or the broker's confirmations stopped coming.
            ConnectionError: there will be no connection any more.
        """
        self._calibrations.begin()
        self._begun = begun = time.monotonic()
        for message in self._outgoing:
            if self._settings.speed != "max":
                time.sleep(max(0.0, begun + message.due / self._settings.speed - time.monotonic()))
            elif self._har_stream.is_online:
                self._await_predictions(MAX_OUTSTANDING_WINDOWS)
            else:
                self._await_confirmations(MAX_UNCONFIRMED_MESSAGES)
            time.sleep(self._pace.pause_s(message.device, time.monotonic()))
            self._check()
            payload = native_message(
                message.readings,
                recording=self._recording,
                rate_hz=message.rate_hz,
                compact=self._settings.compact,
            )
            self._calibrations.apply(message.device, message.rotation)
            self.windows.expect(message)
            if self._settings.labels:  # before the samples that they are of
                for since, activity in message.labels:
                    self._publish_label(message.device, activity, since)
                self._labelled_until[message.device] = max(
                    self._labelled_until.get(message.device, 0.0),
                    *(float(readings.times.max()) for readings in message.readings),
                )
            self._connection.publish(f"har/{message.device}/samples", payload)
            self.n_sent += message.n_samples
            self.seconds = time.monotonic() - begun
            yield message

    def finish(self, *, wait: bool) -> None:
        """End the replay when the broker has it all, with ``wait`` when all predictions have come.

        Raises:
            TimeoutError: predictions or the broker's confirmations stopped coming.
            ConnectionError: there will be no connection any more.
        """
        try:
            self._check()
            self._end_labels()
            if wait:
                self._await_predictions(0)
            else:
                self._await_confirmations(0)
        finally:
            self._done = True

    def give_back(self) -> None:
        """End the labels, and let calibrations of before come into force, however it ended."""
        self._end_labels()
        self._calibrations.give_back()

    def _end_labels(self) -> None:
        """End each phone's label with its last sample: whatever it sends next is not of it."""
        for device, newest in self._labelled_until.items():
            self._publish_label(device, None, newest + 1 / SAMPLING_RATE_HZ)
        self._labelled_until.clear()

    def _publish_label(self, device: str, activity: str | None, since: float) -> None:
        label = {"label": activity or "", "time": since}
        self._connection.publish(f"har/{device}/label", msgspec.json.encode(label))

    def _await_predictions(self, most: int) -> None:
        try:
            self.windows.await_answers(most, timeout_s=self._settings.timeout, check=self._check)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self._why()}") from None

    def _why(self) -> str:
        """Return why predictions are missing, as far as it can be known."""
        if self._connection.unconfirmed:
            return self._why_unconfirmed()
        if not self._har_stream.is_online:
            return "har-stream is not online any more"
        other_hop = f"har-stream may have another --hop than {self._hop}, that of here"
        if n_unexpected := self.windows.n_unexpected:
            return f"{n_unexpected} came for windows that were not expected: {other_hop}"
        return (
            f"{other_hop}, or the broker has dropped messages (limits of size or queues, rights; "
            "see its log), or har-stream rejects them (see har/DEVICE/info)"
        )

    def _await_confirmations(self, most: int) -> None:
        if not self._connection.await_confirmations(most, timeout_s=self._settings.timeout):
            raise TimeoutError(self._why_unconfirmed())

    def _why_unconfirmed(self) -> str:
        n_messages = len(self._connection.unconfirmed)
        return (
            f"the broker did not confirm {n_messages} messages; is it there, and does it limit "
            "their size (fewer --rows make them smaller)?"
        )

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost

    def _receive(self) -> None:
        while not self._done:
            try:
                messages = self._connection.take(timeout_s=0.2, gather_s=0.0)
            except ConnectionError as error:
                self._lost = error
                return
            for message in messages:
                if not self._har_stream.note(message):
                    self.windows.answer(message.payload, message.received)
