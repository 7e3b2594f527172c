"""What was tried to have a window take less time: what it brings, if it changes answers.

``git worktree add --detach ../before COMMIT`` makes a checkout whose models are the reference;
``python -m tests.benchmarks.inference_tried ../before`` puts each form of each model (see
`inference_variants`) beside them, in turn, again and again in one run; CPU time is measured, and
the best round counts. With the data set at hand the answers to its test split are compared too, of
wearers of whom nothing and all is known.

Then it says at which batch a crowd of windows is cut best, and what it would bring to classify on a
thread of its own beside the one that decodes messages.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.models.classifier import Classifier
from pipeline.models.trial import trial_frames
from pipeline.recordings import uci_har
from pipeline.recordings.recording import DataError
from pipeline.vocabulary import CHANNELS, SHIPPED_MODELS, WINDOW_LENGTH
from tests.benchmarks.figures import (
    Figure,
    conditions,
    present_models,
    print_conditions,
    show,
    write_figures,
)
from tests.benchmarks.inference_variants import Run, runs

BENCHMARK: Final = "inference_tried"
BATCH_SIZES: Final = (1, 8, 32, 128, 512)
SHOWN: Final = 32
"""Batch whose time is a figure's value; the others are in its detail"""
CUTS: Final = (8, 16, 32, 64, 128, 256, 512)
CROWD: Final = 512
"""Windows that are cut into batches"""
ROUNDS: Final = 15
LEAST_WINDOWS: Final = 128
"""Classified between two readings of the clock, if not by one call then by several"""
MESSAGES: Final = 1500
"""Decoded while a crowd of windows is classified"""
OFTEN_S: Final = 1e-4
"""Seconds after which Python's threads take turns, if they are to do so often"""


def tried(name: str, forms: dict[str, Run], test: NDArray[np.float32]) -> list[Figure]:
    """Return the time of a window in each form of a model against the first form.

    ``test`` ``(n_windows, 128, 9)`` are windows whose answers are compared, perhaps none.
    """
    windows = _windows(max(BATCH_SIZES))
    frames = trial_frames(len(windows))[1]
    best: dict[tuple[str, int], float] = defaultdict(lambda: np.inf)  # microseconds a window
    for _ in range(ROUNDS):
        for form, run in forms.items():
            for batch in BATCH_SIZES:
                us = _us_a_window(run, windows[:batch], frames[:batch])
                best[form, batch] = min(best[form, batch], us)
    reference = next(iter(forms))
    expected = _answers(forms[reference], test)
    figures = []
    for form, run in forms.items():
        found = _answers(run, test)
        n_other = int((found.argmax(axis=1) != expected.argmax(axis=1)).sum())
        largest = float(np.abs(found - expected).max(initial=0.0))
        times = {f"batch {batch}": best[form, batch] for batch in BATCH_SIZES}
        changed = f"; {n_other} of {len(found):,} labels changed, probabilities by {largest:.1g}"
        figures.append(
            Figure(
                BENCHMARK,
                f"{name}, {form}",
                best[form, SHOWN],
                "µs",
                detail=", ".join(f"{batch}: {best[form, batch]:.1f}" for batch in BATCH_SIZES)
                + (changed if len(test) and form != reference else ""),
                peer="" if form == reference else reference,
                peer_value=None if form == reference else best[reference, SHOWN],
                parts={**times, "labels_changed": n_other, "largest_difference": largest},
            )
        )
    return figures


def cut(models: Sequence[tuple[str, Path]]) -> list[Figure]:
    """Return for each model the time of a window of a crowd, by the batches that it is cut into."""
    windows = _windows(CROWD)
    figures = []
    for name, path in models:
        classifiers = {batch: Classifier(path, batch_size=batch) for batch in CUTS}
        best = dict.fromkeys(CUTS, np.inf)
        for _ in range(ROUNDS):
            for batch, classifier in classifiers.items():
                cpu_s = _cpu_s(partial(classifier.classify, windows))
                best[batch] = min(best[batch], cpu_s / CROWD * 1e6)
        least = min(best, key=best.__getitem__)
        figures.append(
            Figure(
                BENCHMARK,
                f"{name}, {CROWD} windows cut best at",
                least,
                "windows",
                detail=", ".join(f"{batch}: {us:.1f} µs" for batch, us in best.items()),
                parts={f"batch {batch}": us for batch, us in best.items()},
            )
        )
    return figures


