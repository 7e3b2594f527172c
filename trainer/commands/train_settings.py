"""Settings of har-train, and the plan that they make.

Nothing here needs TensorFlow, so that ``--help`` answers at once. The defaults are those of the
classes that take the values.
"""

from dataclasses import fields
from pathlib import Path
from typing import ClassVar, Final, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from pydantic_settings import SettingsConfigDict

from pipeline.commands.log_settings import LogSettings
from pipeline.setting_groups import TRAINING, Groups
from pipeline.settings import CommaSeparated
from pipeline.vocabulary import ANY, FAMILIES, SHIPPED_MODELS
from trainer.networks.options import Sizes
from trainer.plan import FineTuningPlan, TrainingPlan
from trainer.training.fitting import FineTuning, Fitting

_ONLY_PLAIN: Final = {field.name for kind in (Fitting, Sizes) for field in fields(kind)}
"""Settings of the plain recipe"""


class TrainSettings(LogSettings):
    """Train the activity models on the UCI HAR data set and export them to ONNX."""

    model_config = SettingsConfigDict(env_prefix_target="all")  # HAR_FROM, as ``from`` is an alias

    groups: ClassVar[Groups] = TRAINING

    # What is trained, from what, and where the results go
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
    placements: Path | None = Field(
        None,
        description="folder of placement sets, for NAME-any; else placements/ beside the data sets",
    )
    without: CommaSeparated = Field(
        [], description="placement sets to leave out, by the name of a set or of a study"
    )
    out: Path = Field(Path("out"), description="folder for models and reports")
    seed: int = Field(1, ge=0, lt=2**31, description="first seed; its model is exported")
    seeds: PositiveInt = Field(1, description="how many seeds to train, from the first on")
    extra: list[Path] = Field(
        [], description="user recordings to train on too: .parquet files or folders of them"
    )
    frame: CommaSeparated = Field(
        ["landscape"],
        description="how their phones were worn, as har-stream has it; DEVICE=portrait for one",
    )

    # How a trained model is fine-tuned
    parent: Path | None = Field(
        None,
        alias="from",
        description="model.keras of har-train to fine-tune with the extra recordings",
    )
    tuning_epochs: PositiveInt = Field(FineTuning.epochs, description="epochs of fine-tuning")
    tuning_rate: PositiveFloat = Field(
        FineTuning.learning_rate, allow_inf_nan=False, description="learning rate of fine-tuning"
    )

    # How a model of the plain recipe is fitted
    epochs: PositiveInt = Field(Fitting.epochs, description="most epochs")
    batch_size: PositiveInt = Field(Fitting.batch_size, description="windows a batch")
    learning_rate: PositiveFloat = Field(
        Fitting.learning_rate, allow_inf_nan=False, description="learning rate of Adam"
    )
    validation_subjects: PositiveInt = Field(
        Fitting.validation_subjects, description="training subjects held out to choose the epochs"
    )
    patience: PositiveInt = Field(
        Fitting.patience, description="epochs without better accuracy on them until it stops"
    )
    refit: bool = Field(
        Fitting.refit, description="then fit all training subjects for so many epochs"
    )

    # Its size
    units: PositiveInt = Field(Sizes.units, description="LSTM units (lstm, cnn-lstm)")
    dense_units: PositiveInt = Field(Sizes.dense_units, description="units of the dense layer")
    filters: PositiveInt = Field(Sizes.filters, description="filters (cnn-lstm, conv-lstm)")
    kernel_size: PositiveInt = Field(
        Sizes.kernel_size, description="samples of a filter (cnn-lstm, conv-lstm)"
    )
    dropout: float = Field(
        Sizes.dropout, ge=0, lt=1, description="share of values dropped in training"
    )
    n_steps: PositiveInt = Field(
        Sizes.n_steps, description="parts of a window (cnn-lstm, conv-lstm)"
    )
    n_length: PositiveInt = Field(
        Sizes.n_length, description="samples of a part; the parts must make 128 samples"
    )

    @property
    def plan(self) -> TrainingPlan:
        """The plan for models that are trained from the beginning."""
        every = SHIPPED_MODELS if self.recipe == "raw" else FAMILIES
        return TrainingPlan(
            models=every if self.model == "all" else (self.model,),
            seeds=range(self.seed, self.seed + self.seeds),
            recipe=self.recipe,
            out=self.out,
            frame=self.frame,
            fitting=Fitting(**{field.name: getattr(self, field.name) for field in fields(Fitting)}),
            sizes=self._sizes,
        )

    @property
    def learns_from_placement_sets(self) -> bool:
        """Whether a model is trained from the beginning that learns from placement sets."""
        return self.parent is None and any(model.endswith(ANY) for model in self.plan.models)

    def fine_tuning(self, parent: Path) -> FineTuningPlan:
        """Return the plan for a trained model that is fine-tuned."""
        return FineTuningPlan(
            parent=parent,
            model=None if self.model == "all" else self.model,
            recordings=self.extra,
            seed=self.seed,
            out=self.out,
            fitting=FineTuning(self.tuning_epochs, self.tuning_rate, self.batch_size),
            settings_of_sets=self._settings_of_sets,
        )

    @property
    def _settings_of_sets(self) -> list[str]:
        return sorted({"placements", "without"} & self.model_fields_set)

    @property
    def _sizes(self) -> Sizes:
        return Sizes(**{field.name: getattr(self, field.name) for field in fields(Sizes)})

    @model_validator(mode="after")
    def _parts_make_a_window(self) -> Self:
        """Reject sizes that do not fit together.

        Raises:
            ValueError: they do not.
        """
        _ = self._sizes
        return self

    @model_validator(mode="after")
    def _plain_settings_go_with_the_plain_recipe(self) -> Self:
        """Take the plain recipe if its settings are given.

        Raises:
            ValueError: the raw one was asked for.
        """
        of_plain = _ONLY_PLAIN & self.model_fields_set
        if of_plain and "recipe" not in self.model_fields_set:
            self.recipe = "plain"
        elif of_plain and self.recipe == "raw":
            raise ValueError(
                f"{', '.join(sorted(of_plain))}: only with --recipe plain; the raw recipe is fixed"
            )
        if self.recipe == "plain" and self.model.endswith(ANY):
            raise ValueError(
                f"{self.model}: only with --recipe raw; the plain one rotates no windows"
            )
        return self

    @model_validator(mode="after")
    def _placement_sets_go_with_models_for_any_place(self) -> Self:
        """Reject settings of placement sets if no model learns from them.

        Raises:
            ValueError: they are given.
        """
        given = self._settings_of_sets
        # Of a trained model only its file tells what it is for.
        if given and self.parent is None and not self.learns_from_placement_sets:
            raise ValueError(f"{', '.join(given)}: only for NAME-any, by --recipe raw")
        return self
