import pytest

from pipeline.commands.stream.owners import Owners
from pipeline.messages import Message
from pipeline.mqtt.inbox import Inbox, Owner
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
CAME_ON = {"shared": "sensor-logger", "hall": "logger/hall", "lab": "lab/lab/motion"}
OWNERS = Owners(SUBSCRIPTIONS, most=10, topic_of=CAME_ON.get)


@pytest.mark.parametrize(
    ("topic", "owner"),
    [
        ("har/a/samples", Owner("a")),
        ("har/a/calibration", Owner("a")),
        ("har/a/options", Owner("a")),
        ("lab/a/motion", Owner("a")),
        ("lab/a/other", Owner("a")),
        ("sensor-logger", Owner("sensor-logger", is_shared=True)),
        ("logger/hall", Owner("logger/hall")),
        ("homeassistant/status", Owner("homeassistant/status")),
        ("har/shared/calibration", Owner("sensor-logger", is_shared=True)),
        ("har/hall/calibration", Owner("logger/hall")),
        ("har/lab/calibration", Owner("lab")),
    ],
)
def test_whose_messages_a_topic_brings(topic: str, owner: Owner) -> None:
    """A device's calibration and samples are the same one's, also where devices share a topic."""
    assert owner == OWNERS.of(topic)


@pytest.mark.parametrize("device", CAME_ON)
def test_a_calibration_keeps_its_place_among_samples(device: str) -> None:
    """In a crowd as well, on whatever topic the samples come."""
    inbox = Inbox(20_000, 2000, OWNERS.of)
    sent = [Message(CAME_ON[device], b"%d" % number, 0.0, number + 1) for number in range(5000)]
    sent.insert(4990, Message(f"har/{device}/calibration", b"", 0.0, 6000))
    inbox.put([*sent, *(Message("har/a/samples", b"", 0.0, 7000 + i) for i in range(1000))])
    taken = []
    while len(inbox):
        taken += inbox.take(elapsed_s=0.02, soon=200)
    assert sent == [message for message in taken if message.topic != "har/a/samples"]
