"""Sensor Logger's exports, in the layout of version 1.64."""

import numpy as np
import pytest

from pipeline.recordings import sensor_logger_export
from pipeline.recordings.exports import Files
from pipeline.recordings.recording import DataError

T0_NS = 1_787_923_304_123_456_789
METADATA = (
    "version,device name,recording epoch time,recording time,recording timezone,platform,"
    "appVersion,device id,sensors,sampleRateMs,standardisation,platform version\n"
    "3,Pixel 9,1787923304123,2026-08-28_13-21-44,Asia/Kolkata,{platform},1.64,{device_id},"
    "Accelerometer|Gyroscope,10|10,{standardisation},36\n"
)


def sensor(*rows: tuple[float, float, float], step_ns: int = 10_000_000) -> bytes:
    """Return a sensor's file with these x, y and z."""
    lines = ["time,seconds_elapsed,z,y,x"]
    for k, (x, y, z) in enumerate(rows):
        lines.append(f"{T0_NS + k * step_ns},{k * step_ns / 1e9},{z},{y},{x}")
    return "\n".join(lines).encode()


def export(
    platform: str = "android",
    standardisation: str = "false",
    device_id: str = "abc-1",
    **more: bytes,
) -> Files:
    """Return an export with accelerometer and gyroscope, and more."""
    files = {
        "Accelerometer.csv": sensor((1, 2, 3), (4, 5, 6)),
        "Gyroscope.csv": sensor((0.1, 0.2, 0.3)),
        "Metadata.csv": METADATA.format(
            platform=platform, standardisation=standardisation, device_id=device_id
        ).encode(),
        "Location.csv": b"time,seconds_elapsed,latitude\n1,2,3\n",
    }
    return Files("export.zip", files | {f"{name}.csv": content for name, content in more.items()})


def test_sensors_times_and_names() -> None:
    """Columns go by their names, times are the nearest float64, the phone is the live one."""
    found = sensor_logger_export.read(export(Gravity=sensor((0, 0, 9.8))))
    assert {"linear_acceleration", "gyroscope", "gravity"} == set(found.sensors)
    times, values = found.sensors["linear_acceleration"]
    assert [[1, 2, 3], [4, 5, 6]] == values.tolist()
    assert [T0_NS / 10**9, (T0_NS + 10_000_000) / 10**9] == times.tolist()
    assert ("abc-1", "2026-08-28_13-21-44") == (found.device, found.recording)
    assert ("sensor-logger", "epoch") == (found.app, found.clock)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("TotalAcceleration", "accelerometer"),
        ("totalacceleration", "accelerometer"),
        ("AccelerometerUncalibrated", "accelerometer_uncalibrated"),
        ("GyroscopeUncalibrated", "gyroscope_uncalibrated"),
    ],
)
def test_names_of_files(name: str, expected: str) -> None:
    """The other sensors have files of their own."""
    found = sensor_logger_export.read(export(**{name: sensor((9.8, 0, 0), (9.8, 0, 0))}))
    assert {"linear_acceleration", "gyroscope", expected} == set(found.sensors)


@pytest.mark.parametrize(
    ("platform", "standardisation", "convention"),
    [
        ("android", "false", "android"),
        ("android", "true", "android"),
        ("ios", "false", "ios"),
        ("iOS", "true", "android"),
        ("", "", None),
    ],
)
def test_the_convention(platform: str, standardisation: str, convention: str | None) -> None:
    """The metadata tell the sign of accelerations."""
    found = sensor_logger_export.read(export(platform, standardisation))
    assert convention == found.convention


def test_uncalibrated_acceleration_in_g() -> None:
    """An iPhone's, not standardised: it proves the convention if nothing else does."""
    files = export("", AccelerometerUncalibrated=sensor((0, -1, 0), (0.1, -1, 0)))
    found = sensor_logger_export.read(files)
    assert "ios" == found.convention
    values = found.sensors["accelerometer_uncalibrated"][1]
    np.testing.assert_allclose([[0, -9.80665, 0], [0.980665, -9.80665, 0]], values)


def test_annotations_are_labels() -> None:
    """Texts with their times; a tap without a text says nothing."""
    annotations = (
        "time,seconds_elapsed,text,millisecond_press_duration\n"
        f'{T0_NS},0.0,"Walking, slowly",120\n{T0_NS + 10**9},1.0,,80\n{T0_NS + 2 * 10**9},2,Sit,9\n'
    )
    found = sensor_logger_export.read(export(Annotation=annotations.encode()))
    expected = [(T0_NS / 1e9, "Walking, slowly"), (T0_NS / 1e9 + 2, "Sit")]
    assert expected == list(found.labels)
    assert () == tuple(sensor_logger_export.read(export(Annotation=b"")).labels)


def test_what_is_missing() -> None:
    """Without metadata the phone has no name; sensors without samples are none."""
    files = export(Gravity=sensor())
    contents = {name: c for name, c in files.contents.items() if name != "Metadata.csv"}
    found = sensor_logger_export.read(Files("", contents))
    assert (None, None) == (found.device, found.convention)
    assert "gravity" not in found.sensors


def test_rows_that_are_not_whole() -> None:
    """A sample without a number, and the torn last line, are left out."""
    content = sensor((1, 2, 3), (4, 5, 6)).replace(b",6,5,4", b",,5,4") + b"\n17879"
    found = sensor_logger_export.read(export(Gravity=content))
    assert [[1, 2, 3]] == found.sensors["gravity"][1].tolist()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (sensor((1, 2, 3)).replace(str(T0_NS).encode(), b"1.78E+18"), "not whole nanoseconds"),
        (b"time,seconds_elapsed,x,y\n1,2,3,4\n", "has not the columns"),
        (sensor((1, 2, 3)).replace(b",3,2,1", b",a,2,1"), "could not convert"),
        (b"time,seconds_elapsed,z,y,x\n1,0,,,\n", "holds no samples"),
        (b"\xff,\xff", "is no text"),
    ],
)
def test_damaged_files(content: bytes, words: str) -> None:
    """The error names the file and says what to do."""
    with pytest.raises(DataError, match=f"^export.zip: Gravity.csv: .*{words}"):
        sensor_logger_export.read(export(Gravity=content))


def test_only_its_own_files_are_recognised() -> None:
    """Its times are in a column ``time``, and a sensor is there."""
    assert sensor_logger_export.recognises(export())
    assert not sensor_logger_export.recognises(Files("", {"Accelerometer.csv": b'"Time (s)","x"'}))
    assert not sensor_logger_export.recognises(Files("", {"other.csv": sensor((1, 2, 3))}))
    with pytest.raises(DataError, match="no samples of accelerometer or gyroscope"):
        sensor_logger_export.read(Files("", {"Gravity.csv": sensor()}))
