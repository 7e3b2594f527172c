"""Figures: what a benchmark measured, what it is held against, and how both are printed.

What is measured, and how, is decided by the benchmarks themselves.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import shlex
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Final

from pipeline.models.card import ModelError
from pipeline.models.classifier import find_model
from pipeline.recordings import hapt
from pipeline.recordings.recording import DataError, Stretch
from pipeline.vocabulary import FAMILIES

FOLDER_VARIABLE: Final = "HAR_DATA_DIR"


class NotMeasuredError(Exception):
    """A figure could not be taken; the message says why."""


@dataclass(frozen=True)
class Figure:
    """One measured quantity."""

    benchmark: str
    """The script that measured it"""
    name: str
    value: float
    unit: str
    limit: float | None = None
    """Most that the project allows itself, in the same unit; the least, with `at_least`"""
    at_least: bool = field(default=False, kw_only=True)
    """More is better"""
    peer: str = ""
    """What else it is held against"""
    peer_value: float | None = None
    """What the peer reached, in the same unit"""
    detail: str = ""
    """How the value came about, for people"""
    parts: dict[str, float] = field(default_factory=dict)
    """What the detail says, for programs"""

    @property
    def limit_ratio(self) -> float | None:
        """Value divided by its limit."""
        return self.value / self.limit if self.limit else None

    @property
    def peer_ratio(self) -> float | None:
        """Value divided by the peer's."""
        return self.value / self.peer_value if self.peer_value else None

    @property
    def met(self) -> bool | None:
        """Whether the value is within its limit, None without one."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        """Return the figure as a line."""
        notes = [self.detail] if self.detail else []
        if self.peer_value is not None:
            notes.append(
                f"{self.peer} {readable(self.peer_value)} {self.unit}, ratio {self.peer_ratio:.2f}"
            )
        if self.limit is not None:
            sense = "at least" if self.at_least else "limit"
            notes.append(f"{sense} {self.limit:g} {self.unit}, ratio {self.limit_ratio:.2f}")
        missed = " BELOW THE LIMIT" if self.at_least else " OVER THE LIMIT"
        verdict = {None: "", True: " ok", False: missed}[self.met]
        note = f"({'; '.join(notes)})" if notes else ""
        return f"  {self.name:<42}{readable(self.value):>9} {self.unit:<9} {note}{verdict}".rstrip()

    def as_json(self) -> dict[str, object]:
        """Return all that is known of the figure, for a file."""
        ratios = {"limit_ratio": self.limit_ratio, "peer_ratio": self.peer_ratio}
        return {**vars(self), **ratios, "met": self.met}


@dataclass
class Options:
    """What the command line of a benchmark says."""

    data: Path | None
    """The data set's zip or folder, None to look for it where the commands look"""
    models: list[str]
    """Names of shipped models or paths"""
    seconds: float
    """Length of the replay in real time"""
    training: bool
    full: bool
    """Take the long form of what has a short one"""
    json: Path | None


def parse_options(description: str) -> Options:
    """Return the options; every benchmark takes all of them, that they may be called alike."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, help=f"data set's zip or folder; {FOLDER_VARIABLE}")
    parser.add_argument(
        "--models", nargs="+", default=list(FAMILIES), help="shipped models or .onnx files"
    )
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="length of the replay in real time"
    )
    parser.add_argument("--training", action="store_true", help="measure har-train too: minutes")
    parser.add_argument(
        "--full",
        action="store_true",
        help="also hold the largest load for 60 s, and let browsers come and go for an hour: hours",
    )
    parser.add_argument("--json", type=Path, help="file for all figures")
    options = Options(**vars(parser.parse_args()))
    signal.signal(signal.SIGTERM, _exit)  # so that the processes started are stopped
    return options


def raw_stretches(options: Options, subjects: Collection[int]) -> list[Stretch]:
    """Return the raw recordings of these subjects of HAPT.

    Raises:
        NotMeasuredError: they are not at hand.
    """
    try:
        recordings = hapt.recordings(options.data, subjects, download=False)
    except DataError as error:
        raise NotMeasuredError(str(error)) from error
    return [stretch for recording in recordings for stretch in recording.stretches]


def present_models(models: Iterable[str]) -> list[tuple[str, Path]]:
    """Return name and path of the models that there are, and print a note for each other."""
    found = []
    for model in models:
        try:
            path = find_model(model)
        except ModelError as error:
            print(f"  {model}: skipped: {error}")
            continue
        if path.is_file():
            found.append((path.stem, path))
        else:
            print(f"  {model}: skipped: {path} does not exist; har-train makes it")
    return found


def conditions() -> dict[str, str]:
    """Return when, where and with what this runs, and the command to repeat it."""
    folder = os.environ.get(FOLDER_VARIABLE)
    command = shlex.join(sys.orig_argv)
    return {
        "date": datetime.now().astimezone().isoformat(sep=" ", timespec="minutes"),
        "cpu": _cpu_model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "python": platform.python_version(),
        "onnxruntime": importlib.metadata.version("onnxruntime"),
        "numpy": importlib.metadata.version("numpy"),
        "command": f"{FOLDER_VARIABLE}={shlex.quote(folder)} {command}" if folder else command,
    }


def heading(found: Mapping[str, str]) -> str:
    """Return the heading of all output, two lines."""
    return (
        f"{found['date']}, {found['cpu']}, {found['cores']} cores (load {found['load before']}), "
        f"Python {found['python']}, onnxruntime {found['onnxruntime']}, numpy {found['numpy']}\n"
        f"repeat: {found['command']}"
    )


def print_conditions(found: Mapping[str, str]) -> None:
    """Print the heading of all output."""
    print(heading(found))


def show(figures: Sequence[Figure]) -> None:
    """Print figures, one a line."""
    for figure in figures:
        print(figure, flush=True)


def write_figures(
    file: Path,
    found: Mapping[str, str],
    figures: Sequence[Figure],
    not_measured: Mapping[str, str] | None = None,
) -> None:
    """Write the conditions, the figures, and why others are missing, as JSON."""
    everything = {
        "conditions": found,
        "figures": [figure.as_json() for figure in figures],
        "not_measured": not_measured or {},
    }
    file.write_text(json.dumps(everything, indent=2) + "\n")


def run_alone(measure: Callable[[Options], list[Figure]], description: str) -> None:
    """Run one benchmark as a command."""
    options = parse_options(description)
    found = conditions()
    print_conditions(found)
    try:
        figures = measure(options)
    except NotMeasuredError as error:
        sys.exit(f"  not measured: {error}")
    show(figures)
    if options.json is not None:
        write_figures(options.json, found, figures)


def readable(value: float) -> str:
    """Return a number with three digits, or all those before the point."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _exit(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)
