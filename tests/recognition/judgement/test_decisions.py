from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.models.classifier import Classifier, find_model
from pipeline.recognition.judgement.decisions import (
    CHANGES_TOWARDS,
    MOTIONS,
    TIMELINE_DELAY_S,
    TRANSITION,
    UNKNOWN,
    Change,
    Decided,
    Decider,
    Episode,
    Learnt,
    Tuning,
    motion_features,
    shipped,
    tilt_features,
)
from pipeline.recognition.judgement.novelty import Network, novelty_features, summarize
from pipeline.recognition.preparation.filters import SETTLING_ROWS, Preprocessor
from pipeline.recordings import hapt
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ, WINDOW_LENGTH

EPOCH: Final = 1.7e9
LETTERS: Final = dict(zip("wudstl", ACTIVITIES, strict=True)) | {"=": TRANSITION, "?": UNKNOWN}
N_STATES: Final = len(ACTIVITIES) + len(CHANGES_TOWARDS)
FILTER_DELAY_S: Final = 0.04
MOTION_SHARES: Final = np.array([0.47, 0.47, 0.02, 0.02, 0.02])


def still_windows(n: int) -> NDArray[np.float32]:
    """Return windows ``(n, 128, 9)`` of a phone at rest, its x up."""
    windows = np.zeros((n, WINDOW_LENGTH, 9), np.float32)
    windows[:, :, 6] = 1.0
    return windows


def constant_network(n_features: int, logits: NDArray[np.float64]) -> Network:
    """Return a network that says the same of everything."""
    return Network(
        np.zeros(n_features),
        np.ones(n_features),
        np.zeros((n_features + 1, 1)),
        np.vstack([np.zeros(len(logits)), logits]),
    )


def plain_learnt() -> Learnt:
    """Return numbers with which only the model, and gravity, count.

    Neither motion nor tilt says anything, activities last 20 s and changes of posture 2 s, and a
    window is strange if its gravity is less than 0.6 g.
    """
    summary = summarize(still_windows(1))
    gravity = novelty_features(summary)[0]
    (place,) = np.flatnonzero(gravity == np.log(1.01))  # the logarithm of its norm
    hidden = np.zeros((len(gravity) + 1, 1))
    hidden[[place, -1], 0] = 20, 10
    rates = np.full((N_STATES, N_STATES), 1 / (20 * N_STATES))
    rates[len(ACTIVITIES) :, : len(ACTIVITIES)] = 1 / (2 * len(ACTIVITIES))
    rates[:, len(ACTIVITIES) :] /= 10
    np.fill_diagonal(rates, 0)
    return Learnt(
        motion=constant_network(motion_features(summary).shape[1], np.log(MOTION_SHARES)),
        motion_shares=MOTION_SHARES,
        tilt=np.zeros(tilt_features(summary).shape[1]),
        boundary=0.0,
        boundary_sd=1.0,
        half_gap=1.0,
        tilt_sd=1.0,
        rates=rates,
        novelty=Network(
            np.zeros(len(gravity)), np.ones(len(gravity)), hidden, np.array([[6.0, 0], [0, 0]])
        ),
    )


LEARNT: Final = plain_learnt()


class Phone:
    """One phone of a decider, whose windows are drawn as letters."""

    def __init__(
        self,
        *,
        hop: int = 16,
        decider: Decider | None = None,
        slot: int = 0,
        tuning: Tuning | None = None,
    ) -> None:
        """Begin at a time of its own."""
        self.decider = decider or Decider(1, ACTIVITIES, hop=hop, learnt=LEARNT, tuning=tuning)
        self.slot = slot
        self.hop_s = hop / SAMPLING_RATE_HZ
        self.start = EPOCH + slot
        self.now = " "
        self.episodes: list[Episode] = []

    def push(self, drawing: str) -> str:
        """Return the activity now after each window that is drawn.

        A letter is a window of that activity, ``.`` one of which the model knows nothing, ``0`` one
        without gravity, ``!`` an implausible one, and ``~`` one while the filters settle.
        """
        return "".join(self.push_one(letter) for letter in drawing)

    def push_one(self, letter: str) -> str:
        """Return the activity now after a window."""
        decided = push_window(
            self.decider,
            *look(letter),
            self.start,
            settling=letter == "~",
            implausible=letter == "!",
            slot=self.slot,
        )
        self.start += self.hop_s
        self.take(decided)
        return self.now

    def take(self, decided: Decided) -> None:
        """Note what was decided."""
        for change in decided.changes:
            assert self.slot == change.slot
            self.now = letter_of(change.activity)
        self.episodes += decided.episodes

    def interrupt(self) -> str:
        """Return the timeline so far, a letter an episode, closed by a gap."""
        self.episodes += self.decider.interrupt([self.slot])
        return "".join(letter_of(episode.activity) for episode in self.episodes)


