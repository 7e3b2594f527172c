"""What is said of recordings that are not as they should be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.commands.timeline.recorded_file import RecordedFile
from pipeline.commands.timeline.recorded_timeline import RecordedTimelines
from pipeline.commands.timeline.remarks import Remark, remarks
from pipeline.recognition.placement.frames import FRAMES
from pipeline.serving.outputs.phone_info import WARNINGS, advice_on
from tests.commands.timeline.exported import sensor_logger_zip


@pytest.fixture
def said(
    timelines: Callable[..., RecordedTimelines],
    read_files: Callable[..., list[RecordedFile]],
    tmp_path: Path,
) -> Callable[..., list[Remark]]:
    """A function that returns the remarks on an export, with some settings."""

    def of(settings: dict[str, object] | None = None, **export: object) -> list[Remark]:
        path = sensor_logger_zip(tmp_path / "export.zip", **export)  # type: ignore[arg-type]
        (recorded,) = read_files(path)
        timeline = timelines(**(settings or {})).make(recorded, keeps_predictions=False)
        return remarks(recorded, timeline)

    return of


def test_nothing_is_said_of_a_good_recording(said: Callable[..., list[Remark]]) -> None:
    """A recording of an Android phone at a usual rate is as it should be."""
    assert [] == said(seconds=24)


def test_a_missing_gyroscope(said: Callable[..., list[Remark]]) -> None:
    """What is missing is named, and what to do."""
    (remark,) = said(without="Gyroscope.csv", seconds=12)
    assert "no-gyroscope" == remark.warning
    assert "has accelerometer, but no gyroscope" in remark.advice
    assert "switch it on in the app" in remark.advice


def test_a_gyroscope_that_stops(said: Callable[..., list[Remark]]) -> None:
    """Where one sensor goes on alone, it is said that nothing is known of that time."""
    (remark,) = said(without="Gyroscope.csv", until=12.0, seconds=24)
    assert "unused" == remark.warning
    assert "of one sensor have none of the other beside them" in remark.advice


def test_a_low_rate(said: Callable[..., list[Remark]]) -> None:
    """Too few samples a second are said in the words of har-stream, with what the model needs."""
    anywhere = advice_on("low-rate", needed_rate_hz=19.0)
    assert [Remark("low-rate", anywhere)] == said(rate_hz=12.0, seconds=30)
    at_waist = {"placement": ["waist"], "frame": ["landscape"]}
    found = said(at_waist, rate_hz=20.0, seconds=30)
    assert [Remark("low-rate", advice_on("low-rate", needed_rate_hz=30.0))] == found


def test_a_wrong_frame(said: Callable[..., list[Remark]]) -> None:
    """A phone that is worn otherwise than is set is found out, once its wearer walks."""
    found = said({"frame": ["landscape"]}, worn=FRAMES["portrait"], activity="WALKING", seconds=60)
    assert [Remark("wrong-frame", WARNINGS["wrong-frame"])] == found


def test_a_short_recording(said: Callable[..., list[Remark]]) -> None:
    """A recording that is over before the filters settle has nothing, and it is said why."""
    (remark,) = said(seconds=0.08, activity="WALKING", labels=False)
    assert "short" == remark.warning
    assert "has 0.05 s; a first activity takes 6.4 s" in remark.advice


def test_an_unknown_kind_of_phone(said: Callable[..., list[Remark]]) -> None:
    """Where the file does not say whose sign it has, that is said."""
    (remark,) = said(platform="", seconds=24)
    assert "use --convention ios" in remark.advice
