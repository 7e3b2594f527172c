"""The core: readings of all phones in; predictions, activities, episodes out. No I/O, no clock.

The state is a few arrays over *slots*, one slot a phone; every step works on all phones of a tick
at once. What a phone's samples give does not depend on how they were cut into messages and ticks,
nor on the other phones.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.classifier import Classifier
from pipeline.decisions import Change, Decider, Episode
from pipeline.placements import turned
from pipeline.plausibility import PROBLEMS, Plausibility
from pipeline.preprocessing import SETTLING_ROWS, FilterStart, Preprocessor
from pipeline.readings import MessageError, Readings, Sensor
from pipeline.resampling import DEFAULT_LATENESS_S, Piece, Resampler
from pipeline.signals import CHANNELS, SAMPLING_RATE_HZ, WINDOW_LENGTH
from pipeline.windows import Windower

N_RAW: Final = 6

LOW_RATE_HZ: Final = 30.0
"""Of a slower sensor the steps of a walk cannot be restored."""

_NO_WINDOWS: Final = np.empty((0, WINDOW_LENGTH, len(CHANNELS)), np.float32)

D = TypeVar("D", Change, Episode)


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
    changes: list[tuple[str, Change]]
    """With the device"""
    episodes: list[tuple[str, Episode]]
    """With the device"""
    problems: list[tuple[str, tuple[str, ...]]]
    """Devices whose problems changed, with those now in force: `PROBLEMS` and ``low-rate``"""
    dropped: Counter[str]
    """Samples of each device that were repeated or late"""


@dataclass(frozen=True)
class _Past:
    """A recording that a phone sent before."""

    name: str
    newest: float
    """Time of its newest sample"""


@dataclass(frozen=True, eq=False)
class _Windows:
    """What one stage of a tick completes: windows, each phone's in their order."""

    interrupted: list[int]
    """Slots that had a gap before these windows"""
    slots: NDArray[np.intp]
    """``(n,)``"""
    starts: NDArray[np.float64]
    """``(n,)``: epoch seconds of each window's first sample"""
    settling: NDArray[np.bool_]
    """``(n,)``"""
    windows: NDArray[np.float32]
    """``(n, 128, 9)``"""


