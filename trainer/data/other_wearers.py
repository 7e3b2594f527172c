"""Windows as they would be of other people, phones and garments (augmentation).

Each change is physically meant, drawn for every window anew, and of no more than is found among
people and phones. Rotations of the phone are none of them, since no network here sees them.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pipeline.recognition.wearer.frame import (
    FORWARD,
    FORWARD_KNOWN,
    STRENGTH,
    UPRIGHT,
    UPRIGHT_KNOWN,
)
from pipeline.vocabulary import ACTIVITIES, WINDOW_LENGTH
from trainer.data.signals import Signals

Array = NDArray[np.float64]

_GYRO: Final = slice(0, 3)
_ACC: Final = slice(3, 6)
STILL: Final = [ACTIVITIES.index(name) for name in ("SITTING", "STANDING", "LAYING")]
"""Labels of who is still"""
_LAYING: Final = ACTIVITIES.index("LAYING")
_MIDDLE: Final = WINDOW_LENGTH / 2


@dataclass(frozen=True)
class OtherWearers:
    """How far windows are changed; the defaults are those of what ships."""

    slowest: float = 0.67
    fastest: float = 1.25
    """Speeds of movement, as multiples; who is still stays as he is"""
    least_acc: float = 0.49
    """Acceleration of slow movements is the square of their speed, but not less than this"""
    strength: float = 0.3
    """By how much movements are larger or smaller, as a share"""
    clean: float = 0.4
    """Share of the windows whose sensors and strength are left as they are"""
    clean_sets: tuple[str, ...] = ("HAPT", "UCI HAR")
    """Sets of which all are: with those phones resting bodies are told from each other by their
    sway, which any noise would hide"""
    gain: float = 0.05
    """Largest error of a sensor's gain, as a share"""
    acc_bias_g: float = 0.012
    gyro_bias_rad_s: float = 0.01
    """Standard deviations of the sensors' bias"""
    acc_noise_g: tuple[float, float] = (0.0005, 0.008)
    gyro_noise_rad_s: tuple[float, float] = (0.001, 0.02)
    """Least and largest standard deviation of the sensors' noise"""
    frame_known: float = 0.55
    """Share of the windows whose wearer's frame the network gets to know"""
    forward_unknown: float = 0.1
    """Share of the windows in which it does not get to know forward"""
    tilt_deg: float = 8.0
    """Of the phone against the body, since it was learnt how it is worn; standard deviation"""
    yaw_deg: float = 28.0
    """The same, about upright"""
    flipped: float = 0.02
    """Share of the windows in which forward is taken for backward"""
    strength_error: float = 0.05
    """Standard deviation of what is known of the strength of walking, in logarithms"""
    lying_otherwise: float = 0.85
    """Share of the windows of lying, of phones that move with the thigh, in which the person lies
    on another side; half of it for those on the trunk, which then counts as a thigh"""
    least_aside_deg: float = 45.0
    """Least angle, about upright, of where gravity comes from then to forward: that is where it
    comes from when a thigh sits"""


