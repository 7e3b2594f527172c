"""The timeline: the episodes of each phone, decided a few seconds late.

Rules:

* A window stands for a span about as long as the hop, from its `begins` to the next one's. It is
  *pending* until enough later windows are there to correct its label: the oldest pending windows
  are *decided*, some at once, so that an episode is final at most `TIMELINE_DELAY_S` after its end.
* Decided windows of one label make up an *open* episode. The first window of another label finishes
  it; so does a gap, at the end of the last window, after what is pending was decided.
* How the windows are divided among calls does not matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.hidden_markov import HiddenMarkov
from pipeline.recognition.judgement.states import States
from pipeline.recognition.judgement.weights import Weights
from pipeline.recognition.per_phone import PerPhone
from pipeline.recognition.results import Episode
from pipeline.recognition.rounds import Rounds

TIMELINE_DELAY_S: Final = 5.0
"""An episode is final at most so long after its end."""

SHIFT_S: Final = 0.2
"""How long before the end of a window the span that it stands for begins, beside half a hop"""

_FILTER_DELAY_S: Final = 0.04  # of `filters`: a window ends so long before it is complete
_DECIDED_S: Final = 0.64  # about so much is decided at once
_NO_LABEL: Final = -1  # no episode is open


@dataclass(eq=False, slots=True)
class _Open:
    """An episode that goes on."""

    label: int
    """`_NO_LABEL` for none"""
    start: float
    """Epoch seconds"""
    probability: float
    """Summed over windows"""
    windows: int


@dataclass(frozen=True, eq=False)
class _Pending:
    """Windows of some phones that are not decided, in their order."""

    begins: NDArray[np.float64]
    """``(n_phones, n)``: epoch seconds at which the span of each window begins"""
    beliefs: NDArray[np.float32]
    """``(n_phones, n, n_states)``: probabilities given all windows up to it"""
    likelihoods: NDArray[np.float32]
    """``(n_phones, n, n_states)``"""

    @classmethod
    def empty(cls, n_phones: int, n: int, n_states: int) -> Self:
        """Return room for ``n`` windows a phone."""
        shape = (n_phones, n, n_states)
        return cls(np.zeros(shape[:2]), np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """All three."""
        return self.begins, self.beliefs, self.likelihoods


class Timeline(PerPhone):
    """The pending windows and the open episodes of all phones."""

    _per_phone = (
        *("count", "end", "pending_begins", "pending_beliefs", "pending_evidence"),
        *("open_label", "open_start", "open_probability", "open_windows"),
    )

    def __init__(
        self, n_slots: int, states: States, markov: HiddenMarkov, weights: Weights, *, hop_s: float
    ) -> None:
        """Begin without windows.

        Args:
            n_slots: phones at once.
            states: the states.
            markov: corrects beliefs by later windows.
            weights: those of the timeline.
            hop_s: seconds between the starts of neighbouring windows.
        """
        self._states, self._markov = states, markov
        self._transition_factor = weights.timeline_transition
        self._n_decided, n_later = _schedule(hop_s)
        self._n_pending = self._n_decided + n_later  # with so many, the oldest are decided at once
        self._n_kept = self._n_pending - 1
        self.count = np.zeros(n_slots, np.int64)  # of pending windows
        self.end = np.zeros(n_slots)  # of the last window
        self._pending = _Pending.empty(n_slots, self._n_kept, len(states))
        self.pending_begins, self.pending_beliefs, self.pending_evidence = self._pending.arrays
        self.open_label = np.full(n_slots, _NO_LABEL, np.int64)
        self.open_start = np.zeros(n_slots)
        self.open_probability = np.zeros(n_slots)  # summed over windows
        self.open_windows = np.zeros(n_slots, np.int64)

    def reset(self, slots: Sequence[int]) -> None:
        """Forget the windows and the open episodes of these phones."""
        self.count[slots] = 0
        self.open_label[slots] = _NO_LABEL

    def push(
        self,
        rounds: Rounds,
        begins: NDArray[np.float64],
        ends: NDArray[np.float64],
        beliefs: NDArray[np.float64],
        likelihoods: NDArray[np.float64],
    ) -> list[Episode]:
        """Take windows, in the order of ``rounds``; return the episodes that they finish.

        Args:
            rounds: of which phones the windows are.
            begins: ``(n,)`` epoch seconds at which the spans of the windows begin.
            ends: ``(n,)`` epoch seconds of the windows' last samples.
            beliefs: ``(n, n_states)``, probabilities given all windows up to each.
            likelihoods: ``(n, n_states)``.
        """
        phones, of_window = rounds.slots, rounds.phones
        self.end[phones[of_window]] = ends
        n_phones, n_pending = len(phones), self._n_pending
        before = self.count[phones]
        count = before + np.bincount(of_window, minlength=n_phones)
        # Behind what is pending of each phone come its windows: round r has the one at before + r.
        round_of = np.repeat(np.arange(len(rounds.ends)), np.diff(rounds.ends, prepend=0))
        place = before[of_window] + round_of
        width = max(int(count.max()), n_pending)
        pending = _Pending.empty(n_phones, width, len(self._states))
        for together, kept, new in zip(
            pending.arrays, self._pending.arrays, (begins, beliefs, likelihoods), strict=True
        ):
            together[:, : self._n_kept] = kept[phones]
            together[of_window, place] = new

        times = np.maximum((count - n_pending) // self._n_decided + 1, 0)  # that some are decided
        first = times * self._n_decided
        kept_places = np.minimum(first[:, None] + np.arange(self._n_kept), width - 1)
        rows = np.arange(n_phones)[:, None]
        for together, kept in zip(pending.arrays, self._pending.arrays, strict=True):
            kept[phones] = together[rows, kept_places]
        self.count[phones] = count - first
        due = np.repeat(np.arange(n_phones), times)
        if len(due) == 0:
            return []
        nth = np.arange(len(due)) - np.repeat(np.cumsum(times) - times, times)
        return self._decide(
            phones, pending, due, nth * self._n_decided, n_pending=n_pending, n=self._n_decided
        )

    def close(self, slots: Sequence[int]) -> list[Episode]:
        """Decide all windows of these phones; return their last episodes."""
        episodes: list[Episode] = []
        for slot in map(int, slots):
            phone, count = np.array([slot]), int(self.count[slot])
            if count:
                pending = _Pending(*(array[phone] for array in self._pending.arrays))
                row = np.array([0])
                episodes += self._decide(phone, pending, row, row, n_pending=count, n=count)
            if self.open_label[slot] != _NO_LABEL:
                [opened] = self._opened(phone)
                episodes.append(self._episode(slot, opened, float(self.end[slot])))
        self.reset(slots)
        return episodes

    def _decide(
        self,
        phones: NDArray[np.intp],
        pending: _Pending,
        rows: NDArray[np.intp],
        firsts: NDArray[np.intp],
        *,
        n_pending: int,
        n: int,
    ) -> list[Episode]:
        """Decide the oldest ``n`` of ``n_pending`` windows; return the episodes that they finish.

        ``pending`` has a row for each of ``phones``. This is done several times, each phone's in
        their order: with the windows in the row ``rows``, from ``firsts`` on.
        """
        windows = firsts + np.arange(n_pending)[:, None]  # (n_pending, n_times)
        corrected = self._markov.backward(
            pending.beliefs[rows, windows[:n]], pending.likelihoods[rows, windows]
        )
        of_labels = self._states.label_probabilities(corrected)  # (n, n_times, n_labels)
        of_labels /= of_labels.sum(axis=2, keepdims=True)
        self._states.scale_transition(of_labels, self._transition_factor)
        labels = of_labels.argmax(axis=2).T
        probabilities = of_labels.max(axis=2).T
        begins = pending.begins[rows[:, None], firsts[:, None] + np.arange(n)]
        return self._extend(phones[rows], labels, probabilities, begins)

    def _extend(
        self,
        slots: NDArray[np.intp],
        labels: NDArray[np.intp],
        probabilities: NDArray[np.float64],
        begins: NDArray[np.float64],
    ) -> list[Episode]:
        """Add decided windows to the open episodes; return the episodes that they finish.

        ``slots`` is ``(n,)``, each phone's in their order, the other arrays ``(n, n_windows)``.
        """
        if (np.diff(np.sort(slots)) > 0).all():  # each phone once: most episodes just go on
            same = (labels == self.open_label[slots, None]).all(axis=1)
            going_on = slots[same]
            for probability in probabilities[same].T:
                self.open_probability[going_on] += probability
            self.open_windows[going_on] += labels.shape[1]
            other = ~same
            slots, labels = slots[other], labels[other]
            probabilities, begins = probabilities[other], begins[other]
        phones = np.unique(slots)
        opened = dict(zip(phones.tolist(), self._opened(phones), strict=True))
        episodes: list[Episode] = []
        for slot, *of_phone in zip(
            slots.tolist(), labels.tolist(), probabilities.tolist(), begins.tolist(), strict=True
        ):
            episode = opened[slot]
            for label, probability, begin in zip(*of_phone, strict=True):
                if label != episode.label:
                    if episode.label != _NO_LABEL:
                        episodes.append(self._episode(slot, episode, begin))
                    episode = opened[slot] = _Open(label, begin, 0.0, 0)
                episode.probability += probability
                episode.windows += 1
        self.open_label[phones] = [episode.label for episode in opened.values()]
        self.open_start[phones] = [episode.start for episode in opened.values()]
        self.open_probability[phones] = [episode.probability for episode in opened.values()]
        self.open_windows[phones] = [episode.windows for episode in opened.values()]
        return episodes

    def _opened(self, phones: NDArray[np.intp]) -> list[_Open]:
        """Return the open episodes of phones ``(n,)``."""
        return [
            _Open(*of_phone)
            for of_phone in zip(
                self.open_label[phones].tolist(),
                self.open_start[phones].tolist(),
                self.open_probability[phones].tolist(),
                self.open_windows[phones].tolist(),
                strict=True,
            )
        ]

    def _episode(self, slot: int, opened: _Open, end: float) -> Episode:
        """Return an open episode, finished."""
        return Episode(
            slot,
            self._states.labels[opened.label],
            opened.start,
            end,
            opened.probability / opened.windows,
        )


def _schedule(hop_s: float) -> tuple[int, int]:
    """Return how many windows are decided at once, and how many later ones they await.

    The last of those decided begins so long before the newest window's end as an episode may stay
    open after its own end.
    """
    n_decided = max(1, int(_DECIDED_S / hop_s))
    patience_s = TIMELINE_DELAY_S - _FILTER_DELAY_S - SHIFT_S - hop_s / 2
    return n_decided, max(0, int(patience_s / hop_s + 1e-9) - n_decided + 1)
