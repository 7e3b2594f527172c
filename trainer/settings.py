"""What can be varied in training, with units, bounds and defaults.

The classes are the vocabulary of the trainer and the flags of ``har-train`` in one. Nothing here
needs TensorFlow, so that ``--help`` answers at once.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import (
    BaseModel,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import CliPositionalArg, SettingsConfigDict

from pipeline.settings import CommandSettings, CommaSeparated
from pipeline.vocabulary import ANY, FAMILIES, SHIPPED_MODELS, WINDOW_LENGTH


class SettingError(ValueError):
    """A setting does not fit the data or the other settings; whoever chose it can mend it."""


class Task(BaseModel):
    """What is trained, from what, and where the results go."""

    model: Literal[
        "all", "lstm", "cnn-lstm", "conv-lstm", "lstm-any", "cnn-lstm-any", "conv-lstm-any"
    ] = Field("all", description="model to train; NAME-any for phones worn any way round")
    data: Path | None = Field(
        None, description="data set's zip or folder; else HAR_DATA_DIR, cache, download"
    )
    recipe: Literal["raw", "plain"] = Field(
        "raw",
        description="raw: what ships, from raw recordings (HAPT); plain: as tutorials have it",
    )
    out: Path = Field(Path("out"), description="folder for models and reports")
    seed: int = Field(1, ge=0, lt=2**31, description="first seed; its model is exported")
    seeds: PositiveInt = Field(1, description="how many seeds to train, from the first on")
    extra: list[Path] = Field(
        [], description="own recordings to learn from too: .parquet files or folders of them"
    )
    frame: CommaSeparated = Field(
        ["landscape"],
        description="how their phones were worn, as har-stream has it; DEVICE=portrait for one",
    )


class Fitting(BaseModel):
    """How a model is fitted to its training windows (recipe plain)."""

    epochs: PositiveInt = Field(15, description="most epochs")
    batch_size: PositiveInt = Field(64, description="windows a batch")
    learning_rate: PositiveFloat = Field(
        1e-3, allow_inf_nan=False, description="learning rate of Adam"
    )
    validation_subjects: PositiveInt = Field(
        4, description="training subjects held out to choose the epochs"
    )
    patience: PositiveInt = Field(
        5, description="epochs without better accuracy on them until it stops"
    )
    refit: bool = Field(True, description="then fit all training subjects for so many epochs")


class Tuning(BaseModel):
    """How a trained model is taught by more recordings."""

    parent: Path | None = Field(
        None,
        alias="from",
        description="model.keras of har-train to teach the extra recordings, not to begin anew",
    )
    tuning_epochs: PositiveInt = Field(5, description="epochs of that")
    tuning_rate: PositiveFloat = Field(
        1e-4, allow_inf_nan=False, description="learning rate of that"
    )


class Sizes(BaseModel):
    """The sizes of the three plain models; each takes of them what it has."""

    units: PositiveInt = Field(128, description="LSTM units (lstm, cnn-lstm)")
    dense_units: PositiveInt = Field(64, description="units of the dense layer")
    filters: PositiveInt = Field(64, description="filters (cnn-lstm, conv-lstm)")
    kernel_size: PositiveInt = Field(3, description="samples of a filter (cnn-lstm, conv-lstm)")
    dropout: float = Field(0.5, ge=0, lt=1, description="share of values dropped in training")
    n_steps: PositiveInt = Field(4, description="parts of a window (cnn-lstm, conv-lstm)")
    n_length: PositiveInt = Field(
        32,
        validate_default=True,  # it must fit a changed n_steps too
        description="samples of a part; the parts must make 128 samples",
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


class TrainSettings(Sizes, Fitting, Tuning, Task, CommandSettings):
    """Train the activity models on the UCI HAR data set and export them to ONNX."""

    model_config = SettingsConfigDict(env_prefix_target="all")  # HAR_FROM, as ``from`` is an alias

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models to train."""
        if self.model != "all":
            return (self.model,)
        return SHIPPED_MODELS if self.recipe == "raw" else FAMILIES

    @model_validator(mode="after")
    def _plain_settings_go_with_the_plain_recipe(self) -> Self:
        """Take the plain recipe if its settings are given.

        Raises:
            ValueError: the raw one was asked for.
        """
        of_plain = {*Sizes.model_fields, *Fitting.model_fields} & self.model_fields_set
        if of_plain and "recipe" not in self.model_fields_set:
            self.recipe = "plain"
        elif of_plain and self.recipe == "raw":
            raise ValueError(
                f"{', '.join(sorted(of_plain))}: only with --recipe plain; the raw recipe is fixed"
            )
        if self.recipe == "plain" and self.model.endswith(ANY):
            raise ValueError(
                f"{self.model}: only with --recipe raw; the plain one turns no windows"
            )
        return self


class EvaluateSettings(CommandSettings):
    """Evaluate models on the test split of UCI HAR, which chose none of them."""

    models: CliPositionalArg[list[str]] = Field(
        [], description="names or .onnx files; if none is given, all that ship"
    )
    data: Path | None = Field(
        None, description="data set's zip or folder; else HAR_DATA_DIR, cache, download"
    )
    out: Path = Field(
        Path("out"), description="folder for evaluation.json and, with matplotlib, its pictures"
    )
    seed: int = Field(
        1, ge=0, lt=2**31, description="draws the subjects of intervals, and how windows are turned"
    )
