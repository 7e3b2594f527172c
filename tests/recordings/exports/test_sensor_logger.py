"""Sensor Logger's exports, in the layout of version 1.64."""

import csv
import io
import json

import numpy as np
import pytest

from pipeline.recordings.exports import sensor_logger
from pipeline.recordings.exports.exports import Export
from pipeline.recordings.recording import DataError
from tests.recordings.exported import files, only

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
) -> dict[str, bytes]:
    """Return an export with accelerometer and gyroscope, and more."""
    contents = {
        "Accelerometer.csv": sensor((1, 2, 3), (4, 5, 6)),
        "Gyroscope.csv": sensor((0.1, 0.2, 0.3)),
        "Metadata.csv": METADATA.format(
            platform=platform, standardisation=standardisation, device_id=device_id
        ).encode(),
        "Location.csv": b"time,seconds_elapsed,latitude\n1,2,3\n",
    }
    return contents | {f"{name}.csv": content for name, content in more.items()}


def read(contents: dict[str, bytes]) -> Export:
    """Return the one recording in files."""
    return only(sensor_logger.read(files(contents)))


def test_sensors_times_and_names() -> None:
    """Columns go by their names, times are the nearest float64, the phone is the live one."""
    found = read(export(Gravity=sensor((0, 0, 9.8))))
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
    found = read(export(**{name: sensor((9.8, 0, 0), (9.8, 0, 0))}))
    assert {"linear_acceleration", "gyroscope", expected} == set(found.sensors)


@pytest.mark.parametrize(
    ("platform", "standardisation", "convention"),
    [
        ("android", "false", "android"),
        ("android", "true", "android"),
        ("ios", "false", "ios"),
        ("iOS", "true", "android"),
        ("ios", "WAHR", None),
        ("ios", "", "ios"),
        ("", "", None),
    ],
)
def test_the_convention(platform: str, standardisation: str, convention: str | None) -> None:
    """The metadata tell the sign of accelerations."""
    found = read(export(platform, standardisation))
    assert convention == found.convention


def test_uncalibrated_acceleration_in_g() -> None:
    """An iPhone's, not standardised: it proves the convention if nothing else does."""
    found = read(export("", AccelerometerUncalibrated=sensor((0, -1, 0), (0.1, -1, 0))))
    assert "ios" == found.convention
    values = found.sensors["accelerometer_uncalibrated"][1]
    np.testing.assert_allclose([[0, -9.80665, 0], [0.980665, -9.80665, 0]], values)


def test_annotations_are_labels() -> None:
    """Texts with their times; a tap without a text ends the label before."""
    annotations = (
        "time,seconds_elapsed,text,millisecond_press_duration\n"
        f'{T0_NS},0.0,"Walking, slowly",120\n{T0_NS + 10**9},1.0,,80\n{T0_NS + 2 * 10**9},2,Sit,9\n'
    )
    found = read(export(Annotation=annotations.encode()))
    expected = [(T0_NS / 1e9, "Walking, slowly"), (T0_NS / 1e9 + 1, ""), (T0_NS / 1e9 + 2, "Sit")]
    assert expected == list(found.labels)
    assert () == tuple(read(export(Annotation=b"")).labels)


def test_what_is_missing() -> None:
    """Without metadata the phone has no name; sensors without samples are none."""
    contents = export(Gravity=sensor())
    del contents["Metadata.csv"]
    found = read(contents)
    assert (None, None) == (found.device, found.convention)
    assert "gravity" not in found.sensors


def test_rows_that_are_not_whole() -> None:
    """A sample without a number, and the torn last line, are left out."""
    content = sensor((1, 2, 3), (4, 5, 6)).replace(b",6,5,4", b",,5,4") + b"\n17879"
    found = read(export(Gravity=content))
    assert [[1, 2, 3]] == found.sensors["gravity"][1].tolist()


