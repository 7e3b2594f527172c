"""The installed command: a file in, what was done out."""

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.commands.timeline import command
from tests.client import MqttClient, results_of
from tests.commands.timeline.exported import T0_S, sensor_logger_zip
from tests.processes import command_line, environment_with

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]

Run = Callable[..., CompletedProcess[str]]


def test_for_people(run_command: Run, tmp_path: Path) -> None:
    """The output has heading, ribbon, scale, legend, episodes, minutes and agreement."""
    sensor_logger_zip(tmp_path / "my wälk.zip")
    worn = ("--placement", "waist", "--frame", "landscape")
    done = run_command("har-timeline", *worn, "my wälk.zip", TZ="Europe/Berlin", COLUMNS="60")
    assert (0, "") == (done.returncode, done.stderr)
    lines = done.stdout.splitlines()
    assert "my wälk.zip" == lines[0]
    heading = "  pixel-7, sensor-logger export, 2023-10-28 15:52:24 to 15:53:23 CEST, 1 min 00 s"
    assert heading == lines[1]
    assert "accelerometer 100 Hz, gyroscope 100 Hz; sign of Android, as the file says" in lines[2]
    assert re.fullmatch("  cnn-lstm@[0-9a-f]{8}: worn at the waist, as set", lines[3])
    assert "  frame landscape" == lines[4]
    ribbon, scale, legend = lines[6:9]
    assert 60 == len(ribbon)
    assert re.fullmatch(r"\.+W+.*U+.*D+.*S+.*T+.*L+\.*", ribbon)
    assert "|15:52:30" in scale
    assert "W WALKING  U WALKING_UPSTAIRS" in legend
    assert re.search(r"15:52:2\d  15:52:3\d +[\d.]+ s  W WALKING +[01]\.\d\d\n", done.stdout)
    assert re.search(r"\nL LAYING +0\.\d min +\d+\.\d%  L+\n", done.stdout)
    assert re.search(r"\n  accuracy 0\.\d+ over \d+ labelled windows\n", done.stdout)
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("changes", "flags", "is_coloured"),
    [
        ({"FORCE_COLOR": "1", "COLORTERM": "truecolor"}, [], True),
        ({"FORCE_COLOR": "1"}, [], True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], False),
        ({"FORCE_COLOR": "1"}, ["--no-color"], False),
        ({"FORCE_COLOR": "1", "PYTHONIOENCODING": "ascii"}, [], False),
    ],
)
def test_colours(
    run_command: Run, tmp_path: Path, changes: dict[str, str], flags: list[str], is_coloured: bool
) -> None:
    """A terminal gets colours, unless they are unwanted or it has no characters for blocks."""
    sensor_logger_zip(tmp_path / "walk.zip", seconds=24)
    done = run_command("har-timeline", *flags, "walk.zip", TERM="xterm-256color", **changes)
    assert (0, "") == (done.returncode, done.stderr)
    assert is_coloured == ("\x1b[" in done.stdout and "48;" in done.stdout)
    assert is_coloured or re.search(r"^\.+[WUDSTL]", done.stdout, re.MULTILINE)


def test_bad_files_beside_good_ones(run_command: Run, tmp_path: Path) -> None:
    """Each bad file is one line, the good ones are shown, and the exit code is 1."""
    sensor_logger_zip(tmp_path / "good.zip", seconds=24)
    (tmp_path / "empty.zip").touch()
    (tmp_path / "notes.txt").write_text("dear diary\n")
    (tmp_path / "new\nline.zip").write_text("no zip")
    names = ("empty.zip", "missing.zip", "new\nline.zip", "good.zip", "notes.txt")
    done = run_command("har-timeline", *names)
    assert 1 == done.returncode
    assert "good.zip" == done.stdout.splitlines()[0]
    lines = done.stderr.splitlines()
    assert 4 == len(lines), done.stderr
    assert all(line.startswith("har-timeline: ") for line in lines)
    assert ["empty.zip", "missing.zip", "new\\nline.zip", "notes.txt"] == [
        name
        for line in lines
        for name in ("empty.zip", "missing.zip", "new\\nline.zip", "notes.txt")
        if name in line
    ]


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        ([], 2, "the following arguments are required: FILES"),
        (["--what", "a.zip"], 2, "unrecognized arguments"),
        (["--csv", "--json", "a.zip"], 1, "json and csv: which?"),
        (["--windows", "a.zip"], 1, "windows: is for --json or --csv"),
        (["--plot", "a.gif", "a.zip"], 1, "is to end in .png, .svg or .pdf"),
        (["--model", "none", "a.zip"], 1, "no model 'none': name one of auto, lstm, "),
        (["--frame", "upright", "a.zip"], 1, "no frame 'upright'"),
        (["--placement", "pocket", "a.zip"], 1, "no placement 'pocket'"),
        (["--convention", "palm", "a.zip"], 1, "no convention 'palm'"),
        (["--hop", "0", "a.zip"], 1, "hop = '0'"),
    ],
)
@pytest.mark.usefixtures("own_settings")
def test_wrong_flags(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    code: int,
    said: str,
) -> None:
    """What is wrong with the flags is said before any file is read, and is the exit code."""
    monkeypatch.setattr(sys, "argv", ["har-timeline", *flags])
    with pytest.raises(SystemExit) as end:
        command.main()
    written = capsys.readouterr()
    is_text = isinstance(end.value.code, str)  # which Python prints, and ends with 1
    assert (code, "") == (1 if is_text else end.value.code, written.out)
    assert said in (str(end.value.code) if is_text else written.err)


