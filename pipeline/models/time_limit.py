"""A limit to the time that work may take which cannot be interrupted: it runs on a thread."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

_END_S: Final = 1.0
"""Within which work ends when it is asked to"""

T = TypeVar("T")


def within(longest_s: float, work: Callable[[], T], *, stop: Callable[[], None]) -> T:
    """Return the result of work.

    Args:
        longest_s: seconds that it may take.
        work: what is to be done.
        stop: asks it to end.

    Raises:
        TimeoutError: there is none after ``longest_s`` seconds. The work is asked to end; if it
            does not, it goes on until the program ends.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except Exception as error:  # whatever it is, the caller gets it
            result.set_exception(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(longest_s)
    if thread.is_alive():
        stop()
        thread.join(_END_S)
        raise TimeoutError
    return result.result()
