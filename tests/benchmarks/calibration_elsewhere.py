"""Whom har-calibrate can calibrate away from the waist, and whether a calibration is of use there.

Every person of the placement sets who stands and walks in them does what har-calibrate asks for:
stands, walks a second after being told to, and has a minute for either. Where standing was recorded
several times, the recordings follow each other with a pause. Then all recordings of that person are
classified: by the model of phones at the waist, as the phone was worn and after the calibration,
and by the model of phones anywhere, which has seen the same standing and walking.

Rules: shares are balanced, the mean over those of our activities that a set has. Phones that swing
with a leg count apart, and what a calibration would be worth to them is measured too, whether or
not har-calibrate would publish it. Labels say who stands and walks when, and what is right.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.commands.calibrate.measurement import Measurement, Phase
from pipeline.models.classifier import Classifier, find_model
from pipeline.readings import MAX_ROWS, Readings
from pipeline.recognition.offline import RecordedPhone
from pipeline.recognition.placement.calibration import CalibrationError
from pipeline.recognition.prepared import Windows
from pipeline.recordings import placement_sets
from pipeline.recordings.placement_sets import PlacementSet
from pipeline.recordings.recording import DataError, Recording, Stretch
from pipeline.vocabulary import ACTIVITIES, WINDOW_LENGTH
from tests.benchmarks.figures import FOLDER_VARIABLE, Figure, NotMeasuredError, Options, run_alone

BENCHMARK: Final = "calibration_elsewhere"
FOLDER: Final = "placements"
WAIST_MODEL: Final = "cnn-lstm"
ANY_MODEL: Final = "cnn-lstm-any"
PHASE_S: Final = 60.0
"""Seconds that a wearer has to stand, and again to walk: the setting's default"""
REACTION_S: Final = 1.0
"""From the word to walk until the first step"""
MESSAGE_S: Final = 0.5
PAUSE_S: Final = 5.0
"""Between recordings: a gap"""
EPOCH_S: Final = 1.7e9
KINDS: Final = {
    "stood still": "never still",
    "standing still": "not still before the walk",
    "steps": "no walk found",
    "turned by": "turned between standing and walking",
    "where forward is": "forward not shown",
    "not 1 g": "not 1 g at rest",
}
"""Kinds of refusal, by words of the message"""
_SHORT: Final = {
    "WALKING_UPSTAIRS": "upstairs",
    "WALKING_DOWNSTAIRS": "downstairs",
    "LAYING": "lying",
}
"""Activities whose name in words is not theirs in small letters"""


@dataclass(eq=False)
class Right:
    """How often windows of each activity were recognised."""

    windows: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)

    @property
    def balanced(self) -> float:
        """Mean over the activities of the share recognised, in per cent."""
        return 100 * float(np.mean([self.of(name) for name in self.windows]))

    def of(self, activity: str) -> float:
        """Return the share recognised of an activity's windows."""
        return self.right[activity] / self.windows[activity]

    def add(self, truth: Sequence[str], found: Sequence[str]) -> Self:
        """Count windows, and return this."""
        self.windows.update(truth)
        self.right.update(name for name, other in zip(truth, found, strict=True) if name == other)
        return self


@dataclass(eq=False)
class Calibrated:
    """People who could be calibrated, all with a phone on a leg or none."""

    n_people: int = 0
    n_better: int = 0
    """Those whom the model of the waist then recognises better than that of anywhere"""
    waist: Right = field(default_factory=Right)
    """By the model of the waist, after the calibration"""
    anywhere: Right = field(default_factory=Right)
    """By the model of anywhere"""


@dataclass(eq=False)
class OfSet:
    """What was measured of a set's people."""

    name: str
    n_people: int = 0
    n_on_leg: int = 0
    """Those whose phone swings with a leg, whether or not they could be calibrated"""
    refused: Counter[str] = field(default_factory=Counter)
    """Others by kind of refusal"""
    waist: Right = field(default_factory=Right)
    """All people as worn, by the model of the waist"""
    anywhere: Right = field(default_factory=Right)
    """All people by the model of anywhere"""
    not_on_leg: Calibrated = field(default_factory=Calibrated)
    on_leg: Calibrated = field(default_factory=Calibrated)