def changed(
    signals: Signals, which: NDArray[np.intp], how: OtherWearers, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return windows ``(n, 128, 6)`` changed at random, and their wearers' frames ``(n, 10)``.

    Args:
        signals: where the windows are.
        which: ``(n,)``, the windows.
        how: how far they are changed.
        rng: draws the changes.
    """
    windows = _at_another_speed(signals, which, how, rng)
    as_measured = windows.copy()
    _miss_gain_and_bias(windows, how, rng)
    _strengthen(windows, how, rng)
    _add_noise(windows, how, rng)
    clean_sets = [number for number, name in enumerate(signals.data_sets) if name in how.clean_sets]
    clean = (rng.random(len(which)) < how.clean) | np.isin(signals.sets[which], clean_sets)
    windows[clean] = as_measured[clean]
    return windows, _frames(signals, which, windows, how, rng)


def _at_another_speed(
    signals: Signals, which: NDArray[np.intp], how: OtherWearers, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return windows in which people move faster or slower, about the window's middle.

    Angular velocity goes with the speed, acceleration with its square.
    """
    speed = _log_uniform(rng, how.slowest, how.fastest, (len(which), 1))
    speed[np.isin(signals.labels[which], STILL)] = 1
    windows = signals.samples(which, _MIDDLE + (np.arange(WINDOW_LENGTH) - _MIDDLE) * speed)
    windows[:, :, _GYRO] *= speed[:, :, np.newaxis]
    _scale_movements(windows, np.clip(speed**2, how.least_acc, 1.1**2)[:, :, np.newaxis])
    return windows


def _miss_gain_and_bias(
    windows: NDArray[np.float32], how: OtherWearers, rng: np.random.Generator
) -> None:
    for axes, bias in ((_ACC, how.acc_bias_g), (_GYRO, how.gyro_bias_rad_s)):
        shape = (len(windows), 1, 3)
        windows[:, :, axes] *= (1 + rng.uniform(-how.gain, how.gain, shape)).astype(np.float32)
        windows[:, :, axes] += rng.normal(0, bias, shape).astype(np.float32)


def _strengthen(windows: NDArray[np.float32], how: OtherWearers, rng: np.random.Generator) -> None:
    """Make movements larger or smaller, rotation about as much as acceleration."""
    shape = (len(windows), 1, 1)
    strength = _log_uniform(rng, 1 / (1 + how.strength), 1 + how.strength, shape)
    _scale_movements(windows, strength)
    windows[:, :, _GYRO] *= strength * _log_uniform(rng, 0.9, 1 / 0.9, shape)


def _scale_movements(windows: NDArray[np.float32], factor: NDArray[np.float32]) -> None:
    """Scale accelerations, but not gravity."""
    gravity = windows[:, :, _ACC].mean(axis=1, keepdims=True)
    windows[:, :, _ACC] = gravity + (windows[:, :, _ACC] - gravity) * factor


def _add_noise(windows: NDArray[np.float32], how: OtherWearers, rng: np.random.Generator) -> None:
    """Add the noise of sensors, as probably between 1 and 2 mg as between 2 and 4."""
    for axes, sd in ((_ACC, how.acc_noise_g), (_GYRO, how.gyro_noise_rad_s)):
        strength = _log_uniform(rng, *sd, (len(windows), 1, 1))
        noise = rng.standard_normal((len(windows), WINDOW_LENGTH, 3), dtype=np.float32)
        windows[:, :, axes] += noise * strength


def _log_uniform(
    rng: np.random.Generator, least: float, largest: float, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return factors between two, each ratio as probable wherever it is."""
    return np.exp(rng.uniform(np.log(least), np.log(largest), shape)).astype(np.float32)


def _frames(
    signals: Signals,
    which: NDArray[np.intp],
    windows: NDArray[np.float32],
    how: OtherWearers,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return frames of wearers whose phones have shifted a little since they were learnt."""
    n = len(which)
    frames = signals.frames[which]
    tilt = rng.normal(0, np.radians(how.tilt_deg) / np.sqrt(3), (n, 3))
    upright, forward = (_rotated(frames[:, of].astype(float), tilt) for of in (UPRIGHT, FORWARD))
    yaw = rng.normal(0, np.radians(how.yaw_deg), n) + np.pi * (rng.random(n) < how.flipped)

    # Who lies on another side: forward is where it is from gravity's side.
    is_lying = signals.labels[which] == _LAYING
    on_leg = signals.on_leg[which]
    as_leg = is_lying & ~on_leg & (rng.random(n) < how.lying_otherwise / 2)
    otherwise = as_leg | (is_lying & on_leg & (rng.random(n) < how.lying_otherwise))
    gravity = windows[:, :, _ACC].mean(axis=1)
    left = np.cross(upright, forward)
    azimuth = np.arctan2((gravity * left).sum(axis=1), (gravity * forward).sum(axis=1))
    aside = rng.uniform(np.radians(how.least_aside_deg), np.pi, n) * rng.choice([-1, 1], n)
    yaw = np.where(otherwise, azimuth - aside, yaw)
    forward = forward * np.cos(yaw)[:, np.newaxis] + left * np.sin(yaw)[:, np.newaxis]

    strength = frames[:, STRENGTH].copy()
    legs = signals.leg_strengths
    if len(legs):
        strength[as_leg] = legs[rng.integers(0, len(legs), n)][as_leg]
    strength += rng.normal(0, how.strength_error, (n, 1))

    upright_known = (frames[:, UPRIGHT_KNOWN] > 0) & (rng.random(n) < how.frame_known)
    forward_known = (
        upright_known & (frames[:, FORWARD_KNOWN] > 0) & (rng.random(n) >= how.forward_unknown)
    )
    result = np.zeros_like(frames)
    result[:, UPRIGHT] = upright * upright_known[:, np.newaxis]
    result[:, FORWARD] = forward * forward_known[:, np.newaxis]
    result[:, UPRIGHT_KNOWN], result[:, FORWARD_KNOWN] = upright_known, forward_known
    result[:, STRENGTH] = strength * forward_known[:, np.newaxis]
    return result


def _rotated(vectors: Array, rotations: Array) -> Array:
    """Return vectors ``(n, 3)`` rotated by rotation vectors ``(n, 3)`` in radians."""
    rotated: Array = Rotation.from_rotvec(rotations).apply(vectors)
    return rotated
