"""Settings of the commands: where they come from, what goes together, and what nobody may see."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from pydantic import ValidationError

import pipeline.settings
from pipeline.commands.calibrate.settings import CalibrateSettings
from pipeline.commands.import_settings import ImportSettings
from pipeline.commands.record.settings import RecordSettings
from pipeline.commands.replay.settings import ReplaySettings
from pipeline.commands.stream.settings import StreamSettings
from pipeline.settings import BrokerSettings, CommandSettings, from_command_line
from trainer.commands.evaluate_settings import EvaluateSettings
from trainer.commands.train_settings import TrainSettings

BROKER_COMMANDS = [StreamSettings, CalibrateSettings, ReplaySettings, RecordSettings]

pytestmark = pytest.mark.usefixtures("own_settings")


@pytest.mark.parametrize("kind", BROKER_COMMANDS)
def test_every_command_can_log_in(
    kind: type[BrokerSettings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """TLS, certificates and logins are set alike in all commands that talk to a broker."""
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    device = [] if "device" not in kind.model_fields else ["--device", "phone-7"]
    flags = ["--broker", "host", "--cafile", "ca.crt", "--cert", "me.crt", "--key", "me.key"]
    login = ["--username", "me", "--password-file", str(secret)]
    monkeypatch.setattr(sys, "argv", ["har", *device, *flags, *login])
    settings = from_command_line(kind)
    assert (True, 8883, False) == (settings.tls, settings.port, settings.insecure)
    assert (settings.cafile, settings.cert, settings.key) == (
        Path("ca.crt"), Path("me.crt"), Path("me.key"),
    )  # fmt: skip
    assert settings.password is not None
    assert "hunter2" == settings.password.get_secret_value()


@pytest.mark.parametrize(
    ("given", "tls", "port"),
    [
        ({}, False, 1883),
        ({"tls": True}, True, 8883),
        ({"tls": True, "port": 1883}, True, 1883),
        ({"port": 8883}, False, 8883),
        ({"cafile": "ca.crt"}, True, 8883),
        ({"cert": "me.pem"}, True, 8883),
        ({"cafile": "ca.crt", "tls": False}, False, 1883),
        ({"insecure": True}, False, 1883),
    ],
)
def test_tls_and_its_port(given: dict[str, object], tls: bool, port: int) -> None:
    """Certificates turn TLS on unless it is turned off; its port is 8883 unless one is given."""
    settings = BrokerSettings(broker="host", **given)
    assert (settings.tls, settings.port) == (tls, port)


def test_passwords_from_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A password comes from an argument, HAR_PASSWORD, .env or a file, all but its newline."""

    def password(**given: str) -> str:
        settings = BrokerSettings(broker="host", username="me", **given)
        assert settings.password is not None
        return settings.password.get_secret_value()

    assert "plain" == password(password="plain")
    Path(".env").write_text("HAR_PASSWORD=from-env-file\n")
    assert "from-env-file" == password()
    monkeypatch.setenv("HAR_PASSWORD", "from-environment")
    assert "from-environment" == password()
    monkeypatch.delenv("HAR_PASSWORD")
    Path(".env").unlink()
    file = tmp_path / "secret"
    monkeypatch.setenv("HAR_PASSWORD_FILE", str(file))
    for text in (" p ä ss ", " p ä ss \n", " p ä ss \r\n"):
        file.write_text(text, encoding="utf-8", newline="")
        assert " p ä ss " == password()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--password", "hunter2"], "a password needs a name to log in with: --username"),
        (["--username", "me", "--password-file", "gone"], "password-file = 'gone': No such file"),
        (["--username", "me", "--password-file", "."], "password-file = '.': Is a directory"),
        (["--username", "me", "--password-file", "empty"], "password-file = 'empty': is empty"),
        (
            ["--username", "me", "--password-file", "binary"],
            "password-file = 'binary': is not text",
        ),
        (
            ["--username", "me", "--password", "hunter2", "--password-file", "hunter2.txt"],
            "password-file = 'hunter2.txt': the password is given besides",
        ),
        (["--username", "me", "--password-file", "/dev/zero"],
         "password-file = '/dev/zero': holds over 65535 bytes"),
        (["--username", "me", "--password-file", "pipe"],
         "password-file = 'pipe': nothing comes from it within 0.1 s"),
        (["--username", "m\udcff"], "username = 'm\\udcff': is not text in UTF-8"),
        (["--username", "me", "--password", "hunter2\udcff"],
         "password = ***: is not text in UTF-8"),
        (["--cafile", "pipe"], "cafile = 'pipe': is a pipe or a device"),
        (["--cert", "/dev/zero"], "cert = '/dev/zero': is a pipe or a device"),
        (["--key", "me.key"], "key = 'me.key': a key needs its certificate, --cert"),
        (
            ["--cert", "me.crt", "--key-password-file", "gone"],
            "key-password-file = 'gone': No such",
        ),
    ],
)  # fmt: skip
def test_what_does_not_go_together(
    refused_settings: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    flags: list[str],
    said: str,
) -> None:
    """Settings that cannot be used together end a command with one line, without the password."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(pipeline.settings, "PIPE_TIMEOUT_S", 0.1)
    written = refused_settings(StreamSettings, "har-stream", "--broker", "host", *flags)
    assert written.startswith(f"har-stream: {said}")
    assert 1 == written.count("\n")
    assert "hunter2" not in written.replace("hunter2.txt", "")


def test_a_password_from_a_pipe(tmp_path: Path) -> None:
    """A shell's ``<(command)`` is read to its end, however it comes."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            file.write(b"open ")
            file.write(b"sesame\n")

    writer = threading.Thread(target=write)
    writer.start()
    settings = BrokerSettings(broker="host", username="me", password_file=pipe)
    writer.join()
    assert settings.password is not None
    assert "open sesame" == settings.password.get_secret_value()


