"""What training with the defaults takes, of the default model and of all: time and memory."""

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from pipeline.recordings import hapt, uci_har
from pipeline.recordings.recording import DataError
from tests.benchmarks.commands import command, last_lines, memory_mib, start, stop
from tests.benchmarks.figures import FOLDER_VARIABLE, Figure, NotMeasuredError, Options, run_alone

LIMITS: Final = {"cnn-lstm": (5.0, 2.0), "all": (25.0, None)}
"""Minutes and GiB by ``--model``; what two processes share is counted twice"""
N_CORES: Final = 2
"""The limits are for a machine with so many cores; a larger one lends no more"""
GIVE_UP_S: Final = 3600.0
POLL_S: Final = 0.2


def measure(options: Options) -> list[Figure]:
    """Return wall time and highest memory of ``har-train``.

    Raises:
        NotMeasuredError: the data set is missing, or har-train failed.
    """
    given = options.data or os.environ.get(FOLDER_VARIABLE)
    data = [] if given is None else ["--data", str(Path(given).resolve())]
    try:
        uci_har.load(options.data)
        hapt.recordings(options.data)  # both at hand and parsed, before the time begins
    except DataError as error:
        raise NotMeasuredError(str(error)) from error
    return [figure for model in LIMITS for figure in _train(model, data)]


def _train(model: str, data: list[str]) -> list[Figure]:
    """Return what training one model, or all, takes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = ["--model", model, *data, "--out", str(folder / "out")]
        begun = time.perf_counter()
        process = start([*command("har-train"), *arguments], folder, log="train.log")
        try:
            os.sched_setaffinity(process.pid, sorted(os.sched_getaffinity(0))[:N_CORES])
            highest_mib = _await_end(process, begun)
        finally:
            stop(process)
        minutes = (time.perf_counter() - begun) / 60
        if process.returncode != 0:
            raise NotMeasuredError(
                f"har-train ended with {process.returncode}: {last_lines(folder / 'train.log')}"
            )
    what = f"har-train --model {model}"
    most_minutes, most_gib = LIMITS[model]
    return [
        Figure("training", f"{what}, time", minutes, "minutes", limit=most_minutes),
        Figure("training", f"{what}, memory", highest_mib / 1024, "GiB", limit=most_gib),
    ]


def _await_end(process: subprocess.Popen[bytes], begun: float) -> float:
    """Wait until a process ends, and return the highest memory of it and its children, in MiB."""
    highest_mib = 0.0
    while process.poll() is None:
        if time.perf_counter() - begun > GIVE_UP_S:
            raise NotMeasuredError(f"har-train takes more than {GIVE_UP_S / 60:.0f} minutes")
        try:
            resident = [memory_mib(pid)[0] for pid in (process.pid, *_children(process.pid))]
            highest_mib = max(highest_mib, sum(resident))
        except (KeyError, OSError):  # one ended just now
            pass
        time.sleep(POLL_S)
    process.wait()
    return highest_mib


def _children(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for one in threads for child in (one / "children").read_text().split()]


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "time and memory of har-train")


if __name__ == "__main__":
    main()
