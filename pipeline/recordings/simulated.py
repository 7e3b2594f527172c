"""Made-up phones: raw motion from a small model of the six activities, for a demo without data.

A posture is a constant acceleration plus sway; a gait adds the first harmonics of the stride, two
steps, whose rate wanders a little. The constants were measured on the raw signals of the 21
training subjects of HAPT: on walking, a least-squares fit of harmonics to every window of 2.56 s
gave the median stride rate, root-mean-square amplitudes, mean phases (with the second harmonic of
vertical acceleration at phase 0), and the standard deviation of the rest; on postures, medians
over the labelled segments. A simulated phone is an average person's: it shows that the way from
phone to activity works, not how well anybody is recognised.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recordings.recording import Recording, Stretch, grid_times
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ, STANDARD_GRAVITY

TRANSITION_SAMPLES: Final = 50
"""Samples in which one activity passes into the next: 1 s."""

RESOLUTION_G: Final = 1 / 720
"""Step of the accelerometer's readings, in g (HAPT)."""

NOISE: Final = (0.003, 0.003, 0.004, 0.005, 0.005, 0.005)
"""Standard deviation of the sensors' white noise, in g and rad/s (HAPT, postures, above 16 Hz)."""

_CADENCE_SPREAD: Final = 0.04  # between people, relative standard deviation
_VIGOUR_SPREAD: Final = 0.08
_CADENCE_WANDER: Final = 0.03  # within a minute
_WANDER_HZ: Final = 0.3


@dataclass(frozen=True)
class Motion:
    """An activity, in the training frame: six axes, accelerometer in g and gyroscope in rad/s."""

    mean: tuple[float, ...]
    """Six, g and rad/s"""
    scatter: tuple[float, ...]
    """Six standard deviations of what is irregular, g and rad/s"""
    scatter_hz: float
    """Hertz; where the scatter's spectrum falls off"""
    stride_hz: float = 0.0
    """Hertz"""
    amplitudes: tuple[tuple[float, ...], ...] = ((),) * 6
    """For each axis the amplitudes of the stride's harmonics, g and rad/s"""
    phases_deg: tuple[tuple[float, ...], ...] = ((),) * 6
    """For each axis the phases of the stride's harmonics, degrees"""


MOTIONS: Final = {
    "WALKING": Motion(
        mean=(1.00, -0.18, -0.07, 0.00, 0.00, 0.00),
        scatter=(0.13, 0.13, 0.10, 0.33, 0.42, 0.19),
        scatter_hz=8.0,
        stride_hz=0.87,
        amplitudes=(
            (0.03, 0.24, 0.11, 0.08),
            (0.07, 0.14, 0.05, 0.07),
            (0.09, 0.12, 0.03, 0.06),
            (0.47, 0.11, 0.22, 0.09),
            (0.36, 0.21, 0.41, 0.11),
            (0.20, 0.18, 0.32, 0.08),
        ),
        phases_deg=(
            (180, 0, 50, 70),
            (-160, 120, -10, 90),
            (40, 100, -140, 90),
            (-90, 70, 50, -170),
            (90, -80, -30, -90),
            (30, 130, -40, 0),
        ),
    ),
    "WALKING_UPSTAIRS": Motion(
        mean=(0.95, -0.27, -0.16, 0.28, -0.08, -0.06),
        scatter=(0.13, 0.10, 0.07, 0.37, 0.32, 0.20),
        scatter_hz=8.0,
        stride_hz=0.82,
        amplitudes=(
            (0.06, 0.30, 0.06, 0.10),
            (0.11, 0.16, 0.04, 0.07),
            (0.15, 0.12, 0.04, 0.06),
            (0.36, 0.18, 0.14, 0.10),
            (0.60, 0.24, 0.18, 0.13),
            (0.42, 0.19, 0.12, 0.11),
        ),
        phases_deg=(
            (20, 0, -110, 50),
            (30, 130, 80, 110),
            (-150, 110, -140, 120),
            (150, -160, 160, 40),
            (-60, -150, -150, -160),
            (-70, 20, 140, -30),
        ),
    ),
    "WALKING_DOWNSTAIRS": Motion(
        mean=(0.99, -0.15, -0.06, -0.31, 0.07, 0.01),
        scatter=(0.18, 0.14, 0.12, 0.48, 0.50, 0.28),
        scatter_hz=8.0,
        stride_hz=0.88,
        amplitudes=(
            (0.05, 0.43, 0.13, 0.17),
            (0.08, 0.13, 0.08, 0.10),
            (0.09, 0.11, 0.05, 0.07),
            (0.45, 0.17, 0.27, 0.15),
            (0.28, 0.24, 0.29, 0.24),
            (0.18, 0.21, 0.20, 0.19),
        ),
        phases_deg=(
            (-40, 0, 120, -20),
            (-60, -160, -10, -120),
            (140, -150, -150, -110),
            (-20, 40, 90, 10),
            (-140, 50, 40, -10),
            (-80, -130, 50, 160),
        ),
    ),
    "SITTING": Motion(
        mean=(0.99, 0.12, 0.19, 0.00, 0.00, 0.00),
        scatter=(0.006, 0.010, 0.013, 0.012, 0.024, 0.015),
        scatter_hz=1.0,
    ),
    "STANDING": Motion(
        mean=(1.01, -0.16, 0.00, 0.00, 0.00, 0.00),
        scatter=(0.008, 0.014, 0.017, 0.065, 0.037, 0.025),
        scatter_hz=1.0,
    ),
    "LAYING": Motion(
        mean=(0.08, 0.74, 0.65, 0.00, 0.00, 0.00),
        scatter=(0.011, 0.010, 0.010, 0.026, 0.028, 0.013),
        scatter_hz=1.0,
    ),
}
"""The motion of each of `ACTIVITIES`."""

