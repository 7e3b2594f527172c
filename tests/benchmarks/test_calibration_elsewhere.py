from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import calibration_elsewhere
from tests.benchmarks.figures import Figure, NotMeasuredError, Options
from tests.made_sets import Arrays, person_arrays, write_person

MADE = "Made_belt"


def options(data: Path) -> Options:
    """Return options that name a folder of data sets."""
    return Options(data, models=[], seconds=1.0, training=False, full=False, json=None)


def somebody(subject: str, *, stands: bool = True) -> Arrays:
    """Return the arrays of somebody who walks on the belt's phone, and perhaps stands still."""
    did = ("standing", "walking") if stands else ("walking",)
    arrays = person_arrays(MADE, subject, did=did, seconds=20.0)
    if stands:
        standing = arrays["rec"] == 0
        noise = np.random.default_rng(1).normal(0, 0.02, (standing.sum(), 3))
        arrays["acc"][standing] = arrays["acc"][~standing].mean(axis=0) + noise
        arrays["gyro"][standing] = noise / 10
    return arrays


def measured(data: Path) -> dict[str, Figure]:
    """Return the figures of the made-up set by their names."""
    figures = calibration_elsewhere.measure(options(data))
    return {figure.name.partition(": ")[2]: figure for figure in figures}


def test_a_set(tmp_path: Path) -> None:
    """Who stands and walks is calibrated, who never stands is not asked for; shares add up."""
    folder = tmp_path / "placements" / MADE
    write_person(folder / "a.npz", somebody("made_a"))
    write_person(folder / "b.npz", somebody("made_b", stands=False))
    figures = measured(tmp_path)
    assert (100.0, "1 of 1 people") == (figures["calibrated"].value, figures["calibrated"].detail)
    for name in ("as worn, cnn-lstm", "as worn, cnn-lstm-any", "calibrated, cnn-lstm"):
        parts = figures[name].parts
        assert {"WALKING", "STANDING"} == set(parts)
        assert figures[name].value == pytest.approx(np.mean(list(parts.values())))


def test_refusals_by_kind(tmp_path: Path) -> None:
    """Somebody who moves all the time when asked to stand is counted under that kind."""
    arrays = person_arrays(MADE, "made_c", did=("standing", "walking"), seconds=20.0)
    write_person(tmp_path / "placements" / MADE / "c.npz", arrays)
    figures = measured(tmp_path)
    assert "0 of 1 people; refused: 1 never still" == figures["calibrated"].detail
    assert "calibrated, cnn-lstm" not in figures


def test_a_set_in_which_nobody_stands(tmp_path: Path) -> None:
    """Then that is said of it, and nothing else."""
    write_person(tmp_path / "placements" / MADE / "b.npz", somebody("made_b", stands=False))
    assert {"people who stand and walk": 0} == {
        name: figure.value for name, figure in measured(tmp_path).items()
    }


def test_no_sets(tmp_path: Path) -> None:
    """Then the reason is given."""
    with pytest.raises(NotMeasuredError, match=f"{tmp_path}/placements: no such folder"):
        calibration_elsewhere.measure(options(tmp_path))
