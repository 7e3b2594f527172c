"""Probabilities over time to the activity now, and to a timeline of episodes.

A hidden Markov model over the activities, the changes of posture towards one of them, and
`unknown`. Its evidence is what the classifier says of a window, how the window's newest samples
move, how the phone is tilted between its wearer's sitting and standing, and the window's novelty.
Forward in time it gives the activity now; looking back over a few seconds, the timeline. Where the
windows come from and what is done with the decisions is decided elsewhere; the numbers are learnt
by `trainer.decisions.learning`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.novelty import Network, Summary, novelty, summarize
from pipeline.recognition.rounds import Turns, deal
from pipeline.recognition.slots import PerPhone
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ, WINDOW_LENGTH, Orientation

TRANSITION: Final = "transition"
UNKNOWN: Final = "unknown"

CHANGES_TOWARDS: Final = ("SITTING", "STANDING", "LAYING")
"""The activities that a change of posture leads to; each such change is a hidden state."""

MOTIONS: Final = ("still", "moving", *(f"towards {activity}" for activity in CHANGES_TOWARDS))
"""What the newest samples of a window can be doing."""

STILL: Final = frozenset({"SITTING", "STANDING", "LAYING"})
MOVING: Final = frozenset({"WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS"})

TIMELINE_DELAY_S: Final = 5.0
"""An episode is final at most so long after its end."""

_FILTER_DELAY_S: Final = 0.04  # of `preprocessing`: a window ends so long before it is complete
_REVISION_S: Final = 0.64  # the timeline is carried on about so often
_REFERENCE_HOP: Final = 16  # samples; the weights below are those of windows so far apart
_NOTHING: Final = -1  # was shown yet

_FOR_EVER: Final = 1 << 20  # windows, after which the first state does not matter any more

_SENSORS: Final = (slice(0, 3), slice(3, 6), slice(6, 9))
"""Body acceleration, angular velocity and total acceleration among the channels."""

_NEWER: Final = np.array([0.5, 0.25, 0.25])
"""Shares of the spans after the first in the newer half of a window."""

_ANY_ACTIVITY: Final = np.log(1 / len(ACTIVITIES))
"""What the classifier says of a change of posture, as a log probability"""

_CERTAIN: Final = 30.0
"""Log odds of what is not open to doubt"""

_POWER_FLOOR: Final = 1e-7  # g² or rad²/s²
_LOG_FLOOR: Final = 1e-6
_SMALLEST: Final = 1e-30


class Learnt(msgspec.Struct, frozen=True, eq=False):
    """What `trainer.decisions.learning` learns from labelled raw recordings."""

    motion: Network
    """Log probabilities of `MOTIONS` from `motion_features`"""
    motion_shares: NDArray[np.float64]
    """``(n_motions,)``: how often each occurred in the recordings"""
    tilt: NDArray[np.float64]
    """``(n_features,)``: weights of `tilt_features`; the sum, a person's tilt, is higher sitting"""
    boundary: float
    """Mean over people of the tilt halfway between their sitting and their standing"""
    boundary_sd: float
    """Its standard deviation over people"""
    half_gap: float
    """Half the difference between sitting and standing"""
    tilt_sd: float
    """Standard deviation of a window's tilt about that, within people"""
    rates: NDArray[np.float64]
    """``(n, n)`` changes a second, from row to column, among `ACTIVITIES` and then
    `CHANGES_TOWARDS`; zeros on the diagonal"""
    novelty: Network
    """What `novelty` takes"""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return what `encode` wrote.

        Raises:
            msgspec.DecodeError: it is not that.
        """
        return msgspec.json.decode(data, type=cls, dec_hook=lambda _, value: np.array(value, float))

    def encode(self) -> bytes:
        """Return it as JSON."""
        return msgspec.json.encode(self, enc_hook=_as_list)


@cache
def shipped(orientation: Orientation = "training") -> Learnt:
    """Return the numbers that come with the package, for phones worn so."""
    return Learnt.decode((files("pipeline") / "models" / decisions_file(orientation)).read_bytes())


def decisions_file(orientation: Orientation) -> str:
    """Return the name of the file with these numbers."""
    return "decisions.json" if orientation == "training" else f"decisions-{orientation}.json"


@dataclass(frozen=True)
class Tuning:
    """How much each evidence counts, and when a change is believed.

    The defaults did best, at hops of 16 and 64 together, on the HAPT training subjects, each of
    whom was decided with models and numbers learnt from others.
    """

    model: float = 0.9
    """Weight of the classifier's log probabilities, a window at the reference hop of 16 samples"""
    motion: float = 0.15
    """Weight of the log likelihoods of motions, likewise"""
    tilt: float = 0.4
    """Weight of the log likelihoods of sitting and standing by the tilt, likewise"""
    novelty: float = 0.6
    """Weight of the novelty score, likewise"""
    heaviest: float = 3.0
    """Most by which these weights grow at longer hops; windows that share nothing count fully"""
    model_error: float = 0.01
    """Share of a uniform distribution mixed into the classifier's probabilities"""
    posture_doubt: float = 0.5
    """Factor on the classifier's log odds of sitting against standing, which are often wrong for
    all of a person's windows alike"""
    change_doubt: float = 0.3
    """Share of what the classifier says that is disregarded where a change of posture is certain"""
    doubt: float = 0.3
    """A window of which the classifier gives no activity more is as strange as can be; and what it
    is taken to give `unknown`"""
    normal: float = 2.0
    """Most that a window's novelty score speaks against `unknown`"""
    strange: float = 4.0
    """Most that it speaks for it"""
    clearest_tilt: float = 2.0
    """Most that the tilt says, as log odds of sitting against standing"""
    tilt_memory_s: float = 10.0
    """Seconds of one posture that count as one observation of its tilt"""
    confirm: float = 0.7
    """Probability from which another state is shown as the activity now"""
    shift_s: float = 0.2
    """How long before the end of a window that which it shows begins, beside half a hop"""
    unknown_after_s: float = 300.0
    """Mean seconds of known activity between two stretches of unknown"""
    unknown_for_s: float = 10.0
    """Mean seconds that the unknown lasts"""


