"""Models for any place on the body: from placement sets to the file that the pipeline runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.models.classifier import Classifier
from pipeline.models.trial import trial_frames
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.wearer.frame import COLUMNS
from pipeline.recordings import placement_sets, simulated
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.recordings.placement_sets import PlacementSet
from pipeline.recordings.recording import Recording
from pipeline.recordings.uci_har import DataSet
from pipeline.vocabulary import ACTIVITIES
from tests.made_sets import LICENCE, write_set
from tests.trainer.recorded import record
from trainer import experiment, fine_tuning, material
from trainer.choice_sentence import sentence
from trainer.commands.train_settings import TrainSettings
from trainer.data import user_recordings
from trainer.data.raw_recordings import RawRecordings
from trainer.export import load_with_card
from trainer.records import SeedRecord
from trainer.training.fitted import probabilities
from trainer.training.recipe import PlacementRecipe, Schedule

pytestmark = [
    pytest.mark.train,
    # Keras 3.15 with TensorFlow 2.21 and NumPy 2.4 warns so whenever it saves a model.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),
]

MODEL = "cnn-lstm-any"


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """A recipe that takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (experiment, material):
            patch.setattr(
                module,
                "placement_recipe_for",
                lambda model: PlacementRecipe(schedule=Schedule(epochs=1, batch_size=16), steps=2),
            )
        yield


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> list[PlacementSet]:
    """Two sets, of two people and one."""
    folder = tmp_path_factory.mktemp("placements")
    write_set(folder / "Made_pocket", ("s1", "s2"), seconds=9.0)
    write_set(folder / "Other", ("s1",), seconds=9.0)
    return placement_sets.find(folder)


@pytest.fixture(scope="module")
def raw() -> RawRecordings:
    """The recordings of two people at the waist."""
    return RawRecordings(
        [
            Recording(
                one.device, one.stretches, person=str(number), worn_at="waist", data_set="HAPT"
            )
            for number, one in enumerate(simulated.recordings(2, seconds=20), start=1)
        ],
        "0123456789abcdef",
    )


def settings_for(out: Path, **changes: object) -> TrainSettings:
    """Return settings that train one model for any place on the body."""
    return TrainSettings(_env_file=None, _cli_parse_args=False, out=out, model=MODEL, **changes)


@pytest.fixture(scope="module")
def trained(
    mini_data: DataSet,
    sets: list[PlacementSet],
    raw: RawRecordings,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, list[str]]:
    """The folder of such a model, and the lines on its progress."""
    out = tmp_path_factory.mktemp("trained") / "out"
    lines: list[str] = []
    experiment.run(settings_for(out).plan, mini_data, raw=raw, sets=sets, progress=lines.append)
    return out, lines


def test_the_pipeline_takes_the_model(trained: tuple[Path, list[str]], mini_data: DataSet) -> None:
    """It has seven activities, takes the wearers' frames, and gives what Keras gives."""
    classifier = Classifier(trained[0] / f"{MODEL}.onnx")
    classifier.check_answers()
    card = classifier.card
    assert (PLACEMENT_ACTIVITIES, COLUMNS, "any") == (
        card.activities, card.wearer, card.orientation
    )  # fmt: skip
    model, card_in_keras = load_with_card(trained[0] / MODEL / "model.keras")
    assert card == card_in_keras
    windows = mini_data.test.windows
    found = [classifier.classify(windows)]
    for frames in trial_frames(len(windows)):
        found.append(classifier.classify(windows, frames))
        np.testing.assert_allclose(probabilities(model, windows, frames), found[-1], atol=1e-4)
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[1], found[2])
    np.testing.assert_allclose(probabilities(model, windows), found[0], atol=1e-4)
    accuracy = np.mean(found[0].argmax(axis=1) == mini_data.test.labels)
    assert card.test_accuracy == pytest.approx(accuracy)


def test_the_card_and_the_report_name_all_data_sets(
    trained: tuple[Path, list[str]], sets: list[PlacementSet], mini_data: DataSet
) -> None:
    """Each with its licence and hash; the licence of the weights and the sentence do so, too."""
    out, lines = trained
    card = Classifier(out / f"{MODEL}.onnx").card
    hashes = ["0123456789abcdef", mini_data.data_hash, *(one.data_hash for one in sets)]
    assert ["HAPT", "UCI HAR", "Made_pocket", "Other"] == [one.name for one in card.data_sets]
    assert hashes == [one.hash for one in card.data_sets]
    assert [LICENCE] * 2 == [one.licence for one in card.data_sets[2:]]
    assert "+".join(hashes[1:]) == card.training_data_hash
    assert card.licence.endswith(f"Made_pocket: {LICENCE}; Other: {LICENCE}")
    assert (
        "windows of the raw recordings and published windows of 6 training subjects at the waist "
        "and of the people of Made_pocket, Other, with the wearer's frame"
    ) in card.selection
    report = json.loads((out / MODEL / "report.json").read_text())
    assert hashes == [one["hash"] for one in report["data_sets"]]
    assert list(PLACEMENT_ACTIVITIES) == report["activities"]
    tried = {(row["model"], row["frame"]) for row in report["cross_validation"]["tried"]}
    assert {(MODEL.removesuffix("-any"), frame) for frame in ("known", "unknown")} == tried
    assert f"placement set Made_pocket, hash {hashes[2]}: licence {LICENCE}" in lines


