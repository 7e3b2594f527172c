import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline.models.card import ModelCard
from pipeline.models.classifier import Classifier
from pipeline.recognition.placement.placements import Placements
from pipeline.recordings.placement_sets import PlacementSet
from pipeline.recordings.recording import DataError
from pipeline.recordings.uci_har import DataSet
from pipeline.vocabulary import ACTIVITIES
from tests.trainer.recorded import record
from tests.trainer.small_training import settings_for
from trainer import experiment, fine_tuning
from trainer.commands.train_settings import TrainSettings
from trainer.data import user_recordings
from trainer.errors import SettingError
from trainer.export import load_with_card, save_with_card
from trainer.networks.widening import widened

RunCommand = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),
]


@pytest.fixture(scope="module")
def trained(mini_data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model.keras of har-train."""
    out = tmp_path_factory.mktemp("out")
    experiment.run(settings_for(out, refit=False).plan, mini_data, progress=lambda line: None)
    return out / "lstm" / "model.keras"


def run(settings: TrainSettings, parent: Path, data: DataSet | None) -> str:
    """Return the lines of a fine-tuning."""
    lines: list[str] = []
    fine_tuning.run(settings.fine_tuning(parent), data, Placements(), progress=lines.append)
    return "\n".join(lines)


def test_a_model_from_a_file_is_widened(trained: Path) -> None:
    """Where no layer was made before, none gets a name that the model has already."""
    keras.utils.clear_session()
    model, _ = load_with_card(trained)
    assert (None, 7) == widened(model, 7, seed=1).output_shape


def test_a_keras_file_tells_its_card(trained: Path) -> None:
    """What har-train saves says what its outputs stand for, and Keras loads it as ever."""
    model, card = load_with_card(trained)
    assert card == Classifier(trained.parents[1] / "lstm.onnx").card
    for weights, same in zip(
        model.get_weights(), keras.saving.load_model(trained).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weights, same)


def test_keras_files_that_cannot_be_fine_tuned(trained: Path, tmp_path: Path) -> None:
    """Without a card, or no Keras file at all, the error says what to do."""
    model, _ = load_with_card(trained)
    model.save(tmp_path / "plain.keras")
    with pytest.raises(SettingError, match=r"plain.keras: has no model card: train it anew"):
        load_with_card(tmp_path / "plain.keras")
    (tmp_path / "torn.keras").write_bytes(trained.read_bytes()[:1000])
    for name in ("torn.keras", "missing.keras"):
        with pytest.raises(SettingError, match=f"{name}: is no model.keras of har-train"):
            load_with_card(tmp_path / name)


def test_a_new_activity_is_learnt(trained: Path, mini_data: DataSet, tmp_path: Path) -> None:
    """The exported model knows the new name beside the old, and names its parent."""
    record(tmp_path / "own", "JUMPING", seconds=40.0)
    out = tmp_path / "out"
    settings = settings_for(
        out, extra=[tmp_path / "own"], tuning_epochs=15, tuning_rate=0.01, model="all"
    )
    lines = run(settings, trained, mini_data)
    _, parent = load_with_card(trained)
    report = json.loads((out / "lstm-tuned" / "report.json").read_text())
    classifier = Classifier(out / "lstm-tuned.onnx")
    assert (*ACTIVITIES, "JUMPING") == classifier.activities
    assert parent.identity == report["parent"]
    assert f"mixed with the {len(mini_data.train.labels)} training windows of UCI HAR" in lines
    assert f"(its parent {parent.identity}: {parent.test_accuracy:.4f})" in lines
    windows = user_recordings.load(
        [record(tmp_path / "new", "JUMPING", seed=9)], Placements()
    ).split.windows
    predicted = classifier.classify(windows).argmax(axis=1)
    assert np.mean(predicted == 6) > 0.9
    on_test = classifier.classify(mini_data.test.windows).argmax(axis=1)
    accuracy = np.mean(on_test == mini_data.test.labels)
    assert accuracy == pytest.approx(classifier.card.test_accuracy)
    assert accuracy == pytest.approx(report["accuracy"])
    assert report["accuracy_before"] == pytest.approx(parent.test_accuracy)
    assert accuracy >= parent.test_accuracy
    assert "JUMPING" in report["user_recordings"]["windows"]
    _, again = load_with_card(out / "lstm-tuned" / "model.keras")
    assert classifier.card == again
    assert parent.training_data_hash in again.training_data_hash


def test_the_command_fine_tunes(
    trained: Path, mini_folder: Path, tmp_path: Path, run_command: RunCommand
) -> None:
    """With --from the command fine-tunes the model, in a process that has never built it."""
    record(tmp_path / "own", "JUMPING", seconds=10.0)
    finished = run_command(
        "har-train",
        *("--from", str(trained), "--extra", "own", "--data", str(mini_folder)),
        *("--tuning-epochs", "1"),
        timeout_s=120,
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    assert 0 == finished.returncode, finished.stderr
    assert "" == finished.stderr
    assert "fine-tuned with 3 windows of 1 device (JUMPING 3)" in finished.stdout
    assert (*ACTIVITIES, "JUMPING") == Classifier(tmp_path / "out" / "lstm-tuned.onnx").activities


def test_fine_tuning_twice(trained: Path, mini_data: DataSet, tmp_path: Path) -> None:
    """A fine-tuned model can be fine-tuned again: names come behind those it knows."""
    record(tmp_path / "a", "JUMPING")
    run(settings_for(tmp_path / "one", extra=[tmp_path / "a"]), trained, mini_data)
    path = record(tmp_path / "b", "JUMPING", seed=2)
    first = tmp_path / "one" / "lstm-tuned" / "model.keras"
    run(settings_for(tmp_path / "two", extra=[path]), first, mini_data)
    assert (*ACTIVITIES, "JUMPING") == Classifier(tmp_path / "two" / "lstm-tuned.onnx").activities


def test_without_the_data_set(trained: Path, tmp_path: Path) -> None:
    """It goes without, says what that risks, and claims no accuracy."""
    record(tmp_path / "own", "JUMPING")
    lines = run(settings_for(tmp_path / "out", extra=[tmp_path / "own"]), trained, None)
    assert "not at hand: the model will forget what the recordings do not hold (WALKING," in lines
    card = Classifier(tmp_path / "out" / "lstm-tuned.onnx").card
    assert 0.0 == card.test_accuracy
    assert "test accuracy not measured" in card.selection


def test_what_does_not_fit(trained: Path, mini_data: DataSet, tmp_path: Path) -> None:
    """No recordings, another model, or one that lacks an activity of the data set."""
    with pytest.raises(SettingError, match="--from needs recordings to learn from"):
        run(settings_for(tmp_path), trained, mini_data)
    with pytest.raises(SettingError, match="is a lstm, not a conv-lstm"):
        run(settings_for(tmp_path, extra=[tmp_path], model="conv-lstm"), trained, mini_data)
    with pytest.raises(DataError, match="holds no recordings"):
        run(settings_for(tmp_path, extra=[tmp_path]), trained, mini_data)
    model, card = load_with_card(trained)
    other = ModelCard(
        **{name: getattr(card, name) for name in card.__struct_fields__ if name != "activities"},
        activities=(*ACTIVITIES[:5], "FLYING"),
    )
    shutil.copyfile(trained, tmp_path / "other.keras")
    save_with_card(model, tmp_path / "other.keras", card=other)
    settings = settings_for(tmp_path, extra=[record(tmp_path / "own", "JUMPING")])
    with pytest.raises(SettingError, match="the model has no LAYING: train it anew"):
        run(settings, tmp_path / "other.keras", mini_data)


def test_placement_sets_are_not_for_a_model_of_the_waist(trained: Path, tmp_path: Path) -> None:
    """None are looked for, and their settings are refused in place of being ignored."""
    own = [record(tmp_path / "own", "JUMPING")]

    def find_sets() -> list[PlacementSet]:
        raise AssertionError

    for given in ({"without": ["PDIoT"]}, {"placements": tmp_path}):
        plan = settings_for(tmp_path, extra=own, **given, **{"from": trained}).fine_tuning(trained)
        with pytest.raises(SettingError, match=r"only for models for any place .* is a lstm"):
            fine_tuning.run(plan, None, Placements(), find_sets=find_sets, progress=print)
    plan = settings_for(tmp_path, extra=own, tuning_epochs=1).fine_tuning(trained)
    fine_tuning.run(plan, None, Placements(), find_sets=find_sets, progress=lambda line: None)
