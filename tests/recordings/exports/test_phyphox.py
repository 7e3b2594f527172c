"""phyphox' exports, in each form that the app offers."""

import numpy as np
import pytest

from pipeline.recordings.exports import phyphox
from pipeline.recordings.exports.exports import Export
from pipeline.recordings.recording import DataError
from tests.recordings.exported import files, only

START = 1_759_650_000.25
FORMS = [(",", "."), ("\t", "."), (";", "."), ("\t", ","), (";", ",")]
"""Separator and decimal sign"""


def written(number: float) -> str:
    """Return a number as the app writes it."""
    mantissa, _, exponent = f"{number:.9e}".partition("e")
    return f"{mantissa}E{int(exponent)}" if exponent else "NaN"


def table(
    headings: list[str], rows: list[list[float]], form: tuple[str, str] = (",", ".")
) -> bytes:
    """Return a data set's file."""
    separator, decimal = form
    lines = [separator.join(f'"{heading}"' for heading in headings)]
    lines += [separator.join(written(n).replace(".", decimal) for n in row) for row in rows]
    return "\n".join([*lines, ""]).encode()


def times(*events: tuple[str, float, float], form: tuple[str, str] = (",", ".")) -> bytes:
    """Return ``meta/time.csv``."""
    separator, decimal = form
    lines = [
        separator.join(['"event"', '"experiment time"', '"system time"', '"system time text"'])
    ]
    lines += [
        separator.join(
            [
                f'"{event}"',
                written(own).replace(".", decimal),
                f"{epoch:.3f}".replace(".", decimal),
                '"2025-10-05 10:20:00.250 UTC+02:00"',
            ]
        )
        for event, own, epoch in events
    ]
    return "\n".join(lines).encode()


ACC = ["Time (s)", *(f"Acceleration {axis} (m/s^2)" for axis in "xyz")]
GYRO = ["Time (s)", *(f"Gyroscope {axis} (rad/s)" for axis in "xyz")]


def export(form: tuple[str, str] = (",", "."), **more: bytes) -> dict[str, bytes]:
    """Return an export with accelerometer and gyroscope."""
    contents = {
        "Accelerometer.csv": table(ACC, [[0.01, 1, 2, -3], [0.02, 4, 5, 6.5]], form),
        "Gyroscope.csv": table(GYRO, [[0.015, 0.1, 0.2, 0.3]], form),
        "meta/time.csv": times(("START", 0.0, START), ("PAUSE", 1.0, START + 1), form=form),
        "meta/device.csv": form[0]
        .join(['"property"', '"value"\n"deviceModel"', '"Pixel 9"\n'])
        .encode(),
    }
    return contents | {f"{name}.csv": content for name, content in more.items()}


def read(contents: dict[str, bytes]) -> Export:
    """Return the one recording in files."""
    return only(phyphox.read(files(contents)))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same(form: tuple[str, str]) -> None:
    """Separator and decimal sign are told by the files."""
    found = read(export(form))
    at, values = found.sensors["accelerometer"]
    assert [[1, 2, -3], [4, 5, 6.5]] == values.tolist()
    assert [START + 0.01, START + 0.02] == at.tolist()
    assert [START + 0.015] == found.sensors["gyroscope"][0].tolist()
    assert ("phyphox", "epoch", "android") == (found.app, found.clock, found.convention)
    assert ("Pixel 9", str(START)) == (found.device, found.recording)


@pytest.mark.parametrize(
    ("name", "headings", "sensor"),
    [
        ("Raw Data", ACC, "accelerometer"),
        ("Accelerometer", ["Time (s)", "X (m/s^2)", "Y (m/s^2)", "Z (m/s^2)"], "accelerometer"),
        ("Accelerometer", [*ACC, "Absolute acceleration (m/s^2)"], "accelerometer"),
        ("Linear Accelerometer", ["Time (s)", "X (m/s^2)", "Y (m/s^2)", "Z (m/s^2)"],
         "linear_acceleration"),
        ("Raw Data", ["Time (s)", *(f"Linear Acceleration {a} (m/s^2)" for a in "xyz")],
         "linear_acceleration"),
        ("Gravity", ["Time (s)", *(f"Gravity {a} (m/s²)" for a in "xyz")], "gravity"),
        ("Gyroscope", ["Zeit (s)", *(f"Gyroskop {a} (rad/s)" for a in "xyz")], "gyroscope"),
    ],
)  # fmt: skip
def test_sensors_are_known_by_their_headings(name: str, headings: list[str], sensor: str) -> None:
    """Axis and unit tell which, whatever the experiment, the version, and often the language."""
    rows = [[0.5, *range(len(headings) - 1)]]
    found = read({f"{name}.csv": table(headings, rows)})
    assert {sensor: [[0, 1, 2]]} == {s: values.tolist() for s, (_, values) in found.sensors.items()}


