"""Settings of every command that recognises activities: models, windows, how phones are worn."""

from pydantic import Field

from pipeline.settings import CommandSettings, CommaSeparated
from pipeline.vocabulary import AUTO, WINDOW_LENGTH


class RecognitionSettings(CommandSettings):
    """How recordings and phones are recognised."""

    model: str = Field(
        AUTO,
        description="auto: by --placement; or lstm, cnn-lstm, conv-lstm, NAME-any, an .onnx file",
    )
    hop: int = Field(
        64, ge=1, le=WINDOW_LENGTH, description="samples (20 ms) from one window to the next"
    )
    convention: CommaSeparated = Field(
        ["auto"],
        description="sign of accelerations: auto, android or ios; of one phone: DEVICE=ios",
    )
    placement: CommaSeparated = Field(
        [],
        description="where phones are worn: waist, as in training, or any; DEVICE=waist for one",
    )
    frame: CommaSeparated = Field(
        [],
        description="at the waist: landscape (if not set), portrait, or -upside-down; DEVICE=...",
    )
