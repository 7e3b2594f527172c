import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.formats import FORMATS
from pipeline.messages import Publication
from pipeline.models.classifier import Classifier
from pipeline.readings import Delivery, Readings
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.recognizer import Recognizer
from pipeline.serving.deliveries import Deliveries
from pipeline.serving.losses import LOG_INTERVAL_S
from pipeline.serving.phones import Phones
from pipeline.serving.presence import Presence
from pipeline.subscriptions import Route


def test_the_last_losses_are_logged_too(tiny_model: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is lost shortly after a line of the log is in a later one, though nothing more comes."""
    phones = Phones(
        Recognizer(Classifier(tiny_model), hop=32), Placements(["android"]), max_devices=1
    )
    outgoing: list[Publication] = []
    rules: Any = None  # nothing is decided here
    deliveries = Deliveries(phones, Presence(rules, phones, (), outgoing), outgoing)
    phones.admit("a", Route(FORMATS["native"], "a", "har/a/samples"), 100.0)
    rows = np.tile([0.0, 0.0, 9.8, 0.0, 0.0, 0.0], (25, 1))
    delivery = Delivery([Readings("a", 1.79e9 + np.arange(25) / 50, rows)])
    for now in (100.0, 101.0, 102.0):
        deliveries.add(delivery, now)
        deliveries.recognise()
    deliveries.log_losses(103.0)
    with caplog.at_level(logging.WARNING):
        deliveries.log_losses(101.0 + LOG_INTERVAL_S)
        deliveries.log_losses(200.0)
    repeated = "dropped 25 samples that came again or too late (see --lateness): 'a' 25"
    assert [repeated, repeated] == caplog.messages
