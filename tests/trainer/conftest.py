"""A small data set in the published layout, and models small enough to be trained in seconds."""

from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.recordings import uci_har
from pipeline.vocabulary import ACTIVITIES, CHANNELS, SAMPLING_RATE_HZ, WINDOW_LENGTH
from trainer.networks.options import Sizes

TRAINING_SUBJECTS: Final = (1, 3, 5, 6, 7, 8)
TEST_SUBJECTS: Final = (2, 4)
WINDOWS_A_BOUT: Final = 4
HOP: Final = 64


@pytest.fixture(scope="session")
def mini_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a data set in the published layout: 8 subjects, 4 windows of each activity."""
    folder = tmp_path_factory.mktemp("data") / "UCI HAR Dataset"
    rng = np.random.default_rng(7)
    for split, subjects in (("train", TRAINING_SUBJECTS), ("test", TEST_SUBJECTS)):
        bouts = [
            (_bout(rng, label), label, subject)
            for subject in subjects
            for label in range(len(ACTIVITIES))
        ]
        windows = np.concatenate([windows for windows, _, _ in bouts])  # (n_windows, 128, 9)
        signals = folder / split / "Inertial Signals"
        signals.mkdir(parents=True)
        for channel, name in enumerate(CHANNELS):
            np.savetxt(signals / f"{name}_{split}.txt", windows[:, :, channel], fmt="%.7e")
        labels = [label + 1 for _, label, _ in bouts]
        np.savetxt(folder / split / f"y_{split}.txt", np.repeat(labels, WINDOWS_A_BOUT), fmt="%d")
        of_bouts = [subject for _, _, subject in bouts]
        np.savetxt(
            folder / split / f"subject_{split}.txt", np.repeat(of_bouts, WINDOWS_A_BOUT), fmt="%d"
        )
    return folder


@pytest.fixture(scope="session")
def mini_data(mini_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> uci_har.DataSet:
    """The small data set, read."""
    return uci_har.load(mini_folder, download=False, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def small() -> Sizes:
    """Sizes of models that train in seconds."""
    return Sizes(units=6, dense_units=8, filters=4, dropout=0.2)


def _bout(rng: np.random.Generator, label: int) -> NDArray[np.float64]:
    """Return the windows ``(4, 128, 9)`` of one subject doing one activity, without a break."""
    n_samples = (WINDOWS_A_BOUT + 1) * HOP
    seconds = np.arange(n_samples) / SAMPLING_RATE_HZ
    wave = np.sin(2 * np.pi * (0.5 + 0.5 * label) * seconds + rng.uniform(0, 2 * np.pi))
    posture = np.linspace(-1, 1, len(CHANNELS)) * (label - 2.5) / 5
    noise = rng.normal(scale=0.1, size=(n_samples, len(CHANNELS)))
    samples = posture + 0.3 * wave[:, np.newaxis] + noise  # (n_samples, 9)
    starts = range(0, n_samples - WINDOW_LENGTH + 1, HOP)
    return np.stack([samples[start : start + WINDOW_LENGTH] for start in starts])
