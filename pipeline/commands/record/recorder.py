"""The recorder: which of a phone's messages are kept, under which label, and until when.

A recording is of one place on the body: where the phone's messages state another, it ends and the
next begins. How recordings are kept safely is decided in `recordings.journals`. Nothing is
recognised.
"""

from collections import Counter, deque
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.calibration_message import decode_calibration
from pipeline.commands.record.labels import (
    CLOCKS_DIFFER_S,
    FIRST_LABEL_S,
    LabelError,
    LabelLog,
    decode_label,
    explanation,
)
from pipeline.commands.record.settings import RecordSettings
from pipeline.event_log import EventLog
from pipeline.messages import Message
from pipeline.readings import (
    MAX_PAYLOAD_BYTES,
    BodyPlace,
    Label,
    MessageError,
    Readings,
    Sensor,
    check_device,
)
from pipeline.recognition.preparation.choices import missing_sensors
from pipeline.recognition.preparation.recording_sequence import Decision, RecordingSequence
from pipeline.recordings import journals
from pipeline.recordings.activity_names import activity_name
from pipeline.recordings.header import Header, software
from pipeline.subscriptions import Subscription, route

logger = EventLog(__name__)

MAX_OTHERS: Final = 100
"""Other phones whose messages are counted; anybody can invent more."""

NATIVE: Final = "native"
"""The format that is always read; it has Android's signs."""

NOT_KEPT: Final[dict[Decision, str]] = {
    "repeated": "{!r} has ended, and these samples of it come again",
    "late": "{!r} has ended, and these samples come too late for it",
    "mixed": "two phones seem to send under this name, also {!r}: give each a name of its own",
}
"""Why samples are left out that do not belong to the recording under way"""

MOST_LABELS_AHEAD: Final = 1_000
"""Labels with times that are kept for the next recording"""


