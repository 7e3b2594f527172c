import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest

from pipeline.models.classifier import Classifier
from pipeline.recordings.datasets import FOLDER_VARIABLE
from pipeline.recordings.recording import DataError
from pipeline.recordings.uci_har import load
from tests.made_sets import write_set
from trainer.commands import train
from trainer.commands.train_settings import TrainSettings
from trainer.training import processes
from trainer.training.fitted import probabilities

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
    line = "har-train: stopped; the same command goes on after the last finished seed"
    assert line == training.log.splitlines()[-1]
    deadline = time.monotonic() + 30
    while running := [entry for entry in Path("/proc").glob("[0-9]*") if _in(entry, tmp_path)]:
        assert time.monotonic() < deadline, running
        time.sleep(0.05)


def _in(process: Path, folder: Path) -> bool:
    """Return whether a process works in a folder."""
    try:
        return (process / "cwd").readlink() == folder
    except OSError:  # it has ended
        return False


def test_without_the_raw_recordings(
    run_command: RunCommand, mini_folder: Path, tmp_path: Path
) -> None:
    """The published windows take their place, with a warning; --recipe raw is refused."""
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


def test_placement_sets_are_found_beside_the_data(
    mini_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Those named are left out, which have to be there; without any there is a warning."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    settings = partial(TrainSettings, _env_file=None, _cli_parse_args=False, data=tmp_path)
    assert () == train._placement_sets(settings(), progress=print)
    assert "WARNING: there are no placement sets" in capsys.readouterr().out
    for name in ("Made_pocket", "Other"):
        write_set(tmp_path / "placements" / name, ("s1",))
    for without, names in ((["Made"], ["Other"]), ([], ["Made_pocket", "Other"])):
        found = train._placement_sets(settings(without=without), progress=print)
        assert names == [one.name for one in found]
    with pytest.raises(DataError, match="no set Mad to leave out; there are Made_pocket, Other"):
        train._placement_sets(settings(without=["Mad"]), progress=print)
    assert () == train._placement_sets(settings(model="lstm"), progress=print)
    assert "" == capsys.readouterr().out


def test_help_is_instant_and_names_every_setting(run_command: RunCommand) -> None:
    """TensorFlow is not imported to answer --help."""
    started = time.perf_counter()
    finished = run_command("har-train", "--help")
    seconds = time.perf_counter() - started
    assert 0 == finished.returncode
    for name, field in TrainSettings.model_fields.items():
        flag = (field.alias or name).replace("_", "-")
        assert re.search(rf"--(\[no-\])?{flag} ", finished.stdout)
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
        (("--placements", "nowhere"), "nowhere: no such folder"),
        (("--without", "Made"), "there are no placement sets to leave Made out of: name their"),
        (("--frame", "sideways"), "no frame 'sideways': it is one of landscape"),
    ],
)
def test_mistakes_end_in_one_line(
    flags: tuple[str, ...], message: str, run_command: RunCommand, mini_folder: Path
) -> None:
    """A wrong setting, or a missing file, ends the command with one line and exit code 1."""
    if "--data" not in flags:
        flags = (*flags, "--data", str(mini_folder))
    folder = str(mini_folder.parent)
    finished = run_command("har-train", *flags, XDG_CACHE_HOME=folder, HAR_DATA_DIR=folder)
    assert 1 == finished.returncode
    assert message in finished.stderr
    assert finished.stderr.startswith("har-train: ")
    assert 1 == finished.stderr.count("\n")


def test_setting_that_does_not_fit_the_data(
    mini_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does a mistake that shows only while training."""
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


def test_without_tensorflow() -> None:
    """Where the extra is not installed, the command says how to install it."""
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
