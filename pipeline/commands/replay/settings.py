"""Settings of har-replay, and the recordings that it can play."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, PositiveFloat

from pipeline.commands.log_settings import LogSettings
from pipeline.settings import BrokerSettings
from pipeline.vocabulary import WINDOW_LENGTH

DATA_SETS: Final = ("uci-har", "hapt", "simulated")
"""What can be played without a recorded file."""
_FILES: Final = (".parquet", ".npz")


def _playable(recording: str) -> str:
    """Return the name of a data set, or the path of recorded files."""
    if recording not in DATA_SETS and not (recording.endswith(_FILES) or Path(recording).is_dir()):
        raise ValueError(
            f"is none of {', '.join(DATA_SETS)}, no {' or '.join(_FILES)} file, no folder"
        )
    return recording


class ReplaySettings(BrokerSettings, LogSettings):
    """Play recordings as phones that send their samples over MQTT."""

    recording: Annotated[str, AfterValidator(_playable)] = Field(
        "uci-har",
        description="uci-har, hapt, simulated, a .parquet file or folder of har-record, or a "
        ".npz file or folder of a placement set",
    )
    data: Path | None = Field(
        None, description="data set's zip or folder; else HAR_DATA_DIR, cache, download"
    )
    subjects: list[int] = Field([], description="subjects to play, such as 2,4; all if not given")
    split: Literal["test", "train"] = Field("test", description="split of uci-har to play")
    activity: str | None = Field(
        None, description="what simulated phones do; one after the other if not given"
    )
    seed: int = Field(0, ge=0, description="seed of simulated phones")
    original_times: bool = Field(
        False, description="play files with the times they were recorded at, not as of now"
    )
    speed: PositiveFloat | Literal["max"] = Field(
        1.0, description="times real time, or max: as fast as predictions come back"
    )
    duration: PositiveFloat | None = Field(
        None, description="seconds of each recording to play; all if not given"
    )
    rows: int = Field(25, ge=1, le=1000, description="samples (20 ms) a message")
    compact: bool = Field(
        False, description="send samples in the compact form, as float32, not as JSON"
    )
    labels: bool = Field(
        False, description="publish what phones' wearers do too, for har-web to judge by"
    )
    wait: bool = Field(False, description="await the predictions and print a closing table")
    hop: int | None = Field(
        None,
        ge=1,
        le=WINDOW_LENGTH,
        description="hop to expect; har-stream's if not given",
    )
    timeout: PositiveFloat = Field(
        10.0, description="seconds without a prediction after which waiting ends"
    )
    report: Path | None = Field(None, description="file for the closing table as JSON")
