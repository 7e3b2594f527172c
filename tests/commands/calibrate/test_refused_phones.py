"""Phones that cannot be calibrated as they are: whoever wears one is told before standing."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from pipeline.readings import MAX_PAYLOAD_BYTES
from tests.client import TIMEOUT_S
from tests.commands.calibrate.phone import Phone, ahead
from tests.commands.calibrate.wearers import stroll

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]


@pytest.mark.broker
def test_a_phone_that_nobody_knows(calibrate: "Callable[..., Running]") -> None:
    """Without har-stream, or with another name, the command ends with what to do."""
    running = calibrate()
    assert 1 == running.process.wait(TIMEOUT_S)
    assert "no har-stream knows" in running.log


@pytest.mark.broker
def test_a_silent_phone(phone: Phone, calibrate: "Callable[..., Running]") -> None:
    """A phone that sends nothing is not waited for long."""
    phone.tell()
    running = calibrate()
    assert 1 == running.process.wait(TIMEOUT_S)
    assert f"no samples of {phone.device} on har/{phone.device}/samples" in running.log


@pytest.mark.broker
def test_a_phone_of_which_har_stream_refuses_all(
    phone: Phone,
    calibrate: "Callable[..., Running]",
    broker: "Broker",
    start_command: "Start",
    tiny_model: Path,
) -> None:
    """Nobody stands and walks for nothing: the command ends with har-stream's reason."""
    start_command("har-stream", *broker.flags, "--model", str(tiny_model))
    broker.await_har_stream()
    phone.publish_on("samples", ahead(200_000))
    running = calibrate()
    assert 1 == running.process.wait(TIMEOUT_S)
    assert (
        f"har-calibrate: har-stream can use nothing of {phone.device}: messages are rejected, the "
        "last because: "
    ) in running.log
    assert "s ahead of this machine's clock" in running.log
    assert "Stand still" not in running.log


@pytest.mark.broker
def test_a_phone_that_was_mended_just_now(
    phone: Phone, calibrate: "Callable[..., Running]"
) -> None:
    """What har-stream tells meanwhile counts, not what the broker kept from before."""
    refused = {"device": phone.device, "topic": f"har/{phone.device}/samples", "format": "native"}
    refused |= {"warnings": ["rejected"], "advice": ["messages are rejected"]}
    phone.publish_on("info", msgspec.json.encode(refused), retain=True)
    running = calibrate("--timeout", "1")
    with pytest.raises(subprocess.TimeoutExpired):
        running.process.wait(1.5)  # it could have ended by then
    phone.tell(convention_by="assumed")
    running.await_log("Stand still for three seconds")


@pytest.mark.broker
@pytest.mark.parametrize("trouble", ["size", "clock"])
def test_messages_that_har_stream_would_refuse(
    phone: Phone, calibrate: "Callable[..., Running]", trouble: str
) -> None:
    """They are not measured, and the reason is har-stream's."""
    phone.tell(convention_by="assumed", warnings=["rejected"], advice=["messages are rejected"])
    running = calibrate()
    running.await_log("Stand still for three seconds")
    if trouble == "size":
        phone.publish_on("samples", b" " * 1_200_906)  # is passed over, but for its beginning
        reason = f" bytes; at most {MAX_PAYLOAD_BYTES}"
    else:
        phone.publish_on("samples", ahead(200_000))
        reason = "s ahead of this machine's clock"
    assert 1 == running.process.wait(TIMEOUT_S)
    assert f"har-calibrate: no samples of {phone.device} on har/" in running.log
    assert reason in running.log
    assert "Now walk" not in running.log


@pytest.mark.broker
def test_a_wearer_who_does_not_stand(phone: Phone, calibrate: "Callable[..., Running]") -> None:
    """After the timeout the command ends with what was missing."""
    phone.tell(
        warnings=["wrong-frame", "low-rate"],
        advice=["place it anew", "let the app send 50 or more"],
        convention_by="assumed",
    )
    running = calibrate("--timeout", "1")
    running.await_log("Stand still for three seconds")
    phone.send_rows(stroll())
    assert 1 == running.process.wait(TIMEOUT_S)
    assert "har-calibrate: you never stood still" in running.log
    assert "First see to low-rate: let the app send 50 or more." in running.log
    assert "place it anew" not in running.log
    assert f"--convention {phone.device}=ios" in running.log
    assert [] == phone.calibrations


@pytest.mark.broker
@pytest.mark.parametrize(
    ("changes", "complaint"),
    [({"topic": 1}, "says nothing useful"), ({"format": "morse"}, "format of phone-")],
)
def test_information_that_is_of_no_use(
    phone: Phone,
    calibrate: "Callable[..., Running]",
    changes: dict[str, object],
    complaint: str,
) -> None:
    """What cannot be understood of the phone's information ends the command."""
    phone.tell(**changes)
    running = calibrate()
    assert 1 == running.process.wait(TIMEOUT_S)
    assert complaint in running.log
