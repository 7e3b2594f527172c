"""Windows and frames with which a model is tried before it classifies any phone's."""

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.wearer.frame import COLUMNS
from pipeline.vocabulary import CHANNELS, WINDOW_LENGTH


def trial_windows() -> NDArray[np.float32]:
    """Return windows ``(n, 128, 9)`` as phones may send them, up to 40 g and 40 rad/s."""
    rng = np.random.default_rng(0)
    shaken = rng.normal(size=(4, WINDOW_LENGTH, len(CHANNELS)))
    steps = np.where(np.arange(WINDOW_LENGTH) % 2, 1.0, -1.0)[:, np.newaxis]
    gravity = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1.0])
    windows = [
        np.zeros((WINDOW_LENGTH, len(CHANNELS))),
        *(np.full((WINDOW_LENGTH, len(CHANNELS)), value) for value in (-40.0, 40.0)),
        *(size * steps * np.ones(len(CHANNELS)) for size in (1e-6, 1.0, 40.0)),
        np.tile(gravity, (WINDOW_LENGTH, 1)),
        *(
            gravity + size * window
            for size, window in zip((0.01, 0.3, 3.0, 20.0), shaken, strict=True)
        ),
    ]
    return np.stack(windows).astype(np.float32)


def trial_frames(n_windows: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return frames ``(n_windows, 10)`` of wearers of whom nothing is known, and all is known."""
    unknown = np.zeros((n_windows, len(COLUMNS)), np.float32)
    known = unknown.copy()
    known[:, [0, 4, 6, 7]] = 1  # upright along x, forward along y
    return unknown, known
