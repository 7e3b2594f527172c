from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.brokers import mosquitto_binary
from tests.deploy.image import Builder
from tests.deploy.secure_broker import Guest, SecureBroker


@pytest.fixture(scope="module")
def broker(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """The secure broker, which runs."""
    if mosquitto_binary() is None:
        pytest.skip("needs Mosquitto")
    broker = SecureBroker(tmp_path_factory.mktemp("deploy"), certificates)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def visit(broker: SecureBroker) -> Iterator[Callable[..., Guest]]:
    """A function that logs in until the test ends."""
    guests: list[Guest] = []

    def visit(user: str | None, **given: str) -> Guest:
        guests.append(Guest(broker, user, **given))
        return guests[-1]

    yield visit
    for guest in guests:
        guest.close()


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """A builder of the images."""
    return Builder(tmp_path_factory.mktemp("images"))
