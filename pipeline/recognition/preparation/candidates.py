"""Candidates: sensors that come beside those of a phone's rows, and may take their place."""

from typing import Final

from pipeline.readings import Sensor
from pipeline.recognition.preparation.choices import CHOICES, Choice, best_choice, sensors_of
from pipeline.recognition.preparation.clocks import Clocks

BETTER_S: Final = 5.0
"""A sensor that comes so long beside those of the rows takes the place of one if it is better, or
if that one has been away for so long."""


class Candidates:
    """The candidates, and since when each has come."""

    def __init__(self) -> None:
        """Begin without any."""
        self.since: dict[Sensor, float] = {}

    def clear(self) -> None:
        """Forget all of them."""
        self.since.clear()

    def better_choice(
        self, sensor: Sensor, oldest: float, newest: float, choice: Choice, clocks: Clocks
    ) -> Choice | None:
        """Note a message of a candidate; return a choice better than ``choice``, if there is one.

        Args:
            sensor: the sensor.
            oldest: time of its oldest sample in the message.
            newest: time of its newest.
            choice: what rows are made of.
            clocks: of the phone's sensors.
        """
        since = self.since.setdefault(sensor, oldest)
        if newest < since:  # the clock was set back
            self.since[sensor] = since = oldest
        if newest - since <= BETTER_S:
            return None
        lasting = {
            other
            for other, begun in self.since.items()
            if not clocks.silent(other) and clocks.of[other].newest - begun > BETTER_S
        }
        best = best_choice({*sensors_of(choice), *lasting})
        if best is None or CHOICES.index(best) >= CHOICES.index(choice):
            return None
        return best
