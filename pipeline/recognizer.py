"""The core: readings of all phones in, predictions out. No I/O, no clock.

The state is a few arrays over *slots*, one slot a phone; every step works on all phones of a tick
at once. What a phone's samples give does not depend on how they were cut into messages and ticks,
nor on the other phones.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.classifier import Classifier
from pipeline.decisions import ActivityChange, Decider
from pipeline.preprocessing import SETTLING_ROWS, FilterStart, Preprocessor
from pipeline.readings import MessageError, Readings
from pipeline.resampling import Piece, Resampler
from pipeline.signals import CHANNELS, SAMPLING_RATE_HZ, WINDOW_LENGTH
from pipeline.windows import Windower

N_RAW: Final = 6
N_PREPARED: Final = len(CHANNELS)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the model says of one window."""

    device: str
    start: float
    """Epoch seconds of the window's first sample"""
    end: float
    """Epoch seconds of the window's last sample"""
    label: int
    """Index into the model's activities"""
    probabilities: NDArray[np.float32]
    """``(n_activities,)``"""
    settling: bool
    """The filters had not settled when the window began"""


@dataclass(frozen=True)
class Recognised:
    """What a tick's readings led to, each list ordered in time for each phone."""

    predictions: list[Prediction]
    changes: list[ActivityChange]
    dropped: Counter[str]
    """Samples of each device that were repeated or late"""