@pytest.mark.parametrize(
    ("content", "variables", "said"),
    [
        (b"HAR_BROKER=caf\xe9\n", {}, ".env: is not text in UTF-8"),
        (b"", {"HAR_BROKER": "caf\udce9"}, "broker = 'caf\\udce9': Input should be a valid string"),
    ],
)
def test_settings_that_are_no_text(
    run_command: Callable[..., CompletedProcess[str]],
    tmp_path: Path,
    content: bytes,
    variables: dict[str, str],
    said: str,
) -> None:
    """A file or a variable in another encoding ends a command with one line that names it."""
    (tmp_path / ".env").write_bytes(content)
    done = run_command("har-record", "--device", "phone-7", **variables)
    assert 1 == done.returncode
    assert done.stderr.startswith(f"har-record: {said}")
    assert 1 == done.stderr.count("\n")


@pytest.mark.parametrize("broker", ["mqtt://host", "host:1883", "host/", ".host", "a..b"])
def test_the_broker_is_a_host(refused_settings: Callable[..., str], broker: str) -> None:
    """A URL, a port or no name at all as --broker is refused with one line."""
    written = refused_settings(StreamSettings, "har-stream", "--broker", broker)
    assert written.startswith(f"har-stream: broker = {broker!r}: Value error, is ")
    assert 1 == written.count("\n")


@pytest.mark.parametrize("broker", ["host", "127.0.0.1", "::1", "fe80::1%eth0", "bücher.example"])
def test_hosts(broker: str) -> None:
    """Names and addresses of both kinds name a broker."""
    assert BrokerSettings(broker=broker).broker == broker


def test_passwords_are_shown_to_nobody(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    refused_settings: Callable[..., str],
) -> None:
    """No password is in --help, in the settings' text, or in what is said of wrong settings."""
    settings = BrokerSettings(
        broker="h", username="me", password="hunter2", cert="c", key_password="hunter2"
    )
    assert "hunter2" not in f"{settings} {settings!r}"
    with pytest.raises(ValidationError) as error:
        BrokerSettings(broker="h", password="hunter2")
    assert "hunter2" not in str(error.value)
    monkeypatch.setenv("HAR_PASSWORD", "hunter2")
    monkeypatch.setattr(sys, "argv", ["har-stream", "--help"])
    with pytest.raises(SystemExit):
        from_command_line(StreamSettings)
    written = capsys.readouterr().out
    assert "--password-file" in written
    assert "hunter2" not in written
    wrong = ["--broker", "h", "--username", "me", "--password", "hunter2", "--port", "0"]
    assert "hunter2" not in refused_settings(StreamSettings, "har-stream", *wrong)


@pytest.mark.parametrize(
    ("kind", "flag", "name", "others"),
    [
        (TrainSettings, "--extra", "extra", []),
        (TrainSettings, "--frame", "frame", []),
        (StreamSettings, "--subscribe", "subscribe", ["--broker", "host"]),
        (StreamSettings, "--convention", "convention", ["--broker", "host"]),
        (RecordSettings, "--subscribe", "subscribe", ["--broker", "host", "--device", "x"]),
        (ReplaySettings, "--subjects", "subjects", ["--broker", "host"]),
    ],
)
def test_flags_of_lists(
    kind: type[CommandSettings],
    flag: str,
    name: str,
    others: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Several values come after one flag, as a shell's * expands to, or after a flag each."""
    one, two, three = ("1", "2", "3") if name == "subjects" else ("a.x", "b.x", "c.x")
    spellings = [[flag, one, two, three], [flag, one, flag, two, three]]
    if name != "extra":  # a path may hold a comma
        spellings.append([flag, f"{one},{two}", flag, three])
    for flags in spellings:
        monkeypatch.setattr(sys, "argv", ["har", *flags, *others])
        assert [one, two, three] == list(map(str, getattr(from_command_line(kind), name)))


ODD_NAMES = [
    *("walk,slow", ",", '"q".csv', '"q', "[1]", "[]", "{}", "1", "1e5", "true", "null", "None"),
    *(" blanks ", "back\\", 'a\\"b', "a;b", "é", "caf\udce9", "two\nlines"),
]


@pytest.mark.parametrize(
    ("kind", "flags", "name"),
    [
        (ImportSettings, [], "files"),
        (TrainSettings, ["--extra"], "extra"),
        (EvaluateSettings, [], "models"),
    ],
)
def test_paths_are_taken_as_the_shell_gives_them(
    kind: type[CommandSettings], flags: list[str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No comma, quote, bracket or blank in a path of a list has a meaning of its own."""
    monkeypatch.setattr(sys, "argv", ["har", *flags, *ODD_NAMES])
    assert ODD_NAMES == list(map(str, getattr(from_command_line(kind), name)))
    for one in ODD_NAMES:
        monkeypatch.setattr(sys, "argv", ["har", *flags, one])
        assert [one] == list(map(str, getattr(from_command_line(kind), name)))


@pytest.mark.parametrize(
    ("kind", "name"),
    [(TrainSettings, "extra"), (EvaluateSettings, "models")],
)
def test_lists_in_variables(
    kind: type[CommandSettings], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable holds a list as JSON, and counts where the command line says nothing."""
    monkeypatch.setenv(f"HAR_{name.upper()}", '["a,b", "c"]')
    monkeypatch.setattr(sys, "argv", ["har"])
    assert ["a,b", "c"] == list(map(str, getattr(from_command_line(kind), name)))
