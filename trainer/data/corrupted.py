"""Raw recordings corrupted as other phones and people would have made them, before any filter.

None of it improved models on people held out (`ablation`), so no recipe uses it: the recordings of
21 people are as varied already.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from pipeline.recordings.recording import Recording, Stretch, grid_times
from pipeline.vocabulary import STANDARD_GRAVITY

_TIME_SCALE: Final = 0.05
"""Standard deviation of the logarithm of how much faster others move"""
_GAIN: Final = 0.03
"""That of how much more a sensor's axis shows"""
_BIAS: Final = np.repeat([0.02 * STANDARD_GRAVITY, 0.02], 3)
"""Standard deviations of offsets, in m/s² and rad/s: the filters take the gyroscope's out"""
_NOISE: Final = np.repeat([0.005 * STANDARD_GRAVITY, 0.02], 3)
"""Highest standard deviation of white noise, in m/s² and rad/s"""
_LOST: Final = 0.1
"""Share of the samples that are lost, and interpolated"""

Corruption = Callable[[Stretch, np.random.Generator], Stretch]


def corrupted(recordings: list[Recording], how: Corruption, *, seed: int) -> list[Recording]:
    """Return recordings with each stretch corrupted, as the seed draws."""
    rng = np.random.default_rng(seed)
    return [
        replace(recording, stretches=tuple(how(stretch, rng) for stretch in recording.stretches))
        for recording in recordings
    ]


def of_another_speed(stretch: Stretch, rng: np.random.Generator) -> Stretch:
    """Return the same movements, faster or slower; gravity stays what it is."""
    faster = float(np.exp(_TIME_SCALE * rng.normal()))
    n = int(len(stretch.samples) / faster)
    at = np.linspace(0, len(stretch.samples) - 1, n)
    samples = _interpolated(stretch.samples, at)
    samples[:, 3:] *= faster
    return replace(
        stretch,
        times=grid_times(stretch.start, n),
        samples=samples,
        labels=stretch.labels[np.rint(at).astype(np.intp)],
    )


def miscalibrated(stretch: Stretch, rng: np.random.Generator) -> Stretch:
    """Return a stretch as from sensors of other gains and offsets."""
    gains = np.exp(_GAIN * rng.normal(size=6))
    return replace(stretch, samples=stretch.samples * gains + _BIAS * rng.normal(size=6))


def noisy(stretch: Stretch, rng: np.random.Generator) -> Stretch:
    """Return a stretch as from noisier sensors."""
    noise = rng.random() * _NOISE * rng.normal(size=stretch.samples.shape)
    return replace(stretch, samples=stretch.samples + noise)


def thinned(stretch: Stretch, rng: np.random.Generator) -> Stretch:
    """Return a stretch some of whose samples were lost on the way, interpolated."""
    n = len(stretch.samples)
    kept = np.flatnonzero(rng.random(n) >= _LOST)
    at = np.interp(np.arange(n), kept, np.arange(len(kept)))
    return replace(stretch, samples=_interpolated(stretch.samples[kept], at))


CORRUPTIONS: Final[dict[str, Corruption]] = {
    "stretched": of_another_speed,
    "miscalibrated": miscalibrated,
    "noisy": noisy,
    "thinned": thinned,
}
"""All ways, by name."""


def _interpolated(samples: NDArray[np.floating], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return samples ``(n_samples, 6)`` at places between them ``(n,)``."""
    values: NDArray[np.float64] = make_interp_spline(np.arange(len(samples)), samples, k=1)(at)
    return values
