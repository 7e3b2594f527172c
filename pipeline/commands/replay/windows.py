"""The windows that a replay expects to be answered, and the predictions that came for them."""

import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from pipeline.commands.replay.outgoing_messages import OutgoingMessage
from pipeline.vocabulary import SAMPLING_RATE_HZ

TOLERANCE_SAMPLES: Final = 0.25
"""A prediction belongs to the window whose start is this near."""


@dataclass(eq=False)
class ExpectedWindow:
    """A window that was sent, and what came back."""

    device: str
    start: float
    """Seconds after the start of the replay"""
    true_activity: str | None
    """The label of all its samples, None if they have none or several"""
    published: float
    """Monotonic seconds when its last sample was handed to the connection"""
    predicted_activity: str | None = None
    """None until its prediction has come"""
    is_recognisable: bool = True
    """Whether the model that answered has the true activity, if there is one"""
    latency_s: float | None = None


class _Prediction(msgspec.Struct):
    device: str
    start: float
    activity: str
    probabilities: dict[str, float]


class ExpectedWindows:
    """All windows sent so far; one thread sends, another one receives."""

    def __init__(self, devices: Iterable[str], *, epoch: float) -> None:
        """Begin with none.

        Args:
            devices: the phones that are played.
            epoch: epoch seconds of the replay's start.
        """
        self._devices = frozenset(devices)
        self._epoch = epoch
        self.by_number: dict[tuple[str, int], ExpectedWindow] = {}
        """By device and nearest sample of the replay"""
        self.n_unexpected = 0
        """Predictions of these phones for windows that were not expected"""
        self.last_answer = 0.0
        """Monotonic seconds when the last window was answered"""
        self._changed = threading.Condition()
        self._n_outstanding = 0
        self._last_progress = 0.0

    def expect(self, message: OutgoingMessage) -> None:
        """Note the windows that a message completes, before it is sent."""
        now = time.monotonic()
        with self._changed:
            self._last_progress = self._last_progress if self._n_outstanding else now
            for start, activity in message.completes:
                key = message.device, math.floor(start * SAMPLING_RATE_HZ + 0.5)
                if key not in self.by_number:  # files of overlapping times share windows
                    self._n_outstanding += 1
                    self.by_number[key] = ExpectedWindow(message.device, start, activity, now)

    def answer(self, payload: bytes, received: float) -> None:
        """Enter a prediction, which came at ``received`` in monotonic seconds, at its window."""
        prediction = msgspec.json.decode(payload, type=_Prediction)
        window = self._window_at(prediction.device, prediction.start - self._epoch)
        with self._changed:
            if window is None:
                self.n_unexpected += prediction.device in self._devices
            elif window.predicted_activity is None:  # not a repeat
                window.predicted_activity = prediction.activity
                true = window.true_activity
                window.is_recognisable = true is None or true in prediction.probabilities
                window.latency_s = received - window.published
                self._n_outstanding -= 1
                self._last_progress = self.last_answer = received
                self._changed.notify_all()

    def await_answers(self, most: int, *, timeout_s: float, check: Callable[[], None]) -> None:
        """Return when at most so many windows are unanswered.

        Args:
            most: windows that may be.
            timeout_s: seconds without an answer after which waiting ends.
            check: is called every second or so; what it raises ends waiting.

        Raises:
            TimeoutError: answers stopped coming; how many are missing.
        """
        with self._changed:
            while self._n_outstanding > most:
                check()
                if not self._changed.wait(timeout=1.0) and (
                    time.monotonic() - self._last_progress > timeout_s
                ):
                    raise TimeoutError(
                        f"no prediction came for {timeout_s:g} s; "
                        f"{self._n_outstanding} of {len(self.by_number)} are missing"
                    )

    def _window_at(self, device: str, start: float) -> ExpectedWindow | None:
        """Return the window that begins at ``start``, in seconds after that of the replay."""
        # Windows of a file may begin half way between two of these numbers.
        for number in {math.floor(start * SAMPLING_RATE_HZ), math.ceil(start * SAMPLING_RATE_HZ)}:
            window = self.by_number.get((device, number))
            if window is not None and (
                abs(window.start - start) * SAMPLING_RATE_HZ <= TOLERANCE_SAMPLES
            ):
                return window
        return None
