import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.models.classifier import Classifier, ModelCard
from pipeline.recognition.placement.placements import Placements
from pipeline.recordings import simulated
from pipeline.recordings.recording import Recording
from pipeline.recordings.uci_har import DataSet, load
from pipeline.vocabulary import ACTIVITIES, FAMILIES, SHIPPED_MODELS
from tests.trainer.recorded import record
from trainer import experiment
from trainer.commands import train
from trainer.commands.train_settings import TrainSettings
from trainer.data import user_recordings
from trainer.networks.options import Sizes
from trainer.records import read_record
from trainer.training import processes
from trainer.training.fitted import probabilities
from trainer.training.fitting import Fitting
from trainer.training.recipe import Schedule

if TYPE_CHECKING:
    from tests.processes import Running

pytestmark = [
    pytest.mark.train,
    # Keras 3.15 with TensorFlow 2.21 and NumPy 2.4 warns so whenever it saves a model.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),
]

SMALL_FLAGS = (
    *("--units", "6", "--dense-units", "8", "--filters", "4"),
    *("--n-steps", "2", "--n-length", "64"),
    *("--epochs", "2", "--batch-size", "32", "--validation-subjects", "2"),
)

RunCommand = Callable[..., subprocess.CompletedProcess[str]]


def settings_for(out: Path, **changes: object) -> TrainSettings:
    """Return settings of a training that takes a second, with some changes."""
    small = {
        "model": "lstm",
        "units": 6,
        "dense_units": 8,
        "epochs": 2,
        "batch_size": 32,
        "validation_subjects": 2,
    }
    return TrainSettings(_env_file=None, _cli_parse_args=False, out=out, **small | changes)


class Trained(NamedTuple):
    """A folder that was trained into."""

    out: Path
    card: ModelCard
    """The card of the model of the first run"""
    told: str
    """What the second run told"""


def run(settings: TrainSettings, data: DataSet) -> str:
    """Return what is told while training."""
    lines: list[str] = []
    experiment.run(settings.plan, data, progress=lines.append)
    return "\n".join(lines)


