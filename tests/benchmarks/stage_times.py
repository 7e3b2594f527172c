"""har-stream with a clock on each stage: the processor time of each, measured under a real load.

Timers are put around the public methods of the classes that a stage is made of, from outside, and
then har-stream runs as ever. A stage's time is that of its own methods less what other stages take
within them. On SIGUSR1 the state of the clocks is noted; all notes are written at the end.
"""

import functools
import importlib
import inspect
import json
import re
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final


class StageError(Exception):
    """A stage is not where it was; whoever changed it tells here where it is now."""


@dataclass(frozen=True)
class Place:
    """A class, or a module of functions, that does a stage's work."""

    module: str
    name: str = ""
    """Of the class; empty for the module itself"""
    methods: str = r"[^_]\w*"
    """Regular expression of the methods that count: all public ones"""


STAGES: Final[Mapping[str, tuple[Place, ...]]] = {
    "receive": (Place("pipeline.mqtt.connection", "Connection", "take"),),
    "decode": (Place("pipeline.subscriptions", "Route"),),
    "resample": (Place("pipeline.recognition.preparation.resampler", "Resampler"),),
    "filter": (Place("pipeline.recognition.preparation.filters", "Preprocessor"),),
    "window": (Place("pipeline.recognition.preparation.windows", "Windower"),),
    "infer": (Place("pipeline.models.classifier", "Classifier"),),
    "decide": (
        Place("pipeline.recognition.judgement.judgement", methods="check"),
        Place("pipeline.recognition.judgement.sanity_checks.plausibility", "Plausibility"),
        Place("pipeline.recognition.judgement.decisions", "Decider"),
    ),
    "publish": (
        Place("pipeline.mqtt.connection", "Connection", r"publish\w*"),
        Place("pipeline.serving.outputs.phone_topics"),
    ),
}
"""Stages in their order, and what each is made of"""

NETWORK: Final = "network"
"""What the other threads take: paho's own receiving, confirming and sending"""
REST: Final = "rest"
"""What the main thread takes beside the stages"""


class StageClock:
    """Processor time of one thread, by stage."""

    def __init__(self) -> None:
        """Time the calling thread."""
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self._thread = threading.get_ident()
        self._running: list[str] = []
        self._since = 0.0

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with a timer around it."""

        @functools.wraps(function)
        def timed(*args: object, **kwargs: object) -> object:
            if threading.get_ident() != self._thread:
                return function(*args, **kwargs)
            self._switch()
            self._running.append(stage)
            self.calls[stage] += 1
            try:
                return function(*args, **kwargs)
            finally:
                self._switch()
                self._running.pop()

        return timed

    def _switch(self) -> None:
        """Give the time since the last switch to the stage that ran."""
        now = time.thread_time()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now


def install(clock: StageClock, stages: Mapping[str, Iterable[Place]] = STAGES) -> None:
    """Put the clock's timers around all that the stages are made of.

    Raises:
        StageError: a module, a class or its methods are not there.
    """
    for stage, places in stages.items():
        for place in places:
            try:
                owner = importlib.import_module(place.module)
                owner = getattr(owner, place.name) if place.name else owner
            except (ImportError, AttributeError) as error:
                raise StageError(f"{stage}: {error}; name in {__file__} what does it now") from None
            methods = {
                name: function
                for name, function in vars(owner).items()
                if inspect.isfunction(function) and re.fullmatch(place.methods, name)
            }
            if not methods:
                raise StageError(
                    f"{stage}: {place.module}.{place.name} has no method like {place.methods}"
                )
            for name, function in methods.items():
                setattr(owner, name, clock.timed(stage, function))


def between(
    before: Mapping[str, Any], after: Mapping[str, Any], stages: Iterable[str] = STAGES
) -> dict[str, float]:
    """Return each stage's seconds of processor time between two notes, and `NETWORK` and `REST`.

    Raises:
        StageError: a stage was not entered between them.
    """
    seconds = {}
    for stage in stages:
        if after["calls"].get(stage, 0) == before["calls"].get(stage, 0):
            raise StageError(f"{stage}: what is timed was never called; see {__file__}")
        seconds[stage] = after["seconds"][stage] - before["seconds"].get(stage, 0.0)
    main_s = after["main"] - before["main"]
    seconds[REST] = main_s - sum(seconds.values())
    seconds[NETWORK] = after["process"] - before["process"] - main_s
    return seconds


def run(
    file: Path,
    clock: StageClock,
    stages: Mapping[str, Iterable[Place]] = STAGES,
    *,
    more: Callable[[], dict[str, object]] = dict,
) -> None:
    """Run har-stream with the clock on stages; at the end write notes, with ``more`` in each."""
    notes: list[dict[str, object]] = []

    def note(signum: int, frame: FrameType | None) -> None:
        notes.append(
            {
                "seconds": dict(clock.seconds),
                "calls": dict(clock.calls),
                "main": time.thread_time(),
                "process": time.process_time(),
                **more(),
            }
        )

    try:
        install(clock, stages)
    except StageError as error:
        sys.exit(f"stage times: {error}")
    signal.signal(signal.SIGUSR1, note)
    from pipeline.commands.stream.command import main as har_stream

    try:
        har_stream()
    finally:
        file.write_text(json.dumps(notes))


def main() -> None:
    """Run har-stream with the flags after the first, which names the file for the notes."""
    run(Path(sys.argv.pop(1)), StageClock())


if __name__ == "__main__":
    main()
