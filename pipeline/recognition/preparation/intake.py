"""Messages to grid rows, dated in epoch seconds.

* Each message of a phone belongs to the recording under way, to a new one, or to an earlier one:
  `recording_sequence`. A new recording begins a new grid.
* The samples in use are put on the phone's grid: `resampler`. Messages that just continue it are
  processed for all phones at once, all others one by one.
* The beginning of a grid is dated in epoch seconds, whatever the phone's clock: `boot_clocks`.

If processing a phone's message fails, because of an error of ours, the phone begins anew.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import BlockDelivery
from pipeline.readings import Delivery, Readings, Sensor
from pipeline.recognition.per_phone import PerPhone
from pipeline.recognition.preparation.boot_clocks import BootClocks
from pipeline.recognition.preparation.continuing import Continued, Rows
from pipeline.recognition.preparation.dropped import Dropped
from pipeline.recognition.preparation.pace import NeededRates
from pipeline.recognition.preparation.pieces import Piece, joined_pieces
from pipeline.recognition.preparation.recording_sequence import RecordingSequence
from pipeline.recognition.preparation.resampler import Resampler
from pipeline.recognition.preparation.troubles import TROUBLES, Trouble

_NO_ROWS: Final = np.empty((0, 6))
_NO_SLOTS: Final = np.empty(0, np.intp)


@dataclass(frozen=True)
class Taken:
    """The rows and losses of a tick's messages."""

    rows: list[Rows]
    """Of phones that have no piece"""
    pieces: list[Piece]
    """Each phone's in their order"""
    dropped: dict[int, Dropped]
    """Samples of each slot of which no row was made"""
    failures: list[tuple[int, Exception]]
    """Slots whose messages could not be processed; they began anew"""
    faults: list[Exception]
    """Errors of ours with several phones at once, whose messages were then processed one by one"""
    changed: list[int]
    """Slots whose troubles have changed"""


class _Flags(PerPhone):
    """Flags of the phones' recordings and samples."""

    _per_phone = ("troubles", "begins_recording")

    def __init__(self, n_slots: int) -> None:
        self.troubles = np.zeros((n_slots, len(TROUBLES)), np.bool_)  # after the last tick
        self.begins_recording = np.zeros(n_slots, np.bool_)  # one has begun, without a row so far

    def reset(self, slots: Sequence[int]) -> None:
        """Forget these phones."""
        self.troubles[slots] = False
        self.begins_recording[slots] = False


