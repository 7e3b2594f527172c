import json
import shutil
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from pipeline.models.card import ModelCard
from pipeline.models.classifier import Classifier
from pipeline.recognition.placement.placements import Placements
from pipeline.recordings import simulated
from pipeline.recordings.recording import Recording
from pipeline.recordings.uci_har import DataSet
from pipeline.vocabulary import ACTIVITIES
from tests.trainer.recorded import record
from tests.trainer.small_training import settings_for
from trainer import experiment
from trainer.commands.train_settings import TrainSettings
from trainer.data import user_recordings
from trainer.data.raw_recordings import RawRecordings
from trainer.networks.options import Sizes
from trainer.records import read_record
from trainer.training.fitting import Fitting
from trainer.training.recipe import Schedule

pytestmark = [
    pytest.mark.train,
    # Keras 3.15 with TensorFlow 2.21 and NumPy 2.4 warns so whenever it saves a model.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),
]


class Trained(NamedTuple):
    """A folder that was trained into."""

    out: Path
    card: ModelCard
    """The card of the model of the first run"""
    lines: str
    """Of the progress of the second run"""


def run(settings: TrainSettings, data: DataSet) -> str:
    """Train, and return the lines on the progress."""
    lines: list[str] = []
    experiment.run(settings.plan, data, progress=lines.append)
    return "\n".join(lines)


