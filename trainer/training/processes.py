"""Several trainings at a time, each in another process.

TensorFlow takes one core for models so small: the next does well on the next core. A training's
weights depend on how many threads it has, so each has one, alone or not.
"""

import logging
import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children, get_context
from typing import Any, Final, TypeVar

LOG_LEVEL: Final = "TF_CPP_MIN_LOG_LEVEL"
"""TensorFlow's environment variable: 0 all messages to 3 only fatal ones"""

_THREADS: Final = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")

G = TypeVar("G")
J = TypeVar("J")
R = TypeVar("R")


class KilledError(Exception):
    """A process was killed, often because memory ran out."""


_given: Any = None
"""The value that a process was given for all its jobs"""


def each(
    function: Callable[[G, J], R], given: G, jobs: Sequence[J], *, at_once: int | None = None
) -> Iterator[R]:
    """Yield a function's results for jobs, in their order; if one fails, the others end.

    Args:
        function: takes the value given to all, and a job.
        given: can be pickled, as the jobs can.
        jobs: a single one is done in this process.
        at_once: so many at a time, at most; by default as many as there are cores.

    Raises:
        KilledError: a process was.
    """
    n = min(len(jobs), at_once or _n_cores())
    if n <= 1:
        yield from map(partial(function, given), jobs)
        return
    # TensorFlow does not survive a fork.
    context = get_context("spawn")
    # Not max_tasks_per_child, with which Python 3.11's pool can wait for ever.
    with ProcessPoolExecutor(n, context, _begin, (pickle.dumps(given),)) as pool:
        try:
            yield from pool.map(partial(_do, function), jobs)
        except BrokenProcessPool as error:
            raise KilledError(
                "a training was killed, perhaps because memory ran out: run the same command again"
            ) from error
        except BaseException:
            for process in active_children():
                process.terminate()
            raise


@contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Let TensorFlow be imported with one thread, without its lines about the machine.

    At log level 0 they are shown.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    if os.environ.setdefault(LOG_LEVEL, "3") == "0":
        yield
        return
    # It would warn that every further model is traced anew.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # While it is imported, TensorFlow 2.21 writes past its log level, not through sys.stderr.
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _begin(given: bytes) -> None:
    """Make a process ready for its jobs."""
    global _given
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process stops this one
    with quiet_tensorflow():
        import tensorflow  # noqa: F401  # while it is quiet; what is given may import it

        _given = pickle.loads(given)


def _do(function: Callable[[G, J], R], job: J) -> R:
    return function(_given, job)


def _n_cores() -> int:
    """Return how many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