EXTRA_MOTIONS: Final = {
    "JUMPING": Motion(
        mean=(1.00, -0.17, -0.05, 0.00, 0.00, 0.00),
        scatter=(0.15, 0.12, 0.12, 0.35, 0.35, 0.25),
        scatter_hz=8.0,
        stride_hz=2.0,
        amplitudes=(
            (1.405, 0.340, 0.135, 0.028),
            (0.12, 0.06, 0.02, 0.01),
            (0.15, 0.06, 0.02, 0.01),
            (0.20, 0.10, 0.04, 0.02),
            (0.60, 0.25, 0.08, 0.04),
            (0.25, 0.12, 0.05, 0.02),
        ),
        phases_deg=(
            (0, 0, 180, 180),
            (180, 60, -60, 0),
            (-30, 90, 0, 0),
            (60, -120, 0, 0),
            (90, 0, 90, 0),
            (-90, 30, 0, 0),
        ),
    ),
}
"""Motions that are none of `ACTIVITIES`, to show how one is learnt; thought up, not measured.

``JUMPING`` is hopping on the spot, twice a second. For 60 % of a hop, c, the feet are on the ground
and the force on the body is half a sine; then the body falls freely and the accelerometer reads
nothing. As nobody takes off for good, the mean is 1 g, which gives the force's harmonics in g:
2 cos(pi n c) / (1 - (2 n c)²). The body sways a little to it, forward and back most."""

LABELS: Final = (*ACTIVITIES, *EXTRA_MOTIONS)
"""What the labels of simulated recordings stand for: `ACTIVITIES` first."""

_ALL_MOTIONS: Final = MOTIONS | EXTRA_MOTIONS


def recordings(
    phones: int = 6, *, seconds: float = 60.0, seed: int = 0, activity: str | None = None
) -> list[Recording]:
    """Return the raw recordings of ``phone-1``, ``phone-2``, ... , one stretch each.

    Every phone goes through all six activities in equal shares of the time, each phone starting
    with another one; or it does nothing but ``activity``, one of `LABELS`. Samples are
    ``(n_samples, 6)`` float64 in m/s² and rad/s; labels are indices into `LABELS`, and -1 while
    one activity passes into the next. The same seed gives a phone the same samples, whatever the
    number of phones.

    Raises:
        ValueError: ``seconds`` leaves the activities no time beside their transitions, or there is
            no such activity.
    """
    if activity is not None and activity not in LABELS:
        raise ValueError(f"no activity {activity!r}: there are {', '.join(LABELS)}")
    n_samples = round(seconds * SAMPLING_RATE_HZ)
    if activity is None and n_samples < 2 * TRANSITION_SAMPLES * len(ACTIVITIES):
        least_s = 2 * TRANSITION_SAMPLES * len(ACTIVITIES) / SAMPLING_RATE_HZ
        raise ValueError(f"{seconds:g} s are too short for six activities: take {least_s:g} s")
    every = list(range(len(ACTIVITIES)))
    return [
        Recording(
            f"phone-{phone + 1}",
            (
                _perform(
                    every[phone % 6 :] + every[: phone % 6]
                    if activity is None
                    else [LABELS.index(activity)],
                    n_samples=n_samples,
                    rng=np.random.default_rng((seed, phone)),
                ),
            ),
            activities=LABELS,
            rate_hz=SAMPLING_RATE_HZ,
            person=str(phone + 1),
            worn_at="waist",
        )
        for phone in range(phones)
    ]


