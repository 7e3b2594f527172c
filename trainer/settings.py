"""What can be varied in training, with units, bounds and defaults.

The classes are the vocabulary of the trainer and the flags of ``har-train`` in one. Nothing here
needs TensorFlow, so that ``--help`` answers at once.
"""

from pathlib import Path
from typing import Literal

from pydantic import (
    BaseModel,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
)

from pipeline.settings import CommandSettings
from pipeline.signals import WINDOW_LENGTH


class Task(BaseModel):
    """What is trained, from what, and where the results go."""

    model: Literal["lstm", "cnn-lstm", "conv-lstm", "all"] = Field(
        "all", description="which model to train"
    )
    data: Path | None = Field(
        None,
        description="zip or folder of the UCI HAR data set; otherwise it is looked for in "
        "HAR_DATA_DIR and the cache folder, then downloaded",
    )
    out: Path = Field(Path("out"), description="folder for models and reports")
    seed: int = Field(1, ge=0, lt=2**31, description="first seed, that of the exported model")
    seeds: PositiveInt = Field(1, description="number of seeds to train, from the first seed on")


class Fitting(BaseModel):
    """How a model is fitted to its training windows."""

    epochs: PositiveInt = Field(15, description="most epochs")
    batch_size: PositiveInt = Field(64, description="windows a batch")
    learning_rate: PositiveFloat = Field(1e-3, allow_inf_nan=False, description="Adam's step")
    validation_subjects: PositiveInt = Field(
        4, description="training subjects held out to choose the number of epochs"
    )
    patience: PositiveInt = Field(
        5, description="epochs without a lower loss on the held-out subjects before stopping"
    )
    refit: bool = Field(
        True, description="fit again on all training subjects for the chosen number of epochs"
    )


class Sizes(BaseModel):
    """The sizes of the three models; each takes of them what it has."""

    units: PositiveInt = Field(128, description="LSTM units (lstm, cnn-lstm)")
    dense_units: PositiveInt = Field(64, description="units of the dense layer")
    filters: PositiveInt = Field(64, description="convolution filters (cnn-lstm, conv-lstm)")
    kernel_size: PositiveInt = Field(3, description="samples under a filter (cnn-lstm, conv-lstm)")
    dropout: float = Field(0.5, ge=0, lt=1, description="share of values dropped in training")
    n_steps: PositiveInt = Field(
        4, description="parts that a window is cut in (cnn-lstm, conv-lstm)"
    )
    n_length: PositiveInt = Field(
        32,
        validate_default=True,  # it must fit a changed n_steps too
        description="samples of each part; parts times samples is the window, 128",
    )

    @field_validator("n_length")
    @classmethod
    def _parts_make_a_window(cls, n_length: int, info: ValidationInfo) -> int:
        n_steps = info.data.get("n_steps")  # None if it is wrong itself
        if n_steps is not None and n_steps * n_length != WINDOW_LENGTH:
            raise ValueError(
                f"n_steps x n_length must be the window length, {WINDOW_LENGTH} samples, "
                f"but is {n_steps} x {n_length} = {n_steps * n_length}"
            )
        return n_length


class TrainSettings(Sizes, Fitting, Task, CommandSettings):
    """Train the activity models on the UCI HAR data set and export them to ONNX."""
