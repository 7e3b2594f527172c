import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.recordings import journals, parquet
from tests.commands.importer.exported import T0_NS, labels, sensor_logger
from tests.commands.importer.outcome import Imported
from tests.processes import ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_an_export_becomes_a_recording(run_command: Run, tmp_path: Path) -> None:
    """An iPhone's accelerations get Android's sign; annotations go before --label."""
    note = f"{T0_NS + 10**9},1.0,jumping\n{T0_NS + 2 * 10**9},2.0,what? no!\n"
    sensor_logger(tmp_path / "export", annotations=note)
    done = run_command("har-import", "export", "--output", "own", "--label", "walking")
    assert 0 == done.returncode, done.stderr
    assert "'what? no!' is no activity: " in done.stderr
    assert "nothing is known from there on" in done.stderr
    name = "abc_20260828T132144Z.parquet"
    assert f"Wrote own/{name}: 900 samples, labels JUMPING, WALKING\n" == done.stdout
    recording = parquet.read(tmp_path / "own" / name)
    assert ["WALKING"] * 2 + ["JUMPING"] * 2 + [None] * 2 == labels(recording)
    header = recording.header
    assert ("abc", "sensor-logger export", "ios", "export") == (
        header.device, header.format, header.convention, header.convention_from
    )  # fmt: skip
    assert 8 == len(recording.messages)
    values = {
        part.readings.sensor: part.readings.values[0].tolist() for part in recording.messages[0]
    }
    assert {
        "linear_acceleration": [-0.25, 0.0, 0.0],
        "gravity": [-0.25, 9.8, 0.0],
        "gyroscope": [0.25, 0.5, 0.0],
    } == values


def test_a_comma_in_a_path(run_command: Run, tmp_path: Path) -> None:
    """The folder of that name is imported, not the one that is named before the comma."""
    sensor_logger(tmp_path / "walk", later_s=60)
    sensor_logger(tmp_path / "walk,slow")
    done = run_command("har-import", "walk,slow", "--output", "own")
    assert (0, "") == (done.returncode, done.stderr)
    assert "Wrote own/abc_20260828T132144Z.parquet: 900 samples, labels none\n" == done.stdout


def test_several_at_once(run_command: Run, tmp_path: Path) -> None:
    """Each export is a file of its own, under one name for the phone if that is wanted."""
    for name, later_s in (("a", 0), ("b", 60)):
        sensor_logger(tmp_path / name, platform="android", later_s=later_s)
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
    chosen = run_command("har-import", "export", "--output", "other", "--convention", "ios")
    assert (0, 0, "") == (assumed.returncode, chosen.returncode, chosen.stderr)
    folders = [tmp_path / "own", tmp_path / "other"]
    headers = [parquet.read(path).header for path in parquet.find(folders)]
    assert {("ios", "setting"), ("android", "assumption")} == {
        (header.convention, header.convention_from) for header in headers
    }


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["nowhere.zip"], "har-import: nowhere.zip: no such file or folder"),
        (["other"], "neither Sensor Logger nor phyphox wrote this: give the zip as the app exports "
         "it, or its CSV files; other: table.csv: passed over: neither Sensor Logger nor phyphox "
         "writes such columns ('a, b')"),
        (["unnamed"], "does not name the phone: give it a name by --device"),
        (["unnamed", "--device", "a/b"], "use --device"),
        (["unnamed", "--label", "ä!"], "har-import: 'ä!' is no activity"),
        (["huge", "--device", "d"], "is the unit right?"),
        (["pipe.csv"], "har-import: pipe.csv: is a pipe, not a file"),
        (["/dev/zero"], "har-import: /dev/zero: is a device, not a file"),
        (["loop"], "har-import: loop: Too many levels of symbolic links"),
        (["a\udcffb.zip"], "no such file or folder"),
    ],
)  # fmt: skip
def test_mistakes_end_in_one_line(
    run_command: Run, tmp_path: Path, flags: list[str], words: str
) -> None:
    """What cannot be imported is told with what to do, and exit code 1."""
    for name in ("other", "unnamed", "huge"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "table.csv").write_text("a,b\n1,2\n")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    heading = '"Time (s)","X (m/s^2)","Y (m/s^2)","Z (m/s^2)"'
    (tmp_path / "unnamed" / "Accelerometer.csv").write_text(f"{heading}\n0.0,1,2,3\n")
    (tmp_path / "huge" / "Accelerometer.csv").write_text(f"{heading}\n0.0,1,2,3e9\n")
    done = run_command("har-import", *flags)
    assert 1 == done.returncode
    assert words in done.stderr
    assert 1 == done.stderr.count("\n")


