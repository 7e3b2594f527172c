import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pipeline.commands import importer
from pipeline.recordings import journals, parquet
from pipeline.recordings.labelled import LabelledRecording

Run = Callable[..., subprocess.CompletedProcess[str]]

NOBODY = 65534

T0_NS = 1_787_923_304_000_000_000


def sensor_logger(
    folder: Path, *, platform: str = "ios", annotations: str = "", later_s: int = 0
) -> Path:
    """Write an export of 7.5 s at 40 Hz."""
    folder.mkdir(parents=True)
    for name, y in (("Accelerometer", 0.0), ("Gravity", -9.8), ("Gyroscope", 0.5)):
        start_ns = T0_NS + later_s * 10**9
        rows = [f"{start_ns + k * 25_000_000},{k / 40},0,{y},0.25" for k in range(300)]
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


@dataclass(frozen=True)
class Imported:
    """What a run of the command said."""

    stdout: str
    told: list[str]
    """The lines that it logged, and those that it ended with"""
    failed: bool


@pytest.fixture
def har_import(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Callable[..., Imported]:
    """A function that runs the command here, which takes less time than to start it."""
    monkeypatch.chdir(tmp_path)

    def run(*flags: str) -> Imported:
        caplog.clear()
        monkeypatch.setattr(sys, "argv", ["har-import", *flags])
        end = ""
        try:
            importer.main()
        except SystemExit as error:
            end = str(error)
        return Imported(capsys.readouterr().out, caplog.messages + end.splitlines(), bool(end))

    return run


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


PHYPHOX = '"Time (s)","Acceleration x (m/s^2)","Acceleration y (m/s^2)","Acceleration z (m/s^2)"'
GYROSCOPE = '"Time (s)","Gyroscope x (rad/s)","Gyroscope y (rad/s)","Gyroscope z (rad/s)"'


def table(heading: str, n_rows: int, *, value: int = 0) -> str:
    """Return a table of phyphox at 50 Hz."""
    return "\n".join([heading, *(f"{k / 50},{value},9.8,1" for k in range(n_rows))])


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
from pipeline.recordings.labelled import software
software()  # imports what else is needed
if not os.getuid():  # root may read everything
    os.setuid({NOBODY})
sys.argv = ["har-import", {named!r}]
importer.main()
"""
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder, capture_output=True, text=True, timeout=60,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
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
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
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


@pytest.mark.parametrize("text", ["Läuft, schnell", '"Läuft, schnell"', ""])
def test_any_annotation_ends_the_one_before(
    har_import: Callable[..., Imported], tmp_path: Path, text: str
) -> None:
    """What names no activity is no label; letters of any script do."""
    first, then, last = (f"{T0_NS + s * 10**9},{s}.0" for s in (0, 1, 2))
    annotations = f"{first},walking\n{then},{text}\n{last},läuft schräg"
    sensor_logger(tmp_path / "export", annotations=annotations)
    done = har_import("export", "--output", "own")
    assert not done.failed, done.told
    (path,) = parquet.find([tmp_path / "own"])
    assert ["WALKING"] * 2 + [None] * 2 + ["LÄUFT_SCHRÄG"] * 2 == labels(parquet.read(path))


@pytest.mark.parametrize("unit_ns", [10**9, 10**6])
def test_annotations_in_another_unit(
    har_import: Callable[..., Imported], tmp_path: Path, unit_ns: int
) -> None:
    """They label nothing, and each is told; the label of the command line stays."""
    time = T0_NS // unit_ns
    sensor_logger(tmp_path / "export", annotations=f"{time},0,walking\n")
    done = har_import("export", "--label", "sitting")
    assert "labels SITTING\n" == done.stdout[-15:]
    words = f"export: Annotation.csv: line 2: 'walking' is passed over: its time {time} is none of"
    assert [f"{words} this recording, in nanoseconds since 1970"] == done.told


def test_a_message_quotes_the_annotation_alone(
    har_import: Callable[..., Imported], tmp_path: Path
) -> None:
    """An unquoted comma is part of it, the column behind it is not."""
    folder = sensor_logger(tmp_path / "export")
    heading = "time,seconds_elapsed,text,millisecond_press_duration"
    (folder / "Annotation.csv").write_text(f"{heading}\n{T0_NS},0,what, now?,120\n")
    done = har_import("export")
    assert ["export: 'what, now?' is no activity"] == [one[:35] for one in done.told]


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


MEMORY_BYTES = 1 << 29


def limited(*flags: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run har-import with little memory beside that of its libraries."""
    code = (
        "import resource, sys, pipeline.commands.importer as importer\n"
        "for line in open('/proc/self/status'):\n"
        "    if line.startswith('VmSize:'):\n"
        f"        most = int(line.split()[1]) * 1024 + {MEMORY_BYTES}\n"
        "resource.setrlimit(resource.RLIMIT_AS, (most, most))\n"
        "sys.argv[0] = 'har-import'\n"
        "importer.main()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *flags],
        cwd=folder, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


def write_bomb(path: Path, content: bytes, n_times: int, *, names: list[str]) -> None:
    """Write a zip whose files repeat a block ever so often."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            with archive.open(name, "w", force_zip64=True) as file:
                for _ in range(n_times):
                    file.write(content)


def test_a_zip_that_would_be_gigabytes(tmp_path: Path) -> None:
    """One clear line, within the memory that there is, though the zip's own size is harmless."""
    names = [f"{number}.csv" for number in range(4)]
    write_bomb(tmp_path / "bomb.zip", b"1,2\n" * (1 << 18), 1 << 6, names=names)
    path = tmp_path / "bomb.zip"  # and now they all say that they are sixteen times as large
    for n_bytes in (1 << 26, 1 << 30):
        said = [size.to_bytes(4, "little") for size in (n_bytes, 1 << 30)]
        path.write_bytes(path.read_bytes().replace(*said))
    done = limited("bomb.zip", folder=tmp_path)
    assert 1 == done.returncode
    words = "har-import: bomb.zip: is no zip that can be read (would be 4096 MiB of "
    assert done.stderr.startswith(words)
    assert 1 == done.stderr.count("\n")


@pytest.mark.parametrize(
    "content", [b"time,x,y,z\n" + b"1" * 4000, b"1,2,3,4\n" * 500, b"\n" * 4000]
)
def test_a_zip_that_does_not_say_how_large_it_is(tmp_path: Path, content: bytes) -> None:
    """A file that says of itself that it is small is read no further than that."""
    path = tmp_path / "bomb.zip"
    write_bomb(path, content, 1 << 12, names=["Accelerometer.csv"])
    size, said = (4 * len(content) << 10).to_bytes(8, "little"), (1 << 20).to_bytes(8, "little")
    path.write_bytes(path.read_bytes().replace(size, said).replace(size[:4], said[:4]))
    done = limited(path.name, folder=tmp_path)
    assert 1 == done.returncode
    assert "har-import: bomb.zip" in done.stderr
    assert 1 == done.stderr.count("\n")


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


def test_a_zip_that_lists_a_million_files(tmp_path: Path) -> None:
    """One clear line, before the list is read."""
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        archive.writestr("a.csv", b"")
        entry = archive.filelist[0]
        archive.filelist += [entry] * 200_000
        archive._didModify = True
    done = limited("many.zip", folder=tmp_path)
    assert 1 == done.returncode
    words = "har-import: many.zip: is no zip that can be read (lists too many files)"
    assert done.stderr.startswith(words)
    assert 1 == done.stderr.count("\n")


def phyphox(folder: Path) -> Path:
    """Write an export of 7.5 s at 40 Hz."""
    (folder / "meta").mkdir(parents=True)
    for name, what, unit in (("A", "Acceleration", "m/s^2"), ("G", "Gyroscope", "rad/s")):
        heading = ",".join(["Time (s)", *(f"{what} {axis} ({unit})" for axis in "xyz")])
        rows = [f"{k / 40},0.5,9.8,0.25" for k in range(300)]
        (folder / f"{name}.csv").write_text("\n".join([heading, *rows]))
    (folder / "meta" / "device.csv").write_text("property,value\ndeviceModel,Pixel\n")
    (folder / "meta" / "time.csv").write_text(
        f"event,experiment time,system time\nSTART,0,{T0_NS / 1e9}\n"
    )
    return folder


@pytest.mark.parametrize("app", [sensor_logger, phyphox])
@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("notes.txt", "x" * 70_000, "has a line of over 65536 characters"),
        ("notes.json", json.dumps([{"a": 1}] * 20_000), "is not what Sensor Logger exports as"),
        ("other.json", json.dumps({"a": [1] * 40_000}), "has a line of over 65536 characters"),
        ("empty.txt", "\n" * 70_000, "begins with over 65536 empty characters"),
        ("quote.txt", '"' + "so he said\n" * 20_000, "field larger than field limit"),
    ],
)
def test_long_lines_of_other_files(
    har_import: Callable[..., Imported],
    app: Callable[[Path], Path],
    name: str,
    content: str,
    why: str,
) -> None:
    """A file that is no table is passed over with the reason; what lies beside it is imported."""
    (app(Path("export")) / name).write_text(content)
    done = har_import("export")
    assert not done.failed
    assert 1 == done.stdout.count("Wrote ")
    (line,) = done.told
    assert line.startswith(f"export: {name}: passed over: {why}")


