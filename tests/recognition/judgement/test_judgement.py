from dataclasses import replace

import numpy as np
import pytest

from pipeline.models.classifier import Classifier
from pipeline.recognition.judgement.judgement import Judged, Judgement
from pipeline.recognition.offline import RecordedPhone
from pipeline.recognition.prepared import Part, Windows
from pipeline.recordings import simulated
from tests.recognition.made_up import readings

HOP = 64


@pytest.fixture(scope="module")
def walking() -> Windows:
    """Twenty seconds of one phone's windows, the first of them settling."""
    [recording] = simulated.recordings(1, seconds=20)
    return RecordedPhone(hop=HOP).push([readings(recording.stretches[0].samples)])


def push(judgement: Judgement, *parts: Part) -> Judged:
    """Judge the parts of one tick."""
    return judgement.push(parts)


def test_a_tick_in_parts(shipped: Classifier, walking: Windows) -> None:
    """What windows show does not depend on the parts and ticks that they come in."""
    whole, cut = (Judgement(1, shipped, hop=HOP) for _ in range(2))
    number = np.arange(len(walking))
    parts = [Part([], [], walking.chosen(number // 3 == k)) for k in range(len(walking) // 3 + 1)]

    expected = push(whole, Part([], [], walking))
    first, second = push(cut, *parts[:2]), push(cut, *parts[2:])

    assert len(walking) == len(first.windows) + len(second.windows)
    assert expected.changes == first.changes + second.changes
    assert expected.episodes == first.episodes + second.episodes
    assert whole.finish([0]) == cut.finish([0])


def test_settling_windows_decide_nothing(shipped: Classifier, walking: Windows) -> None:
    """The model classifies them too, but no activity is decided of them."""
    settling = walking.chosen(walking.settling)

    judged = push(Judgement(1, shipped, hop=HOP), Part([], [], settling))

    assert 0 < len(settling) == len(judged.probabilities)
    assert [] == judged.changes == judged.changed


def test_an_interruption_ends_an_episode(shipped: Classifier, walking: Windows) -> None:
    """A gap does so, though there are no windows behind it yet, as silence would."""
    interrupted, silent = (Judgement(1, shipped, hop=HOP) for _ in range(2))
    for judgement in (interrupted, silent):
        push(judgement, Part([], [], walking))

    episodes = push(interrupted, Part([0], [], Windows.joined([]))).episodes

    assert episodes
    assert silent.finish([0]) == episodes
    assert [] == interrupted.finish([0])


def test_doubtful_windows_are_unknown(shipped: Classifier, walking: Windows) -> None:
    """However certain the model is of them."""
    settled = walking.chosen(~walking.settling)
    doubtful = replace(settled, doubtful=np.ones(len(settled), np.bool_))

    judged = push(Judgement(1, shipped, hop=HOP), Part([], [], doubtful))

    assert ["unknown"] == [change.activity for change in judged.changes]


def test_problems_are_reported_when_they_change(shipped: Classifier, walking: Windows) -> None:
    """Once they come into force and once more when they are over; a new recording forgets them."""
    judgement = Judgement(1, shipped, hop=HOP)
    settled = walking.chosen(~walking.settling)
    ten_times = replace(settled, samples=settled.samples * np.float32(9.81))

    begun = push(judgement, Part([], [], ten_times))
    wrong = judgement.problems(0)
    over = push(judgement, Part([], [0], settled))

    assert [0] == sorted(set(begun.changed)) == sorted(set(over.changed))
    assert "acc-unit" in wrong
    assert () == judgement.problems(0)