def test_all_is_tried_and_nothing_is_written_twice(run_command: Run, tmp_path: Path) -> None:
    """What fails is told at the end with exit code 1; importing again finds what is there."""
    for number, name in enumerate(("a", "bad", "c")):
        sensor_logger(tmp_path / name, later_s=60 * number)
    gravity = tmp_path / "bad" / "Gravity.csv"
    whole = gravity.read_text()
    gravity.write_text(whole + "\n1,2,a,b,c" * 40)
    words = (
        "har-import: bad: Gravity.csv: row 301: could not convert string to float: 'c': export it "
        "anew, and do not edit it\nhar-import: nowhere: no such file or folder\n"
    )
    command = ("har-import", "bad", "nowhere", "a", "c", "--output", "own")
    first = run_command(*command)
    assert (1, words) == (first.returncode, first.stderr)
    names = ["abc_20260828T132144Z.parquet", "abc_20260828T132344Z.parquet"]
    assert [f"Wrote own/{name}: 900 samples, labels none" for name in names] == (
        first.stdout.splitlines()
    )
    again = run_command(*command)
    assert (1, words) == (again.returncode, again.stderr)
    assert [
        f"Already there as own/{name}: {source}"
        for name, source in zip(names, ("a", "c"), strict=True)
    ] == again.stdout.splitlines()

    gravity.write_text(whole)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in (tmp_path / "a").iterdir():
            archive.write(path, path.name)
    mended = run_command("har-import", "bad", "a.zip", ".", "--output", "own")
    assert 0 == mended.returncode, mended.stderr
    assert 1 == mended.stdout.count("Wrote ")
    assert 3 == len(parquet.find([tmp_path / "own"]))


@pytest.mark.parametrize("moment", ["Journal.append", "os.replace", "Path.unlink"])
def test_an_import_that_was_killed(
    har_import: Callable[..., Imported], tmp_path: Path, moment: str
) -> None:
    """Repeated it is whole and there once, whether half, unsealed or already there as Parquet."""
    sensor_logger(tmp_path / "export")
    code = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from pipeline.commands import importer
from pipeline.recordings.journals import Journal
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
{moment} = die
sys.argv = ["har-import", "export"]
importer.main()
"""
    killed = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True)
    assert -9 == killed.returncode, killed.stderr
    folder = tmp_path / "recordings"
    (journal,) = folder.glob("*.arrows")
    done = har_import("export")
    assert not done.failed, done.told
    (path,) = folder.iterdir()
    assert 900 == parquet.read(path).n_samples
    assert [] == journals.recover(folder)
    assert [path] == list(folder.iterdir())
    word = "Already there as" if moment == "Path.unlink" else "Wrote"
    assert f"{word} recordings/{path.name}" in done.stdout
    words = f"recordings/{journal.name}: an import that did not finish; it is removed: import it "
    assert ([] if moment == "Journal.append" else [f"{words}again"]) == done.told[:1]


@pytest.mark.parametrize(
    "flags", [["--label", "WALKING"], ["--device", "other"], ["--convention", "android"]]
)
def test_the_same_samples_with_another_meaning(
    har_import: Callable[..., Imported], tmp_path: Path, flags: list[str]
) -> None:
    """They are not written a second time: who means it removes the first file."""
    sensor_logger(tmp_path / "export")
    assert not har_import("export").failed
    done = har_import("export", *flags)
    assert done.failed
    name = "recordings/abc_20260828T132144Z.parquet"
    assert f"har-import: export: is already there as {name}, by another name" in "\n".join(
        done.told
    )
    assert 1 == len(parquet.find([tmp_path / "recordings"]))


def test_a_label_in_a_language_that_the_terminal_lacks(run_command: Run, tmp_path: Path) -> None:
    """What cannot be shown is escaped, and nothing fails of it."""
    sensor_logger(tmp_path / "export")
    done = run_command(
        "har-import",
        "export",
        "--label",
        "ходьба",
        "--output",
        "eigene-ö",
        PYTHONIOENCODING="ascii",
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert "labels \\u0425\\u041e\\u0414\\u042c\\u0411\\u0410" in done.stdout
