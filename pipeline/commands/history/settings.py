"""Settings of har-history: where the database is, and those of each subcommand."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from pipeline.commands.log_settings import LogLevelSettings
from pipeline.commands.monitoring.settings import MonitoringSettings
from pipeline.settings import BrokerSettings, CommandSettings, secret_in_file

_AGE: Final = re.compile(r"(\d{1,6})([hd])")
_UNITS_S: Final = {"h": 3600, "d": 86_400}


def age_s(text: str) -> int:
    """Return an age such as ``400d`` or ``12h`` in seconds.

    Raises:
        ValueError: it is none.
    """
    found = _AGE.fullmatch(text)
    if found is None:
        raise ValueError("is to be days or hours, such as 400d or 12h")
    return int(found[1]) * _UNITS_S[found[2]]


def _checked_age(text: str) -> str:
    age_s(text)
    return text


Age = Annotated[str, AfterValidator(_checked_age)]
"""How long something is kept: ``400d``, ``12h``"""


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("no phone can have this name")
    return name


DeviceName = Annotated[str, Field(min_length=1), AfterValidator(_printable)]


class HistoryDatabaseSettings(CommandSettings):
    """Where the history is."""

    database: SecretStr | None = Field(
        None,
        description="file, sqlite:///FILE or postgresql://USER@HOST/NAME; the user's data folder "
        "if not given. `ps` shows flags: one with a password better in HAR_DATABASE or a file",
    )
    database_file: Path | None = Field(None, description="file that holds what --database takes")

    @model_validator(mode="after")
    def _one_database(self) -> Self:
        """Read the database's address from its file.

        Raises:
            ValueError: it cannot be read, or settings do not go together.
        """
        if self.database_file is not None:
            if self.database is not None:
                raise ValueError(
                    f"database-file = {str(self.database_file)!r}: the database is given besides; "
                    "leave out one of them"
                )
            self.database = secret_in_file(self.database_file, "database")
        return self


class HistoryRunSettings(
    MonitoringSettings, HistoryDatabaseSettings, BrokerSettings, LogLevelSettings
):
    """Keep predictions and episodes of all phones in a database, as long as it runs."""

    keep: Age | None = Field(
        None, description="age at which episodes are deleted, such as 400d; never if not given"
    )
    keep_predictions: Age | None = Field(
        None, description="age at which predictions are; as episodes if not given, 0d for none kept"
    )
    session_expiry: int = Field(
        604_800,
        ge=1,
        le=0xFFFF_FFFF,
        description="seconds for which the broker keeps messages while this is not running",
    )
    home_assistant: bool = Field(
        False,
        description="publish minutes per activity today, and announce them to Home Assistant",
    )
    zone: str | None = Field(
        None, description="time zone of today, such as Europe/Berlin; this machine's if not given"
    )
    retry: bool = Field(True, description="keep trying while the broker cannot be reached")

    @model_validator(mode="after")
    def _durable(self) -> Self:
        """Speak the version of MQTT that nothing is lost by, and compare the ages.

        Raises:
            ValueError: settings do not go together.
        """
        if self.protocol != "5" and "protocol" in self.model_fields_set:
            raise ValueError(
                f"protocol = {self.protocol!r}: har-history needs 5, by which the broker keeps "
                "what comes meanwhile"
            )
        self.protocol = "5"
        if self.keep_predictions is None:
            self.keep_predictions = self.keep
        elif self.keep is not None and age_s(self.keep_predictions) > age_s(self.keep):
            raise ValueError(
                f"keep-predictions = {self.keep_predictions!r}: episodes are kept for {self.keep}, "
                "and predictions may not be kept for longer"
            )
        return self

    @property
    def keep_s(self) -> int | None:
        """Age in seconds at which episodes are deleted, None for never."""
        return None if self.keep is None else age_s(self.keep)

    @property
    def keep_predictions_s(self) -> int | None:
        """Age in seconds at which predictions are deleted, None for never."""
        return None if self.keep_predictions is None else age_s(self.keep_predictions)


class HistoryShowSettings(HistoryDatabaseSettings):
    """Show what a phone's wearer did on a day: ribbon, episodes, minutes of each activity."""

    device: DeviceName = Field(description="name of the phone")
    day: date | None = Field(None, description="YYYY-MM-DD; today if not given")
    week: bool = Field(False, description="show the day's whole week, Monday to Sunday")
    zone: str | None = Field(
        None, description="time zone of the day, such as Europe/Berlin; this machine's if not given"
    )
    color: bool = Field(True, description="colours in a terminal; NO_COLOR=1 switches them off too")


class HistoryDevicesSettings(HistoryDatabaseSettings):
    """List the phones of which there is a history."""


class HistoryExportSettings(HistoryDatabaseSettings):
    """Write episodes, and predictions if asked for, into a file for other programs."""

    model_config = SettingsConfigDict(env_prefix_target="all")  # HAR_FROM, as ``from`` is an alias

    from_: date | None = Field(
        None, alias="from", description="first day, YYYY-MM-DD; all there are if not given"
    )
    to: date | None = Field(None, description="last day, YYYY-MM-DD; up to now if not given")
    zone: str | None = Field(
        None, description="time zone of the days and times; this machine's if not given"
    )
    device: list[DeviceName] = Field([], description="names of phones; all if not given")
    windows: bool = Field(False, description="also each prediction")
    csv: Path | None = Field(None, description="CSV file to write; - for the standard output")
    parquet: Path | None = Field(None, description="Parquet file to write")

    @model_validator(mode="after")
    def _one_file(self) -> Self:
        """Check the form of the output.

        Raises:
            ValueError: there is not just one, or days do not follow one another.
        """
        if (self.csv is None) == (self.parquet is None):
            raise ValueError("--csv FILE or --parquet FILE, one of them, is needed")
        if str(self.parquet) == "-":
            raise ValueError("parquet = '-': Parquet needs a file; --csv - is for a pipe")
        if self.from_ is not None and self.to is not None and self.to < self.from_:
            raise ValueError(f"to = '{self.to}': is before --from {self.from_}")
        return self


class HistoryForgetSettings(HistoryDatabaseSettings):
    """Delete all that is kept of a phone."""

    device: DeviceName = Field(description="name of the phone")