def test_command_trains_exports_and_reports(
    run_command: RunCommand, mini_folder: Path, tmp_path: Path
) -> None:
    """The command makes three models that the pipeline loads, with report and pictures."""
    finished = run_command(
        "har-train",
        *("--model", "all", "--data", str(mini_folder), "--out", "models", "--no-refit"),
        *SMALL_FLAGS,
        timeout_s=300,
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    assert 0 == finished.returncode, finished.stderr
    assert "X train shape (144, 128, 9) y train shape (144,)" in finished.stdout
    assert "X test shape (48, 128, 9) y test shape (48,)" in finished.stdout
    assert "subjects 1 3 5 6 7 8" in finished.stdout
    assert "is not the published UCI HAR data set" in finished.stdout
    assert "" == finished.stderr
    data = load(mini_folder, cache=tmp_path / "cache")
    for name in ("lstm", "cnn-lstm", "conv-lstm"):
        folder = tmp_path / "models" / name
        report = json.loads((folder / "report.json").read_text())
        classifier = Classifier(tmp_path / "models" / f"{name}.onnx")
        labels = classifier.classify(data.test.windows).argmax(axis=1)
        accuracy = np.mean(labels == data.test.labels)
        card = classifier.card
        assert (name, 1, data.data_hash) == (card.name, card.seed, card.training_data_hash)
        assert accuracy == pytest.approx(card.test_accuracy) == pytest.approx(report["accuracy"])
        assert card.identity == report["identity"]
        assert f"{card.identity}: test accuracy {accuracy:.4f}" in finished.stdout
        model = keras.saving.load_model(folder / "model.keras")
        np.testing.assert_array_equal(
            labels, probabilities(model, data.test.windows).argmax(axis=1)
        )
        for picture in ("confusion_matrix.png", "learning_curves.png"):
            assert (folder / picture).read_bytes().startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def trained(mini_data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """An LSTM trained with one seed, and then with one more."""
    out = tmp_path_factory.mktemp("out")
    run(settings_for(out, seed=5), mini_data)
    card = Classifier(out / "lstm.onnx").card
    (out / "lstm.onnx").unlink()
    return Trained(out, card, run(settings_for(out, seed=5, seeds=2), mini_data))


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="needs /proc")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_who_stops_the_command_stops_its_processes(
    end: signal.Signals, start_command: "Callable[..., Running]", mini_folder: Path, tmp_path: Path
) -> None:
    """Ctrl-C, or kill, ends trainings that go on side by side, in a line; nothing runs on."""
    training = start_command(
        "har-train",
        *("--model", "all", "--data", str(mini_folder), "--out", "models", *SMALL_FLAGS),
        *("--epochs", "100000", "--patience", "100000"),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    training.await_log(": epoch 1 of 100000", timeout_s=120.0)
    assert 1 == training.end(end)
    said = "har-train: stopped; the same command goes on after the last finished seed"
    assert said == training.log.splitlines()[-1]
    deadline = time.monotonic() + 30
    while running := [one for one in Path("/proc").glob("[0-9]*") if _in(one, tmp_path)]:
        assert time.monotonic() < deadline, running
        time.sleep(0.05)


def _in(process: Path, folder: Path) -> bool:
    """Return whether a process works in a folder."""
    try:
        return (process / "cwd").readlink() == folder
    except OSError:  # it has ended
        return False


def test_report_tells_how_the_model_came_about(trained: Trained, mini_data: DataSet) -> None:
    """It holds figures, histories, settings, versions and the protocol of the choice."""
    report = json.loads((trained.out / "lstm" / "report.json").read_text())
    assert ("lstm", 5, [5, 6]) == (report["model"], report["seed"], report["seeds"]["seeds"])
    assert {"precision", "recall", "f1", "windows"} == set(report["classes"]["WALKING"])
    assert 48 == np.sum(report["confusion_matrix"])
    assert report["accuracy"] == pytest.approx(np.trace(report["confusion_matrix"]) / 48)
    assert report["accuracy"] == report["seeds"]["accuracies"][0]
    assert np.std(report["seeds"]["accuracies"], ddof=1) == pytest.approx(report["seeds"]["sd"])
    assert f"lstm: test accuracy {report['seeds']['mean']:.4f} ± " in trained.told
    for one in report["runs"]:
        assert 2 == len(one["held_out_subjects"]) == len(one["history"]["selection"]["val_loss"])
        assert one["epochs"] == len(one["history"]["refit"]["accuracy"])
    assert {field.name for kind in (Fitting, Sizes) for field in fields(kind)} == set(
        report["settings"]
    )
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
    told: list[str] = []

    for _ in range(2):
        experiment.run(settings.plan, mini_data, raw=raw, progress=told.append)

    card = Classifier(tmp_path / "cnn-lstm.onnx").card
    assert card.selection.startswith("windows of the raw recordings")
    assert "test split evaluated once" in card.selection
    report = json.loads((tmp_path / "cnn-lstm" / "report.json").read_text())
    assert len(report["runs"][0]["history"]["refit"]["loss"]) == Schedule().epochs
    tried = {row["variation"] for row in report["cross_validation"]["tried"]}
    assert {"the recipe", "without the fine-scale view", "no random rotation"} <= tried
    assert [line for line in told if "held out subjects none" in line]
    assert "finished before" in "\n".join(told)


def test_settings_of_the_plain_recipe_go_with_no_other(tmp_path: Path) -> None:
    """Nobody is left to believe that the raw recipe minds them."""
    with pytest.raises(ValidationError, match=r"batch_size, dense_units.*only with --recipe plain"):
        settings_for(tmp_path, recipe="raw")


def test_the_recipe_that_is_taken(tmp_path: Path) -> None:
    """The raw one, unless settings of the plain one are given."""
    raw = TrainSettings(_env_file=None, _cli_parse_args=False, out=tmp_path, model="lstm")
    assert "raw" == raw.recipe
    assert "plain" == settings_for(tmp_path).recipe


def test_the_models_that_are_trained(tmp_path: Path) -> None:
    """All that ship, by the raw recipe; the plain one has no form for phones worn otherwise."""
    every = TrainSettings(_env_file=None, _cli_parse_args=False, out=tmp_path)
    assert SHIPPED_MODELS == every.plan.models
    assert FAMILIES == settings_for(tmp_path, model="all").plan.models
    assert {"all", *SHIPPED_MODELS} == set(get_args(TrainSettings.model_fields["model"].annotation))
    with pytest.raises(ValidationError, match="lstm-any: only with --recipe raw"):
        settings_for(tmp_path, model="lstm-any")


def test_without_the_raw_recordings(
    run_command: RunCommand, mini_folder: Path, tmp_path: Path
) -> None:
    """The published windows take their place, and it is said; who asked for raw ones is refused."""
    arguments = ("--model", "lstm", "--data", str(mini_folder))
    cache = str(tmp_path / "cache")
    finished = run_command("har-train", *arguments, timeout_s=300, XDG_CACHE_HOME=cache)
    assert 0 == finished.returncode, finished.stderr
    assert (
        "WARNING: the published windows take the place of the raw recordings: " in finished.stdout
    )
    card = Classifier(tmp_path / "out" / "lstm.onnx").card
    assert card.selection.startswith("published windows of 6 training subjects, rotated at random")
    refused = run_command("har-train", *arguments, "--recipe", "raw", XDG_CACHE_HOME=cache)
    assert 1 == refused.returncode
    assert refused.stderr.startswith("har-train: ")


def test_finished_seeds_are_not_trained_again(trained: Trained) -> None:
    """The same settings go on after the last finished seed and end with the same model."""
    assert "lstm, seed 5: finished before" in trained.told
    assert "lstm, seed 6: training" in trained.told
    assert trained.card == Classifier(trained.out / "lstm.onnx").card


def test_other_settings_are_trained_again(
    trained: Trained, mini_data: DataSet, tmp_path: Path
) -> None:
    """What was trained with other settings does not count as finished."""
    out = tmp_path / "out"
    shutil.copytree(trained.out, out)
    told = run(settings_for(out, seed=5, refit=False), mini_data)
    assert "finished before" not in told
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


def test_help_is_instant_and_names_every_setting(run_command: RunCommand) -> None:
    """TensorFlow is not imported to answer --help."""
    started = time.perf_counter()
    finished = run_command("har-train", "--help")
    seconds = time.perf_counter() - started
    assert 0 == finished.returncode
    for name, field in TrainSettings.model_fields.items():
        assert f"--{(field.alias or name).replace('_', '-')} " in finished.stdout
    assert "most epochs (default: 15)" in finished.stdout
    assert seconds < 5


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--n-steps", "5"), "n_steps x n_length must be the window length, 128 samples"),
        (("--dropout", "1"), "dropout = '1': Input should be less than 1"),
        (("--units", "0"), "units = '0': Input should be greater than 0"),
        (("--epochs", "many"), "epochs = 'many': Input should be a valid integer"),
        (("--learning-rate", "nan"), "learning-rate = 'nan'"),
        (("--seed", "-1"), "seed = '-1': Input should be greater than or equal to 0"),
        (("--data", "nowhere"), "nowhere: no such zip or folder"),
        (("--from", "no.keras"), "--from needs recordings to learn from: --extra FILE"),
        (("--from", "no.keras", "--extra", "x"), "no.keras: is no model.keras of har-train"),
        (("--extra", "no.parquet"), "no.parquet: no such recording or folder"),
        (("--frame", "sideways"), "no frame 'sideways': it is one of landscape"),
    ],
)
def test_mistakes_end_in_one_line(
    flags: tuple[str, ...], message: str, run_command: RunCommand, mini_folder: Path
) -> None:
    """A wrong setting, or a file that is not there, is told in a line, with exit code 1."""
    if "--data" not in flags:
        flags = (*flags, "--data", str(mini_folder))
    finished = run_command("har-train", *flags, XDG_CACHE_HOME=str(mini_folder.parent))
    assert 1 == finished.returncode
    assert message in finished.stderr
    assert finished.stderr.startswith("har-train: ")
    assert 1 == finished.stderr.count("\n")


