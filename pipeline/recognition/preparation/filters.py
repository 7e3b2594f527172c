"""The filters that made the UCI HAR windows from the phones' raw signals, causal, sample by sample.

The recipe was derived by comparing the published windows with the raw recordings of the same people
(HAPT data set); it reproduces all 10,299 windows to 5e-7, the text precision of the files:

1. accelerometer and gyroscope: median of three, then Butterworth low-pass, order 10, 20 Hz;
2. ``total_acc`` is that; ``body_acc`` is it less its Butterworth low-pass, order 3, 0.3 Hz;
3. ``body_gyro`` is the denoised gyroscope less its Butterworth low-pass, order 2, 0.1 Hz.

The median needs the next sample, so each row comes out when the next goes in.
"""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.per_phone import PerPhone
from pipeline.recognition.preparation.sosfilt import butterworth_low_pass, sosfilt, steady_state
from pipeline.vocabulary import CHANNELS, SAMPLING_RATE_HZ, STANDARD_GRAVITY, WINDOW_LENGTH

FilterStart = Literal["steady", "zero"]
"""The filters' state at a phone's first sample: as if that sample had always been (a live phone),
or zero (what the data set's authors did with their recordings)."""

SETTLING_ROWS: Final = 160
"""3.2 s: the 0.3 Hz low-pass is then within 5 % of a step (measured)."""

_DENOISE: Final = butterworth_low_pass(10, 20.0, SAMPLING_RATE_HZ)
_GRAVITY: Final = butterworth_low_pass(3, 0.3, SAMPLING_RATE_HZ)
_GYRO_DRIFT: Final = butterworth_low_pass(2, 0.1, SAMPLING_RATE_HZ)
_N_AXES: Final = 6
_IN_CACHE: Final = 64
"""Phones of which 25 rows take some 80 kB in each of the arrays"""


def settled_after_s(hop: int) -> float:
    """Return how long a phone must send, in seconds, for the first window of settled filters.

    ``hop`` is samples from one window to the next.
    """
    start = -(-SETTLING_ROWS // hop) * hop
    return (start + WINDOW_LENGTH) / SAMPLING_RATE_HZ


class Preprocessor(PerPhone):
    """The filters of all phones that send raw samples."""

    _per_phone = ("started", "edge", "denoise", "gravity", "gyro_drift")

    def __init__(self, n_slots: int, *, start: FilterStart = "steady") -> None:
        """Make room for ``n_slots`` phones, whose filters begin as ``start`` says."""
        self._start = start
        self.started = np.zeros(n_slots, np.bool_)
        self.edge = np.zeros((n_slots, _N_AXES, 2))  # the median's last two inputs
        self.denoise = np.zeros((n_slots, _N_AXES, len(_DENOISE), 2))
        self.gravity = np.zeros((n_slots, 3, len(_GRAVITY), 2))
        self.gyro_drift = np.zeros((n_slots, 3, len(_GYRO_DRIFT), 2))

    def reset(self, slots: Sequence[int]) -> None:
        """Let the filters of these phones begin anew with their next sample."""
        self.started[slots] = False

    def push(self, slots: NDArray[np.intp], rows: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the samples that the new rows complete, ``(n_phones, n_out, 9)`` in g and rad/s.

        ``rows`` has the shape ``(n_phones, n_rows, 6)``, in m/s² and rad/s; ``slots``
        ``(n_phones,)``, each phone once, either all of them begun before or none. ``n_out`` is
        ``n_rows``, or one less for phones that begin.
        """
        parts = [slice(i, i + _IN_CACHE) for i in range(0, len(slots), _IN_CACHE)]
        return np.concatenate([self._push(slots[part], rows[part]) for part in parts])

    def _push(self, slots: NDArray[np.intp], rows: NDArray[np.float64]) -> NDArray[np.float32]:
        """Do the same for so few phones that all of it stays in a processor's cache."""
        signals = rows.transpose(0, 2, 1).copy()  # (n_phones, 6, n_rows)
        signals[:, :3] /= STANDARD_GRAVITY
        if not self.started[slots[0]]:
            self._begin(slots, signals[:, :, 0])
            signals = signals[:, :, 1:]
        signals = np.concatenate([self.edge[slots], signals], axis=2)
        self.edge[slots] = signals[:, :, -2:]
        if signals.shape[2] < 3:
            return np.empty((len(slots), 0, len(CHANNELS)), np.float32)

        median = _median_of_three(signals)
        denoised, self.denoise[slots] = sosfilt(_DENOISE, median, self.denoise[slots])
        total_acc, gyro = denoised[:, :3], denoised[:, 3:]
        gravity, self.gravity[slots] = sosfilt(_GRAVITY, total_acc, self.gravity[slots])
        drift, self.gyro_drift[slots] = sosfilt(_GYRO_DRIFT, gyro, self.gyro_drift[slots])
        samples = np.concatenate([total_acc - gravity, gyro - drift, total_acc], axis=1)
        return samples.transpose(0, 2, 1).astype(np.float32)  # (n_phones, n_out, 9)

    def _begin(self, slots: NDArray[np.intp], first: NDArray[np.float64]) -> None:
        """Set the state for phones whose first sample is ``first`` ``(n_phones, 6)``."""
        before = first if self._start == "steady" else np.zeros_like(first)
        self.edge[slots] = np.stack([before, first], axis=2)
        self.denoise[slots] = before[:, :, None, None] * steady_state(_DENOISE)
        self.gravity[slots] = before[:, :3, None, None] * steady_state(_GRAVITY)
        # A body turns about zero: the first angular velocity is motion, not drift.
        self.gyro_drift[slots] = 0.0
        self.started[slots] = True


def _median_of_three(signals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the medians of each signal ``(..., n)`` at all of its samples but the two at its ends.

    All signals are gone through as one, which costs half; what mixes two of them is left out.
    """
    earlier = signals.ravel()
    median = np.empty_like(earlier)
    earlier, middle, later = earlier[:-2], earlier[1:-1], earlier[2:]
    np.maximum(
        np.minimum(earlier, middle),
        np.minimum(np.maximum(earlier, middle), later),
        out=median[:-2],
    )
    return median.reshape(signals.shape)[..., :-2]
