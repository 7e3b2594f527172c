"""From a Keras model to the ONNX file that the pipeline runs.

The file is there only if it keeps the contract: the pipeline's own classifier gives the
probabilities that Keras gave, and the graph is one that onnxruntime runs fast.
"""

import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Final

import keras
import msgspec
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from pipeline.atomic_file import replacing_path
from pipeline.models.card import CARD_KEY, ModelCard, ModelError
from pipeline.models.classifier import INPUT_NAME, OUTPUT_NAME, WEARER_NAME, Classifier
from pipeline.models.trained_on import TrainedOn
from pipeline.models.trial import trial_frames
from pipeline.recognition.preparation.pace import NEEDED_RATE_HZ
from pipeline.recognition.wearer.frame import COLUMNS
from pipeline.vocabulary import ANY, CHANNELS, SAMPLING_RATE_HZ, UNITS, WINDOW_LENGTH
from trainer.data_sets import UCI_HAR_LICENCE
from trainer.errors import SettingError
from trainer.graph.faster import faster
from trainer.networks import wearer_views
from trainer.training.fitted import probabilities, takes_wearer

OPSET: Final = 18
"""The newest that tf2onnx 1.17 writes."""

TOLERANCE: Final = 1e-5
"""Most that a probability may differ from that of Keras."""
WEARER_TOLERANCE: Final = 1e-4
"""The same for a model that takes the wearer's frame: it sees a resting body's movements magnified,
and with them how TensorFlow and onnxruntime round, by up to 4e-5"""

_SPARE_BYTES: Final = 256 * 1024
"""Most that a file may hold beside its weights: the graph's nodes, the card."""

_VERSION_DIGITS: Final = 8

_CARD_FILE: Final = f"{CARD_KEY}.json"
"""Name of the card in a Keras file, which is a zip and may hold more than Keras puts there."""


class ExportError(Exception):
    """The model does not keep the contract between trainer and pipeline; no file was written."""


def make_card(
    model: keras.Model,
    *,
    name: str,
    activities: tuple[str, ...],
    data_hash: str,
    seed: int,
    test_accuracy: float,
    selection: str,
    licence: str = UCI_HAR_LICENCE,
    data_sets: tuple[TrainedOn, ...] = (),
    parent: str | None = None,
) -> ModelCard:
    """Return the card of a model; the arguments are the card's own fields."""
    return ModelCard(
        name=name,
        version=version(model),
        activities=activities,
        channels=CHANNELS,
        units=UNITS,
        sampling_rate_hz=SAMPLING_RATE_HZ,
        window_length=WINDOW_LENGTH,
        training_data_hash=data_hash,
        seed=seed,
        test_accuracy=test_accuracy,
        selection=selection,
        licence=licence,
        orientation="any" if name.endswith(ANY) else "training",
        wearer=COLUMNS if takes_wearer(model) else (),
        data_sets=data_sets,
        needed_rate_hz=wearer_views.NEEDED_RATE_HZ if takes_wearer(model) else NEEDED_RATE_HZ,
        parent=parent,
    )


def version(model: keras.Model) -> str:
    """Return the first eight hexadecimal digits of the SHA-256 of the weights."""
    digest = sha256()
    for weights in model.get_weights():
        digest.update(np.ascontiguousarray(weights, "<f4").tobytes())
    return digest.hexdigest()[:_VERSION_DIGITS]


def export_both(
    model: keras.Model,
    onnx_file: Path,
    keras_file: Path,
    *,
    card: ModelCard,
    windows: NDArray[np.float32],
) -> None:
    """Write the model with its card for the pipeline, and as a Keras file for fine-tuning.

    ``windows`` ``(n_windows, 128, 9)`` are those that the ONNX file is tried with; of every second
    one's wearer all is known, of the others nothing.

    Raises:
        ExportError: the ONNX file would not keep the contract.
    """
    frames, known = trial_frames(len(windows))
    frames[1::2] = known[1::2]
    reference = probabilities(model, windows, frames)
    export(model, onnx_file, card=card, windows=windows, wearer_frames=frames, reference=reference)
    save_with_card(model, keras_file, card=card)


def save_with_card(model: keras.Model, path: Path, *, card: ModelCard) -> None:
    """Write the model with its card as a Keras file, whole or not at all."""
    with replacing_path(path) as unfinished:
        model.save(unfinished)
        with zipfile.ZipFile(unfinished, "a") as archive:
            archive.writestr(_CARD_FILE, msgspec.json.encode(card))


