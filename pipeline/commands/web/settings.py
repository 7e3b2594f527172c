"""Settings of har-web."""

import re
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from pipeline.commands.history.settings import HistoryDatabaseSettings
from pipeline.commands.listening import checked_listening
from pipeline.commands.log_settings import LogLevelSettings
from pipeline.commands.monitoring.settings import MonitoringSettings
from pipeline.settings import BrokerSettings, CommaSeparated, secret_in_file

LEAST_TOKEN: Final = 16
"""Characters of a token: fewer can be guessed"""

TOKEN_RULE: Final = f"is to have {LEAST_TOKEN} or more characters, letters, digits and -._~ alone"

DEFAULT_LISTEN: Final = "127.0.0.1:8080"


class StartError(Exception):
    """The server cannot be started; whoever starts it can mend that."""


def is_token(text: str) -> bool:
    """Return whether a text may be a token; `TOKEN_RULE` says when."""
    return re.fullmatch(rf"[\w.~-]{{{LEAST_TOKEN},}}", text, re.ASCII) is not None


def _origin(text: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]+", text):
        raise ValueError(f"{text!r} is to be an address alone, such as https://har.example.org")
    return text.lower()


def _origins(texts: list[str]) -> list[str]:
    return [_origin(text) for text in texts]


class WebSettings(MonitoringSettings, HistoryDatabaseSettings, BrokerSettings, LogLevelSettings):
    """Show phones live on a web page, and let phones' browsers send samples."""

    listen: Annotated[str, AfterValidator(checked_listening)] = Field(
        DEFAULT_LISTEN, description="HOST:PORT of the pages; 0.0.0.0:8443 for all addresses"
    )
    self_signed: bool = Field(
        False, description="https with a certificate that is made once, for all addresses of here"
    )
    https_cert: Path | None = Field(None, description="https with this certificate (PEM)")
    https_key: Path | None = Field(
        None, description="its private key, if that is in another file; not encrypted"
    )
    token: SecretStr | None = Field(
        None,
        description="what the pages' address is to hold; made once if not given, but for loopback; "
        "`ps` shows flags: better HAR_TOKEN or a file",
    )
    token_file: Path | None = Field(None, description="file that holds the token")
    origin: Annotated[CommaSeparated, AfterValidator(_origins)] = Field(
        [], description="other addresses of the pages, such as https://har.example.org of a proxy"
    )
    keep: Path | None = Field(
        None, description="folder for token and certificate; the user's state folder if not given"
    )
    database: SecretStr | None = Field(
        None,
        description="history to show days and weeks of, as har-history takes it; none if not given",
    )
    subscribe: CommaSeparated = Field(
        [],
        description="TOPIC=FORMAT of samples to show besides har/+/samples=native",
    )
    default_subscriptions: bool = Field(
        True, description="also show browser/+, sensor-logger/+, sensorspot/+/# and phyphox/+"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Read the token from its file, and check what goes together.

        Raises:
            ValueError: settings do not go together.
        """
        if self.self_signed and self.https_cert is not None:
            raise ValueError("self-signed: there is a certificate, --https-cert; leave out one")
        if self.https_key is not None and self.https_cert is None:
            raise ValueError(
                f"https-key = {str(self.https_key)!r}: a key needs its certificate, --https-cert"
            )
        if self.token_file is not None:
            if self.token is not None:
                raise ValueError(
                    f"token-file = {str(self.token_file)!r}: the token is given besides; "
                    "leave out one of them"
                )
            self.token = secret_in_file(self.token_file, "token")
        if self.token is not None and not is_token(self.token.get_secret_value()):
            raise ValueError(f"token = ***: {TOKEN_RULE}")
        return self

    @property
    def is_https(self) -> bool:
        """Whether the pages are encrypted."""
        return self.self_signed or self.https_cert is not None
