import logging
import re
import time
from collections.abc import Iterator

import pytest

from pipeline.commands.monitoring import monitor
from pipeline.commands.monitoring.families import Family, gauge
from pipeline.commands.monitoring.monitor import Monitor, MonitorError
from pipeline.commands.monitoring.settings import MonitoringSettings
from tests.scraping import Scraper


@pytest.fixture
def watched(
    caplog: pytest.LogCaptureFixture, own_settings: None
) -> Iterator[tuple[Monitor, Scraper]]:
    """The monitor of a command that has not begun, and who asks it."""
    caplog.set_level(logging.INFO)
    with Monitor(MonitoringSettings(metrics="127.0.0.1:0"), command="har-test") as running:
        [address] = re.findall(r"http://\S+(?=/metrics)", caplog.text)
        yield running, Scraper(address)


def test_from_start_to_work(watched: tuple[Monitor, Scraper]) -> None:
    """While it starts a command is alive but not ready; then its own checks decide."""
    running, scraper = watched
    assert {} == scraper.wrong("/healthz")
    assert {"start": "the command is starting"} == scraper.wrong("/readyz")
    reasons = {"broker": "no connection"}
    running.begin(tuple, {"broker": lambda: reasons.get("broker")})
    assert {"broker": "no connection"} == scraper.wrong("/readyz")
    reasons.clear()
    assert {} == scraper.wrong("/readyz")


def test_metrics_are_those_of_the_last_turn(
    watched: tuple[Monitor, Scraper], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are made by the loop, not when somebody asks."""
    monkeypatch.setattr(monitor, "PUBLISH_S", 0.0)
    monkeypatch.setattr("pipeline.commands.monitoring.exposition.KEPT_S", 0.0)
    running, scraper = watched
    numbers = iter(range(100))

    def families() -> list[Family]:
        return [gauge("har_turns", "Turns", next(numbers))]

    running.begin(families, {})
    assert 0 == scraper.samples()["har_loop_turn_timestamp_seconds"]
    for expected in (1, 2):
        running.turn()
        for _ in range(2):
            assert expected == scraper.samples()["har_turns"]
    assert abs(time.time() - scraper.samples()["har_loop_turn_timestamp_seconds"]) < 60
    assert 1 == scraper.samples()['har_build_info{command="har-test",version="0.1.0"}']


def test_a_stuck_loop(watched: tuple[Monitor, Scraper], monkeypatch: pytest.MonkeyPatch) -> None:
    """A command whose loop does not turn any more is neither alive nor ready, until it does."""
    monkeypatch.setattr(monitor, "STUCK_S", -1.0)
    running, scraper = watched
    running.begin(tuple, {})
    assert {} == scraper.wrong("/healthz")  # it has not turned yet
    running.turn()
    assert {"loop": "has not turned for 0 s"} == scraper.wrong("/healthz")
    assert {"loop"} == set(scraper.wrong("/readyz"))
    monkeypatch.setattr(monitor, "STUCK_S", 15.0)
    assert {} == scraper.wrong("/healthz")


def test_a_port_that_is_taken(watched: tuple[Monitor, Scraper]) -> None:
    """It is an error that says what to do."""
    _, scraper = watched
    settings = MonitoringSettings(metrics=scraper.address.removeprefix("http://"))
    with pytest.raises(
        MonitorError, match=r"metrics = .*: Address already in use; another program"
    ):
        Monitor(settings, command="har-test")


def test_nobody_asked(own_settings: None, caplog: pytest.LogCaptureFixture) -> None:
    """Without --metrics nothing listens, and nothing is counted together."""
    caplog.set_level(logging.INFO)

    def families() -> list[Family]:
        raise AssertionError("for nobody")

    with Monitor(MonitoringSettings(), command="har-test") as running:
        running.begin(families, {})
        running.turn()
    assert "" == caplog.text


@pytest.mark.parametrize("address", ["9464", "localhost", "host:port", "127.0.0.1:70000"])
def test_addresses_that_are_none(own_settings: None, address: str) -> None:
    """They are rejected with what is expected."""
    with pytest.raises(ValueError, match="HOST:PORT"):
        MonitoringSettings(metrics=address)
