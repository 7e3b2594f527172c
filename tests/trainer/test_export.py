from pathlib import Path

import keras
import msgspec
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from pipeline.models.card import CARD_KEY, ModelCard
from pipeline.models.classifier import Classifier
from pipeline.models.trial import trial_frames
from pipeline.recognition.wearer.frame import COLUMNS
from pipeline.recordings.uci_har import DataSet
from pipeline.vocabulary import ACTIVITIES, ANY, FAMILIES, SHIPPED_MODELS
from trainer.data_sets import UCI_HAR_LICENCE
from trainer.export import (
    TOLERANCE,
    WEARER_TOLERANCE,
    ExportError,
    export,
    make_card,
    version,
)
from trainer.networks import any_models
from trainer.networks.models import BUILDERS
from trainer.networks.options import Sizes
from trainer.networks.plain import PLAIN_BUILDERS
from trainer.selection.shipped import recipe_for
from trainer.training.fitted import probabilities

pytestmark = pytest.mark.train


NAMES = [*SHIPPED_MODELS, *(f"plain-{name}" for name in PLAIN_BUILDERS)]


@pytest.fixture(scope="module")
def windows(mini_data: DataSet) -> NDArray[np.float32]:
    """Windows to try an export with."""
    return mini_data.test.windows


@pytest.fixture(scope="module")
def models(mini_data: DataSet, small: Sizes) -> dict[str, keras.Model]:
    """The models that ship and the plain forms, these small, all untrained."""
    keras.utils.set_random_seed(3)
    windows = mini_data.train.windows
    plain = {f"plain-{name}": build(windows, 6, small) for name, build in PLAIN_BUILDERS.items()}
    at_waist = {name: BUILDERS[name](windows, 6, recipe_for(name).view) for name in FAMILIES}
    return plain | at_waist | {name + ANY: any_models.build(name, 6) for name in FAMILIES}


def card_of(model: keras.Model, name: str) -> ModelCard:
    """Return a card for a model that was never trained."""
    return make_card(
        model,
        name=name,
        activities=ACTIVITIES,
        data_hash="0123456789abcdef",
        seed=3,
        test_accuracy=0.25,
        selection="not trained",
    )


def test_the_card_tells_how_phones_are_worn(models: dict[str, keras.Model]) -> None:
    """A model for phones worn any way round says so, that it takes frames, and of which rate."""
    for name in SHIPPED_MODELS:
        expected = ("any", COLUMNS, 19.0) if name.endswith(ANY) else ("training", (), 30.0)
        card = card_of(models[name], name)
        assert expected == (card.orientation, card.wearer, card.needed_rate_hz)


def export_as(name: str, model: keras.Model, path: Path, windows: NDArray[np.float32]) -> None:
    """Export a model under a name, tried with ``windows``."""
    export(
        model,
        path,
        card=card_of(model, name),
        windows=windows,
        reference=probabilities(model, windows),
    )


