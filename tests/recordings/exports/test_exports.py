"""What exports come to: whole samples, in messages."""

import numpy as np

from pipeline.recordings.exports.exports import Export, whole


def test_whole_samples() -> None:
    """Samples that lack a number are left out and counted, the others are in order."""
    table = [
        [3.0, 1, 1, 1],
        [1.0, 2, 2, 2],
        [np.nan, 3, 3, 3],
        [2.0, 4, np.nan, 4],
        [5] + [np.nan] * 3,
    ]
    (times, values), n_partial = whole("accelerometer", np.array(table))
    assert ([1.0, 3.0], [2.0, 1.0], 2) == (times.tolist(), values[:, 0].tolist(), n_partial)


def test_messages_of_a_second() -> None:
    """All sensors' samples of a second are a message, with nothing lost or moved."""
    times = {"accelerometer": np.arange(250) / 100 + 7.3, "gyroscope": np.arange(200) / 90 + 7.35}
    sensors = {
        sensor: (at, np.random.default_rng(1).normal(size=(len(at), 3)))
        for sensor, at in times.items()
    }
    export = Export(
        app="", device=None, recording="r", clock="boot", convention=None, sensors=sensors
    )
    messages = export.messages("phone")
    assert [["accelerometer", "gyroscope"]] * 3 == [[r.sensor for r in m] for m in messages]
    for sensor, (at, values) in sensors.items():
        parts = [r for message in messages for r in message if r.sensor == sensor]
        np.testing.assert_array_equal(at, np.concatenate([part.times for part in parts]))
        np.testing.assert_array_equal(values, np.concatenate([part.values for part in parts]))
        assert {("phone", "r", "boot")} == {(p.device, p.recording, p.clock) for p in parts}
