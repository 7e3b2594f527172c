"""A clock of processor time by stage, and what the clock itself takes."""

import functools
import inspect
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Final

REST: Final = "rest"
"""What the main thread takes beside the stages"""
CALIBRATION: Final = 20_000
"""Calls by which the clock itself is timed"""
_END: Final = object()
"""Comes after the last item of a generator"""


class StageClock:
    """Processor time of one thread, by stage."""

    def __init__(self) -> None:
        """Time the calling thread."""
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        """How often each stage was entered"""
        self.left: Counter[str] = Counter()
        """How often each stage, or `REST`, entered another"""
        self._thread = threading.get_ident()
        self._running = REST
        self._since = time.thread_time()

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with a timer around it.

        What a generator function makes is timed as it is gone through.
        """

        @functools.wraps(function)
        def timed(*args: object, **kwargs: object) -> object:
            if self._running is stage or threading.get_ident() != self._thread:
                return function(*args, **kwargs)
            before = self._enter(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self._switch(before)

        @functools.wraps(function)
        def timed_items(*args: object, **kwargs: object) -> Iterator[object]:
            step = self.timed(stage, functools.partial(next, function(*args, **kwargs), _END))
            while (item := step()) is not _END:
                yield item

        return timed_items if inspect.isgeneratorfunction(function) else timed

    def _enter(self, stage: str) -> str:
        """Begin a stage, and return the one that ran."""
        before = self._running
        self.calls[stage] += 1
        self.left[before] += 1
        self._switch(stage)
        return before

    def _switch(self, stage: str) -> None:
        """Give the time since the last switch to the stage that ran."""
        now = time.thread_time()
        self.seconds[self._running] += now - self._since
        self._running, self._since = stage, now


def seconds_an_entry() -> float:
    """Return how long it takes to enter a stage from another and to leave it."""

    def nothing() -> None:
        pass

    timed = StageClock().timed("stage", nothing)
    begun = time.thread_time()
    for _ in range(CALIBRATION):
        nothing()
    between_s = time.thread_time()
    for _ in range(CALIBRATION):
        timed()
    return max(time.thread_time() - between_s - (between_s - begun), 0.0) / CALIBRATION
