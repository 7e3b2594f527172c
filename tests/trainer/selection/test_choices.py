import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.vocabulary import FAMILIES
from trainer.data.raw_windows import TRAINING_SUBJECTS
from trainer.selection import ablation, choices, worth
from trainer.selection.choices import RECIPE, TOGETHER
from trainer.selection.cross_validation import N_GROUPS, groups
from trainer.selection.group_models import GroupModel, of_all_groups
from trainer.selection.shipped import placement_recipe_for, recipe_for

_OTHER = "no random rotation"


def test_what_ships_was_chosen_among_others_on_training_subjects() -> None:
    """All that ships was tried on people held out; so was what was not taken."""
    tried = choices.shipped()
    assert sorted(TRAINING_SUBJECTS) == sorted(
        subject for group in tried.groups for subject in group
    )
    for family in FAMILIES:
        row = tried.row(family)
        assert row is not None
        assert 0.8 < row.accuracy < 1
    variations = {row.variation for row in tried.of(ablation.ONE)}
    assert set(ablation.VARIATIONS) == variations


def test_the_recipe_has_the_temperatures_that_were_found() -> None:
    """Each model that ships has the temperature of its cross-validation."""
    for family in FAMILIES:
        row = choices.shipped().row(family)
        assert row is not None
        assert row.temperature == recipe_for(family).temperature
        found = worth.shipped().temperatures[family]
        assert found == placement_recipe_for(f"{family}-any").temperature


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def keep(model: GroupModel, right: NDArray[np.bool_]) -> None:
    """Keep probabilities of a model in the place where a training leaves them."""
    labels = np.arange(len(right)) % 6
    probabilities = np.full((len(right), 6), 0.02, np.float32)
    probabilities[np.arange(len(right)), np.where(right, labels, (labels + 1) % 6)] = 0.9
    model.probabilities_file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        model.probabilities_file,
        probabilities=probabilities,
        labels=labels.astype(np.int8),
        seconds=30.0,
    )
    model.file.touch()


def test_rows_hold_the_figures_of_the_models(kept: Path) -> None:
    """Accuracies by group, their gain over the recipe's, and the families together."""
    n = 60
    share = {RECIPE: 0.8, _OTHER: 0.7}
    models = {
        (family, name): of_all_groups(family, ablation.VARIATIONS[name].recipe)
        for name in share
        for family in ("lstm", "cnn-lstm")
    }
    for (_, name), several in models.items():
        for group, model in enumerate(several):
            assert not model.done
            keep(model, np.arange(n) < n * share[name] + group)
            assert model.done
    tried = ablation.choices_of(models)
    assert tuple(groups()) == tried.groups
    for name in share:
        row = tried.row("lstm", name)
        assert row is not None
        assert share[name] + np.mean(range(N_GROUPS)) / n == pytest.approx(row.accuracy)
        assert np.std(np.arange(N_GROUPS) / n, ddof=1) == pytest.approx(row.sd)
        assert 30.0 == row.seconds
        assert 0.9 - row.accuracy == pytest.approx(row.calibration_error, abs=1e-6)
    together, of_lstm = tried.row(TOGETHER), tried.row("lstm")
    assert together is not None
    assert of_lstm is not None
    assert (of_lstm.accuracy, None) == (pytest.approx(together.accuracy), together.seconds)
    other = tried.row("cnn-lstm", _OTHER)
    assert other is not None
    assert (pytest.approx(-0.1), 0) == (other.gain, other.groups_better)
    assert f"cnn-lstm, {_OTHER}" in choices.table(tried)
    assert "-10.00" in choices.table(tried)


def test_the_command_writes_what_was_done(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --done nothing is trained, and what has not been is left out."""
    for model in of_all_groups("cnn-lstm", ablation.VARIATIONS[RECIPE].recipe):
        keep(model, np.arange(60) < 50)
    out = kept / "found.json"
    monkeypatch.setattr("sys.argv", ["ablation", "--done", "--out", str(out)])
    ablation.main()
    rows = json.loads(out.read_text())["rows"]
    assert [("cnn-lstm", RECIPE)] == [(row["model"], row["variation"]) for row in rows]
    assert "cnn-lstm, the recipe" in capsys.readouterr().out


def test_every_training_has_a_place_of_its_own() -> None:
    """Whatever is other about it, family, recipe, what is added, or group."""
    files = [
        model.file
        for variation in ablation.VARIATIONS.values()
        for family in FAMILIES
        for model in of_all_groups(family, variation.recipe, added=variation.added)
    ]
    assert len(files) == len(set(files))
