"""Settings of har-import."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import CliPositionalArg

from pipeline.commands.log_settings import LogSettings


class ImportSettings(LogSettings):
    """Turn recordings that a phone's app exported into Parquet files."""

    files: CliPositionalArg[list[Path]] = Field(
        description="zips, folders, CSV or JSON files of Sensor Logger or phyphox"
    )
    output: Path = Field(Path("recordings"), description="folder for the files, one a recording")
    device: str | None = Field(None, description="name for the phone; else the export's own")
    label: str | None = Field(
        None, description="what its wearer did, unless annotations say otherwise"
    )
    convention: Literal["auto", "android", "ios"] = Field(
        "auto", description="sign of accelerations; auto: as the export says"
    )
