"""Who reads the predictions of a replay."""

import json
from typing import TYPE_CHECKING, Any

from tests.client import MqttClient, Received

if TYPE_CHECKING:
    from tests.brokers import Broker


class Listener(MqttClient):
    """A client that reads all predictions."""

    def __init__(self, broker: "Broker") -> None:
        """Connect and subscribe."""
        self.predictions: list[dict[str, Any]] = []
        super().__init__(broker, "har/+/prediction")

    def keep(self, message: Received) -> None:
        """Keep a prediction."""
        self.predictions.append(json.loads(message.payload))

    def await_predictions(self, n: int) -> None:
        """Return when so many have come."""
        self.await_that(lambda: len(self.predictions) >= n)