@pytest.fixture(scope="module")
def exported(
    models: dict[str, keras.Model],
    windows: NDArray[np.float32],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Folder that holds the models as ONNX files."""
    folder = tmp_path_factory.mktemp("exported")
    for name, model in models.items():
        export_as(name, model, folder / f"{name}.onnx", windows)
    return folder


def test_nothing_but_the_models_is_left(exported: Path) -> None:
    """The folder holds no unfinished files."""
    names = [path.name for path in exported.iterdir()]
    assert sorted(f"{name}.onnx" for name in NAMES) == sorted(names)


@pytest.mark.parametrize("name", NAMES)
def test_exported_model_is_the_keras_model(
    name: str, exported: Path, models: dict[str, keras.Model], windows: NDArray[np.float32]
) -> None:
    """The pipeline's classifier gives Keras' probabilities at any batch size."""
    atol = WEARER_TOLERANCE if name.endswith(ANY) else TOLERANCE
    for frames in trial_frames(len(windows)):
        expected = probabilities(models[name], windows, frames)
        for batch_size in (1, 7, 64):
            classifier = Classifier(exported / f"{name}.onnx", batch_size=batch_size)
            np.testing.assert_allclose(classifier.classify(windows, frames), expected, atol=atol)


@pytest.mark.parametrize("name", NAMES)
def test_graphs_are_those_that_run_fast(name: str, exported: Path) -> None:
    """The LSTM is one fused node, that of the plain ConvLSTM unrolled, the batch is open."""
    graph = onnx.load(exported / f"{name}.onnx").graph
    types = [node.op_type for node in graph.node]
    assert (0 if name == "plain-conv-lstm" else 1) == types.count("LSTM")
    assert 0 == types.count("Loop") + types.count("Scan") + types.count("BatchNormalization")
    for node in (*graph.input, *graph.output):
        assert "batch" == node.type.tensor_type.shape.dim[0].dim_param


@pytest.mark.parametrize("name", NAMES)
def test_file_holds_the_weights_once_and_nothing_of_this_machine(
    name: str, exported: Path, models: dict[str, keras.Model]
) -> None:
    """Its size is that of the weights and some more, and it names no folder."""
    content = (exported / f"{name}.onnx").read_bytes()
    weights = 4 * models[name].count_params()
    assert weights <= len(content) <= weights + 128 * 1024
    for place in (exported, Path.home(), Path(__file__).parents[2], Path(keras.__file__).parent):
        assert str(place).encode() not in content


def test_card_in_the_file(exported: Path, models: dict[str, keras.Model]) -> None:
    """The card tells what the model is, what it takes and gives, and what it may be used for."""
    entries = {entry.key: entry.value for entry in onnx.load(exported / "lstm.onnx").metadata_props}
    assert {
        "name": "lstm",
        "version": version(models["lstm"]),
        "activities": list(ACTIVITIES),
        "channels": [
            *("body_acc_x", "body_acc_y", "body_acc_z"),
            *("body_gyro_x", "body_gyro_y", "body_gyro_z"),
            *("total_acc_x", "total_acc_y", "total_acc_z"),
        ],
        "units": ["g"] * 3 + ["rad/s"] * 3 + ["g"] * 3,
        "sampling_rate_hz": 50.0,
        "window_length": 128,
        "training_data_hash": "0123456789abcdef",
        "seed": 3,
        "test_accuracy": 0.25,
        "selection": "not trained",
        "licence": UCI_HAR_LICENCE,
    } == msgspec.json.decode(entries[CARD_KEY])
    assert "prohibits commercial use" in UCI_HAR_LICENCE
    assert "Anguita" in UCI_HAR_LICENCE


def test_version_is_that_of_the_weights(models: dict[str, keras.Model], small: Sizes) -> None:
    """The same weights have the same version, and any other weight gives another."""
    model = keras.models.clone_model(models["lstm"])
    model.set_weights(models["lstm"].get_weights())
    before = version(model)
    weights = model.get_weights()
    weights[-1][0] += 1e-6
    model.set_weights(weights)
    assert version(models["lstm"]) == before != version(model)
    assert 8 == len(before)
    int(before, 16)


@pytest.mark.parametrize("older", [None, b"an older model"])
def test_other_probabilities_leave_no_file(
    older: bytes | None,
    models: dict[str, keras.Model],
    windows: NDArray[np.float32],
    tmp_path: Path,
) -> None:
    """A file whose probabilities are not Keras' is not kept, and an older one stays."""
    model, path = models["lstm"], tmp_path / "model.onnx"
    if older is not None:
        path.write_bytes(older)
    reference = probabilities(model, windows)
    reference[-1, 0] += 2e-5
    with pytest.raises(ExportError, match="differ from Keras' by 2e-05, more than 1e-05"):
        export(model, path, card=card_of(model, "lstm"), windows=windows, reference=reference)
    assert ([] if older is None else [path]) == list(tmp_path.iterdir())
    assert older is None or older == path.read_bytes()


def test_other_labels_leave_no_file(
    models: dict[str, keras.Model], windows: NDArray[np.float32], tmp_path: Path
) -> None:
    """A label may not differ even where the probabilities hardly do."""
    model = keras.models.clone_model(models["lstm"])
    weights = models["lstm"].get_weights()
    weights[-2][:] = 0  # the last layer says the same of every window,
    weights[-1][:] = [2, 2 - 2e-6, 0, 0, 0, 0]  # that two activities are all but equally likely
    model.set_weights(weights)
    reference = probabilities(model, windows)
    reference[:, [0, 1]] = reference[:, [1, 0]]
    with pytest.raises(ExportError, match="labels 48 windows otherwise than Keras"):
        export(
            model,
            tmp_path / "model.onnx",
            card=card_of(model, "lstm"),
            windows=windows,
            reference=reference,
        )
    assert [] == list(tmp_path.iterdir())


def test_weights_that_are_no_numbers(
    models: dict[str, keras.Model], windows: NDArray[np.float32], tmp_path: Path
) -> None:
    """NaN is not taken for equal to NaN."""
    model = keras.models.clone_model(models["lstm"])
    model.set_weights([np.full_like(weights, np.nan) for weights in model.get_weights()])
    with pytest.raises(ExportError, match="differ from Keras' by nan"):
        export_as("lstm", model, tmp_path / "model.onnx", windows)


def test_lstm_that_is_not_fused(
    models: dict[str, keras.Model], windows: NDArray[np.float32], tmp_path: Path
) -> None:
    """A model that calls itself an LSTM must hold the fused node."""
    with pytest.raises(ExportError, match="the graph of lstm holds no fused LSTM node"):
        export_as("lstm", models["plain-conv-lstm"], tmp_path / "model.onnx", windows)


def test_conv_lstm_that_is_not_unrolled(windows: NDArray[np.float32], tmp_path: Path) -> None:
    """A loop in the graph is refused: it runs at a fifth of the speed."""
    model = keras.Sequential(
        [
            keras.Input((128, 9), name="window"),
            keras.layers.Reshape((4, 1, 32, 9)),
            keras.layers.ConvLSTM2D(2, (1, 3), unroll=False),
            keras.layers.Flatten(),
            keras.layers.Dense(6, activation="softmax"),
        ]
    )
    with pytest.raises(ExportError, match="the graph of conv-lstm holds Loop"):
        export_as("conv-lstm", model, tmp_path / "model.onnx", windows)
    assert [] == list(tmp_path.iterdir())


def test_model_of_another_shape(windows: NDArray[np.float32], tmp_path: Path) -> None:
    """What the pipeline would refuse is refused at the export."""
    model = keras.Sequential(
        [keras.Input((128, 9)), keras.layers.LSTM(4), keras.layers.Dense(5, activation="softmax")]
    )
    with pytest.raises(ExportError, match="the pipeline rejects the exported model"):
        export_as("lstm", model, tmp_path / "model.onnx", windows)
    assert [] == list(tmp_path.iterdir())