def look(letter: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the window ``(128, 9)`` and the probabilities ``(6,)`` that a letter stands for."""
    probabilities = np.full(len(ACTIVITIES), 0.02, np.float32)
    if letter in "wudstl":
        probabilities["wudstl".index(letter)] = 0.9
    else:
        probabilities[:] = 1 / len(ACTIVITIES)
    return still_windows(1)[0] * (letter != "0"), probabilities


def letter_of(activity: str) -> str:
    """Return the letter that stands for an activity."""
    return next(letter for letter, name in LETTERS.items() if name == activity)


# Now


def test_the_first_window_decides() -> None:
    """The activity now is known from the first window on."""
    assert "www" == Phone().push("www")


def test_a_change_is_shown_soon() -> None:
    """Windows of another activity, 0.32 s apart, make it the activity now within 1.6 s."""
    shown = Phone().push("wwwww" + "llllllll")
    assert "wwwwww" == shown[:6]
    assert "llll" == shown[-4:]


def test_a_stray_window_changes_nothing() -> None:
    """One window that disagrees with those around it is neither now nor in the timeline."""
    phone = Phone()
    assert "w" * 21 == phone.push("w" * 10 + "t" + "w" * 10)
    assert "w" == phone.interrupt()


def test_what_alternates_does_not_flicker() -> None:
    """Windows in turn of two activities do not show the second in turn with the first."""
    assert "u" not in Phone().push("wwww" + "uw" * 20)


@pytest.mark.parametrize("hop", [16, 64])
def test_an_episode_is_dated_back(hop: int) -> None:
    """A change is shown later than the episode begins: in the hop whose end first showed it."""
    phone = Phone(hop=hop)
    phone.push("w" * 10)
    first_end = phone.start + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
    changes: list[Change] = []
    while not changes:
        decided = push_window(phone.decider, *look("l"), phone.start)
        changes = decided.changes
        phone.take(decided)
        phone.start += phone.hop_s
    phone.push("l" * 10)
    phone.interrupt()

    assert ["LAYING"] == [change.activity for change in changes]
    assert Tuning().confirm <= changes[0].probability <= 1
    assert first_end - 1.2 * hop / 50 <= phone.episodes[1].start < first_end
    assert phone.episodes[1].start <= changes[0].since <= first_end + 1.6


def test_settling_windows_say_nothing() -> None:
    """While the filters settle nothing is decided, and no episode begins."""
    phone = Phone()
    assert "     ww" == phone.push("~~~~~ww")
    settled = phone.start - 2 * phone.hop_s
    phone.interrupt()
    assert [pytest.approx(settled, abs=1e-6)] == [episode.start for episode in phone.episodes]


# Unknown


def test_an_implausible_phone_is_unknown() -> None:
    """A failing sanity check makes the activity unknown, and its end makes it known again."""
    shown = Phone().push("www" + "!" * 10 + "w" * 20)
    assert "www???" == shown[:6]
    assert "w" == shown[-1]
    assert 2 == shown.replace("?w", "?|w").replace("w?", "w|?").count("|")


def test_strange_windows_are_unknown() -> None:
    """Windows that no body makes are unknown, however certain the model is, and not one alone."""
    assert "w" * 21 == Phone().push("w" * 10 + "0" + "w" * 10)
    assert "?" == Phone().push("w" * 10 + "0" * 15)[-1]
    assert "?" == Phone().push("0" * 10)[-1]


def test_a_model_that_knows_nothing_is_unknown() -> None:
    """Where no activity is probable for long, the activity is unknown."""
    shown = Phone().push("w" * 10 + "." * 60)
    assert "w" * 10 == shown[:10]
    assert "?" == shown[-1]


# The timeline


def test_episodes_of_a_drawing() -> None:
    """Each bout becomes an episode, with the mean of its probabilities."""
    phone = Phone()
    phone.push("w" * 20 + "s" * 30 + "l" * 25)
    assert "wsl" == phone.interrupt()
    assert all(0.9 < episode.probability <= 1 for episode in phone.episodes)


def test_later_windows_correct_the_timeline() -> None:
    """What was shown for a second but proved wrong is not in the timeline."""
    phone = Phone()
    shown = phone.push("w" * 20 + "lll" + "w" * 20)
    assert "l" in shown
    assert "w" == phone.interrupt()


DRAWINGS = st.text("wwwwttsslu.0!", min_size=1, max_size=60)
HOPS = st.sampled_from([1, 3, 16, 25, 64, 100, 127, 128])


@given(drawing=DRAWINGS, hop=HOPS, stretch=st.integers(1, 8), settling=st.integers(0, 4))
@settings(max_examples=60)
def test_episodes_tile_time(drawing: str, hop: int, stretch: int, settling: int) -> None:
    """From the first window's start to the last one's end there is just one episode at any time.

    Each is another than the one before, and final at most 5 s after its end.
    """
    phone = Phone(hop=hop)
    phone.push("~" * settling)
    first = phone.start
    for letter in "".join(letter * stretch for letter in drawing):
        n_before = len(phone.episodes)
        phone.push(letter)
        known_at = phone.start - phone.hop_s + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
        for episode in phone.episodes[n_before:]:
            assert known_at + FILTER_DELAY_S - episode.end <= TIMELINE_DELAY_S + 1e-6
    last = phone.start - phone.hop_s + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
    timeline = phone.interrupt()

    episodes = phone.episodes
    assert first == episodes[0].start
    assert last == episodes[-1].end
    assert [episode.end for episode in episodes[:-1]] == [e.start for e in episodes[1:]]
    assert all(episode.start < episode.end for episode in episodes)
    assert all(0 < episode.probability <= 1 for episode in episodes)
    assert all(a != b for a, b in pairwise(timeline))


@given(
    drawings=st.lists(st.text("wts.0!~|", max_size=50), min_size=1, max_size=5),
    hop=HOPS,
    data=st.data(),
)
@settings(max_examples=40)
def test_company_and_order_do_not_matter(
    drawings: list[str], hop: int, data: st.DataObject
) -> None:
    """Phones decided for alone or together, in any order and any dealing, get the same decisions.

    ``|`` is a gap.
    """
    alone = []
    for slot, drawing in enumerate(drawings):
        decider = Decider(len(drawings), ACTIVITIES, hop=hop, learnt=LEARNT)
        alone.append(play(decider, {slot: drawing}, hop, lambda slots: [slots]))

    def deal(slots: list[int]) -> list[list[int]]:
        order = data.draw(st.permutations(slots))
        split = data.draw(st.integers(0, len(order)))
        return [order[:split], order[split:]]

    decider = Decider(len(drawings), ACTIVITIES, hop=hop, learnt=LEARNT)
    together = play(decider, dict(enumerate(drawings)), hop, deal)
    for slot, (changes, episodes) in enumerate(alone):
        assert changes == [change for change in together[0] if change.slot == slot]
        assert episodes == [episode for episode in together[1] if episode.slot == slot]


@given(
    drawings=st.lists(st.text("wts.0!~", min_size=1, max_size=40), min_size=1, max_size=4),
    hop=HOPS,
    seed=st.integers(0, 1000),
)
@settings(max_examples=40)
def test_many_windows_of_a_phone_at_once(drawings: list[str], hop: int, seed: int) -> None:
    """Decisions are the same if all of the phones' windows come in one call, in any mixture."""
    one_by_one, at_once = (Decider(len(drawings), ACTIVITIES, hop=hop) for _ in range(2))
    changes, episodes = play(one_by_one, dict(enumerate(drawings)), hop, lambda slots: [slots])
    rng = np.random.default_rng(seed)
    slots = rng.permutation([slot for slot, drawing in enumerate(drawings) for _ in drawing])
    steps = np.array([np.count_nonzero(slots[:i] == slot) for i, slot in enumerate(slots)])
    letters = [drawings[slot][step] for slot, step in zip(slots, steps, strict=True)]
    looks = [look(letter) for letter in letters]
    decided = at_once.push(
        slots,
        EPOCH + slots.astype(float) + steps * hop / SAMPLING_RATE_HZ,
        np.array([window for window, _ in looks]),
        np.array([said for _, said in looks]),
        settling=np.array([letter == "~" for letter in letters]),
        implausible=np.array([letter == "!" for letter in letters]),
    )
    last = at_once.interrupt(range(len(drawings)))
    for slot in range(len(drawings)):
        assert [one for one in changes if one.slot == slot] == [
            one for one in decided.changes if one.slot == slot
        ]
        assert [one for one in episodes if one.slot == slot] == [
            one for one in [*decided.episodes, *last] if one.slot == slot
        ]


def test_bits_do_not_depend_on_company() -> None:
    """With the shipped numbers too, a phone's beliefs are the same to the last bit in company."""
    rng = np.random.default_rng(0)
    n = 37
    alone, together = (Decider(n, ACTIVITIES, hop=16, learnt=shipped()) for _ in range(2))
    for step in range(30):
        windows = rng.normal(0, 0.05, (n, WINDOW_LENGTH, 9)).astype(np.float32) + still_windows(n)
        said = rng.dirichlet(np.ones(6), n)
        start = 0.32 * step
        for slot in range(n):
            push_window(alone, windows[slot], said[slot], start, slot=slot)
        no = np.zeros(n, bool)
        starts = np.full(n, start)
        together.push(np.arange(n), starts, windows, said, settling=no, implausible=no)
    assert alone.belief.tobytes() == together.belief.tobytes()
    assert alone.boundary.tobytes() == together.boundary.tobytes()
    assert alone.open_probability.tobytes() == together.open_probability.tobytes()


def play(
    decider: Decider,
    drawings: dict[int, str],
    hop: int,
    deal: Callable[[list[int]], list[list[int]]],
) -> tuple[list[Change], list[Episode]]:
    """Return what a decider says of several drawings, in each step dealt out to calls."""
    changes: list[Change] = []
    episodes: list[Episode] = []
    for step in range(max(map(len, drawings.values()))):
        gaps = [slot for slot, drawn in drawings.items() if drawn[step : step + 1] == "|"]
        episodes += decider.interrupt(gaps)
        live = [slot for slot, drawn in drawings.items() if drawn[step : step + 1] not in ("", "|")]
        for slots in deal(live):
            letters = [drawings[slot][step] for slot in slots]
            looks = [look(letter) for letter in letters]
            decided = decider.push(
                np.array(slots, np.intp),
                EPOCH + np.array(slots, float) + step * hop / SAMPLING_RATE_HZ,
                np.array([window for window, _ in looks]).reshape(-1, WINDOW_LENGTH, 9),
                np.array([said for _, said in looks]).reshape(-1, len(ACTIVITIES)),
                settling=np.array([letter == "~" for letter in letters], bool),
                implausible=np.array([letter == "!" for letter in letters], bool),
            )
            changes += decided.changes
            episodes += decided.episodes
    return changes, episodes + decider.interrupt(list(drawings))


# Stretches and state


def test_a_gap_separates_episodes() -> None:
    """What was open is closed at the last window's end, and the next stretch begins anew."""
    phone = Phone()
    phone.push("w" * 5)
    end = phone.start - phone.hop_s + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
    assert "w" == phone.interrupt()
    phone.start += 60.0
    again = phone.start
    assert "t" == phone.push("t")
    assert "wt" == phone.interrupt()
    assert [end, again] == [phone.episodes[0].end, phone.episodes[1].start]


def test_a_gap_without_windows_closes_nothing() -> None:
    """There is no episode of a phone that said nothing since the last gap."""
    phone = Phone()
    phone.push("~~")
    assert "" == phone.interrupt()
    phone.push("ww")
    phone.interrupt()
    assert [] == phone.decider.interrupt([0])


def test_a_reset_phone_is_as_if_never_seen() -> None:
    """After a reset a phone's decisions are those of a new one, and others go on."""
    learnt = tilting_learnt()
    drawing = "s" * 40 + "t" * 40

    def decide(decider: Decider) -> tuple[list[Change], list[Episode]]:
        return play(decider, {0: drawing}, 16, lambda slots: [slots])

    fresh, used = (Decider(2, ACTIVITIES, hop=16, learnt=learnt) for _ in range(2))
    play(used, {0: "t" * 60 + "l" * 9, 1: "w" * 9}, 16, lambda slots: [slots])
    other = Phone(decider=used, slot=1)
    other.push("w")
    used.reset([0])
    assert decide(fresh) == decide(used)
    assert "w" == other.interrupt()


def test_the_state_is_in_arrays() -> None:
    """A decider that is given the arrays of another goes on as that one would have."""
    first, second = Phone(hop=16), Phone(hop=16)
    first.push("w" * 30 + "t" * 25 + "0" * 5)
    for name, array in vars(first.decider).items():
        if isinstance(array, np.ndarray) and not name.startswith("_"):
            vars(second.decider)[name][:] = array
    second.start, second.now = first.start, first.now
    assert first.push("t" * 9 + "s" * 20) == second.push("t" * 9 + "s" * 20)
    first.interrupt()
    second.interrupt()
    assert first.episodes[-1:] == second.episodes[-1:]


@pytest.mark.parametrize("hop", [0, 129])
def test_impossible_hops(hop: int) -> None:
    """A hop outside 1 to 128 samples is refused."""
    with pytest.raises(ValueError, match="hop must be 1 to 128 samples"):
        Decider(1, ACTIVITIES, hop=hop, learnt=LEARNT)


@pytest.mark.parametrize("hop", [1, 128])
def test_the_longest_and_the_shortest_hop(hop: int) -> None:
    """Whatever the hop, two long bouts give two episodes."""
    phone = Phone(hop=hop)
    phone.push("w" * (1280 // hop) + "t" * (1280 // hop))
    assert "wt" == phone.interrupt()


# Activities


def test_an_activity_of_which_nothing_was_learnt() -> None:
    """A model's seventh activity is decided like any other."""
    decider = Decider(1, [*ACTIVITIES, "CYCLING"], hop=16, learnt=shipped())
    said = [0.01] * 6 + [0.94]
    assert "CYCLING" == timeline_of(decider, [said] * 30)[-1]


def test_a_model_of_other_activities_altogether() -> None:
    """Without sitting and standing, nor anything that was learnt, the model still decides."""
    decider = Decider(1, ["ROWING", "CYCLING"], hop=16, learnt=LEARNT)
    said = [[0.9, 0.1]] * 30 + [[0.1, 0.9]] * 30
    assert ["ROWING", "CYCLING"] == timeline_of(decider, said)


def timeline_of(decider: Decider, said: Sequence[Sequence[float]]) -> list[str]:
    """Return the timeline of a resting phone, of whose windows the model says this."""
    rng = np.random.default_rng(0)
    episodes: list[Episode] = []
    for step, probabilities in enumerate(said):
        window = still_windows(1)[0] + rng.normal(0, 0.002, (WINDOW_LENGTH, 9)).astype(np.float32)
        start = step * 16 / SAMPLING_RATE_HZ
        episodes += push_window(decider, window, np.array(probabilities), start).episodes
    return [episode.activity for episode in episodes + decider.interrupt([0])]


# Tilt


def tilting_learnt() -> Learnt:
    """Return numbers with which a person sits where gravity's y is 2 more than standing."""
    direction = np.zeros(15)
    direction[1] = 10.0  # gravity's y
    plain = plain_learnt()
    return Learnt(
        **{name: getattr(plain, name) for name in plain.__struct_fields__ if name != "tilt"},
        tilt=direction,
    )


def test_a_persons_tilt_is_learnt_from_clear_postures() -> None:
    """The boundary moves to below where somebody sits, and later decides where the model cannot."""
    decider = Decider(1, ACTIVITIES, hop=16, learnt=tilting_learnt())
    upright, tilted = still_windows(2)
    upright[:, 7], tilted[:, 7] = 0.1, 0.3
    sitting = np.array([0.0, 0.0, 0.0, 0.99, 0.01, 0.0])
    either = np.array([0.0, 0.0, 0.0, 0.5, 0.5, 0.0])
    for step in range(120):
        push_window(decider, tilted, sitting, 0.32 * step)
    assert 1.0 < decider.boundary[0] < 2.5  # of a person who sits at about 2.9
    decider.interrupt([0])
    for window, activity in ((tilted, "SITTING"), (upright, "STANDING")):
        for step in range(30):
            push_window(decider, window, either, 0.32 * step)
        assert activity == decider.interrupt([0])[-1].activity


def push_window(
    decider: Decider,
    window: NDArray[np.float32],
    said: NDArray[np.floating[Any]],
    start: float,
    *,
    settling: bool = False,
    implausible: bool = False,
    slot: int = 0,
) -> Decided:
    """Return what one window ``(128, 9)`` of a phone leads to."""
    return decider.push(
        np.array([slot]),
        np.array([start]),
        window[None],
        said[None],
        settling=np.array([settling]),
        implausible=np.array([implausible]),
    )


# What ships


def test_learnt_numbers_survive_their_file() -> None:
    """What is encoded comes back, to five digits."""
    encoded = LEARNT.encode()
    assert encoded == Learnt.decode(encoded).encode()


def test_the_shipped_numbers_fit() -> None:
    """Their shapes are those of the features and the states, and all of them are finite."""
    numbers = shipped()
    summary = summarize(still_windows(1))
    assert motion_features(summary).shape[1] + 1 == len(numbers.motion.hidden)
    assert novelty_features(summary).shape[1] + 1 == len(numbers.novelty.hidden)
    assert tilt_features(summary).shape[1] == len(numbers.tilt)
    assert (N_STATES, N_STATES) == numbers.rates.shape
    assert len(MOTIONS) == numbers.motion.output.shape[1] == len(numbers.motion_shares)
    assert numbers.boundary_sd > 0
    assert numbers.half_gap > 0


@pytest.mark.parametrize("scale", [0.0, 1e-20, 1.0, 1e6])
def test_any_size_of_samples(scale: float) -> None:
    """Whatever a phone sends, beliefs stay probabilities."""
    decider = Decider(1, ACTIVITIES, hop=16, learnt=shipped())
    rng = np.random.default_rng(0)
    for step in range(40):
        window = (rng.normal(size=(WINDOW_LENGTH, 9)) * scale).astype(np.float32)
        push_window(decider, window, np.full(6, 1 / 6), 0.32 * step)
        assert pytest.approx(1.0) == decider.belief[0].sum()
    assert UNKNOWN == decider.interrupt([0])[-1].activity


def test_a_model_that_gives_no_probabilities() -> None:
    """Numbers below 0 and above 1, which some model may give, are cut to that."""
    decider = Decider(1, ACTIVITIES, hop=16, learnt=LEARNT)
    said = [-3.0, 7.0, 0.0, -1.0, 0.1, 0.0]
    assert ["WALKING_UPSTAIRS"] == timeline_of(decider, [said] * 20)


def test_real_recordings_of_three_people(data_dir: Path) -> None:
    """With the shipped model most transitions are seen, and hardly anything known is unknown."""
    classifier = Classifier(find_model("cnn-lstm"))
    segments = hapt.label_segments(data_dir, download=False)
    n_transitions, n_seen, known, unknown, right = 0, 0, 0, 0, 0
    for recording in hapt.recordings(data_dir, (1, 3, 5), download=False):
        own = segments[segments[:, 1] == int(recording.device[-2:])]
        for experiment, stretch in zip(np.unique(own[:, 0]), recording.stretches, strict=True):
            shown = timeline_over(np.asarray(stretch.samples, np.float64), classifier)
            for _, _, label, first, last in own[own[:, 0] == experiment].tolist():
                if label > len(ACTIVITIES):
                    n_transitions += 1
                    n_seen += TRANSITION in shown[first - 1 : last]
                else:
                    known += last - first
                    unknown += np.count_nonzero(shown[first:last] == UNKNOWN)
                    right += np.count_nonzero(shown[first:last] == ACTIVITIES[label - 1])
    assert n_transitions >= 30
    assert n_seen >= 2 / 3 * n_transitions
    assert unknown <= 0.02 * known
    assert right >= 0.9 * known


def timeline_over(rows: NDArray[np.float64], classifier: Classifier) -> NDArray[np.object_]:
    """Return the activity at each sample of raw rows ``(n_rows, 6)``, as the timeline has it."""
    samples = Preprocessor(1).push(np.array([0]), rows[None])[0]
    decider = Decider(1, ACTIVITIES, hop=16, learnt=shipped())
    firsts = range(SETTLING_ROWS, len(samples) - WINDOW_LENGTH + 1, 16)
    windows = np.stack([samples[first : first + WINDOW_LENGTH] for first in firsts])
    said = classifier.classify(windows)
    episodes: list[Episode] = []
    for first, window, probabilities in zip(firsts, windows, said, strict=True):
        start = first / SAMPLING_RATE_HZ
        episodes += push_window(decider, window, probabilities, start).episodes
    shown = np.full(len(rows), "", object)
    for episode in episodes + decider.interrupt([0]):
        begin, end = (round(at * SAMPLING_RATE_HZ) for at in (episode.start, episode.end))
        shown[begin:end] = episode.activity
    return shown