@dataclass(frozen=True)
class Change:
    """A phone's activity now is another than before."""

    slot: int
    activity: str
    """An activity of the model, `TRANSITION` or `UNKNOWN`"""
    since: float
    """Epoch seconds at which it began, as far as is known now"""
    probability: float
    """0 to 1"""


@dataclass(frozen=True)
class Episode:
    """A finished stretch of one activity; it does not change any more."""

    slot: int
    activity: str
    """An activity of the model, `TRANSITION` or `UNKNOWN`"""
    start: float
    """Epoch seconds; the end of the episode before, unless there was a gap"""
    end: float
    """Epoch seconds"""
    probability: float
    """Mean over the episode, 0 to 1"""


@dataclass(frozen=True)
class Decided:
    """What some windows led to, each list ordered in time for each phone."""

    changes: list[Change]
    episodes: list[Episode]


@dataclass(frozen=True, eq=False)
class Seen:
    """What windows show, each by itself."""

    evidence: NDArray[np.float64]
    """``(n, n_states)``: the states' log likelihoods, all but what the tilt says"""
    tilts: NDArray[np.float64]
    """``(n,)``: as `Learnt.tilt` measures them"""

    def between(self, first: int, end: int) -> "Seen":
        """Return what some of the windows show that follow one another."""
        return Seen(self.evidence[first:end], self.tilts[first:end])


@dataclass(frozen=True, eq=False)
class _Persons:
    """What is known of the tilts of some phones' wearers."""

    boundary: NDArray[np.float64]
    """``(n,)``: between sitting and standing"""
    variance: NDArray[np.float64]
    """``(n,)``: of the boundary"""

    def first(self, n: int) -> "_Persons":
        """Return the first of them, whose changes are changes here."""
        return _Persons(self.boundary[:n], self.variance[:n])


