"""Phones and recordings that share a name, or come in another order."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.end_to_end.odd_phones.sender import Sender, now, walk

if TYPE_CHECKING:
    from tests.processes import Running

pytestmark = pytest.mark.broker


def test_two_phones_under_one_name(phone: Sender, stream: "Running") -> None:
    """If two phones send under one name, their owners are told."""
    rows = walk(60)
    times = now() - 30 + np.arange(1500) / 50
    for k in range(0, 1500, 25):
        phone.send_rows(times[k : k + 25], rows[k : k + 25])
        phone.send_rows(times[k : k + 25] - 0.2531, rows[1500 + k : 1525 + k])

    phone.await_leaf("info", lambda info: {"two-phones", "late-samples"} & {*info["warnings"]})


@pytest.mark.parametrize("size", [1, 5, 50])
def test_two_recordings_in_turns(phone: Sender, stream: "Running", size: int) -> None:
    """If two phones' recordings take turns under one name, one goes on, and they are told."""
    rows = walk(30)
    times = now() - 30 + np.arange(1500) / 50
    for k in range(0, 1500, size):
        for name in ("first", "second"):
            phone.send_rows(times[k : k + size], rows[k : k + size], size=size, recording=name)

    phone.await_leaf("info", lambda info: "two-phones" in info["warnings"])
    phone.await_leaf("prediction", lambda one: one["start"] > times[1500 - 200])
    phone.await_leaf("activity", lambda one: one["activity"] == "unknown")
    assert {"unknown"} == {one["activity"] for name, one in phone.heard if name == "activity"}


def test_a_recording_a_message(phone: Sender, stream: "Running") -> None:
    """Who names each message's recording anew is told that this is why there are no windows."""
    for number in range(10):
        times = now() - 10 + number + np.arange(50) / 50
        phone.send_rows(times, walk(1), size=50, recording=f"session {number}")

    phone.await_leaf("info", lambda info: ["short-recordings"] == info["warnings"])


def test_a_recording_of_the_same_name_again(phone: Sender, stream: "Running") -> None:
    """Recordings named walk, stand, walk give their windows each; only old samples come again."""
    rows = walk(25)
    start = now() - 80
    for number, name in enumerate(("walk", "stand", "walk")):
        times = start + 27 * number + np.arange(1250) / 50
        still = np.tile(rows[:1].mean(axis=0) * [1, 1, 1, 0, 0, 0], (1250, 1))
        phone.send_rows(times, still if name == "stand" else rows, recording=name)

    phone.await_leaf("prediction", lambda one: one["start"] > start + 54 + 21)
    starts = np.array([one["start"] for one in phone.predictions()])
    counts, _ = np.histogram(starts, start - 1 + 27 * np.arange(4))
    assert [18, 18, 18] == counts.tolist()
    phone.await_leaf("activity", lambda one: one["activity"] == "WALKING" and one["since"] > start)


@pytest.mark.parametrize("n_old", [1, 3, 8])
def test_a_backlog_among_live_samples(phone: Sender, stream: "Running", n_old: int) -> None:
    """Live windows come though a backlog comes between; what it loses is counted and told."""
    rows = walk(60)
    backlog = now() - 7200
    live = now() - 40 + np.arange(2000) / 50
    for second in range(40):
        chosen = slice(50 * second, 50 * second + 50)
        phone.send_rows(live[chosen], rows[chosen], size=50)
        for k in range(n_old):
            old = backlog + second * n_old + k + np.arange(50) / 50
            phone.send_rows(old, rows[50 * k : 50 * k + 50], size=50)

    phone.await_leaf("prediction", lambda one: one["start"] > live[2000 - 250])
    starts = np.array([one["start"] for one in phone.predictions()])
    assert (starts > live[0] + 15).sum() >= 15
    phone.await_leaf("info", lambda info: "late-samples" in info["warnings"])
    assert 0 == stream.end()
    assert " 0 repeated or late" not in stream.log
