"""People of placement sets, played to a har-stream that runs."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import pytest

from tests.made_sets import write_set

if TYPE_CHECKING:
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]


@pytest.mark.broker
@pytest.mark.parametrize("rate_hz", [20.0, 50.0, 104.0])
def test_windows_are_counted_by_what_is_known_of_them(
    start_stream: "Start", replay: "Run", tmp_path: Path, rate_hz: float
) -> None:
    """Each is of an activity of the model, or of another one, or has no label."""
    start_stream()
    write_set(tmp_path / "Made_pocket", ("s1", "s2"), rate_hz=rate_hz, seconds=12.0)
    result = replay("--recording", "Made_pocket", "--timeout", "3", "--report", "report.json")
    assert 0 == result.returncode, result.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    n_phones, n_recordings = 2, 4
    of_each = (12 * 50 - 1 - 128) // 64 + 1
    assert n_phones * n_recordings * of_each == report["windows_expected"]
    assert report["windows_expected"] == report["windows_received"]
    assert n_phones * 3 * of_each == report["windows_labelled"]  # not on the stairs
    assert {"RUNNING": n_phones * of_each} == report["windows_of_other_activities"]
    recognised = [report["confusion"][name][name] for name in ("WALKING", "SITTING")]
    assert sum(recognised) / (n_phones * 2 * of_each) == report["accuracy"]
    n_samples = n_phones * n_recordings * round(12 * rate_hz)
    assert f"Made_pocket: 2 phones, {n_samples} samples" in result.stdout
    assert f"over {n_phones * 2 * of_each} labelled windows" in result.stdout
    more = f"{n_phones * of_each} more are of activities that the model has not: RUNNING "
    assert f"{more}{n_phones * of_each}" in result.stdout
    assert f"{n_phones * of_each} have no label, or several" in result.stdout


@pytest.mark.broker
def test_a_real_person_is_answered(
    start_stream: "Start", replay: "Run", data_dir: Path, tmp_path: Path
) -> None:
    """Every window of every recording is expected and received, at 20, 25 and 50 Hz."""
    folder = data_dir / "placements"
    if not folder.is_dir():
        pytest.skip("needs the real placement sets in HAR_DATA_DIR/placements")
    start_stream()
    for path in ("WISDM2019_phone/1600.npz", "PDIoT_pocket/s10.npz", "MotionSense/sub_01.npz"):
        result = replay(
            "--recording", str(folder / path), "--duration", "30", "--report", "report.json"
        )  # fmt: skip
        assert 0 == result.returncode, result.stderr
        report = json.loads((tmp_path / "report.json").read_text())
        assert 12 * 20 <= report["windows_expected"] == report["windows_received"]
        assert 0 < report["windows_of_other_activities"]["RUNNING"]