LATE_ERROR = b"time,z,y,x" + b"\n1,0,0,0" * 9_999 + b"\n2,\xff,0,0\n"
"""No UTF-8 behind what is looked at first"""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (sensor((1, 2, 3)).replace(str(T0_NS).encode(), b"1.78E+18"), "not whole nanoseconds"),
        (b"time,seconds_elapsed,x,y\n1,2,3,4\n", "has not the columns"),
        (sensor((1, 2, 3)).replace(b",3,2,1", b",a,2,1"), "could not convert"),
        (LATE_ERROR, "is no text"),
        (b"time,x,y,z\n1787923304123,1,2,3\n", "times must be nanoseconds since 1970"),
    ],
)
def test_damaged_files(content: bytes, words: str) -> None:
    """The error names the file and says what to do."""
    with pytest.raises(DataError, match=f"^export.zip: Gravity.csv: .*{words}"):
        read(export(Gravity=content))


def test_files_that_hold_no_samples() -> None:
    """They are passed over with the reason, and those of other apps are not the app's."""
    contents = export(
        Gravity=sensor(),
        TotalAcceleration=b"time,seconds_elapsed,z,y,x\n1,0,,,\n",
        Standing_Gyroscope=sensor((1, 2, 3)),
        GyroscopeUncalibrated=b"",
        Magnetometer=sensor((1, 2, 3)),
        notes=b"a,b\n",
    ) | {"Raw Data.csv": b'"Time (s)","X (rad/s)"\n'}
    found = sensor_logger.read(files(contents))
    assert {"linear_acceleration", "gyroscope"} == set(only(found).sensors)
    assert ["Accelerometer.csv", "Gyroscope.csv", "Metadata.csv"] == list(only(found).files)
    other = "holds neither accelerometer nor gyroscope"
    assert {
        "Gravity.csv": "holds no samples",
        "TotalAcceleration.csv": "holds no samples",
        "Standing_Gyroscope.csv": "its name is none that Sensor Logger gives, such as "
        "TotalAcceleration.csv",
        "Magnetometer.csv": other,
        "Location.csv": other,
    } == found.passed_over


def test_two_files_of_one_sensor() -> None:
    """Which of them belongs to the recording is not guessed: the error names both."""
    contents = export() | {"gyroscope.CSV": sensor((1, 2, 3))}
    words = "^export.zip: Gyroscope.csv and gyroscope.CSV both hold the gyroscope"
    with pytest.raises(DataError, match=words):
        read(contents)


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["Annotation.csv", "annotation.csv"], "annotations"),
        (["Annotation.csv", "ANNOTATION.tsv"], "annotations"),
        (["Metadata.csv", "metadata.csv"], "metadata"),
    ],
)
def test_two_files_of_one_kind(names: list[str], what: str) -> None:
    """Neither takes the place of the other: the error names both."""
    content = f"time,seconds_elapsed,text\n{T0_NS},0,walking\n".encode()
    if what == "metadata":
        content = export()["Metadata.csv"]
    found = sensor_logger.read(files(export() | dict.fromkeys(names, content)))
    assert not found.exports
    words = f"export.zip: {names[0]} and {names[1]} both hold the {what}: give each recording's"
    assert [f"{words} files a folder of their own"] == list(found.failures)


def test_every_damaged_file_is_named() -> None:
    """Whoever has mended one would else meet the next; a recording beside them is imported."""
    damaged = sensor((1, 2, 3)).replace(b",3,2,1", b",a,2,1")
    contents = export(Gravity=damaged, TotalAcceleration=damaged)
    contents |= {"Gyroscope.csv": damaged, "other.json": as_json(export())}
    found = sensor_logger.read(files(contents))
    assert [("other.json",)] == [tuple(one.files) for one in found.exports]
    assert [
        f"export.zip: {name}.csv" for name in ("Gyroscope", "Gravity", "TotalAcceleration")
    ] == [failure.partition(": row 1")[0] for failure in found.failures]


