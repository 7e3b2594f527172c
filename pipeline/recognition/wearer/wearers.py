"""The frames of all wearers, learnt look by look.

A *look* is at a phone's last 128 samples, every 32 samples from each start of its signal, whatever
the hop of the windows. Rules:

* A gait counts from its second look on, so that a single shake teaches nothing.
* Neighbouring looks share three quarters of their samples. Once a wearer is well known every second
  look is passed over, and what the others show counts twice.
* Upright is the mean of gravity's direction in gait, in which earlier gait counts less and less. It
  is known from the sixth look on: with some ten steps.
* Forward is the mean of what `stride` shows, of looks whose gait is probably walking. It is known
  from the third of those on, if they agree.
* A phone that is put back turned about the vertical keeps its upright; it is found when the last
  seconds' walking agrees on a forward that is far from that of all. Then what was learnt of walking
  is forgotten, but for the last seconds.
* A phone that is taken out and put back otherwise is found by a turn that no body makes: in gait,
  when the last seconds' upright is far from that of all; at rest, when gravity comes from almost
  the opposite side. Then everything is forgotten, and what the last seconds showed is kept.
* Gaps, and other recordings, change nothing of what is known.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.network import Network
from pipeline.recognition.per_phone import PerPhone
from pipeline.recognition.rounds import rounds_of
from pipeline.recognition.wearer.frame import (
    COLUMNS,
    FORWARD,
    FORWARD_KNOWN,
    STRENGTH,
    UPRIGHT,
    UPRIGHT_KNOWN,
)
from pipeline.recognition.wearer.gait import Gaits, gaits_among
from pipeline.recognition.wearer.stride import Strides, strides_of, walking_probabilities
from pipeline.vocabulary import SAMPLING_RATE_HZ, WINDOW_LENGTH

LOOK_EVERY: Final = 32
"""Samples from one look to the next, 0.64 s"""
WELL_KNOWN_LOOKS: Final = 24
"""Looks at a gait with which a wearer is well known, 15 s"""
MEMORY_S: Final = 120.0
"""Seconds of gait after which earlier gait counts for little"""
RECENT_S: Final = 4.0
"""Seconds of gait, and of walking, that are the last ones"""
UPRIGHT_LOOKS: Final = 6
"""Looks at a gait with which upright is known"""
FORWARD_LOOKS: Final = 3
"""Looks at walking with which forward is known"""
LEAST_FORWARD: Final = 0.6
"""Least mean length of what the looks at walking show forward: if they do not agree, it is less"""
WALKING: Final = 0.6
"""Least probability with which a gait counts as walking"""
TURNED_DEG: Final = 45.0
"""Angle of the last seconds' upright to that of all, from which the phone is worn otherwise"""
TURNED_LOOKS: Final = 5
"""Looks at one gait that are needed to find that; when upright is reversed, two are enough"""
TURNED_ABOUT_DEG: Final = 50.0
"""Angle of the last seconds' forward to that of all, from which the phone is turned about the
vertical. Of people whose phone stayed as it was, in pockets, at the chest and at the waist, 99 of
100 looks at walking are within 38 degrees in every data set. A turn by 90 or 180 degrees is mostly
found after 6 to 10 looks; stairs or a ball game pass for one in 1 of 1,000 looks at most"""
RESTS_G: Final = 0.03
"""Standard deviation of acceleration's magnitude below which a phone rests, in g"""
REVERSED_DEG: Final = 140.0
"""Angle of gravity at rest to upright that no body makes: whoever lies down turns by 90 degrees,
and a thigh that sits by little more"""
REVERSED_LOOKS: Final = 4
"""Looks in a row at a phone at rest that are needed to find that"""

