"""How settings are read: flags before ``HAR_*`` variables before ``.env`` before defaults.

Here are also the settings of the broker, which most commands have. Each command has its others
beside it.
"""

import io
import json
import os
import re
import select
import sys
from argparse import Action, ArgumentParser, Namespace
from collections.abc import Callable, Container, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, Self, TypeGuard, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    CliApp,
    CliSettingsSource,
    NoDecode,
    SettingsConfigDict,
    SettingsError,
)
from pydantic_settings.sources.types import _CliPositionalArg

from pipeline.completion import PrintCompletion, complete_values
from pipeline.help_layout import add_version, arrange, formatter
from pipeline.readings import MAX_PAYLOAD_BYTES
from pipeline.secret_keeping import SECRETS, leave_no_core_dump
from pipeline.setting_groups import GROUPS, Groups

ENV_FILE: Final = ".env"


class CommandSettings(BaseSettings):
    """Base of all commands' settings: how they are read."""

    model_config = SettingsConfigDict(
        env_prefix="HAR_",
        env_file=ENV_FILE,
        extra="ignore",  # one .env serves all commands
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        hide_input_in_errors=True,  # it may hold a password
    )
    groups: ClassVar[Groups] = GROUPS
    """In which ``--help`` lists the settings"""


MAX_PACKET_BYTES: Final = MAX_PAYLOAD_BYTES + 2 * 65_536
"""Of the largest payload, its longest possible topic and what MQTT 5 adds"""
MOST_SECRET_BYTES: Final = 65_535
"""Of a password in a file: more than MQTT can send"""
PIPE_TIMEOUT_S: Final = 5.0
"""How long a pipe that is to hold a password is waited for"""

TLS_PORT: Final = 8883
"""Where brokers speak TLS, unless the port is given."""

S = TypeVar("S", bound=CommandSettings)


def from_command_line(kind: type[S], completed: Callable[[], ArgumentParser] | None = None) -> S:
    """Return the settings of a command, or end it with a line for each that does not fit.

    What a command prints from then on is escaped where the terminal has no characters for it, be it
    a name or an activity. A command with subcommands gives a parser of all, ``completed``, for
    shells to complete.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    leave_no_core_dump()
    source = _source(kind)
    add_version(source.root_parser)
    source.root_parser.add_argument(
        "--print-completion", action=PrintCompletion, whole=completed or partial(completable, kind)
    )
    try:
        return CliApp.run(kind, cli_settings_source=source)
    except ValidationError as error:
        problems = [_problem(details) for details in error.errors()]
    except SettingsError as error:
        problems = [str(error)]
    except UnicodeDecodeError:
        problems = [f"{ENV_FILE}: is not text in UTF-8"]
    except OSError as error:
        problems = [f"{error.filename}: {error.strerror}"]
    sys.exit("\n".join(f"{Path(sys.argv[0]).name}: {problem}" for problem in problems))


def completable(kind: type[CommandSettings]) -> ArgumentParser:
    """Return a parser for shells, which tells the values that a command's settings can have."""
    parser = _source(kind).root_parser
    complete_values(parser, kind)
    return parser


def _source(kind: type[CommandSettings]) -> CliSettingsSource[ArgumentParser]:
    """Return what reads the settings of a command from its flags."""
    source = CliSettingsSource[ArgumentParser](
        kind,
        formatter_class=formatter(),
        add_argument_method=partial(_add_with_lists, _of_one_value(kind)),
        parse_args_method=partial(_parse, kind),
    )
    names = {field.alias or name: name for name, field in kind.model_fields.items()}
    arrange(source.root_parser, names, kind.groups)
    return source


def _of_one_value(kind: type[BaseSettings]) -> frozenset[str]:
    """Return the flags of words of a command that names files without a flag.

    Each takes one value, in which commas may separate several: it would else take the files too.
    """
    fields = kind.model_fields
    if not any(_CliPositionalArg in field.metadata for field in fields.values()):
        return frozenset()
    return frozenset(
        f"--{name.replace('_', '-')}"
        for name, field in fields.items()
        if NoDecode in field.metadata
    )


