from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.phone import Phone

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]


@pytest.fixture
def join(request: pytest.FixtureRequest) -> Callable[..., Phone]:
    """A function that connects a phone to a broker until the test ends."""

    def connect(broker: "Broker") -> Phone:
        phone = Phone(broker)
        request.addfinalizer(phone.close)
        return phone

    return connect


@pytest.fixture
def phone(broker: "Broker", join: Callable[..., Phone]) -> Phone:
    """A phone at the shared broker."""
    return join(broker)


@pytest.fixture
def start_stream(broker: "Broker", start_command: "Start", tiny_model: Path) -> "Start":
    """A function that starts a har-stream with the tiny model, and returns when it is online.

    It is at the shared broker, or at another.
    """

    def start(*flags: str, at: "Broker" = broker, **environment: str) -> "Running":
        model = () if "--model" in flags else ("--model", str(tiny_model))
        running = start_command("har-stream", *at.flags, *model, *flags, **environment)
        at.await_har_stream()
        return running

    return start


@pytest.fixture
def stream(start_stream: "Start") -> "Iterator[Running]":
    """A har-stream that is connected to the shared broker."""
    running = start_stream()
    yield running
    if running.process.poll() is None:
        assert 0 == running.end()
