from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.commands.replay.native_message import native_message
from pipeline.commands.replay.outgoing_messages import OutgoingMessage, messages_of
from pipeline.formats import native
from pipeline.models.classifier import Classifier
from pipeline.readings import MAX_PAYLOAD_BYTES, Delivery, Readings, Sensor
from pipeline.recognition.recognizer import Recognizer
from pipeline.recordings.recording import Recording, Stretch, grid_times
from pipeline.vocabulary import SAMPLING_RATE_HZ
from tests.commands.replay.file_recordings import apart_recording, file_recording

EPOCH = 1.6e9


@pytest.fixture(scope="module")
def classifier(tiny_model: Path) -> Classifier:
    """The tiny model, loaded."""
    return Classifier(tiny_model)


def recording(lengths: list[int], *, width: int) -> Recording:
    """Return stretches of these lengths whose samples hold their own number, 10 s apart."""
    stretches, start, number = [], 0.0, 0
    for length in lengths:
        numbers = np.arange(number, number + length) / 10_000
        labels = np.full(length, number % 6, np.int8)
        samples = np.tile(numbers[:, None], (1, width))
        sensor: Sensor = "prepared" if width == 9 else "motion"
        stretches.append(Stretch(grid_times(start, length), samples, labels, sensor))
        start += length / 50 + 10.0
        number += length
    return Recording("phone", tuple(stretches), rate_hz=SAMPLING_RATE_HZ)


def decoded(message: OutgoingMessage) -> list[Readings]:
    """Return what har-stream reads of a message."""
    payload = native_message(message.readings, recording="again", rate_hz=message.rate_hz)
    return list(native.decode(payload, "phone"))


@given(
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=4),
    rows=st.integers(1, 150),
    hop=st.integers(16, 128),
    width=st.sampled_from([6, 9]),
)
@settings(max_examples=50)
def test_the_recognizer_makes_the_expected_windows(
    classifier: Classifier, lengths: list[int], rows: int, hop: int, width: int
) -> None:
    """Each message completes just the windows for which the recognizer then has predictions."""
    recognizer = Recognizer(classifier, hop=hop)
    recognizer.admit("phone")
    for message in messages_of(recording(lengths, width=width), rows=rows, hop=hop, epoch=EPOCH):
        predictions = recognizer.push([Delivery(decoded(message))]).predictions
        expected = [round(start * 50) for start, _ in message.completes]
        assert expected == [round((p.start - EPOCH) * 50) for p in predictions]


@pytest.mark.parametrize("rows", [1, 25, 64, 1000])
def test_messages_hold_every_sample_once(rows: int) -> None:
    """The messages' rows are the recording's, in order, and a message never spans a break."""
    whole = recording([300, 1, 130], width=9)

    made = list(messages_of(whole, rows=rows, hop=64, epoch=EPOCH))

    sent = [readings for message in made for readings in decoded(message)]
    expected = np.concatenate([s.samples for s in whole.stretches])
    np.testing.assert_array_equal(expected, np.concatenate([one.values for one in sent]))
    for message, one in zip(made, sent, strict=True):
        assert 1 <= len(one.times) <= rows
        assert message.due == pytest.approx(one.times[-1] - EPOCH, abs=1e-6)
        assert np.ptp(one.values[:, 0]) == pytest.approx((len(one.times) - 1) / 10_000)
    firsts = [s.samples[0, 0] for s in whole.stretches]
    starts = [one.times[0] - EPOCH for one in sent if one.values[0, 0] in firsts]
    assert [s.start for s in whole.stretches] == pytest.approx(starts, abs=1e-6)


def test_windows_of_two_activities_are_not_judged() -> None:
    """A window whose samples have different labels has no activity."""
    labels = np.repeat(np.array([3, 4], np.int8), 128)
    stretch = Stretch(grid_times(0.0, 256), np.zeros((256, 9)), labels, "prepared")
    whole = Recording("phone", (stretch,), rate_hz=SAMPLING_RATE_HZ)

    made = messages_of(whole, rows=25, hop=64, epoch=0.0)

    expected = [(0.0, "SITTING"), (1.28, None), (2.56, "STANDING")]
    assert expected == [window for message in made for window in message.completes]


@pytest.mark.parametrize("rate_hz", [25.0, 40.0])
def test_the_expected_windows_of_sets_with_times(classifier: Classifier, rate_hz: float) -> None:
    """A set whose samples have times, at any rate, is cut, and its activities are its own."""
    n_samples = round(30 * rate_hz)
    times = np.arange(n_samples) / rate_hz
    samples = np.tile([0.1, 9.8, 0.1, 0.1, 0.2, 0.3], (n_samples, 1))
    labels = np.where(times < 15, 0, -1)
    whole = Recording("phone", (Stretch(times, samples, labels),), ("HOPPING",), person="s1")
    recognizer = Recognizer(classifier, hop=64)
    recognizer.admit("phone")
    expected, predicted = {}, []
    for message in messages_of(whole, rows=25, hop=64, epoch=EPOCH):
        assert 25 == message.n_samples
        expected |= dict(message.completes)
        result = recognizer.push([Delivery(decoded(message))])
        predicted += [p.start - EPOCH for p in result.predictions]
    assert 20 <= len(expected)
    assert list(expected) == pytest.approx(predicted, abs=1e-6)
    for start, done in expected.items():
        assert (None if start + 127 / 50 >= 15 else "HOPPING") == done


# Recordings of files