@dataclass(eq=False, slots=True)
class _Open:
    """An episode that goes on."""

    label: int
    """`_NOTHING` for none"""
    start: float
    """Epoch seconds"""
    probability: float
    """Summed over windows"""
    windows: int


@dataclass(frozen=True, eq=False)
class _Pending:
    """Windows of some phones that are not yet in the timeline, in their order."""

    begins: NDArray[np.float64]
    """``(n_phones, n)``: what each window stands for begins then, in epoch seconds"""
    beliefs: NDArray[np.float32]
    """``(n_phones, n, n_states)``: probabilities given all windows up to it"""
    evidence: NDArray[np.float32]
    """``(n_phones, n, n_states)``: likelihoods"""

    @classmethod
    def empty(cls, n_phones: int, n: int, n_states: int) -> Self:
        """Return room for ``n`` windows a phone."""
        shape = (n_phones, n, n_states)
        return cls(np.zeros(shape[:2]), np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """All three."""
        return self.begins, self.beliefs, self.evidence


class Decider(PerPhone):
    """The activities of all phones, now and over time.

    What is decided for a phone depends on its windows alone, not on how they were dealt out to
    calls, nor on the other phones.
    """

    _per_phone = (
        "belief",
        "boundary",
        "boundary_variance",
        "now",
        "count",
        "end",
        "pending_begins",
        "pending_beliefs",
        "pending_evidence",
        "open_label",
        "open_start",
        "open_probability",
        "open_windows",
    )

    def __init__(
        self,
        n_slots: int,
        activities: Sequence[str],
        *,
        hop: int,
        learnt: Learnt | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        """Make room for ``n_slots`` phones.

        Args:
            n_slots: phones at once.
            activities: names of the model's probabilities; what is learnt of those of `ACTIVITIES`
                is used, others are taken for average ones.
            hop: samples between the starts of neighbouring windows.
            learnt: the learnt numbers, by default those that come with the package.
            tuning: the settings.

        Raises:
            ValueError: ``hop`` is not 1 to 128 samples.
        """
        if not 1 <= hop <= WINDOW_LENGTH:
            raise ValueError(f"hop must be 1 to {WINDOW_LENGTH} samples, not {hop}")
        self._learnt = shipped() if learnt is None else learnt
        self._tuning = Tuning() if tuning is None else tuning
        self._hop_s = hop / SAMPLING_RATE_HZ
        self._weight = min(hop / _REFERENCE_HOP, self._tuning.heaviest)
        self._labels = (*activities, TRANSITION, UNKNOWN)
        self._n_activities = len(activities)
        self._sitting_standing = _places(activities, ("SITTING", "STANDING"))
        self._motion_of = np.array([_motion(activity) for activity in activities])
        # The states: activities, changes of posture by where they lead, unknown.
        self._stay = _stay(activities, self._learnt.rates, self._tuning, self._hop_s)
        n_states = len(self._stay)
        self._usual = np.linalg.matrix_power(self._stay, _FOR_EVER)[0]

        self._revised, self._lag = _schedule(self._hop_s, self._tuning.shift_s)
        n_pending = self._revised + self._lag
        self.belief = np.zeros((n_slots, n_states))  # probabilities given all windows so far
        self.boundary = np.full(n_slots, self._learnt.boundary)  # between sitting and standing
        self.boundary_variance = np.full(n_slots, self._learnt.boundary_sd**2)
        self.now = np.full(n_slots, _NOTHING, np.int64)
        self.count = np.zeros(n_slots, np.int64)  # pending windows: those not yet in the timeline
        self.end = np.zeros(n_slots)  # of the last window
        self._pending = _Pending.empty(n_slots, n_pending, n_states)
        self.pending_begins, self.pending_beliefs, self.pending_evidence = self._pending.arrays
        self.open_label = np.full(n_slots, _NOTHING, np.int64)  # the episode that goes on
        self.open_start = np.zeros(n_slots)
        self.open_probability = np.zeros(n_slots)  # summed over windows
        self.open_windows = np.zeros(n_slots, np.int64)

    def reset(self, slots: Sequence[int]) -> None:
        """Forget all about these phones."""
        self._break(slots)
        self.boundary[slots] = self._learnt.boundary
        self.boundary_variance[slots] = self._learnt.boundary_sd**2

    def push(
        self,
        slots: NDArray[np.intp],
        starts: NDArray[np.float64],
        windows: NDArray[np.float32],
        probabilities: NDArray[np.floating[Any]],
        *,
        settling: NDArray[np.bool_],
        implausible: NDArray[np.bool_],
    ) -> Decided:
        """Return what these windows change, and the episodes that they finish.

        Args:
            slots: ``(n,)``, their phones, each phone's windows in their order.
            starts: ``(n,)`` epoch seconds of the windows' first samples.
            windows: ``(n, 128, 9)`` in g and rad/s, as the model got them.
            probabilities: ``(n, n_activities)``, what it said of them.
            settling: ``(n,)``, where the filters have not settled: such a window says nothing.
            implausible: ``(n,)``, where a sanity check of the phone fails: it is unknown.
        """
        said = ~settling
        seen = self.look(windows[said], probabilities[said])
        return self.decide(slots[said], starts[said], seen, implausible[said])

    def look(self, windows: NDArray[np.float32], probabilities: NDArray[np.floating[Any]]) -> Seen:
        """Return what windows show, each by itself; the arguments are as for `push`."""
        summary = summarize(windows)
        tilts = np.zeros(len(windows))
        if self._sitting_standing is not None:
            tilts = (tilt_features(summary) * self._learnt.tilt).sum(axis=1)
        return Seen(self._evidence(summary, probabilities), tilts)

    def decide(
        self,
        slots: NDArray[np.intp],
        starts: NDArray[np.float64],
        seen: Seen,
        implausible: NDArray[np.bool_],
    ) -> Decided:
        """Do what `push` does with settled windows that have been looked at."""
        if len(slots) == 0:
            return Decided([], [])
        turns = deal(slots)
        starts = turns.ordered(starts)
        ends = starts + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
        begins = ends - self._hop_s / 2 - self._tuning.shift_s  # what each window stands for
        first = np.flatnonzero(self.now[turns.slots] == _NOTHING)  # of a stretch, in turn 0
        begins[first] = starts[first]
        self.belief[turns.slots[first]] = self._usual
        self.end[turns.slots[turns.phones]] = ends
        evidence = turns.ordered(seen.evidence).copy()
        doubted = turns.ordered(implausible)
        evidence[doubted, -1] = 0.0
        evidence[doubted, :-1] = -_CERTAIN
        beliefs, likelihoods = self._believe(turns, evidence, turns.ordered(seen.tilts))
        changes = self._show(turns, begins, beliefs)
        return Decided(changes, self._carry_on(turns, begins, beliefs, likelihoods))

    def interrupt(self, slots: Sequence[int]) -> list[Episode]:
        """Return the last episodes of phones whose windows end here: a gap, or silence.

        The windows that follow begin a new stretch; what is known of the wearer's tilt is kept.
        """
        episodes: list[Episode] = []
        for slot in map(int, slots):
            one, count = np.array([slot]), int(self.count[slot])
            if count:
                pending = _Pending(*(array[one] for array in self._pending.arrays))
                row = np.array([0])
                episodes += self._finish(one, pending, row, row, count, count)
            if self.open_label[slot] != _NOTHING:
                [opened] = self._opened(one)
                episodes.append(self._episode(slot, opened, float(self.end[slot])))
        self._break(slots)
        return episodes

    def _break(self, slots: Sequence[int]) -> None:
        """Let these phones begin a new stretch."""
        self.now[slots] = _NOTHING
        self.count[slots] = 0
        self.open_label[slots] = _NOTHING
        self.belief[slots] = 0.0

    def _believe(
        self, turns: Turns, evidence: NDArray[np.float64], tilts: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return beliefs and likelihoods of the states, both ``(n, n_states)``, turn by turn."""
        beliefs, likelihoods = np.empty_like(evidence), np.empty_like(evidence)
        pair, phones = self._sitting_standing, turns.slots
        belief = self.belief[phones]
        person = _Persons(self.boundary[phones], self.boundary_variance[phones])
        for n_phones, turn in turns:
            of_turn = evidence[turn]
            if pair is not None:
                of_turn[:, pair] += self._judge_tilt(person.first(n_phones), tilts[turn])
            likelihood = np.exp(of_turn - of_turn.max(axis=1, keepdims=True))
            expected = _product(belief[:n_phones], self._stay)
            after = np.maximum(expected * likelihood, _SMALLEST)
            after /= after.sum(axis=1, keepdims=True)
            if pair is not None:
                self._learn_tilt(person.first(n_phones), tilts[turn], after[:, pair])
            belief[:n_phones] = beliefs[turn] = after
            likelihoods[turn] = likelihood
        self.belief[phones] = belief
        self.boundary[phones], self.boundary_variance[phones] = person.boundary, person.variance
        return beliefs, likelihoods

    def _evidence(
        self,
        summary: Summary,
        probabilities: NDArray[np.floating[Any]],
    ) -> NDArray[np.float64]:
        """Return the states' log likelihoods, ``(n, n_states)``, all but what the tilt says."""
        tuning, n = self._tuning, self._n_activities
        motion = np.exp(self._learnt.motion.log_probabilities(motion_features(summary)))
        said = np.clip(probabilities.astype(np.float64), 0, 1)  # a user's model may say anything
        model = np.log((1 - tuning.model_error) * said + tuning.model_error / n)
        if self._sitting_standing is not None:
            _doubt(model, self._sitting_standing, tuning.posture_doubt)
        # The classifier was taught activities only: of a change of posture it knows nothing.
        changing = motion[:, 2:].sum(axis=1, keepdims=True)
        model += tuning.change_doubt * changing * (_ANY_ACTIVITY - model)
        motion = _with_either(motion + _LOG_FLOOR) / _with_either(self._learnt.motion_shares)
        motion = np.log(motion)  # (n, n_motions + 1)
        strange = np.clip(novelty(self._learnt.novelty, summary), -tuning.normal, tuning.strange)
        strange[probabilities.max(axis=1) <= tuning.doubt] = tuning.strange

        evidence = np.empty((len(model), len(self._stay)))
        evidence[:, :n] = tuning.model * model + tuning.motion * motion[:, self._motion_of]
        evidence[:, n:-1] = tuning.model * _ANY_ACTIVITY + tuning.motion * motion[:, 2:-1]
        evidence[:, -1] = tuning.model * np.log(tuning.doubt) + tuning.novelty * strange
        evidence *= self._weight
        return evidence

    def _judge_tilt(self, person: _Persons, tilts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how well each tilt fits the person's sitting and standing, ``(n, 2)``.

        Logarithms of the odds against a posture of which nothing is known.
        """
        learnt, tuning = self._learnt, self._tuning
        variance = person.variance + learnt.tilt_sd**2
        # The difference of two normal log densities, half a gap above and below the boundary.
        odds = 2 * learnt.half_gap * (tilts - person.boundary) / variance
        odds = np.clip(odds, -tuning.clearest_tilt, tuning.clearest_tilt)
        sitting, standing = -np.logaddexp(0, -odds), -np.logaddexp(0, odds)
        fits: NDArray[np.float64] = np.stack([sitting, standing], axis=1) + np.log(2)
        return tuning.tilt * self._weight * fits

    def _learn_tilt(
        self, person: _Persons, tilts: NDArray[np.float64], beliefs: NDArray[np.float64]
    ) -> None:
        """Move each person's boundary towards what the tilts say.

        A Kalman filter for either posture, mixed by the beliefs ``(n, 2)`` in sitting and standing
        into one normal distribution again: where the posture is doubtful, little is learnt.
        """
        learnt = self._learnt
        before, variance = person.boundary, person.variance
        noise = learnt.tilt_sd**2 * self._tuning.tilt_memory_s / self._hop_s
        gain = variance / (variance + noise)
        moves = [gain * (tilts - side * learnt.half_gap - before) for side in (1, -1)]
        mean = beliefs[:, 0] * moves[0] + beliefs[:, 1] * moves[1]
        square = beliefs[:, 0] * moves[0] ** 2 + beliefs[:, 1] * moves[1] ** 2
        variance = variance * (1 - gain * beliefs.sum(axis=1)) + square - mean**2
        person.boundary[:] = before + mean
        person.variance[:] = np.minimum(variance, learnt.boundary_sd**2)

    def _shown(self, states: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Return the probabilities of the labels from those of the states, along the last axis."""
        n = self._n_activities
        transition = states[..., n:-1].sum(axis=-1, keepdims=True)
        return np.concatenate([states[..., :n], transition, states[..., -1:]], axis=-1)

    def _show(
        self, turns: Turns, begins: NDArray[np.float64], beliefs: NDArray[np.float64]
    ) -> list[Change]:
        """Return the changes of the activity now."""
        shown = self._shown(beliefs)
        best = shown.argmax(axis=1)
        probability = np.take_along_axis(shown, best[:, None], axis=1)[:, 0]
        now = self.now[turns.slots]
        changes: list[Change] = []
        for n_phones, turn in turns:
            before = now[:n_phones]
            sure = (before == _NOTHING) | (probability[turn] >= self._tuning.confirm)
            changed = np.flatnonzero((best[turn] != before) & sure)
            before[changed] = best[turn][changed]
            changes += [
                Change(slot, self._labels[label], since, p)
                for slot, label, since, p in zip(
                    turns.slots[changed].tolist(),
                    best[turn][changed].tolist(),
                    begins[turn][changed].tolist(),
                    probability[turn][changed].tolist(),
                    strict=True,
                )
            ]
        self.now[turns.slots] = now
        return changes

    def _carry_on(
        self,
        turns: Turns,
        begins: NDArray[np.float64],
        beliefs: NDArray[np.float64],
        likelihoods: NDArray[np.float64],
    ) -> list[Episode]:
        """Keep the windows pending, and carry the timeline on where enough of them are."""
        phones, of_window = turns.slots, turns.phones
        n_phones, n_pending = len(phones), self._revised + self._lag
        before = self.count[phones]
        count = before + np.bincount(of_window, minlength=n_phones)
        # Behind what is pending of each phone come its windows: turn t has the one at count + t.
        turn = np.repeat(np.arange(len(turns.ends)), np.diff(turns.ends, prepend=0))
        place = before[of_window] + turn
        width = max(int(count.max()), n_pending)
        pending = _Pending.empty(n_phones, width, len(self._stay))
        for all_of_it, kept, new in zip(
            pending.arrays, self._pending.arrays, (begins, beliefs, likelihoods), strict=True
        ):
            all_of_it[:, :n_pending] = kept[phones]
            all_of_it[of_window, place] = new

        times = np.maximum((count - n_pending) // self._revised + 1, 0)  # it is carried on
        first = times * self._revised
        kept_places = np.minimum(first[:, None] + np.arange(n_pending), width - 1)
        rows = np.arange(n_phones)[:, None]
        for all_of_it, kept in zip(pending.arrays, self._pending.arrays, strict=True):
            kept[phones] = all_of_it[rows, kept_places]
        self.count[phones] = count - first
        due = np.repeat(np.arange(n_phones), times)
        if len(due) == 0:
            return []
        nth = np.arange(len(due)) - np.repeat(np.cumsum(times) - times, times)
        return self._finish(phones, pending, due, nth * self._revised, n_pending, self._revised)

    def _finish(
        self,
        phones: NDArray[np.intp],
        pending: _Pending,
        rows: NDArray[np.intp],
        firsts: NDArray[np.intp],
        count: int,
        finished: int,
    ) -> list[Episode]:
        """Add windows to the timeline, and return the episodes that end with that.

        ``pending`` has a row for each of ``phones``. It is done ``(n,)`` times, each phone's in
        their order: for ``count`` windows in the row that ``rows`` says, the first where ``firsts``
        says, of which the oldest ``finished`` are added.
        """
        later = np.ones((len(rows), len(self._stay)))  # likelihood of all later windows
        smoothed = np.empty((finished, *later.shape))
        for i in range(count - 1, -1, -1):
            if i < finished:
                smoothed[i] = pending.beliefs[rows, firsts + i] * later
            if i > 0:
                later = _product(pending.evidence[rows, firsts + i] * later, self._stay.T)
                later = np.maximum(later / later.max(axis=1, keepdims=True), _SMALLEST)
        shown = self._shown(smoothed)  # (finished, n, n_labels)
        labels = shown.argmax(axis=2).T
        probabilities = (shown.max(axis=2) / shown.sum(axis=2)).T
        begins = pending.begins[rows[:, None], firsts[:, None] + np.arange(finished)]
        return self._tell(phones[rows], labels, probabilities, begins)

    def _tell(
        self,
        slots: NDArray[np.intp],
        labels: NDArray[np.intp],
        probabilities: NDArray[np.float64],
        begins: NDArray[np.float64],
    ) -> list[Episode]:
        """Add labelled windows to the phones' episodes, and return those that end with that.

        ``slots`` is ``(n,)``, each phone's in their order, the other arrays ``(n, n_windows)``.
        """
        if (np.diff(np.sort(slots)) > 0).all():  # of each phone once: most episodes just go on
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
            one = opened[slot]
            for label, probability, begin in zip(*of_phone, strict=True):
                if label != one.label:
                    if one.label != _NOTHING:
                        episodes.append(self._episode(slot, one, begin))
                    one = opened[slot] = _Open(label, begin, 0.0, 0)
                one.probability += probability
                one.windows += 1
        self.open_label[phones] = [one.label for one in opened.values()]
        self.open_start[phones] = [one.start for one in opened.values()]
        self.open_probability[phones] = [one.probability for one in opened.values()]
        self.open_windows[phones] = [one.windows for one in opened.values()]
        return episodes

    def _opened(self, phones: NDArray[np.intp]) -> list[_Open]:
        """Return the episodes that go on."""
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
            self._labels[opened.label],
            opened.start,
            end,
            opened.probability / opened.windows,
        )


def motion_features(summary: Summary) -> NDArray[np.float64]:
    """Return what the motion of windows' newest samples is judged by, ``(n, 59)``."""
    body_acc, gyro, total_acc = (summary.mean[:, :, channels] for channels in _SENSORS)
    tilts = total_acc[:, -1:] - total_acc[:, :-1]  # (n, 3, 3)
    of_body_acc, of_gyro, _ = _SENSORS
    powers = [
        summary.power[:, :, of_body_acc],
        summary.power[:, :, of_gyro],
        summary.roughness[:, :, of_body_acc],
        body_acc**2,
        gyro**2,
        tilts**2,
    ]
    n = len(body_acc)
    return np.concatenate(
        [
            np.log(np.concatenate(powers, axis=1).sum(axis=2) + _POWER_FLOOR),  # (n, 23)
            body_acc.reshape(n, 12),
            gyro.reshape(n, 12),
            tilts.reshape(n, 9),
            total_acc[:, -1],
        ],
        axis=1,
    )


def tilt_features(summary: Summary) -> NDArray[np.float64]:
    """Return what sitting and standing are told apart by, ``(n, 15)``: gravity, and the sway."""
    mean, power, roughness = (
        (spans[:, 1:] * _NEWER[:, None]).sum(axis=1)  # (n, 9)
        for spans in (summary.mean, summary.power, summary.roughness)
    )
    gravity = mean[:, 6:]
    length = np.maximum(np.linalg.norm(gravity, axis=1, keepdims=True), _LOG_FLOOR)
    return np.concatenate(
        [
            gravity / length,
            np.log(power[:, :6] + _POWER_FLOOR),
            np.log(roughness[:, :6] + _POWER_FLOOR),
        ],
        axis=1,
    )


def _as_list(array: object) -> list[Any]:
    """Return an array as JSON has it, with five digits."""
    if not isinstance(array, np.ndarray):
        raise NotImplementedError
    rounded: list[Any] = np.vectorize(lambda value: float(f"{value:.5g}"))(array).tolist()
    return rounded


def _motion(activity: str) -> int:
    """Return the index of the motion that goes with an activity; the last for either."""
    if activity in STILL:
        return MOTIONS.index("still")
    return MOTIONS.index("moving") if activity in MOVING else len(MOTIONS)


def _with_either(motions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Append the probability of being still or moving to those of `MOTIONS`, on the last axis."""
    either = motions[..., :2].sum(axis=-1, keepdims=True)
    return np.concatenate([motions, either], axis=-1)


def _places(activities: Sequence[str], wanted: Sequence[str]) -> list[int] | None:
    """Return where these activities are, None unless all of them are there."""
    return [activities.index(name) for name in wanted] if set(wanted) <= set(activities) else None


def _doubt(model: NDArray[np.float64], pair: list[int], factor: float) -> None:
    """Multiply the log odds between two activities by a factor; both together stay as likely."""
    first, second = model[:, pair].T.copy()
    both = np.logaddexp(first, second)
    odds = factor * (first - second)
    model[:, pair[0]] = both - np.logaddexp(0, -odds)
    model[:, pair[1]] = both - np.logaddexp(0, odds)


def _schedule(hop_s: float, shift_s: float) -> tuple[int, int]:
    """Return how many windows are revised at once, and how many later ones they await.

    The last of those revised begins so long before the newest window's end as an episode may stay
    open after its own end.
    """
    revised = max(1, int(_REVISION_S / hop_s))
    patience_s = TIMELINE_DELAY_S - _FILTER_DELAY_S - shift_s - hop_s / 2
    return revised, max(0, int(patience_s / hop_s + 1e-9) - revised + 1)


def _stay(
    activities: Sequence[str], rates: NDArray[np.float64], tuning: Tuning, hop_s: float
) -> NDArray[np.float64]:
    """Return the probabilities ``(n_states, n_states)`` of the next window's state by this one's.

    An activity of which nothing was learnt lasts as long as the average one and is as likely to
    follow as any.
    """
    learnt = [*ACTIVITIES, *(f"towards {activity}" for activity in CHANGES_TOWARDS)]
    names = [*activities, *learnt[len(ACTIVITIES) :], UNKNOWN]
    leaving = rates.sum(axis=1)
    average = leaving[: len(ACTIVITIES)].mean()
    n = len(names)
    change = np.zeros((n, n))
    for i, name in enumerate(names[:-1]):
        change[i, :-1] = 1 / n
        if name in learnt:
            row = learnt.index(name)
            for j, other in enumerate(names[:-1]):
                if other in learnt:
                    change[i, j] = rates[row, learnt.index(other)] / leaving[row]
        change[i, i] = 0.0
        change[i] *= (leaving[learnt.index(name)] if name in learnt else average) / change[i].sum()
        change[i, -1] = 1 / tuning.unknown_after_s
    change[-1, :-1] = 1 / (n - 1) / tuning.unknown_for_s
    generator = change - np.diag(change.sum(axis=1))
    fine = 1 << 12  # exp(x) = (1 + x / fine) ** fine
    return np.linalg.matrix_power(np.eye(n) + generator * hop_s / fine, fine)


def _product(rows: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``rows @ matrix``, with bits that do not depend on how many rows there are."""
    product: NDArray[np.float64] = (rows[:, None] @ matrix)[:, 0]
    return product
