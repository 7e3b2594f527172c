"""Blocks: the samples of many messages in one array, for what is done with all of them at once.

Most messages of a tick are alike: accelerometer and gyroscope sampled together, on a clock of the
epoch, as many rows in each. A block holds such messages. It says the same as `Readings` of each of
them would, and has passed the same checks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import (
    LATEST_TIME_S,
    MAX_RECORDING,
    BodyPlace,
    Convention,
    Delivery,
    Readings,
    largest_value,
    limits,
)

_SURELY_POSSIBLE: Final = largest_value("motion") ** 2
"""Sum of squares of all values of a message, of which none is then too large"""


@dataclass(frozen=True, eq=False)
class Block:
    """Samples of ``n`` messages with equally many rows, ``motion`` by `Sensor`.

    Their phones are told elsewhere: a format does not know all of them.
    """

    places: NDArray[np.intp]
    """``(n,)``: index of each message among those that were decoded, ascending"""
    times: NDArray[np.float64]
    """``(n, n_rows)``: seconds since the epoch"""
    values: NDArray[np.float64]
    """``(n, n_rows, 6)`` in m/s² and rad/s"""
    recordings: Sequence[str]
    """The sender's name for the recording of each"""
    conventions: Sequence[Convention | None]
    """The sign of accelerations, as each message states it"""
    worn_at: Sequence[BodyPlace | None]
    """Where the phone is worn, as each message states it"""

    def __len__(self) -> int:
        """Return how many messages there are."""
        return len(self.places)

    def chosen(self, which: NDArray[np.bool_]) -> Self:
        """Return those messages where ``which`` ``(n,)`` is true."""
        if which.all():
            return self
        indices = np.flatnonzero(which).tolist()
        return type(self)(
            self.places[which],
            self.times[which],
            self.values[which],
            [self.recordings[i] for i in indices],
            [self.conventions[i] for i in indices],
            [self.worn_at[i] for i in indices],
        )

    def readings(self, i: int, device: str) -> Readings:
        """Return one message's samples by themselves."""
        return Readings(
            device,
            self.times[i],
            self.values[i],
            "motion",
            self.recordings[i],
            convention=self.conventions[i],
            worn_at=self.worn_at[i],
        )

    def passing(self) -> Self:
        """Return those messages that pass the checks of `Readings`."""
        passes = (self.times.min(axis=1) >= 0) & (self.times.max(axis=1) < LATEST_TIME_S)
        passes &= [len(recording) <= MAX_RECORDING for recording in self.recordings]
        # None is larger than the root of the sum of all squares; NaN is not within any bound.
        in_doubt = ~(np.einsum("nij,nij->n", self.values, self.values) <= _SURELY_POSSIBLE)
        if in_doubt.any():
            possible = (np.abs(self.values[in_doubt]) <= limits("motion")).all(axis=(1, 2))
            passes[in_doubt] &= possible
        return self.chosen(passes)


@dataclass(frozen=True, eq=False)
class BlockDelivery:
    """A block's messages with their phones, which are admitted."""

    block: Block
    devices: Sequence[str]
    """``n``: their names; the messages of each are in their order"""
    received: NDArray[np.float64]
    """``(n,)``: epoch seconds when each message came"""

    def chosen(self, which: NDArray[np.bool_]) -> Self:
        """Return those messages where ``which`` ``(n,)`` is true."""
        devices = [self.devices[i] for i in np.flatnonzero(which).tolist()]
        return type(self)(self.block.chosen(which), devices, self.received[which])

    def delivery(self, i: int) -> Delivery:
        """Return one message's samples by themselves."""
        return Delivery([self.block.readings(i, self.devices[i])], float(self.received[i]))
