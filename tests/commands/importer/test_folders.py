import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.recordings import parquet
from tests.commands.importer.exported import GYROSCOPE, PHYPHOX, sensor_logger, table
from tests.commands.importer.outcome import Imported
from tests.processes import ROOT

NOBODY = 65534


def test_every_file_of_a_folder_is_accounted_for(
    har_import: Callable[..., Imported], tmp_path: Path
) -> None:
    """Exports of own names are recordings of their own; what is none is named with the reason."""
    folder = tmp_path / "export"
    folder.mkdir()
    for value, name in enumerate(("walking", "standing", "sitting")):
        (folder / f"{name}.csv").write_text(table(PHYPHOX, 100 + value, value=value))
    (folder / "Light.csv").write_text('"Time (s)","Illuminance (lx)"\n0,1\n')
    (folder / "notes.txt").write_text("Monday\n")
    (folder / "empty.csv").write_text("")
    (folder / "video.mp4").write_bytes(b"")
    os.mkfifo(folder / "pipe.csv")
    done = har_import("export", "--output", "own", "--device", "p")
    assert not done.failed, done.told
    found = [parquet.read(path) for path in parquet.find([tmp_path / "own"])]
    assert {("walking", 100), ("standing", 101), ("sitting", 102)} == {
        (one.header.recording, one.n_samples) for one in found
    }
    for name, why in (
        ("Light.csv", "holds neither accelerometer nor gyroscope"),
        ("notes.txt", "neither Sensor Logger nor phyphox writes such columns ('Monday')"),
        ("empty.csv", "empty"),
        ("video.mp4", "not a table"),
        ("pipe.csv", "a pipe, a device or a link to nowhere"),
    ):
        assert f"export: {name}: passed over: {why}" in "\n".join(done.told)
    for name in ("walking", "standing", "sitting"):
        words = f"export: {name}.csv: has no gyroscope: there are no windows without"
        assert any(line.startswith(words) for line in done.told)


def test_what_fails_in_a_folder_spoils_nothing_else(
    har_import: Callable[..., Imported], tmp_path: Path
) -> None:
    """A recording of its own, or another app's, is imported though one beside it is damaged."""
    folder = sensor_logger(tmp_path / "export")
    (folder / "recording.json").write_text('[{"sensor": "Gyroscope", "time": "1", "x": "?"}]')
    for value, name in enumerate(("walking", "standing", "sitting")):
        (folder / f"{name}.csv").write_text(table(PHYPHOX, 100, value=value))
    (folder / "sitting.csv").write_text(table(PHYPHOX, 100) + "\n2,a,b,c" * 20)
    done = har_import("export", "--device", "p")
    assert 3 == done.stdout.count("Wrote ")
    assert [
        "export: recording.json: could not convert string to float: '?': export it anew, and do "
        "not edit it",
        "export: sitting.csv: row 101: could not convert string to float: 'a': export it anew, "
        "and do not edit it",
    ] == [line.removeprefix("har-import: ") for line in done.told[-2:]]
    assert done.failed


@pytest.mark.parametrize("mode", [0o000, 0o444])
@pytest.mark.parametrize("named", ["export", "export/closed"])
def test_a_folder_that_may_not_be_read(mode: int, named: str) -> None:
    """It is a failure that names the folder; what is beside it is imported."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are for their owner alone
        folder = Path(name)
        folder.chmod(0o777)
        for number, part in enumerate(("a", "closed", "z")):
            sensor_logger(folder / "export" / part, later_s=60 * number)
        (folder / "export" / ".hidden").mkdir(mode=0)
        (folder / "export" / "closed").chmod(mode)
        code = f"""
import os, sys
from pipeline.commands import importer
from pipeline.recordings.header import software
software()  # imports what else is needed
if not os.getuid():  # root may read everything
    os.setuid({NOBODY})
