"""Recordings that a test makes of simulated phones."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Readings
from pipeline.recordings import journals, simulated
from pipeline.recordings.header import Header

EPOCH = 1.7e9


def record(
    folder: Path,
    activity: str,
    *,
    seconds: float = 20.0,
    seed: int = 0,
    device: str = "mine",
    rotation: NDArray[np.float64] | None = None,
    calibrated: bool = False,
) -> Path:
    """Return the recording of a phone that does one activity, perhaps worn otherwise.

    ``rotation`` ``(3, 3)`` goes from the training frame to the phone's axes; ``calibrated`` says
    whether the recording knows.
    """
    (stretch,) = simulated.recordings(1, seconds=seconds, seed=seed, activity=activity)[0].stretches
    samples = stretch.samples
    if rotation is not None:
        samples = np.hstack([samples[:, :3] @ rotation.T, samples[:, 3:] @ rotation.T])
    header = Header(
        device=device,
        format="native",
        clock="epoch",
        convention="android",
        convention_from="setting",
        rotation=rotation.T.tolist() if rotation is not None and calibrated else None,
        created=f"{activity}-{seed}",
        software="",
    )
    journal = journals.Journal(folder, header)
    journal.label(-np.inf, activity)
    for first in range(0, len(samples), 25):
        rows = samples[first : first + 25]
        times = EPOCH + np.arange(first, first + len(rows)) / 50
        journal.append(first // 25, Readings(device, times, rows))
    path = journal.close()
    assert path is not None
    return path
