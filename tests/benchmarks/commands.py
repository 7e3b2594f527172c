"""The project's commands and the benchmarks' own programs: started, watched in /proc, stopped."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.benchmarks.figures import FOLDER_VARIABLE, NotMeasuredError
from tests.brokers import find_free_port

ROOT: Final = Path(__file__).resolve().parents[2]
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 10.0
POLL_S: Final = 0.02
_MODULES: Final = {
    "har-bridge": "pipeline.commands.bridge.command",
    "har-history": "pipeline.commands.history.command",
    "har-replay": "pipeline.commands.replay.command",
    "har-stream": "pipeline.commands.stream.command",
    "har-timeline": "pipeline.commands.timeline.command",
    "har-train": "trainer.commands.train",
    "har-web": "pipeline.commands.web.command",
}


def command(name: str) -> list[str]:
    """Return how to call a command: the installed script, else its module's ``main``."""
    script = Path(sys.executable).with_name(name)
    if script.exists():
        return [str(script)]
    return [sys.executable, "-c", f"from {_MODULES[name]} import main; main()"]


def tool(name: str) -> list[str]:
    """Return how to call one of the benchmarks' own programs."""
    return [sys.executable, "-m", f"tests.benchmarks.{name}"]


def start(arguments: list[str], folder: Path, *, log: str) -> subprocess.Popen[bytes]:
    """Return a process started in a folder, with what it prints in the file ``log`` there."""
    # No setting of the user's may reach it: the folder holds no .env.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("HAR_") or name == FOLDER_VARIABLE
    }
    paths = [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(paths)  # a checkout that is not installed
    with (folder / log).open("wb") as file:
        return subprocess.Popen(
            arguments, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT
        )


def stop(process: subprocess.Popen[bytes]) -> int:
    """End a process, at first politely, and return its exit code."""
    process.terminate()
    try:
        return process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def await_text(file: Path, text: str, process: subprocess.Popen[bytes], log: Path) -> str:
    """Return what a file holds once ``text`` is in it; ``process`` is to bring that about.

    Raises:
        NotMeasuredError: it did not come in time; what the process printed is in ``log``.
    """
    give_up = time.monotonic() + START_TIMEOUT_S
    while text not in (content := file.read_text(errors="replace")):
        if process.poll() is not None or time.monotonic() > give_up:
            raise NotMeasuredError(f"{log.stem} does not start: {last_lines(log)}")
        time.sleep(POLL_S)
    return content


def await_end(process: subprocess.Popen[bytes], log: Path, *, timeout_s: float) -> None:
    """Return when a process that has nothing left to do has ended by itself.

    Raises:
        NotMeasuredError: it did not, or not well.
    """
    try:
        exit_code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise NotMeasuredError(f"{log.stem} does not end: {last_lines(log)}") from None
    if exit_code != 0:
        raise NotMeasuredError(f"{log.stem} ended with {exit_code}: {last_lines(log)}")


def last_lines(log: Path, n: int = 5) -> str:
    """Return the end of what a process printed."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-n:])


def memory_mib(pid: int) -> tuple[float, float]:
    """Return a process's resident memory now and at its highest."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith("Vm")}
    return kib["VmRSS"] / 1024, kib["VmHWM"] / 1024


def cpu_s(pid: int) -> float:
    """Return the seconds of processor time, user and system, that a process has taken."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def machine_cpu_s() -> float:
    """Return the seconds of processor time that everything on this machine has taken."""
    ticks = [int(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle, waiting = 3, 4  # for a disk
    return (sum(ticks) - ticks[idle] - ticks[waiting]) / os.sysconf("SC_CLK_TCK")


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """Run a Mosquitto of our own in its default configuration, and give its port.

    Raises:
        NotMeasuredError: there is no Mosquitto, or it does not start.
    """
    with mosquitto_process(folder) as (port, _):
        yield port


@contextmanager
def mosquitto_process(
    folder: Path, configuration: Sequence[str] = ()
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run a Mosquitto with these further lines of configuration, and give port and process.

    Raises:
        NotMeasuredError: there is no Mosquitto, or it does not start.
    """
    program = shutil.which(
        "mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    )
    if program is None:
        raise NotMeasuredError("Mosquitto is not installed (apt-get install mosquitto)")
    port = find_free_port()
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", *configuration]
    file = folder / "mosquitto.conf"
    file.write_text("".join(f"{line}\n" for line in lines))
    process = start([program, "-c", str(file)], folder, log="mosquitto.log")
    try:
        _await_port(port, process, folder / "mosquitto.log")
        yield port, process
    finally:
        stop(process)


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + STOP_TIMEOUT_S
    while process.poll() is None and time.monotonic() < give_up:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return
    raise NotMeasuredError(f"Mosquitto does not start: {last_lines(log)}")
