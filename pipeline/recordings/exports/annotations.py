"""The annotations of Sensor Logger, and which of them are a recording's labels."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.readings import Sensor
from pipeline.recordings.exports.exports import enter
from pipeline.recordings.exports.files import ExportFiles
from pipeline.recordings.exports.gathered import Samples
from pipeline.recordings.exports.tables import number
from pipeline.recordings.recording import DataError

MOST_ANNOTATIONS: Final = 10_000
"""Of a recording"""

MOST_BESIDE_S: Final = 60.0
"""How long before the first sample or after the last one there may be an annotation"""
MOST_NAMED_ANNOTATIONS: Final = 3
"""Annotations of impossible times that are named"""

_NS_PER_S: Final = 1_000_000_000  # an integer: int / int is rounded once
_DIGITS_OF_A_MS: Final = 13
"""Digits that a time in nanoseconds must have been left to be right to a millisecond"""

_TIME: Final = "time"

AnnotatedLabels = list[tuple[float, str]]


@dataclass(frozen=True)
class Annotation:
    """What the wearer wrote down."""

    time: float
    """Epoch seconds"""
    text: str
    place: str
    """Where in its file it is, for people"""
    given: str
    """The time as it is spelt there"""


def epoch_seconds(text: str) -> float:
    """Return the float64 that is nearest to a time in nanoseconds, NaN if there is nothing.

    Raises:
        ValueError: it is none, or a spreadsheet has left too few of its digits.
    """
    text = text.strip()
    if not text:
        return np.nan
    try:
        return int(text) / _NS_PER_S
    except OverflowError:
        raise ValueError(f"time is too large ({text[:40]})") from None
    except ValueError:
        digits = re.sub(r"[eE].*|[^\d]", "", text)
        if len(digits) < _DIGITS_OF_A_MS:
            raise ValueError(f"time is not whole nanoseconds ({text[:40]})") from None
        return number(text) / _NS_PER_S


# The tables


def annotations_in(files: ExportFiles, name: str) -> list[Annotation]:
    """Return the annotations in a table.

    One with unquoted separators has too many cells: all from its text on are its text, but for what
    can only be how long the button was pressed.
    """
    with files.table(name) as table:
        time, text = table.column(_TIME), table.column("text")
        duration = table.column("millisecond_press_duration")
        if time is None or text is None:
            raise DataError(f"{files.where(name)}: has not the columns time and text")
        annotations = []
        for row in table.all_rows():
            n_columns = len(table.columns)
            unquoted = len(row) > n_columns or (
                duration is not None
                and text < duration < len(row)
                and not row[duration].strip().isdecimal()
            )
            end = len(row) if unquoted else text + 1
            if unquoted and duration == n_columns - 1 and row[-1].strip().isdecimal():
                end -= 1
            given = row[time] if time < len(row) else ""
            try:
                at = epoch_seconds(given)
            except ValueError as error:
                raise DataError(f"{files.where(name)}: {error}: export it anew") from error
            if np.isnan(at):
                raise DataError(f"{files.where(name)}: an annotation has no time: export it anew")
            words = table.separator.join(row[text:end])
            annotations.append(Annotation(at, words, f"line {table.line}", given.strip()))
            if len(annotations) > MOST_ANNOTATIONS:
                raise DataError(too_many(files.where(name)))
    return annotations


def labels_of(
    name: str,
    annotations: Sequence[Annotation],
    sensors: Mapping[Sensor, Samples],
    passed_over: dict[str, str],
) -> AnnotatedLabels:
    """Return what annotations say and when, without those whose time is none of the recording.

    The latter are entered in ``passed_over``, by the name of their file.
    """
    first = min(float(times[0]) for times, _ in sensors.values()) - MOST_BESIDE_S
    last = max(float(times[-1]) for times, _ in sensors.values()) + MOST_BESIDE_S
    beside = [annotation for annotation in annotations if not first <= annotation.time <= last]
    if beside:
        lines = [
            f"{annotation.place}: {annotation.text[:40]!r} is passed over: its time "
            f"{annotation.given[:40]} is none of this recording, in nanoseconds since 1970"
            for annotation in beside[:MOST_NAMED_ANNOTATIONS]
        ]
        if len(beside) > MOST_NAMED_ANNOTATIONS:
            lines.append(f"and {len(beside) - MOST_NAMED_ANNOTATIONS} more")
        enter(passed_over, name, *lines)
    return [
        (annotation.time, annotation.text)
        for annotation in annotations
        if first <= annotation.time <= last
    ]


def too_many(where: str) -> str:
    """Return why a file with so many annotations is rejected."""
    return f"{where}: holds over {MOST_ANNOTATIONS} annotations: take most of them out"
