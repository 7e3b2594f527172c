"""How many windows a second of CPU time a model classifies on a thread, and how near the peak.

Beside each family the model of the same family for any place is measured, against it.

All models and batch sizes are measured in turn, and again in turn; the best round counts, as
other work on the machine only ever slows a round down. All happens on the thread that is measured.
"""

import time
from collections import defaultdict
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.models.card import ModelError
from pipeline.models.classifier import Classifier
from pipeline.vocabulary import ANY, CHANNELS, FAMILIES, WINDOW_LENGTH
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, present_models, run_alone
from tests.benchmarks.flops import flops_per_window
from tests.benchmarks.peak import MATRIX, Product

BATCH_SIZES: Final = (1, 8, 64, 256)
ROUNDS: Final = 9
LEAST_S: Final = 0.15
"""Seconds of CPU time that one measurement lasts at least"""


def measure(options: Options) -> list[Figure]:
    """Return windows/s of each model at each batch size, and the peak.

    Raises:
        NotMeasuredError: a model cannot be loaded.
    """
    of_any = [name + ANY for name in options.models if name in FAMILIES]
    models = present_models([*options.models, *of_any])
    try:
        classifiers = {
            name: Classifier(path, threads=1, batch_size=max(BATCH_SIZES)) for name, path in models
        }
    except ModelError as error:
        raise NotMeasuredError(str(error)) from error
    windows = np.random.default_rng(0).normal(size=(max(BATCH_SIZES), WINDOW_LENGTH, len(CHANNELS)))
    windows_f32 = windows.astype(np.float32)
    rates: dict[tuple[str, int], list[float]] = defaultdict(list)  # windows/s
    peaks = []  # operations/s
    product = Product()
    for _ in range(ROUNDS):
        peaks.append(product.flops())
        for name, classifier in classifiers.items():
            for batch in BATCH_SIZES:
                rates[name, batch].append(_windows_per_s(classifier, windows_f32[:batch]))
    peak = max(peaks)
    figures = [
        Figure(
            "inference",
            "float32 peak of one thread",
            peak / 1e9,
            "GFLOP/s",
            detail=f"product of {MATRIX} x {MATRIX} matrices; best of {ROUNDS}, "
            f"median {median(peaks) / 1e9:.0f}",
            parts={"median": median(peaks) / 1e9},
        )
    ]
    for name, path in models:
        try:
            flops = flops_per_window(path)
        except ValueError as error:
            raise NotMeasuredError(f"{path}: {error}") from error
        family = name.removesuffix(ANY)
        has_peer = family != name and family in classifiers
        for batch in BATCH_SIZES:
            best, usual = max(rates[name, batch]), median(rates[name, batch])
            figures.append(
                Figure(
                    "inference",
                    f"{name}, batch {batch}",
                    best,
                    "windows/s",
                    detail=f"{flops / 1e6:.3g} MFLOP a window, {best * flops / 1e9:.3g} GFLOP/s, "
                    f"share of the peak {best * flops / peak:.2f}; median {usual:,.0f}",
                    peer=family if has_peer else "",
                    peer_value=max(rates[family, batch]) if has_peer else None,
                    parts={
                        "median": usual,
                        "flop_per_window": flops,
                        "gflop_per_s": best * flops / 1e9,
                        "share_of_peak": best * flops / peak,
                    },
                )
            )
    return figures


def _windows_per_s(classifier: Classifier, windows: NDArray[np.float32]) -> float:
    classifier.classify(windows)  # memory for this batch size
    n_calls = 0
    begun = time.thread_time()
    while (taken_s := time.thread_time() - begun) < LEAST_S or n_calls == 0:
        classifier.classify(windows)
        n_calls += 1
    return n_calls * len(windows) / taken_s


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "windows/s of the models on one thread")


if __name__ == "__main__":
    main()
