"""Grid rows to windows: the training frame, the filters, 128 samples each, the wearer's frame.

All phones whose rows are alike in number and in the filters' state are processed at once.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.network import Network
from pipeline.recognition.per_phone import PerPhone
from pipeline.recognition.preparation.continuing import Rows
from pipeline.recognition.preparation.filters import SETTLING_ROWS, FilterStart, Preprocessor
from pipeline.recognition.preparation.pieces import Piece
from pipeline.recognition.preparation.training_frame import TrainingFrame
from pipeline.recognition.preparation.troubles import DOUBTFUL
from pipeline.recognition.preparation.windows import Cut, Windower, WindowPlaces
from pipeline.recognition.prepared import Part, Windows, joined
from pipeline.recognition.wearer.frame import COLUMNS
from pipeline.recognition.wearer.wearers import LOOK_EVERY, Wearers
from pipeline.vocabulary import SAMPLING_RATE_HZ

N_RAW: Final = 6
"""Columns of raw rows; prepared ones have nine."""
_MOST_SAMPLES: Final = 2**40
"""More samples than any signal has without a gap, 700 years"""


class _Sections(PerPhone):
    """The sections without a gap that the phones' windows are cut from."""

    _per_phone = ("origin",)

    def __init__(self, n_slots: int) -> None:
        self.origin = np.zeros(n_slots)  # epoch seconds of the first sample


