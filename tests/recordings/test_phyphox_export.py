"""phyphox' exports, in each form that the app offers."""

import numpy as np
import pytest

from pipeline.recordings import phyphox_export
from pipeline.recordings.exports import Files
from pipeline.recordings.recording import DataError

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


def export(form: tuple[str, str] = (",", "."), **more: bytes) -> Files:
    """Return an export with accelerometer and gyroscope."""
    files = {
        "Accelerometer.csv": table(ACC, [[0.01, 1, 2, -3], [0.02, 4, 5, 6.5]], form),
        "Gyroscope.csv": table(GYRO, [[0.015, 0.1, 0.2, 0.3]], form),
        "meta/time.csv": times(("START", 0.0, START), ("PAUSE", 1.0, START + 1), form=form),
        "meta/device.csv": form[0]
        .join(['"property"', '"value"\n"deviceModel"', '"Pixel 9"\n'])
        .encode(),
    }
    return Files("export.zip", files | {f"{name}.csv": content for name, content in more.items()})


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same(form: tuple[str, str]) -> None:
    """Separator and decimal sign are told by the files."""
    assert phyphox_export.recognises(export(form))
    found = phyphox_export.read(export(form))
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
    found = phyphox_export.read(Files("", {f"{name}.csv": table(headings, rows)}))
    assert {sensor: [[0, 1, 2]]} == {s: values.tolist() for s, (_, values) in found.sensors.items()}


def test_two_sensors_in_a_file() -> None:
    """The rows of the sensor that has fewer end with NaN, and are not its samples."""
    rows = [[0.0, 1, 2, 3, 0.1, 0.2, 0.3], [0.1, 4, 5, 6, np.nan, np.nan, np.nan]]
    found = phyphox_export.read(Files("", {"Raw Data.csv": table([*ACC, *GYRO[1:]], rows)}))
    assert (2, 1) == tuple(len(found.sensors[s][0]) for s in ("accelerometer", "gyroscope"))


def test_a_pause_is_a_gap() -> None:
    """The experiment's time stands still while it is paused, the epoch's does not."""
    events = [("START", 0.0, START), ("PAUSE", 0.015, START + 0.015), ("START", 0.015, START + 60)]
    files = export()
    contents = {**files.contents, "meta/time.csv": times(*events)}
    found = phyphox_export.read(Files("", contents))
    at = found.sensors["accelerometer"][0]
    np.testing.assert_allclose([START + 0.01, START + 60.005], at, rtol=0, atol=1e-6)


def test_without_metadata() -> None:
    """A single file has neither the epoch nor the phone's name."""
    found = phyphox_export.read(Files("", {"Raw Data.csv": export().contents["Accelerometer.csv"]}))
    assert (None, "boot", "") == (found.device, found.clock, found.recording)
    assert [0.01, 0.02] == found.sensors["accelerometer"][0].tolist()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("Accelerometer.csv", table(ACC, [[0.0, 1, 2, 3]]).replace(b"1.0", b"a"), "could not conv"),
        ("Accelerometer.csv", table(ACC, [[np.nan] * 4]), "holds no samples"),
        ("meta/time.csv", b'"event","time"\n"START",0\n', "has not the columns event, experiment"),
        ("meta/time.csv", times(("START", 0.0, START)).replace(b"0.0", b"x"), "could not convert"),
    ],
)
def test_damaged_files(name: str, content: bytes, words: str) -> None:
    """The error names the file and says what to do."""
    files = Files("export.zip", {**export().contents, name: content})
    with pytest.raises(DataError, match=f"^export.zip: {name}: .*{words}"):
        phyphox_export.read(files)


def test_nothing_of_use() -> None:
    """An experiment without the two sensors is refused; other files are no export."""
    light = Files("export.zip", {"Light.csv": table(["Time (s)", "Illuminance (lx)"], [[0, 1]])})
    assert phyphox_export.recognises(light)
    with pytest.raises(DataError, match="choose an experiment with both"):
        phyphox_export.read(light)
    assert not phyphox_export.recognises(Files("", {"Accelerometer.csv": b"time,x,y,z\n1,2,3,4"}))
