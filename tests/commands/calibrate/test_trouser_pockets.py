"""Phones that swing with a leg: whether a calibration is published depends on their model."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from pipeline.commands.calibrate.command import EXIT_NOT_NEEDED
from tests.client import TIMEOUT_S
from tests.commands.calibrate.phone import Phone, obey
from tests.commands.calibrate.wearers import stroll_with_the_leg

if TYPE_CHECKING:
    from tests.processes import Running


@pytest.mark.broker
@pytest.mark.parametrize(
    ("known", "remedy"),
    [
        ({"upright": "unknown", "calibration": "waist-only"}, "from ten steps. Nothing was"),
        ({"upright": "known"}, "from ten steps. Nothing was"),
        (
            {"frame": "calibrated", "calibration": "waist-only"},
            "from ten steps. Take back the one that it has, with --remove. Nothing was",
        ),
    ],
)
def test_a_phone_that_needs_no_calibration(
    phone: Phone, calibrate: "Callable[..., Running]", known: dict[str, str], remedy: str
) -> None:
    """Where its model takes the wearer's frame, or would without calibration, none is published."""
    phone.tell(**known)
    running = calibrate()
    obey(phone, running, walk=stroll_with_the_leg)
    assert EXIT_NOT_NEEDED == running.process.wait(TIMEOUT_S), running.log
    assert f"{phone.device} swings with a leg" in running.log
    assert "Without one its model learns the wearer's upright" in running.log
    assert remedy in running.log
    phone.publish_on("calibration", b"the first", retain=False)
    assert [(b"the first", False)] == phone.await_calibrations(1)


@pytest.mark.broker
@pytest.mark.parametrize("frame", ["landscape", "calibrated"])
def test_a_phone_whose_model_knows_no_upright(
    phone: Phone, calibrate: "Callable[..., Running]", frame: str
) -> None:
    """It is calibrated, also anew: better than nothing, and its wearer is told what to expect."""
    phone.tell(frame=frame)
    running = calibrate()
    obey(phone, running, walk=stroll_with_the_leg)
    assert 0 == running.process.wait(TIMEOUT_S), running.log
    assert "sitting is mostly taken for lying.\n" in running.log
    assert f"{phone.device} is calibrated" in running.log


@pytest.mark.broker
def test_a_phone_at_the_waist(phone: Phone, calibrate: "Callable[..., Running]") -> None:
    """One that does not swing is calibrated whatever its model knows."""
    phone.tell(upright="known")
    running = calibrate()
    obey(phone, running)
    assert 0 == running.process.wait(TIMEOUT_S), running.log
    assert "swings" not in running.log
    assert f"{phone.device} is calibrated" in running.log


@pytest.mark.broker
@pytest.mark.parametrize(
    ("upright", "ending"),
    [("unknown", "; or leave it: its model needs no calibration\n"), ("", "\n")],
)
def test_a_wearer_who_fails(
    phone: Phone, calibrate: "Callable[..., Running]", upright: str, ending: str
) -> None:
    """Nobody need try again where the model does without."""
    phone.tell(upright=upright)
    running = calibrate("--timeout", "1")
    running.await_log("Stand still for three seconds")
    phone.send_rows(stroll_with_the_leg())
    assert 1 == running.process.wait(TIMEOUT_S)
    assert f"fasten the phone, then stand still{ending}" in running.log
