from dataclasses import replace

import numpy as np
import pytest

from pipeline.readings import MAX_ROWS, MessageError
from pipeline.recordings.recording import (
    Recording,
    Stretch,
    StretchesOnDemand,
    activities_of,
    grid_times,
    typical_rate_hz,
)


def recording(labels: list[int], *, activities: tuple[str, ...]) -> Recording:
    """Return a recording at 50 Hz from 100 s on, in messages of ten samples."""
    samples = np.arange(len(labels) * 6).reshape(-1, 6) / 1000
    whole = Stretch(grid_times(100.0, len(labels)), samples, np.array(labels, np.int16))
    return Recording("phone", (whole,), activities).cut(10)


def test_a_stretch_gives_the_readings_of_a_message() -> None:
    """Readings and labels are those of the stretch, whatever its numbers' precision."""
    samples = np.ones((3, 9), np.float32)
    stretch = Stretch(grid_times(5.0, 3), samples, np.array([0, 0, -1], np.int8), "prepared")
    one = Recording("phone", (stretch,))
    [[part]] = one.messages
    assert ("phone", "prepared", "", "epoch") == (
        part.readings.device, part.readings.sensor, part.readings.recording, part.readings.clock,
    )  # fmt: skip
    assert np.float64 == part.readings.values.dtype
    np.testing.assert_array_equal(samples, part.readings.values)
    assert [5.0, 5.02, 5.04] == part.readings.times.tolist()
    assert [0, 0, -1] == part.labels.tolist()


def test_a_recording_is_cut_and_joined_by_message() -> None:
    """Cut parts are messages by themselves; stretches of one message stay together."""
    one = recording([0] * 25, activities=("A",))
    assert [10, 10, 5] == [len(stretch.times) for stretch in one.stretches]
    assert [1, 1, 1] == [len(message) for message in one.messages]
    assert (100.0, 25) == (one.start, one.n_samples)
    gyro = Stretch(np.array([3.0]), np.zeros((1, 3)), np.array([-1]), "gyroscope")
    acc = Stretch(np.array([2.0]), np.zeros((1, 3)), np.array([-1]), "accelerometer", True)
    two = Recording("phone", (gyro, acc, gyro))
    assert [2, 1] == [len(message) for message in two.messages]
    assert (["accelerometer", "gyroscope"], 2.0) == (two.sensors, two.start)
    times, samples = two.samples_of("gyroscope")
    assert ([3.0, 3.0], (2, 3)) == (times.tolist(), samples.shape)


def test_a_stretch_may_be_longer_than_a_message() -> None:
    """It must be cut before it is sent."""
    labels = np.zeros(MAX_ROWS + 1, np.int8)
    whole = Stretch(grid_times(0.0, len(labels)), np.zeros((len(labels), 6)), labels)
    one = Recording("phone", (whole,))
    with pytest.raises(MessageError, match="10001 rows"):
        _ = one.messages
    assert [MAX_ROWS, 1] == [len(part.labels) for [part] in one.cut(MAX_ROWS).messages]


def test_a_moved_recording_has_all_its_times_later() -> None:
    """Samples and labels stay."""
    one = recording([0] * 25, activities=("A",))
    later = one.moved(1e9)
    assert [time + 1e9 for s in one.stretches for time in s.times] == [
        time for s in later.stretches for time in s.times
    ]
    assert one.n_samples == later.n_samples


def test_labels_at_any_time() -> None:
    """At a time the label is that of the last sample; before the first there is none."""
    one = recording([0] * 25 + [-1] * 25 + [1] * 25, activities=("A", "B"))
    times = np.array([99.9, 100.0, 100.49, 100.5, 100.99, 101.0, 101.5, 200.0])
    assert [-1, 0, 0, -1, -1, 1, 1, 1] == one.labels_at(times).tolist()


def test_a_window_has_the_activity_that_all_its_samples_share() -> None:
    """One other sample, or one without a label, and it has none."""
    one = recording([0] * 128 + [1] * 129 + [-1] * 128, activities=("A", "B"))
    starts = {100.0: "A", 100.02: None, 102.56: "B", 102.58: "B", 102.6: None, 105.14: None}
    assert list(starts.values()) == one.window_activities(np.array(list(starts)))


def test_samples_and_activities_are_counted() -> None:
    """A recording counts its samples, several name their activities together."""
    one = recording([0] * 25, activities=("WALKING",))
    other = recording([0] * 30, activities=("JUMPING", "WALKING"))
    assert (25, 30) == (one.n_samples, other.n_samples)
    assert ("JUMPING", "WALKING") == activities_of([one, other])


@pytest.mark.parametrize(
    ("worn_at", "expected"), [("", None), ("waist", "waist"), ("trousers front pocket", "any")]
)
def test_readings_say_where_the_phone_was_worn(worn_at: str, expected: str | None) -> None:
    """At the waist or anywhere else, as far as is known."""
    [one] = replace(recording([0] * 5, activities=("A",)), worn_at=worn_at).messages
    assert expected == one[0].readings.worn_at


def test_stretches_on_demand() -> None:
    """They are a sequence of stretches that are made anew each time."""
    made: list[int] = []

    def make(number: int) -> Stretch:
        made.append(number)
        times = np.array([float(number)])
        return Stretch(times, np.zeros((1, 6)), np.array([-1]), is_same_message=number == 2)

    recording = Recording("phone", StretchesOnDemand(4, make))
    assert [] == made
    assert [1, 2, 1] == [len(message) for message in recording.each_message()]
    assert [0, 1, 2, 3] == made
    assert ([2.0], [1.0, 2.0]) == (
        [recording.stretches[-2].start],
        [stretch.start for stretch in recording.stretches[1:3]],
    )
    with pytest.raises(IndexError):
        recording.stretches[4]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0.0, 0.01, 0.02, 9.0], 100.0),
        ([0.0, 0.0, 0.02, 0.02, 0.04, 0.04], 50.0),
        ([0.0, 0.0, 0.0, 0.25], 4.0),
        ([3.0, 3.0], np.inf),
        ([3.0], np.inf),
    ],
)
def test_typical_rates(times: list[float], expected: float) -> None:
    """The rate is that between pauses, and samples that come twice make none of it faster."""
    assert expected == pytest.approx(typical_rate_hz(np.array(times)))
    for order in (times, times[::-1]):
        parts = [
            Stretch(np.array(part), np.zeros((len(part), 6)), np.full(len(part), -1))
            for part in (order[:1], order[1:2], order[2:])
            if part
        ]
        assert expected == pytest.approx(Recording("phone", parts).typical_rate_hz("motion"))
