"""The core: readings of all phones in; predictions, activities, episodes out. No I/O, no clock.

The state is a few arrays over *slots*, one slot a phone; every step works on all phones of a tick
at once. What a phone's samples give does not depend on how they were cut into messages and ticks,
nor on the other phones.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.baseline import Baseline
from pipeline.classifier import Classifier
from pipeline.decisions import Change, Decider, Episode, shipped
from pipeline.placements import turned
from pipeline.plausibility import PROBLEMS, Plausibility
from pipeline.preprocessing import SETTLING_ROWS, FilterStart, Preprocessor
from pipeline.readings import MessageError, Readings, Sensor
from pipeline.resampling import DEFAULT_LATENESS_S, Piece, Resampler, Rows, joined_pieces
from pipeline.signals import SAMPLING_RATE_HZ, WINDOW_LENGTH
from pipeline.slots import PerPhone
from pipeline.windows import Windower

N_RAW: Final = 6

LOW_RATE_HZ: Final = 30.0
"""Of a slower sensor the steps of a walk cannot be restored."""

_PROBLEMS: Final = (*PROBLEMS, "low-rate")

D = TypeVar("D", Change, Episode)
S = TypeVar("S", bound=np.generic)


class Prediction(msgspec.Struct, frozen=True, eq=False):
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


class StateError(Exception):
    """A saved state belongs to other settings or another model; whoever chose them can mend it."""


State = dict[str, Any]
"""What a recognizer knows, by name: arrays, and small values that JSON can hold."""

_SEPARATOR: Final = "/"
"""In a state's names, behind the part of the recognizer that an array belongs to"""


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


class _Phones(PerPhone):
    """What is known of the phones beside their signals and windows."""

    _per_phone = (
        *("slow", "problems", "sign", "rotation", "turned"),
        *("origin", "boot", "boot_now", "own_origin"),
    )

    def __init__(self, n_slots: int) -> None:
        self.slow = np.zeros(n_slots, np.bool_)  # a sensor is below `LOW_RATE_HZ`
        self.problems = np.zeros((n_slots, len(_PROBLEMS)), np.bool_)  # as they were told last
        self.sign = np.ones(n_slots)  # of accelerations
        self.rotation = np.tile(np.eye(3), (n_slots, 1, 1))  # (slots, 3, 3)
        self.turned = np.zeros(n_slots, np.bool_)  # sign or rotation change anything
        self.origin = np.zeros(n_slots)  # epoch seconds of the stretch's first sample
        # Of phones whose own clock does not tell the epoch:
        self.boot = np.full(n_slots, np.nan)  # epoch seconds of its 0
        self.boot_now = np.full(n_slots, np.nan)  # the same, as the last message has it
        self.own_origin = np.full(n_slots, np.inf)  # `origin` on that clock

    def reset(self, slots: Sequence[int]) -> None:
        """Forget these phones."""
        self.problems[slots] = self.slow[slots] = False
        self.sign[slots], self.rotation[slots], self.turned[slots] = 1.0, np.eye(3), False
        self.boot[slots] = self.boot_now[slots] = np.nan
        self.own_origin[slots] = np.inf


