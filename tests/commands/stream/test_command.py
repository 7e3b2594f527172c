import re
import socket
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import pytest

from pipeline.commands.stream.settings import StreamSettings
from pipeline.formats import FORMATS

if TYPE_CHECKING:
    Run = Callable[..., CompletedProcess[str]]
    Make = Callable[..., Path]
    MakeCard = Callable[..., dict[str, object]]


def test_list_formats(run_command: "Run") -> None:
    """--list-formats names each format with its usual topic, without a broker."""
    result = run_command("har-stream", "--list-formats")
    assert 0 == result.returncode
    for name, one in FORMATS.items():
        [line] = [line for line in result.stdout.splitlines() if line.split()[0] == name]
        assert one.topic in line
        assert one.summary in line


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--subscribe", "sensor-logger"], "'sensor-logger' is not TOPIC=FORMAT"),
        (["--subscribe", "a/#/b=native"], "no topic filter"),
        (["--subscribe", "a=csv"], "no format 'csv'"),
        (["--convention", "windows"], "no convention 'windows'"),
        (["--frame", "phone=sideways"], "no frame 'sideways'"),
    ],
)
def test_subscriptions_and_placements_that_do_not_fit(
    run_command: "Run", flags: list[str], problem: str
) -> None:
    """A subscription, convention or frame that cannot be is refused in a line."""
    result = run_command("har-stream", "--broker", "localhost", *flags)
    assert 1 == result.returncode
    assert problem in result.stderr
    assert 1 == len(result.stderr.splitlines())


@pytest.mark.parametrize(
    ("model", "said"),
    [("transformer", "no model 'transformer'"), ("gone.onnx", "no model 'gone.onnx'")],
)
def test_an_unknown_model(run_command: "Run", model: str, said: str) -> None:
    """An unknown model ends har-stream with 1 and one clear line."""
    result = run_command("har-stream", "--broker", "127.0.0.1", "--model", model)
    assert 1 == result.returncode
    assert result.stderr.startswith(f"har-stream: {said}")
    assert 1 == result.stderr.count("\n")


def test_a_broken_model(run_command: "Run", tmp_path: Path) -> None:
    """A model file that is none ends har-stream with 1 and one clear line."""
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    result = run_command("har-stream", "--broker", "127.0.0.1", "--model", "broken.onnx")
    assert 1 == result.returncode
    assert result.stderr.startswith("har-stream: broken.onnx: cannot be loaded as an ONNX model")
    assert 1 == result.stderr.count("\n")


def test_a_model_that_gives_no_probabilities(
    run_command: "Run", make_model: "Make", make_card: "MakeCard", tmp_path: Path
) -> None:
    """It is refused at the start, with what it gives."""
    path = make_model(tmp_path / "odd.onnx", card=make_card(), answer="Sqrt")
    result = run_command("har-stream", "--broker", "localhost", "--model", str(path))
    assert 1 == result.returncode
    assert result.stderr.startswith(f"har-stream: {path}: its probabilities are not numbers")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--broker", ""], "broker = '': "),
        (["--hop", "0"], "hop = '0': "),
        (["--hop", "129"], "hop = '129': "),
        (["--hop", "many"], "hop = 'many': "),
        (["--port", "70000"], "port = '70000': "),
        (["--protocol", "4"], "protocol = '4': "),
        (["--tick", "0"], "tick = '0': "),
        (["--tick", "nan"], "tick = 'nan': "),
        (["--max-devices", "0"], "max-devices = '0': "),
        (["--filter-start", "warm"], "filter-start = 'warm': "),
        (["--frobnicate", "1"], "--frobnicate"),
    ],
)
def test_settings_that_do_not_fit(
    refused_settings: Callable[..., str], flags: list[str], said: str
) -> None:
    """A setting out of bounds ends har-stream with one line that names it."""
    written = refused_settings(StreamSettings, "har-stream", "--broker", "127.0.0.1", *flags)
    *usage, line = written.splitlines()
    assert line.startswith("har-stream: ")
    assert said in line
    assert not usage or usage[0].startswith("usage: har-stream ")


def test_the_broker_must_be_named(run_command: "Run") -> None:
    """Without a broker's name har-stream says how to give it."""
    result = run_command("har-stream")
    assert 1 == result.returncode
    assert "har-stream: --broker or HAR_BROKER is needed\n" == result.stderr


def test_flags_before_variables_before_the_file(
    run_command: "Run", tmp_path: Path, tiny_model: Path
) -> None:
    """A flag goes before a HAR_ variable, that before .env, that before the default."""
    with socket.socket() as taken:  # bound, but nobody listens: the port refuses
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        (tmp_path / ".env").write_text(
            f"HAR_BROKER=127.0.0.1\nHAR_PORT=1\nHAR_RETRY=false\nHAR_MODEL={tiny_model}\n"
        )

        def refused(*flags: str, **environment: str) -> str:
            return run_command("har-stream", *flags, **environment).stderr.splitlines()[-1]

        assert ("har-stream: no connection to 127.0.0.1:1: nobody answers there") == refused()
        assert f"127.0.0.1:{port}:" in refused(HAR_PORT=str(port))
        assert f"127.0.0.1:{port}:" in refused("--port", str(port), HAR_PORT="2")


def test_help(run_command: "Run") -> None:
    """--help names every setting with its default, and no variable is needed for it."""
    result = run_command("har-stream", "--help")
    assert 0 == result.returncode
    settings = re.findall(r"^  -", result.stdout, re.MULTILINE)
    assert len(StreamSettings.model_fields) + 3 == len(settings)  # --help, --version, completion
    assert "default: 64" in result.stdout
    assert "20 ms" in result.stdout
