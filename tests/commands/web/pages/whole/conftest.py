"""The whole: Mosquitto, har-stream and har-web as installed commands, seen in Chromium."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.recordings import hapt, person_file, simulated
from pipeline.recordings.recording import Recording
from pipeline.vocabulary import SAMPLING_RATE_HZ
from tests.brokers import Mosquitto
from tests.sensors import Sensors, Vector

if TYPE_CHECKING:
    from tests.processes import Running

Rows = NDArray[np.float64]
Open = Callable[..., Any]

MOST_S = 60.0
"""For what takes some ten seconds, on a busy machine"""
POCKET = "placements/MotionSense/sub_05.npz"
"""In a trouser pocket, 50 samples a second"""


class Whole(NamedTuple):
    """A running system."""

    broker: Mosquitto
    url: str


@pytest.fixture
def whole(
    start_web: Open, own_mosquitto: Mosquitto, start_command: "Callable[..., Running]"
) -> Whole:
    """Broker, har-stream and har-web, each as it is started without further settings."""
    own_mosquitto.start()
    start_command("har-stream", *own_mosquitto.flags, "--offline-after", "3")
    own_mosquitto.await_har_stream()
    _, site = start_web(at=own_mosquitto)
    return Whole(own_mosquitto, f"http://127.0.0.1:{site.port}")


@pytest.fixture
def motion_of(request: pytest.FixtureRequest) -> Callable[[str, str], Rows]:
    """A function that returns what a phone measures while its wearer does one thing.

    The rows are of somebody made up, of HAPT (at the waist) or of a placement set (in a pocket).
    """

    def rows_of(source: str, activity: str) -> Rows:
        if source == "made-up":
            return longest(simulated.recordings(1, seconds=60, activity=activity), activity)
        folder: Path = request.getfixturevalue("data_dir")
        if source == "waist":
            return longest(hapt.recordings(folder, [1], download=False), activity)
        if not (folder / POCKET).is_file():
            pytest.skip(f"needs the placement set {POCKET}")
        return longest(person_file.read(folder / POCKET), activity)

    return rows_of


def longest(recordings: Sequence[Recording], activity: str) -> Rows:
    """Return the longest run of samples with one label."""
    runs = [
        stretch.samples[run]
        for recording in recordings
        for stretch in recording.stretches
        for run in np.ma.clump_unmasked(
            np.ma.masked_not_equal(stretch.labels, recording.activities.index(activity))
        )
    ]
    return max(runs, key=len).astype(np.float64)


@pytest.fixture
def perform() -> Callable[..., None]:
    """A function that lets a page's sensors measure rows, over and over, until something holds."""

    def play(page: Any, rows: Rows, until: Callable[[], object]) -> None:
        def at(_passed_s: float) -> tuple[Vector, Vector]:
            # By the clock, so that motion goes on where the play before ended.
            row = rows[round(time.monotonic() * SAMPLING_RATE_HZ) % len(rows)].tolist()
            return (row[0], row[1], row[2]), (row[3], row[4], row[5])

        held = page.sensors.play(at, MOST_S, until=until)
        assert held, f"it did not hold within {MOST_S:g} s; {page.locator('main').inner_text()}"

    return play


@pytest.fixture
def open_phone(whole: Whole, open_page: Open) -> Open:
    """A function that opens a phone's page, with sensors at rest or none, and taps Start."""

    def open_one(device: str, *, sensors: bool = True) -> Any:
        page = open_page(
            f"{whole.url}/phone?device={device}", viewport={"width": 390, "height": 844}
        )
        if sensors:
            page.sensors = Sensors(page)
        page.locator(".labels button").first.wait_for()
        page.click("#start")
        return page

    return open_one
