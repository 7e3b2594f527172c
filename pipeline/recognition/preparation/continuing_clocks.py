"""The clocks of the sensors whose grids just continue, in arrays: what `Clocks` has of one phone.

Of phones whose clocks agree, and of which nothing but the sensors of their rows has come.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Sensor
from pipeline.recognition.per_phone import PerPhone
from pipeline.recognition.preparation.choices import CHOICES, sensors_of
from pipeline.recognition.preparation.clocks import CLOCKS_COMPARED_S, STALL_S, Clock, Clocks

MOST_SENSORS: Final = max(len(sensors_of(choice)) for choice in CHOICES)
"""Sensors that make up a row"""


class ContinuingClocks(PerPhone):
    """Of each phone the clocks of its sensors, in the order in which rows have them.

    The last one is that with which the others are compared.
    """

    _per_phone = (
        *("newest", "elapsed_s", "heard_at_s", "n_messages", "least_s", "most_s"),
        *("begun_s", "last", "n_alternations"),
    )

    def __init__(self, n_slots: int) -> None:
        """Make room for ``n_slots`` phones."""
        shape = n_slots, MOST_SENSORS
        # As in `Clock`:
        self.newest = np.zeros(shape)
        self.elapsed_s = np.zeros(shape)
        self.heard_at_s = np.zeros(shape)
        self.n_messages = np.zeros(shape, np.int64)
        self.least_s = np.zeros(shape)
        self.most_s = np.zeros(shape)
        # As in `Clocks`:
        self.begun_s = np.zeros(n_slots)
        self.last = np.zeros(n_slots, np.int8)
        self.n_alternations = np.zeros(n_slots, np.int64)

    def keep(self, slot: int, sensors: Sequence[Sensor], clocks: Clocks) -> None:
        """Take over the clocks of a phone's sensors."""
        for i, sensor in enumerate(sensors):
            clock = clocks.of[sensor]
            self.newest[slot, i], self.elapsed_s[slot, i] = clock.newest, clock.elapsed_s
            self.heard_at_s[slot, i] = clock.heard_at_s
            self.n_messages[slot, i] = clock.n_messages
            self.least_s[slot, i], self.most_s[slot, i] = clock.ahead_s
            if sensor == clocks.last:
                self.last[slot] = i
        self.begun_s[slot], self.n_alternations[slot] = clocks.begun_s, clocks.n_alternations

    def kept(self, slot: int, sensors: Sequence[Sensor]) -> Clocks:
        """Return the clocks of a phone's sensors."""
        clocks = Clocks()
        for i, sensor in enumerate(sensors):
            clocks.of[sensor] = Clock(
                float(self.newest[slot, i]),
                float(self.elapsed_s[slot, i]),
                float(self.heard_at_s[slot, i]),
                int(self.n_messages[slot, i]),
                (float(self.least_s[slot, i]), float(self.most_s[slot, i])),
            )
        clocks.begun_s, clocks.last = float(self.begun_s[slot]), sensors[self.last[slot]]
        clocks.n_alternations = int(self.n_alternations[slot])
        return clocks

    def copies(self, slots: NDArray[np.intp], n_sensors: int) -> "ContinuingClocks":
        """Return copies of the clocks of phones, each of so many sensors."""
        copies = ContinuingClocks(0)
        for name in self._per_phone:
            copy = getattr(self, name)[slots]
            setattr(copies, name, copy[:, :n_sensors] if copy.ndim > 1 else copy)
        return copies

    def put(
        self, slots: NDArray[np.intp], copies: "ContinuingClocks", which: NDArray[np.bool_]
    ) -> None:
        """Let hold for phones ``(n_chosen,)`` what has become of ``copies`` of their clocks.

        The copies are of more phones; ``which`` ``(n_phones,)`` says of which are those.
        """
        n_sensors = copies.newest.shape[1]
        for name in self._per_phone:
            copy, own = getattr(copies, name)[which], getattr(self, name)
            if copy.ndim > 1:
                own[slots, :n_sensors] = copy
            else:
                own[slots] = copy

    def note(self, sensor: int, newest: NDArray[np.float64]) -> None:
        """Note the newest times ``(n_phones,)`` in a message of all phones, as `Clocks.note`."""
        passed_s = np.maximum(newest - self.newest[:, sensor], 0.0)
        self.elapsed_s[:, sensor] += np.minimum(passed_s, STALL_S)
        self.newest[:, sensor] = newest
        self.n_messages[:, sensor] += 1
        self.n_alternations += self.last != sensor
        self.last[:] = sensor
        self.heard_at_s[:, sensor] = self.elapsed_s.max(axis=1)

    def compare(self, tolerance_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Compare the clocks of each phone after a message, as `Clocks.compare`.

        ``tolerance_s`` is ``(n_phones,)``. Return where the clocks agree, or it is not known yet.
        """
        ahead_s = self.newest[:, :-1] - self.newest[:, -1:]
        least_s, most_s = self.least_s[:, :-1], self.most_s[:, :-1]  # views
        np.minimum(least_s, ahead_s, out=least_s)
        np.maximum(most_s, ahead_s, out=most_s)
        elapsed_s = self.elapsed_s.max(axis=1)
        compared: NDArray[np.bool_] = elapsed_s - self.begun_s >= CLOCKS_COMPARED_S
        if not compared.any():
            return ~compared
        compared &= self.n_messages.min(axis=1) >= 2
        compared &= self.n_alternations >= 2 * self.newest.shape[1]
        limit_s = tolerance_s[:, np.newaxis]
        agree: NDArray[np.bool_] = np.logical_and.reduce(
            (least_s <= limit_s) & (most_s >= -limit_s), axis=1
        )
        self.n_messages[compared] = 0
        self.least_s[compared], self.most_s[compared] = np.inf, -np.inf
        self.begun_s[compared] = elapsed_s[compared]
        self.n_alternations[compared] = 0
        return agree | ~compared