MESSAGES: Final[list[list[tuple[Sensor, int]]]] = [
    [("gyroscope", 10), ("accelerometer", 9)],
    [("accelerometer", 1), ("gravity", 5), ("gyroscope", 7)],
    [("motion", 11)],
    [("gravity", 2), ("gyroscope", 1), ("gyroscope_uncalibrated", 3), ("linear_acceleration", 1)],
]


@pytest.mark.parametrize("original_times", [True, False])
@pytest.mark.parametrize("begins", [1.4e9 + 0.123457, 3925.657519043709])
def test_files_are_played_as_they_were_recorded(begins: float, original_times: bool) -> None:
    """Each reading comes back bit by bit in its order, moved by whole seconds of the epoch."""
    recording = file_recording(MESSAGES, begins=begins)
    sent = [part.readings for message in recording.messages for part in message]
    made = list(
        messages_of(
            recording, rows=25, hop=64, epoch=1.8e9, begins=3.0, original_times=original_times
        )
    )
    back = [readings for message in made for readings in decoded(message)]
    shift = 0 if original_times else back[0].times[0] - sent[0].times[0]
    assert [one.sensor for one in sent] == [one.sensor for one in back]
    for one, other in zip(sent, back, strict=True):
        assert ("phone", "again", "epoch") == (other.device, other.recording, other.clock)
        np.testing.assert_array_equal(one.values, other.values)
        if original_times or begins > 1e9:
            assert float(shift).is_integer()
            np.testing.assert_array_equal(one.times, other.times - shift)
        else:
            np.testing.assert_allclose(one.times, other.times - shift, atol=2.5e-7)
    assert [1, 1, 3, 1, 3, 1] == [len(message.readings) for message in made]
    if not original_times:
        assert 1.8e9 + 2.0 < min(one.times.min() for one in back) <= 1.8e9 + 3.0


@pytest.mark.parametrize("rows", [1, 25, 1000])
def test_labels_go_with_their_samples(rows: int) -> None:
    """Each activity is told with the first message that holds a sample of it, with its time."""
    whole = recording([300, 1, 130], width=6)
    made = list(messages_of(whole, rows=rows, hop=64, epoch=EPOCH))
    expected = [(EPOCH + time, activity) for time, activity in whole.label_changes]
    assert expected == [label for message in made for label in message.labels]
    for message in made:
        times = np.concatenate([readings.times for readings in message.readings])
        assert all(time in times for time, _ in message.labels)


def test_a_message_that_is_too_large_is_cut() -> None:
    """What would be rejected for its size is sent as several messages."""
    recording = file_recording([[("accelerometer", 9_000), ("gyroscope", 9_000)]], begins=1.4e9)
    made = list(messages_of(recording, rows=25, hop=64, epoch=0.0, original_times=True))
    assert [5_000, 4_000, 5_000, 4_000] == [message.n_samples for message in made]
    for message in made:
        assert len(native_message(message.readings, recording="")) <= MAX_PAYLOAD_BYTES


@given(
    sizes=st.lists(st.integers(1, 90), min_size=1, max_size=12),
    sensors=st.sampled_from([("motion",), ("accelerometer", "gyroscope")]),
    hop=st.integers(16, 128),
)
@settings(max_examples=30)
def test_the_recognizer_makes_the_expected_windows_of_files(
    classifier: Classifier, sizes: list[int], sensors: tuple[Sensor, ...], hop: int
) -> None:
    """Each message of a file completes just the windows that the recognizer then predicts."""
    messages = [[(sensor, size) for sensor in sensors] for size in sizes]
    recognizer = Recognizer(classifier, hop=hop)
    recognizer.admit("phone")
    recording = file_recording(messages, begins=1.5e9)
    for message in messages_of(recording, rows=25, hop=hop, epoch=EPOCH):
        predictions = recognizer.push([Delivery(decoded(message))]).predictions
        expected = [start for start, _ in message.completes]
        assert expected == pytest.approx([p.start - EPOCH for p in predictions], abs=1e-6)


@pytest.mark.parametrize("apart_s", [0.008, -0.008, 0.019, 0.1])
def test_the_expected_windows_of_sensors_that_are_apart(
    classifier: Classifier, apart_s: float
) -> None:
    """Windows are expected where har-stream makes them, however the phone's clock began."""
    recognizer = Recognizer(classifier, hop=64)
    recognizer.admit("phone")
    recording = apart_recording(20, apart_s=apart_s)
    expected, predicted = [], []
    for message in messages_of(recording, rows=25, hop=64, epoch=EPOCH):
        expected += [start for start, _ in message.completes]
        assert {"WALKING"} >= {done for _, done in message.completes}
        predicted += [
            p.start - EPOCH for p in recognizer.push([Delivery(decoded(message))]).predictions
        ]
    assert 13 <= len(expected)
    assert expected == pytest.approx(predicted, abs=1e-6)


def test_windows_of_files_have_the_activity_of_their_samples() -> None:
    """A window of a file is judged by the activity that all its samples share."""
    recording = file_recording([[("motion", 50)]] * 20, begins=1.4e9)
    made = messages_of(recording, rows=25, hop=64, epoch=0.0, original_times=True)
    done = dict(window for message in made for window in message.completes)
    expected = ["JUMPING", "WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS"]
    assert expected == list(dict.fromkeys(name for name in done.values() if name))
    for start, name in done.items():
        first, last = ((start - 1.4e9 + at) * 50 for at in (0.0, 127 / 50))
        assert (round(first) // 200 == round(last) // 200 and first >= 199) == (name is not None)
