"""Phones whose values are ordinary and whose times are not: sparse, doubled, set back, apart.

Each phone sends what its app sends, with clocks that stop, jump and lag, in messages of one row or
many, some of them repeated, overtaken or of another recording. What har-stream must make of them is
decided in `test_grouping`, and for the running program in `run`.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.vocabulary import CHANNELS

EPOCH: Final = 1.79e9
RATES_HZ: Final = (0.5, 1, 2, 3, 5, 9, 12, 20, 25, 33, 50, 50, 50, 50, 52, 60, 100, 104, 200)
GYRO_SCALE: Final = 2.0**-12
GRAVITY: Final = np.array([0.0, 0.0, 9.8])
ROWS: Final = (1, 2, 3, 4, 5, 6, 7, 10, 25, 25, 25, 50, 100)


@dataclass
class Sent:
    """A message of a phone."""

    format: str
    payload: bytes


@dataclass
class Part:
    """The samples of one message: of accelerometer and gyroscope, each with times of their own."""

    acc_times: NDArray[np.float64]
    """``(n,)`` seconds on the phone's clock"""
    gyro_times: NDArray[np.float64]
    """``(m,)``: the same as ``acc_times`` where they are sampled together"""
    recording: str


def values(times: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    """Return what one who walks with two steps a second would measure, ``(n, 3)``."""
    phase = 2 * np.pi * 2.0 * times[:, np.newaxis] + first + np.arange(3)
    rows: NDArray[np.float64] = np.sin(phase) * [2.0, 3.0, 1.0]
    return rows.round(4)


def parts(rng: random.Random, *, together: bool, seconds: float) -> Iterator[Part]:
    """Yield the messages of a phone, in the order in which they were made."""
    rate_hz, n_rows = rng.choice(RATES_HZ), rng.choice(ROWS)
    time, gyro_ahead_s, recording, given = EPOCH + rng.uniform(0, 10), 0.0, "", 0.0
    if not together and rng.random() < 0.3:
        gyro_ahead_s = rng.choice([0.004, 0.013, 0.15, -0.3, 2.0, 30.0, 7200.0])
    if rng.random() < 0.3:  # the first events come before the others
        early = time - np.array(rng.choice([[0.45], [0.35], [0.5, 0.25], [3.0], [0.7, 0.6, 0.1]]))
        yield Part(early, early + gyro_ahead_s, recording)
    jitter_s = rng.choice([0.0, 0.0, 0.0, 0.0004, 0.003, 0.02])
    sticky_s = rng.choice([0.0, 0.0, 0.0, 0.0, 0.001, 0.1, 1.0])
    calm = rng.random() < 0.4
    while given < seconds:
        times = time + np.arange(n_rows) / rate_hz
        event = "" if calm else rng.choice(EVENTS)
        if event == "gap":
            times = times + rng.choice([0.05, 0.3, 0.5, 0.51, 0.7, 3.0, 100.0])
        elif event == "back":
            times = times - rng.choice([0.01, 0.3, 1.0, 2.0, 5.0, 3600.0])
        elif event == "ahead":
            times = times + rng.choice([5.0, 3600.0])
        elif event == "lost":
            times = times[: max(1, len(times) // 2)]
        elif event == "rate":
            rate_hz = rng.choice(RATES_HZ)
        elif event == "rows":
            n_rows = rng.choice(ROWS)
        elif event == "recording":
            recording = rng.choice(["", "a", "b"])
        elif event == "apart":
            gyro_ahead_s = rng.choice([0.0, 0.15, 5.0, -3600.0])
        time = float(times[-1]) + 1 / rate_hz
        given += max(len(times) / rate_hz, 0.02)
        noise = np.random.default_rng(rng.randrange(1 << 30)).normal(size=(2, len(times)))
        acc_times, gyro_times = times + jitter_s * noise[0], times + jitter_s * noise[1]
        if sticky_s:
            acc_times, gyro_times = (
                np.floor(t / sticky_s) * sticky_s for t in (acc_times, gyro_times)
            )
        if event == "reversed":
            acc_times, gyro_times = acc_times[::-1], gyro_times[::-1]
        elif event == "doubled":
            acc_times, gyro_times = np.repeat(acc_times, 2), np.repeat(gyro_times, 2)
        yield Part(acc_times, (acc_times if together else gyro_times) + gyro_ahead_s, recording)


EVENTS: Final = (
    *[""] * 40,
    *("gap", "back", "ahead", "lost", "rate", "rows", "recording", "apart", "reversed", "doubled"),
)


def as_native(part: Part) -> list[dict[str, Any]]:
    """Return it in the native form, with a time a row."""
    times = part.acc_times
    return [
        {
            "time": times.tolist(),
            "acc": (values(times, 0) + GRAVITY).tolist(),
            "acc_unit": "m/s2",
            "gyro": values(times, 3).tolist(),
            "gyro_unit": "rad/s",
            "recording": part.recording,
        }
    ]


def as_compact(part: Part) -> list[dict[str, Any]]:
    """Return it in the compact form, whose rows and times are bytes."""
    (one,) = as_native(part)
    binary = {
        "time": np.array(one["time"], "<f8").tobytes(),
        "acc": np.array(one["acc"], "<f4").tobytes(),
        "gyro": np.rint(np.array(one["gyro"]) / GYRO_SCALE).astype("<i2").tobytes(),
        "gyro_scale": GYRO_SCALE,
    }
    return [one | binary]


def as_prepared(part: Part) -> list[dict[str, Any]]:
    """Return it as prepared samples."""
    times = part.acc_times
    rows = np.hstack([values(times, 0) / 9.8, values(times, 3), values(times, 0) / 9.8 + [1, 0, 0]])
    return [{"time": times.tolist(), "channels": CHANNELS, "samples": rows.tolist()}]


def as_sensor_logger(part: Part) -> list[dict[str, Any]]:
    """Return it as Sensor Logger sends it, gravity apart from the rest."""
    readings = []
    for name, times, column in (
        ("accelerometer", part.acc_times, 0),
        ("gravity", part.acc_times, None),
        ("gyroscope", part.gyro_times, 3),
    ):
        rows = (
            np.tile([0.0, 0.0, 9.8], (len(times), 1)) if column is None else values(times, column)
        )
        readings += [
            {"name": name, "time": round(time * 1e9), "values": dict(zip("xyz", row, strict=True))}
            for time, row in zip(times.tolist(), rows.tolist(), strict=True)
        ]
    return [{"sessionId": part.recording or "s", "deviceId": "app", "payload": readings}]


def as_sensorspot(part: Part) -> list[dict[str, Any]]:
    """Return it as SensorSpot sends it, a message an event, in the order of their times."""
    events = []
    for kind, times, column in (
        ("accelerometer", part.acc_times, 0),
        ("gyroscope", part.gyro_times, 3),
    ):
        rows = values(times, column) + (GRAVITY if kind == "accelerometer" else 0)
        events += [
            (time, {"type": f"android.sensor.{kind}", "values": row})
            for time, row in zip((times - EPOCH + 20_000).tolist(), rows.tolist(), strict=True)
        ]
    return [
        one | {"timestamp": round(time * 1e9)} for time, one in sorted(events, key=lambda e: e[0])
    ]


def as_phyphox(part: Part) -> list[dict[str, Any]]:
    """Return it as phyphox sends it, in seconds since an experiment began."""
    message: dict[str, Any] = {
        "time": {"events": [{"event": "START", "experimentTime": 0.0, "systemTime": EPOCH - 50}]}
    }
    for name, times, rows in (
        ("acc", part.acc_times, values(part.acc_times, 0) + GRAVITY),
        ("gyr", part.gyro_times, values(part.gyro_times, 3)),
    ):
        message[f"{name}T"] = (times - (EPOCH - 50)).tolist()
        message |= {f"{name}{axis}": rows[:, k].tolist() for k, axis in enumerate("XYZ")}
    return [message]


def as_browser(part: Part) -> list[dict[str, Any]]:
    """Return it as a web page sends it."""
    times = part.acc_times
    rows = np.hstack([values(times, 0) + GRAVITY, np.degrees(values(times, 3))])
    keys = ("agx", "agy", "agz", "rx", "ry", "rz")
    samples = [
        {"t": time} | dict(zip(keys, row, strict=True))
        for time, row in zip(times.tolist(), rows.tolist(), strict=True)
    ]
    return [
        {"v": 1, "unit": "m/s2", "gyro_unit": "deg/s", "platform": "android", "samples": samples}
    ]


Encoder = Callable[[Part], list[dict[str, Any]]]
FORMS: Final[dict[str, tuple[str, Encoder, bool]]] = {
    "native": ("native", as_native, True),
    "compact": ("native", as_compact, True),
    "prepared": ("native", as_prepared, True),
    "sensor-logger": ("sensor-logger", as_sensor_logger, False),
    "sensorspot": ("sensorspot", as_sensorspot, False),
    "phyphox": ("phyphox", as_phyphox, False),
    "browser": ("browser", as_browser, True),
}
"""Name of the format, what makes its messages, and whether both sensors have the same times"""


def messages(seed: int, *, seconds: float) -> tuple[str, list[Sent]]:
    """Return the form of a phone's messages, and those, in the order in which they come."""
    rng = random.Random(seed)
    form = rng.choice(list(FORMS))
    kind, encode, together = FORMS[form]
    write = msgspec.msgpack.encode if form == "compact" else msgspec.json.encode
    sent = [
        Sent(kind, write(one))
        for part in parts(rng, together=together, seconds=seconds)
        for one in encode(part)
    ]
    return form, list(_disordered(rng, sent))


def _disordered(rng: random.Random, sent: Sequence[Sent]) -> Iterator[Sent]:
    """Yield messages with some repeated and some overtaken, and now and then a backlog."""
    calm = rng.random() < 0.5
    held: list[Sent] = []
    for one in sent:
        chance = 1.0 if calm else rng.random()
        if chance < 0.02:
            yield one
            yield one
        elif chance < 0.04 or (held and len(held) < 30 and chance < 0.7):
            held.append(one)
        else:
            yield one
            if held and chance > 0.8:
                yield held.pop(0)
    yield from held
