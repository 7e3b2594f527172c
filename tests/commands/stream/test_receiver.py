import pytest

from pipeline.commands.stream.receiver import owner_of
from pipeline.subscriptions import parse

SUBSCRIPTIONS = [
    parse(text)
    for text in (
        "sensor-logger=sensor-logger",
        "logger/#=sensor-logger",
        "lab/+/+=native",
        "har/+/samples=native",
    )
]


@pytest.mark.parametrize(
    ("topic", "owner"),
    [
        ("har/a/samples", "a"),
        ("har/a/calibration", "a"),
        ("lab/a/motion", "a"),
        ("lab/a/other", "a"),
        ("sensor-logger", None),
        ("logger/hall", "logger/hall"),
        ("homeassistant/status", "homeassistant/status"),
    ],
)
def test_whose_messages_a_topic_brings(topic: str, owner: str | None) -> None:
    """A device's calibration and samples are the same one's; of a shared topic nobody's alone."""
    assert owner == owner_of(SUBSCRIPTIONS, topic)
