import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainer.decisions.novel import novel_rows, random_rotation


def test_novel_rows_are_of_all_kinds() -> None:
    """Some never change, some are violent, and all are finite numbers."""
    rows = novel_rows(np.random.default_rng(3))
    scatter = rows[:, :, :3].std(axis=(1, 2))
    assert np.isfinite(rows).all()
    assert (np.ptp(rows, axis=1) == 0).all(axis=1).sum() >= 50
    assert (scatter > 20).sum() >= 50


@given(seed=st.integers(0, 10_000))
def test_random_rotations_are_rotations(seed: int) -> None:
    """They keep lengths and angles, and mirror nothing."""
    rotation: NDArray[np.float64] = random_rotation(np.random.default_rng(seed))
    np.testing.assert_allclose(np.eye(3), rotation @ rotation.T, atol=1e-12)
    assert pytest.approx(1.0) == np.linalg.det(rotation)
