import json
from collections import defaultdict
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import pytest

from tests.client import MqttClient

if TYPE_CHECKING:
    from tests.brokers import Broker


@pytest.mark.broker
def test_labels_end_with_the_replay(
    broker: "Broker", run_command: Callable[..., CompletedProcess[str]]
) -> None:
    """The last label of each phone is that it has none, from behind its last sample on."""
    flags = ["--recording", "simulated", "--duration", "3", "--speed", "max", "--labels"]
    ends, labels = defaultdict(float), defaultdict(list)
    with MqttClient(broker, "har/+/label", "har/+/samples") as client:
        run_command("har-replay", *broker.flags, *flags)
        client.await_that(lambda: 6 == sum(b'"label":""' in m.payload for m in client.received))
        for message in client.received:
            content, topic = json.loads(message.payload), message.topic.rpartition("/")
            if topic[2] == "label":
                labels[topic[0]].append((content["label"], content["time"]))
            else:
                rows = content.get("acc") or content["total_acc"]
                end = content["start"] + len(rows) / content["rate"]
                ends[topic[0]] = max(end, ends[topic[0]])
    assert 6 == len(labels)
    for phone, of_phone in labels.items():
        assert ["" != name for name, _ in of_phone] == [True] * (len(of_phone) - 1) + [False]
        assert of_phone[-1][1] == pytest.approx(ends[phone], abs=2e-3)
