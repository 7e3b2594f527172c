import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pipeline.models.classifier import Classifier
from pipeline.recordings.uci_har import DataSet
from pipeline.vocabulary import ACTIVITIES
from tests.made_models import write_wearer_model
from tests.made_sets import write_set
from trainer import placement_report
from trainer.commands import evaluate
from trainer.data.published_wearers import frames_of
from trainer.errors import SettingError
from trainer.evaluation_report import EvaluationReport

MakeModel = Callable[..., Path]
MakeCard = Callable[..., dict[str, object]]
RunCommand = Callable[..., subprocess.CompletedProcess[str]]


def test_the_command_prints_and_writes_the_figures(
    run_command: RunCommand,
    mini_folder: Path,
    mini_data: DataSet,
    tiny_model: Path,
    make_model: MakeModel,
    make_card: MakeCard,
    tmp_path: Path,
) -> None:
    """Two models, and their mean: the figures are those of the labels that the models give."""
    other = make_model(tmp_path / "other.onnx", card=make_card(name="other"))
    finished = run_command(
        "har-evaluate",
        *(str(tiny_model), str(other), "--data", str(mini_folder), "--out", "found"),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    assert 0 == finished.returncode, finished.stderr
    report = json.loads((tmp_path / "found" / "evaluation.json").read_text())
    assert ["tiny@0badcafe", "other@0badcafe", "together"] == list(report["models"])
    probabilities = Classifier(tiny_model).classify(mini_data.test.windows)
    right = probabilities.argmax(axis=1) == mini_data.test.labels
    upright = np.isin(mini_data.test.labels, [3, 4])
    found = report["models"]["tiny@0badcafe"]
    assert right.mean() == pytest.approx(found["accuracy"])
    assert right[upright].mean() == pytest.approx(found["sitting_standing"])
    of_true = probabilities[np.arange(len(right)), mini_data.test.labels]
    assert -np.log(of_true).mean() == pytest.approx(found["log_loss"], rel=1e-5)
    assert found["interval"][0] <= found["accuracy"] <= found["interval"][1]
    assert 48 == np.sum(found["confusion_matrix"]) == sum(found["reliability"]["windows"])
    turned = {"rotated": 0.0, "streamed": 0.0}
    assert found | turned == report["models"]["together"] | turned
    assert mini_data.data_hash == report["data"]["hash"]
    assert f"data hash {mini_data.data_hash} (not the published data set)" in finished.stdout
    assert f"{right.mean():.4f}" in finished.stdout
    assert evaluate.source_commit() == report["commit"]


def test_models_for_phones_worn_alike_go_together(
    tiny_model: Path,
    make_model: MakeModel,
    make_card: MakeCard,
    mini_data: DataSet,
    tmp_path: Path,
) -> None:
    """Those for upright phones, and those for any; one alone is not together with anything."""
    files = [tiny_model] + [
        make_model(tmp_path / f"{name}.onnx", card=make_card(name=name, orientation=orientation))
        for name, orientation in (("b", "training"), ("c-any", "any"), ("d-any", "any"))
    ]
    classifiers = [Classifier(file) for file in files]

    def found(chosen: list[Classifier]) -> list[str]:
        return [one.identity for one in evaluate.evaluate(chosen, mini_data.test, seed=1)]

    identities = [classifier.card.identity for classifier in classifiers]
    assert [*identities, "together", "together-any"] == found(classifiers)
    assert [*identities[:3], "together"] == found(classifiers[:3])


def test_rotated_windows_are_those_of_rotated_phones(
    glass_model: Path, mini_data: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each window has another rotation: lengths stay, directions do not."""
    classified = []
    glass = Classifier(glass_model)

    def classify(windows: np.ndarray, frames: np.ndarray | None = None) -> np.ndarray:
        classified.append(windows)
        return np.full((len(windows), len(ACTIVITIES)), 1 / len(ACTIVITIES), np.float32)

    monkeypatch.setattr(glass, "classify", classify)
    monkeypatch.setattr(Classifier, "activities", ACTIVITIES)
    evaluate.evaluate([glass], mini_data.test, seed=1)
    upright, rotated, streamed = (windows.reshape(len(windows), -1, 3) for windows in classified)
    np.testing.assert_array_equal(upright.reshape(-1, 128, 9), mini_data.test.windows)
    np.testing.assert_allclose(
        np.linalg.norm(rotated, axis=2), np.linalg.norm(upright, axis=2), atol=1e-5
    )
    cosines = (rotated[:, 2] * upright[:, 2]).sum(axis=1) / (upright[:, 2] ** 2).sum(axis=1)
    assert -0.4 < cosines.mean() < 0.4
    assert cosines.std() > 0.4
    for subject in np.unique(mini_data.test.subjects):
        some = mini_data.test.subjects == subject
        rotation, *_ = np.linalg.lstsq(upright[some][0], streamed[some][0])
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-4)
        np.testing.assert_allclose(upright[some] @ rotation, streamed[some], atol=1e-4)


def test_a_model_is_given_the_frames_of_streamed_windows(
    mini_data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are those of the rotated windows, in their order; otherwise nothing is known."""
    model = Classifier(write_wearer_model(tmp_path / "wearer.onnx"))
    given = []

    def classify(windows: np.ndarray, frames: np.ndarray | None = None) -> np.ndarray:
        given.append((windows, frames))
        return np.full((len(windows), len(ACTIVITIES)), 1 / len(ACTIVITIES), np.float32)

    monkeypatch.setattr(model, "classify", classify)
    monkeypatch.setattr(Classifier, "activities", ACTIVITIES)
    evaluate.evaluate([model], mini_data.test, seed=1)
    (_, first), (_, second), (windows, frames) = given
    assert (None, None) == (first, second)
    expected = frames_of(replace(mini_data.test, windows=windows))
    np.testing.assert_array_equal(expected, frames)


def test_placement_sets_are_evaluated_on(
    run_command: RunCommand, mini_folder: Path, tiny_model: Path, tmp_path: Path
) -> None:
    """Their table is printed, and in the report."""
    write_set(tmp_path / "sets" / "Made", ("s1",), seconds=9.0)
    finished = run_command(
        "har-evaluate",
        *(str(tiny_model), "--data", str(mini_folder), "--placements", "sets"),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    assert 0 == finished.returncode, finished.stderr
    report = msgspec.json.decode(
        (tmp_path / "out" / "evaluation.json").read_bytes(), type=EvaluationReport
    )
    assert ["Made"] == [one.name for one in report.placements]
    assert placement_report.table(report.placements) in finished.stdout
    refused = run_command(
        "har-evaluate",
        *(str(tiny_model), "--data", str(mini_folder), "--placements", "nowhere"),
    )
    assert (1, "har-evaluate: nowhere: no such folder\n") == (refused.returncode, refused.stderr)


def test_models_of_other_activities(
    make_model: MakeModel, make_card: MakeCard, tiny_model: Path, tmp_path: Path, mini_data: DataSet
) -> None:
    """What further activities take is lost to a model; others than the data set's are refused."""
    more = make_model(
        tmp_path / "more.onnx",
        card=make_card(name="more", activities=(*ACTIVITIES, "CYCLING")),
        n_activities=7,
    )
    few = make_model(
        tmp_path / "few.onnx", card=make_card(activities=ACTIVITIES[1:]), n_activities=5
    )
    (found,) = evaluate.evaluate([Classifier(more)], mini_data.test, seed=1)
    labels = Classifier(more).classify(mini_data.test.windows).argmax(axis=1)
    assert np.mean(labels == mini_data.test.labels) == found.scores.accuracy
    assert "CYCLING" == found.activities[6]
    with pytest.raises(SettingError, match="the data set has WALKING, "):
        evaluate.evaluate([Classifier(few)], mini_data.test, seed=1)
    with pytest.raises(SettingError, match="evaluate them one by one"):
        evaluate.evaluate([Classifier(more), Classifier(tiny_model)], mini_data.test, seed=1)


def test_what_the_command_cannot_use(
    run_command: RunCommand, mini_folder: Path, tmp_path: Path
) -> None:
    """A model that there is not is named in a line."""
    finished = run_command("har-evaluate", "nothing.onnx", "--data", str(mini_folder))
    assert 1 == finished.returncode
    assert finished.stderr.startswith("har-evaluate: no model 'nothing.onnx'")


def test_the_commit_is_the_checkouts() -> None:
    """It is what git says of the folder; outside a checkout there is none."""
    file = Path(evaluate.__file__)

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["git", "-C", str(file.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    commit = evaluate.source_commit()
    if git("ls-files", "--error-unmatch", file.name).returncode != 0:
        assert commit is None
    else:
        assert commit is not None
        assert git("rev-parse", "HEAD").stdout.strip() == commit.removesuffix("-dirty")
