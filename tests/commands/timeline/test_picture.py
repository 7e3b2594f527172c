import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from pipeline.commands.timeline.picture import BINS, Span, visible
from tests.commands.timeline.exported import sensor_logger_zip
from tests.processes import environment_with

Run = Callable[..., CompletedProcess[str]]
HEADS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.mark.train
@pytest.mark.parametrize("suffix", HEADS)
def test_pictures(run_command: Run, tmp_path: Path, suffix: str) -> None:
    """Each recording has a picture, in the form that its name asks for."""
    pytest.importorskip("matplotlib")
    sensor_logger_zip(tmp_path / "a$1$.zip", seconds=24)
    sensor_logger_zip(tmp_path / "b.zip", seconds=12, without="Gyroscope.csv")
    done = run_command("har-timeline", "a$1$.zip", "b.zip", "--plot", f"day.{suffix}")
    assert (0, "") == (done.returncode, done.stderr)
    assert f"  drawn into day-2.{suffix}\n" in done.stdout
    for name in (f"day.{suffix}", f"day-2.{suffix}"):
        assert (tmp_path / name).read_bytes().startswith(HEADS[suffix])
    if suffix == "svg":
        drawn = (tmp_path / "day.svg").read_text()
        assert {True} == {f"<!-- {word} -->" in drawn for word in ("activity", "label", "W")}


def test_a_ribbon_of_many_episodes() -> None:
    """What is too short to be seen hides nothing: each part shows what there is longest."""
    exact = [Span("WALKING", 0.0, BINS / 2), Span("SITTING", BINS / 2 + 1, BINS)]
    assert exact == visible(exact, 0.0, BINS)
    short = [Span("STANDING", k + 0.4, k + 0.6) for k in range(5, 100)]
    long = [
        Span("WALKING", float(begin), end)
        for begin, end in [(0, 5.4), *((k + 0.6, k + 1.4) for k in range(5, 99))]
    ]
    (shown,) = visible(sorted(short + long, key=lambda span: span.start), 0.0, BINS)
    assert Span("WALKING", 0.0, 100.0) == shown


@pytest.mark.train
def test_a_picture_that_cannot_be_written(run_command: Run, tmp_path: Path) -> None:
    """The timeline is shown all the same, and a line says why there is no picture."""
    pytest.importorskip("matplotlib")
    sensor_logger_zip(tmp_path / "a.zip", seconds=12)
    done = run_command("har-timeline", "a.zip", "--plot", "missing/day.png")
    assert 1 == done.returncode
    assert "har-timeline: plot = 'missing/day.png': No such file or directory\n" == done.stderr
    assert "a.zip" == done.stdout.splitlines()[0]


def test_without_matplotlib(tmp_path: Path) -> None:
    """Where the extra is missing, its name is said before any file is read."""
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from pipeline.commands.timeline.command import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "a.zip", "--plot", "day.png"],
        cwd=tmp_path,
        env=environment_with({}),
        capture_output=True,
        text=True,
    )
    assert (1, "") == (done.returncode, done.stdout)
    assert "har-timeline: --plot needs matplotlib: pip install 'har-stream[plots]'\n" == done.stderr
