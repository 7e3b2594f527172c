"""Phones for which a calibration changes nothing: nobody stands and walks for it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from pipeline.commands.calibrate.command import NotNeededError, check_effect
from pipeline.commands.calibrate.wire import Info
from tests.client import TIMEOUT_S
from tests.commands.calibrate.phone import Phone

if TYPE_CHECKING:
    from tests.processes import Running


@pytest.mark.broker
def test_nobody_need_walk(phone: Phone, calibrate: "Callable[..., Running]") -> None:
    """The command ends at once, and publishes nothing."""
    phone.tell(placement="any", placement_by="set", model="m-any@1", calibration="none")
    running = calibrate()
    assert 3 == running.process.wait(TIMEOUT_S)
    assert f"A calibration of {phone.device} changes nothing: its model, m-any@1," in running.log
    assert "Nothing was published." in running.log
    assert "Stand still" not in running.log
    assert [] == phone.calibrations


@pytest.mark.parametrize(
    ("placement", "placement_by", "why"),
    [
        ("any", "set", "p is set to be worn anywhere, by --placement. .* --placement p=waist"),
        ("any", "stated", "p states in its messages that it is not worn at the waist."),
        ("any", "assumed", "p has this model wherever it is worn, by --model."),
        ("waist", "calibrated", "p has this model wherever it is worn, by --model."),
    ],
)
def test_why_there_is_no_effect(placement: str, placement_by: str, why: str) -> None:
    """It is said what the phone's model follows from, and what to do."""
    info = Info("har/p/samples", "native", placement=placement, placement_by=placement_by)
    info.calibration = "none"
    with pytest.raises(NotNeededError, match=why):
        check_effect("p", info)


@pytest.mark.parametrize("use", ["", "waist-only"])
def test_an_effect(use: str) -> None:
    """Otherwise there may be one, also of a phone that is set to be anywhere, by another model."""
    check_effect("p", Info("har/p/samples", "native", placement_by="set", calibration=use))
