"""What har-history tells by ``--metrics`` against what it was sent, and what became of that."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.client import MqttClient
from tests.commands.history.published import episode, prediction
from tests.scraping import Scraper

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.postgresql import PostgreSQL
    from tests.processes import Running

    Start = Callable[..., Running]

pytestmark = pytest.mark.broker
METRICS = ("--metrics", "127.0.0.1:0")


@pytest.fixture
def client(own_mosquitto: "Mosquitto") -> MqttClient:
    """A client of a broker that runs."""
    own_mosquitto.start()
    return MqttClient(own_mosquitto)


def test_counts_are_what_came(
    client: MqttClient, own_mosquitto: "Mosquitto", start_command: "Start"
) -> None:
    """Rows are counted by table, and messages that cannot be kept by reason; no phone is named."""
    flags = (*own_mosquitto.flags, "--database", "kept.sqlite", *METRICS)
    running = start_command("har-history", *flags)
    running.await_log("connected to")
    scraper = Scraper.of(running)
    with client as phones:
        for k in range(7):
            phones.publish("har/p-7/prediction", prediction("p-7", 1e9 + k).payload)
        phones.publish("har/p-7/episode", episode("p-7").payload)
        phones.publish("har/p-7/episode", b"no")
        found = scraper.await_samples(
            {
                'har_history_rows_total{table="predictions"}': 7,
                'har_history_rows_total{table="episodes"}': 1,
                'har_history_rejected_messages_total{reason="json"}': 1,
                "har_history_failed_commits_total": 0,
                "har_history_database_up": 1,
                "har_unacknowledged_messages": 0,
            }
        )
    assert 1 <= found["har_history_commit_seconds_count"] <= 8
    assert {} == scraper.wrong()
    assert "p-7" not in scraper.get("/metrics").body
    assert 0 == running.end()


@pytest.mark.operation
def test_a_database_that_is_away(
    client: MqttClient,
    own_mosquitto: "Mosquitto",
    start_command: "Start",
    own_postgresql: "PostgreSQL",
) -> None:
    """Then it is not ready and says why, but its loop turns: nobody is to restart it."""
    flags = (*own_mosquitto.flags, *METRICS)
    running = start_command("har-history", *flags, HAR_DATABASE=own_postgresql.new_database())
    running.await_log("connected to")
    scraper = Scraper.of(running)
    own_postgresql.kill()
    with client as phones:
        phones.publish("har/p/episode", episode("p").payload)
        assert "cannot be used" in scraper.await_wrong("database")["database"]
        assert {} == scraper.wrong("/healthz")
        own_postgresql.start()
        scraper.await_samples(
            {'har_history_rows_total{table="episodes"}': 1, "har_history_database_up": 1}
        )
    assert {} == scraper.wrong()
    assert 0 == running.end()
