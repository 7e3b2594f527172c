"""The files in deploy/ that secure a broker, under a real Mosquitto: each forbidden thing is tried.

Only paths, the port and the address are put in place; everything else is as it stands there.
"""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.readings import MAX_PAYLOAD_BYTES
from pipeline.recordings import simulated
from tests.client import TIMEOUT_S, Login, MqttClient

if TYPE_CHECKING:
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., subprocess.CompletedProcess[str]]

DEPLOY: Final = Path(__file__).parent.parent / "deploy"
HOST: Final = "127.0.0.1"
EPOCH: Final = 1698501144.4
USERS: Final = (
    *("phone-a", "phone-b", "har-stream", "har-calibrate", "har-record"),
    *("reader", "home-assistant", "nobody"),
)
RESULTS: Final = ("prediction", "activity", "episode", "availability", "info")

pytestmark = pytest.mark.broker


def password_of(user: str) -> str:
    """Return a user's password."""
    return f"s3cret of {user}"


def put_in_place(text: str, changes: dict[str, str]) -> str:
    """Return a text with parts of it exchanged; each must be there."""
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


class SecureBroker:
    """Mosquitto with the files of deploy/."""

    def __init__(self, folder: Path, certificates: Path) -> None:
        """Put the files into ``folder``, with a password for each user."""
        self.host = HOST
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self.port: int = probe.getsockname()[1]
        self.cafile = certificates / "ca.crt"
        shutil.copytree(certificates, folder / "certs")
        (folder / "data").mkdir()
        config = put_in_place(
            (DEPLOY / "mosquitto.conf").read_text(),
            {
                "listener 8883": f"listener {self.port} {HOST}",
                "/etc/mosquitto/": f"{folder}/",
                "/var/lib/mosquitto/": f"{folder}/data/",
                "log_dest stdout": f"log_dest file {folder / 'log'}",
            },
        )
        if os.geteuid() == 0:  # else it could not read the folders of tests
            config += "user root\n"
        self.config = folder / "mosquitto.conf"
        self.config.write_text(config)
        shutil.copy(DEPLOY / "mosquitto.acl", folder / "har.acl")
        passwords = folder / "har.passwords"
        passwords.write_text("".join(f"{user}:{password_of(user)}\n" for user in USERS))
        subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
        self.log = folder / "log"

    def flags(self, user: str) -> list[str]:
        """Return a command's flags but for the password."""
        where = ["--broker", HOST, "--port", str(self.port), "--cafile", str(self.cafile)]
        return [*where, "--username", user]


