"""Which recording of a phone a message belongs to: the one under way, a new one, or one before.

A recording is named by the phone, and is on one kind of clock; messages that name none are one
recording, too. Rules, for the messages of a phone one after another:

* Another recording begins with its first message. Of a recording that was left, samples that are
  not newer than its newest are repeated; a message that just continues it was overtaken, and is
  late; all else is new.
* If recordings alternate, two phones send under one name. Then only the recording under way is
  used, until it has been silent for `MIXED_S` of another's samples; and they count as two phones
  until it has sent for so long with nothing of another between.
* Recordings shorter than a window, one after another, are reported: they have no windows.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from pipeline.readings import Clock
from pipeline.vocabulary import SAMPLING_RATE_HZ, WINDOW_LENGTH

MOST_PAST: Final = 8
"""Recordings of a phone that are remembered."""
MOST_RETURNS: Final = 2
"""So often a phone may go back to a recording before two phones are taken to use its name."""
MIXED_S: Final = 30.0
"""Seconds of one recording's samples, without a message of another, that show it to be alone. A
phone may gather samples over such a time and send them in one message."""
MOST_SHORT: Final = 3
"""So many recordings shorter than a window may follow each other."""

OVERTAKEN_S: Final = 0.5
"""A message that continues a recording which was left, up to such a pause, was overtaken."""

_WINDOW_S: Final = WINDOW_LENGTH / SAMPLING_RATE_HZ

Decision = Literal["goes on", "begins", "repeated", "late", "mixed"]


class RecordingSequence:
    """The recordings of one phone, one after another."""

    __slots__ = (
        *("_alone_since", "_begun", "_n_returns", "_n_short", "_others", "_past"),
        *("clock", "recording"),
    )

    def __init__(self) -> None:
        """Begin with one that has no name and no samples."""
        self.recording = ""
        self.clock: Clock = "epoch"
        self._past: dict[tuple[str, Clock], float] = {}
        """Time of the newest sample of recordings before, the oldest first"""
        self._alone_since = -float("inf")
        """Time of the first sample of the recording under way behind any message of another"""
        self._others: dict[tuple[str, Clock], float] = {}
        """Time of the first sample of others since a message of the recording under way"""
        self._n_returns = 0
        self._begun = float("inf")  # time of the first sample of the recording under way
        self._n_short = 0  # recordings before it, without one that was long enough between

    @property
    def is_mixed(self) -> bool:
        """Whether two phones seem to send under this name."""
        return self._n_returns > MOST_RETURNS

    @property
    def is_undisturbed(self) -> bool:
        """Whether a message that goes on with the recording under way changes nothing here."""
        return not (self._others or self._n_returns or self._n_short)

    @property
    def is_too_short(self) -> bool:
        """Whether recordings end before there is a window of them, one after another."""
        return self._n_short > MOST_SHORT

    def foresee(self, recording: str, clock: Clock, *, oldest: float, newest: float) -> Decision:
        """Return what `decide` would decide of a message, and change nothing."""
        key = recording, clock
        if key == (self.recording, self.clock):
            return "goes on"
        known_until = self._past.get(key, -float("inf"))
        if newest <= known_until:
            return "repeated"
        if recording and 0 < oldest - known_until <= OVERTAKEN_S:
            return "late"
        if self.is_mixed and newest - self._others.get(key, oldest) < MIXED_S:
            return "mixed"
        return "begins"

    def decide(
        self,
        recording: str,
        clock: Clock,
        *,
        oldest: float,
        newest: float,
        newest_before: float,
    ) -> tuple[Decision, float]:
        """Return which recording a message belongs to, and until when its samples are repeated.

        Args:
            recording: what the message names; nothing if it names none.
            clock: its kind of clock.
            oldest: time of its oldest sample.
            newest: time of its newest sample.
            newest_before: the same of the recording under way.
        """
        decision = self.foresee(recording, clock, oldest=oldest, newest=newest)
        if decision == "goes on":
            self._go_on(oldest, newest)
            return decision, -float("inf")
        key = recording, clock
        under_way = self.recording, self.clock
        known_until = self._past.get(key, -float("inf"))
        if decision == "repeated":
            return decision, known_until
        self._alone_since = float("inf")
        if decision == "late":
            return decision, known_until
        if decision == "mixed":
            self._others.setdefault(key, oldest)
            if len(self._others) > MOST_PAST:
                del self._others[next(iter(self._others))]
            return decision, known_until
        if key in self._past:
            self._n_returns += 1
        self._past.pop(key, None)
        self._past[under_way] = max(newest_before, self._past.pop(under_way, newest_before))
        if len(self._past) > MOST_PAST:
            del self._past[next(iter(self._past))]
        self.recording, self.clock = recording, clock
        self._n_short = self._n_short + 1 if newest_before - self._begun < _WINDOW_S else 0
        self._begun = oldest
        self._others.clear()
        return "begins", known_until

    def _go_on(self, oldest: float, newest: float) -> None:
        """Note a message of the recording under way."""
        self._others.clear()
        self._alone_since = min(self._alone_since, oldest)
        if newest - self._alone_since >= MIXED_S:
            self._n_returns = 0
        self._begun = min(self._begun, oldest)
        if newest - self._begun >= _WINDOW_S:
            self._n_short = 0

    @property
    def _is_single(self) -> bool:
        """Whether there is one recording, by the usual clock and without a name."""
        return not (self.recording or self._past or self._others) and self.clock == "epoch"

    @classmethod
    def state(cls, sequences: Sequence["RecordingSequence"]) -> dict[str, Any]:
        """Return the state of all sequences, in arrays ``(n,)``, and the recordings of some."""
        n = len(sequences)
        return {
            "alone_since": np.fromiter([one._alone_since for one in sequences], np.float64, n),
            "begun": np.fromiter([one._begun for one in sequences], np.float64, n),
            "n_returns": np.fromiter([one._n_returns for one in sequences], np.int64, n),
            "n_short": np.fromiter([one._n_short for one in sequences], np.int64, n),
            "recordings": [
                [
                    i,
                    one.recording,
                    one.clock,
                    [[*key, newest] for key, newest in one._past.items()],
                    [[*key, oldest] for key, oldest in one._others.items()],
                ]
                for i, one in enumerate(sequences)
                if not one._is_single
            ],
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> list["RecordingSequence"]:
        """Return the sequences that `state` was taken of."""
        sequences = [cls() for _ in state["begun"]]
        for name in ("alone_since", "begun", "n_returns", "n_short"):
            for sequence, value in zip(sequences, state[name].tolist(), strict=True):
                setattr(sequence, f"_{name}", value)
        for i, recording, clock, past, others in state["recordings"]:
            sequence = sequences[i]
            sequence.recording, sequence.clock = recording, clock
            sequence._past = {(name, clock): newest for name, clock, newest in past}
            sequence._others = {(name, clock): oldest for name, clock, oldest in others}
        return sequences
