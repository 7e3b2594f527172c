"""Made-up phones: their motion, their messages, and what a recognizer makes of them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Delivery, Readings, Sensor
from pipeline.recognition.recognizer import Recognizer
from pipeline.recognition.results import Prediction, Recognised

EPOCH = 1698501144.4
"""Seconds since the epoch at which they begin"""
HOP = 32
"""Samples from one window to the next"""


def motion(n_samples: int, *, seed: int, width: int = 6) -> NDArray[np.float64]:
    """Return samples of a body that changes its pose and moves now more, now less.

    They are raw for a width of 6 and prepared for 9.
    """
    rng = np.random.default_rng(seed)
    n_poses = n_samples // 100 + 1
    pose = rng.normal(size=(n_poses, 3))
    pose /= np.linalg.norm(pose, axis=1)[:, None]
    moving = np.repeat(rng.uniform(0, 1, n_poses), 100)[:n_samples, None]
    gravity = np.repeat(pose, 100, axis=0)[:n_samples]  # (n_samples, 3) in g
    noise = rng.normal(size=(n_samples, width)) * moving
    still = np.zeros((n_samples, 3))
    if width == 6:
        return noise * [3, 3, 3, 1, 1, 1] + np.hstack([gravity * 9.81, still])
    return noise * 0.3 + np.hstack([still, still, gravity])


def readings(
    rows: NDArray[np.float64],
    *,
    device: str = "phone",
    start: float = EPOCH,
    first: int = 0,
    recording: str = "",
) -> Readings:
    """Return rows at 50 Hz as a message; ``first`` is the number of the first row."""
    times = start + (first + np.arange(len(rows))) / 50
    sensor: Sensor = "motion" if rows.shape[1] == 6 else "prepared"
    return Readings(device, times, rows, sensor, recording)


def separate(rows: NDArray[np.float64]) -> list[Readings]:
    """Return raw rows as those of two sensors at times of their own."""
    times = EPOCH + np.arange(len(rows)) / 50
    return [
        Readings("phone", times, rows[:, :3], "accelerometer"),
        Readings("phone", times + 0.007, rows[:, 3:], "gyroscope"),
    ]


def in_messages(whole: Readings, *, size: int = 15) -> list[Readings]:
    """Return readings cut into messages of so many samples."""
    return [
        msgspec.structs.replace(
            whole, times=whole.times[k : k + size], values=whole.values[k : k + size]
        )
        for k in range(0, len(whole.times), size)
    ]


@cache
def of_every_kind() -> dict[str, list[Readings]]:
    """Return the messages of phones that leave the usual way in every manner."""
    rows = [motion(500, seed=seed) for seed in range(10)]
    times = EPOCH + np.arange(500) / 50
    jitter_s = np.random.default_rng(0).normal(0, 1e-3, 500)
    earlier = readings(rows[7], start=EPOCH - 3600)
    acc, gyro = (in_messages(one) for one in separate(rows[4]))
    messages = {
        "usual": in_messages(readings(rows[0])),
        "prepared": in_messages(readings(motion(500, seed=1, width=9))),
        "irregular": in_messages(Readings("phone", times + jitter_s, rows[2])),
        "fast": in_messages(Readings("phone", EPOCH + np.arange(500) / 200, rows[3])),
        "separate": [one for both in zip(acc, gyro, strict=True) for one in both],
        "gap": in_messages(Readings("phone", times + 7.7 * (times > EPOCH + 4), rows[5])),
        "boot": in_messages(
            Readings("phone", times - EPOCH + 3.0 * (times > EPOCH + 5), rows[6], clock="boot")
        ),
        "set-back": in_messages(readings(rows[7][:250])) + in_messages(earlier),
        "recordings": in_messages(readings(rows[8][:300], recording="a"))
        + in_messages(msgspec.structs.replace(earlier, recording="b")),
        "hole": in_messages(readings(rows[9]), size=7),
    }
    hole = messages["hole"]
    for i in range(0, 30, 5):  # overtaken, lost and sent again
        hole[i], hole[i + 1] = hole[i + 1], hole[i]
    del hole[12]
    for of_phone in (messages["usual"], messages["irregular"]):
        of_phone[8:8] = of_phone[2:4]
    return {
        device: [msgspec.structs.replace(one, device=device) for one in of_phone]
        for device, of_phone in messages.items()
    }


def push(recognizer: Recognizer, *tick: Readings) -> Recognised:
    """Admit the phones of a tick and push it."""
    for reading in tick:
        recognizer.admit(reading.device)
    return recognizer.push([Delivery([reading]) for reading in tick])


def starts(predictions: Sequence[Prediction], *, start: float = EPOCH) -> list[int]:
    """Return the numbers of the windows' first samples."""
    return [round((prediction.start - start) * 50) for prediction in predictions]


def assert_same(expected: Sequence[Prediction], actual: Sequence[Prediction]) -> None:
    """Compare one phone's predictions: equal labels and starts, probabilities within 1e-6."""
    assert [p.start for p in expected] == [p.start for p in actual]
    assert [p.end for p in expected] == [p.end for p in actual]
    assert [p.label for p in expected] == [p.label for p in actual]
    assert [p.settling for p in expected] == [p.settling for p in actual]
    for one, other in zip(expected, actual, strict=True):
        np.testing.assert_allclose(other.probabilities, one.probabilities, rtol=0, atol=1e-6)


def told_of(recognised: Recognised) -> list[object]:
    """Return all that came of a tick, in a form that compares by every bit."""
    predictions = [
        (p.device, p.start, p.end, p.label, p.probabilities.tobytes(), p.settling)
        for p in recognised.predictions
    ]
    decided = [*recognised.changes, *recognised.episodes]
    decisions = [(device, replace(one, slot=0)) for device, one in decided]
    return [*predictions, *decisions, *recognised.problems, dict(recognised.dropped)]
