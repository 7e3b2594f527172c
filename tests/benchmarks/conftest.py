from pathlib import Path

import numpy as np
import pytest

from pipeline.recordings import simulated


@pytest.fixture(scope="session")
def motion_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two simulated recordings of 15 s."""
    found = simulated.recordings(2, seconds=15.0)
    file = tmp_path_factory.mktemp("motion") / "motion.npy"
    np.save(file, np.stack([one.stretches[0].samples for one in found]))
    return file
