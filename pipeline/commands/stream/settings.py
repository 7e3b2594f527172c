"""Settings of har-stream."""

from pathlib import Path
from typing import Self

from pydantic import Field, PositiveFloat, model_validator

from pipeline.commands.log_settings import LogLevelSettings
from pipeline.commands.monitoring.settings import MonitoringSettings
from pipeline.commands.serving_settings import ServingSettings
from pipeline.settings import BrokerSettings


class StreamSettings(ServingSettings, MonitoringSettings, BrokerSettings, LogLevelSettings):
    """Classify phones live: samples in, predictions out, over MQTT."""

    list_formats: bool = Field(False, description="list the formats of messages and exit")
    home_assistant: bool = Field(False, description="announce phones to Home Assistant")
    retry: bool = Field(True, description="keep trying while the broker cannot be reached")
    state: Path | None = Field(
        None, description="folder for the state: nothing is lost by a crash (QoS 1, MQTT 5)"
    )
    checkpoint: PositiveFloat = Field(
        1.0, description="least seconds from one saved state to the next"
    )
    reset_state: bool = Field(False, description="begin anew in place of the saved state")
    session_expiry: int = Field(
        604_800,
        ge=1,
        le=0xFFFF_FFFF,
        description="seconds for which the broker keeps messages for a --state that is not running",
    )
    tick: PositiveFloat = Field(
        0.05, description="seconds between two passes over what has arrived"
    )
    max_waiting: int = Field(
        20_000,
        ge=1,
        le=0xFFFF,
        description="messages that may wait here; more wait at the broker (QoS 0: are dropped)",
    )

    @model_validator(mode="after")
    def _durable(self) -> Self:
        """Speak the version of MQTT that a kept state needs.

        Raises:
            ValueError: settings do not go together.
        """
        if self.state is None:
            if self.reset_state:
                raise ValueError("reset-state: which? Name the folder with --state")
        elif "protocol" not in self.model_fields_set:
            self.protocol = "5"
        elif self.protocol != "5":
            raise ValueError(
                f"protocol = {self.protocol!r}: --state needs 5, by which the broker knows how "
                "much it may send before it is acknowledged"
            )
        return self