class Recognizer:
    """The phones' signals, windows and activities, and the model that they share."""

    def __init__(
        self,
        classifier: Classifier,
        *,
        hop: int,
        filter_start: FilterStart = "steady",
        max_devices: int = 10_000,
        lateness_s: float = DEFAULT_LATENESS_S,
    ) -> None:
        """Begin without phones; there is room for ``max_devices`` at once.

        Raises:
            ValueError: ``hop`` is not 1 to 128 samples.
        """
        self._classifier = classifier
        n = max_devices
        self._resampler = Resampler(n, lateness_s=lateness_s)
        self._preprocessor = Preprocessor(n, start=filter_start)
        self._windower = Windower(n, hop=hop)
        self._plausibility = Plausibility(n, hop=hop)
        self._slow = np.zeros(n, np.bool_)  # a sensor is below `LOW_RATE_HZ`
        self._problems = np.zeros((n, len(PROBLEMS) + 1), np.bool_)  # as they were told last
        self._decider = Decider(n, classifier.activities, hop=hop)
        self._sign = np.ones(n)  # of accelerations
        self._rotation = np.tile(np.eye(3), (n, 1, 1))  # (slots, 3, 3)
        self._turned = np.zeros(n, np.bool_)  # sign or rotation change anything
        self._origin = np.zeros(n)  # epoch seconds of the stretch's first sample
        # Of phones whose own clock does not tell the epoch:
        self._boot = np.full(n, np.nan)  # epoch seconds of its 0
        self._boot_now = np.full(n, np.nan)  # the same, as the last message has it
        self._own_origin = np.full(n, np.inf)  # `_origin` on that clock
        self._slots: dict[str, int] = {}
        self._free = list(range(n - 1, -1, -1))
        self._names = [""] * n
        self._recording = [""] * n
        self._past_recording: list[_Past | None] = [None] * n
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

    def place(self, device: str, sign: float, rotation: NDArray[np.float64]) -> None:
        """Say how an admitted phone is worn, as `Placement` has it.

        If that is news, its signals begin anew.
        """
        slot = self._slots[device]
        if sign == self._sign[slot] and np.array_equal(rotation, self._rotation[slot]):
            return
        self._sign[slot], self._rotation[slot] = sign, rotation
        self._turned[slot] = sign != 1.0 or not np.array_equal(rotation, np.eye(3))
        self._resampler.reset([slot])
        self._plausibility.reset([slot])

    def lacks(self, device: str) -> list[Sensor]:
        """Return the sensors for want of which an admitted phone has no windows."""
        return self._resampler.lacks(self._slots[device])

    def rates_hz(self, device: str) -> dict[Sensor, float]:
        """Return how fast the sensors in use of an admitted phone are, in hertz."""
        return self._resampler.rates_hz(self._slots[device])

    def push(self, readings: Iterable[Readings], *, received: float = 0.0) -> Recognised:
        """Return the predictions that a tick's readings complete, and what they change.

        Every phone must have been admitted. ``received`` is when they came, in epoch seconds; for
        phones whose own clock does not tell.
        """
        by_device: defaultdict[str, list[Readings]] = defaultdict(list)
        for reading in readings:
            by_device[reading.device].append(reading)
        dropped: Counter[str] = Counter()
        pieces = [
            piece
            for device, batch in by_device.items()
            for piece in self._resample(self._slots[device], batch, dropped, received)
        ]
        return self._recognise(pieces, dropped)

    def finish(self, devices: Iterable[str]) -> Recognised:
        """Return what these phones' last samples lead to, now that they have fallen silent."""
        slots = [self._slots[device] for device in devices]
        pieces = [self._on_epoch(piece) for slot in slots for piece in self._resampler.finish(slot)]
        recognised = self._recognise(pieces, Counter())
        recognised.episodes.extend(self._named(self._decider.interrupt(slots)))
        return recognised

    def forget(self, devices: Iterable[str]) -> None:
        """Drop the state of these phones; their slots serve others."""
        slots = [self._slots.pop(device) for device in devices]
        self._resampler.reset(slots)
        self._preprocessor.reset(slots)
        self._windower.reset(slots)
        self._plausibility.reset(slots)
        self._decider.reset(slots)
        self._problems[slots] = self._slow[slots] = False
        for slot in slots:
            self._recording[slot] = ""
            self._past_recording[slot] = None
        self._sign[slots], self._rotation[slots], self._turned[slots] = 1.0, np.eye(3), False
        self._boot[slots] = self._boot_now[slots] = np.nan
        self._own_origin[slots] = np.inf
        self._free += slots

    def _resample(
        self, slot: int, batch: Sequence[Readings], dropped: Counter[str], received: float
    ) -> list[Piece]:
        """Return the grid rows that one phone's readings complete; count what is dropped."""
        pieces: list[Piece] = []
        for recording, group in groupby(batch, key=attrgetter("recording")):
            readings = list(group)
            n_samples = n_dropped = sum(len(one.times) for one in readings)
            if self._enter(slot, recording, readings):
                new, n_dropped = self._resampler.push(slot, readings)
                pieces += new
            self.counts["samples"] += n_samples - n_dropped
            if n_dropped:
                dropped[self._names[slot]] += n_dropped
        if any(piece.origin is not None for piece in pieces):
            rates_hz = self._resampler.rates_hz(slot).values()
            self._slow[slot] = min(rates_hz, default=SAMPLING_RATE_HZ) < LOW_RATE_HZ
        if batch[-1].clock == "boot":
            self._boot_now[slot] = received - float(batch[-1].times.max())
        return [self._on_epoch(piece) for piece in pieces]

    def _on_epoch(self, piece: Piece) -> Piece:
        """Return a piece whose grid begins in epoch seconds, whatever the phone's clock."""
        slot = piece.slot
        if piece.origin is None or np.isnan(self._boot_now[slot]):
            return piece
        if np.isnan(self._boot[slot]) or piece.origin < self._own_origin[slot]:
            self._boot[slot] = self._boot_now[slot]  # first seen, or switched on again
        self._own_origin[slot] = piece.origin
        return replace(piece, origin=piece.origin + float(self._boot[slot]))

    def _enter(self, slot: int, recording: str, readings: Sequence[Readings]) -> bool:
        """Begin anew when a phone's recording is another; return False for one long past."""
        if recording == self._recording[slot]:
            return True
        past = self._past_recording[slot]
        if past is not None and recording == past.name:
            # A name stands for one recording; without a name, only what is older comes again.
            if recording or max(float(one.times.max()) for one in readings) <= past.newest:
                return False
        self._past_recording[slot] = _Past(self._recording[slot], self._resampler.newest(slot))
        # Only the grid: what it gave before, in this tick, has yet to pass filters and windows.
        self._resampler.reset([slot])
        self._plausibility.reset([slot])
        self._recording[slot] = recording
        return True

    def _recognise(self, pieces: Iterable[Piece], dropped: Counter[str]) -> Recognised:
        """Return what grid rows lead to."""
        stages = [self._cut(stage) for stage in _stages(pieces)]
        all_windows = [stage.windows for stage in stages]
        probabilities = self._classifier.classify(np.concatenate([_NO_WINDOWS, *all_windows]))
        predictions: list[Prediction] = []
        changes: list[tuple[str, Change]] = []
        episodes: list[tuple[str, Episode]] = []
        problems: dict[str, tuple[str, ...]] = {}
        done = 0
        for stage in stages:
            of_stage = probabilities[done : done + len(stage.slots)]
            done += len(stage.slots)
            predictions += self._predictions(stage, of_stage)
            episodes += self._named(self._decider.interrupt(stage.interrupted))
            for turn in _turns(stage.slots):
                slots = stage.slots[turn]
                settling = stage.settling[turn]
                found = self._problems[slots]
                found[~settling, :-1] = self._plausibility.push(
                    slots[~settling], stage.windows[turn[~settling]]
                )
                found[:, -1] = self._slow[slots]
                problems |= self._told(slots, found)
                decided = self._decider.push(
                    slots,
                    stage.starts[turn],
                    stage.windows[turn],
                    of_stage[turn],
                    settling=settling,
                    implausible=np.asarray(found.any(axis=1)),
                )
                changes += self._named(decided.changes)
                episodes += self._named(decided.episodes)
        return Recognised(predictions, changes, episodes, list(problems.items()), dropped)

    def _told(
        self, slots: NDArray[np.intp], problems: NDArray[np.bool_]
    ) -> dict[str, tuple[str, ...]]:
        """Return the phones whose problems have changed, with those in force."""
        changed = (problems != self._problems[slots]).any(axis=1)
        self._problems[slots] = problems
        names = (*PROBLEMS, "low-rate")
        return {
            self._names[slot]: tuple(names[i] for i in np.flatnonzero(in_force))
            for slot, in_force in zip(slots[changed].tolist(), problems[changed], strict=True)
        }

    def _cut(self, stage: Sequence[Piece]) -> _Windows:
        """Return the windows that each phone's next piece completes."""
        interrupted = self._begin_stretches(stage)
        slots, starts, settling, windows = [], [], [], [_NO_WINDOWS]
        for group in self._alike(stage):
            group_slots = np.array([piece.slot for piece in group])
            rows = np.stack([piece.rows for piece in group])  # (n_phones, n_rows, 6 or 9)
            raw = rows.shape[2] == N_RAW
            if raw and self._turned[group_slots[0]]:
                rows = turned(rows, self._sign[group_slots], self._rotation[group_slots])
            samples = self._preprocessor.push(group_slots, rows) if raw else rows.astype(np.float32)
            cut = self._windower.push(group_slots, samples)
            of_windows = group_slots[cut.phones]
            slots.append(of_windows)
            starts.append(self._origin[of_windows] + cut.first_samples / SAMPLING_RATE_HZ)
            settling.append(raw & (cut.first_samples < SETTLING_ROWS))
            windows.append(cut.windows)
        all_slots, all_starts = np.concatenate(slots), np.concatenate(starts)
        order = np.lexsort([all_starts, all_slots])
        return _Windows(
            interrupted,
            all_slots[order],
            all_starts[order],
            np.concatenate(settling)[order],
            np.concatenate(windows)[order],
        )

    def _begin_stretches(self, stage: Sequence[Piece]) -> list[int]:
        """Reset what a gap ends; return the slots that had one."""
        begun = [piece for piece in stage if piece.origin is not None]
        slots = [piece.slot for piece in begun]
        interrupted = [slot for slot in slots if self._windower.count[slot]]
        self.counts["gaps"] += len(interrupted)
        self._preprocessor.reset(slots)
        self._windower.reset(slots)
        self._origin[slots] = [piece.origin for piece in begun]
        return interrupted

    def _alike(self, stage: Sequence[Piece]) -> Iterable[list[Piece]]:
        """Group pieces that one array operation can take: of one shape, in one state."""
        groups: defaultdict[tuple[object, ...], list[Piece]] = defaultdict(list)
        for piece in stage:
            begins = piece.rows.shape[1] == N_RAW and not self._preprocessor.started[piece.slot]
            groups[*piece.rows.shape, begins, self._turned[piece.slot]].append(piece)
        return groups.values()

    def _predictions(
        self, windows: _Windows, probabilities: NDArray[np.float32]
    ) -> Iterable[Prediction]:
        ends = windows.starts + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
        return [
            Prediction(self._names[slot], start, end, label, probabilities[i], settling)
            for i, (slot, start, end, label, settling) in enumerate(
                zip(
                    windows.slots.tolist(),
                    windows.starts.tolist(),
                    ends.tolist(),
                    probabilities.argmax(axis=1).tolist(),
                    windows.settling.tolist(),
                    strict=True,
                )
            )
        ]

    def _named(self, decided: Iterable[D]) -> list[tuple[str, D]]:
        return [(self._names[one.slot], one) for one in decided]


def _stages(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Deal pieces out so that each stage has a phone at most once, in its order."""
    stages: list[list[Piece]] = []
    dealt: Counter[int] = Counter()
    for piece in pieces:
        if dealt[piece.slot] == len(stages):
            stages.append([])
        stages[dealt[piece.slot]].append(piece)
        dealt[piece.slot] += 1
    return stages


def _turns(slots: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return indices into ascending ``slots`` so that each turn has a phone at most once."""
    first_of_each = np.searchsorted(slots, slots)
    turn = np.arange(len(slots)) - first_of_each
    return [np.flatnonzero(turn == number) for number in range(turn.max(initial=-1) + 1)]
