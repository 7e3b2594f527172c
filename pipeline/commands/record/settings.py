"""Settings of har-record."""

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveFloat

from pipeline.commands.log_settings import LogSettings
from pipeline.commands.monitoring.settings import MonitoringSettings
from pipeline.settings import BrokerSettings, CommaSeparated


class RecordSettings(MonitoringSettings, BrokerSettings, LogSettings):
    """Keep what a phone sends, with what its wearer does, as Parquet files."""

    device: str = Field(min_length=1, description="name of the phone to record")
    label: str | None = Field(
        None, description="what its wearer does, such as CYCLING, until a label says otherwise"
    )
    output: Path = Field(Path("recordings"), description="folder for the files, one a recording")
    subscribe: CommaSeparated = Field(
        [], description="TOPIC=FORMAT to read besides har/+/samples=native; may be repeated"
    )
    default_subscriptions: bool = Field(
        True, description="also read browser/+, sensor-logger/+, sensorspot/+/# and phyphox/+"
    )
    convention: Literal["auto", "android", "ios"] = Field(
        "auto", description="sign of the phone's accelerations; files are written with Android's"
    )
    duration: PositiveFloat | None = Field(
        None, description="seconds to record; until it is stopped if not given"
    )