def test_a_training_with_other_sets_is_another(
    trained: tuple[Path, list[str]],
    mini_data: DataSet,
    raw: RawRecordings,
    sets: list[PlacementSet],
) -> None:
    """What was finished goes on only with the same sets."""
    plan = settings_for(trained[0]).plan
    recipes = [
        material.Material(plan, mini_data, None, raw, some, print).recipe(MODEL)
        for some in (sets, sets[:1], ())
    ]
    assert {"Made_pocket": sets[0].data_hash} == recipes[1]["placements"]
    assert 3 == len({json.dumps(recipe) for recipe in recipes})
    at_waist = [
        material.Material(plan, mini_data, None, raw, some, print).recipe("lstm")
        for some in (sets, ())
    ]
    assert at_waist[0] == at_waist[1]
    finished = [
        experiment._finished(
            material.Material(plan, mini_data, None, raw, some, print),
            experiment.Training(MODEL, 1),
        )
        for some in (sets, sets[:1])
    ]
    assert [True, False] == [one is not None for one in finished]


def test_without_sets_and_raw_recordings(mini_data: DataSet, tmp_path: Path) -> None:
    """The published windows are learnt from alone, and the user's recordings, as of people."""
    extra = user_recordings.load([record(tmp_path / "own", "JUMPING")], Placements())
    plan = settings_for(tmp_path / "out").plan
    given = material.Material(plan, mini_data, extra, RawRecordings(), (), print)
    assert (*PLACEMENT_ACTIVITIES, "JUMPING") == given.activities(MODEL)
    assert (*ACTIVITIES, "JUMPING") == given.activities("lstm")
    assert f"{mini_data.data_hash}+{extra.data_hash}" == given.data_hash(MODEL)
    assert ["UCI HAR"] == [one.name for one in given.data_sets(MODEL)]
    people = {person.person: person for person in given.people_anywhere()}
    assert {"1", "3", "5", "6", "7", "8", "user recordings/mine"} == set(people)
    of_user = people["user recordings/mine"]
    assert {len(PLACEMENT_ACTIVITIES)} == set(of_user.labels[of_user.is_settled].tolist())
    seed = SeedRecord(
        recipe={},
        seed=1,
        epochs=1,
        held_out_subjects=(),
        selection={},
        refit=None,
        parameters=1,
        confusion_matrix=[],
        seconds=1.0,
    )
    told = sentence(MODEL, seed, given)
    assert told.startswith("published windows of 6 training subjects at the waist, of no other pla")
    assert told.endswith(f"also user recordings, {extra.summary()}")


def test_fine_tuning_gives_a_model_of_the_same_form(
    trained: tuple[Path, list[str]],
    mini_data: DataSet,
    sets: list[PlacementSet],
    tmp_path: Path,
) -> None:
    """It takes the wearers' frames still, and names the data sets of its parent, and others."""
    parent = trained[0] / MODEL / "model.keras"
    settings = TrainSettings(
        _env_file=None,
        _cli_parse_args=False,
        out=tmp_path,
        extra=[record(tmp_path / "own", "JUMPING")],
        tuning_epochs=1,
        parent=parent,
    )
    write_set(tmp_path / "More", ("s3",), seconds=9.0)
    more = [sets[0], placement_sets.open_set(tmp_path / "More")]
    lines: list[str] = []
    fine_tuning.run(
        settings.fine_tuning(parent),
        mini_data,
        Placements(),
        find_sets=lambda: more,
        progress=lines.append,
    )
    card = Classifier(tmp_path / f"{MODEL}-tuned.onnx").card
    before = Classifier(trained[0] / f"{MODEL}.onnx").card
    assert (*PLACEMENT_ACTIVITIES, "JUMPING") == card.activities
    assert (COLUMNS, before.data_sets) == (card.wearer, card.data_sets[:-1])
    assert ("More", f"{before.licence}; More: {LICENCE}") == (card.data_sets[-1].name, card.licence)
    assert "mixed with the training windows of UCI HAR, windows of Made_pocket" in card.selection
    assert not any("WARNING" in line for line in lines)


def test_fine_tuning_without_placement_sets(
    trained: tuple[Path, list[str]], mini_data: DataSet, tmp_path: Path
) -> None:
    """A warning says what a model for any place may forget."""

    class HeardError(Exception):
        """The warning came."""

    def heard(line: str) -> None:
        if "WARNING" in line:
            raise HeardError(line)

    plan = settings_for(tmp_path, extra=[record(tmp_path / "own", "JUMPING")]).fine_tuning(
        trained[0] / MODEL / "model.keras"
    )
    with pytest.raises(HeardError, match="the model may forget what it knows of other places"):
        fine_tuning.run(plan, mini_data, Placements(), progress=heard)
