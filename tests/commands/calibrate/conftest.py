from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.commands.calibrate.phone import Phone

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]


@pytest.fixture
def phone(broker: "Broker") -> Iterator[Phone]:
    """A phone at the shared broker."""
    with Phone(broker) as phone:
        yield phone


@pytest.fixture
def calibrate(phone: Phone, broker: "Broker", start_command: "Start") -> "Callable[..., Running]":
    """A function that starts har-calibrate for the phone."""

    def start(*flags: str) -> "Running":
        return start_command("har-calibrate", *broker.flags, "--device", phone.device, *flags)

    return start