def measure(options: Options) -> list[Figure]:
    """Return the figures of each set in which people stand and walk.

    Raises:
        NotMeasuredError: there are no placement sets, or one is damaged.
    """
    data = options.data or os.environ.get(FOLDER_VARIABLE)
    if data is None:
        raise NotMeasuredError(f"name the data sets' folder, with --data or {FOLDER_VARIABLE}")
    models = Classifier(find_model(WAIST_MODEL)), Classifier(find_model(ANY_MODEL))
    figures: list[Figure] = []
    try:
        for one in placement_sets.find(Path(data) / FOLDER):
            figures += _figures(_measured(one, *models))
    except DataError as error:
        raise NotMeasuredError(str(error)) from error
    return figures


def _measured(one: PlacementSet, waist: Classifier, anywhere: Classifier) -> OfSet:
    result = OfSet(one.name)
    for recordings in one.recordings():
        stands, walks = (list(_bouts(recordings, name)) for name in ("STANDING", "WALKING"))
        if not (stands and walks):
            continue
        wearer = _Wearer()
        outcome = _calibrate(wearer, stands, max(walks, key=lambda walk: len(walk.times)))
        on_leg = wearer.measurement.phase == "done" and wearer.measurement.swings_with_leg
        result.n_people += 1
        result.n_on_leg += on_leg
        result.waist.add(*_recognised(waist, recordings, wearer.sent))
        other = _recognised(anywhere, recordings, wearer.sent)
        result.anywhere.add(*other)
        if isinstance(outcome, str):
            if not on_leg:
                result.refused[outcome] += 1
            continue
        worn = _recognised(waist, recordings, wearer.sent, rotation=outcome)
        group = result.on_leg if on_leg else result.not_on_leg
        group.n_people += 1
        group.n_better += Right().add(*worn).balanced > Right().add(*other).balanced
        group.waist.add(*worn)
        group.anywhere.add(*other)
    return result


def _bouts(recordings: Sequence[Recording], activity: str) -> Iterator[Stretch]:
    """Yield the longest bout of an activity in each stretch in which there is one."""
    for recording in recordings:
        for stretch in recording.stretches:
            rows = np.flatnonzero(stretch.labels == ACTIVITIES.index(activity))
            run = max(np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1), key=len)
            if len(run) > 1:
                yield stretch.part(int(run[0]), int(run[-1]) + 1)


class _Wearer:
    """Somebody who does what har-calibrate says, and the phone's samples meanwhile."""

    def __init__(self) -> None:
        self.measurement = Measurement("android")
        self.sent: list[Readings] = []
        self._now_s = EPOCH_S

    def does(self, bouts: Sequence[Stretch], *, until: Phase, then_s: float = 0.0) -> None:
        """Go through bouts, with pauses between, until a phase is reached, and some seconds more.

        Raises:
            CalibrationError: it is not reached within a minute.
        """
        end_s = self._now_s + PHASE_S
        for bout in bouts:
            is_reached = False
            for readings in self._messages(bout):
                self.measurement.push([readings])
                self.sent.append(readings)
                now_s = float(readings.times[-1])
                if not is_reached and self.measurement.phase == until:
                    is_reached, end_s = True, now_s + then_s
                if now_s >= end_s:
                    break
            if is_reached:
                return
            self._now_s += PAUSE_S
        self.measurement.give_up()

    def _messages(self, bout: Stretch) -> Iterator[Readings]:
        interval_s = float(np.median(np.diff(bout.times)))
        times = bout.times - bout.start + self._now_s
        n_rows = max(round(MESSAGE_S / interval_s), 1)
        for first in range(0, len(times), n_rows):
            rows = slice(first, first + n_rows)
            self._now_s = float(times[rows][-1]) + interval_s
            yield Readings("phone", times[rows], bout.samples[rows].astype(np.float64))


