"""Settings of har-calibrate."""

from pydantic import Field, PositiveFloat

from pipeline.commands.log_settings import LogSettings
from pipeline.settings import BrokerSettings


class CalibrateSettings(BrokerSettings, LogSettings):
    """Measure how a phone at the waist is worn: stand still for three seconds, walk ten steps."""

    device: str = Field(min_length=1, description="the phone's name, as in har/<device>/activity")
    remove: bool = Field(False, description="take the phone's calibration back instead")
    timeout: PositiveFloat = Field(
        60.0, description="seconds to wait for the stand, and again for the walk"
    )
