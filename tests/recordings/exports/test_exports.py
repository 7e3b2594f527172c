"""What exports come to: messages."""

import numpy as np

from pipeline.recordings.exports.exports import Export


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
