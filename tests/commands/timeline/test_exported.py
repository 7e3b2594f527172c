"""An app's export as a recording: its messages, its labels, and what lies in a file."""

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.timeline.exported import exported
from pipeline.recognition.placement.sign import Conventions
from pipeline.recordings.exports import gathered as gathered_module
from pipeline.recordings.exports.exports import Export
from pipeline.recordings.exports.gathered import gathered
from pipeline.recordings.recording import Recording

if TYPE_CHECKING:
    from pipeline.readings import Sensor


def recording_of(
    accelerometer: list[float], gyroscope: list[float], labels: list[tuple[float, str]]
) -> tuple[Export, Recording]:
    """Return an export of samples at some times, and the recording that it becomes."""
    sensors: dict[Sensor, tuple[np.ndarray, np.ndarray]] = {}
    times_of: dict[Sensor, list[float]] = {"accelerometer": accelerometer, "gyroscope": gyroscope}
    for sensor, times in times_of.items():
        rows = np.column_stack([times, np.random.default_rng(4).random((len(times), 3))])
        sensors[sensor], _ = gathered(sensor, [rows])
    export = Export(
        app="",
        device="p",
        recording="r",
        clock="epoch",
        convention="android",
        sensors=sensors,
        labels=labels,
    )
    return export, exported("file", export, Conventions())[0].recording


TIMES = st.lists(st.integers(0, 1_000).map(lambda tenths: 2e9 + tenths / 10), min_size=1)


@given(
    accelerometer=TIMES,
    gyroscope=TIMES,
    labels=st.lists(
        st.tuples(st.integers(-20, 1_020), st.sampled_from(["walking", "sitting", ""])), max_size=5
    ),
    most_in_memory=st.sampled_from([0, 1 << 20]),
)
def test_a_recording_has_the_samples_of_its_export(
    accelerometer: list[float],
    gyroscope: list[float],
    labels: list[tuple[int, str]],
    most_in_memory: int,
) -> None:
    """Nothing is lost or moved, messages are in order, and labels change where samples say so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathered_module, "MOST_IN_MEMORY", most_in_memory)
        export, recording = recording_of(
            accelerometer, gyroscope, [(2e9 + at / 10, text) for at, text in labels]
        )
    for sensor, (times, values) in export.sensors.items():
        found = recording.samples_of(sensor)
        np.testing.assert_array_equal(times, found[0])
        np.testing.assert_array_equal(values, found[1])
    starts = [min(part.start for part in message) for message in recording.each_message()]
    assert sorted(starts) == starts
    found_anew = Recording("p", recording.stretches, recording.activities)
    assert found_anew.label_changes == recording.label_changes


def test_pauses_of_years_take_no_time() -> None:
    """Messages are only where samples are."""
    _, recording = recording_of([2e9, 2e9 + 1, 9e10], [2e9 + 0.5, 9e10], [])
    assert [2, 2] == [len(message) for message in recording.each_message()]