def beside(path: Path) -> list[Figure]:
    """Return how long it takes to decode messages while windows are classified on a thread.

    One figure is with Python as it is, one with threads that take turns `OFTEN_S`: whoever comes
    back from onnxruntime waits for its turn.
    """
    classifier = Classifier(path)
    windows = _windows(CROWD)
    row = [0.12345, 9.71234, 1.05432]
    message = msgspec.json.encode(
        {"v": 1, "start": 1.7e9, "rate": 50.0, "acc": [row] * 25, "gyro": [row] * 25}
    )

    def decode() -> None:
        for _ in range(MESSAGES):
            np.array(msgspec.json.decode(message)["acc"])

    def classify() -> None:
        classifier.classify(windows)

    def both() -> None:
        thread = threading.Thread(target=classify)
        thread.start()
        decode()
        thread.join()

    work: dict[str, Callable[[], None]] = {"decode": decode, "classify": classify, "both": both}
    figures = []
    usual_s = sys.getswitchinterval()
    for turns_s in (usual_s, OFTEN_S):
        sys.setswitchinterval(turns_s)
        best = dict.fromkeys(work, np.inf)  # milliseconds
        for _ in range(2 * ROUNDS):  # of little time each
            for what, do in work.items():
                begun = time.perf_counter()
                do()
                best[what] = min(best[what], (time.perf_counter() - begun) * 1e3)
        figures.append(
            Figure(
                BENCHMARK,
                f"threads, turns every {turns_s * 1e3:g} ms",
                best["both"],
                "ms",
                detail=f"{MESSAGES} messages alone {best['decode']:.1f} ms, {CROWD} windows of "
                f"{path.stem} alone {best['classify']:.1f} ms",
                peer="one after the other",
                peer_value=best["decode"] + best["classify"],
                parts=best,
            )
        )
    sys.setswitchinterval(usual_s)
    return figures


def _windows(n: int) -> NDArray[np.float32]:
    noise = np.random.default_rng(0).normal(size=(n, WINDOW_LENGTH, len(CHANNELS)))
    return (0.5 * noise).astype(np.float32)


def _us_a_window(run: Run, windows: NDArray[np.float32], frames: NDArray[np.float32]) -> float:
    n_calls = max(1, LEAST_WINDOWS // len(windows))
    run(windows, frames)  # memory for this batch size

    def all_calls() -> None:
        for _ in range(n_calls):
            run(windows, frames)

    return _cpu_s(all_calls) / n_calls / len(windows) * 1e6


def _cpu_s(do: Callable[[], object]) -> float:
    """Return the CPU time of work that stays on this thread, in seconds."""
    begun = time.thread_time()
    do()
    return time.thread_time() - begun


def _answers(run: Run, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities of windows in batches of 64, of wearers unknown and known."""
    answers = [
        run(windows[k : k + 64], frames[k : k + 64])
        for frames in trial_frames(len(windows))
        for k in range(0, len(windows), 64)
    ]
    return np.concatenate(answers) if answers else np.empty((0, 1), np.float32)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="What was tried to make a window take less time")
    parser.add_argument("before", type=Path, help="checkout with the models to compare with")
    parser.add_argument("--data", type=Path, help="data set's zip or folder")
    parser.add_argument("--models", nargs="+", default=list(SHIPPED_MODELS))
    parser.add_argument("--json", type=Path, help="file for all figures")
    options = parser.parse_args()
    found = conditions()
    print_conditions(found)
    try:
        test = uci_har.load(options.data, download=False).test.windows
    except DataError as error:
        print(f"  answers are not compared: {error}")
        test = _windows(0)
    models = present_models(options.models)
    figures: list[Figure] = []
    n_shown = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, path in models:
            before = options.before / "pipeline" / "models" / path.name
            figures += tried(name, runs(path, before, Path(folder)), test)
            show(figures[n_shown:])
            n_shown = len(figures)
    rest = [*cut(models), *beside(models[0][1])]
    show(rest)
    if options.json is not None:
        write_figures(options.json, found, [*figures, *rest])


if __name__ == "__main__":
    main()