_MOST_COUNTED: Final = 2  # times that a look counts
_ELAPSED_S: Final = np.arange(_MOST_COUNTED + 1) * LOOK_EVERY / SAMPLING_RATE_HZ
_KEPT: Final = np.exp(-_ELAPSED_S / MEMORY_S)
_KEPT_RECENT: Final = np.exp(-_ELAPSED_S / RECENT_S)
"""Share of the sums that is kept, by how often a look counts"""
_TURNED: Final = np.cos(np.radians(TURNED_DEG))
_TURNED_ABOUT: Final = np.cos(np.radians(TURNED_ABOUT_DEG))
_REVERSED: Final = np.cos(np.radians(REVERSED_DEG))
_SHORTEST: Final = 1e-9
_ACC: Final = slice(6, 9)  # total acceleration, of the channels
_NO_GAIT: Final = -1

_UP: Final = slice(0, 3)
_AHEAD: Final = slice(3, 6)
_LOG_STRENGTH: Final = slice(6, 8)
_ONES: Final = 8
_OF_WALKING: Final = slice(3, 9)
_N_SUMS: Final = 9
"""Columns of the sums"""


class Wearers(PerPhone):
    """What is known of each phone's wearer."""

    _per_phone = ("sums", "recent", "n_gait", "in_row", "reversed", "frame")

    def __init__(self, n_slots: int, gait: Network) -> None:
        """Begin without any knowledge of ``n_slots`` wearers.

        ``gait`` gives log probabilities of a gait that is none of walking, and of walking.
        """
        self._gait = gait
        # Sums over looks, older ones counting less: gravity's direction; of walking alone forward,
        # the logarithms of its strength, and ones.
        self.sums = np.zeros((n_slots, _N_SUMS))
        self.recent = np.zeros((n_slots, _N_SUMS))  # the same over the last seconds
        self.n_gait = np.zeros(n_slots, np.int32)  # looks at gaits that were learnt from
        self.in_row = np.zeros(n_slots, np.int32)  # looks at the present gait
        self.reversed = np.zeros(n_slots, np.int32)  # looks at rest in a row with gravity reversed
        self.frame = np.zeros((n_slots, len(COLUMNS)), np.float32)
        """``(n_slots, 10)``: each wearer's frame as known now, in `COLUMNS`"""

    def reset(self, slots: Sequence[int]) -> None:
        """Forget these wearers."""
        for name in self._per_phone:
            getattr(self, name)[slots] = 0

    def knows_upright(self, slot: int) -> bool:
        """Return whether a wearer's upright is known."""
        return bool(self.frame[slot, UPRIGHT_KNOWN])

    def needs(self, slots: NDArray[np.intp], numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which looks ``(n,)`` `learn` needs; it may as well have the others.

        What is not needed is surely passed over: a phone's second look in a tick may be, but that
        depends on the first. ``slots`` and ``numbers`` ``(n,)`` are as there.
        """
        passed_over: NDArray[np.bool_] = self._counts(slots, numbers) == 0
        if passed_over.any():
            each = np.arange(len(slots))
            first = np.empty_like(self.n_gait)  # by slot; where no look is, it is not read
            first[slots[::-1]] = each[::-1]
            passed_over &= first[slots] == each
        return np.logical_not(passed_over)

    def learn(
        self, slots: NDArray[np.intp], looks: NDArray[np.float32], numbers: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the frames ``(n, 10)`` as known after each look.

        Args:
            slots: ``(n,)``, the looks' phones, each phone's looks in their order.
            looks: ``(n, 128, 9)`` in g and rad/s.
            numbers: ``(n,)``, which of a signal without a gap each is, counted from 0.
        """
        deviations, gaits = _gaits(looks)
        of_look = np.full(len(looks), _NO_GAIT)
        of_look[gaits.places] = np.arange(len(gaits.places))
        shown = self._shown(looks, gaits)
        sparse = looks[:, ::8, _ACC]  # at rest, 16 samples are enough

        frames = np.empty((len(looks), len(COLUMNS)), np.float32)
        rounds = rounds_of(slots)
        order = np.arange(len(looks)) if rounds.order is None else rounds.order
        for _, places in rounds:
            of_round = order[places]
            counts = self._counts(slots[of_round], numbers[of_round])
            taken = of_round[counts > 0]
            phones, counts = slots[taken], counts[counts > 0]  # each phone once
            in_gait = of_look[taken] != _NO_GAIT
            before = np.where(numbers[taken] == 0, 0, self.in_row[phones])
            self.in_row[phones] = np.where(in_gait, before + counts, 0)
            learns = in_gait & (before > 0)
            if learns.any():
                shown_now = shown[of_look[taken[learns]]]
                self._learn_from_gait(phones[learns], shown_now, counts[learns])
            rests = ~learns & (deviations[taken] < RESTS_G)
            self._note_rest(phones, rests, sparse[taken], counts)
            frames[of_round] = self.frame[slots[of_round]]
        return frames

    def _counts(self, slots: NDArray[np.intp], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how often the next look at each of these phones counts ``(n,)``, 0 to 2 times."""
        is_well_known = self.n_gait[slots] >= WELL_KNOWN_LOOKS
        return np.where(is_well_known, np.where(numbers % 2 == 0, _MOST_COUNTED, 0), 1)

    def _shown(self, looks: NDArray[np.float32], gaits: Gaits) -> NDArray[np.float64]:
        """Return what each of the gaits adds to the sums, ``(n_gaits, 9)``.

        Where the gait is not walking, it is gravity's direction alone.
        """
        shown = np.zeros((len(gaits.places), _N_SUMS))
        if len(shown):
            strides = _strides(looks, gaits)
            walks = walking_probabilities(self._gait, strides) > WALKING
            shown[:, _UP] = strides.upright
            shown[walks, _AHEAD] = strides.forward[walks]
            shown[walks, _LOG_STRENGTH] = strides.log_strength[walks]
            shown[walks, _ONES] = 1
        return shown

    def _learn_from_gait(
        self, phones: NDArray[np.intp], shown: NDArray[np.float64], counts: NDArray[np.int64]
    ) -> None:
        """Learn from a look at the gait of each of these phones, which shows ``(n, 9)``.

        ``counts`` ``(n,)`` says how often each counts.
        """
        sums, recent = self.sums[phones], self.recent[phones]
        n_gait, in_row = self.n_gait[phones], self.in_row[phones]
        cosines = _cosines(recent[:, _UP], sums[:, _UP])
        turned = (n_gait >= UPRIGHT_LOOKS) & (
            (cosines < 0) | ((cosines < _TURNED) & (in_row >= TURNED_LOOKS))
        )
        recent[turned, _OF_WALKING] = 0
        sums[turned] = recent[turned]
        n_gait[turned] = in_row[turned]

        shown = shown * counts[:, np.newaxis]
        n_gait += counts
        _add(shown, sums, _KEPT[counts, np.newaxis])
        _add(shown, recent, _KEPT_RECENT[counts, np.newaxis])
        turned_about = _is_turned_about(recent, sums)
        sums[turned_about, _OF_WALKING] = recent[turned_about, _OF_WALKING]
        self.sums[phones], self.recent[phones], self.n_gait[phones] = sums, recent, n_gait
        self.frame[phones] = _frames(sums, n_gait)

    def _note_rest(
        self,
        phones: NDArray[np.intp],
        rests: NDArray[np.bool_],
        acc: NDArray[np.float32],
        counts: NDArray[np.int64],
    ) -> None:
        """Forget the wearers of phones that rest in a way that no body can have put them.

        ``rests`` ``(n,)`` says which of the phones ``(n,)`` rest, ``acc`` ``(n, 16, 3)`` is what
        they sense; a look at each counts ``counts`` ``(n,)`` times.
        """
        before = self.reversed[phones]
        rests &= self.n_gait[phones] >= UPRIGHT_LOOKS  # of others there is nothing to forget
        if not rests.any():
            self.reversed[phones] = 0
            return
        gravity = acc[rests].mean(axis=1, dtype=np.float64)
        is_reversed = _cosines(gravity, self.sums[phones[rests], _UP]) < _REVERSED
        after = np.zeros_like(before)
        after[rests] = np.where(is_reversed, before[rests] + counts[rests], 0)
        self.reversed[phones] = after
        if (after >= REVERSED_LOOKS).any():
            self.reset(phones[after >= REVERSED_LOOKS].tolist())


def gait_features(looks: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return which of looks ``(n, 128, 9)`` are of gaits, and the features of their kind."""
    _, gaits = _gaits(looks)
    return gaits.places, _strides(looks, gaits).features


def _gaits(looks: NDArray[np.float32]) -> tuple[NDArray[np.float32], Gaits]:
    """Return how much acceleration's magnitude deviates, in g, ``(n,)``, and the gaits."""
    magnitudes = _magnitudes(looks[:, :, _ACC])
    deviations = np.sqrt(np.einsum("nt,nt->n", magnitudes, magnitudes) / WINDOW_LENGTH)
    return deviations, gaits_among(magnitudes, deviations)


def _strides(looks: NDArray[np.float32], gaits: Gaits) -> Strides:
    in_gait = looks if len(gaits.places) == len(looks) else np.take(looks, gaits.places, axis=0)
    return strides_of(in_gait, gaits)


def _magnitudes(acc: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the magnitudes of accelerations ``(n, 128, 3)``, less their means, ``(n, 128)``."""
    magnitudes = np.sqrt(acc[:, :, 0] ** 2 + acc[:, :, 1] ** 2 + acc[:, :, 2] ** 2)
    result: NDArray[np.float32] = magnitudes - magnitudes.mean(axis=1, keepdims=True)
    return result


def _add(shown: NDArray[np.float64], sums: NDArray[np.float64], kept: NDArray[np.float64]) -> None:
    """Add what looks show to sums, both ``(n, 9)``, of which the shares ``(n, 1)`` are kept.

    Without walking, what is of walking is kept whole.
    """
    sums[:, _UP] *= kept
    sums[:, _OF_WALKING] *= np.where(shown[:, [_ONES]] > 0, kept, 1.0)
    sums += shown


def _is_turned_about(recent: NDArray[np.float64], sums: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return ``(n,)``, whether recent sums agree on another forward than all, both ``(n, 9)``."""
    ahead = recent[:, _AHEAD]
    is_clear = _length(ahead)[:, 0] > LEAST_FORWARD * np.maximum(recent[:, _ONES], 1)
    result: NDArray[np.bool_] = is_clear & (_cosines(ahead, sums[:, _AHEAD]) < _TURNED_ABOUT)
    return result


def _frames(sums: NDArray[np.float64], n_gait: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the frames ``(n, 10)`` that follow from sums ``(n, 9)`` over looks."""
    frames = np.zeros((len(sums), len(COLUMNS)), np.float32)
    known = n_gait >= UPRIGHT_LOOKS
    upright = sums[:, _UP] / _length(sums[:, _UP])
    frames[known, UPRIGHT] = upright[known]
    frames[known, UPRIGHT_KNOWN] = 1
    # The sum of ones forgets a little, too.
    enough = sums[:, _ONES] > FORWARD_LOOKS - 0.5
    ahead = sums[:, _AHEAD]
    ahead = ahead - (ahead * upright).sum(axis=1, keepdims=True) * upright
    length = _length(ahead)
    clear = length[:, 0] > LEAST_FORWARD * sums[:, _ONES]
    ahead_known = known & enough & clear
    ahead /= length
    frames[ahead_known, FORWARD] = ahead[ahead_known]
    frames[ahead_known, FORWARD_KNOWN] = 1
    ones = np.maximum(sums[:, [_ONES]], 1)
    frames[ahead_known, STRENGTH] = (sums[:, _LOG_STRENGTH] / ones)[ahead_known]
    return frames


def _cosines(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosines ``(n,)`` of the angles between vectors ``(n, 3)``."""
    cosines: NDArray[np.float64] = (a * b).sum(axis=1) / (_length(a) * _length(b))[:, 0]
    return cosines


def _length(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lengths ``(n, 1)`` of vectors ``(n, 3)``, never zero."""
    length: NDArray[np.float64] = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    return np.maximum(length, _SHORTEST)
