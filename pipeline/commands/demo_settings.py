"""Settings of har-demo."""

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveFloat

from pipeline.settings import CommandSettings
from pipeline.vocabulary import AUTO


class DemoSettings(CommandSettings):
    """Show all of it on this machine: a broker, har-stream and simulated phones."""

    model: str = Field(
        AUTO, description="auto, lstm, cnn-lstm, conv-lstm, NAME-any or the path of an .onnx file"
    )
    recording: Literal["uci-har", "hapt", "simulated"] | None = Field(
        None, description="what to play; uci-har where it is at hand, else simulated"
    )
    data: Path | None = Field(
        None, description="data set's zip or folder; else HAR_DATA_DIR, cache, download"
    )
    duration: PositiveFloat = Field(60.0, description="seconds that the demo takes")
    speed: PositiveFloat = Field(4.0, description="times real time")
