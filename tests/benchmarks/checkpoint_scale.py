"""What checkpoints of 1,000, 3,000 and 10,000 phones cost, and what a phone takes of memory.

Each number of phones is measured in a process of its own by `checkpoint_trial`.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.commands.stream.settings import StreamSettings
from pipeline.state.acknowledgements import MOST_OF_A_CORE
from tests.benchmarks.checkpoint_trial import FEW, Measured
from tests.benchmarks.figures import Figure, NotMeasuredError

PHONES: Final = (1_000, 3_000, 10_000)
HELD_UP_LIMIT_MS: Final = 50.0
"""Longest time by which a tick may be delayed by a checkpoint"""
MEMORY_LIMIT_KIB: Final = 12.0
"""A phone's memory, where there are very many"""
PERIOD_S: Final = float(StreamSettings.model_fields["checkpoint"].default)


def figures(recordings: NDArray[np.float64]) -> list[Figure]:
    """Return the figures of all numbers of phones, which send ``recordings`` ``(n, n_samples, 6)``.

    Raises:
        NotMeasuredError: a trial failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        motion = Path(folder) / "motion.npy"
        np.save(motion, recordings)
        return [figure for n in PHONES for figure in _of_trial(_trial(n, motion))]


def _trial(n_phones: int, motion: Path) -> Measured:
    module = "tests.benchmarks.checkpoint_trial"
    command = [sys.executable, "-m", module, str(n_phones), str(motion)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotMeasuredError(f"checkpoint_trial: {done.stderr[-1000:]}")
    return msgspec.json.decode(done.stdout, type=Measured)


def _of_trial(trial: Measured) -> list[Figure]:
    cpu_s = median(trial.main_cpu_s) + median(trial.writer_cpu_s)
    each_s = max(PERIOD_S, cpu_s / MOST_OF_A_CORE)
    held_up_ms, pause_ms = max(trial.held_up_s) * 1e3, max(trial.pause_s) * 1e3
    many = trial.phones == max(PHONES)

    def figure(name: str, value: float, unit: str, detail: str, limit: float | None) -> Figure:
        what = f"{trial.phones:,} phones: {name}"
        return Figure("checkpoint", what, value, unit, limit=limit, detail=detail)

    return [
        figure(
            "checkpoints",
            cpu_s / each_s,
            "of a core",
            f"one every {each_s:.2g} s; {median(trial.main_cpu_s) * 1e3:.0f} ms in the tick, "
            f"{median(trial.writer_cpu_s) * 1e3:.0f} ms beside it, on the disk after "
            f"{median(trial.written_s) * 1e3:.0f} ms",
            MOST_OF_A_CORE,
        ),
        figure(
            "a tick is held up",
            held_up_ms,
            "ms",
            f"the longest; median {median(trial.held_up_s) * 1e3:.0f}",
            HELD_UP_LIMIT_MS,
        ),
        figure(
            "then kept waiting by the writer",
            pause_ms,
            "ms",
            f"the longest; a checkpoint's longest, median {median(trial.pause_s) * 1e3:.0f}",
            HELD_UP_LIMIT_MS,
        ),
        figure(
            "size",
            trial.n_bytes / 2**20,
            "MiB",
            f"{trial.n_bytes / trial.phones:,.0f} bytes a phone, infos and activities included",
            None,
        ),
        figure(
            "memory a phone",
            trial.resident_kib,
            "KiB",
            f"growth from {FEW} phones on, without a connection; "
            f"{trial.arrays_kib:.1f} are reserved in arrays; --state takes "
            f"{trial.keeping_kib:.1f} more",
            MEMORY_LIMIT_KIB if many else None,
        ),
    ]
