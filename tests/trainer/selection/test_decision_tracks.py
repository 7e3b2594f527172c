from typing import Final

import numpy as np
import pytest

from pipeline.recognition.judgement.decisions import Decider
from pipeline.recognition.judgement.learnt import Learnt
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ, WINDOW_LENGTH
from tests.recognition.judgement.drawings import WEIGHTS, push_window
from tests.trainer.decisions.protocol import made_up_stretches
from trainer.decisions.learning import learn
from trainer.selection.decision_tracks import FILTER_ROWS, NO_LABEL, HeldOutTrack, MeasuredTracks

HOP: Final = 16


@pytest.fixture(scope="module")
def learnt() -> Learnt:
    """Numbers learnt from three people made up."""
    return learn(made_up_stretches(), WEIGHTS, activities=ACTIVITIES, seed=1)


@pytest.fixture(scope="module")
def tracks() -> list[HeldOutTrack]:
    """What they do, with probabilities that are sometimes wrong."""
    rng = np.random.default_rng(0)
    made = []
    for group, stretch in enumerate(made_up_stretches()):
        n_windows = (len(stretch.samples) - WINDOW_LENGTH) // HOP + 1
        newest = stretch.labels[np.arange(n_windows) * HOP + WINDOW_LENGTH - 1]
        right = np.eye(len(ACTIVITIES))[np.clip(newest, 0, len(ACTIVITIES) - 1)]
        mixed = 0.7 * right + 0.3 * rng.dirichlet(np.ones(len(ACTIVITIES)) * 0.3, n_windows)
        labels = np.minimum(stretch.labels, len(ACTIVITIES)).astype(np.int8)
        made.append(HeldOutTrack(group % 2, stretch.samples, labels, HOP, mixed.astype(np.float32)))
    return made


@pytest.mark.parametrize("hop", [16, 64])
def test_tracks_are_decided_as_live_phones(
    learnt: Learnt, tracks: list[HeldOutTrack], hop: int
) -> None:
    """All windows at once give what a phone shows that gets them one by one."""
    measured = MeasuredTracks(
        [track.at(hop) for track in tracks], [learnt, learnt], ACTIVITIES, checked=False
    )
    for track, decided in zip(tracks, measured.decided(WEIGHTS), strict=True):
        decider = Decider(1, ACTIVITIES, hop=hop, learnt=learnt)
        now = np.full(len(track.samples), NO_LABEL)
        timeline = now.copy()
        episodes = []
        for number in range(-(-160 // hop), len(track.at(hop).probabilities)):
            first = number * hop
            window = track.samples[first : first + WINDOW_LENGTH]
            of_window = track.at(hop).probabilities[number]
            one = push_window(decider, window, of_window, first / SAMPLING_RATE_HZ)
            for change in one.changes:
                shown = measured.states.labels.index(change.activity)
                now[first + WINDOW_LENGTH - 1 + FILTER_ROWS :] = shown
            episodes += one.episodes
        for episode in [*episodes, *decider.interrupt([0])]:
            begin, end = (round(at * SAMPLING_RATE_HZ) for at in (episode.start, episode.end))
            timeline[begin:end] = measured.states.labels.index(episode.activity)
        np.testing.assert_array_equal(now, decided.now)
        np.testing.assert_array_equal(timeline, decided.timeline)


def test_sanity_checks_make_windows_unknown(learnt: Learnt, tracks: list[HeldOutTrack]) -> None:
    """A phone that is worn otherwise is unknown where it is checked."""
    upside_down = [
        HeldOutTrack(
            track.group,
            track.samples * np.float32(-1),
            track.labels,
            track.hop,
            track.probabilities,
        )
        for track in tracks
    ]
    unknown = [
        np.mean(
            [
                (one.now == len(ACTIVITIES) + 1).mean()
                for one in MeasuredTracks(
                    upside_down, [learnt, learnt], ACTIVITIES, checked=checked
                ).decided(WEIGHTS)
            ]
        )
        for checked in (False, True)
    ]
    assert unknown[0] < unknown[1]
