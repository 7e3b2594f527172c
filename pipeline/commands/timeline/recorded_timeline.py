"""A recording taken through the very recognizer of har-stream: episodes, and what is wrong.

Rules: a file begins with nothing known, as a phone that har-stream has never heard of. Where it has
several recordings of one device, they are those of one phone, one after another: with each, clock
and signals begin anew, and what is known of the wearer is kept. Messages go in many at once, which
is only faster: the results are those of har-stream, to the last bit. Of the predictions only those
are kept that somebody asks for.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipeline.commands.recognition_settings import RecognitionSettings
from pipeline.commands.timeline.found_calibration import find_calibration
from pipeline.commands.timeline.recorded_file import RecordedFile
from pipeline.models.classifier import Classifier
from pipeline.readings import Delivery, MessageError, Sensor
from pipeline.recognition.judgement.sanity_checks.problems import PROBLEMS
from pipeline.recognition.placement.by_device import ByDevice
from pipeline.recognition.placement.calibration import Calibration, CalibrationError
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.placement.placements import Placement, Placements
from pipeline.recognition.preparation.choices import missing_sensors
from pipeline.recognition.preparation.dropped import Dropped
from pipeline.recognition.preparation.pace import NEEDED_RATE_HZ
from pipeline.recognition.recognizer import Recognizer
from pipeline.recognition.results import Episode, Prediction, Recognised
from pipeline.recordings.recording import DataError
from pipeline.vocabulary import Orientation

SAMPLES_AT_ONCE: Final = 8_000
"""Samples of messages that go through the recognizer together: the model has full batches"""
ITS_OWN_END: Final = "short-recordings"
"""A trouble of phones that name another recording in every few messages; those of a file end"""


@dataclass(eq=False)
class RecordedTimeline:
    """What was recognised in a recording."""

    placement: Placement
    """How its phone was worn, as far as is known at the end"""
    model: str
    """Name and version of the model that it has then"""
    orientation: Orientation = "training"
    """How the phones are worn that it is for"""
    needed_rate_hz: float = NEEDED_RATE_HZ
    """Samples a second that it needs of each sensor"""
    hop: int = 0
    """Samples from one window to the next"""
    episodes: list[Episode] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    """All of them, or none if nobody asked for them"""
    n_predictions: int = 0
    problems: list[str] = field(default_factory=list)
    """Each that was ever in force, of `PROBLEMS` and `TROUBLES`, the first first"""
    lacks: list[Sensor] = field(default_factory=list)
    """Sensors without which there are no windows"""
    knows_upright: bool | None = None
    """Whether the wearer's upright is known at the end, None if the model does not take it"""
    clocks_apart_s: float = 0.0
    """Seconds by which the accelerometer is ahead of the gyroscope"""
    dropped: Dropped = field(default_factory=Dropped)
    n_gaps: int = 0
    calibration: Calibration | None = None
    """That was found in the recording itself"""
    why_uncalibrated: str = ""
    """Why none was found where one was looked for"""


class RecordedTimelines:
    """Makes timelines of recordings, with the models and settings of one run."""

    def __init__(self, settings: RecognitionSettings, classifiers: Sequence[Classifier]) -> None:
        """Take the models: one for all phones, or one for the waist and one for all others.

        Raises:
            PlacementError: a setting has a value that it cannot have.
        """
        self._settings = settings
        self._classifiers = classifiers
        self._frames = ByDevice(settings.frame, FRAMES, "frame")
        self._phone: _Phone | None = None  # of the recording before
        self.placements()  # so that a setting that is none is refused at once

    @property
    def activities(self) -> list[str]:
        """Names of all activities that the models know."""
        return list(dict.fromkeys(a for model in self._classifiers for a in model.activities))

    def placements(self) -> Placements:
        """Return placements of which only the settings are known.

        Signs are Android's already.
        """
        return Placements((), self._settings.frame, self._settings.placement, max_devices=1)

    def make(
        self,
        recorded: RecordedFile,
        *,
        keeps_predictions: bool,
        note: Callable[[Sequence[Prediction]], None] = lambda predictions: None,
    ) -> RecordedTimeline:
        """Return the timeline of a recording; ``note`` gets the predictions part by part.

        The recordings of a file are to come in their order, with none of another file between.

        Raises:
            DataError: a value is none that a phone can have measured; or the program failed on it.
        """
        phone = self._phone_of(recorded)
        self._phone = None  # if this recording fails, the next one begins with nothing known
        device, placements = phone.device, phone.placements
        timeline = RecordedTimeline(placements.of(device), "", hop=self._settings.hop)
        timeline.lacks = missing_sensors(recorded.recording.sensors)
        run = _Run(phone, timeline, note)
        run.keeps_predictions = keeps_predictions
        try:
            if self._is_calibrated_here(recorded, placements):
                try:
                    timeline.calibration = find_calibration(
                        recorded.deliveries(), slowest_hz=min(recorded.rates_hz.values())
                    )
                    placements.calibrate(device, timeline.calibration.rotation)
                    phone.is_calibrated_by_recording = True
                except CalibrationError as error:
                    timeline.why_uncalibrated = str(error)
            run.take(recorded.deliveries())
        except (MessageError, _FailedError) as error:
            raise DataError(f"{recorded.file}: {error}") from error
        self._phone = phone
        return timeline

    def _phone_of(self, recorded: RecordedFile) -> "_Phone":
        """Return the phone that made a recording: that of the one before, if it goes on.

        A calibration that was found in the recording before is taken back: each has its own.
        """
        device, before = recorded.recording.device, self._phone
        if (
            before is not None
            and recorded.number > 1
            and (before.file, before.device) == (recorded.file, device)
        ):
            if before.is_calibrated_by_recording:
                before.placements.calibrate(device, None)
                before.is_calibrated_by_recording = False
            return before
        placements = self.placements()
        placements.admit(device)
        if recorded.recording.rotation is not None:
            placements.calibrate(device, recorded.recording.rotation)
        recognizer = Recognizer(
            self._classifiers[0],
            model_elsewhere=self._classifiers[1] if len(self._classifiers) > 1 else None,
            hop=self._settings.hop,
            max_devices=1,
        )
        recognizer.admit(device)
        return _Phone(recorded.file, device, recognizer, placements)

    def _is_calibrated_here(self, recorded: RecordedFile, placements: Placements) -> bool:
        """Return whether a calibration is to be looked for in the recording.

        It is for phones that the user says to be at the waist, without naming a frame.
        """
        device = recorded.recording.device
        worn = placements.of(device)
        return (
            (worn.worn_at, worn.worn_at_by) == ("waist", "set")
            and not self._frames.of(device, default="")
            and worn.frame != "calibrated"
            and self._classifiers[0].orientation == "training"
            and not recorded.is_prepared
        )


