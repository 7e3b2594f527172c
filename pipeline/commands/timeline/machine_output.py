"""RecordedTimelines for programs: a JSON array, or CSV. docs/reference/timeline.md has the schema.

Episodes and windows are the very messages that har-stream publishes of them. Each recording is
written when it is done. No text of a CSV file is a formula to a spreadsheet: names of files and
devices are anybody's.
"""

import csv
from collections.abc import Iterator
from datetime import datetime
from math import isfinite
from typing import Final, TextIO

import msgspec

from pipeline.commands.display.tables import durations_s
from pipeline.commands.formulas import no_formula
from pipeline.commands.timeline.agreement import Agreement
from pipeline.commands.timeline.recorded_file import RecordedFile
from pipeline.commands.timeline.recorded_timeline import RecordedTimeline
from pipeline.commands.timeline.remarks import remarks
from pipeline.recognition.placement.frames import nearest_frame
from pipeline.serving.outputs import phone_topics

COLUMNS: Final = (
    "file", "recording", "device", "kind", "time", "start", "end", "activity", "probability",
)  # fmt: skip


class _Calibration(msgspec.Struct):
    n_steps: int
    nearest_frame: str
    degrees: float


class _Labels(msgspec.Struct):
    windows: int
    accuracy: float | None
    other_activities: dict[str, int]


class _Timeline(msgspec.Struct):
    file: str
    recording: int
    device: str
    dated: bool
    start: float
    end: float
    rates_hz: dict[str, float | None]
    convention: str
    convention_from: str
    placement: str
    placement_by: str
    frame: str
    model: str
    calibration: _Calibration | None
    gaps: int
    warnings: list[str]
    advice: list[str]
    labels: _Labels | None
    seconds: dict[str, float]
    episodes: list[msgspec.Raw]
    windows: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


def as_json(
    recorded: RecordedFile,
    timeline: RecordedTimeline,
    agreement: Agreement | None,
    *,
    windows: bool,
) -> str:
    """Return a recording's timeline as one line of JSON."""
    found = remarks(recorded, timeline)
    device = recorded.recording.device
    calibration = None
    if timeline.calibration is not None:
        frame, degrees = nearest_frame(timeline.calibration.rotation)
        calibration = _Calibration(timeline.calibration.n_steps, frame, round(degrees, 1))
    labels = None
    if agreement is not None:
        accuracy = None if agreement.accuracy is None else round(agreement.accuracy, 6)
        labels = _Labels(agreement.n, accuracy, dict(sorted(agreement.others.items())))
    placement = timeline.placement
    shown = _Timeline(
        file=recorded.file.encode(errors="backslashreplace").decode(),  # names may be no text
        recording=recorded.number,
        device=device,
        dated=recorded.is_dated,
        start=round(recorded.first, phone_topics.TIME_DECIMALS),
        end=round(recorded.last, phone_topics.TIME_DECIMALS),
        rates_hz={
            sensor: round(rate, 2) if isfinite(rate) else None
            for sensor, rate in recorded.rates_hz.items()
        },
        convention=recorded.convention,
        convention_from=recorded.convention_from,
        placement="waist" if recorded.is_prepared else placement.worn_at,
        placement_by="prepared" if recorded.is_prepared else placement.worn_at_by,
        frame=placement.frame,
        model=timeline.model,
        calibration=calibration,
        gaps=timeline.n_gaps,
        warnings=[remark.warning for remark in found],
        advice=[remark.advice for remark in found],
        labels=labels,
        seconds={name: round(s, 3) for name, s in durations_s(timeline.episodes).items()},
        episodes=[msgspec.Raw(phone_topics.episode(device, e).payload) for e in timeline.episodes],
    )
    if windows:
        published = phone_topics.predictions(timeline.predictions)
        shown.windows = [msgspec.Raw(one.payload) for one in published]
    return msgspec.json.encode(shown).decode()


class JsonArray:
    """A JSON array that is written element by element, one a line."""

    def __init__(self, output: TextIO) -> None:
        """Begin the array."""
        self._output = output
        self._separator = "[\n"

    def write(self, element: str) -> None:
        """Write one more element."""
        self._output.write(self._separator + element)
        self._output.flush()
        self._separator = ",\n"

    def close(self) -> None:
        """End the array."""
        self._output.write("\n]\n" if self._separator == ",\n" else "[]\n")
        self._output.flush()


class CsvTable:
    """Episodes and windows as lines of CSV."""

    def __init__(self, output: TextIO) -> None:
        """Write the names of the columns."""
        self._writer = csv.writer(output, lineterminator="\n")
        self._writer.writerow(COLUMNS)
        self._output = output

    def write(self, recorded: RecordedFile, timeline: RecordedTimeline, *, windows: bool) -> None:
        """Write the episodes of a recording, and behind them its windows if they are asked for."""
        for kind, start, end, activity, probability in _rows(timeline, windows=windows):
            begins = datetime.fromtimestamp(start).astimezone() if recorded.is_dated else None
            self._writer.writerow(
                (
                    no_formula(recorded.file),
                    recorded.number,
                    no_formula(recorded.recording.device),
                    kind,
                    "" if begins is None else begins.isoformat(timespec="milliseconds"),
                    round(start, phone_topics.TIME_DECIMALS),
                    round(end, phone_topics.TIME_DECIMALS),
                    no_formula(activity),
                    round(probability, phone_topics.PROBABILITY_DECIMALS),
                )
            )
        self._output.flush()


def _rows(
    timeline: RecordedTimeline, *, windows: bool
) -> Iterator[tuple[str, float, float, str, float]]:
    """Yield kind, start, end, activity and probability."""
    for episode in timeline.episodes:
        yield "episode", episode.start, episode.end, episode.activity, episode.probability
    if windows:
        for window in timeline.predictions:
            probability = window.probabilities.tolist()[window.label]
            yield "window", window.start, window.end, window.activity, probability