class SignalChain:
    """The filters and windows of all phones."""

    def __init__(
        self,
        n_slots: int,
        *,
        hop: int,
        filter_start: FilterStart,
        gait: Network | None,
        frames_at_waist: bool = True,
    ) -> None:
        """Make room for ``n_slots`` phones.

        With ``gait``, of which `Wearers` has more, the wearers' frames are learnt; without
        ``frames_at_waist`` only of phones that are not known to be worn at the waist.

        Raises:
            ValueError: ``hop`` is not 1 to 128 samples.
        """
        self._frame = TrainingFrame(n_slots)
        self._preprocessor = Preprocessor(n_slots, start=filter_start)
        self._windower = Windower(n_slots, hop=hop, other_hop=LOOK_EVERY if gait else None)
        self._hop = hop
        self._wearers = None if gait is None else Wearers(n_slots, gait)
        self._frames_at_waist = frames_at_waist
        self._sections = _Sections(n_slots)
        self.n_gaps = 0
        """Gaps within the signals, of all phones since the start"""

    def reset(self, slots: Sequence[int]) -> None:
        """Forget these phones."""
        self._frame.reset(slots)
        self.begin_anew(slots)
        self.forget_wearers(slots)

    def begin_anew(self, slots: Sequence[int]) -> None:
        """Forget the signals of these phones, but not how they are worn."""
        self._preprocessor.reset(slots)
        self._windower.reset(slots)

    def forget_wearers(self, slots: Sequence[int]) -> None:
        """Forget what is known of the wearers of these phones."""
        if self._wearers is not None:
            self._wearers.reset(slots)

    def knows_upright(self, slot: int) -> bool | None:
        """Return whether a wearer's upright is known, None if it is not learnt."""
        return None if self._wearers is None else self._wearers.knows_upright(slot)

    def place(
        self,
        slot: int,
        sign: float,
        rotation: NDArray[np.float64],
        *,
        at_waist: bool,
        is_prepared: bool = False,
    ) -> bool:
        """Set how a phone is worn, as `Placement` has it; return whether that is a change.

        It is for raw samples; ``is_prepared`` says that the phone sends prepared ones now.
        """
        is_change = self._frame.place(slot, sign, rotation, at_waist=at_waist)
        if is_change and not (is_prepared and self._frames_at_waist):  # else learnt of prepared
            self.forget_wearers([slot])
        return is_change

    def is_at_waist(self, slot: int) -> bool:
        """Return whether a phone was placed at the waist."""
        return bool(self._frame.at_waist[slot])

    def push(self, pieces: Sequence[Piece], continued: Sequence[Rows]) -> Part:
        """Return the windows that rows complete: a piece of some phones, and rows of others."""
        interrupted = self._begin_sections(pieces)
        in_doubt = [piece.slot for piece in pieces if piece.troubles & DOUBTFUL]
        windows = [
            self._windows(slots, rows, in_doubt) for slots, rows in self._alike(pieces, continued)
        ]
        new_recordings = [piece.slot for piece in pieces if piece.begins_recording]
        return Part(interrupted, new_recordings, Windows.joined(windows))

    def state(self, slots: NDArray[np.intp]) -> dict[str, Any]:
        """Return the state of these phones, in copied arrays."""
        state = {
            "frame": self._frame.state(slots),
            "preprocessor": self._preprocessor.state(slots),
            "windower": self._windower.state(slots),
            "stretches": self._sections.state(slots),
            "n_gaps": self.n_gaps,
        }
        if self._wearers is not None:
            state["wearers"] = self._wearers.state(slots)
        return state

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, Any]) -> None:
        """Restore what `state` returned; a phone's slot may be another than it was."""
        self._frame.restore(slots, state["frame"])
        self._preprocessor.restore(slots, state["preprocessor"])
        self._windower.restore(slots, state["windower"])
        self._sections.restore(slots, state["stretches"])
        self.n_gaps = state["n_gaps"]
        if self._wearers is not None:
            self._wearers.restore(slots, state["wearers"])

    def _begin_sections(self, pieces: Sequence[Piece]) -> list[int]:
        """Begin new sections behind gaps; return the slots that had a gap."""
        begun = [piece for piece in pieces if piece.origin is not None]
        dated_anew = [piece for piece in pieces if piece.earlier_s]
        slots = [piece.slot for piece in begun]
        interrupted = [slot for slot in slots if self._windower.count[slot]]
        self.n_gaps += len(interrupted)
        self.begin_anew(slots)
        self._sections.origin[slots] = [piece.origin for piece in begun]
        for piece in dated_anew:  # earlier decisions have other times than later ones
            self._sections.origin[piece.slot] -= piece.earlier_s
        return interrupted + [piece.slot for piece in dated_anew]

    def _alike(
        self, pieces: Sequence[Piece], continued: Sequence[Rows]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Yield groups for one array operation: slots, and rows of one shape and filter state."""
        groups: defaultdict[tuple[object, ...], list[Rows]] = defaultdict(list)
        for rows in continued:
            groups[*rows.rows.shape[1:], False].append(rows)
        for piece in pieces:
            if len(piece.rows) == 0:
                continue
            begins = piece.rows.shape[1] == N_RAW and not self._preprocessor.started[piece.slot]
            alone = Rows(np.array([piece.slot]), piece.rows[np.newaxis])
            groups[*piece.rows.shape, begins].append(alone)
        for group in groups.values():
            yield joined([rows.slots for rows in group]), joined([rows.rows for rows in group])

    def _windows(
        self, slots: NDArray[np.intp], rows: NDArray[np.float64], in_doubt: Sequence[int]
    ) -> Windows:
        """Return the windows that alike rows ``(n_phones, n_rows, n_columns)`` complete."""
        is_raw = rows.shape[2] == N_RAW
        samples = (
            self._preprocessor.push(slots, self._frame.rotated(slots, rows))
            if is_raw
            else rows.astype(np.float32)
        )
        at_waist = self._frame.at_waist[slots] if is_raw else np.ones(len(slots), np.bool_)
        cut, frames = self._cut(slots, samples, at_waist)
        of_windows = slots[cut.phones]
        return Windows(
            of_windows,
            self._sections.origin[of_windows] + cut.first_samples / SAMPLING_RATE_HZ,
            settling=is_raw & (cut.first_samples < SETTLING_ROWS),
            doubtful=_which(of_windows, in_doubt),
            at_waist=at_waist[cut.phones],
            samples=cut.windows,
            wearer_frames=frames,
        )

    def _cut(
        self,
        slots: NDArray[np.intp],
        samples: NDArray[np.float32],
        at_waist: NDArray[np.bool_],
    ) -> tuple[Cut, NDArray[np.float32]]:
        """Return the windows that samples ``(n_phones, n_samples, 9)`` complete.

        Also return the frames ``(n_windows, 10)`` of their wearers, as known at their last samples.
        """
        learnt_of = ~at_waist | self._frames_at_waist
        if self._wearers is None or not learnt_of.any():
            cut = self._windower.push(slots, samples)
            return cut, np.zeros((len(cut.phones), len(COLUMNS)), np.float32)
        n_samples = samples.shape[1]
        windows = self._windower.complete(slots, n_samples)
        wanted = self._windower.complete(slots, n_samples, hop=LOOK_EVERY)
        wanted = wanted.chosen(
            learnt_of[wanted.phones] & self._wearers.needs(slots[wanted.phones], _numbers(wanted))
        )
        if wanted.are(windows):
            cut, looks = self._windower.push_and_cut(slots, samples, [windows]) * 2
        else:
            cut, looks = self._windower.push_and_cut(slots, samples, [windows, wanted])
        known = self._wearers.frame[slots]
        if len(looks.phones) == 0:
            return cut, known[cut.phones]
        after = self._wearers.learn(slots[looks.phones], looks.windows, _numbers(looks))
        latest = _latest(looks, cut)
        frames = np.where((latest < 0)[:, np.newaxis], known[cut.phones], after[latest])
        return cut, frames


def _numbers(looks: WindowPlaces) -> NDArray[np.int64]:
    """Return the number ``(n,)`` of each look in its section, from 0 on."""
    return looks.first_samples // LOOK_EVERY


def _latest(looks: Cut, windows: Cut) -> NDArray[np.intp]:
    """Return for each window ``(n_windows,)`` the last look that ends with it or before.

    It is an index into ``looks``, -1 if there is none of its phone.
    """
    of_looks, of_windows = (
        cut.phones.astype(np.int64) * _MOST_SAMPLES + cut.first_samples for cut in (looks, windows)
    )
    in_order = np.argsort(of_looks)
    n_before = np.searchsorted(of_looks[in_order], of_windows, side="right")
    latest = in_order[np.maximum(n_before - 1, 0)]
    return np.where((n_before > 0) & (looks.phones[latest] == windows.phones), latest, -1)


def _which(slots: NDArray[np.intp], among: Sequence[int]) -> NDArray[np.bool_]:
    """Return which of ``slots`` ``(n,)`` are ``among`` some others; mostly none is."""
    return np.isin(slots, among) if among else np.zeros(len(slots), np.bool_)
