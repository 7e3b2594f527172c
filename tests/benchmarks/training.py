"""What training the default model with the defaults takes: time and memory."""

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from commands import command, last_lines, memory_mib, start, stop
from figures import FOLDER_VARIABLE, Figure, NotMeasuredError, Options, run_alone

from pipeline.recordings import hapt, uci_har
from pipeline.recordings.recording import DataError

MODEL: Final = "cnn-lstm"
TIME_LIMIT_MIN: Final = 5.0
MEMORY_LIMIT_GIB: Final = 2.0
N_CORES: Final = 2
"""The limits are for a machine with so many cores; a larger one lends no more"""
GIVE_UP_S: Final = 3600.0
POLL_S: Final = 0.2


def measure(options: Options) -> list[Figure]:
    """Return wall time and highest memory of ``har-train --model cnn-lstm``.

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
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = ["--model", MODEL, *data, "--out", str(folder / "out")]
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
    what = f"har-train --model {MODEL}"
    return [
        Figure("training", f"{what}, time", minutes, "minutes", limit=TIME_LIMIT_MIN),
        Figure("training", f"{what}, memory", highest_mib / 1024, "GiB", limit=MEMORY_LIMIT_GIB),
    ]


def _await_end(process: subprocess.Popen[bytes], begun: float) -> float:
    """Wait until a process ends, and return the highest resident memory seen, in MiB."""
    highest_mib = 0.0
    while process.poll() is None:
        if time.perf_counter() - begun > GIVE_UP_S:
            raise NotMeasuredError(f"har-train takes more than {GIVE_UP_S / 60:.0f} minutes")
        try:
            highest_mib = memory_mib(process.pid)[1]
        except (KeyError, OSError):  # it ended just now
            break
        time.sleep(POLL_S)
    process.wait()
    return highest_mib


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "time and memory of har-train")


if __name__ == "__main__":
    main()
