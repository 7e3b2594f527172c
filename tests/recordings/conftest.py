"""Data sets for the tests: the real ones where they are at hand, and small ones made up."""

import io
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from pipeline.recordings import datasets
from pipeline.recordings.dataset_files import Published
from pipeline.recordings.recording import DataError
from pipeline.vocabulary import CHANNELS

AsZip = Callable[..., bytes]
AsFolder = Callable[[Mapping[str, bytes], Path], Path]

# Subject: its bouts, each a label 1 to 6 and a number of windows.
TRAIN_BOUTS = {1: ((5, 2), (1, 3)), 3: ((1, 1), (1, 2), (6, 2))}
TEST_BOUTS = {2: ((2, 3), (4, 2))}


@pytest.fixture
def no_folder_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder of data sets is named by the environment."""
    monkeypatch.delenv("HAR_DATA_DIR", raising=False)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder with the real data sets."""
    if "HAR_DATA_DIR" not in os.environ:
        pytest.skip("needs the real data sets: set HAR_DATA_DIR to their folder")
    return Path(os.environ["HAR_DATA_DIR"])


@pytest.fixture(scope="session")
def real_uci_har(real_data: Path) -> Path:
    """Return a folder with the real UCI HAR data set."""
    return _holding(datasets.UCI_HAR, real_data)


@pytest.fixture(scope="session")
def real_hapt(real_data: Path) -> Path:
    """Return a folder with the real HAPT data set."""
    return _holding(datasets.HAPT, real_data)


@pytest.fixture(scope="session")
def uci_har_files() -> dict[str, bytes]:
    """Return a small data set in the layout of UCI HAR, files by their names in it."""
    rng = np.random.default_rng(1)
    files = {}
    for split, subjects in (("train", TRAIN_BOUTS), ("test", TEST_BOUTS)):
        windows: list[np.ndarray] = []
        rows: list[tuple[int, int]] = []
        for subject, bouts in subjects.items():
            for label, n_windows in bouts:
                stream = rng.normal(size=(64 * (n_windows + 1), len(CHANNELS)))
                windows += [stream[64 * k : 64 * k + 128] for k in range(n_windows)]
                rows += [(label, subject)] * n_windows
        signals = np.array(windows)
        for channel, name in enumerate(CHANNELS):
            files[f"{split}/Inertial Signals/{name}_{split}.txt"] = table(signals[:, :, channel])
        files[f"{split}/y_{split}.txt"] = table([[label] for label, _ in rows], "%d")
        files[f"{split}/subject_{split}.txt"] = table([[subject] for _, subject in rows], "%d")
    return files


@pytest.fixture(scope="session")
def hapt_files() -> dict[str, bytes]:
    """Return a small data set in the layout of HAPT, files by their names in it."""
    rng = np.random.default_rng(2)
    files = {"README.txt": b"Smartphone-Based Recognition"}
    for experiment, subject, n_samples in ((1, 1, 300), (2, 1, 200), (3, 2, 250)):
        for sensor in ("acc", "gyro"):
            files[f"RawData/{sensor}_exp{experiment:02d}_user{subject:02d}.txt"] = table(
                rng.normal(size=(n_samples, 3)), "%.16f"
            )
    segments = [[1, 1, 5, 11, 100], [1, 1, 7, 101, 150], [1, 1, 4, 151, 300], [3, 2, 1, 1, 250]]
    files["RawData/labels.txt"] = table(segments, "%d")
    return files


@pytest.fixture(scope="session")
def as_zip() -> AsZip:
    """Return a function that makes a zip of files, in a folder ``root`` of it."""

    def make(files: Mapping[str, bytes], root: str = "") -> bytes:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in files.items():
                file.writestr(root + name, content)
        return archive.getvalue()

    return make


@pytest.fixture(scope="session")
def as_folder() -> AsFolder:
    """Return a function that writes files into a folder."""

    def make(files: Mapping[str, bytes], folder: Path) -> Path:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder

    return make


def table(rows: np.ndarray | list[list[int]], number_format: str = "%16.7e") -> bytes:
    """Return the text of a file of numbers, as the data sets have it."""
    text = io.BytesIO()
    np.savetxt(text, rows, fmt=number_format)
    return text.getvalue()


def _holding(published: Published, folder: Path) -> Path:
    try:
        with datasets.opened(published, folder, download=False):
            return folder
    except DataError as error:
        pytest.skip(f"needs the real data set: {error}")
