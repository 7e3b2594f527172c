"""The first of recognition's two machines: the phones' messages in, windows out.

`intake` makes grid rows of messages, `signal_chain` makes windows of rows. A phone's rows come in
pieces, from gap to gap. The tick's pieces are divided into rounds that have each phone at most
once, and the pieces of a round are processed together.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import BlockDelivery
from pipeline.readings import Delivery
from pipeline.recognition.network import Network
from pipeline.recognition.preparation.dropped import Dropped
from pipeline.recognition.preparation.filters import FilterStart
from pipeline.recognition.preparation.intake import Intake, Taken
from pipeline.recognition.preparation.pace import NEEDED_RATE_HZ, NeededRates
from pipeline.recognition.preparation.pieces import Piece
from pipeline.recognition.preparation.resampler import DEFAULT_LATENESS_S
from pipeline.recognition.preparation.signal_chain import SignalChain
from pipeline.recognition.prepared import Part


@dataclass(frozen=True)
class Prepared:
    """The windows and losses of a tick's messages."""

    parts: list[Part]
    """The windows, each phone's in their order"""
    dropped: dict[int, Dropped]
    """Samples of each slot of which no row was made"""
    failures: list[tuple[int, Exception]]
    """Slots whose samples could not be processed because of an error of ours; they began anew"""
    faults: list[Exception]
    """Other errors of ours, for which nothing is missing"""
    changed: list[int]
    """Slots whose troubles have changed"""


class Preparation:
    """The signals of all phones, up to their windows."""

    def __init__(
        self,
        n_slots: int,
        *,
        hop: int,
        filter_start: FilterStart = "steady",
        lateness_s: float = DEFAULT_LATENESS_S,
        gait: Network | None = None,
        frames_at_waist: bool = True,
        needed_at_waist_hz: float = NEEDED_RATE_HZ,
        needed_elsewhere_hz: float = NEEDED_RATE_HZ,
    ) -> None:
        """Make room for ``n_slots`` phones.

        With ``gait``, of which `Wearers` has more, the wearers' frames are learnt; without
        ``frames_at_waist`` only of phones that are not known to be worn at the waist. Those that
        are need sensors of ``needed_at_waist_hz``, the others of ``needed_elsewhere_hz``.

        Raises:
            ValueError: ``hop`` is not 1 to 128 samples.
        """
        self._chain = SignalChain(
            n_slots,
            hop=hop,
            filter_start=filter_start,
            gait=gait,
            frames_at_waist=frames_at_waist,
        )
        needed = NeededRates(needed_at_waist_hz, needed_elsewhere_hz, self._chain.is_at_waist)
        self.intake = Intake(n_slots, lateness_s=lateness_s, needed_rates=needed)
        """Also answers for the phones' sensors and clocks"""

    @property
    def counts(self) -> Counter[str]:
        """Since the start: ``samples`` taken and ``gaps``."""
        return Counter(samples=self.intake.n_samples, gaps=self._chain.n_gaps)

    def reset(self, slots: Sequence[int]) -> None:
        """Forget these phones."""
        self.intake.reset(slots)
        self._chain.reset(slots)

    def place(
        self, slot: int, sign: float, rotation: NDArray[np.float64], *, at_waist: bool = False
    ) -> bool:
        """Set how a phone is worn, as `Placement` has it; return whether its signals begin anew.

        They do if that is a change, with newer samples; those before stay repeated or late. For
        prepared samples it is none, so they go on.
        """
        is_prepared = self.intake.is_prepared(slot)
        has_changed = self._chain.place(
            slot, sign, rotation, at_waist=at_waist, is_prepared=is_prepared
        )
        if not has_changed or is_prepared:
            return False
        self.intake.end_grid(slot)
        return True

    def is_at_waist(self, slot: int) -> bool:
        """Return whether a phone is known to be worn at the waist.

        It was placed there, or sends prepared samples, which are of such phones.
        """
        return self._chain.is_at_waist(slot) or "prepared" in self.intake.rates_hz(slot)

    def knows_upright(self, slot: int) -> bool | None:
        """Return whether a wearer's upright is known, None if it is not learnt."""
        return self._chain.knows_upright(slot)

    def push(
        self,
        messages: Mapping[int, Sequence[Delivery]],
        blocks: Sequence[tuple[NDArray[np.intp], BlockDelivery]] = (),
    ) -> Prepared:
        """Return the windows and losses of a tick's messages, which `Intake.push` describes."""
        taken = self.intake.push(messages, blocks)
        failed = [slot for slot, _ in taken.failures]
        self._chain.begin_anew(failed)
        self._chain.forget_wearers(failed)
        return self._prepared(taken)

    def finish(self, slots: Sequence[int]) -> Prepared:
        """Return the last windows of these phones, which have fallen silent."""
        return self._prepared(self.intake.finish(slots))

    def state(self, slots: NDArray[np.intp]) -> dict[str, Any]:
        """Return the state of these phones, in copied arrays."""
        return {"intake": self.intake.state(slots), "chain": self._chain.state(slots)}

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, Any]) -> None:
        """Restore what `state` returned; a phone's slot may be another than it was."""
        self.intake.restore(slots, state["intake"])
        self._chain.restore(slots, state["chain"])

    def _prepared(self, taken: Taken) -> Prepared:
        first, *others = _rounds(taken.pieces) or [[]]
        parts = [self._chain.push(first, taken.rows)]
        parts += [self._chain.push(pieces, ()) for pieces in others]
        return Prepared(parts, taken.dropped, taken.failures, taken.faults, taken.changed)


def _rounds(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Divide pieces into rounds that have each phone at most once, in its order."""
    rounds: list[list[Piece]] = []
    dealt: Counter[int] = Counter()
    for piece in pieces:
        if dealt[piece.slot] == len(rounds):
            rounds.append([])
        rounds[dealt[piece.slot]].append(piece)
        dealt[piece.slot] += 1
    return rounds
