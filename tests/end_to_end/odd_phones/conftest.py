from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.odd_phones.sender import Sender

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]


@pytest.fixture
def join(request: pytest.FixtureRequest, broker: "Broker") -> Callable[..., Sender]:
    """A function that connects somebody until the test ends, to the shared broker or another."""

    def connect(device: str = "", *, at: "Broker" = broker) -> Sender:
        sender = Sender(at, device)
        request.addfinalizer(sender.close)
        return sender

    return connect


@pytest.fixture
def phone(join: Callable[..., Sender]) -> Sender:
    """A phone with a name of its own."""
    return join()


@pytest.fixture
def stream(broker: "Broker", start_command: "Start") -> "Iterator[Running]":
    """A har-stream for phones at the waist, that also reads what SensorSpot sends."""
    running = start_command(
        "har-stream",
        *broker.flags,
        *("--placement", "waist"),
        *("--subscribe", "spot/+=sensorspot", "--offline-after", "4"),
        HAR_MAX_BEHIND="60",
    )
    broker.await_har_stream()
    yield running
    code = running.process.poll()
    assert 0 == (running.end() if code is None else code), running.log
