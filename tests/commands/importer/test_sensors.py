from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.recordings import parquet
from tests.commands.importer.exported import phyphox, sensor_logger
from tests.commands.importer.outcome import Imported


def test_sensors_that_were_never_on_at_once(
    har_import: Callable[..., Imported], tmp_path: Path
) -> None:
    """They are there, but no window is."""
    folder = sensor_logger(tmp_path / "export")
    gyroscope = folder / "Gyroscope.csv"
    heading, *rows = gyroscope.read_text().split("\n")
    gyroscope.write_text("\n".join([heading, *rows[200:]]))
    done = har_import("export")
    words = "export: has only 2.5 s of linear acceleration and gravity and gyroscope at once: "
    assert any(line.startswith(words) for line in done.told)


@pytest.mark.parametrize("n_kept", [110, 250, 259])
def test_a_recording_that_is_too_short_to_train_on(
    har_import: Callable[..., Imported], tmp_path: Path, n_kept: int
) -> None:
    """It is said how long all sensors must be on, as the filters have to settle first."""
    folder = sensor_logger(tmp_path / "export")
    for table in folder.glob("*.csv"):
        table.write_text("\n".join(table.read_text().split("\n")[:n_kept]))
    done = har_import("export")
    kept_s = (n_kept - 2) / 40
    words = (
        f"export: has only {kept_s:.1f} s of linear acceleration and gravity and gyroscope at "
        "once: windows count from 6.4 s on, so it cannot be trained on"
    )
    assert ([words] if kept_s < 6.4 else []) == done.told


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["Gyroscope"], "has no gyroscope: "),
        (["Gravity"], "has no gravity: "),
        (["Gravity", "Accelerometer"], "has no accelerometer: "),
        (["Accelerometer", "Gyroscope"], "has no gyroscope and no linear acceleration: "),
    ],
)
def test_a_sensor_that_is_missing_is_named(
    har_import: Callable[..., Imported], tmp_path: Path, names: list[str], missing: str
) -> None:
    """The recording is kept, but whoever imports it learns what it is not good for."""
    sensor_logger(tmp_path / "export")
    for name in names:
        (tmp_path / "export" / f"{name}.csv").unlink()
    done = har_import("export")
    assert not done.failed, done.told
    assert f"export: {missing}" in "\n".join(done.told)
    assert 1 == done.stdout.count("Wrote ")


@pytest.mark.parametrize("app", [sensor_logger, phyphox])
@pytest.mark.parametrize("damage", ["-", "1e300", "inf", "999999", "0.2.5"])
def test_a_damaged_number(
    har_import: Callable[..., Imported], app: Callable[[Path], Path], damage: str
) -> None:
    """It costs its row, which is counted."""
    folder = app(Path("export"))
    table = folder / ("Gyroscope.csv" if app is sensor_logger else "G.csv")
    lines = table.read_text().splitlines()
    lines[-1] = lines[-1].rpartition(",")[0] + "," + damage
    table.write_text("\n".join(lines))
    done = har_import("export")
    words = f"export: {table.name}: rows left out: 1 without a number, or with an impossible one"
    assert ([words], False) == (done.told, done.failed)
    (path,) = parquet.find([Path("recordings")])
    assert (899 if app is sensor_logger else 599) == parquet.survey(path)[1]


@pytest.mark.parametrize(
    ("every", "words"),
    [
        (8, "5 samples a second; 30 are needed at the waist"),
        (2, "20 samples a second; 30 are needed"),
    ],
)
def test_sensors_that_are_too_slow(
    har_import: Callable[..., Imported], every: int, words: str
) -> None:
    """They are named, with how fast they must be."""
    table = sensor_logger(Path("export")) / "Gyroscope.csv"
    heading, *rows = table.read_text().splitlines()
    table.write_text("\n".join([heading, *rows[::every]]))
    told = "\n".join(har_import("export").told)
    assert f"export: its gyroscope has {words}" in told
    assert told.endswith(": let the app take more")
