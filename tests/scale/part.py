"""A Java program that a test starts, kills and starts again, with its log and what it costs.

All that have been started are in `PARTS`, so that the logs can be shown when a test fails.
"""

import os
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

PARTS: Final[list["Part"]] = []
"""All that have been started, in order"""

STOP_TIMEOUT_S: Final = 30.0
LOG_LINES_SHOWN: Final = 60
_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


class Part:
    """One program and all the processes that it has started."""

    def __init__(self, name: str, log: Path) -> None:
        """Begin without a process; what it writes goes to the end of ``log``."""
        self.name = name
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self, command: Sequence[str], **environment: str) -> None:
        """Start a command as this part's process; it gets these variables besides ours."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT
            )
        if self not in PARTS:
            PARTS.append(self)

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """The end of its log."""
        if not self._log.exists():
            return ""
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES_SHOWN:])

    @property
    def cpu_s(self) -> float:
        """CPU seconds of its processes that live, with those of children that have ended."""
        return sum(self.cpu_s_by_program().values())

    def cpu_s_by_program(self) -> dict[str, float]:
        """Return the same by program, such as ``java`` or ``python``."""
        seconds: defaultdict[str, float] = defaultdict(float)
        for pid in self._tree():
            seconds[_program(pid)] += _cpu_s(pid)
        return seconds

    def kill(self) -> None:
        """Kill it and all that it has started, at once and without warning."""
        for pid in self._tree():
            _signal(pid, signal.SIGKILL)
        self._await_end()

    def stop(self) -> None:
        """Ask it to end, if it runs, and return when it has."""
        children = self._tree()[1:]
        if self.runs and self._process is not None:
            self._process.terminate()
        self._await_end()
        for pid in children:
            _signal(pid, signal.SIGKILL)

    def _tree(self) -> list[int]:
        """Return its process and all below, those that have left its process group too."""
        return list(_descendants(self._process.pid)) if self.runs and self._process else []

    def _await_end(self) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def await_answer(part: Part, timeout_s: float) -> Iterator[None]:
    """Yield again and again until the caller has its answer.

    Fails when the part has ended or time is over.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        yield
        assert part.runs, f"{part.name} has ended:\n{part.log}"
        assert time.monotonic() < deadline, f"{part.name} does not answer:\n{part.log}"
        time.sleep(0.1)


def _descendants(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = children.read_text().split()
        except OSError:  # it has ended
            continue
        for child in below:
            yield from _descendants(int(child))


def _program(pid: int) -> str:
    """Return the name of a process's program, without its version."""
    try:
        return Path(f"/proc/{pid}/exe").resolve().name.rstrip("0123456789.")
    except OSError:
        return ""


def _cpu_s(pid: int) -> float:
    """Return user and system time of a process and of its children that were waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS_A_SECOND  # proc_pid_stat(5): 14 to 17


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
