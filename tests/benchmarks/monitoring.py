"""What it costs to be watched over: processor time of metrics and scrapes, and what a scrape is.

har-stream has 3,000 phones, once without ``--metrics`` and once with it, scraped as Prometheus
does.
"""

import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from pipeline.vocabulary import AUTO_FAMILY
from tests.benchmarks.commands import tool
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, present_models, run_alone
from tests.benchmarks.load import recorded_motion
from tests.benchmarks.load_consumers import HAR_STREAM, Consumer, har_stream_flags
from tests.benchmarks.load_plan import Load
from tests.benchmarks.load_trial import Trial, run
from tests.benchmarks.monitoring_times import STAGES
from tests.brokers import find_free_port

PHONES: Final = 3000
SCRAPE_S: Final = 15.0
"""Between two scrapes that Prometheus makes"""
EVERY_S: Final = 5.0
"""Between two that are made here, so that there are several"""
HOLD_S: Final = 30.0
RAMP_S: Final = 5.0
CORE_LIMIT: Final = 0.01


def measure(options: Options) -> list[Figure]:
    """Return all figures.

    Raises:
        NotMeasuredError: Mosquitto or a model is missing, or nothing could be scraped.
    """
    [(_, model)] = present_models([AUTO_FAMILY])
    load = Load(PHONES, 1, hold_s=min(options.seconds, HOLD_S), ramp_s=RAMP_S)
    with tempfile.TemporaryDirectory() as name:
        motion = Path(name) / "motion.npy"
        np.save(motion, recorded_motion(options.data))
        without = run(HAR_STREAM, model, load, motion)
        port = find_free_port()
        with _scraping(f"http://127.0.0.1:{port}/metrics") as scrapes:
            watched = run(_watched(port), model, load, motion)
    if not scrapes:
        raise NotMeasuredError("har-stream answered no scrape")
    return [
        _cost_figure(without, watched),
        Figure(
            "monitoring",
            f"{PHONES:,} phones: a scrape",
            median(seconds for seconds, _ in scrapes) * 1000,
            "ms",
            detail=f"median of {len(scrapes)}; longest {max(scrapes)[0] * 1000:.0f}",
        ),
        Figure("monitoring", "bytes of a scrape", median(n for _, n in scrapes) / 1000, "kB"),
    ]


def _cost_figure(without: Trial, watched: Trial) -> Figure:
    before, after = watched.notes
    seconds = {
        stage: after["seconds"].get(stage, 0.0) - before["seconds"].get(stage, 0.0)
        for stage in STAGES
    }
    counted, published = (seconds[stage] / watched.seconds for stage in ("count", "publish"))
    answered_s = median(after["answers"])
    total = counted + published + answered_s / SCRAPE_S
    whole = [trial.consumer_cpu_s / trial.seconds for trial in (without, watched)]
    return Figure(
        "monitoring",
        f"{PHONES:,} phones: metrics, and a scrape every {SCRAPE_S:g} s",
        total,
        "of a core",
        limit=CORE_LIMIT,
        detail=f"counts {counted:.4f}, metrics every other second {published:.4f}, scrapes "
        f"{answered_s / SCRAPE_S:.4f}; all of har-stream {whole[0]:.3f} without, "
        f"{whole[1]:.3f} with it",
    )


def _watched(port: int) -> Consumer:
    """Return a har-stream that answers at a port, with clocks on what it does for that."""
    return Consumer(
        "har-stream with metrics",
        lambda broker, model, notes: [
            *(*tool("monitoring_times"), str(notes), *har_stream_flags(broker, model)),
            *("--metrics", f"127.0.0.1:{port}"),
        ],
        marked=True,
    )


@contextmanager
def _scraping(url: str) -> Iterator[list[tuple[float, int]]]:
    """Scrape every few seconds, and give the list of how long each took and its bytes."""
    scrapes: list[tuple[float, int]] = []
    stopped = threading.Event()

    def scrape() -> None:
        while not stopped.wait(EVERY_S):
            begun = time.monotonic()
            try:
                with urllib.request.urlopen(url, timeout=EVERY_S) as answer:
                    n_bytes = len(answer.read())
            except OSError:
                continue  # it does not run yet, or any more
            scrapes.append((time.monotonic() - begun, n_bytes))

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield scrapes
    finally:
        stopped.set()
        thread.join()


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "what it costs to be watched over")


if __name__ == "__main__":
    main()