@pytest.mark.parametrize(
    "time",
    [
        str(T0_NS // 10**9), str(T0_NS // 10**6), str(T0_NS // 10**3), "0", "-5", str(10**30),
        "1" + "0" * 29, str(T0_NS - 61 * 10**9), str(T0_NS + 62 * 10**9),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["csv", "json"])
def test_annotations_of_impossible_times(time: str, form: str) -> None:
    """They label nothing, and each is named with its place; the others count."""
    annotations = f"time,seconds_elapsed,text\n{T0_NS},0,sitting\n{time},1,walking\n"
    contents = export(Annotation=annotations.encode())
    place = "line 3"
    if form == "json":
        contents, place = {"a.json": as_json(contents)}, "annotation 2"
    found = sensor_logger.read(files(contents))
    assert [(T0_NS / 1e9, "sitting")] == list(only(found).labels)
    assert (
        f"{place}: 'walking' is passed over: its time {time} is none of this recording, in "
        "nanoseconds since 1970"
    ) == found.passed_over["Annotation.csv" if form == "csv" else "a.json"]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_time_that_no_number_can_hold(form: str) -> None:
    """It is an error that names the file."""
    contents = export(Annotation=f"time,seconds_elapsed,text\n1{'0' * 400},0,x\n".encode())
    if form == "json":
        contents = {"a.json": as_json(contents)}
    with pytest.raises(DataError, match="time is too large"):
        read(contents)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_with_a_byte_order_mark(encoding: str) -> None:
    """It is read as without one."""
    found = read({"a.json": as_json(export()).decode().encode(encoding)})
    assert ("a.json",) == tuple(found.files)
    assert {"linear_acceleration", "gyroscope"} == set(found.sensors)


def test_what_a_spreadsheet_wrote_anew() -> None:
    """Semicolons, decimal commas and rounded times, as long as these are right to a millisecond."""
    lines = ["time;seconds_elapsed;z;y;x", "1,787923304123456E+18;0;3,5;2;1", "", ";;;;"]
    found = read(export(Gravity="\r\n".join(lines).encode("utf-8-sig")))
    times, values = found.sensors["gravity"]
    assert [1787923304.123456] == times.tolist()
    assert [[1, 2, 3.5]] == values.tolist()


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("{},1.0,Läuft, schnell,120", "Läuft, schnell"),
        ("{},1.0,Läuft, 5,120", "Läuft, 5"),
        ("{},1.0,Walking, slowly", "Walking, slowly"),
        ('{},1.0,"Läuft, schnell",120', "Läuft, schnell"),
        ("{},1.0", ""),
        ("{},1.0,Walking,", "Walking"),
    ],
)
def test_annotations_with_commas(row: str, text: str) -> None:
    """Whether or not the text is quoted, nothing of it is lost, and no part taken for all."""
    heading = "time,seconds_elapsed,text,millisecond_press_duration"
    content = f"{heading}\n{row.format(T0_NS)}\n".encode()
    assert [(T0_NS / 1e9, text)] == list(read(export(Annotation=content)).labels)


def as_json(contents: dict[str, bytes]) -> bytes:
    """Return the JSON export of what these tables hold."""
    records = []
    for name, content in contents.items():
        heading, *rows = csv.reader(io.StringIO(content.decode()))
        sensor_name = name.removesuffix(".csv")
        records += [{"sensor": sensor_name} | dict(zip(heading, row, strict=True)) for row in rows]
    return json.dumps(records, indent=1).encode()


def test_the_json_export_is_the_same() -> None:
    """All tables are in one file, with the metadata and the annotations."""
    annotations = f"time,seconds_elapsed,text\n{T0_NS},0.0,walking\n{T0_NS + 10**9},1.0,\n"
    contents = export("ios", Annotation=annotations.encode())
    expected, found = read(contents), read({"2026-08-28.json": as_json(contents)})
    assert (expected.device, expected.recording, expected.convention, list(expected.labels)) == (
        found.device, found.recording, found.convention, list(found.labels)
    )  # fmt: skip
    assert ("2026-08-28.json",) == tuple(found.files)
    for sensor_name, (times, values) in expected.sensors.items():
        np.testing.assert_array_equal(times, found.sensors[sensor_name][0])
        np.testing.assert_array_equal(values, found.sensors[sensor_name][1])


def test_json_of_others() -> None:
    """A JSON file that no app wrote is passed over, each of the app is a recording."""
    contents = {f"{name}.json": as_json(export()) for name in "ab"}
    contents |= {"c.json": b'{"type": "Feature"}', "d.json": b'[{"sensor": 1}]', "e.json": b""}
    found = sensor_logger.read(files(contents))
    assert [("a.json",), ("b.json",)] == [tuple(one.files) for one in found.exports]
    assert ["d.json"] == list(found.passed_over)
