"""The settings of the log, which every command has that logs."""

from typing import Literal

from pydantic import Field

from pipeline.settings import CommandSettings

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


class LogSettings(CommandSettings):
    """How a command logs."""

    log_format: LogFormat = Field(
        "text", description="form of the log: text for people, json for programs (a line an event)"
    )


class LogLevelSettings(LogSettings):
    """How a command logs that runs for long."""

    log_level: LogLevel = Field("info", description="least severe messages to log")