def test_settings_that_change_nothing(run_command: Run, tmp_path: Path) -> None:
    """As in har-stream, a setting that has no effect is told; and words take no files with them."""
    sensor_logger_zip(tmp_path / "a.zip", seconds=12)
    done = run_command("har-timeline", "--placement", "any", "--frame", "portrait", "a.zip")
    assert 0 == done.returncode
    assert "--frame portrait has no effect" in done.stderr


def shown_json(run_command: Run, *flags: str) -> list[dict[str, Any]]:
    """Return what the command writes as JSON."""
    done = run_command("har-timeline", "--json", *flags)
    assert (0, "") == (done.returncode, done.stderr)
    shown: list[dict[str, Any]] = json.loads(done.stdout)
    return shown


def test_json(run_command: Run, tmp_path: Path) -> None:
    """All recordings are elements of one array, each with its file."""
    sensor_logger_zip(tmp_path / "in" / "a.zip", seconds=24, device="A")
    sensor_logger_zip(tmp_path / "in" / "b.zip", seconds=24, device="B", without="Gyroscope.csv")
    one, two = shown_json(run_command, "in")
    assert [("in/a.zip", 1, "A"), ("in/b.zip", 1, "B")] == [
        (shown["file"], shown["recording"], shown["device"]) for shown in (one, two)
    ]
    assert (T0_S, True, "android", "export", "any", "assumed") == (
        one["start"], one["dated"], one["convention"], one["convention_from"], one["placement"],
        one["placement_by"],
    )  # fmt: skip
    assert {"device", "activity", "start", "end", "probability"} == set(one["episodes"][0])
    total_s = sum(episode["end"] - episode["start"] for episode in one["episodes"])
    assert abs(total_s - sum(one["seconds"].values())) < 0.01
    assert 0 < one["labels"]["accuracy"] <= 1
    assert ("windows" in one, [], ["no-gyroscope"]) == (False, one["warnings"], two["warnings"])
    assert 1 == len(two["advice"])
    assert ([], {}, None) == (two["episodes"], two["seconds"], two["calibration"])


def test_json_of_nothing(run_command: Run) -> None:
    """Where every file failed the array is empty, but there."""
    done = run_command("har-timeline", "--json", "missing.zip")
    assert (1, []) == (done.returncode, json.loads(done.stdout))


def test_csv(run_command: Run, tmp_path: Path) -> None:
    """CSV has the same values as JSON, a line each; what is wrong is on the error output."""
    sensor_logger_zip(tmp_path / "a.zip", seconds=24)
    sensor_logger_zip(tmp_path / "b.zip", seconds=12, without="Gyroscope.csv")
    (shown,) = shown_json(run_command, "--windows", "a.zip")
    done = run_command("har-timeline", "--csv", "--windows", "a.zip", "b.zip", TZ="Europe/Berlin")
    assert 0 == done.returncode
    assert "har-timeline: b.zip: no-gyroscope: " in done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {"a.zip"} == {row["file"] for row in rows}
    for kind in ("episode", "window"):
        expected = [
            (of["start"], of["end"], of["activity"], of["probability"]) for of in shown[f"{kind}s"]
        ]
        assert expected == [
            (float(row["start"]), float(row["end"]), row["activity"], float(row["probability"]))
            for row in rows
            if row["kind"] == kind
        ]
    assert rows[0]["time"].startswith("2023-10-28T15:52:2")
    assert rows[0]["time"].endswith("+02:00")


