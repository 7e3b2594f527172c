"""har-stream with a clock on each stage: the processor time of each, measured under a real load.

A stage is what some modules do, whatever their functions are called: as har-stream imports them,
timers are put around their public functions and methods, and then it runs as ever. A stage's time
is that of its own functions less what other stages take within them, and less what the timers take.
On SIGUSR1 the state of the clocks is noted; all notes are written at the end.
"""

import inspect
import json
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Final

from tests.benchmarks.stage_clock import REST, StageClock, seconds_an_entry


class StageError(Exception):
    """A stage is not where it was; whoever changed it tells here where it is now."""


@dataclass(frozen=True)
class Place:
    """A module, a package with all modules in it, or a class, that does a stage's work.

    What lies in several places is of the narrowest: the class, else the longest name of a module.
    """

    module: str
    """Of the module, or of the package"""
    name: str = ""
    """Of the class; empty for the module itself"""
    methods: str = r"[^_]\w*"
    """Regular expression of the functions or methods that count: all public ones"""

    def holds(self, module: str) -> bool:
        """Return whether a module is the place, or lies within it."""
        return f"{module}.".startswith(f"{self.module}.")


RECOGNITION: Final = "pipeline.recognition"
PREPARATION: Final = f"{RECOGNITION}.preparation"
STAGES: Final[Mapping[str, tuple[Place, ...]]] = {
    "receive": (Place("pipeline.mqtt.connection", "Connection", r"take\w*|acknowledge"),),
    "decode": (
        Place("pipeline.subscriptions"),
        Place("pipeline.formats"),
        Place("pipeline.serving.decoding"),
    ),
    "serve": (Place("pipeline.serving"),),
    "prepare": (Place(RECOGNITION),),
    "resample": (
        Place(f"{PREPARATION}.resampler"),
        Place(f"{PREPARATION}.continuing"),
        Place(f"{PREPARATION}.continuing_sources"),
        Place(f"{PREPARATION}.continuing_clocks"),
        Place(f"{PREPARATION}.steady"),
        Place(f"{PREPARATION}.interpolated"),
        Place(f"{PREPARATION}.separate"),
        Place(f"{PREPARATION}.interpolation"),
    ),
    "filter": (Place(f"{PREPARATION}.filters"),),
    "window": (Place(f"{PREPARATION}.windows"),),
    "infer": (Place("pipeline.models.classifier"),),
    "decide": (Place(f"{RECOGNITION}.judgement"),),
    "publish": (
        Place("pipeline.mqtt.connection", "Connection", r"publish\w*"),
        Place("pipeline.serving.outputs"),
    ),
}
"""Stages in their order, and what each is made of"""

NETWORK: Final = "network"
"""What the other threads take: paho's own receiving, confirming and sending"""
TIMERS: Final = "timers"
"""What the timers take"""


class _Loader(MetaPathFinder):
    """Lets modules be imported as ever, and puts timers into those that are a stage's."""

    def __init__(self, clock: StageClock, stages: Mapping[str, Iterable[Place]]) -> None:
        self._clock = clock
        self._places = [(stage, place) for stage, places in stages.items() for place in places]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module's spec, if it is a stage's, with timers put in once it is executed."""
        if not any(place.holds(fullname) for _, place in self._places):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_time(module: ModuleType) -> None:
            execute(module)
            self.put_timers(module)

        setattr(spec.loader, "exec_module", execute_and_time)  # noqa: B010  of this spec alone
        return spec

    def put_timers(self, module: ModuleType) -> None:
        """Put timers around a module's functions and its classes' methods.

        Raises:
            StageError: a class or its methods are not there.
        """
        for stage, place in self._places:
            if place.module == module.__name__ and place.name:
                owner = getattr(module, place.name, None)
                if not any(re.fullmatch(place.methods, name) for name in vars(owner or object)):
                    raise StageError(
                        f"{stage}: {place.module} has no {place.name} with a method like "
                        f"{place.methods}; name in {__file__} what does it now"
                    )
        self._time_functions(module, module.__name__, "")
        for name, owner in list(vars(module).items()):
            if inspect.isclass(owner) and owner.__module__ == module.__name__:
                self._time_functions(owner, module.__name__, name)

    def _time_functions(self, owner: ModuleType | type, module: str, class_name: str) -> None:
        for name, function in list(vars(owner).items()):
            if not inspect.isfunction(function) or function.__module__ != module:
                continue
            of = [
                (len(place.name), len(place.module), stage)
                for stage, place in self._places
                if place.holds(module)
                and place.name in ("", class_name)
                and re.fullmatch(place.methods, name)
            ]
            if of:
                setattr(owner, name, self._clock.timed(max(of)[2], function))


def install(clock: StageClock, stages: Mapping[str, Iterable[Place]] = STAGES) -> None:
    """Let the clock's timers be put around all that the stages are made of, once it is imported.

    Raises:
        StageError: a module, a class or its methods are not there.
    """
    loader = _Loader(clock, stages)
    for stage, places in stages.items():
        for place in places:
            try:
                spec = find_spec(place.module)
            except ImportError:
                spec = None
            if spec is None:
                raise StageError(
                    f"{stage}: there is no {place.module}; name in {__file__} what does it now"
                )
    for name, module in list(sys.modules.items()):
        if any(place.holds(name) for places in stages.values() for place in places):
            loader.put_timers(module)
    sys.meta_path.insert(0, loader)


def between(
    before: Mapping[str, Any], after: Mapping[str, Any], stages: Iterable[str] = STAGES
) -> dict[str, float]:
    """Return each stage's seconds of processor time between two notes.

    Beside them are `NETWORK`, `REST` and `TIMERS`; all add up to the process's time. Half of an
    entry's cost falls into the stage that is entered, half into the one that enters it.

    Raises:
        StageError: a stage was not entered between them.
    """

    def difference(what: str, stage: str) -> float:
        return float(after[what].get(stage, 0.0) - before[what].get(stage, 0.0))

    entry_s = float(after["entry"])
    seconds = {}
    n_entries = 0.0
    for stage in stages:
        if (n_entered := difference("calls", stage)) == 0:
            raise StageError(f"{stage}: what is timed was never called; see {__file__}")
        n_switches = n_entered + difference("left", stage)
        seconds[stage] = difference("seconds", stage) - n_switches * entry_s / 2
        n_entries += n_entered
    main_s = after["main"] - before["main"]
    seconds[TIMERS] = n_entries * entry_s
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
                "left": dict(clock.left),
                "entry": entry_s,
                "main": time.thread_time(),
                "process": time.process_time(),
                **more(),
            }
        )

    entry_s = seconds_an_entry()
    try:
        install(clock, stages)
        from pipeline.commands.stream.command import main as har_stream
    except StageError as error:
        sys.exit(f"stage times: {error}")
    signal.signal(signal.SIGUSR1, note)
    try:
        har_stream()
    finally:
        file.write_text(json.dumps(notes))


def main() -> None:
    """Run har-stream with the flags after the first, which names the file for the notes."""
    run(Path(sys.argv.pop(1)), StageClock())


if __name__ == "__main__":
    main()
