"""Settings of every command that serves phones: what decides results, beside their samples."""

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from pipeline.commands.recognition_settings import RecognitionSettings
from pipeline.recognition.preparation.filters import FilterStart
from pipeline.serving.rules import Rules
from pipeline.settings import CommaSeparated


class ServingSettings(RecognitionSettings):
    """How phones are served."""

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
    lateness: NonNegativeFloat = Field(
        0.2, description="seconds by which messages of a phone may overtake one another"
    )
    batch_size: PositiveInt = Field(64, description="most windows in one call of the model")
    threads: PositiveInt = Field(2, description="batches of windows classified at the same time")
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

    def rules(self, *, announces: bool = False) -> Rules:
        """Return the rules that are set; ``announces`` is whether Home Assistant is told."""
        return Rules(
            max_devices=self.max_devices,
            max_ahead_s=self.max_ahead,
            max_behind_s=self.max_behind,
            offline_after_s=self.offline_after,
            forget_after_s=self.forget_after,
            heartbeat_s=self.heartbeat,
            announces=announces,
        )
