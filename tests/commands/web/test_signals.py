import json

import msgspec
import numpy as np
import pytest

from pipeline.commands.web.opened import Opened
from pipeline.commands.web.signals import (
    MOST_KEPT_BYTES,
    MOST_WATCHED,
    SHOWN_S,
    Kept,
    RawSignals,
    watched_by,
)
from pipeline.messages import Message
from pipeline.recognition.offline import RecordedPhone
from pipeline.recordings import simulated
from pipeline.subscriptions import subscriptions_of
from pipeline.vocabulary import CHANNELS, STANDARD_GRAVITY

EPOCH = 1.7e9
ROWS = simulated.recordings(1, seconds=20, activity="WALKING")[0].stretches[0].samples


def sent(
    first: int, last: int, *, device: str = "anna", late_s: float = 0.0, compact: bool = False
) -> Message:
    """Return rows of a phone as a native message, whose times may be later than they were."""
    content = {
        "start": EPOCH + first / 50 + late_s, "rate": 50.0, "acc_unit": "m/s2",
        "gyro_unit": "rad/s", "acc": ROWS[first:last, :3].tolist(),
        "gyro": ROWS[first:last, 3:].tolist(),
    }  # fmt: skip
    payload = msgspec.json.encode(content)
    if compact:
        rows = {"acc": ROWS[first:last, :3], "gyro": ROWS[first:last, 3:]}
        binary = {key: values.astype("<f4").tobytes() for key, values in rows.items()}
        payload = msgspec.msgpack.encode(content | binary)
    return Message(f"har/{device}/samples", payload, 0.0)


def kept_messages() -> Kept:
    """Return what keeps messages of the usual topics."""
    return Kept(subscriptions_of([], with_defaults=True))


def push(kept: Kept, signals: RawSignals, message: Message, now: float = EPOCH) -> None:
    """Let a message come."""
    taken = kept.take(message, now)
    assert taken is not None
    signals.take(*taken)


@pytest.mark.parametrize("compact", [False, True])
def test_watched_phones_have_rows(*, compact: bool) -> None:
    """They are those of the grid, rounded, from the first to the last, in either form."""
    kept = kept_messages()
    signals = RawSignals(kept)
    signals.watch(["anna"])
    for first in range(0, 200, 25):
        push(kept, signals, sent(first, first + 25, compact=compact))
        signals.advance()
    raw, number = signals.since("anna", 0)
    assert raw is not None
    block = json.loads(bytes(raw))
    n_rows = len(block["acc"])
    assert (EPOCH, 50) == (block["start"], block["rate"])
    assert 190 <= n_rows <= 200
    np.testing.assert_allclose(block["acc"], ROWS[:n_rows, :3], atol=0.006)
    np.testing.assert_allclose(block["gyro"], ROWS[:n_rows, 3:], atol=0.0006)
    assert (None, number) == signals.since("anna", number)
    assert (None, 0) == signals.since("ben", 0)


def test_who_watches_later_gets_the_last_ten_seconds() -> None:
    """The messages were kept; older ones were not."""
    kept = kept_messages()
    signals = RawSignals(kept)
    for first in range(0, 1000, 25):
        push(kept, signals, sent(first, first + 25), EPOCH + first / 50)
    signals.watch(["anna"])
    signals.advance()
    raw, _ = signals.since("anna", 0)
    assert raw is not None
    block = json.loads(bytes(raw))
    assert EPOCH + 9 <= block["start"] <= EPOCH + 11
    assert 450 <= len(block["acc"]) <= SHOWN_S * 50 + 25


def test_a_gap_begins_a_new_block() -> None:
    """The rows on its two sides are told one after the other."""
    kept = kept_messages()
    signals = RawSignals(kept)
    signals.watch(["anna"])
    for first in range(0, 200, 25):
        push(kept, signals, sent(first, first + 25, late_s=3.0 * (first >= 100)))
    signals.advance()
    first_raw, number = signals.since("anna", 0)
    second_raw, _ = signals.since("anna", number)
    assert first_raw is not None
    assert second_raw is not None
    assert EPOCH == json.loads(bytes(first_raw))["start"]
    assert abs(EPOCH + 5.0 - json.loads(bytes(second_raw))["start"]) < 0.021


def test_prepared_samples_are_shown_in_the_same_units() -> None:
    """Total acceleration in m/s², angular velocity in rad/s."""
    kept = kept_messages()
    signals = RawSignals(kept)
    signals.watch(["anna"])
    content = {
        "start": EPOCH, "rate": 50.0, "channels": CHANNELS,
        "samples": [[0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 1.0, 0.0, 0.0]] * 200,
    }  # fmt: skip
    push(kept, signals, Message("har/anna/samples", msgspec.json.encode(content), 0.0))
    signals.advance()
    raw, _ = signals.since("anna", 0)
    assert raw is not None
    assert [round(STANDARD_GRAVITY, 2), 0, 0] == json.loads(bytes(raw))["acc"][0]
    assert [0.1, 0.2, 0.3] == json.loads(bytes(raw))["gyro"][0]


def test_what_is_kept_is_bounded() -> None:
    """Of one phone, whatever it sends; of phones that are silent, nothing."""
    kept = kept_messages()
    for _ in range(5):
        kept.take(Message("har/anna/samples", b"x" * (MOST_KEPT_BYTES // 2), 0.0), EPOCH)
    assert 2 >= len(kept.of("anna"))
    kept.expire(EPOCH + SHOWN_S + 1)
    assert [] == kept.of("anna")


def test_watching_is_bounded() -> None:
    """Of very many phones the first are watched."""
    assert MOST_WATCHED == len(watched_by([[str(n) for n in range(5_000)], ["x"]]))


def test_messages_of_nobody() -> None:
    """Other topics are passed over, and so are shared ones whose message names no phone."""
    kept = kept_messages()
    assert kept.take(Message("elsewhere", b"", 0.0), EPOCH) is None
    assert kept.take(Message("browser/$x", b"", 0.0), EPOCH) is None
    shared = Kept(subscriptions_of(["sensor-logger=sensor-logger"], with_defaults=True))
    assert shared.take(Message("sensor-logger", b"{}", 0.0), EPOCH) is None


def test_the_prepared_signals_of_an_opened_phone() -> None:
    """They are those of har-stream's preparation, row by row."""
    kept = kept_messages()
    opened = Opened(kept)
    assert ["anna"] == opened.open(["anna"])
    assert [] == opened.open(["anna"])
    for first in range(0, 500, 25):
        taken = kept.take(sent(first, first + 25), EPOCH)
        assert taken is not None
        opened.take(*taken)
    raw, _ = opened.since("anna", 0)
    assert raw is not None
    block = json.loads(bytes(raw))

    phone = RecordedPhone(hop=1)
    decoded = [m.route.decode(m.payload) for m in kept.of("anna")]
    windows = [phone.push([p for p in parts if hasattr(p, "values")]) for parts in decoded]
    expected = np.concatenate([w.samples[:, -1] for w in windows])[: len(block["rows"]) - 127]
    assert list(CHANNELS) == block["channels"]
    assert EPOCH == block["start"]
    assert 350 <= len(expected)
    np.testing.assert_allclose(np.array(block["rows"])[127:], expected, atol=1e-4)
