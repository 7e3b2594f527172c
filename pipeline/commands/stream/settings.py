"""Settings of har-stream."""

from pathlib import Path
from typing import Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from pipeline.commands.log_settings import LogLevelSettings
from pipeline.commands.monitoring.settings import MonitoringSettings
from pipeline.commands.recognition_settings import RecognitionSettings
from pipeline.recognition.preparation.filters import FilterStart
from pipeline.settings import BrokerSettings, CommaSeparated


class StreamSettings(RecognitionSettings, MonitoringSettings, BrokerSettings, LogLevelSettings):
    """Classify phones live: samples in, predictions out, over MQTT."""

    filter_start: FilterStart = Field(
        "steady",
        description="filters at a phone's first sample: steady as if it had always been, or zero",
    )
    subscribe: CommaSeparated = Field(
        [], description="TOPIC=FORMAT to read besides har/+/samples=native; may be repeated"
    )
    default_subscriptions: bool = Field(
        True, description="also read browser/+, sensor-logger/+, sensorspot/+/# and phyphox/+"
    )
    list_formats: bool = Field(False, description="list the formats of messages and exit")
    lateness: NonNegativeFloat = Field(
        0.2, description="seconds by which messages of a phone may overtake one another"
    )
    home_assistant: bool = Field(False, description="announce phones to Home Assistant")
    retry: bool = Field(True, description="keep trying while the broker cannot be reached")
    state: Path | None = Field(
        None, description="folder for the state: nothing is lost by a crash (QoS 1, MQTT 5)"
    )
    checkpoint: PositiveFloat = Field(1.0, description="seconds from one saved state to the next")
    reset_state: bool = Field(False, description="begin anew in place of the saved state")
    session_expiry: int = Field(
        604_800,
        ge=1,
        le=0xFFFF_FFFF,
        description="seconds for which the broker keeps messages for a --state that is not running",
    )
    tick: PositiveFloat = Field(
        0.02, description="seconds between two passes over what has arrived"
    )
    max_waiting: int = Field(
        20_000,
        ge=1,
        le=0xFFFF,
        description="messages that may wait here; more wait at the broker (QoS 0: are dropped)",
    )
    batch_size: PositiveInt = Field(64, description="most windows in one call of the model")
    threads: PositiveInt = Field(1, description="threads within one call of the model")
    max_devices: PositiveInt = Field(10_000, description="most phones at once")
    max_ahead: PositiveFloat = Field(
        86_400.0, description="seconds that a sample may be ahead of this machine's clock"
    )
    max_behind: PositiveFloat = Field(
        60.0,
        description="oldest age in seconds of a message's newest sample for a phone to be online",
    )
    offline_after: PositiveFloat = Field(
        10.0, description="seconds of silence after which a phone is offline"
    )
    forget_after: PositiveFloat = Field(
        3600.0, description="seconds of silence after which a phone's state is dropped"
    )
    heartbeat: PositiveFloat = Field(
        10.0, description="seconds after which an unchanged activity is published again"
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
