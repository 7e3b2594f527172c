"""Settings of har-timeline."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import CliPositionalArg, SettingsConfigDict

from pipeline.commands.log_settings import LogSettings
from pipeline.commands.recognition_settings import RecognitionSettings

PLOT_SUFFIXES = (".png", ".svg", ".pdf")


class TimelineSettings(RecognitionSettings, LogSettings):
    """Show what was done in recordings: episodes, minutes of each activity, a ribbon."""

    model_config = SettingsConfigDict(env_prefix_target="all")  # HAR_JSON, as ``json`` is an alias

    files: CliPositionalArg[list[Path]] = Field(
        description="exports of Sensor Logger or phyphox, .parquet, .npz, folders of them, UCI HAR "
        "or HAPT as a zip or folder; uci-har or hapt from HAR_DATA_DIR"
    )
    json_: bool = Field(
        False, alias="json", description="write a JSON array to the standard output instead"
    )
    csv: bool = Field(False, description="write CSV to the standard output instead")
    windows: bool = Field(False, description="with --json or --csv: also each prediction")
    plot: Path | None = Field(
        None, description="draw signals, probabilities and ribbon into a .png, .svg or .pdf file"
    )
    color: bool = Field(True, description="colours in a terminal; NO_COLOR=1 switches them off too")

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        """Check the forms of output.

        Raises:
            ValueError: they do not go together.
        """
        if self.json_ and self.csv:
            raise ValueError("json and csv: which? The standard output has one form")
        if self.windows and not (self.json_ or self.csv):
            raise ValueError("windows: is for --json or --csv")
        if self.plot is not None and self.plot.suffix.lower() not in PLOT_SUFFIXES:
            raise ValueError(
                f"plot = {str(self.plot)!r}: is to end in {', '.join(PLOT_SUFFIXES[:-1])} "
                f"or {PLOT_SUFFIXES[-1]}"
            )
        return self