class Intake:
    """The recordings, grids and clocks of all phones."""

    def __init__(self, n_slots: int, *, lateness_s: float, needed_rates: NeededRates) -> None:
        """Make room for ``n_slots`` phones; their messages may overtake by ``lateness_s``."""
        self._resampler = Resampler(n_slots, lateness_s=lateness_s, needed_rates=needed_rates)
        self._clocks = BootClocks(n_slots)
        self._flags = _Flags(n_slots)
        self._sequences: defaultdict[int, RecordingSequence] = defaultdict(RecordingSequence)
        self.n_samples = 0
        """Samples taken, of all phones since the start"""

    def reset(self, slots: Sequence[int]) -> None:
        """Forget these phones."""
        self._resampler.reset(slots)
        self._clocks.reset(slots)
        self._flags.reset(slots)
        for slot in slots:
            self._sequences.pop(slot, None)

    def end_grid(self, slot: int) -> None:
        """Let a phone's grid begin anew with its next samples that are newer than all before."""
        self._resampler.begin_anew(slot)

    def push(
        self,
        messages: Mapping[int, Sequence[Delivery]],
        blocks: Sequence[tuple[NDArray[np.intp], BlockDelivery]] = (),
    ) -> Taken:
        """Return the rows and losses of a tick's messages.

        They are given by slot, or as blocks with the slots ``(n,)`` of their messages; all those of
        a phone are given in one of both ways, and in one block.
        """
        continued = self._resampler.push_together(
            {
                slot: [delivery.readings for delivery in of_phone]
                for slot, of_phone in messages.items()
                if self._goes_on(slot, of_phone)
            }
        )
        taken_of = {slot for some in continued for slot in some.slots.tolist()}
        others = {slot: [*of] for slot, of in messages.items() if slot not in taken_of}
        for slots, delivered in blocks:
            continued += self._push_block(slots, delivered, others)
        self.n_samples += sum([some.n_samples for some in continued])
        rows = [rows for some in continued for rows in some.rows]
        begun = self._begin_grids(others)
        taken = Taken(rows, begun, {}, [], self._resampler.take_faults(), [])
        for slot, of_phone in others.items():
            pieces: list[Piece] = []
            dropped = Dropped()
            for delivery in of_phone:
                try:
                    pieces += self._resample(slot, delivery, dropped)
                except Exception as error:  # whatever it is, it must not end the other phones
                    taken.failures.append((slot, error))
                    pieces = []
                    self.reset([slot])
            taken.pieces.extend(pieces)
            if dropped:
                taken.dropped[slot] = dropped
        taken.changed.extend(slot for slot in others if self._note_troubles(slot))
        return taken

    def _begin_grids(self, others: dict[int, list[Delivery]]) -> list[Piece]:
        """Return the first rows of phones whose first message just begins their grids.

        Take their messages out of ``others``.
        """
        begun = self._resampler.begin_together(
            {
                slot: of_phone[0].readings[0]
                for slot, of_phone in others.items()
                if len(of_phone) == len(of_phone[0].readings) == 1
                and not self._flags.begins_recording[slot]
                and self._goes_on(slot, of_phone)
            }
        )
        pieces = []
        for rows in begun:
            self.n_samples += rows.rows.shape[0] * rows.rows.shape[1]
            for slot, of_phone in zip(rows.slots.tolist(), rows.rows, strict=True):
                [delivery] = others.pop(slot)
                first = delivery.readings[0]
                self._sequences[slot].decide(  # it goes on, so that its recording has begun
                    first.recording,
                    first.clock,
                    oldest=delivery.oldest,
                    newest=delivery.newest,
                    newest_before=-np.inf,
                )
                pieces.append(self._dated(Piece(slot, delivery.oldest, of_phone)))
        return pieces

    def _push_block(
        self,
        slots: NDArray[np.intp],
        delivered: BlockDelivery,
        others: dict[int, list[Delivery]],
    ) -> list[Continued]:
        """Take the messages of a block that just continue their phones' grids.

        Add the messages of the other phones to ``others``, one by one.
        """
        block = delivered.block
        sequences = [self._sequences[slot] for slot in slots.tolist()]
        disturbed = [
            sequence.recording != recording
            or sequence.clock != "epoch"
            or not sequence.is_undisturbed
            for sequence, recording in zip(sequences, block.recordings, strict=True)
        ]
        chosen, times, values = slots, block.times, block.values
        if any(disturbed):
            which = ~np.isin(slots, slots[disturbed])
            chosen, times, values = slots[which], times[which], values[which]
        continued = self._resampler.push_block(chosen, times, values)
        taken = np.concatenate([_NO_SLOTS, *(some.slots for some in continued)])
        for i in np.flatnonzero(~np.isin(slots, taken)).tolist():
            others.setdefault(int(slots[i]), []).append(delivered.delivery(i))
        return continued

    def finish(self, slots: Sequence[int]) -> Taken:
        """Return the last rows of these phones, which have fallen silent."""
        taken = Taken([], [], {}, [], [], [])
        for slot in slots:
            pieces, dropped = self._resampler.finish(slot)
            taken.pieces.extend(self._dated(piece) for piece in pieces)
            if dropped:
                taken.dropped[slot] = dropped
        return taken

    def lacks(self, slot: int) -> list[Sensor]:
        """Return the sensors that a phone's rows still lack."""
        return self._resampler.lacks(slot)

    def has_newer(self, slot: int, delivery: Delivery) -> bool:
        """Return whether a phone's message goes on behind all of its samples that have come.

        So it does if it begins a recording.
        """
        first = delivery.readings[0]
        decision = self._sequences[slot].foresee(
            first.recording, first.clock, oldest=delivery.oldest, newest=delivery.newest
        )
        if decision == "goes on":
            return delivery.newest > self._resampler.newest_come(slot)
        return decision == "begins"

    def is_prepared(self, slot: int) -> bool:
        """Return whether a phone sends prepared samples."""
        return self._resampler.is_prepared(slot)

    def rates_hz(self, slot: int) -> dict[Sensor, float]:
        """Return how fast a phone's sensors in use are, in hertz."""
        return self._resampler.rates_hz(slot)

    def clocks_apart_s(self, slot: int) -> float:
        """Return by how much a phone's accelerometer is ahead of its gyroscope.

        In seconds; 0 if their clocks agree.
        """
        return self._resampler.clocks_apart_s(slot)

    def age_s(self, slot: int, delivery: Delivery) -> float:
        """Return how old the newest sample of a phone's message was when it came.

        In seconds; 0 if its clock does not show it.
        """
        if delivery.readings[0].clock == "boot":
            return self._clocks.age_s(slot, delivery.newest, delivery.received)
        return delivery.received - delivery.newest

    def troubles(self, slot: int) -> tuple[Trouble, ...]:
        """Return those of `TROUBLES` that a phone's samples have, as it is worn by now."""
        in_force = self._in_force(slot)
        return tuple(name for name in TROUBLES if name in in_force)

    def state(self, slots: NDArray[np.intp]) -> dict[str, Any]:
        """Return the state of these phones, in copied arrays."""
        return {
            "resampler": self._resampler.state(slots),
            "clocks": self._clocks.state(slots),
            "flags": self._flags.state(slots),
            "sequences": RecordingSequence.state(
                [self._sequences[slot] for slot in slots.tolist()]
            ),
            "n_samples": self.n_samples,
        }

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, Any]) -> None:
        """Restore what `state` returned; a phone's slot may be another than it was."""
        self._resampler.restore(slots, state["resampler"])
        self._clocks.restore(slots, state["clocks"])
        self._flags.restore(slots, state["flags"])
        sequences = RecordingSequence.restored(state["sequences"])
        self._sequences.update(zip(slots.tolist(), sequences, strict=True))
        self.n_samples = state["n_samples"]

    def _goes_on(self, slot: int, deliveries: Sequence[Delivery]) -> bool:
        """Return whether a phone's messages only continue the recording under way.

        Not if it dates its samples since its boot: that clock is read with each message.
        """
        sequence = self._sequences[slot]
        if sequence.clock != "epoch" or not sequence.is_undisturbed:
            return False
        recording = sequence.recording
        for delivery in deliveries:
            for of_sensor in delivery.readings:
                if of_sensor.recording != recording or of_sensor.clock != "epoch":
                    return False
        return True

    def _resample(self, slot: int, delivery: Delivery, dropped: Dropped) -> list[Piece]:
        """Return the grid rows that a phone's message completes; add to what is ``dropped``."""
        readings = self._used(slot, delivery, dropped)
        if not readings:
            return []
        pieces, lost = self._resampler.push(slot, readings)
        dropped += lost
        n_samples = sum([len(of_sensor.times) for of_sensor in readings])
        self.n_samples += n_samples - lost.repeated - lost.late
        sequence, earlier_s = self._sequences[slot], 0.0
        if sequence.clock == "boot":
            earlier_s = self._clocks.read(slot, delivery.newest, delivery.received)
        pieces = [self._dated(piece) for piece in joined_pieces(pieces)]
        if pieces and self._flags.begins_recording[slot]:
            self._flags.begins_recording[slot] = False
            pieces[0] = replace(pieces[0], begins_recording=True)
        if sequence.is_mixed:
            pieces = [replace(piece, troubles=piece.troubles | {"two-phones"}) for piece in pieces]
        if earlier_s and not any(piece.origin is not None for piece in pieces):
            pieces.append(Piece(slot, None, _NO_ROWS, earlier_s=earlier_s))
        return pieces

    def _used(self, slot: int, delivery: Delivery, dropped: Dropped) -> Sequence[Readings]:
        """Return the readings of a message that are used; a new recording may begin with them.

        Add the others to ``dropped``: those of an earlier recording or of another phone.
        """
        sequence, first = self._sequences[slot], delivery.readings[0]
        decision, known_until = sequence.decide(
            first.recording,
            first.clock,
            oldest=delivery.oldest,
            newest=delivery.newest,
            newest_before=self._resampler.newest(slot),
        )
        if decision == "goes on":
            return delivery.readings
        n_samples = sum(len(of_sensor.times) for of_sensor in delivery.readings)
        if decision == "repeated":
            dropped.repeated += n_samples
            return []
        if decision == "late":
            dropped.late += n_samples
            return []
        if decision == "mixed":
            dropped.unused += n_samples
            return []
        # Only the grid: its earlier rows of this tick have yet to pass filters and windows.
        self._resampler.reset([slot])
        self._clocks.reset([slot])
        self._flags.begins_recording[slot] = True
        new = [(of_sensor, of_sensor.times > known_until) for of_sensor in delivery.readings]
        dropped.repeated += n_samples - sum(int(is_new.sum()) for _, is_new in new)
        return [
            msgspec.structs.replace(
                of_sensor, times=of_sensor.times[is_new], values=of_sensor.values[is_new]
            )
            for of_sensor, is_new in new
            if is_new.any()
        ]

    def _dated(self, piece: Piece) -> Piece:
        """Return a piece whose grid begins in epoch seconds, whatever the phone's clock."""
        if piece.origin is None:
            return piece
        return replace(piece, origin=self._clocks.dated(piece.slot, piece.origin))

    def _note_troubles(self, slot: int) -> bool:
        """Note the troubles that a phone's samples have; return whether that is a change."""
        troubles = self._in_force(slot)
        now = [name in troubles for name in TROUBLES]
        has_changed: bool = now != self._flags.troubles[slot].tolist()
        self._flags.troubles[slot] = now
        return has_changed

    def _in_force(self, slot: int) -> frozenset[Trouble]:
        """Return the troubles that a phone's samples have."""
        troubles, sequence = self._resampler.troubles(slot), self._sequences.get(slot)
        if sequence is not None and sequence.is_mixed:
            return troubles | {"two-phones"}
        if sequence is not None and sequence.is_too_short:
            return troubles | {"short-recordings"}
        return troubles
