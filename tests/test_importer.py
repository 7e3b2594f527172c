import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.recordings import parquet
from pipeline.recordings.labelled import LabelledRecording

Run = Callable[..., subprocess.CompletedProcess[str]]

T0_NS = 1_787_923_304_000_000_000


def sensor_logger(folder: Path, *, platform: str = "ios", annotations: str = "") -> Path:
    """Write an export of three seconds at 100 Hz."""
    folder.mkdir()
    for name, y in (("Accelerometer", 0.0), ("Gravity", -9.8), ("Gyroscope", 0.5)):
        rows = [f"{T0_NS + k * 10_000_000},{k / 100},0,{y},0.25" for k in range(300)]
        (folder / f"{name}.csv").write_text("\n".join(["time,seconds_elapsed,z,y,x", *rows]))
    (folder / "Metadata.csv").write_text(
        "device name,recording time,platform,device id,standardisation\n"
        f"iPhone,2026-08-28_13-21-44,{platform},abc,false\n"
    )
    (folder / "Annotation.csv").write_text("time,seconds_elapsed,text\n" + annotations)
    return folder


def labels(recording: LabelledRecording) -> list[str | None]:
    """Return what was done at each half second."""
    names = (*recording.activities, None)
    at = T0_NS / 1e9 + np.arange(0.25, 3.0, 0.5)
    return [names[label] for label in recording.labels_at(at)]


def test_an_export_becomes_a_recording(run_command: Run, tmp_path: Path) -> None:
    """An iPhone's accelerations get Android's sign; annotations go before --label."""
    note = f"{T0_NS + 10**9},1.0,jumping\n{T0_NS + 2 * 10**9},2.0,what? no!\n"
    sensor_logger(tmp_path / "export", annotations=note)
    done = run_command("har-import", "export", "--output", "own", "--label", "walking")
    assert 0 == done.returncode, done.stderr
    assert "'what? no!' is no activity" in done.stderr
    name = "abc_20260828T132144Z.parquet"
    assert f"Wrote own/{name}: 900 samples, labels JUMPING, WALKING\n" == done.stdout
    recording = parquet.read(tmp_path / "own" / name)
    assert ["WALKING"] * 2 + ["JUMPING"] * 4 == labels(recording)
    header = recording.header
    assert ("abc", "sensor-logger export", "ios", "export") == (
        header.device, header.format, header.convention, header.convention_from
    )  # fmt: skip
    assert 3 == len(recording.messages)
    values = {
        part.readings.sensor: part.readings.values[0].tolist() for part in recording.messages[0]
    }
    assert {
        "linear_acceleration": [-0.25, 0.0, 0.0],
        "gravity": [-0.25, 9.8, 0.0],
        "gyroscope": [0.25, 0.5, 0.0],
    } == values


def test_several_at_once(run_command: Run, tmp_path: Path) -> None:
    """Each export is a file of its own, under one name for the phone if that is wanted."""
    for name in ("a", "b"):
        sensor_logger(tmp_path / name, platform="android")
    files = [str(path) for path in (tmp_path / "b").glob("*.csv")]
    done = run_command("har-import", "a", *files, "--output", "own", "--device", "mine")
    assert 0 == done.returncode, done.stderr
    found = [parquet.read(path) for path in parquet.find([tmp_path / "own"])]
    assert ["mine"] * 2 == [one.header.device for one in found]
    assert [900] * 2 == [one.n_samples for one in found]


def test_a_phone_of_unknown_kind(run_command: Run, tmp_path: Path) -> None:
    """Without a platform the sign is taken for Android's, with a warning, unless it is set."""
    sensor_logger(tmp_path / "export", platform="")
    assumed = run_command("har-import", "export", "--output", "own")
    assert "if so, use --convention ios" in assumed.stderr
    chosen = run_command("har-import", "export", "--output", "own", "--convention", "ios")
    assert (0, 0, "") == (assumed.returncode, chosen.returncode, chosen.stderr)
    headers = [parquet.read(path).header for path in parquet.find([tmp_path / "own"])]
    assert {("ios", "setting"), ("android", "assumption")} == {
        (header.convention, header.convention_from) for header in headers
    }


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["nowhere.zip"], "har-import: nowhere.zip: no such file or folder"),
        (["other"], "neither Sensor Logger nor phyphox wrote this"),
        (["unnamed"], "does not name the phone: give it a name by --device"),
        (["unnamed", "--device", "a/b"], "use --device"),
        (["unnamed", "--label", "ä"], "har-import: 'ä' is no activity"),
        (["huge", "--device", "d"], "is the unit right?"),
    ],
)
def test_mistakes_end_in_one_line(
    run_command: Run, tmp_path: Path, flags: list[str], words: str
) -> None:
    """What cannot be imported is told with what to do, and exit code 1."""
    for name in ("other", "unnamed", "huge"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "table.csv").write_text("a,b\n1,2\n")
    heading = '"Time (s)","X (m/s^2)","Y (m/s^2)","Z (m/s^2)"'
    (tmp_path / "unnamed" / "Accelerometer.csv").write_text(f"{heading}\n0.0,1,2,3\n")
    (tmp_path / "huge" / "Accelerometer.csv").write_text(f"{heading}\n0.0,1,2,3e9\n")
    done = run_command("har-import", *flags)
    assert 1 == done.returncode
    assert words in done.stderr
    assert 1 == done.stderr.count("\n")
