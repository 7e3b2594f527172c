"""What har-web tells by ``--metrics`` against what happened."""

from typing import TYPE_CHECKING

import pytest

from tests.client import MqttClient
from tests.commands.web.conftest import TOKEN
from tests.scraping import Scraper

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.commands.web.conftest import StartWeb

pytestmark = pytest.mark.broker

METRICS = ("--metrics", "127.0.0.1:0")


def test_who_looks_and_what_is_sent(start_web: "StartWeb", own_mosquitto: "Mosquitto") -> None:
    """Browsers, frames, phones and pushes are counted, and named by none of what they bring."""
    own_mosquitto.start()
    running, site = start_web(*METRICS, at=own_mosquitto)
    scraper = Scraper.of(running)
    with MqttClient(own_mosquitto) as client:
        client.publish("har/secret/availability", b"online", retain=True)
        client.publish("har/secret/activity", b'{"activity": "WALKING", "since": 1.0,'
                       b' "probability": 0.9, "device": "secret"}', retain=True)  # fmt: skip
        before = scraper.await_samples({"har_web_phones": 1, "har_broker_connected": 1})
        with site.page() as page, site.page("?device=secret"):
            page.await_that(lambda: page.state.get("link") == "up")
            during = scraper.await_samples(
                {
                    'har_web_sockets{page="dashboard"}': 1,
                    'har_web_sockets{page="phone"}': 1,
                    'har_web_visits_total{page="dashboard"}': 1,
                }
            )
            assert during["har_web_frames_total"] > before["har_web_frames_total"]
        scraper.await_samples({'har_web_sockets{page="dashboard"}': 0})
        assert 400 == site.ask("/push", method="POST", body=b"{}").status
        after = scraper.await_samples({'har_web_pushes_total{outcome="rejected"}': 1})
    assert before.keys() == after.keys()
    assert "secret" not in scraper.get("/metrics").body
    assert {} == scraper.wrong()
    own_mosquitto.stop()
    assert "no connection" in scraper.await_wrong("broker")["broker"]
    assert {} == scraper.wrong("/healthz")


def test_who_is_not_let_in(start_web: "StartWeb") -> None:
    """A browser or push without the token is counted; the metrics are no way around it."""
    running, site = start_web(*METRICS, "--token", TOKEN)
    scraper = Scraper.of(running)
    assert 401 == site.ask("/push", method="POST", body=b"{}").status
    scraper.await_samples({'har_web_pushes_total{outcome="no-token"}': 1})
    assert TOKEN not in scraper.get("/metrics").body
    assert 404 == scraper.get("/").status
    assert 404 == site.ask("/metrics").status
