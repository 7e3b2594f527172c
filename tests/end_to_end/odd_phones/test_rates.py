"""Phones that send few samples, or whose first ones come oddly."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.end_to_end.odd_phones.sender import Sender, now, spot, walk

if TYPE_CHECKING:
    from tests.processes import Running

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("rate_hz", [0.5, 2.0, 3.0, 7.0])
def test_a_slow_phone(phone: Sender, stream: "Running", rate_hz: float) -> None:
    """A phone of a few samples a second is told so, has no windows, and no activity but unknown."""
    n = round(40 * rate_hz)
    times = now() - 40 + np.arange(n) / rate_hz
    phone.send_rows(times, walk(40)[:: round(50 / rate_hz)][:n], size=1 + round(rate_hz))

    info = phone.await_leaf("info", lambda info: "low-rate" in info["warnings"])
    assert "send 30 or more" in info["advice"][info["warnings"].index("low-rate")]
    assert [] == phone.predictions()
    assert set(phone.activities()) <= {"unknown"}


@pytest.mark.parametrize("early_s", [0.35, 0.45, 0.5, 3.0])
@pytest.mark.parametrize("n_rows", [1, 7, 25])
def test_an_early_event(phone: Sender, stream: "Running", early_s: float, n_rows: int) -> None:
    """A phone whose first event comes early has all its windows, and its walker is recognised."""
    times = now() - 20 + np.arange(1000) / 50
    rows = walk(20)
    phone.send_rows(np.array([times[0] - early_s]), rows[:1])
    phone.send_rows(times, rows, size=n_rows)

    phone.await_leaf("prediction", lambda one: one["start"] > times[1000 - 128 - 64])
    phone.await_leaf("activity", lambda one: one["activity"] == "WALKING")
    assert len(phone.predictions()) >= 14
    # One of its windows looks like stairs to the model, and may be shown so until the next one.
    assert {"WALKING"} <= set(phone.activities()) <= {"WALKING", "WALKING_UPSTAIRS"}


def test_an_early_event_of_a_steady_phone(phone: Sender, stream: "Running") -> None:
    """Whatever is known of a phone in its first second can be told."""
    times = now() - 2 + np.arange(50) / 50
    phone.send_rows(times[:1] - 0.5, walk(1)[:1])
    phone.send_rows(times, walk(1))
    phone.await_leaf("info", lambda info: info["warnings"] == [])


def test_two_samples_do_not_end_it(
    phone: Sender, stream: "Running", join: Callable[..., Sender]
) -> None:
    """Two messages of one row, 0.45 s apart, are survived: others are told what they lack."""
    start, other = now(), join()
    phone.send_rows(np.array([start, start + 0.45]), walk(1)[:2], size=1)
    for at_s, row in enumerate(walk(1)):
        other.publish_json(f"spot/{other.device}", spot("accelerometer", 100 + at_s / 50, row[:3]))
    other.await_leaf("info", lambda info: "no-gyroscope" in info["warnings"])


def test_a_slow_beginning(phone: Sender, stream: "Running") -> None:
    """An app whose first events come slowly is not slow for ever: it heals within seconds."""
    rows = walk(24)
    times = np.concatenate([[0.0, 0.25], 0.5 + np.arange(1100) / 50])
    for at_s, row in zip(times, rows[:1102], strict=True):
        phone.publish_json(f"spot/{phone.device}", spot("accelerometer", 500 + at_s, row[:3]))
        phone.publish_json(f"spot/{phone.device}", spot("gyroscope", 500 + at_s, row[3:]))

    phone.await_leaf("activity", lambda one: one["activity"] == "WALKING")
    info = phone.await_leaf("info", lambda info: info.get("rates_hz", {}).get("gyroscope") == 50)
    assert [] == info["warnings"]
