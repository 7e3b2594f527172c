from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import pytest

from tests.client import MqttClient
from tests.scraping import Scraper

if TYPE_CHECKING:
    from tests.brokers import Broker, Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]

NOWHERE = ("--kafka", "127.0.0.1:1")


def test_without_the_extra(run_command: "Run", tmp_path: Path) -> None:
    """Its name is told."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['confluent_kafka'] = None")
    path = f"{tmp_path}:{Path(__file__).parents[3]}"
    ended = run_command("har-bridge", "--broker", "h", *NOWHERE, PYTHONPATH=path)
    assert 1 == ended.returncode
    assert "Kafka needs confluent_kafka: pip install 'har-stream[kafka]'" in ended.stderr


def test_it_names_its_version(run_command: "Run") -> None:
    """As every command."""
    assert run_command("har-bridge", "--version").stdout.startswith("har-")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("nonsense=s3cret", "librdkafka does not take the property nonsense"),
        ("security.protocol=s3cret", "librdkafka does not take the property security.protocol"),
        ("ssl.key.password", "line 1 is not NAME=VALUE"),
        ("enable.idempotence=s3cret", "enable.idempotence is har-bridge's own to set"),
    ],
)
@pytest.mark.broker
def test_properties_that_do_not_fit(
    run_command: "Run", broker: "Broker", tmp_path: Path, content: str, said: str
) -> None:
    """They end it in a line, without any value."""
    pytest.importorskip("confluent_kafka", reason="needs the extra kafka")
    (tmp_path / "kafka.properties").write_text(f"{content}\nsasl.password=s3cret\n")
    flags = [*broker.flags, *NOWHERE, "--kafka-config", "kafka.properties"]
    ended = run_command("har-bridge", *flags)
    assert 1 == ended.returncode
    assert f"har-bridge: kafka-config = 'kafka.properties': {said}" in " ".join(
        ended.stderr.replace("line 2: ", "").replace("line 1: ", "").split()
    )
    assert "s3cret" not in ended.stderr + ended.stdout


@pytest.mark.broker
def test_a_kafka_that_is_not_there(
    start_command: "Start", own_mosquitto: "Mosquitto", run_command: "Run"
) -> None:
    """It is said once; messages are held up to the bound, and the broker keeps the rest."""
    pytest.importorskip("confluent_kafka", reason="needs the extra kafka")
    own_mosquitto.start()
    flags = (*own_mosquitto.flags, *NOWHERE, "--metrics", "127.0.0.1:0", "--max-waiting", "10")
    running = start_command("har-bridge", *flags)
    running.await_log("no connection to Kafka at 127.0.0.1:1")
    scraper = Scraper.of(running)
    with MqttClient(own_mosquitto) as client:
        for _ in range(50):
            client.publish("har/p/samples", b"x")
        expected = {"har_bridge_held_messages": 10, "har_bridge_kafka_up": 0}
        scraper.await_samples(expected | {"har_unacknowledged_messages": 10})
    assert {"kafka"} == {*scraper.wrong()}
    assert 0 == running.end()
    assert 1 == running.log.count("no connection to Kafka")
    ended = run_command("har-bridge", *own_mosquitto.flags, *NOWHERE, "--no-retry")
    assert 1 == ended.returncode
    assert "har-bridge: no connection to Kafka" in ended.stderr


@pytest.mark.broker
def test_it_stops_while_the_broker_is_away(start_command: "Start", free_port: int) -> None:
    """As every command, it goes on trying until it is stopped."""
    pytest.importorskip("confluent_kafka", reason="needs the extra kafka")
    running = start_command(
        "har-bridge", "--broker", "127.0.0.1", "--port", str(free_port), *NOWHERE
    )
    running.await_log("next try in")
    assert 0 == running.end()
