"""Phones for which there is no room, or no windows: they are told why."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.end_to_end.odd_phones.sender import Sender, now, walk

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]

pytestmark = pytest.mark.broker


def test_the_longest_silent_make_room(
    broker: "Broker", start_command: "Start", phone: Sender, join: Callable[..., Sender]
) -> None:
    """When there are as many phones as may be, one offline goes, and nothing stays of it."""
    gone = join("gone-" + phone.device)
    start_command(
        "har-stream",
        *broker.flags,
        *("--max-devices", "1", "--offline-after", "0.5", "--home-assistant"),
        HAR_MAX_BEHIND="60",
    )
    broker.await_har_stream()
    rows = walk(20)
    gone.send_rows(now() - 20 + np.arange(1000) / 50, rows)
    gone.await_leaf("activity", lambda one: one["activity"] == "WALKING")
    gone.await_leaf("info", lambda info: info["rates_hz"] == {"motion": 50})
    gone.await_leaf("availability", lambda text: text == "offline")

    phone.send_rows(now() - 20 + np.arange(1000) / 50, rows)

    phone.await_leaf("activity", lambda one: one["activity"] == "WALKING")
    for leaf in ("availability", "activity", "info"):
        assert "" == gone.await_leaf(leaf, lambda text: text == "")


def test_a_phone_for_which_there_is_no_room(
    broker: "Broker", start_command: "Start", phone: Sender, join: Callable[..., Sender]
) -> None:
    """While all others are there, a new phone is told that there is no room."""
    other = join("other-" + phone.device)
    start_command("har-stream", *broker.flags, "--max-devices", "1", HAR_MAX_BEHIND="60")
    broker.await_har_stream()
    rows = walk(2)
    other.send_rows(now() - 2 + np.arange(100) / 50, rows)
    other.await_leaf("availability", lambda text: text == "online")
    phone.send_rows(now() - 2 + np.arange(100) / 50, rows)

    info = phone.await_leaf("info", lambda info: info.get("rejected") == {"devices": 4})
    assert ["rejected"] == info["warnings"]
    assert "1 phones already" in info["advice"][0]


def test_refused_messages_are_told(phone: Sender, stream: "Running") -> None:
    """A phone whose messages are all refused is told why, each one for itself."""
    phone.send_rows(now() + 100_000 + np.arange(50) / 50, walk(1))
    info = phone.await_leaf("info", lambda info: info.get("rejected") == {"time": 2})
    assert ["rejected"] == info["warnings"]
    assert "ahead of this machine's clock" in info["advice"][0]


def test_pauses_are_told(phone: Sender, stream: "Running") -> None:
    """A phone whose samples always pause before there is a window is told so."""
    phone.keep_sending(
        walk(1), until=lambda name, one: name == "info" and "gaps" in one["warnings"]
    )


def test_an_activity_ends_with_its_windows(phone: Sender, stream: "Running") -> None:
    """When a walking phone goes on without windows, what it does is unknown."""
    rows = walk(20)
    phone.send_rows(now() - 76 + np.arange(1000) / 50, rows)
    phone.await_leaf("activity", lambda one: one["activity"] == "WALKING")
    phone.keep_sending(
        rows[:50], until=lambda name, one: name == "activity" and one["activity"] == "unknown"
    )
