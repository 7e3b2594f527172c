from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.weights import Weights
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.vocabulary import ACTIVITIES
from tests.recognition.judgement.drawings import PLAIN, WEIGHTS
from tests.trainer.decisions.protocol import made_up_stretches
from trainer.decisions.labelled_windows import LabelledWindows
from trainer.selection import decisions
from trainer.selection.cross_validation import N_GROUPS
from trainer.selection.decision_tracks import HeldOutTrack, MeasuredTracks

CHOSEN = replace(WEIGHTS, classifier=0.77)


@pytest.fixture
def chosen_of(monkeypatch: pytest.MonkeyPatch) -> list[MeasuredTracks]:
    """The tracks that weights are chosen by: in place of the choice, these are always the best."""
    tracks: list[MeasuredTracks] = []

    def choose(of_hops: Sequence[MeasuredTracks], weights: Weights, **_: object) -> Weights:
        tracks.extend(of_hops)
        return CHOSEN

    def tracks_of(models: object, name: str, sent: object, *, hop: int) -> list[HeldOutTrack]:
        n = 1000
        labels = np.zeros(n, np.int8)
        probabilities = np.full((n // hop - 7, len(ACTIVITIES)), 1 / 6, np.float32)
        return [HeldOutTrack(1, np.zeros((n, 9), np.float32), labels, hop, probabilities)]

    monkeypatch.setattr(decisions, "choose", choose)
    monkeypatch.setattr(decisions, "tracks_of", tracks_of)
    monkeypatch.setattr(decisions, "learn_for_groups", lambda *_: [PLAIN] * N_GROUPS)
    return tracks


def test_weights_are_chosen_and_all_numbers_learnt(chosen_of: list[MeasuredTracks]) -> None:
    """The numbers are of all recordings, with the weights that were chosen at both hops."""
    lines: list[str] = []
    learnt = decisions.learn_all(made_up_stretches(), [], "training", progress=lines.append)
    assert [16, 64] == [tracks.hop for tracks in chosen_of]
    assert CHOSEN == learnt.weights
    assert ACTIVITIES == learnt.activities
    assert "classifier 0.77" in lines[-1]


@pytest.mark.usefixtures("chosen_of")
def test_placement_sets_add_running() -> None:
    """With windows of placement sets the numbers are of seven activities."""
    running = np.full(40, PLACEMENT_ACTIVITIES.index("RUNNING"))
    samples = np.random.default_rng(0).normal(size=(40, 128, 9)).astype(np.float32)
    more = [LabelledWindows(samples, running, running, running)]
    learnt = decisions.learn_all(made_up_stretches(), more, "any", progress=lambda line: None)
    assert PLACEMENT_ACTIVITIES == learnt.activities
    assert learnt.encode() == Learnt.decode(learnt.encode()).encode()


def test_the_training_placement_learns_from_hapt_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Placement sets are refused for models that are not trained on them."""
    monkeypatch.setattr("sys.argv", ["decisions", "--placements", str(tmp_path)])
    with pytest.raises(SystemExit):
        decisions.main()
    assert "learn from HAPT alone" in capsys.readouterr().err