def _add_with_lists(
    of_one_value: Container[str], parser: ArgumentParser, *names: str, **settings: object
) -> Action:
    """Add a flag; one of a list takes several values at once, as a shell's ``*`` expands to."""
    if settings.get("action") == "append" and names[0] not in of_one_value:
        settings |= {"action": "extend", "nargs": "+"}
    return parser.add_argument(*names, **settings)  # type: ignore[arg-type]  # are its own


def _parse(kind: type[BaseSettings], parser: ArgumentParser, flags: Sequence[str]) -> Namespace:
    """Parse a command line. Paths and names in lists are taken as the shell gives them.

    pydantic-settings would read each as JSON or as a list separated by commas. A list that is JSON
    already it takes as it is.
    """
    parsed = parser.parse_args(flags)
    for name, field in kind.model_fields.items():
        is_literal = field.annotation in (list[Path], list[str]) and NoDecode not in field.metadata
        given = getattr(parsed, name, None)
        if is_literal and given and isinstance(given, list):
            setattr(parsed, name, json.dumps([path for text in given for path in _paths(text)]))
    return parsed


def _paths(argument: str) -> list[str]:
    """Return an argument as it is, or its parts at commas if those are there and it is not."""
    parts = argument.split(",")
    if not Path(argument).exists() and all(Path(part).exists() for part in parts if part):
        return [part for part in parts if part] or [argument]
    return [argument]


def _problem(details: ErrorDetails) -> str:
    """Return in a line what is wrong with a setting, without any password."""
    if not details["loc"]:  # of settings that do not go together
        return details["msg"].removeprefix("Value error, ")
    name = str(details["loc"][0])
    if details["type"] == "missing":
        return f"--{name.replace('_', '-')} or HAR_{name.upper()} is needed"
    value = "***" if name in SECRETS else repr(details["input"])
    return f"{name.replace('_', '-')} = {value}: {details['msg']}"


def _split(value: object) -> object:
    """Return what commas separate, from a variable or from several flags."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        return value
    return [part.strip() for text in texts for part in str(text).split(",") if part.strip()]


CommaSeparated = Annotated[list[str], NoDecode, BeforeValidator(_split)]
"""Several words; as a flag also one by one."""


def _host(broker: str) -> str:
    """Return the broker's host, which may not be a URL, nor hold the port."""
    if "/" in broker or re.fullmatch(r"[^:]*:\d*", broker):
        raise ValueError("is to be a host alone: the port goes into --port, and TLS is --tls")
    try:
        broker.encode("idna")
    except UnicodeError as error:
        raise ValueError("is no host name") from error
    return broker


