"""The model card: what a model file says about itself, and whether it fits this pipeline."""

from pathlib import Path
from typing import Final

import msgspec

from pipeline.models.trained_on import TrainedOn
from pipeline.recognition.preparation.pace import LOWEST_RATE_HZ, NEEDED_RATE_HZ
from pipeline.recognition.wearer.frame import COLUMNS
from pipeline.vocabulary import CHANNELS, SAMPLING_RATE_HZ, UNITS, WINDOW_LENGTH, Orientation

CARD_KEY: Final = "har_model_card"
"""Name of the entry in the ONNX file's metadata that holds the card as JSON."""


class ModelError(Exception):
    """The model file cannot be used; its trainer can mend it, or the user name another."""


class ModelCard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The model card: metadata inside a model file."""

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
    """`DataSet.data_hash` of UCI HAR, then those of all else it was trained on, joined by ``+``."""
    seed: int
    test_accuracy: float
    """Share of the test split's windows classified right, 0 to 1."""
    selection: str
    """How epochs and weights were chosen, in a sentence."""
    licence: str
    """Permitted uses of the weights"""
    orientation: Orientation = "training"
    """How the phones are worn that it was trained for."""
    wearer: tuple[str, ...] = ()
    """Names of the columns of the input `wearer`, the wearers' frames; none if it takes none."""
    data_sets: tuple[TrainedOn, ...] = ()
    """What it was trained on; none in cards made before there was this entry."""
    needed_rate_hz: float = NEEDED_RATE_HZ
    """Samples a second that it needs of each sensor of a phone."""
    parent: str | None = None
    """`identity` of the model that this one was made from by more training, if any."""

    @property
    def identity(self) -> str:
        """Name and version as predictions quote them, ``cnn-lstm@1a2b3c4d``."""
        return f"{self.name}@{self.version}"


def read_card(path: Path, metadata: dict[str, str]) -> ModelCard:
    """Return the card in the metadata of the model file ``path``.

    Raises:
        ModelError: there is none, or it does not fit this pipeline.
    """
    if CARD_KEY not in metadata:
        raise ModelError(
            f"{path}: has no model card (metadata entry {CARD_KEY!r}); make the file with har-train"
        )
    try:
        card = msgspec.json.decode(metadata[CARD_KEY], type=ModelCard)
    except msgspec.MsgspecError as error:
        raise ModelError(f"{path}: its model card cannot be read: {error}") from error
    for what, in_card, expected in (
        ("channels", card.channels, CHANNELS),
        ("units", card.units, UNITS),
        ("sampling rate", card.sampling_rate_hz, SAMPLING_RATE_HZ),
        ("window length", card.window_length, WINDOW_LENGTH),
        ("columns of the wearer's frame", card.wearer or COLUMNS, COLUMNS),
    ):
        if in_card != expected:
            raise ModelError(
                f"{path}: the model's {what} do not fit: it was trained with {in_card}, "
                f"this pipeline makes {expected}"
            )
    if len(set(card.activities)) != len(card.activities) or len(card.activities) < 2:
        raise ModelError(f"{path}: the model's activities are not two or more different names")
    if not LOWEST_RATE_HZ <= card.needed_rate_hz <= NEEDED_RATE_HZ:
        raise ModelError(
            f"{path}: the model's needed rate does not fit: its card has needed_rate_hz "
            f"{card.needed_rate_hz:g}; it can need {LOWEST_RATE_HZ:g} to {NEEDED_RATE_HZ:g} "
            "samples a second"
        )
    return card
