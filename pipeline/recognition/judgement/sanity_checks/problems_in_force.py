"""Which problems each phone has after its last window."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.sanity_checks.problems import PROBLEMS
from pipeline.recognition.per_phone import PerPhone
from pipeline.recognition.rounds import Rounds


class ProblemsInForce(PerPhone):
    """The problems of all phones after their last window."""

    _per_phone = ("in_force",)

    def __init__(self, n_slots: int) -> None:
        """Make room for ``n_slots`` phones."""
        self.in_force = np.zeros((n_slots, len(PROBLEMS)), np.bool_)

    def reset(self, slots: Sequence[int]) -> None:
        """Forget these phones."""
        self.in_force[slots] = False

    def note(self, rounds: Rounds, problems: NDArray[np.bool_]) -> list[int]:
        """Note problems ``(n, n_problems)`` after each window of these rounds.

        Return the slots for which a window has changed them.
        """
        problems = rounds.ordered(problems)
        in_force = self.in_force[rounds.slots]
        changed = np.zeros(len(rounds.slots), np.bool_)
        for n_phones, places in rounds:
            changed[:n_phones] |= (problems[places] != in_force[:n_phones]).any(axis=1)
            in_force[:n_phones] = problems[places]
        self.in_force[rounds.slots] = in_force
        slots: list[int] = rounds.slots[changed].tolist()
        return slots