def test_setting_that_does_not_fit_the_data(
    mini_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is seen to be wrong only while training is told in a line too."""
    monkeypatch.chdir(tmp_path)  # away from a .env
    for name, value in (
        ("XDG_CACHE_HOME", str(tmp_path)),
        ("KERAS_BACKEND", "tensorflow"),
        (processes.LOG_LEVEL, "0"),
    ):
        monkeypatch.setenv(name, value)
    flags = ["--model", "lstm", "--data", str(mini_folder), "--validation-subjects", "6"]
    monkeypatch.setattr("sys.argv", ["har-train", *flags])
    with pytest.raises(SystemExit) as ended:
        train.main()
    assert (
        "har-train: validation_subjects must be less than the 6 training subjects, but is 6"
        == ended.value.code
    )


def test_settings_from_environment_and_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag goes before a HAR_* variable, and that before the default."""
    monkeypatch.setenv("FROM", "somebody@example.org")
    assert TrainSettings(_env_file=None, _cli_parse_args=[]).parent is None
    monkeypatch.setenv("HAR_FROM", "model.keras")
    assert Path("model.keras") == TrainSettings(_env_file=None, _cli_parse_args=[]).parent
    monkeypatch.setenv("HAR_EPOCHS", "3")
    monkeypatch.setenv("HAR_UNITS", "32")
    settings = TrainSettings(_env_file=None, _cli_parse_args=["--units", "16"])
    assert (3, 16, 64) == (settings.epochs, settings.units, settings.filters)


def test_without_tensorflow() -> None:
    """Where the extra is not installed the user is told how to get it."""
    code = (
        "import sys; sys.modules['tensorflow'] = None; sys.argv = ['har-train'];"
        "from trainer.commands.train import main; main()"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert 1 == finished.returncode
    assert (
        "har-train: tensorflow is not installed; pip install 'har-stream[train]'\n"
        == finished.stderr
    )


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
    told = []
    for seed in (None, 1, 1, 2):
        extra = None
        if seed is not None:
            path = record(tmp_path / f"own-{len(told)}", "JUMPING", seed=seed)
            extra = user_recordings.load([path], Placements())
        lines: list[str] = []
        experiment.run(settings.plan, mini_data, extra, progress=lines.append)
        told.append(any("finished before" in line for line in lines))
    assert [False, False, True, False] == told