def test_two_sensors_in_a_file() -> None:
    """The rows of the sensor that has fewer end with NaN, and are not its samples."""
    rows = [[0.0, 1, 2, 3, 0.1, 0.2, 0.3], [0.1, 4, 5, 6, np.nan, np.nan, np.nan]]
    found = read({"Raw Data.csv": table([*ACC, *GYRO[1:]], rows)})
    assert (2, 1) == tuple(len(found.sensors[s][0]) for s in ("accelerometer", "gyroscope"))


def test_a_pause_is_a_gap() -> None:
    """The experiment's time stands still while it is paused, the epoch's does not."""
    events = [("START", 0.0, START), ("PAUSE", 0.015, START + 0.015), ("START", 0.015, START + 60)]
    found = read(export() | {"meta/time.csv": times(*events)})
    at = found.sensors["accelerometer"][0]
    np.testing.assert_allclose([START + 0.01, START + 60.005], at, rtol=0, atol=1e-6)


def test_without_metadata() -> None:
    """A single file has neither the epoch nor the phone's name."""
    found = read({"Raw Data.csv": export()["Accelerometer.csv"]})
    assert (None, "boot", "") == (found.device, found.clock, found.recording)
    assert [0.01, 0.02] == found.sensors["accelerometer"][0].tolist()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("Accelerometer.csv", table(ACC, [[0.0, 1, 2, 3]]).replace(b"1.0", b"a"), "could not conv"),
        ("Accelerometer.csv", table([*ACC, ACC[1]], [[0.0, 1, 2, 3, 4]]), "both are the accele"),
        ("meta/time.csv", b'"event","time"\n"START",0\n', "has not the columns event, experiment"),
        ("meta/time.csv", times(("START", 0.0, START)).replace(b"0.0", b"x"), "could not convert"),
    ],
)
def test_damaged_files(name: str, content: bytes, words: str) -> None:
    """The error names the file and says what to do."""
    with pytest.raises(DataError, match=f"^export.zip: {name}: .*{words}"):
        only(phyphox.read(files(export() | {name: content})))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("digits", [3, 4])
def test_times_that_a_spreadsheet_rounded(digits: int, form: tuple[str, str]) -> None:
    """They are refused, and so is a beginning of which seconds are lost."""
    separator, decimal = form
    rows = [[k / 50, 0.1 * (k % 7), 9.8, 0.2] for k in range(6000)]
    lines = [separator.join(f"{n:.{digits - 1}E}".replace(".", decimal) for n in r) for r in rows]
    content = "\n".join([separator.join(ACC), *lines]).encode()
    with pytest.raises(DataError, match=r"Accelerometer\.csv: .* a spreadsheet has rounded them"):
        read(export() | {"Accelerometer.csv": content})
    begun = separator.join(["START", "0", f"{START:.{digits - 1}E}".replace(".", decimal)])
    heading = separator.join(["event", "experiment time", "system time"])
    with pytest.raises(DataError, match=r"meta/time\.csv: time is not whole seconds \(1.76"):
        read(export() | {"meta/time.csv": f"{heading}\n{begun}\n".encode()})


