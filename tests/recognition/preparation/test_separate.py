from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.readings import Readings, Sensor
from pipeline.recognition.preparation import separate
from pipeline.recognition.preparation.choices import CHOICES, sensors_of
from pipeline.recognition.preparation.dropped import Dropped
from pipeline.recognition.preparation.grid import Grid
from pipeline.recognition.preparation.pace import NeededRates
from pipeline.recognition.preparation.pieces import Piece, joined_pieces
from pipeline.recognition.preparation.resampler import DEFAULT_LATENESS_S, Resampler
from pipeline.state.checkpoint import decode, encode
from tests.recognition.preparation.samples import EPOCH

Message = list[Readings]
PAIR: tuple[Sensor, ...] = ("accelerometer", "gyroscope")
SEPARATE = [tuple(sensors_of(choice)) for choice in CHOICES if len(sensors_of(choice)) > 1]


def sampled(
    rng: np.random.Generator,
    sensor: Sensor,
    *,
    rate_hz: float,
    seconds: float,
    jitter: float = 0.0,
    lost: float = 0.0,
) -> Readings:
    """Return what a sensor measures from `EPOCH` on, unevenly, with some samples lost."""
    times = (np.arange(seconds * rate_hz, dtype=np.float64) + rng.random()) / rate_hz
    times += rng.uniform(-jitter, jitter, len(times)) / rate_hz
    times = np.sort(times[rng.random(len(times)) >= lost])
    return Readings("phone", EPOCH + times, rng.normal(size=(len(times), 3)), sensor)


def part(readings: Readings, begin_s: float, end_s: float, *, ahead_s: float = 0.0) -> Message:
    """Return a sensor's samples of a time, if there are any, by a clock that is ahead."""
    first, end = np.searchsorted(readings.times, [EPOCH + begin_s, EPOCH + end_s])
    if first == end:
        return []
    times, values = readings.times[first:end] + ahead_s, readings.values[first:end]
    return [Readings("phone", times, values, readings.sensor)]


def sent(
    of_sensors: Sequence[Readings],
    cuts_s: Sequence[float],
    *,
    in_turn: bool,
    ahead_s: Sequence[float] | NDArray[np.float64] = (0.0, 0.0, 0.0),
) -> list[Message]:
    """Return messages cut at some times: of all sensors, or of one after the other."""
    messages = []
    for begin_s, end_s in pairwise(cuts_s):
        parts = [
            part(readings, begin_s, end_s, ahead_s=ahead)
            for readings, ahead in zip(of_sensors, ahead_s, strict=False)
        ]
        messages += parts if in_turn else [[one for each in parts for one in each]]
    return [message for message in messages if message]


def pushed_each(
    grid: Grid | Resampler, slot: int, messages: Sequence[Message]
) -> tuple[list[Piece], Dropped]:
    """Return the pieces, joined, and the losses of one phone's messages."""
    pieces, dropped = [], Dropped()
    for message in messages:
        new, lost = grid.push(message) if isinstance(grid, Grid) else grid.push(slot, message)
        pieces += new
        dropped += lost
    return joined_pieces(pieces), dropped


