import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import pytest

from tests.client import TIMEOUT_S
from tests.commands.stream.sent import prepared_rows
from tests.phone import Phone

if TYPE_CHECKING:
    from tests.brokers import Broker, Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]

READY = "connected to"
"""What har-stream logs when the connection is made."""

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_protocols(
    phone: Phone, broker: "Broker", start_command: "Start", tiny_model: Path, protocol: str
) -> None:
    """Both versions of MQTT serve: predictions, status, and a clean end."""
    if protocol == "5" and type(broker).__name__ != "Mosquitto":
        pytest.skip("the embedded broker does not speak MQTT 5")
    running = start_command(
        "har-stream", *broker.flags, "--model", str(tiny_model), "--protocol", protocol
    )
    phone.await_message("har/status", b"online")
    phone.send_rows(prepared_rows(192))

    assert 2 == len(phone.predictions(2))
    assert 0 == running.end()
    phone.await_message("har/status", b"offline")


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_end(phone: Phone, stream: "Running", signal_number: int) -> None:
    """A signal lets har-stream do what has arrived, say offline and end with 0."""
    phone.await_message("har/status", b"online")
    phone.send_rows(prepared_rows(192))

    assert 0 == stream.end(signal_number)
    assert 2 == len(phone.predictions(2))
    phone.await_message("har/status", b"offline")
    assert "stopped: 2 predictions from 192 samples; 0 repeated or late" in stream.log


def test_the_last_will(phone: Phone, stream: "Running") -> None:
    """When har-stream is killed, the broker says offline for it."""
    phone.await_message("har/status", b"online")
    stream.end(signal.SIGKILL)
    phone.await_message("har/status", b"offline")


def test_the_broker_restarts(
    own_mosquitto: "Mosquitto", join: Callable[..., Phone], start_stream: "Start"
) -> None:
    """After the broker's restart har-stream connects and subscribes again, its windows intact."""
    own_mosquitto.start()
    running = start_stream(at=own_mosquitto)
    phone = join(own_mosquitto)
    phone.send_rows(prepared_rows(100))
    phone.await_message(f"har/{phone.device}/availability", b"online")

    own_mosquitto.stop()
    running.await_log("connection lost")
    own_mosquitto.start()
    running.await_log(READY, times=2)
    phone.await_subscription()
    phone.await_message("har/status", b"online")

    phone.send_rows(prepared_rows(200)[100:], first=100)
    assert 2 == len(phone.predictions(2))
    assert 0 == running.end()


def test_what_a_broker_retained_that_restarts(
    own_mosquitto: "Mosquitto", join: Callable[..., Phone], start_stream: "Start"
) -> None:
    """It has forgotten which phones there are, and har-stream tells it again, without samples."""
    own_mosquitto.start()
    running = start_stream("--home-assistant", at=own_mosquitto)
    phone = join(own_mosquitto)
    announcement = f"homeassistant/device/har_{phone.device}/config"
    topics = [f"har/{phone.device}/availability", f"har/{phone.device}/info", announcement]
    phone.send_rows(prepared_rows(100))
    before = [join(own_mosquitto).await_message(topic)[0] for topic in topics]

    own_mosquitto.stop()
    running.await_log("connection lost")
    own_mosquitto.start()
    running.await_log(READY, times=2)
    after = [join(own_mosquitto).await_message(topic)[0] for topic in topics]
    assert b"online" == after[0]
    assert json.loads(before[1])["device"] == json.loads(after[1])["device"]
    assert before[2] == after[2]
    assert 0 == running.end()


def test_what_a_broker_retained_that_restarts_with_har_stream(
    own_mosquitto: "Mosquitto", join: Callable[..., Phone], start_stream: "Start"
) -> None:
    """The phones of the state are there again, though they have sent nothing since."""
    flags = ("--home-assistant", "--state", "state")
    own_mosquitto.start()
    running = start_stream(*flags, at=own_mosquitto)
    phone = join(own_mosquitto)
    topics = [
        f"har/{phone.device}/availability",
        f"homeassistant/device/har_{phone.device}/config",
    ]
    phone.send_rows(prepared_rows(100))
    before = [join(own_mosquitto).await_message(topic)[0] for topic in topics]
    assert 0 == running.end()

    own_mosquitto.stop()
    own_mosquitto.start()
    running = start_stream(*flags, at=own_mosquitto)
    assert before == [join(own_mosquitto).await_message(topic)[0] for topic in topics]
    assert 0 == running.end()


def test_a_copy_of_the_state(
    own_mosquitto: "Mosquitto", start_command: "Start", tiny_model: Path, tmp_path: Path
) -> None:
    """Who is started on a copy takes the session; the other ends, says so, and does not fight."""
    own_mosquitto.start()
    flags = [*own_mosquitto.flags, "--model", str(tiny_model)]
    first = start_command("har-stream", *flags, "--state", "state")
    own_mosquitto.await_har_stream()
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    second = start_command("har-stream", *flags, "--state", "copy")
    assert 1 == first.process.wait(TIMEOUT_S)
    assert "another program has taken our place" in first.log
    assert "has it a copy of our --state folder?" in first.log
    second.await_log("connected to", times=second.log.count("connection lost") + 1)
    own_mosquitto.await_har_stream()
    assert 0 == second.end()
    assert second.log.count("connected to") <= 2


def test_the_broker_comes_later(
    own_mosquitto: "Mosquitto",
    join: Callable[..., Phone],
    start_command: "Start",
    tiny_model: Path,
) -> None:
    """Without a broker har-stream says so in a line, and tries until there is one."""
    running = start_command("har-stream", *own_mosquitto.flags, "--model", str(tiny_model))
    running.await_log(f"no connection to 127.0.0.1:{own_mosquitto.port}")
    own_mosquitto.start()
    own_mosquitto.await_har_stream()
    phone = join(own_mosquitto)
    phone.send_rows(prepared_rows(128))
    assert 1 == len(phone.predictions(1))


def test_an_end_without_a_broker(free_port: int, start_command: "Start", tiny_model: Path) -> None:
    """A signal ends har-stream with 0 while it waits for the broker, too."""
    running = start_command(
        "har-stream", "--broker", "127.0.0.1", "--port", str(free_port), "--model", str(tiny_model)
    )
    running.await_log("no connection")
    assert 0 == running.end()


def test_no_broker_and_no_retry(free_port: int, run_command: "Run", tiny_model: Path) -> None:
    """Without a broker and with --no-retry har-stream ends with 1 and one clear line."""
    result = run_command(
        "har-stream", "--broker", "127.0.0.1", "--port", str(free_port), "--no-retry",
        "--model", str(tiny_model), "--log-level", "error",
    )  # fmt: skip
    expected = f"har-stream: no connection to 127.0.0.1:{free_port}: nobody answers there\n"
    assert expected == result.stderr
    assert 1 == result.returncode
