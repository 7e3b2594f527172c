import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import pytest

from pipeline.commands.replay.settings import ReplaySettings

if TYPE_CHECKING:
    from tests.brokers import Broker

    Run = Callable[..., CompletedProcess[str]]


@pytest.mark.broker
@pytest.mark.parametrize(("duration", "is_said"), [("200", True), ("50", False)])
def test_what_begins_in_the_past(
    run_command: "Run", broker: "Broker", data_dir: Path, duration: str, is_said: bool
) -> None:
    """A replay faster than real time says what har-stream needs to have an activity now."""
    flags = ["--subjects", "2", "--duration", duration, "--speed", "400"]
    result = run_command("har-replay", *broker.flags, "--data", str(data_dir), *flags)
    assert 0 == result.returncode, result.stderr
    said = re.findall(r"--max-behind (\d+)", result.stdout)
    assert is_said == (len(said) == 1) == any(255 <= int(seconds) <= 265 for seconds in said)


def test_an_unknown_subject(run_command: "Run") -> None:
    """A subject that is not in the recordings ends a replay with 1, naming those that are."""
    result = run_command(
        "har-replay", "--broker", "127.0.0.1", "--recording", "simulated", "--subjects", "1,99"
    )
    assert 1 == result.returncode
    assert result.stderr.startswith("har-replay: simulated has no subject 99; it has 1, 2, 3")
    assert 1 == result.stderr.count("\n")


def test_subjects_of_the_other_split(run_command: "Run", data_dir: Path) -> None:
    """A training subject is not in the test split: an error, not an empty replay."""
    result = run_command(
        "har-replay", "--broker", "127.0.0.1", "--data", str(data_dir), "--subjects", "1"
    )
    assert 1 == result.returncode
    assert "har-replay: uci-har has no subject 1; it has 2, 4, 9, 10," in result.stderr


def test_no_data(run_command: "Run", tmp_path: Path) -> None:
    """A folder without the data set ends a replay with 1 and one clear line."""
    result = run_command("har-replay", "--broker", "127.0.0.1", "--data", str(tmp_path))
    assert 1 == result.returncode
    assert result.stderr.startswith(f"har-replay: {tmp_path}: holds no UCI HAR data set")
    assert 1 == result.stderr.count("\n")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--recording", "own.parquet"], "har-replay: own.parquet: no such recording or folder"),
        (["--recording", "."], "har-replay: .: holds no recordings (*.parquet)"),
        (["--recording", "own.npz"], "har-replay: own.npz: no such file or folder"),
        (["--recording", "own.parquet", "--subjects", "1"], "--subjects and --activity are for"),
        (["--activity", "JUMPING"], "har-replay: --activity is for --recording simulated"),
        (["--recording", "simulated", "--activity", "FLYING"], "no activity 'FLYING': there are"),
    ],
)
def test_what_is_not_there(run_command: "Run", flags: list[str], words: str) -> None:
    """Files that are missing, and activities that there are none of, end it with one line."""
    result = run_command("har-replay", "--broker", "127.0.0.1", *flags)
    assert 1 == result.returncode
    assert words in result.stderr
    assert 1 == result.stderr.count("\n")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--speed", "0"], "speed"),
        (["--speed", "fast"], "speed"),
        (["--rows", "0"], "rows"),
        (["--recording", "mine"], "recording"),
        (["--duration", "-1"], "duration"),
    ],
)
def test_settings_that_do_not_fit(
    refused_settings: Callable[..., str], flags: list[str], said: str
) -> None:
    """A setting out of bounds ends a replay with a line that names it."""
    lines = refused_settings(ReplaySettings, "har-replay", "--broker", "127.0.0.1", *flags)
    for line in lines.splitlines():
        assert line.startswith(f"har-replay: {said} = ")
