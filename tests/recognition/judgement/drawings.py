"""Phones whose windows are drawn as letters, for the tests of the decisions."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.recognition.judgement.decisions import Decider, Decisions
from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.motion import motion_features
from pipeline.recognition.judgement.novelty import novelty_features
from pipeline.recognition.judgement.states import CHANGES_TOWARDS
from pipeline.recognition.judgement.summary import summarize
from pipeline.recognition.judgement.tilt import tilt_features
from pipeline.recognition.judgement.weights import Weights
from pipeline.recognition.network import Network
from pipeline.recognition.results import Change, Episode
from pipeline.recognition.rounds import rounds_of
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ, TRANSITION, UNKNOWN, WINDOW_LENGTH

EPOCH: Final = 1.7e9
LETTERS: Final = dict(zip("wudstl", ACTIVITIES, strict=True)) | {"=": TRANSITION, "?": UNKNOWN}
N_STATES: Final = len(ACTIVITIES) + len(CHANGES_TOWARDS)
WEIGHTS: Final = Weights(
    classifier=0.9,
    classifier_error=0.01,
    posture_factor=0.5,
    change_discount=0.3,
    motion=0.15,
    change=0.15,
    tilt=0.4,
    largest=3.0,
    haste=1.0,
    change_haste=1.0,
    newest_change=0.0,
    now_transition=1.0,
    confirmed=0.7,
    confirmed_posture=0.7,
    confirmed_gait=0.7,
    timeline_transition=1.0,
)
MOTION_SHARES: Final = np.array([0.47, 0.47, 0.02, 0.02, 0.02])
HOPS: Final = st.sampled_from([1, 3, 16, 25, 64, 100, 127, 128])


def still_windows(n: int) -> NDArray[np.float32]:
    """Return windows ``(n, 128, 9)`` of a phone at rest, its x up."""
    windows = np.zeros((n, WINDOW_LENGTH, 9), np.float32)
    windows[:, :, 6] = 1.0
    return windows


def constant_network(n_features: int, logits: NDArray[np.float64]) -> Network:
    """Return a network that gives the same for all features."""
    return Network(
        np.zeros(n_features),
        np.ones(n_features),
        np.zeros((n_features + 1, 1)),
        np.vstack([np.zeros(len(logits)), logits]),
    )


def plain_learnt() -> Learnt:
    """Return numbers with which only the model, and gravity, count.

    Motion and tilt are no evidence, activities last 20 s and changes of posture 2 s, and a
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
        activities=ACTIVITIES,
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
        weights=WEIGHTS,
    )


PLAIN: Final = plain_learnt()


class Phone:
    """One phone of a decider, whose windows are drawn as letters."""

    def __init__(
        self,
        *,
        hop: int = 16,
        decider: Decider | None = None,
        slot: int = 0,
    ) -> None:
        """Begin at a time of its own."""
        self.decider = decider or Decider(1, ACTIVITIES, hop=hop, learnt=PLAIN)
        self.slot = slot
        self.hop_s = hop / SAMPLING_RATE_HZ
        self.start = EPOCH + slot
        self.now = " "
        self.episodes: list[Episode] = []

    def push(self, drawing: str) -> str:
        """Return the activity now after each window that is drawn.

        A letter is a window of that activity, ``.`` one for which the model prefers no activity,
        ``0`` one without gravity, ``!`` an implausible one, ``~`` one while the filters settle.
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

    def take(self, decided: Decisions) -> None:
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


def decide_windows(
    decider: Decider,
    slots: NDArray[np.intp],
    starts: NDArray[np.float64],
    windows: NDArray[np.float32],
    probabilities: NDArray[np.floating[Any]],
    *,
    settling: NDArray[np.bool_],
    implausible: NDArray[np.bool_],
) -> Decisions:
    """Return what the settled ones of windows ``(n, 128, 9)`` lead to, as the core decides them."""
    settled = ~settling
    evidence = decider.evidence(windows[settled], probabilities[settled])
    rounds = rounds_of(slots[settled])
    return decider.decide(rounds, starts[settled], evidence, implausible[settled])


def push_window(
    decider: Decider,
    window: NDArray[np.float32],
    probabilities: NDArray[np.floating[Any]],
    start: float,
    *,
    settling: bool = False,
    implausible: bool = False,
    slot: int = 0,
) -> Decisions:
    """Return what one window ``(128, 9)`` of a phone leads to."""
    return decide_windows(
        decider,
        np.array([slot]),
        np.array([start]),
        window[None],
        probabilities[None],
        settling=np.array([settling]),
        implausible=np.array([implausible]),
    )


def play(
    decider: Decider,
    drawings: dict[int, str],
    hop: int,
    deal: Callable[[list[int]], list[list[int]]],
) -> tuple[list[Change], list[Episode]]:
    """Return the decisions about several drawings, in each step dealt out to calls."""
    changes: list[Change] = []
    episodes: list[Episode] = []
    for step in range(max(map(len, drawings.values()))):
        gaps = [slot for slot, drawn in drawings.items() if drawn[step : step + 1] == "|"]
        episodes += decider.interrupt(gaps)
        live = [slot for slot, drawn in drawings.items() if drawn[step : step + 1] not in ("", "|")]
        for slots in deal(live):
            letters = [drawings[slot][step] for slot in slots]
            looks = [look(letter) for letter in letters]
            decided = decide_windows(
                decider,
                np.array(slots, np.intp),
                EPOCH + np.array(slots, float) + step * hop / SAMPLING_RATE_HZ,
                np.array([window for window, _ in looks]).reshape(-1, WINDOW_LENGTH, 9),
                np.array([probabilities for _, probabilities in looks]).reshape(
                    -1, len(ACTIVITIES)
                ),
                settling=np.array([letter == "~" for letter in letters], bool),
                implausible=np.array([letter == "!" for letter in letters], bool),
            )
            changes += decided.changes
            episodes += decided.episodes
    return changes, episodes + decider.interrupt(list(drawings))


def timeline_of(decider: Decider, probabilities: Sequence[Sequence[float]]) -> list[str]:
    """Return the timeline of a resting phone from the model's probabilities of its windows."""
    rng = np.random.default_rng(0)
    episodes: list[Episode] = []
    for step, of_window in enumerate(probabilities):
        window = still_windows(1)[0] + rng.normal(0, 0.002, (WINDOW_LENGTH, 9)).astype(np.float32)
        start = step * 16 / SAMPLING_RATE_HZ
        episodes += push_window(decider, window, np.array(of_window), start).episodes
    return [episode.activity for episode in episodes + decider.interrupt([0])]


def tilting_learnt() -> Learnt:
    """Return numbers with which a person sits where gravity's y is 2 more than standing."""
    direction = np.zeros(15)
    direction[1] = 10.0  # gravity's y
    plain = plain_learnt()
    return Learnt(
        **{name: getattr(plain, name) for name in plain.__struct_fields__ if name != "tilt"},
        tilt=direction,
    )