@pytest.fixture(scope="module")
def trained(mini_data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """An LSTM trained with one seed, and then with one more."""
    out = tmp_path_factory.mktemp("out")
    run(settings_for(out, seed=5), mini_data)
    card = Classifier(out / "lstm.onnx").card
    (out / "lstm.onnx").unlink()
    return Trained(out, card, run(settings_for(out, seed=5, seeds=2), mini_data))


def test_the_report_holds_how_the_model_came_about(trained: Trained, mini_data: DataSet) -> None:
    """It holds figures, histories, settings, versions and the protocol of the choice."""
    report = json.loads((trained.out / "lstm" / "report.json").read_text())
    assert ("lstm", 5, [5, 6]) == (report["model"], report["seed"], report["seeds"]["seeds"])
    assert {"precision", "recall", "f1", "windows"} == set(report["classes"]["WALKING"])
    assert 48 == np.sum(report["confusion_matrix"])
    assert report["accuracy"] == pytest.approx(np.trace(report["confusion_matrix"]) / 48)
    assert report["accuracy"] == report["seeds"]["accuracies"][0]
    assert np.std(report["seeds"]["accuracies"], ddof=1) == pytest.approx(report["seeds"]["sd"])
    assert f"lstm: test accuracy {report['seeds']['mean']:.4f} ± " in trained.lines
    for run_of_seed in report["runs"]:
        history = run_of_seed["history"]
        assert 2 == len(run_of_seed["held_out_subjects"]) == len(history["selection"]["val_loss"])
        assert run_of_seed["epochs"] == len(history["refit"]["accuracy"])
    of_plain = {field.name for kind in (Fitting, Sizes) for field in fields(kind)}
    assert of_plain == set(report["settings"])
    assert (6, 2) == (report["settings"]["units"], report["settings"]["epochs"])
    assert {"python", "tensorflow", "keras", "numpy", "tf2onnx"} <= set(report["versions"])
    assert mini_data.data_hash == report["data"]["hash"]
    assert [2, 4] == report["data"]["test"]["subjects"]
    assert report["wall_seconds"] > 0
    assert 494 == report["parameters"]
    assert "accuracy on 2 of the 6 training subjects" in report["selection"]
    assert "fitted again on all 6" in report["selection"]


def test_the_raw_recipe(mini_data: DataSet, tmp_path: Path) -> None:
    """Raw recordings take the place of the published training windows; nobody is held out."""
    raw = [
        Recording(f"subject-0{number}", recording.stretches, person=str(number))
        for number, recording in enumerate(simulated.recordings(2, seconds=30), start=1)
    ]
    settings = TrainSettings(
        _env_file=None, _cli_parse_args=False, out=tmp_path, model="cnn-lstm", recipe="raw"
    )
    lines: list[str] = []

    for _ in range(2):
        experiment.run(
            settings.plan, mini_data, raw=RawRecordings(raw, "0123"), progress=lines.append
        )

    card = Classifier(tmp_path / "cnn-lstm.onnx").card
    assert card.selection.startswith("windows of the raw recordings")
    assert "test split evaluated once" in card.selection
    report = json.loads((tmp_path / "cnn-lstm" / "report.json").read_text())
    assert len(report["runs"][0]["history"]["refit"]["loss"]) == Schedule().epochs
    tried = {row["variation"] for row in report["cross_validation"]["tried"]}
    assert {"the recipe", "without the fine-scale view", "no random rotation"} <= tried
    assert [line for line in lines if "held out subjects none" in line]
    assert "finished before" in "\n".join(lines)


def test_finished_seeds_are_not_trained_again(trained: Trained) -> None:
    """The same settings go on after the last finished seed and end with the same model."""
    assert "lstm, seed 5: finished before" in trained.lines
    assert "lstm, seed 6: training" in trained.lines
    assert trained.card == Classifier(trained.out / "lstm.onnx").card


def test_other_settings_are_trained_again(
    trained: Trained, mini_data: DataSet, tmp_path: Path
) -> None:
    """What was trained with other settings does not count as finished."""
    out = tmp_path / "out"
    shutil.copytree(trained.out, out)
    lines = run(settings_for(out, seed=5, refit=False), mini_data)
    assert "finished before" not in lines
    report = json.loads((out / "lstm" / "report.json").read_text())
    assert not report["settings"]["refit"]
    assert report["runs"][0]["history"]["refit"] is None
    assert "fitted on the other 4" in report["selection"]


def test_records_that_do_not_count(trained: Trained, tmp_path: Path) -> None:
    """A record counts only if it is whole and of the same recipe."""
    path = trained.out / "lstm" / "seed-5.json"
    recipe = json.loads(path.read_text())["recipe"]
    record = read_record(path, recipe=recipe)
    assert record is not None
    assert 5 == record.seed
    assert read_record(path, recipe=recipe | {"data_hash": "another"}) is None
    assert read_record(tmp_path / "missing.json", recipe=recipe) is None
    damaged = tmp_path / "damaged.json"
    damaged.write_bytes(path.read_bytes()[:200])
    assert read_record(damaged, recipe=recipe) is None


def test_user_recordings_are_trained_on(
    mini_data: DataSet, tmp_path: Path, trained: Trained
) -> None:
    """A new activity gets an output; the test split is judged over the activities it has."""
    record(tmp_path / "own", "JUMPING", seconds=40.0)
    extra = user_recordings.load([tmp_path / "own"], Placements())
    settings = settings_for(tmp_path / "out", epochs=12, learning_rate=0.01, refit=True)
    lines: list[str] = []
    experiment.run(settings.plan, mini_data, extra, progress=lines.append)
    classifier = Classifier(tmp_path / "out" / "lstm.onnx")
    assert (*ACTIVITIES, "JUMPING") == classifier.activities
    windows = user_recordings.load(
        [record(tmp_path / "new", "JUMPING", seed=9)], Placements()
    ).split.windows
    assert np.mean(classifier.classify(windows).argmax(axis=1) == 6) > 0.9
    on_test = classifier.classify(mini_data.test.windows).argmax(axis=1)
    assert np.mean(on_test == mini_data.test.labels) == pytest.approx(classifier.card.test_accuracy)
    report = json.loads((tmp_path / "out" / "lstm" / "report.json").read_text())
    assert 0 == report["classes"]["JUMPING"]["windows"]
    assert ["mine"] == report["user_recordings"]["devices"]
    assert f"user recordings: {extra.summary()}" in lines
    assert f"in every fit also user recordings, {extra.summary()}" in classifier.card.selection
    hashes = f"{mini_data.data_hash}+{extra.data_hash}"
    assert hashes == classifier.card.training_data_hash
    # The same seed holds out the same subjects, with and without.
    plain = json.loads((trained.out / "lstm" / "report.json").read_text())
    seed_5 = settings_for(tmp_path / "out5", seed=5, epochs=1)
    experiment.run(seed_5.plan, mini_data, extra, progress=lines.append)
    with_user = json.loads((tmp_path / "out5" / "lstm" / "report.json").read_text())
    assert plain["runs"][0]["held_out_subjects"] == with_user["runs"][0]["held_out_subjects"]


def test_finished_seeds_are_those_of_the_same_recordings(
    mini_data: DataSet, tmp_path: Path
) -> None:
    """What was trained with other recordings, or without, does not count as finished."""
    settings = settings_for(tmp_path / "out", epochs=1, refit=False)
    finished_before = []
    for seed in (None, 1, 1, 2):
        extra = None
        if seed is not None:
            path = record(tmp_path / f"own-{len(finished_before)}", "JUMPING", seed=seed)
            extra = user_recordings.load([path], Placements())
        lines: list[str] = []
        experiment.run(settings.plan, mini_data, extra, progress=lines.append)
        finished_before.append(any("finished before" in line for line in lines))
    assert [False, False, True, False] == finished_before
