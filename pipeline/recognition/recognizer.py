"""The core: readings of all phones in; predictions, activities, episodes out. No I/O, no clock.

The state is a few arrays over *slots*, one slot a phone; every step works on all phones of a tick
at once. What a phone's samples give does not depend on how they were cut into messages and ticks,
nor on the other phones.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.models.classifier import Classifier
from pipeline.readings import Delivery, MessageError, Readings, Sensor
from pipeline.recognition.judgement.decisions import Change, Decider, Episode, shipped
from pipeline.recognition.judgement.plausibility import PROBLEMS, Plausibility
from pipeline.recognition.placement.placements import turned
from pipeline.recognition.preparation.filters import SETTLING_ROWS, FilterStart, Preprocessor
from pipeline.recognition.preparation.resampler import (
    DEFAULT_LATENESS_S,
    DOUBTFUL,
    TROUBLES,
    Dropped,
    Piece,
    Resampler,
    Rows,
    Trouble,
    joined_pieces,
)
from pipeline.recognition.preparation.upright import Baseline
from pipeline.recognition.preparation.windows import Windower
from pipeline.recognition.senders import Sender
from pipeline.recognition.slots import PerPhone
from pipeline.vocabulary import CHANNELS, SAMPLING_RATE_HZ, WINDOW_LENGTH

N_RAW: Final = 6

CLOCK_TOLERANCE_S: Final = 0.5
CLOCK_CHECKED_S: Final = 5.0
"""A clock since boot is read by when messages come, which is never too early. If the quickest
messages of two spans of so many seconds agree, to the tolerance, and came earlier than the clock
made believe, by more than that, it is read anew. While a backlog comes they do not agree."""

_PROBLEMS: Final = (*PROBLEMS, *TROUBLES)
_OF_TROUBLES: Final = slice(len(PROBLEMS), None)
_DOUBTS: Final = [i for i, name in enumerate(_PROBLEMS) if name in {*PROBLEMS, *DOUBTFUL}]

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
    """Devices whose problems changed, with those now in force: of `PROBLEMS` and `TROUBLES`"""
    dropped: dict[str, Dropped]
    """Samples of each device of which no row was made"""
    failures: list[tuple[str, Exception]]
    """Devices whose samples could not be worked through, by a mistake of ours; they began anew"""


class StateError(Exception):
    """A saved state belongs to other settings or another model; whoever chose them can mend it."""


State = dict[str, Any]
"""What a recognizer knows, by name: arrays, and small values that JSON can hold."""

_SEPARATOR: Final = "/"
"""In a state's names, behind the part of the recognizer that an array belongs to"""


@dataclass(frozen=True, eq=False)
class _Windows:
    """What one stage of a tick completes: windows, each phone's in their order."""

    interrupted: list[int]
    """Slots that had a gap before these windows"""
    changed: list[int]
    """Slots whose recording is another from these windows on"""
    slots: NDArray[np.intp]
    """``(n,)``"""
    starts: NDArray[np.float64]
    """``(n,)``: epoch seconds of each window's first sample"""
    settling: NDArray[np.bool_]
    """``(n,)``"""
    troubles: NDArray[np.bool_]
    """``(n, n_troubles)``: those of `TROUBLES` in force when it was completed"""
    windows: NDArray[np.float32]
    """``(n, 128, 9)``"""


