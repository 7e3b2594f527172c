"""What apps export, for har-import: a few seconds, in the files of each."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pipeline.recordings.recording import Recording

T0_NS = 1_787_923_304_000_000_000


def sensor_logger(
    folder: Path, *, platform: str = "ios", annotations: str = "", later_s: int = 0
) -> Path:
    """Write an export of 7.5 s at 40 Hz."""
    folder.mkdir(parents=True)
    for name, y in (("Accelerometer", 0.0), ("Gravity", -9.8), ("Gyroscope", 0.5)):
        start_ns = T0_NS + later_s * 10**9
        rows = [f"{start_ns + k * 25_000_000},{k / 40},0,{y},0.25" for k in range(300)]
        (folder / f"{name}.csv").write_text("\n".join(["time,seconds_elapsed,z,y,x", *rows]))
    (folder / "Metadata.csv").write_text(
        "device name,recording time,platform,device id,standardisation\n"
        f"iPhone,2026-08-28_13-21-44,{platform},abc,false\n"
    )
    (folder / "Annotation.csv").write_text("time,seconds_elapsed,text\n" + annotations)
    return folder


def labels(recording: "Recording") -> list[str | None]:
    """Return what was done at each half second."""
    names = (*recording.activities, None)
    at = T0_NS / 1e9 + np.arange(0.25, 3.0, 0.5)
    return [names[label] for label in recording.labels_at(at)]


PHYPHOX = '"Time (s)","Acceleration x (m/s^2)","Acceleration y (m/s^2)","Acceleration z (m/s^2)"'
GYROSCOPE = '"Time (s)","Gyroscope x (rad/s)","Gyroscope y (rad/s)","Gyroscope z (rad/s)"'


def table(heading: str, n_rows: int, *, value: int = 0) -> str:
    """Return a table of phyphox at 50 Hz."""
    return "\n".join([heading, *(f"{k / 50},{value},9.8,1" for k in range(n_rows))])


def phyphox(folder: Path) -> Path:
    """Write an export of 7.5 s at 40 Hz."""
    (folder / "meta").mkdir(parents=True)
    for name, what, unit in (("A", "Acceleration", "m/s^2"), ("G", "Gyroscope", "rad/s")):
        heading = ",".join(["Time (s)", *(f"{what} {axis} ({unit})" for axis in "xyz")])
        rows = [f"{k / 40},0.5,9.8,0.25" for k in range(300)]
        (folder / f"{name}.csv").write_text("\n".join([heading, *rows]))
    (folder / "meta" / "device.csv").write_text("property,value\ndeviceModel,Pixel\n")
    (folder / "meta" / "time.csv").write_text(
        f"event,experiment time,system time\nSTART,0,{T0_NS / 1e9}\n"
    )
    return folder
