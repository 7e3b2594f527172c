"""What har-record tells by ``--metrics`` against what it was sent."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.client import MqttClient
from tests.commands.record.sent import samples
from tests.scraping import Scraper

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

pytestmark = pytest.mark.broker


def test_counts_are_what_came(
    broker: "Broker", start_command: "Callable[..., Running]", tmp_path: Path
) -> None:
    """Messages, samples, what was rejected, and files are counted; without samples it is unready.

    A file is counted when it is there: the phone's next recording ends the first.
    """
    running = start_command(
        "har-record", *broker.flags, "--device", "rec-m", "--output", "own",
        "--metrics", "127.0.0.1:0",
    )  # fmt: skip
    scraper = Scraper.of(running)
    running.await_log("Recording ")
    with MqttClient(broker) as phone:
        for number in range(4):
            phone.publish("har/rec-m/samples", samples(number / 2))
        phone.publish("har/rec-m/samples", b"no")
        phone.publish("har/rec-other/samples", samples(0.0))
        scraper.await_samples(
            {
                "har_record_messages_total": 4,
                "har_record_samples_total": 100,
                'har_record_rejected_messages_total{reason="json"}': 1,
                "har_record_files_total": 0,
            }
        )
        assert {} == scraper.wrong()
        phone.publish("har/rec-m/samples", samples(0.0, recording="next"))
        found = scraper.await_samples({"har_record_files_total": 1})
    [path] = (tmp_path / "own").glob("*.parquet")
    assert path.stat().st_size == found["har_record_file_bytes_total"]
    assert "none have come for" in scraper.await_wrong("samples")["samples"]
    assert "rec-" not in scraper.get("/metrics").body
    assert 0 == running.end()