def _calibrate(
    wearer: _Wearer, stands: Sequence[Stretch], walk: Stretch
) -> NDArray[np.float64] | str:
    """Return the phone's rotation, or the kind of refusal."""
    try:
        wearer.does(stands, until="walk", then_s=REACTION_S)
        wearer.does([walk], until="done")
        return wearer.measurement.result().rotation
    except CalibrationError as error:
        return _kind(str(error))


def _kind(message: str) -> str:
    return next((kind for words, kind in KINDS.items() if words in message), message)


def _recognised(
    model: Classifier,
    recordings: Sequence[Recording],
    asked: Sequence[Readings],
    *,
    rotation: NDArray[np.float64] | None = None,
) -> tuple[list[str], list[str]]:
    """Return the activities of a person's windows, and which are recognised, settled ones only.

    ``asked`` is what the phone sent before, while its wearer stood and walked.
    """
    phone = RecordedPhone(hop=WINDOW_LENGTH, rotation=rotation, gait=model.gait)
    for readings in asked:
        phone.push([readings])
    life = _together(recordings, begin_s=float(asked[-1].times[-1]) + PAUSE_S)
    messages = life.cut(MAX_ROWS).messages
    passed = [phone.push([part.readings for part in message]) for message in messages]
    windows = Windows.joined([*passed, phone.finish()])
    names = life.window_activities(windows.starts)
    judged = np.array([name in ACTIVITIES for name in names], np.bool_) & ~windows.settling
    windows = windows.chosen(judged)
    labels = model.classify(windows.samples, windows.wearer_frames).argmax(axis=1)
    truth = [name for name in life.window_activities(windows.starts) if name is not None]
    return truth, [model.activities[label] for label in labels]


def _together(recordings: Sequence[Recording], *, begin_s: float) -> Recording:
    """Return recordings as one, each some seconds after the one before."""
    stretches: list[Stretch] = []
    for recording in recordings:
        moved = recording.moved(begin_s - recording.start)
        stretches += moved.stretches
        begin_s = float(moved.stretches[-1].times[-1]) + PAUSE_S
    return replace(recordings[0], stretches=tuple(stretches))


def _figures(of_set: OfSet) -> list[Figure]:
    n_people = of_set.n_people
    if not n_people:
        return [Figure(BENCHMARK, f"{of_set.name}: people who stand and walk", 0, "people")]
    outcomes = [f"{of_set.not_on_leg.n_people} of {n_people} people"]
    if of_set.n_on_leg:
        outcomes.append(f"{of_set.n_on_leg} on a leg, {of_set.on_leg.n_people} of whom could be")
    if of_set.refused:
        kinds = ", ".join(f"{n} {kind}" for kind, n in of_set.refused.most_common())
        outcomes.append(f"refused: {kinds}")
    figures = [
        Figure(
            BENCHMARK,
            f"{of_set.name}: calibrated",
            100 * of_set.not_on_leg.n_people / n_people,
            "%",
            detail="; ".join(outcomes),
        ),
        _share(f"{of_set.name}: as worn, {WAIST_MODEL}", of_set.waist),
        _share(f"{of_set.name}: as worn, {ANY_MODEL}", of_set.anywhere),
    ]
    for how, group in (
        ("calibrated", of_set.not_on_leg),
        ("on a leg, if calibrated", of_set.on_leg),
    ):
        if group.n_people:
            figures.append(
                _share(
                    f"{of_set.name}: {how}, {WAIST_MODEL}",
                    group.waist,
                    peer=f"{ANY_MODEL}, worse for {group.n_better} of {group.n_people} people,",
                    peer_value=group.anywhere.balanced,
                )
            )
    return figures


def _share(name: str, right: Right, *, peer: str = "", peer_value: float | None = None) -> Figure:
    parts = {one: 100 * right.of(one) for one in ACTIVITIES if right.windows[one]}
    detail = ", ".join(
        f"{_SHORT.get(activity, activity.lower())} {share:.0f}" for activity, share in parts.items()
    )
    return Figure(
        BENCHMARK,
        name,
        right.balanced,
        "%",
        detail=detail,
        peer=peer,
        peer_value=peer_value,
        parts=parts,
    )


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "whom har-calibrate can calibrate away from the waist")


if __name__ == "__main__":
    main()
