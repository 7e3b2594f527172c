"""The settings of monitoring, which every long-running command has."""

from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.commands.listening import checked_listening
from pipeline.settings import CommandSettings


def _checked(text: str | None) -> str | None:
    return None if text is None else checked_listening(text)


class MonitoringSettings(CommandSettings):
    """How a running command is watched over."""

    metrics: Annotated[str | None, AfterValidator(_checked)] = Field(
        None,
        description="HOST:PORT of /metrics, /healthz and /readyz, such as 127.0.0.1:9464",
    )