@pytest.mark.parametrize("begin", ["=1+", "-", "@", "a="])
def test_names_that_a_spreadsheet_would_reckon_with(
    run_command: Run, tmp_path: Path, begin: str
) -> None:
    """In CSV a name that could be a formula has an apostrophe before it; in JSON it is as it is."""
    sensor_logger_zip(tmp_path / f"{begin}a.zip", seconds=12, device=f"{begin}b".replace("+", ""))
    names = f"{begin}a.zip", f"{begin}b".replace("+", "")
    (shown,) = shown_json(run_command, f"./{names[0]}")
    assert names[1] == shown["device"]
    done = run_command("har-timeline", "--csv", "--", names[0])
    assert (0, "") == (done.returncode, done.stderr)
    marked = "'" if begin[0] in "=-@" else ""
    assert {tuple(f"{marked}{name}" for name in names)} == {
        (row["file"], row["device"]) for row in csv.DictReader(io.StringIO(done.stdout))
    }


@pytest.mark.parametrize(
    "export",
    [{"without": "Gyroscope.csv"}, {"seconds": 1.0, "activity": "STANDING"}],
    ids=["no gyroscope", "short"],
)
def test_no_steps_are_asked_for_without_windows(
    run_command: Run, tmp_path: Path, export: dict[str, Any]
) -> None:
    """Where nothing can be recognised, ten steps of walking would change nothing."""
    sensor_logger_zip(tmp_path / "a.zip", **{"seconds": 12.0, **export})
    done = run_command("har-timeline", "a.zip")
    assert 0 == done.returncode
    assert "\n  needs no calibration\n! " in done.stdout
    sensor_logger_zip(tmp_path / "b.zip", seconds=12, activity="STANDING")
    assert "ten steps of walking" in run_command("har-timeline", "b.zip").stdout


@pytest.mark.parametrize("flags", [[], ["--json", "--windows"], ["--csv", "--windows"]])
def test_an_output_that_is_closed_early(tmp_path: Path, flags: list[str]) -> None:
    """Whoever has seen enough gets no error, as of ``har-timeline FILE | head -1``."""
    for number in range(3):
        sensor_logger_zip(tmp_path / f"{number}.zip", seconds=24)
    files = [f"{number}.zip" for number in range(3)]
    with subprocess.Popen(
        [*command_line("har-timeline"), *flags, *files],
        cwd=tmp_path,
        env=environment_with({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert (b"", 0) == (process.stderr.read(), process.wait(30))


@pytest.mark.parametrize("flags", [[], ["--json"], ["--csv"]])
def test_an_output_that_is_full(tmp_path: Path, flags: list[str]) -> None:
    """A disk that is full, and an output that is closed, are a line and no success."""
    sensor_logger_zip(tmp_path / "a.zip", seconds=12)
    run = [*command_line("har-timeline"), *flags, "a.zip"]
    for to, words in ((">/dev/full", "No space left on device"), (">&-", "is closed")):
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {to}', "sh", *run],
            cwd=tmp_path, env=environment_with({}), stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        assert (1, 1) == (done.returncode, done.stderr.count("\n"))
        assert words in done.stderr


@pytest.mark.broker
def test_har_stream_says_the_same(
    broker: "Broker", run_command: Run, start_command: "Start", tmp_path: Path
) -> None:
    """Predictions and episodes are those that har-stream publishes of the same samples."""
    sensor_logger_zip(tmp_path / "walk.zip", seconds=24, device="same")
    (shown,) = shown_json(run_command, "--windows", "walk.zip")
    assert 0 == run_command("har-import", "walk.zip", "--output", "own").returncode
    with MqttClient(broker, *results_of("same")) as client:
        har_stream = start_command("har-stream", *broker.flags)
        har_stream.await_log("connected to")
        replay = ("--recording", "own", "--original-times", "--speed", "max", "--wait")
        replayed = run_command("har-replay", *broker.flags, *replay)
        assert 0 == replayed.returncode, replayed.stderr
        assert 0 == har_stream.end()
        n_expected = len(shown["episodes"])

        def published(leaf: str) -> list[dict[str, Any]]:
            return [
                json.loads(one.payload)
                for one in client.received
                if one.topic == f"har/same/{leaf}"
            ]

        client.await_that(lambda: len(published("episode")) >= n_expected)
        assert shown["windows"] == published("prediction")
        assert shown["episodes"] == published("episode")


def test_the_real_data(run_command: Run, data_dir: Path) -> None:
    """The test subjects of UCI HAR are shown with the accuracy that is known of the model."""
    shown = shown_json(run_command, "uci-har")
    assert 9 == len(shown)
    labels = [one["labels"] for one in shown]
    right = sum(one["accuracy"] * one["windows"] for one in labels)
    assert 0.98 < right / sum(one["windows"] for one in labels) < 0.99
    assert [("waist", "prepared", False)] * 9 == [
        (one["placement"], one["placement_by"], one["dated"]) for one in shown
    ]
