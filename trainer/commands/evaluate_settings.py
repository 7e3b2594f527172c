"""Settings of har-evaluate."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import CliPositionalArg

from pipeline.commands.log_settings import LogSettings


class EvaluateSettings(LogSettings):
    """Evaluate models on the test split of UCI HAR, which chose none of them."""

    models: CliPositionalArg[list[str]] = Field(
        [], description="names or .onnx files; if none is given, all that ship"
    )
    data: Path | None = Field(
        None, description="data set's zip or folder; else HAR_DATA_DIR, cache, download"
    )
    placements: Path | None = Field(
        None, description="folder of placement sets to evaluate the models on, too"
    )
    out: Path = Field(
        Path("out"), description="folder for evaluation.json and, with matplotlib, its pictures"
    )
    seed: int = Field(
        1,
        ge=0,
        lt=2**31,
        description="draws the subjects of intervals, and the rotations",
    )