def test_samples_that_come_twice() -> None:
    """The same sample, or a time that a phone gives twice now and then, is no rounding."""
    rows = [[k // 2 / 50, 0.1 * (k // 2), 9.8, 0.2] for k in range(100)]
    rows += [[2 + (k - k % 20 // 19) / 50, 0.1 * k, 9.8, 0.2] for k in range(100)]
    found = read({"Accelerometer.csv": table(ACC, rows)})
    assert 200 == len(found.sensors["accelerometer"][0])


def test_nothing_of_use() -> None:
    """Tables of other sensors are passed over with the reason; other apps' are not phyphox'."""
    contents = {
        "Light.csv": table(["Time (s)", "Illuminance (lx)"], [[0, 1]]),
        "Plot.csv": table(["Time (s)", "Acceleration x (m/s^2)"], [[0, 1]]),
        "Empty.csv": table(ACC, [[np.nan] * 4]),
        "Heading.csv": table(GYRO, []),
        "Accelerometer.csv": b"time,x,y,z\n1,2,3,4",
        "nothing.csv": b"",
    }
    found = phyphox.read(files(contents))
    assert () == tuple(found.exports)
    assert {
        "Light.csv": "holds neither accelerometer nor gyroscope",
        "Plot.csv": "its accelerometer has no y, z",
        "Empty.csv": "holds no samples",
        "Heading.csv": "holds no samples",
    } == found.passed_over


def test_exports_of_own_names_are_recordings_of_their_own() -> None:
    """Renamed and put into one folder, tables of the same sensors are never taken together."""
    contents = {
        f"{name}.csv": table([*ACC, *GYRO[1:]], [[k / 50, k, 1, 2, 3, 4, 5] for k in range(n)])
        for name, n in (("walking", 2), ("standing", 3), ("sitting", 4))
    }
    found = phyphox.read(files(contents))
    assert [("walking", 4), ("standing", 6), ("sitting", 8)] == [
        (one.recording, one.n_samples) for one in found.exports
    ]
    assert [(name,) for name in contents] == [tuple(one.files) for one in found.exports]


@pytest.mark.parametrize("meta", [True, False])
def test_two_files_of_one_sensor(meta: bool) -> None:
    """Which of them belongs to the recording is not guessed: the error names both."""
    contents = export(data=table([*GYRO], [[0.0, 7, 8, 9]]))
    if not meta:
        contents = {name: one for name, one in contents.items() if not name.startswith("meta/")}
    words = "^export.zip: Gyroscope.csv and data.csv both hold the gyroscope"
    with pytest.raises(DataError, match=words):
        phyphox.read(files(contents))


def test_alternatives_within_an_export() -> None:
    """What has one ``meta/time.csv`` was one experiment, in which no sensor is there twice."""
    contents = export()
    contents["Gyroscope.csv"] = contents["Accelerometer.csv"]
    with pytest.raises(DataError, match="both hold the accelerometer"):
        phyphox.read(files(contents))


RAD = np.pi / 180
G = 9.80665


@pytest.mark.parametrize(
    ("headings", "expected"),
    [
        ("Acceleration x (m/s^2);Acceleration y (m/s^2);Acceleration z (m/s^2)", 1.0),
        ("X [m/s²];Y [m/s²];Z [m/s²]", 1.0),
        ("X (m/sÂ²);Y (m/sÂ²);Z (m/sÂ²)", 1.0),
        ("acc_x (g);acc_y (g);acc_z (g)", G),
        ("ax (m s^-2);ay (m s^-2);az (m s^-2)", 1.0),
        ("Gyroscope x (rad/s);Gyroscope y (rad/s);Gyroscope z (rad/s)", 1.0),
        ("Gyroscope x (deg/s);Gyroscope y (deg/s);Gyroscope z (deg/s)", RAD),
        ("gyro x (°/s);gyro y (°/s);gyro z (°/s)", RAD),
        ('"gx (º/sec)";"gy (dps)";gz (degrees/s)', RAD),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_a_spreadsheet_wrote_anew(
    headings: str, expected: float, encoding: str, end: str
) -> None:
    """Quotes or none, semicolons, decimal commas, other units and encodings: the same samples."""
    lines = [f"Time (s);{headings};;", "0;1;2;-3;;", "0,01;1,5;2,25;1E-1", ";;;;;", "0,02;0;0;0;;"]
    content = end.join([*lines, ""]).encode(encoding)
    (samples,) = read({"Table.csv": content}).sensors.values()
    times, values = samples
    assert [0.0, 0.01, 0.02] == times.tolist()
    np.testing.assert_allclose(
        expected * np.array([[1, 2, -3], [1.5, 2.25, 0.1], [0, 0, 0]]), values, rtol=1e-12
    )


def test_tables_side_by_side() -> None:
    """Columns belong to the times before them; times may be in milliseconds, or of the epoch."""
    content = (
        "sep=,\nTime (ms),ax (g),ay (g),az (g),Time (ms),gx (dps),gy (dps),gz (dps)\n"
        "1759650000000,0,0,1,1759650000010,180,0,0\n1759650000020,0,0,2,,,,\n"
    )
    found = read({"Table.csv": content.encode()})
    assert "epoch" == found.clock
    times, values = found.sensors["accelerometer"]
    assert [1_759_650_000.0, 1_759_650_000.02] == times.tolist()
    assert [[0, 0, G], [0, 0, 2 * G]] == values.tolist()
    assert [1_759_650_000.01] == found.sensors["gyroscope"][0].tolist()
    assert [[np.pi, 0, 0]] == found.sensors["gyroscope"][1].tolist()


@pytest.mark.parametrize(
    ("name", "heading", "sensor"),
    [
        ("Table", "Accélération linéaire {} (m/s²)", "linear_acceleration"),
        ("Table", "Acceleration without g {} (m/s²)", "linear_acceleration"),
        ("Table", "Beschleunigung ohne g {} (m/s²)", "linear_acceleration"),
        ("Linear Acceleration", "{} (m/s²)", "linear_acceleration"),
        ("Gravity", "{} (m/s²)", "gravity"),
        ("Gravity", "Acceleration {} (m/s²)", "accelerometer"),
        ("Line 5", "Acceleration {} (m/s²)", "accelerometer"),
        ("Linda walks", "Acceleration {} (m/s²)", "accelerometer"),
    ],
)
def test_sensors_in_other_languages(name: str, heading: str, sensor: str) -> None:
    """What has no gravity in it is not taken for what has, nor the other way round."""
    headings = ["Time (s)", *(heading.format(axis) for axis in "xyz")]
    assert [sensor] == list(read({f"{name}.csv": table(headings, [[0, 1, 2, 3]])}).sensors)


def test_times_in_the_last_column() -> None:
    """Columns in another order are read the same."""
    content = b"X (m/s^2);Y (m/s^2);Z (m/s^2);Time (s)\n1;2;3;0,5\n"
    times, values = read({"Table.csv": content}).sensors["accelerometer"]
    assert ([0.5], [[1, 2, 3]]) == (times.tolist(), values.tolist())


def test_rows_that_do_not_fit_are_counted() -> None:
    """A row of too many cells, and a sample without a number, are named as left out."""
    content = table(ACC, [[0.0, 1, 2, 3]]) + b"0.1,1,,3\n0.2,1,2,3,4\n0.3,1,2,3\n0.4"
    found = phyphox.read(files({"Raw Data.csv": content}))
    assert [0.0, 0.3] == only(found).sensors["accelerometer"][0].tolist()
    why = "rows left out: 1 of too many cells, 1 without a number, or with an impossible one"
    assert {"Raw Data.csv": why} == found.passed_over


def test_decimal_commas_between_commas() -> None:
    """Where no row can be told apart the error says what to do, and nothing is read amiss."""
    content = b"Time (s),X (m/s^2),Y (m/s^2),Z (m/s^2)\n0,01,1,5,2,5,3,5\n"
    with pytest.raises(DataError, match=r"^export.zip: Raw.csv: .*separate them by semicolons"):
        only(phyphox.read(files({"Raw.csv": content})))


def test_every_damaged_file_is_named() -> None:
    """Whoever has mended one would else meet the next."""
    damaged = table(GYRO, [[0.0, 1, 2, 3]]).replace(b"1", b"a")
    contents = export() | {f"{name}.csv": damaged for name in ("Gyroscope", "other")}
    found = phyphox.read(files(contents))
    assert not found.exports
    assert ["export.zip: Gyroscope.csv", "export.zip: other.csv"] == [
        failure.partition(": row 1")[0] for failure in found.failures
    ]


@pytest.mark.parametrize("name", ["time", "device"])
def test_two_files_of_one_name(name: str) -> None:
    """Neither takes the place of the other: the error names both."""
    contents = export() | {f"meta/{name.upper()}.csv": b"a,b", f"meta/{name}.csv": b"a,b"}
    with pytest.raises(DataError, match=rf"{name.upper()}\.csv both hold the {name}: "):
        phyphox.read(files(contents))