class Recorder:
    """The recordings of one device: those that have ended, and the one under way."""

    def __init__(
        self, settings: RecordSettings, subscriptions: Sequence[Subscription], label: str | None
    ) -> None:
        """Begin with no recording; ``label`` holds until another label comes."""
        self._settings = settings
        self._subscriptions = subscriptions
        self._label_topic = f"har/{settings.device}/label"
        self._calibration_topic = f"har/{settings.device}/calibration"
        self._rotation: NDArray[np.float64] | None = None
        self._stated: BodyPlace | None = None  # where the phone is worn
        self._stated_until = -np.inf  # newest sample with a statement
        self._journal: journals.Journal | None = None
        self._header: Header | None = None
        self._sequence = RecordingSequence()
        self._known_until = -np.inf  # newest sample of a former recording of the same name
        self._next_labels: deque[tuple[float | None, str | None]] = deque(
            [(None, label)], maxlen=MOST_LABELS_AHEAD
        )
        """Labels for the next recording: from when on, None from its beginning"""
        self._label_log = LabelLog()
        self._sensors: dict[Sensor, _Count] = {}
        self._n_messages = 0
        self._proved = False  # which sign accelerations have
        self._warned_of_sign = False
        self.label = label
        """The activity now, None for no activity"""
        self.n_messages = 0
        """Messages of the device that were read"""
        self.n_samples = 0
        """Of all recordings"""
        self.n_file_bytes = 0
        """Size of those that have ended"""
        self.begun: float | None = None
        """Monotonic seconds of the first samples"""
        self.last: float | None = None
        """Monotonic seconds of the newest samples"""
        self.others: Counter[str] = Counter()
        """Messages of other devices, of `MAX_OTHERS` at most"""
        self.files: list[Path] = []
        """Recordings that have ended"""

    def take(self, message: Message, *, now: float) -> None:
        """Keep the samples and labels of a message; ``now`` is epoch seconds.

        Raises:
            MessageError: the message, or a label in it, cannot be used.
            OSError: a file cannot be written.
        """
        if message.oversize:
            raise MessageError("size", f"{message.oversize} bytes; at most {MAX_PAYLOAD_BYTES}")
        if message.topic == self._label_topic:
            try:
                activity, time = decode_label(message.payload)
            except LabelError as error:
                self._set_label(None, error.time, now=now)
                raise
            self._set_label(activity, time, now=now)
            return
        if message.topic == self._calibration_topic:
            self._rotation = decode_calibration(message.payload)
            return
        sent_by = route(self._subscriptions, message.topic)
        if sent_by is None:
            return
        if sent_by.device not in (None, self._settings.device):
            self._note_other(sent_by.device or "")
            return
        bad_label: MessageError | None = None
        parts = sent_by.decode(message.payload)
        for part in parts:
            if part.device != self._settings.device:
                self._note_other(part.device)
            elif isinstance(part, Label):
                try:
                    self._annotate(part, parts, now=now)
                except MessageError as error:
                    bad_label = error
            else:
                self._keep(part, sent_by.format.name, message, now=now)
        self._n_messages += 1
        self.n_messages += 1
        if bad_label is not None:
            raise bad_label

    def flush(self) -> None:
        """Write the samples kept so far to the disk.

        Raises:
            OSError: it cannot be written.
        """
        if self._journal is not None:
            self._journal.flush()

    def finish(self) -> None:
        """End the recording.

        Raises:
            OSError: its file cannot be written.
        """
        if self._journal is None or self._header is None:
            return
        journal, self._journal = self._journal, None
        unproved = self._header.convention == "auto" and not self._proved
        if unproved and self._header.format != NATIVE and not self._warned_of_sign:
            self._warned_of_sign = True
            logger.warning(
                "sign-unproved",
                "nothing shows whether %(device)s is an iPhone: if so, record with "
                "--convention ios",
                device=self._header.device,
            )
        path = journal.close()
        if path is not None:
            self.files.append(path)
            self.n_file_bytes += path.stat().st_size
            self._warn_of_missing_sensors(path)
        self._hold_label(None, self.label)

    def _warn_of_missing_sensors(self, path: Path) -> None:
        missing = missing_sensors(self._sensors)
        if missing:
            logger.warning(
                "sensor-missing",
                "%(path)s has no %(sensors)s: there are no windows without; switch it on in the "
                "app",
                path=path,
                sensors=" and no ".join(missing).replace("_", " "),
            )

    def progress(self) -> str:
        """Return how the recording goes, in a line."""
        if self._journal is None:
            return f"waiting for {self._settings.device}"
        rates = ", ".join(
            f"{sensor} {count.rate_hz:.1f} Hz" for sensor, count in self._sensors.items()
        )
        seconds = max(count.seconds for count in self._sensors.values())
        n_samples = sum(count.n_samples for count in self._sensors.values())
        return f"{seconds:.0f} s, {n_samples} rows, {rates}, label {self.label or 'none'}"

    def _note_other(self, device: str) -> None:
        """Count a message of another device.

        Raises:
            MessageError: no phone can have such a name.
        """
        check_device(device)
        if device in self.others or len(self.others) < MAX_OTHERS:
            self.others[device] += 1

    def _keep(self, readings: Readings, format_name: str, message: Message, *, now: float) -> None:
        if readings.sensor == "prepared":
            raise MessageError("sensor", "prepared samples are no recording of a phone's sensors")
        decision, known_until = self._sequence.decide(
            readings.recording,
            readings.clock,
            oldest=float(readings.times.min()),
            newest=float(readings.times.max()),
            newest_before=max((count.newest for count in self._sensors.values()), default=-np.inf),
        )
        if decision not in ("goes on", "begins"):
            raise MessageError("recording", NOT_KEPT[decision].format(readings.recording))
        if decision == "begins":
            self._known_until = known_until
        is_new = readings.times > self._known_until
        if not is_new.any():
            raise MessageError("recording", NOT_KEPT["repeated"].format(readings.recording))
        if not is_new.all():
            readings = msgspec.structs.replace(
                readings, times=readings.times[is_new], values=readings.values[is_new]
            )
        if decision == "begins":
            self.finish()
            self._stated_until = -np.inf  # its clock may be another
        if self._states_another_place(readings):
            self.finish()
        if self._header is None or self._journal is None:
            self._begin(readings, format_name, now=now)
        elif format_name != self._header.format:
            raise MessageError(
                "format", f"{readings.device} is being recorded in format {self._header.format}"
            )
        assert self._journal is not None
        self._journal.append(self._n_messages, readings)
        self._proved |= readings.convention is not None
        self._sensors.setdefault(readings.sensor, _Count()).add(readings.times)
        self.n_samples += len(readings.times)
        self.last = message.received
        self.begun = message.received if self.begun is None else self.begun

    def _states_another_place(self, readings: Readings) -> bool:
        """Note where samples are stated to be worn; return whether that is news.

        As in har-stream, a statement holds until newer samples come with another.
        """
        newest = float(readings.times.max())
        if readings.worn_at is None or newest <= self._stated_until:
            return False
        before, self._stated, self._stated_until = self._stated, readings.worn_at, newest
        return self._stated != before

    def _begin(self, readings: Readings, format_name: str, *, now: float) -> None:
        chosen = self._settings.convention
        self._header = Header(
            device=readings.device,
            recording=readings.recording,
            format=format_name,
            clock=readings.clock,
            convention=chosen,
            convention_from="assumption" if chosen == "auto" else "setting",
            rotation=None if self._rotation is None else self._rotation.tolist(),
            placement=self._stated,
            created=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            software=software(),
        )
        self._journal = journals.Journal(self._settings.output, self._header)
        self._sensors.clear()
        self._n_messages = 0
        self._proved = False
        to_epoch_s = now - float(readings.times.max()) if readings.clock == "boot" else 0.0
        for since, activity in self._next_labels:
            self._journal.label(-np.inf if since is None else since - to_epoch_s, activity)

    def _annotate(self, label: Label, parts: Sequence[Readings | Label], *, now: float) -> None:
        """Note the activity from a label's time on; ``parts`` are all of its message.

        Raises:
            MessageError: it names no activity, or its time is impossible.
        """
        beside = [part for part in parts if isinstance(part, Readings)]
        try:
            activity = activity_name(label.text)
        except MessageError:
            self._set_label(None, label.time, now=now, beside=beside)
            raise
        self._set_label(activity, label.time, now=now, beside=beside)

    def _set_label(
        self,
        activity: str | None,
        time: float | None,
        *,
        now: float,
        beside: Sequence[Readings] = (),
    ) -> None:
        """Note the activity from a time on, or from now on.

        Args:
            activity: its name, None for no activity.
            time: epoch seconds, None for now.
            now: epoch seconds.
            beside: samples that came with the label.

        Raises:
            LabelError: the time is impossible; from now on the activity is unknown.
        """
        if time is not None:
            oldest, newest = self._label_times(now, beside)
            if not oldest <= time <= newest:
                self._set_label(None, None, now=now)
                raise LabelError("time", explanation(time, oldest, newest))
        if activity != self.label:
            self._label_log.add(activity, now=now)
        self.label = activity
        if self._journal is None or self._header is None:
            self._hold_label(time, activity)
            return
        newest = max(count.newest for count in self._sensors.values())
        if time is None:
            time = float(np.nextafter(newest, np.inf))
        elif self._header.clock == "boot":
            time = newest + (time - now)
        self._journal.label(time, activity)

    def _label_times(self, now: float, beside: Sequence[Readings]) -> tuple[float, float]:
        """Return the oldest and the newest time, in epoch seconds, that a label can have now.

        It is not of the future. One that comes with samples is of their recording; any other may
        be older.
        """
        oldest, newest = FIRST_LABEL_S, now
        if self._journal is not None and self._header is not None:
            is_boot = self._header.clock == "boot"
            counts = self._sensors.values()
            to_epoch_s = now - max(count.newest for count in counts) if is_boot else 0.0
            newest = max([now, *(count.newest + to_epoch_s for count in counts)])
            if beside:
                oldest = min(count.oldest + to_epoch_s for count in counts) - CLOCKS_DIFFER_S
        elif beside:
            oldest = np.inf
        # On the clock of the label itself, however wrong that is.
        oldest = min([oldest, *(float(part.times.min()) - CLOCKS_DIFFER_S for part in beside)])
        newest = max([newest, *(float(part.times.max()) for part in beside)])
        return oldest, newest + CLOCKS_DIFFER_S

    def _hold_label(self, time: float | None, activity: str | None) -> None:
        """Keep a label for the next recording; without a time, in place of those before."""
        if time is None:
            self._next_labels.clear()
        self._next_labels.append((time, activity))


class _Count:
    """How many samples of a sensor have come, and how fast."""

    def __init__(self) -> None:
        self.n_samples = 0
        self.oldest = np.inf
        """Seconds on the device's clock, as `newest`"""
        self.newest = -np.inf

    def add(self, times: NDArray[np.float64]) -> None:
        self.n_samples += len(times)
        self.oldest = min(self.oldest, float(times.min()))
        self.newest = max(self.newest, float(times.max()))

    @property
    def seconds(self) -> float:
        return self.newest - self.oldest

    @property
    def rate_hz(self) -> float:
        return (self.n_samples - 1) / self.seconds if self.seconds > 0 else 0.0
