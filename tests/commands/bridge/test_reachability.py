import json
import logging

import pytest

from pipeline.commands.bridge.reachability import Reachability


def statistics(*states: str) -> str:
    """Return what librdkafka tells of brokers in these states."""
    brokers = {f"b-{n}": {"name": f"b-{n}", "state": state} for n, state in enumerate(states)}
    return json.dumps({"name": "rdkafka#producer-1", "brokers": brokers, "topics": {}})


def test_each_client_has_to_reach_a_broker() -> None:
    """One broker is enough; who has not said so yet does not reach any."""
    reachability = Reachability("kafka:9092")
    assert "no connection to Kafka at kafka:9092" == reachability.why_away()
    reachability.add("producer")
    reachability.add("consumer")
    reachability.on_statistics("producer")(statistics("DOWN", "UP"))
    assert reachability.why_away() is not None
    reachability.on_statistics("consumer")(statistics("INIT"))
    assert reachability.why_away() is not None
    reachability.on_statistics("consumer")(statistics("UP"))
    assert reachability.why_away() is None


def test_what_a_client_says_is_compared(caplog: pytest.LogCaptureFixture) -> None:
    """A client that says it has lost all brokers has not while its statistics show one."""
    reachability = Reachability("kafka:9092")
    reachability.add("producer")
    reachability.reach("producer")
    reachability.suspect("producer", "0/2 brokers are down")
    reachability.on_statistics("producer")(statistics("UP", "DOWN"))
    reachability.on_statistics("producer")(statistics("DOWN"))  # it connects anew when it needs to
    assert reachability.why_away() is None
    reachability.suspect("producer", "2/2 brokers are down")
    reachability.on_statistics("producer")(statistics("DOWN", "DOWN"))
    assert reachability.why_away() is not None
    assert ["kafka-lost"] == [record.event for record in caplog.records]


def test_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """That Kafka is lost, by whichever client; and that it is back, when it is for all."""
    reachability = Reachability("kafka:9092")
    for client in ("producer", "consumer"):
        reachability.add(client)
    with caplog.at_level(logging.INFO):
        for client in ("producer", "consumer"):
            reachability.reach(client)
        assert [] == caplog.messages
        for _ in range(3):
            reachability.refuse_login("wrong password")
        assert ["kafka-login-refused"] == [record.event for record in caplog.records]
        caplog.clear()
        reachability.lose("producer", "refused")
        reachability.lose("consumer", "refused")
        reachability.lose("producer", "refused")
        assert 1 == len(caplog.messages)
        assert "no connection to Kafka at kafka:9092: refused; trying again" in caplog.messages[0]
        reachability.reach("consumer")
        assert 1 == len(caplog.messages)
        reachability.reach("producer")
        reachability.reach("producer")
    assert ["Kafka can be reached again, after 0 s"] == caplog.messages[1:]
