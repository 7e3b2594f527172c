"""A hidden Markov model over the states: forward in time, and looking back.

Rules:

* Forward, a phone's *belief*, the probabilities of the states given all its windows so far, is
  carried from window to window by the transition probabilities, and multiplied by each window's
  likelihoods. A section begins with the stationary distribution.
* Back, the beliefs of earlier windows are corrected by the likelihoods of later ones.
* The bits of a phone's results do not depend on how many phones there are.

How likely a window is in each state is decided in `evidence` and `tilt`.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.states import CHANGE_NAMES, States
from pipeline.recognition.judgement.tilt import WearersTilts
from pipeline.recognition.per_phone import PerPhone
from pipeline.recognition.rounds import Rounds

KNOWN_FOR_S: Final = 300.0
"""Mean seconds of known activity between two periods of unknown"""
UNKNOWN_FOR_S: Final = 10.0
"""Mean seconds that a period of unknown lasts"""

_STEPS_TO_STATIONARY: Final = 1 << 20  # windows, after which the first state is of no importance
_SMALLEST: Final = 1e-30  # probability


class HiddenMarkov(PerPhone):
    """The beliefs of all phones."""

    _per_phone = ("belief",)

    def __init__(
        self, n_slots: int, states: States, learnt: Learnt, tilts: WearersTilts, *, hop_s: float
    ) -> None:
        """Begin without beliefs.

        Args:
            n_slots: phones at once.
            states: the states.
            learnt: the learnt numbers.
            tilts: of the same phones; they are learnt from the beliefs in sitting and standing.
            hop_s: seconds between the starts of neighbouring windows.
        """
        self._postures = states.postures
        self._tilts = tilts
        self._transition = transition_probabilities(states, learnt, hop_s)
        self._stationary = np.linalg.matrix_power(self._transition, _STEPS_TO_STATIONARY)[0]
        self.belief = np.zeros((n_slots, len(states)))

    def reset(self, slots: Sequence[int]) -> None:
        """Forget the beliefs of these phones."""
        self.belief[slots] = 0.0

    def begin(self, slots: NDArray[np.intp]) -> None:
        """Begin a section of these phones."""
        self.belief[slots] = self._stationary

    def forward(
        self, rounds: Rounds, log_likelihoods: NDArray[np.float64], tilts: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return beliefs after windows, and the windows' likelihoods, both ``(n, n_states)``.

        ``log_likelihoods`` ``(n, n_states)``, to which those by the tilts ``(n,)`` are added in
        place, and all else is in the order of ``rounds``.
        """
        beliefs, likelihoods = np.empty_like(log_likelihoods), np.empty_like(log_likelihoods)
        postures, phones = self._postures, rounds.slots
        belief = self.belief[phones]
        boundaries = self._tilts.boundaries(phones)
        for n_phones, windows in rounds:
            of_round, of_phones = log_likelihoods[windows], boundaries.first(n_phones)
            if postures is not None:
                of_round[:, postures] += self._tilts.log_likelihoods(of_phones, tilts[windows])
            likelihood = np.exp(of_round - of_round.max(axis=1, keepdims=True))
            expected = _product(belief[:n_phones], self._transition)
            after = np.maximum(expected * likelihood, _SMALLEST)
            after /= after.sum(axis=1, keepdims=True)
            if postures is not None:
                self._tilts.learn(of_phones, tilts[windows], after[:, postures])
            belief[:n_phones] = beliefs[windows] = after
            likelihoods[windows] = likelihood
        self.belief[phones] = belief
        self._tilts.keep(phones, boundaries)
        return beliefs, likelihoods

    def backward(
        self, beliefs: NDArray[np.floating[Any]], likelihoods: NDArray[np.floating[Any]]
    ) -> NDArray[np.float64]:
        """Return beliefs given later windows too, ``(n_corrected, n_phones, n_states)``.

        Along the states they do not add up to 1.

        Args:
            beliefs: ``(n_corrected, n_phones, n_states)``, as `forward` gave them.
            likelihoods: ``(n_windows, n_phones, n_states)``, of these windows and the later ones.
        """
        later = np.ones(likelihoods.shape[1:])  # likelihood of all later windows
        corrected = np.empty(beliefs.shape)
        for i in range(len(likelihoods) - 1, -1, -1):
            if i < len(beliefs):
                corrected[i] = beliefs[i] * later
            if i > 0:
                later = _product(likelihoods[i] * later, self._transition.T)
                later = np.maximum(later / later.max(axis=1, keepdims=True), _SMALLEST)
        return corrected


def transition_probabilities(states: States, learnt: Learnt, hop_s: float) -> NDArray[np.float64]:
    """Return the probabilities ``(n_states, n_states)`` of the next window's state by this one's.

    An activity of which nothing was learnt lasts as long as the average one and is as likely to
    follow as any.
    """
    known, names = [*learnt.activities, *CHANGE_NAMES], states.names
    n_known = len(learnt.activities)
    rates = learnt.rates.copy()
    rates[:n_known] *= learnt.weights.haste
    rates[n_known:] *= learnt.weights.change_haste
    leaving = rates.sum(axis=1)
    average = leaving[:n_known].mean()
    n = len(names)
    change = np.zeros((n, n))
    for i, name in enumerate(names[:-1]):
        change[i, :-1] = 1 / n
        if name in known:
            row = known.index(name)
            for j, other in enumerate(names[:-1]):
                if other in known:
                    change[i, j] = rates[row, known.index(other)] / leaving[row]
        change[i, i] = 0.0
        change[i] *= (leaving[known.index(name)] if name in known else average) / change[i].sum()
        change[i, -1] = 1 / KNOWN_FOR_S
    change[-1, :-1] = 1 / (n - 1) / UNKNOWN_FOR_S
    generator = change - np.diag(change.sum(axis=1))
    fine = 1 << 12  # exp(x) = (1 + x / fine) ** fine
    return np.linalg.matrix_power(np.eye(n) + generator * hop_s / fine, fine)


def _product(rows: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``rows @ matrix``, with bits that do not depend on how many rows there are."""
    product: NDArray[np.float64] = (rows[:, None] @ matrix)[:, 0]
    return product
