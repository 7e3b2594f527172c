"""How fast har-timeline goes through a recording, and what of that is the models' own time.

An hour of raw recordings goes through the command's own code, as fast as it can: once with the
model of phones at the waist, once with that of all others. The same windows go through onnxruntime
alone, in full batches, in the same run. All are measured in turn, and the best round counts, as
other work on the machine only ever slows a round down. Memory is that of the whole command, of a
day that is written as an app's export.
"""

import subprocess
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.commands.timeline.recorded_file import RecordedFile
from pipeline.commands.timeline.recorded_timeline import RecordedTimelines
from pipeline.commands.timeline.settings import TimelineSettings
from pipeline.models.classifier import Classifier, find_models
from pipeline.recordings.recording import Recording, Stretch, grid_times
from pipeline.vocabulary import AUTO, CHANNELS, SAMPLING_RATE_HZ, WINDOW_LENGTH
from tests.benchmarks.commands import await_end, command, memory_mib, start
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, raw_stretches, run_alone

SUBJECTS: Final = (1, 3, 5, 6)
ROUNDS: Final = 3
BATCH: Final = 64
ROWS: Final = 1_000
"""Samples of a message, as har-timeline has of a data set"""
DAY_H: Final = 24
POLL_S: Final = 0.1
LONGEST_S: Final = 900.0
"""Within which a day must be shown"""
LEAST_H_PER_S: Final = 0.2
"""The goal: an hour in five seconds"""


def measure(options: Options) -> list[Figure]:
    """Return hours of recording a second, the ratio to onnxruntime alone, and memory of a day.

    Raises:
        NotMeasuredError: the raw recordings are not at hand, or the command fails.
    """
    samples = np.concatenate([one.samples for one in raw_stretches(options, SUBJECTS)])
    classifiers = [Classifier(path, batch_size=BATCH) for path in find_models(AUTO)]
    figures = []
    for place, classifier in zip(("waist", "any"), classifiers, strict=True):
        recorded = _as_file(samples)
        settings = TimelineSettings.model_validate(
            {"files": [Path("hour")], "placement": [place], "frame": ["landscape"]}
        )
        timelines = RecordedTimelines(settings, classifiers)
        alone = np.random.default_rng(0).normal(size=(BATCH, WINDOW_LENGTH, len(CHANNELS)))
        times_s, alone_s, n_windows = [], [], 0
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            n_windows = timelines.make(recorded, keeps_predictions=False).n_predictions
            times_s.append(time.perf_counter() - begun)
            alone_s.append(_alone_s(classifier, alone.astype(np.float32), n_windows))
        hours = (recorded.last - recorded.first) / 3600
        best_s, alone_best_s = min(times_s), min(alone_s)
        figures += [
            Figure(
                "timeline",
                f"{classifier.card.name}: an hour of recording",
                best_s / hours,
                "s",
                limit=1 / LEAST_H_PER_S,
                detail=f"{hours / best_s:.2f} h a second; {hours:.2f} h of {len(SUBJECTS)} people, "
                f"{n_windows:,} windows, {n_windows / best_s:,.0f} a second; best of {ROUNDS}",
                parts={"hours_per_s": hours / best_s, "windows_per_s": n_windows / best_s},
            ),
            Figure(
                "timeline",
                f"{classifier.card.name}: against onnxruntime alone",
                best_s / alone_best_s,
                "times",
                detail=f"the same number of windows in batches of {BATCH}: {alone_best_s:.2f} s",
                parts={"onnxruntime_s": alone_best_s},
            ),
        ]
    figures.append(_memory_of_a_day(samples))
    return figures


def _as_file(samples: NDArray[np.floating]) -> RecordedFile:
    """Return raw samples ``(n, 6)`` at 50 Hz as one recording without a break."""
    n = len(samples)
    stretch = Stretch(grid_times(0.0, n), samples, np.full(n, -1, np.int8))
    return RecordedFile("hour", Recording("phone", (stretch,)).cut(ROWS), "android", "data set")


def _alone_s(classifier: Classifier, batch: NDArray[np.float32], n_windows: int) -> float:
    """Return how long a model takes for so many windows, in seconds."""
    classifier.classify(batch)  # memory for this batch size
    begun = time.perf_counter()
    for first in range(0, n_windows, BATCH):
        classifier.classify(batch[: n_windows - first])
    return time.perf_counter() - begun


def _memory_of_a_day(samples: NDArray[np.floating]) -> Figure:
    """Return the highest memory of the command, of a day's export at 50 Hz.

    Raises:
        NotMeasuredError: the command fails.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _write_day(folder / "day.zip", samples)
        begun = time.monotonic()
        process = start([*command("har-timeline"), "day.zip"], folder, log="har-timeline.log")
        highest_mib = 0.0
        while process.poll() is None:
            if time.monotonic() - begun > LONGEST_S:
                process.kill()
                break
            try:
                highest_mib = max(highest_mib, memory_mib(process.pid)[1])
                process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                continue
            except (KeyError, OSError):
                break  # it has just ended
        taken_s = time.monotonic() - begun
        await_end(process, folder / "har-timeline.log", timeout_s=1.0)
        if not highest_mib:
            raise NotMeasuredError("har-timeline ended before its memory was looked at")
    return Figure(
        "timeline",
        "memory of a day's export",
        highest_mib,
        "MiB",
        detail=f"highest; two sensors, 50 Hz; {taken_s:.0f} s in all, with reading it",
        parts={"seconds": taken_s},
    )


def _write_day(path: Path, samples: NDArray[np.floating]) -> None:
    """Write samples over and over, as Sensor Logger exports a day of them."""
    n_rows = round(DAY_H * 3600 * SAMPLING_RATE_HZ)
    ns = 1_698_501_144 * 10**9 + np.arange(n_rows) * round(1e9 / SAMPLING_RATE_HZ)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, columns in (("TotalAcceleration", (2, 1, 0)), ("Gyroscope", (5, 4, 3))):
            values = [",".join(f"{v:.5f}" for v in row) for row in samples[:, columns].tolist()]
            with archive.open(f"{name}.csv", "w") as file:
                file.write(b"time,seconds_elapsed,z,y,x\n")
                for first in range(0, n_rows, len(values)):
                    times = ns[first : first + len(values)].tolist()
                    lines = zip(times, values, strict=False)
                    file.write("".join(f"{t},0,{row}\n" for t, row in lines).encode())
        archive.writestr(
            "Metadata.csv", "device id,recording time,platform\nphone,2023-10-28_13-52-24,android\n"
        )


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "hours of recording a second that har-timeline shows")


if __name__ == "__main__":
    main()