_Part = _Phones | Resampler | Preprocessor | Windower | Plausibility | Baseline | Decider


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
        baseline: bool = False,
    ) -> None:
        """Begin without phones; there is room for ``max_devices`` at once.

        With ``baseline`` it is learnt how upright each phone is while its wearer walks, and its
        windows are turned by that.

        Raises:
            ValueError: ``hop`` is not 1 to 128 samples.
        """
        self._classifier = classifier
        self._hop, self._filter_start, self._lateness_s = hop, filter_start, lateness_s
        n = max_devices
        self._resampler = Resampler(n, lateness_s=lateness_s)
        self._preprocessor = Preprocessor(n, start=filter_start)
        self._windower = Windower(n, hop=hop)
        orientation = classifier.orientation
        self._baseline = Baseline(n, hop=hop) if baseline else None
        self._plausibility = Plausibility(n, hop=hop, any_way_round=orientation == "any")
        self._decider = Decider(n, classifier.activities, hop=hop, learnt=shipped(orientation))
        self._phones = _Phones(n)
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
        if sign == self._phones.sign[slot] and np.array_equal(
            rotation, self._phones.rotation[slot]
        ):
            return
        self._phones.sign[slot], self._phones.rotation[slot] = sign, rotation
        self._phones.turned[slot] = sign != 1.0 or not np.array_equal(rotation, np.eye(3))
        self._resampler.reset([slot])
        self._plausibility.reset([slot])
        if self._baseline is not None:
            self._baseline.reset([slot])

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
        by_slot: defaultdict[int, list[Readings]] = defaultdict(list)
        for reading in readings:
            by_slot[self._slots[reading.device]].append(reading)
        dropped: Counter[str] = Counter()
        steady = self._resampler.push_steady(
            {slot: batch for slot, batch in by_slot.items() if self._goes_on(slot, batch)}
        )
        for rows in steady:
            self.counts["samples"] += rows.rows.shape[0] * rows.rows.shape[1]
            for slot in rows.slots.tolist():
                del by_slot[slot]
        pieces = [
            piece
            for slot, batch in by_slot.items()
            for piece in self._resample(slot, batch, dropped, received)
        ]
        return self._recognise(pieces, dropped, steady)

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
        for part in self._parts.values():
            part.reset(slots)
        for slot in slots:
            self._recording[slot] = ""
            self._past_recording[slot] = None
        self._free += slots

    def state(self) -> State:
        """Return all that is known of the phones, as of now; nothing in it changes later.

        ``of`` says what it belongs to; the other values are about ``devices``, in their order.
        """
        slots = np.array(list(self._slots.values()), np.intp)
        pasts = [self._past_recording[slot] for slot in self._slots.values()]
        state: State = {
            "of": self._belongs_to(),
            "devices": self.devices,
            "counts": dict(self.counts),
            "recordings": [self._recording[slot] for slot in self._slots.values()],
            "past_recordings": [None if past is None else past.name for past in pasts],
            "past_newest": np.array([0.0 if past is None else past.newest for past in pasts]),
        }
        for name, part in self._parts.items():
            for array_name, array in part.state(slots).items():
                state[f"{name}{_SEPARATOR}{array_name}"] = array
        return state

    def restore(self, state: State) -> None:
        """Know what `state` returned, in place of all that is known now.

        From then on each phone's samples lead to what they would have led to there.

        Raises:
            StateError: it belongs to other settings or another model, or has too many phones.
        """
        of = {"baseline": False} | state["of"]  # older states do not know of any
        for what, here in self._belongs_to().items():
            if of[what] != here:
                raise StateError(f"the state is of {what} {of[what]}, not {here}")
        devices: list[str] = state["devices"]
        if len(devices) > len(self._names):
            raise StateError(f"the state has {len(devices)} phones; {len(self._names)} are taken")
        self.forget(self.devices)
        self._free = list(range(len(self._names) - 1, -1, -1))
        self.counts = Counter(state["counts"])
        for device, recording, past, newest in zip(
            devices,
            state["recordings"],
            state["past_recordings"],
            state["past_newest"].tolist(),
            strict=True,
        ):
            self.admit(device)
            slot = self._slots[device]
            self._recording[slot] = recording
            self._past_recording[slot] = None if past is None else _Past(past, newest)
        slots = np.arange(len(devices))
        for name, part in self._parts.items():
            own = name + _SEPARATOR
            part.restore(
                slots, {key.removeprefix(own): state[key] for key in state if key.startswith(own)}
            )

    def _belongs_to(self) -> dict[str, Any]:
        """Return what a state must be of to be used here."""
        return {
            "model": self._classifier.card.identity,
            "activities": list(self._classifier.activities),
            "hop": self._hop,
            "filter_start": self._filter_start,
            "lateness_s": self._lateness_s,
            "baseline": self._baseline is not None,
        }

    @property
    def _parts(self) -> "dict[str, _Part]":
        learnt: dict[str, _Part] = {} if self._baseline is None else {"baseline": self._baseline}
        return learnt | {
            "recognizer": self._phones,
            "resampler": self._resampler,
            "preprocessor": self._preprocessor,
            "windower": self._windower,
            "plausibility": self._plausibility,
            "decider": self._decider,
        }

    def _goes_on(self, slot: int, batch: Sequence[Readings]) -> bool:
        """Return whether nothing but samples is new in a phone's messages."""
        recording = self._recording[slot]
        for one in batch:
            if one.recording != recording or one.clock != "epoch":
                return False
        return True

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
            self._phones.slow[slot] = min(rates_hz, default=SAMPLING_RATE_HZ) < LOW_RATE_HZ
        if batch[-1].clock == "boot":
            self._phones.boot_now[slot] = received - float(batch[-1].times.max())
        return [self._on_epoch(piece) for piece in joined_pieces(pieces)]

    def _on_epoch(self, piece: Piece) -> Piece:
        """Return a piece whose grid begins in epoch seconds, whatever the phone's clock."""
        slot = piece.slot
        if piece.origin is None or np.isnan(self._phones.boot_now[slot]):
            return piece
        if np.isnan(self._phones.boot[slot]) or piece.origin < self._phones.own_origin[slot]:
            self._phones.boot[slot] = self._phones.boot_now[
                slot
            ]  # first seen, or switched on again
        self._phones.own_origin[slot] = piece.origin
        return replace(piece, origin=piece.origin + float(self._phones.boot[slot]))

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

    def _recognise(
        self, pieces: Iterable[Piece], dropped: Counter[str], steady: Sequence[Rows] = ()
    ) -> Recognised:
        """Return what grid rows lead to: pieces, and rows of phones that have no piece."""
        stages = _stages(pieces)
        if steady and not stages:
            stages = [[]]
        cuts = [self._cut(stage, () if number else steady) for number, stage in enumerate(stages)]
        if not any(len(cut.slots) for cut in cuts):
            interrupted = [slot for cut in cuts for slot in cut.interrupted]
            ended = self._named(self._decider.interrupt(interrupted))
            return Recognised([], [], ended, [], dropped)
        windows = _concatenated([cut.windows for cut in cuts])
        settled = ~_concatenated([cut.settling for cut in cuts])
        told = windows if settled.all() else windows[settled]  # settling windows say nothing
        judged = self._plausibility.judge(told)
        if self._baseline is not None:
            walking = np.zeros(len(windows), np.bool_)
            walking[settled] = judged.walking
            slots = _concatenated([cut.slots for cut in cuts])
            windows = self._baseline.turn(slots, windows, walking)
            told = windows[settled]
        probabilities = self._classifier.classify(windows)
        seen = self._decider.look(told, probabilities[settled])

        predictions: list[Prediction] = []
        changes: list[tuple[str, Change]] = []
        episodes: list[tuple[str, Episode]] = []
        problems: dict[str, tuple[str, ...]] = {}
        done = said = 0
        for cut in cuts:
            predictions += self._predictions(cut, probabilities[done : done + len(cut.slots)])
            done += len(cut.slots)
            episodes += self._named(self._decider.interrupt(cut.interrupted))
            settled_here = ~cut.settling
            slots = cut.slots[settled_here]
            until = said + len(slots)
            found = self._phones.problems[cut.slots]
            found[settled_here, :-1] = self._plausibility.weigh(slots, judged.between(said, until))
            found[:, -1] = self._phones.slow[cut.slots]
            problems |= self._told(cut.slots, found)
            decided = self._decider.decide(
                slots,
                cut.starts[settled_here],
                seen.between(said, until),
                np.asarray(found[settled_here].any(axis=1)),
            )
            said = until
            changes += self._named(decided.changes)
            episodes += self._named(decided.episodes)
        return Recognised(predictions, changes, episodes, list(problems.items()), dropped)

    def _told(
        self, slots: NDArray[np.intp], problems: NDArray[np.bool_]
    ) -> dict[str, tuple[str, ...]]:
        """Return the phones whose problems have changed, with those in force.

        ``problems`` ``(n, n_problems + 1)`` are those after windows of ``slots`` ``(n,)``, each
        phone's in their order.
        """
        before = self._phones.problems[slots]
        by_phone = np.argsort(slots, kind="stable")
        again = np.flatnonzero(np.diff(slots[by_phone]) == 0)
        before[by_phone[again + 1]] = problems[by_phone[again]]
        last = np.delete(by_phone, again)
        self._phones.problems[slots[last]] = problems[last]
        changed = np.flatnonzero((problems != before).any(axis=1))
        return {
            self._names[slot]: tuple(_PROBLEMS[i] for i in np.flatnonzero(in_force))
            for slot, in_force in zip(slots[changed].tolist(), problems[changed], strict=True)
        }

    def _cut(self, stage: Sequence[Piece], steady: Sequence[Rows]) -> _Windows:
        """Return the windows that each phone's next piece completes, each phone's in order."""
        interrupted = self._begin_stretches(stage)
        slots, starts, settling, windows = [], [], [], []
        for group_slots, rows in self._alike(stage, steady):
            raw = rows.shape[2] == N_RAW
            samples = (
                self._preprocessor.push(group_slots, self._in_training_frame(group_slots, rows))
                if raw
                else rows.astype(np.float32)
            )
            cut = self._windower.push(group_slots, samples)
            of_windows = group_slots[cut.phones]
            slots.append(of_windows)
            starts.append(self._phones.origin[of_windows] + cut.first_samples / SAMPLING_RATE_HZ)
            settling.append(raw & (cut.first_samples < SETTLING_ROWS))
            windows.append(cut.windows)
        return _Windows(
            interrupted,
            _concatenated(slots),
            _concatenated(starts),
            _concatenated(settling),
            _concatenated(windows),
        )

    def _in_training_frame(
        self, slots: NDArray[np.intp], rows: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return raw rows ``(n_phones, n_rows, 6)`` as if the phones were worn as in training."""
        otherwise = np.flatnonzero(self._phones.turned[slots])
        if len(otherwise) == 0:
            return rows
        worn = slots[otherwise]
        rows = rows.copy()
        rows[otherwise] = turned(
            rows[otherwise], self._phones.sign[worn], self._phones.rotation[worn]
        )
        return rows

    def _begin_stretches(self, stage: Sequence[Piece]) -> list[int]:
        """Reset what a gap ends; return the slots that had one."""
        begun = [piece for piece in stage if piece.origin is not None]
        slots = [piece.slot for piece in begun]
        interrupted = [slot for slot in slots if self._windower.count[slot]]
        self.counts["gaps"] += len(interrupted)
        self._preprocessor.reset(slots)
        self._windower.reset(slots)
        self._phones.origin[slots] = [piece.origin for piece in begun]
        return interrupted

    def _alike(
        self, stage: Sequence[Piece], steady: Sequence[Rows]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Yield what one array operation can take: slots, and rows of one shape, in one state."""
        groups: defaultdict[tuple[object, ...], list[Rows]] = defaultdict(list)
        for rows in steady:
            groups[*rows.rows.shape[1:], False].append(rows)
        for piece in stage:
            begins = piece.rows.shape[1] == N_RAW and not self._preprocessor.started[piece.slot]
            alone = Rows(np.array([piece.slot]), piece.rows[np.newaxis])
            groups[*piece.rows.shape, begins].append(alone)
        for group in groups.values():
            yield (
                _concatenated([rows.slots for rows in group]),
                _concatenated([rows.rows for rows in group]),
            )

    def _predictions(
        self, windows: _Windows, probabilities: NDArray[np.float32]
    ) -> Iterable[Prediction]:
        ends = windows.starts + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
        return [
            Prediction(self._names[slot], start, end, label, probability, settling)
            for slot, start, end, label, probability, settling in zip(
                windows.slots.tolist(),
                windows.starts.tolist(),
                ends.tolist(),
                probabilities.argmax(axis=1).tolist(),
                probabilities,
                windows.settling.tolist(),
                strict=True,
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


def _concatenated(arrays: Sequence[NDArray[S]]) -> NDArray[S]:
    """Return arrays put one after the other, without a copy of the only one that is not empty."""
    filled = [array for array in arrays if len(array)] or arrays[:1]
    return filled[0] if len(filled) == 1 else np.concatenate(filled)
