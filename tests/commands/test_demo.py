import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands.demo_settings import DemoSettings
from pipeline.commands.demo_web import WebError, har_web
from pipeline.commands.listening import listening
from pipeline.commands.web.settings import DEFAULT_LISTEN
from tests.brokers import find_free_port
from tests.commands.web.browser import Site

STOP_TIMEOUT_S = 20.0
PLAYED = ("--recording", "simulated", "--duration", "5", "--speed", "8")
LONG = ("--recording", "simulated", "--duration", "60", "--speed", "8")

pytestmark = pytest.mark.broker

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., Any]


def processes_with(mark: str) -> list[str]:
    """Return the command lines of all processes whose environment holds ``mark``."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if mark.encode() in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_text().replace("\0", " "))
            except OSError:  # it has just ended, or is somebody else's
                continue
    return found


def test_the_demo_plays_to_its_end(run_command: Run, tiny_model: Path, tmp_path: Path) -> None:
    """Without any data the demo plays simulated phones, and every window is answered."""
    done = run_command(
        "har-demo", *PLAYED, "--model", str(tiny_model), HOME=str(tmp_path), HAR_DATA_DIR=""
    )
    assert (0, "") == (done.returncode, done.stderr)
    windows = re.search(r"windows +(\d+) received of (\d+) expected", done.stdout)
    assert windows is not None, done.stdout
    assert windows[1] == windows[2] != "0"
    assert "Playing simulated phones, as asked" in done.stdout
    assert "Next: har-stream --broker HOST" in done.stdout
    assert [] == processes_with(f"HOME={tmp_path}")


def test_without_data_the_demo_says_why_it_plays_simulated_phones(
    run_command: Run, tiny_model: Path, tmp_path: Path
) -> None:
    """Where UCI HAR is neither here nor can be downloaded, the demo plays simulated phones."""
    nowhere = "http://127.0.0.1:9"  # the port of discard, where nobody listens
    done = run_command(
        "har-demo",
        *PLAYED[2:],
        *("--model", str(tiny_model)),
        HOME=str(tmp_path),
        HAR_DATA_DIR="",
        https_proxy=nowhere,
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert "Playing simulated phones, as the UCI HAR data set cannot be had: " in done.stdout


def test_the_demo_on_web_pages(start_command: Start, tiny_model: Path, tmp_path: Path) -> None:
    """Their address comes first; they show the phones, and end with the demo."""
    port = find_free_port()
    flags = [*LONG, "--model", str(tiny_model), "--web", "--listen", f"127.0.0.1:{port}"]
    demo = start_command("har-demo", *flags, HOME=str(tmp_path))
    demo.await_log(f"Dashboard: http://127.0.0.1:{port}/")
    assert "Playing" not in demo.log
    with Site(port).page() as page:
        told = {"truth", "info", "activity", "ribbon"}
        page.await_that(lambda: 6 == sum(told <= phone.keys() for phone in page.phones.values()))
        # Though it is played faster than it was made, and so begins some minutes ago.
        assert not any(phone["info"]["warnings"] for phone in page.phones.values())
        page.await_that(lambda: all(phone["ribbon"] for phone in page.phones.values()))
    assert 0 == demo.end(), demo.log
    assert [] == processes_with(f"HOME={tmp_path}")


def test_a_port_in_use(run_command: Run, start_command: Start, tmp_path: Path) -> None:
    """One that was chosen is said to be in use; for the one that nobody chose there is another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_command("har-demo", *PLAYED, "--web", "--listen", address, HOME=str(tmp_path))
    assert (1, "") == (done.returncode, done.stdout)
    assert f"har-web: listen = '{address}': Address already in use" in done.stderr
    with suppress(OSError), socket.socket() as taken:  # if it is not in use already
        taken.bind(listening(DEFAULT_LISTEN))
        taken.listen()
        demo = start_command("har-demo", *LONG, "--web", HOME=str(tmp_path))
        demo.await_log("Dashboard: http://127.0.0.1:")
        assert f"Dashboard: http://{DEFAULT_LISTEN}/" not in demo.log
        assert 0 == demo.end(), demo.log


def test_pages_without_what_they_need(monkeypatch: pytest.MonkeyPatch, own_settings: None) -> None:
    """Where the extra is not installed, the demo says how to install it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    settings = DemoSettings(_cli_parse_args=False)
    with pytest.raises(WebError, match=r"pip install 'har-stream\[web\]'"):
        har_web(settings, "127.0.0.1", 1883).__enter__()


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_demo(
    signal_number: signal.Signals, start_command: Start, tiny_model: Path, tmp_path: Path
) -> None:
    """Ctrl-C and SIGTERM end the demo in order: closing table, exit code 0, no process left."""
    demo = start_command("har-demo", *LONG, "--model", str(tiny_model), HOME=str(tmp_path))
    demo.await_log(" windows, latency ")
    assert 0 == demo.end(signal_number), demo.log
    assert "received of" in demo.log
    assert "Traceback" not in demo.log
    assert [] == processes_with(f"HOME={tmp_path}")


def test_the_demo_says_why_har_stream_ended(run_command: Run, tmp_path: Path) -> None:
    """If har-stream does not run, the demo ends with code 1 and har-stream's own words."""
    done = run_command("har-demo", *PLAYED, "--model", "no-such-model", HOME=str(tmp_path))
    assert 1 == done.returncode
    assert "har-demo: har-stream ended with exit code 1:" in done.stderr
    assert "har-stream: no model 'no-such-model'" in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == processes_with(f"HOME={tmp_path}")


def test_har_stream_dying_ends_the_demo(
    start_command: Start, tiny_model: Path, tmp_path: Path
) -> None:
    """If har-stream dies midway the demo does not wait for it."""
    demo = start_command("har-demo", *LONG, "--model", str(tiny_model), HOME=str(tmp_path))
    demo.await_log(" windows, latency ")
    pid = demo.process.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"har-stream" in Path(f"/proc/{child}/cmdline").read_bytes():
            os.kill(int(child), signal.SIGKILL)
    assert 1 == demo.process.wait(STOP_TIMEOUT_S), demo.log
    assert "har-demo: har-stream ended with exit code -9" in demo.log
    assert [] == processes_with(f"HOME={tmp_path}")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--data", "nowhere"], "har-demo: nowhere: no such zip or folder"),
        (["--recording", "simulated", "--duration", "1"], "are too short for six activities"),
        (["--speed", "0"], "speed = '0': Input should be greater than 0"),
    ],
)
def test_what_cannot_be_played_is_one_clear_line(
    flags: list[str], words: str, run_command: Run, tmp_path: Path
) -> None:
    """Data that is named and not there, and figures that do not fit, end the demo at once."""
    done = run_command("har-demo", *flags, HOME=str(tmp_path))
    assert (1, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert words in done.stderr
