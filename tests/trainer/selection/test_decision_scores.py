from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.recognition.judgement.states import States
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ
from trainer.selection.decision_scores import newest_alone, score
from trainer.selection.decision_tracks import NO_LABEL, Decided, HeldOutTrack

STATES: Final = States(ACTIVITIES)
LETTERS: Final = "wudstl=?"  # in the order of the labels
SPAN: Final = 50  # samples a letter


def drawn(letters: str) -> NDArray[np.int8]:
    """Return labels of which each letter is a second; a space is none."""
    places = [LETTERS.index(letter) if letter != " " else NO_LABEL for letter in letters]
    return np.repeat(np.array(places, np.int8), SPAN)


def track(labels: str) -> HeldOutTrack:
    """Return a track with these labels, whose model always says walking."""
    n = len(labels) * SPAN
    walking = np.eye(len(ACTIVITIES), dtype=np.float32)[[0] * (n // 16)]
    return HeldOutTrack(0, np.zeros((n, 9), np.float32), drawn(labels), 16, walking)


def test_shares_of_what_is_shown() -> None:
    """Transitions are no activity; unknown and what is taken for a transition are wrong."""
    scores = score(
        [track("ssss==tttt")], [Decided(drawn("sss=?=tttt"), drawn("ssss==ttt?"))], STATES
    )
    assert (1 / 8, 0, 1 / 8, 2 / 10, 1 / 2) == (
        scores.now.wrong,
        scores.now.unknown,
        scores.now.taken,
        scores.now.wrong_with_transitions,
        scores.now.seen,
    )
    assert (1 / 8, 1 / 8, 0, 1) == (
        scores.timeline.wrong,
        scores.timeline.unknown,
        scores.timeline.taken,
        scores.timeline.seen,
    )


@pytest.mark.parametrize(
    ("labels", "now", "delays", "false"),
    [
        ("wwww  uuuu", "wwww  uuuu", (0.0,), 0),
        ("wwww  uuuu", "wwwwwwwuuu", (1.0,), 0),  # the change that leads to it is none
        ("wwww  uuuu", "wwwwwwwwww", (np.inf,), 0),
        ("wwww  uuuu", "wwuwwwuuwu", (0.0,), 4),
        ("tttt==ssss", "tttt===sss", (1.0,), 0),
    ],
)
def test_delays_and_false_changes(
    labels: str, now: str, delays: tuple[float, ...], false: int
) -> None:
    """A change is late from the label's start on; within a bout all others are false."""
    scores = score([track(labels)], [Decided(drawn(now), drawn(now))], STATES)
    assert delays == scores.delays
    minutes = 8 / 60
    assert pytest.approx(false / minutes) == scores.false_changes


def test_the_newest_window_alone() -> None:
    """From its last sample on, after the filters' delay, a window says its activity."""
    newest = newest_alone(track("w" * 4))
    assert 129 == np.count_nonzero(newest == NO_LABEL)
    assert {0} == set(newest[129:].tolist())
    assert SAMPLING_RATE_HZ == SPAN