class _Phones(PerPhone):
    """What is known of the phones beside their signals and windows."""

    _per_phone = (
        *("problems", "sign", "rotation", "turned"),
        *("origin", "boot", "boot_now", "own_origin"),
        *("boot_least", "boot_least_before", "boot_checked", "changed"),
    )

    def __init__(self, n_slots: int) -> None:
        self.problems = np.zeros((n_slots, len(_PROBLEMS)), np.bool_)  # as they were told last
        self.sign = np.ones(n_slots)  # of accelerations
        self.rotation = np.tile(np.eye(3), (n_slots, 1, 1))  # (slots, 3, 3)
        self.turned = np.zeros(n_slots, np.bool_)  # sign or rotation change anything
        self.origin = np.zeros(n_slots)  # epoch seconds of the stretch's first sample
        # Of phones whose own clock does not tell the epoch:
        self.boot = np.full(n_slots, np.nan)  # epoch seconds of its 0
        self.boot_now = np.full(n_slots, np.nan)  # the same, as the last message has it
        self.own_origin = np.full(n_slots, np.inf)  # `origin` on that clock
        self.boot_least = np.full(n_slots, np.nan)  # least `boot_now` in this span
        self.boot_least_before = np.full(n_slots, np.nan)  # and in the one before
        self.boot_checked = np.full(n_slots, np.nan)  # when this span began, on that clock
        self.changed = np.zeros(n_slots, np.bool_)  # a recording has begun, and no row of it is yet

    def reset(self, slots: Sequence[int]) -> None:
        """Forget these phones."""
        self.problems[slots] = False
        self.sign[slots], self.rotation[slots], self.turned[slots] = 1.0, np.eye(3), False
        self.boot[slots] = self.boot_now[slots] = np.nan
        self.own_origin[slots] = np.inf
        self.boot_least[slots] = self.boot_least_before[slots] = np.nan
        self.boot_checked[slots] = np.nan
        self.changed[slots] = False

    def read_boot_clock(self, slot: int, newest: float, received: float) -> float:
        """Note when a phone's sample came that its clock dates ``newest``, in epoch seconds.

        If that clock was misread before, read it anew, and return by how many seconds what it
        dates is earlier than it seemed; else 0.
        """
        now = self.boot_now[slot] = received - newest
        self.boot_least[slot] = np.fmin(self.boot_least[slot], now)
        since = newest - self.boot_checked[slot]
        if -CLOCK_TOLERANCE_S < since < CLOCK_CHECKED_S:
            return 0.0
        least, before = float(self.boot_least[slot]), float(self.boot_least_before[slot])
        self.boot_checked[slot] = newest
        self.boot_least[slot] = np.nan
        if not 0 <= since <= 2 * CLOCK_CHECKED_S:  # a pause, or another boot
            self.boot_least_before[slot] = np.nan
            return 0.0
        self.boot_least_before[slot] = least
        earlier_s = float(self.boot[slot]) - least
        if not abs(least - before) <= CLOCK_TOLERANCE_S < earlier_s:
            return 0.0
        self.boot[slot] = least
        return earlier_s


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
        self._senders: dict[int, Sender] = {}
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
        self._senders[slot] = Sender()

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

    def problems(self, device: str) -> tuple[str, ...]:
        """Return what cannot be right about an admitted phone's samples."""
        return self._problems(self._phones.problems[self._slots[device]])

    def clocks_apart_s(self, device: str) -> float:
        """Return by how much an admitted phone's accelerometer is ahead of its gyroscope.

        In seconds; 0 if their clocks agree.
        """
        return self._resampler.clocks_apart_s(self._slots[device])

    def age_s(self, delivery: Delivery) -> float:
        """Return how old the newest sample of an admitted phone's message was when it came.

        In seconds; 0 if its clock does not tell.
        """
        newest = delivery.newest
        if delivery.readings[0].clock == "boot":
            begun = float(self._phones.boot[self._slots[delivery.device]])
            return 0.0 if np.isnan(begun) else delivery.received - begun - newest
        return delivery.received - newest

    def push(self, deliveries: Iterable[Delivery]) -> Recognised:
        """Return the predictions that a tick's messages complete, and what they change.

        Every phone must have been admitted.
        """
        by_slot: defaultdict[int, list[Delivery]] = defaultdict(list)
        for delivery in deliveries:
            by_slot[self._slots[delivery.device]].append(delivery)
        steady = self._resampler.push_steady(
            {
                slot: [one.readings[0] for one in of_phone]
                for slot, of_phone in by_slot.items()
                if self._goes_on(slot, of_phone)
            }
        )
        for rows in steady:
            self.counts["samples"] += rows.rows.shape[0] * rows.rows.shape[1]
            for slot in rows.slots.tolist():
                del by_slot[slot]
        dropped: dict[str, Dropped] = {}
        failures: list[tuple[str, Exception]] = []
        pieces: list[Piece] = []
        for slot, of_phone in by_slot.items():
            lost = Dropped()
            for delivery in of_phone:
                try:
                    pieces += self._resample(slot, delivery, lost)
                except Exception as error:  # whatever it is, it is not to end the other phones
                    failures.append((self._names[slot], error))
                    pieces = [piece for piece in pieces if piece.slot != slot]
                    self._begin_anew(slot)
            if lost:
                dropped[self._names[slot]] = lost
        recognised = self._recognise(pieces, steady)
        recognised.dropped.update(dropped)
        recognised.failures.extend(failures)
        recognised.problems.extend(self._changed_troubles(list(by_slot)))
        return recognised

    def finish(self, devices: Iterable[str]) -> Recognised:
        """Return what these phones' last samples lead to, now that they have fallen silent."""
        slots = [self._slots[device] for device in devices]
        pieces, dropped = [], {}
        for slot in slots:
            last, lost = self._resampler.finish(slot)
            pieces += [self._on_epoch(piece) for piece in last]
            if lost:
                dropped[self._names[slot]] = lost
        recognised = self._recognise(pieces)
        recognised.dropped.update(dropped)
        recognised.episodes.extend(self._named(self._decider.interrupt(slots)))
        return recognised

    def forget(self, devices: Iterable[str]) -> None:
        """Drop the state of these phones; their slots serve others."""
        slots = [self._slots.pop(device) for device in devices]
        for part in self._parts.values():
            part.reset(slots)
        for slot in slots:
            del self._senders[slot]
        self._free += slots

    def state(self) -> State:
        """Return all that is known of the phones, as of now; nothing in it changes later.

        ``of`` says what it belongs to; the other values are about ``devices``, in their order.
        """
        slots = np.array(list(self._slots.values()), np.intp)
        return {
            "of": self._belongs_to(),
            "devices": self.devices,
            "counts": dict(self.counts),
            "senders": [self._senders[slot].state() for slot in self._slots.values()],
            "parts": {name: part.state(slots) for name, part in self._parts.items()},
        }

    def restore(self, state: State) -> None:
        """Know what `state` returned, in place of all that is known now.

        From then on each phone's samples lead to what they would have led to there.

        Raises:
            StateError: it belongs to other settings or another model, or has too many phones.
        """
        of = state["of"]
        for what, here in self._belongs_to().items():
            if of[what] != here:
                raise StateError(f"the state is of {what} {of[what]}, not {here}")
        devices: list[str] = state["devices"]
        if len(devices) > len(self._names):
            raise StateError(f"the state has {len(devices)} phones; {len(self._names)} are taken")
        self.forget(self.devices)
        self._free = list(range(len(self._names) - 1, -1, -1))
        self.counts = Counter(state["counts"])
        for device, sender in zip(devices, state["senders"], strict=True):
            self.admit(device)
            self._senders[self._slots[device]] = Sender.restored(sender)
        slots = np.arange(len(devices))
        for name, part in self._parts.items():
            part.restore(slots, state["parts"][name])

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

    def _goes_on(self, slot: int, deliveries: Sequence[Delivery]) -> bool:
        """Return whether nothing but one sensor's samples is new in a phone's messages."""
        sender = self._senders[slot]
        if sender.clock != "epoch":
            return False
        recording = sender.recording
        for delivery in deliveries:
            if len(delivery.readings) > 1:
                return False
            [one] = delivery.readings
            if one.recording != recording or one.clock != "epoch":
                return False
        return True

    def _resample(self, slot: int, delivery: Delivery, dropped: Dropped) -> list[Piece]:
        """Return the grid rows that a phone's message completes; add to what is ``dropped``."""
        readings = self._entered(slot, delivery, dropped)
        if not readings:
            return []
        pieces, lost = self._resampler.push(slot, readings)
        dropped += lost
        n_samples = sum([len(one.times) for one in readings])
        self.counts["samples"] += n_samples - lost.repeated - lost.late
        sender, earlier_s = self._senders[slot], 0.0
        if sender.clock == "boot":
            earlier_s = self._phones.read_boot_clock(slot, delivery.newest, delivery.received)
        pieces = [self._on_epoch(piece) for piece in joined_pieces(pieces)]
        if pieces and self._phones.changed[slot]:
            self._phones.changed[slot] = False
            pieces[0] = replace(pieces[0], begins_recording=True)
        if sender.is_mixed:
            pieces = [replace(one, troubles=one.troubles | {"two-phones"}) for one in pieces]
        if earlier_s and not any(piece.origin is not None for piece in pieces):
            pieces.append(Piece(slot, None, _NO_ROWS, earlier_s=earlier_s))
        return pieces

    def _entered(self, slot: int, delivery: Delivery, dropped: Dropped) -> Sequence[Readings]:
        """Return the readings that belong to a phone's recording, which may begin with them.

        Add to what is ``dropped`` what comes again of another, or is of another phone.
        """
        sender, first = self._senders[slot], delivery.readings[0]
        decision, known_until = sender.decide(
            first.recording,
            first.clock,
            oldest=delivery.oldest,
            newest=delivery.newest,
            newest_before=self._resampler.newest(slot),
        )
        if decision == "goes on":
            return delivery.readings
        n_samples = sum(len(one.times) for one in delivery.readings)
        if decision == "repeated":
            dropped.repeated += n_samples
            return []
        if decision == "late":
            dropped.late += n_samples
            return []
        if decision == "mixed":
            dropped.unused += n_samples
            return []
        # Only the grid: what it gave before, in this tick, has yet to pass filters and windows.
        self._resampler.reset([slot])
        self._phones.changed[slot] = True
        self._phones.boot[slot], self._phones.own_origin[slot] = np.nan, np.inf
        self._phones.boot_now[slot] = self._phones.boot_least_before[slot] = np.nan
        self._phones.boot_least[slot] = self._phones.boot_checked[slot] = np.nan
        new = [(one, one.times > known_until) for one in delivery.readings]
        dropped.repeated += n_samples - sum(int(is_new.sum()) for _, is_new in new)
        return [
            msgspec.structs.replace(one, times=one.times[is_new], values=one.values[is_new])
            for one, is_new in new
            if is_new.any()
        ]

    def _begin_anew(self, slot: int) -> None:
        """Forget all of a phone's signals, but not how it is worn."""
        sign, rotation = self._phones.sign[slot], self._phones.rotation[slot].copy()
        turned_ = self._phones.turned[slot]
        for part in self._parts.values():
            part.reset([slot])
        self._phones.sign[slot], self._phones.rotation[slot] = sign, rotation
        self._phones.turned[slot] = turned_
        self._senders[slot] = Sender()

    def _troubles(self, slot: int) -> frozenset[Trouble]:
        """Return those of `TROUBLES` that a phone's samples have now."""
        troubles, sender = self._resampler.troubles(slot), self._senders[slot]
        if sender.is_mixed:
            return troubles | {"two-phones"}
        return troubles | {"short-recordings"} if sender.is_restless else troubles

    def _changed_troubles(self, slots: Sequence[int]) -> list[tuple[str, tuple[str, ...]]]:
        """Return those of these phones whose troubles have changed, with all their problems."""
        changed = []
        for slot in slots:
            troubles = self._troubles(slot)
            now = [name in troubles for name in TROUBLES]
            known = self._phones.problems[slot]
            if now != known[_OF_TROUBLES].tolist():
                known[_OF_TROUBLES] = now
                changed.append((self._names[slot], self._problems(known)))
        return changed

    def _on_epoch(self, piece: Piece) -> Piece:
        """Return a piece whose grid begins in epoch seconds, whatever the phone's clock."""
        slot = piece.slot
        if piece.origin is None or np.isnan(self._phones.boot_now[slot]):
            return piece
        if np.isnan(self._phones.boot[slot]) or piece.origin < self._phones.own_origin[slot]:
            now, least = self._phones.boot_now[slot], self._phones.boot_least_before[slot]
            self._phones.boot[slot] = np.fmin(now, least)  # first seen, misread or begun again
        self._phones.own_origin[slot] = piece.origin
        return replace(piece, origin=piece.origin + float(self._phones.boot[slot]))

    def _recognise(self, pieces: Iterable[Piece], steady: Sequence[Rows] = ()) -> Recognised:
        """Return what grid rows lead to: pieces, and rows of phones that have no piece."""
        stages = _stages(pieces)
        if steady and not stages:
            stages = [[]]
        cuts = [self._cut(stage, () if number else steady) for number, stage in enumerate(stages)]
        predictions: list[Prediction] = []
        changes: list[tuple[str, Change]] = []
        episodes: list[tuple[str, Episode]] = []
        problems: dict[str, tuple[str, ...]] = {}
        recognised = Recognised(predictions, changes, episodes, [], {}, [])
        if not any(len(cut.slots) for cut in cuts):
            for cut in cuts:
                self._plausibility.reset(cut.changed)
                episodes += self._named(self._decider.interrupt(cut.interrupted))
            return recognised
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
        unanswered = np.isnan(probabilities[:, 0])
        known = np.where(unanswered[:, np.newaxis], 0.0, probabilities)
        seen = self._decider.look(told, known[settled])

        done = said = 0
        for cut in cuts:
            self._plausibility.reset(cut.changed)
            predictions += self._predictions(cut, probabilities[done : done + len(cut.slots)])
            doubted = unanswered[done : done + len(cut.slots)]
            done += len(cut.slots)
            episodes += self._named(self._decider.interrupt(cut.interrupted))
            settled_here = ~cut.settling
            slots = cut.slots[settled_here]
            until = said + len(slots)
            found = self._phones.problems[cut.slots]
            weighed = self._plausibility.weigh(slots, judged.between(said, until))
            found[settled_here, : len(PROBLEMS)] = weighed
            found[:, _OF_TROUBLES] = cut.troubles
            starts = cut.starts[settled_here]
            decided = self._decider.decide(
                slots,
                starts,
                seen.between(said, until),
                np.asarray((found[:, _DOUBTS].any(axis=1) | doubted)[settled_here]),
            )
            # What is known of its samples now is told when the tick is over.
            found[:, _OF_TROUBLES] = self._phones.problems[cut.slots, _OF_TROUBLES]
            problems |= self._told(cut.slots, found)
            said = until
            changes += self._named(decided.changes)
            episodes += self._named(decided.episodes)
        recognised.problems.extend(problems.items())
        return recognised

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
            self._names[slot]: self._problems(in_force)
            for slot, in_force in zip(slots[changed].tolist(), problems[changed], strict=True)
        }

    def _problems(self, in_force: NDArray[np.bool_]) -> tuple[str, ...]:
        """Return the names of problems ``(n_problems,)``."""
        return tuple(_PROBLEMS[i] for i in np.flatnonzero(in_force))

    def _cut(self, stage: Sequence[Piece], steady: Sequence[Rows]) -> _Windows:
        """Return the windows that each phone's next piece completes, each phone's in order."""
        interrupted = self._begin_stretches(stage)
        slots, starts, settling, troubles, windows = [], [], [], [], []
        troubled = {piece.slot: piece.troubles for piece in stage if piece.troubles}
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
            troubles.append(_flags(of_windows, troubled))
            windows.append(cut.windows)
        if not slots:
            return _no_windows(interrupted)
        return _Windows(
            interrupted,
            [piece.slot for piece in stage if piece.begins_recording],
            _concatenated(slots),
            _concatenated(starts),
            _concatenated(settling),
            _concatenated(troubles),
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
        dated_anew = [piece for piece in stage if piece.earlier_s]
        slots = [piece.slot for piece in begun]
        interrupted = [slot for slot in slots if self._windower.count[slot]]
        self.counts["gaps"] += len(interrupted)
        self._preprocessor.reset(slots)
        self._windower.reset(slots)
        self._phones.origin[slots] = [piece.origin for piece in begun]
        for piece in dated_anew:  # what was decided has other times than what is to come
            self._phones.origin[piece.slot] -= piece.earlier_s
        return interrupted + [piece.slot for piece in dated_anew]

    def _alike(
        self, stage: Sequence[Piece], steady: Sequence[Rows]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Yield what one array operation can take: slots, and rows of one shape, in one state."""
        groups: defaultdict[tuple[object, ...], list[Rows]] = defaultdict(list)
        for rows in steady:
            groups[*rows.rows.shape[1:], False].append(rows)
        for piece in stage:
            if len(piece.rows) == 0:
                continue
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
            for slot, start, end, label, probability, settling, unanswered in zip(
                windows.slots.tolist(),
                windows.starts.tolist(),
                ends.tolist(),
                probabilities.argmax(axis=1).tolist(),
                probabilities,
                windows.settling.tolist(),
                np.isnan(probabilities[:, 0]).tolist(),
                strict=True,
            )
            if not unanswered
        ]

    def _named(self, decided: Iterable[D]) -> list[tuple[str, D]]:
        return [(self._names[one.slot], one) for one in decided]


def _no_windows(interrupted: list[int]) -> _Windows:
    """Return what a stage completes that has no rows."""
    return _Windows(
        interrupted,
        [],
        np.empty(0, np.intp),
        np.empty(0),
        np.empty(0, np.bool_),
        np.empty((0, len(TROUBLES)), np.bool_),
        np.empty((0, WINDOW_LENGTH, len(CHANNELS)), np.float32),
    )


_NO_ROWS: Final = np.empty((0, N_RAW))


def _flags(
    slots: NDArray[np.intp], troubled: Mapping[int, frozenset[Trouble]]
) -> NDArray[np.bool_]:
    """Return the troubles ``(n, n_troubles)`` of the phones ``slots`` ``(n,)``."""
    flags = np.zeros((len(slots), len(TROUBLES)), np.bool_)
    if troubled:
        for i, slot in enumerate(slots.tolist()):
            flags[i] = [name in troubled.get(slot, ()) for name in TROUBLES]
    return flags


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
