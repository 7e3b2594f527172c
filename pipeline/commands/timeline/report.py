"""A recording's timeline for people: heading, ribbon, episodes, minutes, and what is wrong."""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Final

from rich.text import Text

from pipeline.commands.display.legend import Legend
from pipeline.commands.display.ribbon import ribbons
from pipeline.commands.display.tables import (
    durations_s,
    episode_lines,
    legend_line,
    minute_lines,
)
from pipeline.commands.display.times import Times, duration
from pipeline.commands.one_line import one_line
from pipeline.commands.timeline.agreement import Agreement
from pipeline.commands.timeline.recorded_file import RecordedFile, words
from pipeline.commands.timeline.recorded_timeline import RecordedTimeline
from pipeline.commands.timeline.remarks import remarks
from pipeline.recognition.placement.frames import nearest_frame

LEAST_WIDTH: Final = 20
MOST_WIDTH: Final = 400
"""Characters of a ribbon"""
_SIGN_FROM: Final = {
    "setting": "as set",
    "message": "as its messages show",
    "export": "as the file says",
    "assumption": "assumed",
    "data set": "as the data set has it",
}


def report(
    recorded: RecordedFile,
    timeline: RecordedTimeline,
    agreement: Agreement | None,
    legend: Legend,
    *,
    is_one_model: bool,
    width: int,
    coloured: bool,
) -> Iterator[Text]:
    """Yield the lines that show a recording.

    Args:
        recorded: the recording.
        timeline: what was recognised in it.
        agreement: with its labels, None if it has none.
        legend: the symbols of all activities.
        is_one_model: whether all phones have the same model.
        width: characters of a line.
        coloured: whether there is colour.
    """
    times = Times(recorded.first, recorded.last, is_dated=recorded.is_dated)
    yield from map(Text, _heading(recorded, timeline, times, is_one_model=is_one_model))
    episodes = timeline.episodes
    if episodes:
        width = min(max(width, LEAST_WIDTH), MOST_WIDTH)
        yield Text()
        yield from ribbons(episodes, times, legend, width=width, coloured=coloured)
        shown = durations_s(episodes)
        yield legend_line(legend, shown, coloured=coloured)
        yield Text()
        yield from episode_lines(episodes, times, legend, coloured=coloured)
        yield Text()
        yield from minute_lines(
            episodes, legend, whole_s=recorded.last - recorded.first, coloured=coloured
        )
    if timeline.n_gaps:
        gaps = "1 gap" if timeline.n_gaps == 1 else f"{timeline.n_gaps} gaps"
        yield Text(f"  {gaps} of over half a second, in which nothing is known")
    if agreement is not None and timeline.n_predictions:
        yield from map(Text, _agreement_lines(agreement))
    for remark in remarks(recorded, timeline):
        yield Text(f"! {remark.warning}: {remark.advice}")


def _heading(
    recorded: RecordedFile, timeline: RecordedTimeline, times: Times, *, is_one_model: bool
) -> Iterator[str]:
    recording = recorded.recording
    number = f", recording {recorded.number}" if recorded.number > 1 else ""
    yield f"{one_line(recorded.file)}{number}"
    origin = recording.data_set or (recording.header.format if recording.header else "")
    length = duration(recorded.last - recorded.first)
    parts = [recording.device, origin, times.span(), length]
    yield "  " + ", ".join(one_line(part) for part in parts if part)
    rates = ", ".join(
        words([sensor]) + (f" {rate:.0f} Hz" if isfinite(rate) else "")
        for sensor, rate in recorded.rates_hz.items()
    )
    sign = "" if recorded.is_prepared else f"; sign of {_sign(recorded)}"
    yield f"  {rates}{sign}"
    yield f"  {timeline.model}: {_why_model(recorded, timeline, is_one_model=is_one_model)}"
    yield from (f"  {line}" for line in _calibration_lines(recorded, timeline))


def _sign(recorded: RecordedFile) -> str:
    phone = "an iPhone" if recorded.convention == "ios" else "Android"
    return f"{phone}, {_SIGN_FROM[recorded.convention_from]}"


def _why_model(recorded: RecordedFile, timeline: RecordedTimeline, *, is_one_model: bool) -> str:
    """Return why a recording has its model."""
    if is_one_model:
        return "by --model"
    placement = timeline.placement
    if recorded.is_prepared:
        return "the samples are prepared, as those of phones at the waist"
    where = "at the waist" if placement.worn_at == "waist" else "anywhere"
    if placement.worn_at_by == "set":
        return f"worn {where}, as set"
    if placement.worn_at_by == "stated":
        place = recorded.recording.worn_at
        named = f" ({one_line(place)})" if place not in ("", "waist", "any") else ""
        return f"worn {where}{named}, as the recording says"
    if placement.worn_at_by == "calibrated":
        return "worn at the waist, as it was calibrated when it was recorded"
    return "nothing says where it was worn; if at the waist, use --placement waist"


def _calibration_lines(recorded: RecordedFile, timeline: RecordedTimeline) -> Iterator[str]:
    """Yield which way round the phone was worn, and how that is known."""
    if recorded.is_prepared:
        return
    if timeline.orientation == "any":
        if not timeline.n_predictions:
            yield "needs no calibration"  # nor is there anything that steps would make surer
        elif timeline.knows_upright is None:
            yield "needs no calibration: the model sees the same whichever way round the phone is"
        elif timeline.knows_upright:
            yield "needs no calibration: which way is up was learnt from walking"
        else:
            yield (
                "needs no calibration, but ten steps of walking, to tell sitting, standing and "
                "lying apart more surely; there are none"
            )
        return
    calibration = timeline.calibration
    if calibration is not None:
        frame, degrees = nearest_frame(calibration.rotation)
        yield (
            f"calibrated by {calibration.n_steps} steps of the recording itself: nearest placement "
            f"{frame}, {degrees:.0f} degrees off"
        )
    elif timeline.why_uncalibrated:
        yield f"not calibrated by the recording itself: {timeline.why_uncalibrated}"
    if calibration is None:
        yield f"frame {timeline.placement.frame}"


def _agreement_lines(agreement: Agreement) -> Iterator[str]:
    yield ""
    if agreement.accuracy is not None:
        yield f"  accuracy {agreement.accuracy:.4f} over {agreement.n} labelled windows"
    if agreement.others:
        names = ", ".join(f"{name} {n}" for name, n in sorted(agreement.others.items()))
        yield (
            f"  {agreement.others.total()} labelled windows are of activities that the model has "
            f"not: {names}"
        )
    if agreement.n_unlabelled:
        yield f"  {agreement.n_unlabelled} windows have no label, or several"


def one_line_remarks(recorded: RecordedFile, timeline: RecordedTimeline) -> Sequence[str]:
    """Return the remarks on a recording, each in a line that names the file."""
    return [
        f"{recorded.file}: {remark.warning}: {remark.advice}"
        for remark in remarks(recorded, timeline)
    ]
