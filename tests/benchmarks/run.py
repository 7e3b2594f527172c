"""Runs all benchmarks, holds each figure against its limit, and sums up (``make bench``).

Timings never fail the run; a benchmark that could not be measured makes the exit code 1.
"""

import sys
from collections.abc import Callable
from typing import Final

from tests import browsers
from tests.benchmarks import (
    calibration,
    calibration_elsewhere,
    checkpoint,
    data_set,
    decisions,
    end_to_end,
    history,
    inference,
    load,
    monitoring,
    placement_sets,
    plausibility,
    resampling,
    sampling_elsewhere,
    timeline,
    training,
    wearer_frames,
    web,
    web_latency,
    web_pages,
)
from tests.benchmarks.figures import (
    Figure,
    NotMeasuredError,
    Options,
    conditions,
    parse_options,
    print_conditions,
    show,
    write_figures,
)

BENCHMARKS: Final[dict[str, Callable[[Options], list[Figure]]]] = {
    "data_set": data_set.measure,
    "placement_sets": placement_sets.measure,
    "inference": inference.measure,
    "resampling": resampling.measure,
    "sampling_elsewhere": sampling_elsewhere.measure,
    "end_to_end": end_to_end.measure,
    "timeline": timeline.measure,
    "load": load.measure,
    "checkpoint": checkpoint.measure,
    "monitoring": monitoring.measure,
    "wearer_frames": wearer_frames.measure,
    "training": training.measure,
    "plausibility": plausibility.measure,
    "calibration": calibration.measure,
    "calibration_elsewhere": calibration_elsewhere.measure,
    "decisions": decisions.measure,
    "history": history.measure,
    "web": web.measure,
    "web_latency": web_latency.measure,
    "web_pages": web_pages.measure,
}
IN_A_BROWSER: Final = ("web_latency", "web_pages")


def main() -> None:
    """Run the command."""
    options = parse_options("All benchmarks, each figure with its limit")
    found = conditions()
    print_conditions(found)
    figures: list[Figure] = []
    failures: dict[str, str] = {}
    for name, measure in BENCHMARKS.items():
        print(f"{name}.py", flush=True)
        if name == "training" and not options.training:
            print("  skipped: takes minutes; measure it with --training")
            continue
        if name in IN_A_BROWSER and (reason := browsers.missing()) is not None:
            print(f"  skipped: {reason}")
            continue
        try:
            measured = measure(options)
        except NotMeasuredError as error:
            failures[name] = str(error)
            print(f"  not measured: {error}", flush=True)
            continue
        show(measured)
        figures += measured
    _print_summary(figures)
    if options.json is not None:
        write_figures(options.json, found, figures, failures)
    sys.exit(1 if failures else 0)


def _print_summary(figures: list[Figure]) -> None:
    limited = [figure for figure in figures if figure.met is not None]
    exceeded = [figure.name for figure in limited if not figure.met]
    print(f"summary: {len(limited) - len(exceeded)} of {len(limited)} limits are met")
    for name in exceeded:
        print(f"  misses its limit: {name}")


if __name__ == "__main__":
    main()