class Both:
    """Phones whose messages are taken together where possible, and each by itself."""

    def __init__(self, n_phones: int) -> None:
        """Begin without samples."""
        self.slots = list(range(n_phones))
        self.together = Resampler(n_phones)
        self.alone = [Grid(slot, DEFAULT_LATENESS_S, NeededRates()) for slot in self.slots]
        self.n_together = 0
        self.n_alone = 0

    def push(self, tick: dict[int, list[Message]]) -> None:
        """Take a tick's messages in both ways, by phone, and see that all is the same."""
        given = {self.slots[phone]: messages for phone, messages in tick.items() if messages}
        continued = self.together.push_together(given)
        rows = {
            slot: of_slot.tobytes()
            for some in continued
            for made in some.rows
            for slot, of_slot in zip(made.slots.tolist(), made.rows, strict=True)
        }
        taken = [slot for some in continued for slot in some.slots.tolist()]
        assert len(taken) == len(set(taken))
        n_samples = [len(one.times) for slot in taken for of in given[slot] for one in of]
        assert sum(some.n_samples for some in continued) == sum(n_samples)
        for phone, slot in enumerate(self.slots):
            if slot not in given:
                continue
            pieces, dropped = pushed_each(self.alone[phone], phone, given[slot])
            if slot in taken:
                self.n_together += len(given[slot])
                assert not dropped
                assert all(piece.origin is None and not piece.troubles for piece in pieces)
                made = [piece.rows.tobytes() for piece in pieces]
                assert rows.get(slot, b"") == b"".join(made)
            else:
                self.n_alone += len(given[slot])
                actual, actually_dropped = pushed_each(self.together, slot, given[slot])
                assert dropped == actually_dropped
                assert [
                    (piece.origin, piece.rows.tobytes(), piece.troubles) for piece in pieces
                ] == [(piece.origin, piece.rows.tobytes(), piece.troubles) for piece in actual]
            self._compare(phone)

    def restart(self, slots: Sequence[int]) -> None:
        """Go on from the saved state, the phones in other slots."""
        state = decode(encode({"": self.together.state(np.array(self.slots))}))[""]
        self.together = Resampler(max(slots) + 1)
        self.together.restore(np.array(slots), state)
        self.slots = list(slots)
        for phone in range(len(slots)):
            self._compare(phone)

    def finish(self) -> None:
        """End all phones."""
        for phone, slot in enumerate(self.slots):
            pieces, dropped = self.alone[phone].finish()
            actual, actually_dropped = self.together.finish(slot)
            assert dropped == actually_dropped
            assert [(piece.origin, piece.rows.tobytes()) for piece in joined_pieces(pieces)] == [
                (piece.origin, piece.rows.tobytes()) for piece in joined_pieces(actual)
            ]

    def _compare(self, phone: int) -> None:
        slot, alone = self.slots[phone], self.alone[phone]
        newest_come = [source.newest_come for source in alone.sources.values()]
        rates_hz, actual_hz = alone.rates_hz(), self.together.rates_hz(slot)
        assert [*rates_hz.items()] == [*actual_hz.items()]
        assert alone.newest == self.together.newest(slot)
        assert max(newest_come, default=-np.inf) == self.together.newest_come(slot)
        assert alone.lacks() == self.together.lacks(slot)
        assert alone.troubles == self.together.troubles(slot)
        assert alone.clocks.apart_s == self.together.clocks_apart_s(slot)
        assert not self.together.is_prepared(slot)


RATES_HZ = [30.3, 49.9, 50.0, 50.1, 59.7, 66.0, 100.0, 99.3, 104.5]


