"""What is logged of one phone while another one sends nonsense as fast as it can."""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pytest

from tests.client import MqttClient
from tests.scraping import Scraper

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

pytestmark = pytest.mark.broker

RATE_HZ: Final = 10_000
FLOOD_S: Final = 3.0
MOST_LINES: Final = 30
"""Of a log, after a flood of 30,000 messages"""
AWAITED_S: Final = 60.0


@pytest.mark.parametrize(
    ("command", "flags", "noisy", "calm", "event"),
    [
        ("har-stream", [], "har/noisy-{id}/samples", "har/calm-{id}/samples", "message-rejected"),
        (
            "har-record",
            ["--device", "both-{id}", "--metrics", "127.0.0.1:0"],
            "har/both-{id}/samples",
            "browser/both-{id}",
            "message-not-kept",
        ),
        (
            "har-web",
            ["--listen", "127.0.0.1:0"],
            "har/noisy-{id}/activity",
            "har/calm-{id}/activity",
            "message-passed-over",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("har-") else "",
)
def test_a_flood_hides_no_complaint(
    broker: "Broker",
    start_command: "Callable[..., Running]",
    command: str,
    flags: list[str],
    noisy: str,
    calm: str,
    event: str,
) -> None:
    """The one bad message of another phone is complained of, and the log stays short."""
    name = uuid4().hex[:8]
    noisy, calm, *flags = (text.format(id=name) for text in (noisy, calm, *flags))
    shown = ("--log-format", "json", "--metrics", "127.0.0.1:0")
    running = start_command(command, *broker.flags, *flags, *shown)
    Scraper.of(running).await_samples({"har_broker_connected": 1})
    with MqttClient(broker) as phones:
        begun = time.monotonic()
        for number in range(int(RATE_HZ * FLOOD_S)):
            phones.send(noisy, f"nonsense {number}", qos=0)
            if not number % 100 and (early_s := begun + number / RATE_HZ - time.monotonic()) > 0:
                time.sleep(early_s)
        phones.publish(calm, "nonsense of another", qos=1)
        running.await_log(f'"topic": "{calm}"', timeout_s=AWAITED_S)
    lines = [json.loads(line) for line in running.log.splitlines() if line.startswith("{")]
    about = [line["topic"] for line in lines if line["event"] == event]
    assert 1 == about.count(calm)
    assert 1 <= about.count(noisy) <= 1 + (time.monotonic() - begun) / 10
    assert len(lines) <= MOST_LINES