class BrokerSettings(CommandSettings):
    """How to reach the broker, and who we are to it."""

    broker: Annotated[str, AfterValidator(_host)] = Field(
        min_length=1, description="host name or address of the MQTT broker"
    )
    port: int = Field(
        1883, ge=1, le=65535, description="TCP port of the broker; if not given, 8883 with TLS"
    )
    protocol: Literal["3.1.1", "5"] = Field("3.1.1", description="MQTT version")
    tls: bool = Field(
        False, description="encrypt and verify the broker; implied by --cafile and --cert"
    )
    cafile: Path | None = Field(
        None,
        description="authority that vouches for the broker (PEM); else the system's",
    )
    cert: Path | None = Field(None, description="client certificate, if the broker demands one")
    key: Path | None = Field(None, description="its private key, if that is in another file")
    key_password: SecretStr | None = Field(
        None,
        description="what decrypts the key; `ps` shows flags: better HAR_KEY_PASSWORD, a file",
    )
    key_password_file: Path | None = Field(None, description="file that holds the key's password")
    insecure: bool = Field(
        False, description="DANGER: with TLS, let anybody pose as the broker and take the password"
    )
    username: str | None = Field(None, description="name to log in with")
    password: SecretStr | None = Field(
        None, description="password to log in with; `ps` shows flags: better HAR_PASSWORD, a file"
    )
    password_file: Path | None = Field(None, description="file that holds the password")
    max_packet: int = Field(
        MAX_PACKET_BYTES,
        ge=1024,
        le=0x0FFF_FFFF,
        description="bytes of a message and its topic; larger ones are passed over",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Read passwords from their files, and find the defaults that depend on other settings.

        Raises:
            ValueError: a file cannot be read, or settings do not go together.
        """
        for name in ("cafile", "cert", "key"):
            path = getattr(self, name)
            if path is not None and (path.is_fifo() or path.is_char_device()):
                raise ValueError(f"{name} = {str(path)!r}: is a pipe or a device, not a file")
        if self.username is not None and not _is_text(self.username):
            raise ValueError(f"username = {self.username!r}: is not text in UTF-8")
        for given, path, name in (
            (self.password, self.password_file, "password"),
            (self.key_password, self.key_password_file, "key-password"),
        ):
            if given is not None and not _is_text(given.get_secret_value()):
                raise ValueError(f"{name} = ***: is not text in UTF-8")
            if given is not None and path is not None:
                raise ValueError(
                    f"{name}-file = {str(path)!r}: the {name} is given besides; "
                    "leave out one of them"
                )
        self.read_passwords()
        if self.password is not None and self.username is None:
            raise ValueError("a password needs a name to log in with: --username or HAR_USERNAME")
        if self.key is not None and self.cert is None:
            raise ValueError(f"key = {str(self.key)!r}: a key needs its certificate, --cert")
        if "tls" not in self.model_fields_set:
            self.tls = self.cafile is not None or self.cert is not None
        if self.tls and "port" not in self.model_fields_set:
            self.port = TLS_PORT
        return self

    def read_passwords(self) -> None:
        """Read the passwords that are in files, as those are now.

        Raises:
            ValueError: a file cannot be read.
        """
        if _may_be_read(self.password_file, self.password):
            self.password = secret_in_file(self.password_file, "password")
        if _may_be_read(self.key_password_file, self.key_password):
            self.key_password = secret_in_file(self.key_password_file, "key-password")


def _may_be_read(path: Path | None, known: SecretStr | None) -> TypeGuard[Path]:
    """Return whether there is a file that can be read: again only if it is no pipe."""
    return path is not None and (known is None or path.is_file() or not path.exists())


def secret_in_file(path: Path, name: str) -> SecretStr:
    """Return the password that a file holds, which is all of it but for the end of the line.

    Raises:
        ValueError: it cannot be read.
    """
    flag = f"{name}-file = {str(path)!r}"
    try:
        text = _read_secret(path).decode()
    except OSError as error:
        raise ValueError(f"{flag}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise ValueError(f"{flag}: is not text in UTF-8") from None
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise ValueError(f"{flag}: is empty")
    return SecretStr(secret)


def _read_secret(path: Path) -> bytes:
    """Return what a file holds, or a pipe such as a shell's ``<(command)``.

    Raises:
        OSError: it cannot be read, is too long, or nothing comes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        content = b""
        while len(content) <= MOST_SECRET_BYTES:
            if not select.select([descriptor], [], [], PIPE_TIMEOUT_S)[0]:
                raise OSError(f"nothing comes from it within {PIPE_TIMEOUT_S:g} s")
            block = os.read(descriptor, MOST_SECRET_BYTES)
            if not block:
                return content
            content += block
        raise OSError(f"holds over {MOST_SECRET_BYTES} bytes")
    finally:
        os.close(descriptor)


def _is_text(text: str) -> bool:
    """Return whether it can be sent: a command line may hold bytes that are no characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