@given(seed=st.integers(0, 1 << 20), sensors=st.sampled_from(SEPARATE), in_turn=st.booleans())
@settings(max_examples=50, deadline=None)
def test_together_as_each_by_itself(seed: int, sensors: tuple[Sensor, ...], in_turn: bool) -> None:
    """Messages taken together give what a grid gives that takes them one by one.

    The sensors have any rates, with jitter and lost samples; messages of any length, of all sensors
    or in turn, overtake, come again or are lost; clocks are apart, drift or jump; a sensor is
    silent, or another comes. Ticks have any number of messages, and the state is saved and
    restored.
    """
    rng = np.random.default_rng(seed)
    n_phones, seconds = 3, float(rng.choice([6.0, 25.0]))
    longest_s = float(rng.choice([0.05, 0.3, 0.5, 1.0, 2.0]))
    both = Both(n_phones)
    waiting: list[list[Message]] = []
    rates_hz = rng.choice(RATES_HZ, len(sensors))
    for phone in range(n_phones):
        disturbance = rng.choice(["none", "none", "few", "many"])
        jitter = float(rng.choice([0.0, 0.01, 0.2, 0.5]))
        if phone != 1:
            rates_hz = rates_hz.copy() if rng.random() < 0.7 else rng.choice(RATES_HZ, len(sensors))
        of_sensors = [
            sampled(
                rng,
                sensor,
                rate_hz=float(rate_hz),
                seconds=seconds,
                jitter=jitter,
                lost=0.02 if disturbance == "many" else 0.0,
            )
            for sensor, rate_hz in zip(sensors, rates_hz, strict=True)
        ]
        n_cuts = max(int(seconds / longest_s), 2)
        cuts_s = np.linspace(0, seconds, n_cuts + 1)
        if rng.random() < 0.5:
            cuts_s = np.sort(rng.uniform(0, seconds, n_cuts + 1))
        if rng.random() < 0.3:
            offsets_s = rng.choice([0.0, 0.02, 0.08, 0.2, -0.3, 3.0], len(sensors))
            messages = sent(of_sensors, cuts_s.tolist(), in_turn=in_turn, ahead_s=offsets_s)
        else:
            messages = sent(of_sensors, cuts_s.tolist(), in_turn=in_turn)
        if rng.random() < 0.2:
            messages = drifting(messages, sensors[0], float(rng.choice([0.01, -0.02, 0.05])))
        if disturbance != "none":
            messages = disturbed(rng, messages, 0.02 if disturbance == "few" else 0.15)
        waiting.append(messages)
    most = int(rng.choice([1, 2, 4, 9]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(separate, "AT_ONCE", int(rng.choice([100, separate.AT_ONCE])))
        patch.setattr(separate, "MOST_SAMPLES", int(rng.choice([50, separate.MOST_SAMPLES])))
        while any(waiting):
            tick = {}
            for phone, messages in enumerate(waiting):
                n = int(rng.integers(0, most + 1))
                tick[phone], messages[:n] = messages[:n], []
            both.push(tick)
            if rng.random() < 0.05:
                both.restart(rng.permutation(5)[:n_phones].tolist())
    both.finish()


def drifting(messages: list[Message], sensor: Sensor, drift: float) -> list[Message]:
    """Return messages in which a sensor's clock gains so many seconds a second."""
    return [
        [
            msgspec.structs.replace(one, times=one.times + drift * (one.times - EPOCH))
            if one.sensor == sensor
            else one
            for one in message
        ]
        for message in messages
    ]


def disturbed(rng: np.random.Generator, messages: list[Message], share: float) -> list[Message]:
    """Return messages of which some are lost, come again, late, or of another sensor or form."""
    found: list[Message] = []
    delayed: list[Message] = []
    shift_s = 0.0
    for message in messages:
        message = [
            Readings("phone", one.times + shift_s, one.values, one.sensor) for one in message
        ]
        what = rng.choice(["lost", "late", "again", "jump", "other", "one", "form", "silent"])
        if rng.random() >= share:
            found += [message, *delayed]
            delayed = []
        elif what == "late":
            delayed.append(message)
        elif what == "again":
            found += [message, message]
        elif what == "jump":
            shift_s += float(rng.choice([0.003, 0.3, 0.7, 15.0, -0.4, -9.0]))
        elif what == "other":
            one = message[0]
            found.append([*message, Readings("phone", one.times, one.values, "gravity")])
        elif what == "one":
            found.append(message[:1])
        elif what == "form":
            one = message[0]
            found += [message, [Readings("phone", one.times, np.tile(one.values, 2))]]
        elif what == "silent":
            shift_s += 0.2
            found.append(message[-1:])
    return found + delayed


@pytest.mark.parametrize("message_s", [10.9, 11.02, 12.0])
def test_long_messages_in_turn(message_s: float) -> None:
    """A sensor that is far behind is waited for no longer, also if it comes in the same tick."""
    rng = np.random.default_rng(0)
    both, seconds = Both(2), 80.0
    cuts_s = [*np.arange(0, 6, 0.5), *np.arange(6, seconds, message_s)]
    waiting = []
    for rate_hz in (28.5, 50.0):
        of_sensors = [sampled(rng, one, rate_hz=rate_hz, seconds=seconds) for one in PAIR]
        messages = sent(of_sensors, cuts_s[:13], in_turn=False)
        waiting.append(messages + sent(of_sensors, cuts_s[12:], in_turn=True))
    while any(waiting):
        tick = {}
        for phone, messages in enumerate(waiting):
            tick[phone], messages[:2] = messages[:2], []
        both.push(tick)
    both.finish()


@pytest.mark.parametrize("sensors", SEPARATE)
@pytest.mark.parametrize("in_turn", [False, True])
@pytest.mark.parametrize(
    ("rate_hz", "other_hz", "message_s", "n_together"),
    [(100, 100, 0.5, 1), (100, 50, 0.5, 7), (59.7, 104, 0.2, 3), (50, 50, 1, 2), (99.8, 50, 1, 1)],
)
def test_ordinary_messages_are_taken_together(
    sensors: tuple[Sensor, ...],
    in_turn: bool,
    rate_hz: float,
    other_hz: float,
    message_s: float,
    n_together: int,
) -> None:
    """But for a phone's first two seconds, all are, and give what they give by themselves."""
    rng = np.random.default_rng(0)
    both, seconds = Both(3), 20
    waiting = []
    for _ in range(3):
        rates_hz = [rate_hz] * (len(sensors) - 1) + [other_hz]
        of_sensors = [
            sampled(rng, sensor, rate_hz=of_sensor_hz, seconds=seconds, jitter=0.1)
            for sensor, of_sensor_hz in zip(sensors, rates_hz, strict=True)
        ]
        cuts_s = np.arange(0, seconds + 0.1, message_s).tolist()
        waiting.append(sent(of_sensors, cuts_s, in_turn=in_turn))
    n_alone = 0
    while any(waiting):
        tick = {}
        for phone, messages in enumerate(waiting):
            tick[phone], messages[:n_together] = messages[:n_together], []
        both.push(tick)
        if both.alone[0].newest > EPOCH + 3 and not n_alone:
            n_alone = both.n_alone
    assert both.n_alone == n_alone
    assert both.n_together > n_alone
