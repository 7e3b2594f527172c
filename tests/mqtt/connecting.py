"""Connections to a fake broker, and why they fail."""

import threading
from typing import Any, Literal

import pytest

from pipeline.mqtt.connection import Connection
from pipeline.settings import BrokerSettings
from tests.fake_broker import HOST, FakeBroker


def connection_to(
    broker: FakeBroker,
    *,
    protocol: Literal["3.1.1", "5"] = "5",
    name: str = "test",
    subscriptions: tuple[str, ...] = ("a",),
    **options: Any,  # noqa: ANN401 (of the connection)
) -> Connection:
    """Return a connection that has not been started."""
    settings = BrokerSettings(broker=HOST, port=broker.port, protocol=protocol)
    return Connection(settings, name=name, subscriptions=subscriptions, **options)


def failure(
    broker: FakeBroker, *, protocol: Literal["3.1.1", "5"] = "5", name: str = "test"
) -> str:
    """Return why a connection fails at its first attempt, and see that its thread has ended."""
    connection = connection_to(broker, protocol=protocol, name=name, subscriptions=("a", "b"))
    with pytest.raises(ConnectionError) as error:
        connection.start(retry=False)
    assert not [thread for thread in threading.enumerate() if f"client-{name}-" in thread.name]
    connection.close(timeout_s=0.0)
    return str(error.value)
