"""Brokers that keep har-calibrate from something."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.client import TIMEOUT_S
from tests.commands.calibrate.phone import Phone, obey

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]


@pytest.fixture
def limited_phone(own_mosquitto: "Mosquitto", tmp_path: Path) -> Iterator[Callable[..., Phone]]:
    """A function that returns a phone at a broker where har-calibrate has the rights given.

    Beside these it may read infos and samples; others may do everything.
    """
    phones: list[Phone] = []

    def begin(*rights: str) -> Phone:
        own = ("user har-calibrate", "topic read har/+/info", "topic read har/+/samples", *rights)
        acl = tmp_path / "acl"
        acl.write_text("\n".join(["topic readwrite har/#", *own, ""]))
        own_mosquitto.configure(f"acl_file {acl}")
        if os.geteuid() == 0:  # else it could not read the tests' folders
            own_mosquitto.configure("user root")
        own_mosquitto.start()
        phones.append(Phone(own_mosquitto))
        return phones[-1]

    yield begin
    for phone in phones:
        phone.close()


@pytest.fixture
def limited_calibrate(
    own_mosquitto: "Mosquitto", start_command: "Start"
) -> "Callable[..., Running]":
    """A function that starts har-calibrate for a phone, where it has few rights."""

    def start(phone: Phone, *flags: str) -> "Running":
        who = ["--username", "har-calibrate", "--device", phone.device]
        return start_command("har-calibrate", *own_mosquitto.flags, *who, *flags)

    return start


@pytest.mark.broker
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_calibration_that_the_broker_drops(
    limited_phone: Callable[..., Phone],
    limited_calibrate: "Callable[..., Running]",
    protocol: str,
) -> None:
    """Without the right to write it the command fails, also where the broker confirms it.

    That the phone was calibrated before does not count.
    """
    phone = limited_phone("topic read har/+/calibration")
    phone.tell(frame="calibrated")
    running = limited_calibrate(phone, "--protocol", protocol)
    obey(phone, running)
    assert 1 == running.process.wait(TIMEOUT_S), running.log
    assert (
        "har-calibrate: the broker did not pass the calibration on: may har-calibrate write "
        f"har/{phone.device}/calibration, and read it?\n"
    ) in running.log
    assert "is calibrated" not in running.log
    assert [] == phone.calibrations


@pytest.mark.broker
def test_a_removal_that_the_broker_drops(
    limited_phone: Callable[..., Phone], limited_calibrate: "Callable[..., Running]"
) -> None:
    """So does it with --remove, and what the broker retains is still there."""
    phone = limited_phone("topic read har/+/calibration")
    phone.publish_on("calibration", b"{}", retain=True)
    phone.tell(frame="calibrated")
    running = limited_calibrate(phone, "--remove")
    assert 1 == running.process.wait(TIMEOUT_S), running.log
    assert "the broker did not pass the removal on: may har-calibrate write" in running.log
    assert "taken back" not in running.log
    phone.listen_again()
    assert (b"{}", True) == phone.await_calibrations(2)[1]


@pytest.mark.broker
def test_what_har_stream_tells_is_enough(
    limited_phone: Callable[..., Phone], limited_calibrate: "Callable[..., Running]"
) -> None:
    """A login that may not read calibrations takes har-stream's word for it that one came."""
    phone = limited_phone("topic write har/+/calibration")
    phone.tell(frame="portrait")
    running = limited_calibrate(phone)
    obey(phone, running)
    phone.await_calibrations(1)
    phone.publish_on("info", b"nonsense")
    phone.tell(frame="calibrated")
    assert 0 == running.process.wait(TIMEOUT_S), running.log
    assert f"{phone.device} is calibrated" in running.log

    running = limited_calibrate(phone, "--remove")
    assert (b"", False) == phone.await_calibrations(2)[1]
    phone.tell(frame="portrait")
    assert 0 == running.process.wait(TIMEOUT_S), running.log
    assert f"The calibration of {phone.device} is taken back." in running.log