@pytest.fixture(scope="module")
def broker(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """The secure broker, which runs."""
    binary = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if binary is None:
        pytest.skip("needs Mosquitto")
    broker = SecureBroker(tmp_path_factory.mktemp("deploy"), certificates)
    process = subprocess.Popen([binary, "-c", str(broker.config)])
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            socket.create_connection((HOST, broker.port), timeout=1.0).close()
            break
        except OSError:
            assert process.poll() is None, broker.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
    yield broker
    process.terminate()
    process.wait(TIMEOUT_S)


class Guest(MqttClient):
    """A client, which speaks MQTT 5: there the broker says what it refuses."""

    def __init__(
        self,
        broker: SecureBroker,
        user: str | None,
        *,
        password: str | None = None,
        client_id: str = "",
    ) -> None:
        """Try to log in; `login_answer` is what the broker says."""
        if user is not None:
            password = password or password_of(user)
        super().__init__(broker, login=Login(user, password, broker.cafile, client_id))
        self.await_that(lambda: self.logins)
        self.login_answer = self.logins[0]

    def answer_to(self, topic: str, payload: bytes | str = b"x") -> str:
        """Publish, and return what the broker says, without a word on whether somebody listens."""
        self.publish(topic, payload)
        return "Success" if self.answer == "No matching subscribers" else self.answer

    def heard_until(self, end: str) -> list[tuple[str, bytes]]:
        """Return all messages not yet read, up to the first on the topic ``end``."""
        n_before = len(self.taken)
        self.await_message(end)
        return [(message.topic, message.payload) for message in self.taken[n_before:]]


@pytest.fixture
def visit(broker: SecureBroker) -> Iterator[Callable[..., Guest]]:
    """A function that logs in until the test ends."""
    guests: list[Guest] = []

    def visit(user: str | None, **given: str) -> Guest:
        guests.append(Guest(broker, user, **given))
        return guests[-1]

    yield visit
    for guest in guests:
        guest.close()


# Who comes in


def test_logins(visit: Callable[..., Guest]) -> None:
    """Nobody comes in without name and password, or with wrong ones; each user does with his."""
    assert "Not authorized" == visit(None).login_answer
    assert "Not authorized" == visit("phone-a", password="guess").login_answer
    assert "Not authorized" == visit("phone-a", password=password_of("phone-b")).login_answer
    assert "Not authorized" == visit("phone-c").login_answer
    assert [visit(user).login_answer for user in USERS] == ["Success"] * len(USERS)


def test_nothing_without_tls(broker: SecureBroker) -> None:
    """A login that is not encrypted is not answered."""
    with MqttClient(broker, login=Login("phone-a", password_of("phone-a"))) as client:
        client.await_that(lambda: client.losses)
        assert [] == client.logins


@pytest.mark.parametrize(
    ("version", "taken"), [("tls1_1", False), ("tls1_2", True), ("tls1_3", True)]
)
def test_versions_of_tls(broker: SecureBroker, version: str, taken: bool) -> None:
    """TLS 1.1 is refused by the broker, 1.2 and 1.3 are not."""
    # At security level 0 OpenSSL 3 still offers TLS 1.1.
    ciphers = ["-cipher", "DEFAULT@SECLEVEL=0"] if version == "tls1_1" else []
    result = subprocess.run(
        ["openssl", "s_client", f"-{version}", *ciphers, "-verify_return_error",
         "-connect", f"{HOST}:{broker.port}", "-CAfile", str(broker.cafile)],
        input="", capture_output=True, text=True, timeout=TIMEOUT_S,
    )  # fmt: skip
    if not taken and "no protocols available" in result.stderr:
        pytest.skip("this openssl cannot offer TLS 1.1 at all")
    assert ("Verify return code: 0 (ok)" in result.stdout and result.returncode == 0) == taken
    assert ("alert protocol version" in result.stderr) == (not taken)


def test_nobody_takes_anothers_place(visit: Callable[..., Guest]) -> None:
    """A phone that gives itself har-stream's client id does not put har-stream out."""
    stream = visit("har-stream")
    stream.subscribe("har/+/samples")
    phone = visit("phone-a", client_id="har-stream")
    assert "Success" == phone.answer_to("har/phone-a/samples", b"still there?")
    assert b"still there?" == stream.heard_until("har/phone-a/samples")[-1][1]
    assert [] == stream.losses


# Who may write

_RESULT_TOPICS: Final = [f"har/phone-a/{result}" for result in RESULTS]
_INPUTS: Final = ["har/phone-a/samples", "har/phone-a/label", "har/phone-a/calibration"]
_OTHERS: Final = ["har/phone-b/samples", "har/phone-b/label", "har/phone-b/calibration"]
_ANNOUNCEMENT: Final = "homeassistant/device/har_phone-a/config"
TOPICS: Final = [
    *_INPUTS, *_OTHERS, *_RESULT_TOPICS, "har/phone-b/activity", "har/status", "har/load",
    "har/info", "har/samples", "har/phone-a/samples/x", "sensor-logger", "phyphox/phone-a",
    "homeassistant/status", _ANNOUNCEMENT, "elsewhere",
]  # fmt: skip
MAY_WRITE: Final = {
    "phone-a": {"har/phone-a/samples", "har/phone-a/label"},
    "har-stream": {
        *(*_RESULT_TOPICS, "har/phone-b/activity"),
        *("har/status", "har/load", "har/info", _ANNOUNCEMENT),
    },
    "har-calibrate": {"har/phone-a/calibration", "har/phone-b/calibration"},
    "har-record": set(),
    "reader": set(),
    "home-assistant": {"homeassistant/status", _ANNOUNCEMENT},
    "nobody": set(),
}


@pytest.mark.parametrize("user", MAY_WRITE)
def test_who_may_write_what(visit: Callable[..., Guest], user: str) -> None:
    """A phone writes its own samples and labels, har-stream results; all else is refused."""
    guest = visit(user)
    answers = {topic: guest.answer_to(topic) for topic in TOPICS}
    assert {topic for topic, answer in answers.items() if answer == "Success"} == MAY_WRITE[user]
    assert set(answers.values()) <= {"Success", "Not authorized"}


def test_large_messages(visit: Callable[..., Guest]) -> None:
    """A payload as large as har-stream takes comes through; a larger one is dropped."""
    stream, phone = visit("har-stream"), visit("phone-a")
    stream.subscribe("har/+/samples")
    assert "Success" == phone.answer_to("har/phone-a/samples", bytes(MAX_PAYLOAD_BYTES))
    assert MAX_PAYLOAD_BYTES == len(stream.heard_until("har/phone-a/samples")[-1][1])
    for payload in (bytes(MAX_PAYLOAD_BYTES + 1), b"small"):
        phone.publish("har/phone-a/samples", payload, qos=0)
    assert b"small" == stream.heard_until("har/phone-a/samples")[-1][1]
    assert [] == phone.losses


# Who may read

MAY_READ: Final = {
    "phone-a": set(_RESULT_TOPICS),
    "har-stream": {
        *("har/phone-a/samples", "har/phone-b/samples"),
        *("har/phone-a/calibration", "har/status", "homeassistant/status"),
    },
    "har-calibrate": {
        *("har/phone-a/samples", "har/phone-b/samples"),
        *("har/phone-a/info", "har/phone-a/calibration"),
    },
    "har-record": {
        *("har/phone-a/samples", "har/phone-b/samples"),
        *("har/phone-a/label", "har/phone-a/calibration"),
    },
    "reader": {*_RESULT_TOPICS, "har/phone-b/activity", "har/status", "har/load", "har/info"},
    "home-assistant": {
        *("har/phone-a/activity", "har/phone-a/availability", "har/phone-b/activity"),
        *("har/status", "homeassistant/status", _ANNOUNCEMENT),
    },
}
PUBLISHED: Final = {
    "phone-a": ["har/phone-a/samples", "har/phone-a/label"],
    "phone-b": ["har/phone-b/samples"],
    "har-stream": [
        *(*_RESULT_TOPICS, "har/phone-b/activity"),
        *("har/status", "har/load", "har/info", _ANNOUNCEMENT),
    ],
    "home-assistant": ["homeassistant/status"],
    "har-calibrate": ["har/phone-a/calibration"],
}
"""By whom all topics that may be written at all are written, in this order"""


def test_who_may_read_what(visit: Callable[..., Guest]) -> None:
    """A phone hears its own results, the reader all results, neither of them any samples."""
    guests = {user: visit(user) for user in (*MAY_READ, "phone-b", "nobody")}
    for guest in guests.values():
        guest.subscribe("#")
    order = [topic for topics in PUBLISHED.values() for topic in topics]
    for user, topics in PUBLISHED.items():
        for topic in topics:
            assert "Success" == guests[user].answer_to(topic)
    for user, may in MAY_READ.items():
        last = max(may, key=order.index)
        assert {topic for topic, _ in guests[user].heard_until(last)} == may, user
    heard = {topic for topic, _ in guests["phone-b"].heard_until("har/phone-b/activity")}
    assert {"har/phone-b/activity"} == heard


# The commands


def samples(first: int = 0, **changes: object) -> str:
    """Return a message of 32 samples at rest, of which the first is the ``first``."""
    message = {
        "start": EPOCH + first / 50, "rate": 50.0, "acc_unit": "m/s2", "gyro_unit": "rad/s",
        "acc": [[9.8, 0.1, 0.2]] * 32, "gyro": [[0.01, 0.0, 0.0]] * 32,
    }  # fmt: skip
    return json.dumps(message | changes)


def stand_and_walk() -> NDArray[np.float64]:
    """Return samples of somebody who stands and then walks, ``(600, 6)``."""
    kinds = {"STANDING": 4.0, "WALKING": 8.0}
    return np.vstack(
        [
            simulated.recordings(1, seconds=seconds, activity=activity)[0].stretches[0].samples
            for activity, seconds in kinds.items()
        ]
    ).astype(np.float64)


def test_har_stream_over_tls(
    broker: SecureBroker,
    visit: Callable[..., Guest],
    start_command: "Start",
    run_command: "Run",
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    """Samples of a phone become its predictions over TLS, whoever the phone says it is.

    The password comes from a file, and stands neither in the log nor in the process' arguments.
    """
    secret = tmp_path / "secret"
    secret.write_text(password_of("har-stream") + "\n")
    stream = start_command(
        "har-stream", *broker.flags("har-stream"), "--model", str(tiny_model),
        "--password-file", str(secret), "--log-level", "debug",
    )  # fmt: skip
    stream.await_log("by TLS")
    reader, phone = visit("reader"), visit("phone-a")
    reader.subscribe("#")
    assert b"online" == reader.heard_until("har/status")[-1][1]
    for first in range(0, 192, 32):
        body = samples(first, device="phone-b", deviceId="phone-b", topic="har/phone-b/samples")
        assert "Success" == phone.answer_to("har/phone-a/samples", body)
    heard = reader.heard_until("har/phone-a/prediction")
    assert "phone-a" == json.loads(heard[-1][1])["device"]
    assert [] == [topic for topic, _ in heard if "phone-b" in topic]

    # har-calibrate is heard; its password comes from the environment
    calibrate = start_command(
        "har-calibrate", *broker.flags("har-calibrate"), "--device", "phone-a",
        HAR_PASSWORD=password_of("har-calibrate"),
    )  # fmt: skip
    calibrate.await_log("Stand still")
    for number, part in enumerate(np.split(stand_and_walk(), 24)):
        body = samples(192 + 25 * number, acc=part[:, :3].tolist(), gyro=part[:, 3:].tolist())
        assert "Success" == phone.answer_to("har/phone-a/samples", body)
    assert 0 == calibrate.process.wait(TIMEOUT_S), calibrate.log
    assert "phone-a is calibrated" in calibrate.log
    stream.await_log("phone-a: calibrated")
    done = run_command(
        "har-calibrate", *broker.flags("har-calibrate"), "--device", "phone-a", "--remove",
        HAR_PASSWORD=password_of("har-calibrate"),
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    stream.await_log("calibration taken back")

    arguments = Path(f"/proc/{stream.process.pid}/cmdline")
    if arguments.exists():
        assert b"s3cret" not in arguments.read_bytes()
    assert 0 == stream.end()
    assert "s3cret" not in stream.log


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize(("user", "may"), [("har-calibrate", True), ("har-record", False)])
def test_whether_a_calibration_came_through(
    broker: SecureBroker, run_command: "Run", protocol: str, user: str, may: bool
) -> None:
    """har-calibrate sees what the broker did, though no har-stream runs; MQTT 3.1.1 hides it."""
    result = run_command(
        "har-calibrate", *broker.flags(user), "--protocol", protocol, "--device", "phone-b",
        "--remove", HAR_PASSWORD=password_of(user),
    )  # fmt: skip
    expected = (
        "har-calibrate: the broker did not pass the removal on: may har-record write "
        "har/phone-b/calibration, and read it?"
    )
    assert (result.returncode == 0, expected in result.stderr) == (may, not may)
    assert ("is taken back" in result.stdout) == may


@pytest.mark.parametrize("command", ["har-stream", "har-replay", "har-record", "har-calibrate"])
def test_commands_that_are_refused(
    broker: SecureBroker, run_command: "Run", tiny_model: Path, command: str
) -> None:
    """With a wrong password each command ends with 1 and one clear line, also if it would retry."""
    own = {
        "har-stream": ["--model", str(tiny_model), "--log-level", "error"],
        "har-replay": ["--recording", "simulated", "--duration", "5"],
        "har-record": ["--device", "phone-a"],
        "har-calibrate": ["--device", "phone-a"],
    }
    result = run_command(
        command, *broker.flags("reader"), *own[command], HAR_PASSWORD="a s3cret guess"
    )
    expected = (
        f"{command}: no connection to {HOST}:{broker.port}: the broker refuses the login of reader "
        "(Not authorized): are name and password right?\n"
    )
    assert (expected, 1) == (result.stderr, result.returncode)
    assert "s3cret" not in result.stdout