def _perform(performed: Sequence[int], *, n_samples: int, rng: np.random.Generator) -> Stretch:
    """Return one phone's stretch, in which it performs activities one after the other."""
    cadence = 1 + _CADENCE_SPREAD * rng.standard_normal()
    vigour = 1 + _VIGOUR_SPREAD * rng.standard_normal()
    rise = np.arange(1, TRANSITION_SAMPLES + 1) / (TRANSITION_SAMPLES + 1)
    samples = np.zeros((n_samples, 6))  # g and rad/s
    labels = np.full(n_samples, -1, np.int8)
    bounds = np.linspace(0, n_samples, len(performed) + 1).round().astype(int).tolist()
    for part, label in enumerate(performed):
        first, end = bounds[part], bounds[part + 1]
        labels[first + (TRANSITION_SAMPLES if part > 0 else 0) : end] = label
        fade_end = min(end + TRANSITION_SAMPLES, n_samples)
        weight = np.ones(fade_end - first)
        if part > 0:
            weight[:TRANSITION_SAMPLES] = rise
        if fade_end > end:
            weight[-TRANSITION_SAMPLES:] = rise[::-1]
        motion = _move(_ALL_MOTIONS[LABELS[label]], len(weight), cadence, vigour, rng=rng)
        samples[first:fade_end] += weight[:, np.newaxis] * motion
    samples += NOISE * rng.standard_normal(samples.shape)
    samples[:, :3] = np.round(samples[:, :3] / RESOLUTION_G) * RESOLUTION_G * STANDARD_GRAVITY
    return Stretch(grid_times(0.0, n_samples), samples, labels)


def _move(
    motion: Motion, n_samples: int, cadence: float, vigour: float, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the motion ``(n_samples, 6)`` in g and rad/s, without the sensors' errors.

    ``cadence`` and ``vigour`` multiply its rate and its amplitudes.
    """
    scatter = _coloured(n_samples, 6, motion.scatter_hz, rng=rng)
    samples = np.array(motion.mean) + np.array(motion.scatter) * scatter  # (n_samples, 6)
    wander = 1 + _CADENCE_WANDER * _coloured(n_samples, 1, _WANDER_HZ, rng=rng)[:, 0]
    strides = rng.random() + np.cumsum(cadence * motion.stride_hz * wander) / SAMPLING_RATE_HZ
    amplitudes, phases = np.array(motion.amplitudes), np.radians(motion.phases_deg)
    for harmonic in range(amplitudes.shape[1]):
        angles = 2 * np.pi * (harmonic + 1) * strides[:, np.newaxis] + phases[:, harmonic]
        samples += vigour * amplitudes[:, harmonic] * np.cos(angles)
    return samples


def _coloured(
    n_samples: int, n_axes: int, corner_hz: float, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return noise ``(n_samples, n_axes)`` of variance 1, low-passed at first order."""
    frequencies_hz = np.fft.rfftfreq(n_samples, 1 / SAMPLING_RATE_HZ)
    gains = 1 / np.sqrt(1 + (frequencies_hz / corner_hz) ** 2)
    gains /= np.sqrt(np.mean(gains**2))
    white = np.fft.rfft(rng.standard_normal((n_samples, n_axes)), axis=0)
    return np.fft.irfft(gains[:, np.newaxis] * white, n_samples, axis=0)
