"""The project's commands as processes: how they are called, and one that runs."""

import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 10.0


def command_line(name: str) -> list[str]:
    """Return what starts a command: the installed script, else its function."""
    script = Path(sys.executable).with_name(name)
    if script.is_file():
        return [str(script)]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module = scripts[name].removesuffix(":main")
    code = f"import sys; sys.argv[0] = {name!r}; from {module} import main; main()"
    return [sys.executable, "-c", code]


def environment_with(changes: dict[str, str]) -> dict[str, str]:
    """Return what a command finds in its environment: none of the user's settings, but these."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith("HAR_")}
    if "HAR_DATA_DIR" in os.environ:
        ours["HAR_DATA_DIR"] = str(Path(os.environ["HAR_DATA_DIR"]).resolve())
    # Most tests send samples of a day long past.
    ours |= {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "HAR_MAX_BEHIND": "1e12"}
    return ours | changes


class Running:
    """A command that was started."""

    def __init__(self, process: subprocess.Popen[bytes], log_file: Path) -> None:
        """Keep the process and the file that it writes to."""
        self.process = process
        self._log_file = log_file

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log_file.read_text()

    def await_log(self, text: str, *, times: int = 1, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return when it has written ``text`` so many times."""
        deadline = time.monotonic() + timeout_s
        while self.log.count(text) < times:
            assert time.monotonic() < deadline, f"no {text!r} in: {self.log}"
            assert self.process.poll() is None, self.log
            time.sleep(0.02)

    def end(self, signal_number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(signal_number)
        return self.process.wait(STOP_TIMEOUT_S)


@contextmanager
def commands_in(folder: Path) -> Iterator[Callable[..., Running]]:
    """Give a function that starts commands in a folder, and kill those that run at the end."""
    # A shell's background job ignores Ctrl-C, and so would every command that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with ExitStack() as stack:

        def start(name: str, *flags: str, **environment: str) -> Running:
            log_file = folder / f"{name}-{len(list(folder.glob('*.log')))}.log"
            with log_file.open("wb") as log:
                process = subprocess.Popen(
                    [*command_line(name), *flags],
                    cwd=folder,
                    env=environment_with(environment),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            stack.callback(_end, process)
            return Running(process, log_file)

        yield start


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait(STOP_TIMEOUT_S)
