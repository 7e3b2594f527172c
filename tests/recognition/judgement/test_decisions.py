from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray

from pipeline.models.classifier import Classifier, find_model
from pipeline.models.decisions import shipped
from pipeline.recognition.judgement.decisions import Decider
from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.preparation.filters import SETTLING_ROWS, Preprocessor
from pipeline.recognition.results import Change, Episode
from pipeline.recordings import hapt
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ, TRANSITION, UNKNOWN, WINDOW_LENGTH
from tests.recognition.judgement.drawings import (
    EPOCH,
    HOPS,
    PLAIN,
    WEIGHTS,
    Phone,
    decide_windows,
    look,
    play,
    push_window,
    still_windows,
    tilting_learnt,
    timeline_of,
)

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
    assert WEIGHTS.confirmed <= changes[0].probability <= 1
    assert first_end - 1.2 * hop / 50 <= phone.episodes[1].start < first_end
    assert phone.episodes[1].start <= changes[0].since <= first_end + 1.6


def test_without_settled_windows_nothing_is_decided() -> None:
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


# Transitions


def moving_learnt(**weights: float) -> Learnt:
    """Return numbers by which every window's newest samples change the posture, three in four."""
    motions = np.array([0.125, 0.125, 0.25, 0.25, 0.25])
    return replace(
        PLAIN,
        motion=replace(PLAIN.motion, output=np.vstack([np.zeros(5), np.log(motions)])),
        weights=replace(WEIGHTS, motion=0.0, change=0.0, change_discount=0.0, **weights),
    )


@pytest.mark.parametrize(
    ("weights", "now", "timeline"),
    [
        ({}, "w", "w"),
        ({"newest_change": 20.0}, "=", "w"),
        ({"now_transition": 1e9}, "=", "w"),
        ({"timeline_transition": 1e9}, "w", "="),
    ],
)
def test_now_and_timeline_weigh_transitions_apart(
    weights: dict[str, float], now: str, timeline: str
) -> None:
    """What counts for now alone does not change the timeline, nor the other way about."""
    learnt = moving_learnt(**weights)
    phone = Phone(decider=Decider(1, ACTIVITIES, hop=16, learnt=learnt))
    assert now == phone.push("w" * 20)[-1]
    assert timeline == phone.interrupt()


# Company


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
        decider = Decider(len(drawings), ACTIVITIES, hop=hop, learnt=PLAIN)
        alone.append(play(decider, {slot: drawing}, hop, lambda slots: [slots]))

    def deal(slots: list[int]) -> list[list[int]]:
        order = data.draw(st.permutations(slots))
        split = data.draw(st.integers(0, len(order)))
        return [order[:split], order[split:]]

    decider = Decider(len(drawings), ACTIVITIES, hop=hop, learnt=PLAIN)
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
    one_by_one, at_once = (
        Decider(len(drawings), ACTIVITIES, hop=hop, learnt=PLAIN) for _ in range(2)
    )
    changes, episodes = play(one_by_one, dict(enumerate(drawings)), hop, lambda slots: [slots])
    rng = np.random.default_rng(seed)
    slots = rng.permutation([slot for slot, drawing in enumerate(drawings) for _ in drawing])
    steps = np.array([np.count_nonzero(slots[:i] == slot) for i, slot in enumerate(slots)])
    letters = [drawings[slot][step] for slot, step in zip(slots, steps, strict=True)]
    looks = [look(letter) for letter in letters]
    decided = decide_windows(
        at_once,
        slots,
        EPOCH + slots.astype(float) + steps * hop / SAMPLING_RATE_HZ,
        np.array([window for window, _ in looks]),
        np.array([probabilities for _, probabilities in looks]),
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
    """With the shipped numbers too, company does not change a bit of what is known of a phone."""
    rng = np.random.default_rng(0)
    n = 37
    alone, together = (Decider(n, ACTIVITIES, hop=16, learnt=shipped()) for _ in range(2))
    for step in range(30):
        windows = rng.normal(0, 0.05, (n, WINDOW_LENGTH, 9)).astype(np.float32) + still_windows(n)
        probabilities = rng.dirichlet(np.ones(6), n)
        start = 0.32 * step
        for slot in range(n):
            push_window(alone, windows[slot], probabilities[slot], start, slot=slot)
        no = np.zeros(n, bool)
        starts = np.full(n, start)
        decide_windows(
            together, np.arange(n), starts, windows, probabilities, settling=no, implausible=no
        )
    states = [decider.state(np.arange(n)) for decider in (alone, together)]
    for name in states[0]:
        assert states[0][name].tobytes() == states[1][name].tobytes(), name


# State


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


def test_a_state_is_put_back() -> None:
    """A decider that is given the state of another goes on as that one would have."""
    first, second = Phone(hop=16), Phone(hop=16)
    first.push("w" * 30 + "t" * 25 + "0" * 5)
    slots = np.array([0])
    second.decider.restore(slots, first.decider.state(slots))
    second.start, second.now = first.start, first.now
    assert first.push("t" * 9 + "s" * 20) == second.push("t" * 9 + "s" * 20)
    first.interrupt()
    second.interrupt()
    assert first.episodes[-1:] == second.episodes[-1:]


@pytest.mark.parametrize("hop", [0, 129])
def test_impossible_hops(hop: int) -> None:
    """A hop outside 1 to 128 samples is refused."""
    with pytest.raises(ValueError, match="hop must be 1 to 128 samples"):
        Decider(1, ACTIVITIES, hop=hop, learnt=PLAIN)


# Activities


def test_an_activity_of_which_nothing_was_learnt() -> None:
    """A model's seventh activity is decided like any other."""
    decider = Decider(1, [*ACTIVITIES, "CYCLING"], hop=16, learnt=shipped())
    probabilities = [0.01] * 6 + [0.94]
    assert "CYCLING" == timeline_of(decider, [probabilities] * 30)[-1]


def test_a_model_of_other_activities_altogether() -> None:
    """Without sitting and standing, nor anything that was learnt, the model still decides."""
    decider = Decider(1, ["ROWING", "CYCLING"], hop=16, learnt=PLAIN)
    probabilities = [[0.9, 0.1]] * 30 + [[0.1, 0.9]] * 30
    assert ["ROWING", "CYCLING"] == timeline_of(decider, probabilities)


# All of it


def test_real_recordings_of_three_people(data_dir: Path) -> None:
    """With the shipped model most transitions are seen, and hardly anything known is unknown."""
    classifier = Classifier(find_model("cnn-lstm"))
    segments = hapt.label_segments(data_dir, download=False)
    n_transitions, n_seen, known, unknown, right = 0, 0, 0, 0, 0
    for recording in hapt.recordings(data_dir, (1, 3, 5), download=False):
        own = segments[segments[:, 1] == int(recording.person)]
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
    probabilities = classifier.classify(windows)
    episodes: list[Episode] = []
    for first, window, of_window in zip(firsts, windows, probabilities, strict=True):
        start = first / SAMPLING_RATE_HZ
        episodes += push_window(decider, window, of_window, start).episodes
    shown = np.full(len(rows), "", object)
    for episode in episodes + decider.interrupt([0]):
        begin, end = (round(at * SAMPLING_RATE_HZ) for at in (episode.start, episode.end))
        shown[begin:end] = episode.activity
    return shown