def load_with_card(path: Path) -> tuple[keras.Model, ModelCard]:
    """Return the model and the card in a Keras file of `save_with_card`.

    Raises:
        SettingError: the file is missing, damaged, or was not written so.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            card = msgspec.json.decode(archive.read(_CARD_FILE), type=ModelCard)
        return keras.saving.load_model(path), card
    except KeyError as error:
        raise SettingError(
            f"{path}: has no model card: train it anew and give its model.keras"
        ) from error
    except (OSError, ValueError, zipfile.BadZipFile, msgspec.MsgspecError) as error:
        raise SettingError(f"{path}: is no model.keras of har-train: {error}") from error


def export(
    model: keras.Model,
    path: Path,
    *,
    card: ModelCard,
    windows: NDArray[np.float32],
    reference: NDArray[np.float32],
    wearer_frames: NDArray[np.float32] | None = None,
) -> None:
    """Write the model with its card as the ONNX file ``path``.

    Args:
        model: takes windows, and wearers' frames perhaps; gives probabilities.
        path: the file; replaced only by one that keeps the contract.
        card: goes into the file's metadata.
        windows: ``(n_windows, 128, 9)``, what the file is tried with: the whole test split.
        reference: ``(n_windows, n_activities)``, the probabilities that Keras gives for them.
        wearer_frames: ``(n_windows, 10)``, what a model that takes them is tried with.

    Raises:
        ExportError: the file would not keep the contract.
    """
    onnx_model = _convert(model, card)
    _check_nodes(onnx_model, card.name)
    _check_size(onnx_model, model.count_params())
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_path(path) as unfinished:
        onnx.save_model(onnx_model, unfinished)
        try:
            classifier = Classifier(unfinished)
        except ModelError as error:
            raise ExportError(f"the pipeline rejects the exported model: {error}") from error
        tolerance = WEARER_TOLERANCE if card.wearer else TOLERANCE
        _check_same(classifier.classify(windows, wearer_frames), reference, tolerance)


def _convert(model: keras.Model, card: ModelCard) -> onnx.ModelProto:
    shape = (None, card.window_length, len(card.channels))
    signature = [tf.TensorSpec(shape, tf.float32, name=INPUT_NAME)]
    if card.wearer:
        signature.append(tf.TensorSpec((None, len(card.wearer)), tf.float32, name=WEARER_NAME))

    def answer(window: tf.Tensor, wearer: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        inputs = window if wearer is None else [window, wearer]
        return {OUTPUT_NAME: model(inputs, training=False)}

    function = tf.function(answer, input_signature=signature)
    # Keras' own model.export and tf2onnx's from_keras fail on models of Keras 3.
    onnx_model: onnx.ModelProto
    onnx_model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    for node in (*onnx_model.graph.input, *onnx_model.graph.output):
        batch = node.type.tensor_type.shape.dim[0]
        if batch.HasField("dim_value"):
            raise ExportError(f"{node.name}: the graph fixes the batch to {batch.dim_value}")
        batch.dim_param = "batch"
    # The names that the converter gives count its calls within the process.
    onnx_model.graph.name = card.name
    onnx_model.graph.doc_string = ""
    entry = onnx_model.metadata_props.add()
    entry.key, entry.value = CARD_KEY, msgspec.json.encode(card).decode()
    return faster(onnx_model)


def _check_nodes(onnx_model: onnx.ModelProto, name: str) -> None:
    """Reject a graph that onnxruntime would run several times slower than it could."""
    types = {node.op_type for node in onnx_model.graph.node}
    loops = types & {"Loop", "Scan"}
    if loops:
        raise ExportError(f"the graph of {name} holds {' and '.join(sorted(loops))}")
    # A ConvLSTM over many places stays one: `conv_lstm` says when.
    if name.removesuffix(ANY) in ("lstm", "cnn-lstm") and "LSTM" not in types:
        raise ExportError(f"the graph of {name} holds no fused LSTM node, but {sorted(types)}")


def _check_size(onnx_model: onnx.ModelProto, n_parameters: int) -> None:
    """Reject a graph that holds its weights more than once."""
    size, expected = onnx_model.ByteSize(), 4 * n_parameters  # bytes
    if not expected <= size <= expected + _SPARE_BYTES:
        raise ExportError(f"the file would have {size} bytes for weights of {expected} bytes")


def _check_same(
    exported: NDArray[np.float32], reference: NDArray[np.float32], tolerance: float
) -> None:
    """Reject probabilities ``(n_windows, n_activities)`` that are not Keras'."""
    if exported.shape != reference.shape:
        raise ExportError(f"probabilities of shape {exported.shape}, from Keras {reference.shape}")
    difference = np.abs(exported - reference).max()
    if not difference <= tolerance:  # NaN is rejected too
        raise ExportError(
            f"the exported model's probabilities differ from Keras' by {difference:.2g}, "
            f"more than {tolerance:g}"
        )
    n_other = np.count_nonzero(exported.argmax(axis=1) != reference.argmax(axis=1))
    if n_other:
        raise ExportError(f"the exported model labels {n_other} windows otherwise than Keras")
