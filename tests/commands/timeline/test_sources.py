"""Which recordings are found in files and folders, and what is said of the others."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from pipeline.commands.timeline.recorded_file import RecordedFile
from pipeline.commands.timeline.sources import Sources
from pipeline.recognition.placement.sign import Conventions
from pipeline.recordings.recording import DataError
from tests.commands.importer.exported import phyphox
from tests.commands.timeline.exported import sensor_logger_zip
from tests.made_sets import write_person

Read = Callable[..., list[RecordedFile]]
Run = Callable[..., CompletedProcess[str]]


def found_in(*paths: Path) -> list[str]:
    """Return the device of each recording, and of each error what it says."""
    return [
        str(found) if isinstance(found, DataError) else found.recording.device
        for found in Sources(Conventions()).read(paths)
    ]


def test_a_folder_of_everything(run_command: Run, tmp_path: Path) -> None:
    """In a folder, exports of both apps, recorded files and people's files are all found."""
    folder = tmp_path / "all of it"
    sensor_logger_zip(folder / "ä 1.zip", seconds=12, device="A")
    sensor_logger_zip(folder / "b.zip", seconds=12, device="B")
    phyphox(folder / "phyphox")
    done = run_command("har-import", str(folder / "b.zip"), "--output", str(folder / "own"))
    assert 0 == done.returncode, done.stderr
    write_person(folder / "set" / "s1.npz")
    (folder / "README.txt").write_text("no recording")
    found = found_in(folder)
    assert ["A", "B", "B", *["Made_pocket-s1"] * 4, "Pixel"] == sorted(found)


def test_a_bad_file_spoils_no_other(tmp_path: Path) -> None:
    """Each file that cannot be used is an error in a line, and the others are read."""
    good = sensor_logger_zip(tmp_path / "good.zip", seconds=12)
    (tmp_path / "empty.zip").touch()
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8" + bytes(100))
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1")
    (tmp_path / "damaged.npz").write_bytes(b"PK")
    names = ("empty.zip", "photo.jpg", "damaged.parquet", "damaged.npz", "missing.zip", "good.zip")
    found = found_in(*(tmp_path / name for name in names))
    assert "pixel-7" == found[-1]
    assert list(names[:-1]) == [
        name for name, line in zip(names[:-1], found, strict=False) if name in line
    ]
    assert good.exists()


def test_tables_of_one_folder_are_one_recording(tmp_path: Path) -> None:
    """The files of an export that was unpacked can be named singly."""
    zipped = sensor_logger_zip(tmp_path / "walk.zip", seconds=12)
    shutil.unpack_archive(zipped, tmp_path / "walk")
    assert ["pixel-7"] == found_in(*sorted((tmp_path / "walk").glob("*.csv")))


def test_tables_have_their_own_names(
    read_files: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording is called as its files were named, not as the folder that they are in."""
    shutil.unpack_archive(sensor_logger_zip(tmp_path / "a.zip", seconds=12), tmp_path / "in")
    monkeypatch.chdir(tmp_path)
    names = ["in/Annotation.csv", "in/Gyroscope.csv", "in/TotalAcceleration.csv"]
    (found,) = read_files(*map(Path, names))
    assert sorted(names) == sorted(found.file.split(", "))
    monkeypatch.chdir("in")
    (found,) = read_files(Path("TotalAcceleration.csv"))
    assert "TotalAcceleration.csv" == found.file


@pytest.mark.parametrize("name", ["notes.csv", "notes.txt", "notes.json"])
def test_a_single_file_that_is_none_of_an_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It is named as the user named it, once, and the reason is there."""
    monkeypatch.chdir(tmp_path)
    Path(name).write_text("dear diary\n")
    (line,) = found_in(Path(name))
    assert line.startswith(f"{name}: neither Sensor Logger nor phyphox wrote this: ")
    assert 1 == line.count(name)
    Path("other.csv").write_text("a,b\n1,2\n")
    (line,) = found_in(Path(name), Path("other.csv"))
    assert line.startswith(f"{name}, other.csv: neither Sensor Logger nor phyphox wrote this: ")


def test_what_is_named_twice_is_shown_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However a file is spelt, and beside its folder; a line says so."""
    path = sensor_logger_zip(tmp_path / "in" / "walk.zip", seconds=12)
    again = tmp_path / "in" / ".." / "in" / "walk.zip"
    assert ["pixel-7"] == found_in(path, again, path.parent)
    assert [f"{again}: is named twice and shown once"] == caplog.messages


def test_an_export_without_a_name(read_files: Read, tmp_path: Path) -> None:
    """A phone that is not named, or as no device can be, is shown all the same."""
    one = sensor_logger_zip(tmp_path / "a.zip", seconds=12, device="a/b")
    assert ["phone"] == [found.recording.device for found in read_files(one)]


def test_labels_of_an_export(read_files: Read, tmp_path: Path) -> None:
    """Annotations are labels of the samples behind them."""
    (found,) = read_files(sensor_logger_zip(tmp_path / "a.zip", seconds=24))
    at = np.array([found.first + 2.0, found.first + 22.0])
    names = [found.recording.activities[k] for k in found.recording.labels_at(at)]
    assert ["WALKING", "LAYING"] == names
    (plain,) = read_files(sensor_logger_zip(tmp_path / "b.zip", seconds=12, labels=False))
    assert (True, False) == (found.has_labels, plain.has_labels)


def test_a_recorded_file_is_the_export_that_it_was(
    run_command: Run, read_files: Read, tmp_path: Path
) -> None:
    """An iPhone's export has the same samples as har-import makes of it.

    The sign that is set is that of the phone, so it changes neither if it is the phone's.
    """
    path = sensor_logger_zip(tmp_path / "a.zip", seconds=12, platform="ios")
    assert 0 == run_command("har-import", "a.zip", "--output", "own").returncode
    (export,) = read_files(path)
    for convention in ("auto", "ios"):
        (recorded,) = read_files(tmp_path / "own", convention=convention)
        for sensor in export.recording.sensors:
            for one, other in zip(
                export.recording.samples_of(sensor), recorded.recording.samples_of(sensor),
                strict=True,
            ):  # fmt: skip
                assert np.array_equal(one, other)
        assert "ios" == recorded.convention
        assert recorded.is_dated


def test_the_data_sets(data_dir: Path) -> None:
    """Of UCI HAR the test subjects are shown, of HAPT all that are there."""
    uci, hapt = found_in(data_dir / "UCI HAR Dataset.zip"), found_in(Path("hapt"))
    assert [f"subject-{k:02d}" for k in (2, 4, 9, 10, 12, 13, 18, 20, 24)] == uci
    assert ("subject-01", 21) == (hapt[0], len(hapt))
