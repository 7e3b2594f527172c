"""The model file: its card, and the classification of windows.

The only file that knows onnxruntime. A model is one ONNX file with its card inside; a file whose
card is missing or does not fit this pipeline is refused here, with the reason.
"""

from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as _errors

from pipeline.signals import (
    CHANNELS,
    SAMPLING_RATE_HZ,
    SHIPPED_MODELS,
    UNITS,
    WINDOW_LENGTH,
    Orientation,
)

CARD_KEY: Final = "har_model_card"
"""Name of the entry in the ONNX file's metadata that holds the card as JSON."""

INPUT_NAME: Final = "window"
OUTPUT_NAME: Final = "probabilities"


class ModelError(Exception):
    """The model file cannot be used; whoever made or named the file can mend it."""


class ModelCard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model file says of itself."""

    name: str
    """The model's family, ``lstm``, ``cnn-lstm`` or ``conv-lstm``, and ``-any`` if it is so."""
    version: str
    """First eight hexadecimal digits of the SHA-256 of the weights."""
    activities: tuple[str, ...]
    """Names of the output's columns."""
    channels: tuple[str, ...]
    """Names of the input's columns."""
    units: tuple[str, ...]
    """Unit of each channel."""
    sampling_rate_hz: float
    """Hertz"""
    window_length: int
    """Samples"""
    training_data_hash: str
    """`DataSet.data_hash` of the data that the model was trained on."""
    seed: int
    test_accuracy: float
    """Share of the test split's windows classified right, 0 to 1."""
    selection: str
    """How epochs and weights were chosen, in a sentence."""
    licence: str
    """What the weights may be used for."""
    orientation: Orientation = "training"
    """How the phones are worn that it was trained for."""
    parent: str | None = None
    """`identity` of the model that this one was made from by more training, if any."""

    @property
    def identity(self) -> str:
        """Name and version as predictions quote them, ``cnn-lstm@1a2b3c4d``."""
        return f"{self.name}@{self.version}"


def find_model(name_or_path: str) -> Path:
    """Return the path of a shipped model by its name, or of any model file by its path.

    Raises:
        ModelError: there is neither such a model nor such a file.
    """
    if name_or_path in SHIPPED_MODELS:
        return Path(str(files("pipeline") / "models" / f"{name_or_path}.onnx"))
    path = Path(name_or_path).expanduser()
    if not path.is_file():
        raise ModelError(
            f"no model {name_or_path!r}: name one of {', '.join(SHIPPED_MODELS)}, "
            "or give the path of an .onnx file made by har-train"
        )
    return path


class Classifier:
    """A loaded model: windows in, probabilities out."""

    def __init__(self, path: Path, *, threads: int = 1, batch_size: int = 64) -> None:
        """Load the model file ``path``.

        Args:
            path: an ONNX file with a model card.
            threads: threads within one onnxruntime call.
            batch_size: most windows in one onnxruntime call.

        Raises:
            ModelError: the file is missing, no ONNX, without a card, of another shape, or fails
                on a batch of windows.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        # Else a plan is kept for every size of batch that ever was: 17 MB with an LSTM, no faster.
        options.enable_mem_pattern = False
        try:
            self._ort = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except _LOAD_ERRORS as error:
            raise ModelError(f"{path}: cannot be loaded as an ONNX model: {error}") from error
        metadata = self._ort.get_modelmeta().custom_metadata_map
        self.card = _read_card(path, metadata)
        _check_graph(path, self._ort, self.card)
        self.batch_size = batch_size
        try:
            # A full batch takes the memory that the model needs now, not when the crowd comes.
            self.classify(np.zeros((batch_size, WINDOW_LENGTH, len(CHANNELS)), np.float32))
        except _RUN_ERRORS as error:
            raise ModelError(f"{path}: cannot classify {batch_size} windows: {error}") from error

    @property
    def activities(self) -> tuple[str, ...]:
        """Names of the probabilities' columns."""
        return self.card.activities

    @property
    def orientation(self) -> Orientation:
        """How the phones are worn that the model is for."""
        return self.card.orientation

    def classify(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities ``(n_windows, n_activities)`` of each window's activity.

        ``windows`` has the shape ``(n_windows, 128, 9)``, in g and rad/s.
        """
        if len(windows) == 0:
            return np.empty((0, len(self.activities)), np.float32)
        batches = [
            self._ort.run([OUTPUT_NAME], {INPUT_NAME: windows[first : first + self.batch_size]})[0]
            for first in range(0, len(windows), self.batch_size)
        ]
        return np.concatenate(batches)


_LOAD_ERRORS: Final = (
    _errors.Fail,
    _errors.InvalidArgument,
    _errors.InvalidGraph,
    _errors.InvalidProtobuf,
    _errors.NoSuchFile,
    _errors.NotImplemented,
)
_RUN_ERRORS: Final = (_errors.Fail, _errors.InvalidArgument, _errors.RuntimeException)


def _read_card(path: Path, metadata: dict[str, str]) -> ModelCard:
    if CARD_KEY not in metadata:
        raise ModelError(
            f"{path}: has no model card (metadata entry {CARD_KEY!r}); make the file with har-train"
        )
    try:
        card = msgspec.json.decode(metadata[CARD_KEY], type=ModelCard)
    except msgspec.MsgspecError as error:
        raise ModelError(f"{path}: its model card cannot be read: {error}") from error
    for what, found, expected in (
        ("channels", card.channels, CHANNELS),
        ("units", card.units, UNITS),
        ("sampling rate", card.sampling_rate_hz, SAMPLING_RATE_HZ),
        ("window length", card.window_length, WINDOW_LENGTH),
    ):
        if found != expected:
            raise ModelError(
                f"{path}: the model's {what} do not fit: it was trained with {found}, "
                f"this pipeline makes {expected}"
            )
    if len(set(card.activities)) != len(card.activities) or len(card.activities) < 2:
        raise ModelError(f"{path}: the model's activities are not two or more different names")
    return card


def _check_graph(path: Path, session: onnxruntime.InferenceSession, card: ModelCard) -> None:
    """Refuse a graph whose input or output is not what its card promises."""
    for what, nodes, name, shape in (
        ("input", session.get_inputs(), INPUT_NAME, [card.window_length, len(card.channels)]),
        ("output", session.get_outputs(), OUTPUT_NAME, [len(card.activities)]),
    ):
        found = [(node.name, node.type, node.shape[1:]) for node in nodes]
        if found != [(name, "tensor(float)", shape)]:
            raise ModelError(
                f"{path}: its {what} must be one float32 tensor {name!r} of shape "
                f"(batch, {', '.join(map(str, shape))}), but is {found}"
            )