class _FailedError(Exception):
    """The program failed on a recording."""


@dataclass(eq=False)
class _Phone:
    """A phone whose recordings are taken one after another."""

    file: str
    """That its recordings are of"""
    device: str
    """Its name"""
    recognizer: Recognizer
    """Of this phone alone, to which it is admitted"""
    placements: Placements
    """Of this phone alone, to which it is admitted"""
    is_calibrated_by_recording: bool = False
    """Whether its calibration was found in the recording under way"""
    has_had_windows: bool = False
    """Whether a recording before that one had any"""


class _Run:
    """One recording on its way through a recognizer."""

    def __init__(
        self,
        phone: _Phone,
        timeline: RecordedTimeline,
        note: Callable[[Sequence[Prediction]], None],
    ) -> None:
        """Begin."""
        self._phone = phone
        self._device = phone.device
        self._recognizer = phone.recognizer
        self._placements = phone.placements
        self._timeline = timeline
        self._note = note
        self._waiting: list[Delivery] = []
        self._has_settled = False  # the filters have, in this recording
        # Where a recording follows another, the break between them is counted as a gap as well.
        self._n_gaps_before = phone.recognizer.counts["gaps"] + phone.has_had_windows
        self.keeps_predictions = False

    def take(self, deliveries: Iterable[Delivery]) -> None:
        """Take all messages, and fill the timeline.

        Raises:
            MessageError: a value is none that a phone can have measured.
            _FailedError: it is the program's fault.
        """
        device, timeline, recognizer = self._device, self._timeline, self._recognizer
        self._place()
        n_waiting = 0
        for delivery in deliveries:
            if self._placements.note(delivery, self._has_newer):
                self._recognise()  # what came before was worn as before
                self._place()
            self._waiting.append(delivery)
            n_waiting += sum(len(part.times) for part in delivery.readings)
            if n_waiting >= SAMPLES_AT_ONCE:
                self._recognise()
                n_waiting = 0
        self._recognise()
        timeline.clocks_apart_s = recognizer.clocks_apart_s(device)
        timeline.placement = self._placements.of(device)
        model = recognizer.model_of(device)
        timeline.model, timeline.orientation = model.identity, model.orientation
        timeline.needed_rate_hz = model.needed_rate_hz
        self._collect(recognizer.finish([device]))
        timeline.knows_upright = recognizer.knows_upright(device)
        timeline.n_gaps = max(0, recognizer.counts["gaps"] - self._n_gaps_before)
        self._phone.has_had_windows |= timeline.n_predictions > 0

    def _place(self) -> None:
        worn = self._placements.of(self._device)
        self._recognizer.place(
            self._device, worn.sign, worn.rotation, at_waist=worn.worn_at == "waist"
        )

    def _has_newer(self, delivery: Delivery) -> bool:
        self._recognise()
        return self._recognizer.has_newer(delivery)

    def _recognise(self) -> None:
        self._collect(self._recognizer.push(self._waiting))
        self._waiting.clear()

    def _collect(self, recognised: Recognised) -> None:
        timeline = self._timeline
        for _, error in recognised.failures:
            raise _FailedError(f"har-timeline failed on it, please report: {error!r}") from error
        timeline.n_predictions += len(recognised.predictions)
        if self.keeps_predictions:
            timeline.predictions += recognised.predictions
        timeline.episodes += [episode for _, episode in recognised.episodes]
        self._has_settled |= any(not one.settling for one in recognised.predictions)
        for problem in self._recognizer.problems(self._device):
            # Until windows of this recording have been checked, the one before left `PROBLEMS`.
            if problem in timeline.problems or problem == ITS_OWN_END:
                continue
            if self._has_settled or problem not in PROBLEMS:
                timeline.problems.append(problem)
        for dropped in recognised.dropped.values():
            timeline.dropped += dropped
        self._note(recognised.predictions)
