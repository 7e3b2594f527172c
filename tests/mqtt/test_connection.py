"""The connection against a real Mosquitto: who gets in, and what is said to whom does not.

What is sent and received once in is tested with the commands.
"""

import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from pipeline.mqtt.connection import Connection
from pipeline.mqtt.inbox import Owner
from pipeline.settings import BrokerSettings
from tests.brokers import ConfiguredMosquitto, Mosquitto, find_free_port, mosquitto_binary
from tests.fake_broker import CONNECT, FakeBroker, Script
from tests.tcp_proxy import TcpProxy

HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 20.0
LISTENERS: Final = ("plain", "login", "tls", "other-host", "expired", "demanding")

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("own_settings")]


def sign(folder: Path, name: str, *, days: str, host: str = HOST) -> None:
    """Let the authority in ``folder`` sign a certificate that certificates.sh would not make."""
    request, extensions = folder / "request", folder / "extensions"
    extensions.write_text(f"subjectAltName = IP:{host}\n")
    ca = ["-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial"]
    for arguments in (
        ["req", "-new", "-key", folder / "server.key", "-subj", f"/CN={host}", "-out", request],
        ["x509", "-req", "-in", request, "-days", days, *ca, "-extfile", extensions,
         "-out", folder / f"{name}.crt"],
    ):  # fmt: skip
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def folder(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of good certificates and of some that are not."""
    folder = tmp_path_factory.mktemp("mqtt") / "files"
    shutil.copytree(certificates, folder)
    sign(folder, "other-host", days="30", host="192.0.2.1")
    sign(folder, "expired", days="-1")
    return folder


@pytest.fixture(scope="module")
def ports(folder: Path) -> Iterator[dict[str, int]]:
    """Ports of one Mosquitto with a listener for each case."""
    if mosquitto_binary() is None:
        pytest.skip("needs Mosquitto")
    ports = {name: find_free_port() for name in LISTENERS}
    (folder / "passwords").write_text("me:hunter2\n")
    (folder / "acl").write_text("user me\ntopic readwrite test/#\n")
    subprocess.run(["mosquitto_passwd", "-U", str(folder / "passwords")], check=True)
    lines = ["per_listener_settings true", "user root", f"log_dest file {folder / 'mosquitto.log'}"]
    for name, port in ports.items():
        lines += [f"listener {port} {HOST}", f"allow_anonymous {str(name != 'login').lower()}"]
        if name == "login":
            lines += [f"password_file {folder / 'passwords'}", f"acl_file {folder / 'acl'}"]
        if name not in ("plain", "login"):
            own = folder / f"{name}.crt"
            lines += [
                f"certfile {own if own.exists() else folder / 'server.crt'}",
                f"keyfile {folder / 'server.key'}",
            ]
        if name == "demanding":
            lines += [f"cafile {folder / 'ca.crt'}", "require_certificate true"]
    last_opened = port
    mosquitto = ConfiguredMosquitto(folder, last_opened, "\n".join([*lines, ""]))
    mosquitto.start()
    yield ports
    mosquitto.stop()


@pytest.fixture
def prepare(ports: dict[str, int]) -> Iterator[Callable[..., Connection]]:
    """A function that makes a connection to a listener with some settings, not started yet."""
    made: list[Connection] = []

    def prepare(listener: str, **given: object) -> Connection:
        settings = BrokerSettings(broker=HOST, port=ports[listener], **given)
        made.append(Connection(settings, name="test", subscriptions=["test/#"]))
        return made[-1]

    yield prepare
    for connection in made:
        connection.close(timeout_s=1.0)


@pytest.fixture
def connect(prepare: Callable[..., Connection]) -> Callable[..., Connection]:
    """A function that connects to a listener with some settings."""

    def connect(listener: str, *, retry: bool = False, **given: object) -> Connection:
        connection = prepare(listener, **given)
        connection.start(retry=retry)
        return connection

    return connect


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize(
    ("listener", "given"),
    [
        ("plain", {}),
        ("login", {"username": "me", "password": "hunter2"}),
        ("tls", {"cafile": "ca.crt"}),
        ("tls", {"tls": True, "insecure": True}),
        ("other-host", {"tls": True, "insecure": True}),
        ("demanding", {"cafile": "ca.crt", "cert": "client.crt", "key": "client.key"}),
    ],
)
def test_who_gets_in(
    connect: Callable[..., Connection],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    protocol: str,
    listener: str,
    given: dict[str, object],
) -> None:
    """What the broker asks for lets us in, in both versions; then a message goes round."""
    monkeypatch.chdir(folder)
    connection = connect(listener, protocol=protocol, **given)
    connection.publish("test/round", b"there and back")
    (message,) = connection.take(timeout_s=START_TIMEOUT_S, gather_s=0.0)
    assert ("test/round", b"there and back") == (message.topic, message.payload)


NOT_IN: Final = {
    "plain, with TLS": ("plain", {"cafile": "ca.crt"}, "does it speak TLS at this port?"),
    "TLS, without": (
        "tls",
        {},
        "it does not answer the login: does it expect --tls? Or does it refuse retained messages "
        "(retain_available false), QoS 1 (max_qos 0) or more clients? Its own log says",
    ),
    "anonymous": ("login", {}, "the broker requires a login (Not authorized): give --username"),
    "wrong password": (
        "login",
        {"username": "me", "password": "s3cret"},
        "the broker refuses the login of me (Not authorized): are name and password right?",
    ),
    "unknown user": (
        "login",
        {"username": "you", "password": "s3cret"},
        "the broker refuses the login of you (Not authorized)",
    ),
    "unknown authority": (
        "tls",
        {"tls": True},
        "the broker's certificate is not trusted (unable to get local issuer certificate): "
        "give the authority that signed it as --cafile",
    ),
    "wrong authority": ("tls", {"cafile": "client.crt"}, "the broker's certificate is not trusted"),
    "other host": (
        "other-host",
        {"cafile": "ca.crt"},
        "the broker's certificate is for another host than 127.0.0.1",
    ),
    "expired": ("expired", {"cafile": "ca.crt"}, "the broker's certificate has expired: renew it"),
    "no client certificate": ("demanding", {"cafile": "ca.crt"}, "a client certificate"),
    "server's certificate as the client's": (
        "demanding",
        {"cafile": "ca.crt", "cert": "server.crt", "key": "server.key"},
        "accept --cert server.crt",
    ),
    "no file": ("tls", {"cafile": "gone.crt"}, "--cafile gone.crt: No such file or directory"),
}


@pytest.mark.parametrize("case", NOT_IN)
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_who_does_not_get_in(
    connect: Callable[..., Connection],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    case: str,
    protocol: str,
) -> None:
    """Each failure is one clear line that says what to do, and none holds the password."""
    monkeypatch.chdir(folder)
    listener, given, said = NOT_IN[case]
    with caplog.at_level(logging.DEBUG), pytest.raises(ConnectionError) as error:
        connect(listener, protocol=protocol, **given)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert "s3cret" not in f"{error.value}{caplog.text}"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


LASTING: Final = ("anonymous", "wrong password", "unknown authority", "other host", "no file")


@pytest.mark.parametrize("case", LASTING)
def test_what_trying_again_cannot_mend(
    connect: Callable[..., Connection], folder: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Also with retry, what will not pass by itself ends the attempts at once."""
    monkeypatch.chdir(folder)
    listener, given, said = NOT_IN[case]
    with pytest.raises(ConnectionError) as error:
        connect(listener, retry=True, **given)
    assert said in str(error.value)


@pytest.mark.parametrize("case", ["expired", "plain, with TLS"])
def test_what_may_pass(
    prepare: Callable[..., Connection], folder: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """With retry, what may pass is tried again, until `wake`."""
    monkeypatch.chdir(folder)
    listener, given, said = NOT_IN[case]
    connection = prepare(listener, **given)
    with ThreadPoolExecutor() as executor:
        started = executor.submit(connection.start, retry=True)
        deadline = time.monotonic() + START_TIMEOUT_S
        while connection.failure is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        connection.wake()
        assert started.result(START_TIMEOUT_S) is None
    assert said in connection.failure
    assert not connection.ready.is_set()


def test_a_refused_publication(
    connect: Callable[..., Connection], caplog: pytest.LogCaptureFixture
) -> None:
    """What the broker refuses to pass on is said once; only MQTT 5 tells of it."""
    connection = connect("login", protocol="5", username="me", password="hunter2")
    for _ in range(3):
        connection.publish("forbidden", b"")
    assert connection.await_confirmations(0, timeout_s=START_TIMEOUT_S)
    assert 1 == caplog.text.count("refuses what is published: Not authorized; may me write there?")


def test_the_insecure_switch_is_heard(
    connect: Callable[..., Connection], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever does not verify the broker is warned, each time."""
    connect("expired", tls=True, insecure=True)
    assert "anybody can pose as" in caplog.text


def test_confirmations_are_read_while_messages_wait(ports: dict[str, int]) -> None:
    """A connection that is left alone because too much waits still hears of its own messages."""
    settings = BrokerSettings(broker=HOST, port=ports["plain"])
    connection = Connection(
        settings, name="test", subscriptions=["test/#"], most_waiting=1, owner_of=Owner
    )
    connection.start(retry=False)
    for _ in range(50):
        connection.publish("test/crowd", b"")
    assert connection.await_confirmations(0, timeout_s=START_TIMEOUT_S)
    taken = connection.take(timeout_s=START_TIMEOUT_S, gather_s=0.0)
    while connection.waiting <= 2 and len(taken) < 50:  # more has still to come
        taken += connection.take(timeout_s=START_TIMEOUT_S, gather_s=0.0)
    connection.publish("test/one-more", b"")
    assert connection.await_confirmations(0, timeout_s=START_TIMEOUT_S)
    while len(taken) < 51:
        taken += connection.take(timeout_s=START_TIMEOUT_S, gather_s=0.0)
    connection.close(timeout_s=1.0)


def test_a_new_password_is_read_again(tmp_path: Path) -> None:
    """Each attempt is with the password that is in the file then."""
    file = tmp_path / "secret"
    file.write_text("old\n")
    logins: list[bytes] = []

    def script(connect: bytes) -> Script:
        logins.append(connect)
        file.write_text("new\n")
        return Script(v5=False, end=len(logins) == 1)

    with FakeBroker(script) as broker:
        settings = BrokerSettings(broker=HOST, port=broker.port, username="me", password_file=file)
        connection = Connection(settings, name="test", subscriptions=["a"])
        connection.start(retry=False)
        broker.await_packet(CONNECT, times=2)
        connection.close(timeout_s=0.0)
    assert [b"\x00\x03old", b"\x00\x03new"] == [login[-5:] for login in logins]


def test_a_password_from_a_pipe_is_read_once(tmp_path: Path) -> None:
    """What can be read only once, as ``--password-file <(command)``, is remembered."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as executor:
        written = executor.submit(pipe.write_text, "secret\n")
        settings = BrokerSettings(broker=HOST, username="me", password_file=pipe)
        written.result(START_TIMEOUT_S)
    settings.read_passwords()
    assert settings.password is not None
    assert "secret" == settings.password.get_secret_value()


def test_new_certificates_are_read_again(
    ports: dict[str, int], folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each connection is by the authority in the file then: a wrong one, then the right one."""
    cafile = tmp_path / "ca.crt"
    shutil.copy(folder / "ca.crt", cafile)
    with TcpProxy(ports["tls"]) as proxy:
        settings = BrokerSettings(broker=HOST, port=proxy.port, cafile=cafile)
        connection = Connection(settings, name="test", subscriptions=["test/#"])
        connection.start(retry=True)
        for content, said in (("client.crt", "is not trusted"), (None, "No such file")):
            cafile.unlink()
            if content is not None:
                shutil.copy(folder / content, cafile)
            proxy.cut("reset")
            deadline = time.monotonic() + START_TIMEOUT_S
            while said not in caplog.text:
                assert time.monotonic() < deadline, caplog.text
                time.sleep(0.01)
            shutil.copy(folder / "ca.crt", cafile)
            assert connection.ready.wait(START_TIMEOUT_S)
        connection.close(timeout_s=1.0)


@pytest.mark.parametrize(
    ("setting", "needed"),
    [("retain_available false", "retain_available true"), ("max_qos 0", "max_qos 1 or more")],
)
def test_a_mosquitto_that_cannot_serve_us(
    own_mosquitto: Mosquitto, setting: str, needed: str
) -> None:
    """By MQTT 5 it says what it lacks, and that is all; by 3.1.1 it is named among the causes."""
    own_mosquitto.configure(setting)
    own_mosquitto.start()
    for protocol, retry, words in (("5", True, needed), ("3.1.1", False, setting)):
        settings = BrokerSettings(broker=HOST, port=own_mosquitto.port, protocol=protocol)
        connection = Connection(
            settings, name="test", subscriptions=["a"], status_topic="har/status"
        )
        with pytest.raises(ConnectionError) as error:
            connection.start(retry=retry)
        assert words in str(error.value)
        connection.close(timeout_s=0.0)


def test_a_mosquitto_that_takes_small_packets_only(
    own_mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    """Packets of just its max_packet_size come through, and larger ones are lost alone."""
    own_mosquitto.configure("max_packet_size 200")
    own_mosquitto.start()
    settings = BrokerSettings(broker=HOST, port=own_mosquitto.port, protocol="5")
    connection = Connection(settings, name="test", subscriptions=["t"])
    connection.start(retry=False)
    head = 3 + len("\0\1t") + len("id") + len("\0")  # of a packet of 128 to 16,383 bytes
    sizes = [200 - head, 1_000, 201 - head, 1]
    for size in sizes:
        connection.publish("t", bytes(size))
    assert connection.await_confirmations(0, timeout_s=START_TIMEOUT_S)
    came: list[int] = []
    while len(came) < 2:
        messages = connection.take(timeout_s=START_TIMEOUT_S, gather_s=0.0)
        came += [len(message.payload) for message in messages]
    assert [sizes[0], sizes[-1]] == came
    connection.close(timeout_s=1.0)
    assert "takes no packets of more than 200 bytes: 2 of ours are lost so far" in caplog.text
    assert "no connection" not in caplog.text
