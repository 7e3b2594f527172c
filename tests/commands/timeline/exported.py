"""Made-up exports of Sensor Logger: simulated motion, in the app's own files."""

import zipfile
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recordings import simulated

T0_S: Final = 1_698_501_144
"""2023-10-28 13:52:24 UTC"""
IDENTITY: Final = np.eye(3)


def sensor_logger_zip(
    path: Path,
    *,
    seconds: float = 60.0,
    activity: str | None = None,
    rate_hz: float = 100.0,
    without: str = "",
    until: float = np.inf,
    platform: str = "android",
    device: str = "pixel-7",
    worn: NDArray[np.float64] = IDENTITY,
    pause: tuple[float, float] = (0.0, 0.0),
    labels: bool = True,
    shuffled: bool = False,
) -> Path:
    """Write an export, and return its path.

    Args:
        path: the zip.
        seconds: how long it is.
        activity: what is done; all six if it is None.
        rate_hz: samples a second.
        without: a sensor's file that is left out, or ends early.
        until: seconds after which it has no samples; all of it is left out if that is infinite.
        platform: ``android``; ``ios``, with an iPhone's sign; or empty for an unknown one.
        device: the phone's id.
        worn: rotation ``(3, 3)`` from the training frame to the phone's axes, applied to rows.
        pause: seconds between which there are no samples.
        labels: whether annotations say what is done.
        shuffled: whether the rows are in disorder.
    """
    (stretch,) = simulated.recordings(1, seconds=seconds, activity=activity)[0].stretches
    times = np.arange(int((seconds - 0.02) * rate_hz)) / rate_hz
    times = times[(times < pause[0]) | (times >= pause[1])]
    columns = [np.interp(times, stretch.times, stretch.samples[:, k]) for k in range(6)]
    values = np.column_stack(columns)
    sign = -1.0 if platform == "ios" else 1.0
    order = np.arange(len(times))
    if shuffled:
        order = np.random.default_rng(0).permutation(order)
    parts = {
        "TotalAcceleration.csv": sign * values[:, :3] @ worn,
        "Gyroscope.csv": values[:, 3:] @ worn,
    }
    activities = [*simulated.LABELS, ""]
    at = stretch.times.searchsorted(times, side="right") - 1
    of_rows = stretch.labels[at]
    changes = np.flatnonzero(np.diff(of_rows, prepend=-2)).tolist()
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, samples in parts.items():
            if name != without or until < np.inf:
                last = until if name == without else np.inf
                rows = [
                    f"{_ns(times[k])},{times[k]:.3f},{z},{y},{x}"
                    for k, (x, y, z) in zip(order.tolist(), samples[order].tolist(), strict=True)
                    if times[k] < last
                ]
                archive.writestr(name, "\n".join(["time,seconds_elapsed,z,y,x", *rows]) + "\n")
        archive.writestr(
            "Metadata.csv",
            "device name,recording time,platform,device id,standardisation\n"
            f"Phone,2023-10-28_13-52-24,{platform},{device},{str(not platform).lower()}\n",
        )
        if labels:
            notes = [f"{_ns(times[k])},{times[k]},{activities[of_rows[k]]}" for k in changes]
            archive.writestr("Annotation.csv", "\n".join(["time,seconds_elapsed,text", *notes]))
    return path


def _ns(seconds: float) -> int:
    return T0_S * 10**9 + round(seconds * 1e9)
