"""The scores of decisions as a table for people, a line a data set and hop."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from trainer.selection.decision_scores import DecisionScores, Shares

_HEAD: Final = (
    f"{'':31}  newest  now                   false  timeline\n"
    f"{'percent of samples':26}  hop   wrong  wrong unknown  seen   /min  wrong unknown  seen"
)


def table(scores: Mapping[tuple[str, int], DecisionScores]) -> str:
    """Return a line for each data set and hop: percent of samples, and false changes a minute.

    *Newest* is the newest window alone; *seen* is the share of changes of posture that is seen, if
    there are some.
    """
    return "\n".join([_HEAD, *(_line(*which, of) for which, of in scores.items())])


def _line(name: str, hop: int, scores: DecisionScores) -> str:
    return (
        f"{name:26}  {hop:3}  {100 * scores.newest_wrong:6.2f}  {_shares(scores.now)}"
        f"  {scores.false_changes:5.2f}  {_shares(scores.timeline)}"
    )


def _shares(shares: Shares) -> str:
    seen = "-" if np.isnan(shares.seen) else f"{100 * shares.seen:.0f}"
    return f"{100 * shares.wrong:5.2f} {100 * shares.unknown:7.2f}  {seen:>4}"
