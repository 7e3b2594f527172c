"""Labels: the activity of a phone's wearer, as messages name it, and times that are impossible.

A label holds from its time on, until the next label. A label that cannot be used ends the one
before all the same: from then on the activity is unknown.
"""

from typing import Final

import msgspec
import numpy as np

from pipeline.event_log import EventLog
from pipeline.readings import MessageError, Reason
from pipeline.recordings.activity_names import activity_name
from pipeline.serving.losses import LOG_INTERVAL_S

logger = EventLog(__name__)

MAX_LABEL_BYTES: Final = 4_096
"""Of a message on ``har/<device>/label``"""
MOST_LABEL_LINES: Final = 5
"""Changes of the label that are logged in `LOG_INTERVAL_S`"""
CLOCKS_DIFFER_S: Final = 60.0
"""By which the clock of the labels' sender may differ from the phone's and this machine's"""
FIRST_LABEL_S: Final = 1e9
"""Epoch seconds, September 2001: an earlier time is none since 1970. A label may be older than the
recording that it is of."""

FINER_UNITS: Final = {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
"""Units of time that are sent by mistake, and how many of them make a second"""


class LabelError(MessageError):
    """A label that cannot be used. It ends the label before all the same."""

    def __init__(self, reason: Reason, explanation: str, *, time: float | None = None) -> None:
        """Keep the time from which the activity is unknown, None for now."""
        super().__init__(reason, explanation)
        self.time = time


class _LabelMessage(msgspec.Struct):
    label: str
    time: float | None = None


def decode_label(payload: bytes) -> tuple[str | None, float | None]:
    """Return the activity that a message on ``har/<device>/label`` names, and from when on.

    None for no activity; None for now. The message is plain text, or JSON with ``label`` and, if
    it is not now, ``time`` in epoch seconds.

    Raises:
        LabelError: it is neither, or no name of an activity.
    """
    if len(payload) > MAX_LABEL_BYTES:
        raise LabelError("size", f"{len(payload)} bytes; at most {MAX_LABEL_BYTES}")
    try:
        text, time = payload.decode(), None
        if text.lstrip().startswith("{"):
            message = msgspec.json.decode(payload, type=_LabelMessage)
            text, time = message.label, message.time
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LabelError("label", f"neither text nor {{label, time}}: {error}") from error
    try:
        return activity_name(text), time
    except MessageError as error:
        raise LabelError(error.reason, str(error), time=time) from error


def explanation(time: float, oldest: float, newest: float) -> str:
    """Return why a label's time is rejected that is not between two others, in epoch seconds."""
    for unit, per_s in FINER_UNITS.items():
        if oldest <= time / per_s <= newest:
            return f"the time of a label is in seconds since 1970, and {time:.0f} is in {unit}"
    where = "ahead of now" if time > newest else "before"
    return f"the time of a label is in seconds since 1970, and {time:.15g} is far {where}"


class LabelLog:
    """Logs changes of the label, not more than people make."""

    def __init__(self) -> None:
        """Begin with none logged."""
        self._begun = -np.inf  # epoch seconds of the first of the lines that count
        self._n_lines = 0
        self._n_unlogged = 0

    def add(self, activity: str | None, *, now: float) -> None:
        """Log a change, or count it; ``now`` is epoch seconds."""
        if not 0 <= now - self._begun < LOG_INTERVAL_S:
            self._begun, self._n_lines = now, 0
        if self._n_lines == MOST_LABEL_LINES:
            self._n_unlogged += 1
            return
        self._n_lines += 1
        logger.info(
            "label-changed",
            "label %(label)s"
            + (" (%(n_unlogged)d changes before are not logged)" if self._n_unlogged else ""),
            label=activity or "none",
            n_unlogged=self._n_unlogged,
        )
        self._n_unlogged = 0
