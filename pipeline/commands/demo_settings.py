"""Settings of har-demo."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveFloat

from pipeline.commands.listening import checked_listening
from pipeline.commands.log_settings import LogSettings
from pipeline.commands.web.settings import DEFAULT_LISTEN
from pipeline.vocabulary import AUTO


class DemoSettings(LogSettings):
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
    web: bool = Field(
        False,
        description="show it on web pages too; in a terminal they stay, and phones go on, until "
        "Ctrl-C",
    )
    listen: Annotated[str, AfterValidator(checked_listening)] = Field(
        DEFAULT_LISTEN,
        description="HOST:PORT of the pages; 0.0.0.0:8443 also for phones, with https and a token",
    )
