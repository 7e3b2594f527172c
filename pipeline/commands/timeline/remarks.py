"""What people are to know of a recording beside its episodes: what is wrong, and what to do.

The words are those that har-stream publishes as warnings and advice of a phone's info.
"""

from dataclasses import dataclass
from typing import Final

from pipeline.commands.timeline.recorded_file import RecordedFile, words
from pipeline.commands.timeline.recorded_timeline import RecordedTimeline
from pipeline.recognition.preparation.filters import settled_after_s
from pipeline.serving.outputs.phone_info import (
    ALTERNATING,
    NO_SENSOR,
    WARNINGS,
    advice_on,
)

SHORT: Final = "short"
LEFT_OUT: Final = "left-out"
UNUSED: Final = "unused"
ASSUMED_SIGN: Final = "assumed-convention"


@dataclass(frozen=True)
class Remark:
    """Something about a recording's samples."""

    warning: str
    """A word of `WARNINGS`, or one of this module"""
    advice: str
    """What it means and what to do"""


def remarks(recorded: RecordedFile, timeline: RecordedTimeline) -> list[Remark]:
    """Return what is to be known of a recording, the most important first."""
    found = [Remark(problem, _advice(problem, timeline)) for problem in timeline.problems]
    if timeline.placement.statements_alternate:
        found.append(Remark(ALTERNATING, WARNINGS[ALTERNATING]))
    found += [
        Remark(
            f"no-{sensor.replace('_', '-')}",
            f"the recording has {words(recorded.recording.sensors)}, but no {words([sensor])}: "
            f"{NO_SENSOR}",
        )
        for sensor in timeline.lacks
    ]
    if not (timeline.episodes or found):
        found.append(_without_episodes(recorded, hop=timeline.hop))
    dropped = timeline.dropped
    if n_late := dropped.late + dropped.repeated:
        found.append(
            Remark(LEFT_OUT, f"{n_late} samples came again, or after newer ones, and are left out")
        )
    if dropped.unused and not timeline.lacks:
        found.append(
            Remark(
                UNUSED,
                f"{dropped.unused} samples of one sensor have none of the other beside them, or "
                "too few: nothing is known of that time; let the app record both all the time",
            )
        )
    if recorded.convention_from == "assumption" and recorded.recording.header is not None:
        found.append(
            Remark(
                ASSUMED_SIGN,
                "the file does not say whether it is an iPhone's: if so, use --convention ios",
            )
        )
    return found


def _advice(problem: str, timeline: RecordedTimeline) -> str:
    advice = advice_on(problem, needed_rate_hz=timeline.needed_rate_hz)
    if problem == "clocks-apart" and timeline.clocks_apart_s:
        where = "behind" if timeline.clocks_apart_s < 0 else "ahead of"
        seconds = f"{abs(timeline.clocks_apart_s):,.2f} s"
        advice = f"the accelerometer is {seconds} {where} the gyroscope: {advice}"
    return advice


def _without_episodes(recorded: RecordedFile, *, hop: int) -> Remark:
    """Return why nothing was recognised where all sensors are there."""
    needed_s = settled_after_s(hop)
    length_s = recorded.last - recorded.first
    if length_s < needed_s:
        return Remark(
            SHORT,
            f"the recording has {length_s:.2f} s; a first activity takes {needed_s:.1f} s",
        )
    return Remark("gaps", WARNINGS["gaps"])
