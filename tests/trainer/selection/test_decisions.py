from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.recognition.judgement.weights import Weights
from pipeline.recordings.placement_sets import PlacementSet
from pipeline.vocabulary import ACTIVITIES
from tests.made_sets import write_set
from tests.recognition.judgement.drawings import PLAIN, WEIGHTS
from tests.trainer.decisions.protocol import made_up_stretches
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
    learnt = decisions.learn_all(made_up_stretches(), progress=lines.append)
    assert [16, 64] == [tracks.hop for tracks in chosen_of]
    assert CHOSEN == learnt.weights
    assert ACTIVITIES == learnt.activities
    assert "classifier 0.77" in lines[-1]


def test_the_training_placement_learns_from_hapt_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Placement sets are refused for models that are not trained on them."""
    monkeypatch.setattr("sys.argv", ["decisions", "--placements", str(tmp_path)])
    with pytest.raises(SystemExit):
        decisions.main()
    assert "learn from HAPT alone" in capsys.readouterr().err


def test_any_place_is_learnt_of_placement_sets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without them there are no numbers for any place."""
    monkeypatch.setattr("sys.argv", ["decisions", "--orientation", "any"])
    with pytest.raises(SystemExit):
        decisions.main()
    assert "--placements DIR" in capsys.readouterr().err


def test_models_without_each_set_are_trained_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that trains them is named if one is missing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_set(tmp_path / "sets" / "Made_pocket", ("s1",), seconds=1.0)
    arguments = ["--orientation", "any", "--placements", str(tmp_path / "sets")]
    monkeypatch.setattr("sys.argv", ["decisions", *arguments])
    with pytest.raises(SystemExit):
        decisions.main()
    told = capsys.readouterr().err
    assert "trained without Made_pocket" in told
    assert f"trainer.selection.left_out_sets --placements {tmp_path / 'sets'}" in told


def test_what_was_learnt_for_any_place_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It has a file of its own, and is learnt of the sets that are not left out."""
    for name in ("Made_pocket", "Other_hand"):
        write_set(tmp_path / "sets" / name, ("s1",), seconds=1.0)
    jobs_of: list[list[str]] = []

    def jobs_for(sets: Sequence[PlacementSet]) -> dict[str, object]:
        jobs_of.append([one.name for one in sets])
        return {}

    monkeypatch.setattr(decisions, "jobs_for", jobs_for)
    monkeypatch.setattr(decisions, "labelled", lambda *_: None)
    monkeypatch.setattr(decisions, "learn_any", lambda *_, progress: PLAIN)
    arguments = ["--orientation", "any", "--placements", str(tmp_path / "sets")]
    arguments += ["--without", "Other", "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["decisions", *arguments])
    decisions.main()
    assert [["Made_pocket"]] == jobs_of
    assert [tmp_path / "decisions-any.json"] == list(tmp_path.glob("*.json"))
    assert PLAIN.encode() + b"\n" == (tmp_path / "decisions-any.json").read_bytes()