sys.argv = ["har-import", {named!r}]
importer.main()
"""
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder, capture_output=True, text=True, timeout=60,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        reason = "export/closed: cannot be read: Permission denied"
        assert (1, f"har-import: {reason}\n") == (done.returncode, done.stderr)
        assert (2 if named == "export" else 0) == done.stdout.count("Wrote ")


def test_a_damaged_file_is_told_once(har_import: Callable[..., Imported], tmp_path: Path) -> None:
    """Although it is one to every app that may have written it."""
    folder = sensor_logger(tmp_path / "export")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace(b"\niPhone,", b"\niPhome,", 1))
    done = har_import("a.zip")
    assert ["har-import: a.zip: Metadata.csv: cannot be read"] == [
        line[: line.find(": Bad")] for line in done.told
    ]


def test_a_phone_without_a_name_spoils_nothing_else(
    har_import: Callable[..., Imported], tmp_path: Path
) -> None:
    """Of two apps' recordings in a folder the one that names its phone is imported."""
    folder = sensor_logger(tmp_path / "export")
    (folder / "walking.csv").write_text(table(PHYPHOX, 100))
    done = har_import("export")
    assert 1 == done.stdout.count("Wrote ")
    words = "export: walking.csv: does not name the phone: give it a name by --device"
    assert f"har-import: {words}" in done.told


def test_names_cannot_feign_lines(har_import: Callable[..., Imported], tmp_path: Path) -> None:
    """What of a file's name would be a line, or steer a terminal, is escaped."""
    folder = sensor_logger(tmp_path / "export")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
        archive.writestr("\nhar-import: Wrote\x1b[2J.jpg", b"")
    done = har_import("a.zip")
    assert ["a.zip: \\nhar-import: Wrote\\x1b[2J.jpg: passed over: not a table"] == done.told


def test_many_files_are_named_in_few_lines(
    har_import: Callable[..., Imported], tmp_path: Path
) -> None:
    """However many there are, and the last line says how many more."""
    sensor_logger(tmp_path / "export")
    (tmp_path / "export" / "Camera").mkdir()
    for number in range(100):
        (tmp_path / "export" / "Camera" / f"{number}.jpg").write_bytes(b"")
    done = har_import("export")
    assert not done.failed, done.told
    assert 21 == len(done.told)
    assert "and 80 more files are passed over" in "\n".join(done.told)


def test_another_experiment_in_the_folder(
    har_import: Callable[..., Imported], tmp_path: Path
) -> None:
    """Its gyroscope does not take the place of the recording's own: the error names both."""
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "Accelerometer.csv").write_text(table(PHYPHOX, 100))
    (folder / "Gyroscope.csv").write_text(table(GYROSCOPE, 100))
    (folder / "data.csv").write_text(table(GYROSCOPE, 50, value=1))
    done = har_import("export", "--device", "p")
    assert done.failed
    assert "har-import: export: Gyroscope.csv and data.csv both hold the gyroscope" in "\n".join(
        done.told
    )
    assert [] == list((tmp_path / "recordings").iterdir())


@pytest.mark.parametrize("name", ["Annotation", "Metadata"])
def test_two_files_that_claim_the_same(
    har_import: Callable[..., Imported], tmp_path: Path, name: str
) -> None:
    """None is taken for the other's sake; the error names both."""
    folder = sensor_logger(tmp_path / "export")
    (folder / f"{name.lower()}.csv").write_text((folder / f"{name}.csv").read_text())
    done = har_import("export")
    words = f"har-import: export: {name}.csv and {name.lower()}.csv both hold the {name.lower()}"
    assert ([True], [], "") == (
        [line.startswith(words) for line in done.told],
        list((tmp_path / "recordings").iterdir()),
        done.stdout,
    )
    assert done.failed


def test_one_folder_hides_nothing_of_another(
    har_import: Callable[..., Imported], tmp_path: Path
) -> None:
    """Files are named with the reason also after an import before them has failed."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "foo.csv").write_text("a,b\n1,2\n")
    damaged = sensor_logger(tmp_path / "c")
    (damaged / "Gyroscope.csv").write_text("time,seconds_elapsed,z,y,x\nwrong\n")
    done = har_import("c", "a", "b")
    assert done.failed
    told = [line for line in done.told if "foo.csv" in line and "such columns" in line]
    assert ["a", "b"] == [line.removeprefix("har-import: ")[0] for line in told]
