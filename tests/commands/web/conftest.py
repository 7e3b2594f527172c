from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.brokers import find_free_port
from tests.client import MqttClient
from tests.commands.web.browser import Site

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    StartWeb = Callable[..., tuple[Running, Site]]

TOKEN = "a-token-for-all-of-it"


@pytest.fixture
def start_web(
    broker: "Broker", start_command: "Callable[..., Running]", tmp_path: "object"
) -> "StartWeb":
    """A function that starts a har-web, and returns it when it is connected to the broker."""

    def start(
        *flags: str, at: "Broker" = broker, port: int | None = None, awaits: str = "connected to"
    ) -> "tuple[Running, Site]":
        port = find_free_port() if port is None else port
        listen = ["--listen", f"127.0.0.1:{port}", "--keep", str(tmp_path)]
        running = start_command("har-web", *at.flags, *listen, *flags)
        running.await_log(awaits)
        return running, Site(port)

    return start


@pytest.fixture
def site(start_web: "StartWeb") -> Site:
    """A har-web on loopback, at the shared broker."""
    return start_web()[1]


@pytest.fixture
def locked(start_web: "StartWeb") -> Site:
    """A har-web that demands `TOKEN`."""
    return start_web("--token", TOKEN)[1]


@pytest.fixture
def device() -> str:
    """The name of a phone that no other test has."""
    return f"phone-{uuid4().hex[:8]}"


@pytest.fixture
def client(broker: "Broker") -> Iterator[MqttClient]:
    """A client of the shared broker that publishes what a test needs."""
    with MqttClient(broker) as client:
        yield client