class Recognizer:
    """The phones' signals, windows and activities, and the model that they share."""

    def __init__(
        self,
        classifier: Classifier,
        *,
        hop: int,
        filter_start: FilterStart = "steady",
        max_devices: int = 10_000,
    ) -> None:
        """Begin without phones; there is room for ``max_devices`` at once.

        Raises:
            ValueError: ``hop`` is not 1 to 128 samples.
        """
        self._classifier = classifier
        n = max_devices
        self._grids = {width: Resampler(n, width) for width in (N_RAW, N_PREPARED)}
        self._preprocessor = Preprocessor(n, start=filter_start)
        self._windower = Windower(n, hop=hop)
        self._decider = Decider(n)
        self._origin = np.zeros(n)  # epoch seconds of the stretch's first sample
        self._slots: dict[str, int] = {}
        self._free = list(range(n - 1, -1, -1))
        self._names = [""] * n
        self._width = np.zeros(n, np.int64)
        self._recording = [""] * n
        self._past_recording: list[str | None] = [None] * n
        self.counts: Counter[str] = Counter()
        """Since the start: ``samples`` taken and ``gaps``"""

    @property
    def devices(self) -> list[str]:
        """Names of the phones that have a state."""
        return list(self._slots)

    def admit(self, device: str) -> None:
        """Give a phone a slot unless it has one.

        Raises:
            MessageError: all slots are taken.
        """
        if device in self._slots:
            return
        if not self._free:
            raise MessageError("devices", f"there are {len(self._slots)} phones already")
        slot = self._slots[device] = self._free.pop()
        self._names[slot] = device
        self._width[slot] = 0

    def push(self, readings: Iterable[Readings]) -> Recognised:
        """Return the predictions that a tick's readings complete, and what they change.

        Every phone must have been admitted.
        """
        by_device: defaultdict[str, list[Readings]] = defaultdict(list)
        for reading in readings:
            by_device[reading.device].append(reading)
        dropped: Counter[str] = Counter()
        pieces = [piece for batch in by_device.values() for piece in self._resample(batch, dropped)]
        windows: list[NDArray[np.float32]] = []
        slots: list[int] = []
        starts: list[float] = []
        settling: list[bool] = []
        for stage in _stages(pieces):
            self._begin_stretches(stage)
            for group in self._alike(stage):
                group_slots = np.array([piece.slot for piece in group])
                rows = np.stack([piece.rows for piece in group])  # (n_phones, n_rows, width)
                raw = rows.shape[2] == N_RAW
                samples = (
                    self._preprocessor.push(group_slots, rows) if raw else rows.astype(np.float32)
                )
                cut = self._windower.push(group_slots, samples)
                windows.append(cut.windows)
                slots += group_slots[cut.phones].tolist()
                starts += (
                    self._origin[group_slots[cut.phones]] + cut.first_samples / SAMPLING_RATE_HZ
                ).tolist()
                settling += (raw & (cut.first_samples < SETTLING_ROWS)).tolist()
        predictions, changes = self._recognise(windows, slots, starts, settling)
        return Recognised(predictions, changes, dropped)

    def forget(self, devices: Iterable[str]) -> None:
        """Drop the state of these phones; their slots serve others."""
        slots = [self._slots.pop(device) for device in devices]
        for grid in self._grids.values():
            grid.reset(slots)
        self._preprocessor.reset(slots)
        self._windower.reset(slots)
        self._decider.reset(slots)
        for slot in slots:
            self._past_recording[slot] = None
        self._free += slots

    def _resample(self, batch: Sequence[Readings], dropped: Counter[str]) -> list[Piece]:
        """Return the grid rows that one phone's readings complete; count what is dropped."""
        pieces: list[Piece] = []
        for reading in batch:
            slot = self._slot_for(reading)
            if slot is None:
                dropped[reading.device] += len(reading.times)
                continue
            grid = self._grids[reading.values.shape[1]]
            new, n_dropped = grid.push(slot, reading.times, reading.values)
            self.counts["samples"] += len(reading.times) - n_dropped
            if n_dropped:
                dropped[reading.device] += n_dropped
            pieces += new
        return pieces

    def _slot_for(self, reading: Readings) -> int | None:
        """Return the phone's slot, begun anew for a new recording; None for a past recording."""
        slot, width = self._slots[reading.device], reading.values.shape[1]
        if reading.recording == self._recording[slot] and width == self._width[slot]:
            return slot
        if reading.recording == self._past_recording[slot]:
            return None  # a message of before, delivered again
        if self._width[slot] and reading.recording != self._recording[slot]:
            self._past_recording[slot] = self._recording[slot]
        # Only the grids: what they gave before, in this tick, has yet to pass filters and windows.
        for grid in self._grids.values():
            grid.reset([slot])
        self._recording[slot] = reading.recording
        self._width[slot] = width
        return slot

    def _begin_stretches(self, stage: Sequence[Piece]) -> None:
        begun = [piece for piece in stage if piece.origin is not None]
        if not begun:
            return
        slots = [piece.slot for piece in begun]
        self.counts["gaps"] += int(np.count_nonzero(self._windower.count[slots]))
        self._preprocessor.reset(slots)
        self._windower.reset(slots)
        self._origin[slots] = [piece.origin for piece in begun]

    def _alike(self, stage: Sequence[Piece]) -> Iterable[list[Piece]]:
        """Group pieces that one array operation can take: same shape, filters begun or not."""
        groups: defaultdict[tuple[object, ...], list[Piece]] = defaultdict(list)
        for piece in stage:
            begins = piece.rows.shape[1] == N_RAW and not self._preprocessor.started[piece.slot]
            groups[*piece.rows.shape, begins].append(piece)
        return groups.values()

    def _recognise(
        self,
        windows: Sequence[NDArray[np.float32]],
        slots: Sequence[int],
        starts: Sequence[float],
        settling: Sequence[bool],
    ) -> tuple[list[Prediction], list[ActivityChange]]:
        """Classify the windows of a tick and decide what they change."""
        if not slots:
            return [], []
        probabilities = self._classifier.classify(np.concatenate(windows))
        labels = probabilities.argmax(axis=1)
        predictions: list[Prediction] = []
        changes: list[ActivityChange] = []
        for i in sorted(range(len(slots)), key=lambda i: (slots[i], starts[i])):
            device, label = self._names[slots[i]], int(labels[i])
            end = starts[i] + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
            predictions.append(
                Prediction(device, starts[i], end, label, probabilities[i], settling[i])
            )
            if self._decider.push(slots[i], label, settling=settling[i]):
                activity = self._classifier.activities[label]
                changes.append(
                    ActivityChange(device, activity, starts[i], float(probabilities[i, label]))
                )
        return predictions, changes


def _stages(pieces: Iterable[Piece]) -> Iterable[list[Piece]]:
    """Deal pieces out so that each stage has a phone at most once, in its order."""
    stages: list[list[Piece]] = []
    dealt: Counter[int] = Counter()
    for piece in pieces:
        if dealt[piece.slot] == len(stages):
            stages.append([])
        stages[dealt[piece.slot]].append(piece)
        dealt[piece.slot] += 1
    return stages