def test_a_recording_in_one_long_line(har_import: Callable[..., Imported]) -> None:
    """Sensor Logger's JSON has no ends of lines."""
    rows = [
        {"sensor": sensor, "time": str(T0_NS + k * 25_000_000), "x": 0.5, "y": 9.8, "z": 0.25}
        for sensor in ("TotalAcceleration", "Gyroscope")
        for k in range(500)
    ]
    metadata = {"sensor": "Metadata", "device id": "abc", "platform": "android"}
    content = json.dumps([metadata, *rows])
    assert "\n" not in content
    assert 1 << 16 < len(content)
    Path("one.json").write_text(content)
    done = har_import("one.json")
    assert ([], False) == (done.told, done.failed)
    assert 1 == done.stdout.count("Wrote ")


def test_more_annotations_than_anybody_makes(har_import: Callable[..., Imported]) -> None:
    """They are refused, in a table and in JSON, before they take memory."""
    note = f"{T0_NS},0,walking\n"
    sensor_logger(Path("table"), annotations=note * 10_001)
    sensor_logger(Path("most"), annotations=note * 10_000, later_s=9)
    note_in_json = {"sensor": "Annotation", "time": T0_NS, "text": "walking"}
    Path("one.json").write_text(json.dumps([note_in_json] * 10_001))
    done = har_import("table", "most", "one.json")
    assert 1 == done.stdout.count("Wrote ")
    words = "holds over 10000 annotations: take most of them out"
    assert [
        f"har-import: {where}: {words}" for where in ("table: Annotation.csv", ".: one.json")
    ] == (done.told)


def test_annotations_that_are_no_activities(har_import: Callable[..., Imported]) -> None:
    """Twenty are named, each once."""
    notes = "".join(f"{T0_NS + k},0,what {k % 30}?\n" for k in range(900))
    sensor_logger(Path("export"), annotations=notes)
    done = har_import("export")
    assert (21, False) == (len(done.told), done.failed)
    assert "export: and 10 more annotations are no activities" == done.told[-1]


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
    words = f"export: {table.name}: rows left out: 1 without a number"
    assert ([words], False) == (done.told, done.failed)
    (path,) = parquet.find([Path("recordings")])
    assert (899 if app is sensor_logger else 599) == parquet.survey(path)[1]


@pytest.mark.parametrize(
    ("every", "words"), [(8, "5 samples a second; 10"), (2, "20 samples a second; 30")]
)
def test_sensors_that_are_too_slow(
    har_import: Callable[..., Imported], every: int, words: str
) -> None:
    """They are named, with how fast they must be."""
    table = sensor_logger(Path("export")) / "Gyroscope.csv"
    heading, *rows = table.read_text().splitlines()
    table.write_text("\n".join([heading, *rows[::every]]))
    assert f"export: its gyroscope has {words} are needed" in "\n".join(har_import("export").told)
