import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.recordings import parquet
from tests.commands.importer.exported import T0_NS, labels, sensor_logger
from tests.commands.importer.outcome import Imported


@pytest.mark.parametrize("text", ["Läuft, schnell", '"Läuft, schnell"', ""])
def test_any_annotation_ends_the_one_before(
    har_import: Callable[..., Imported], tmp_path: Path, text: str
) -> None:
    """What names no activity is no label; letters of any script do."""
    first, then, last = (f"{T0_NS + s * 10**9},{s}.0" for s in (0, 1, 2))
    annotations = f"{first},walking\n{then},{text}\n{last},läuft schräg"
    sensor_logger(tmp_path / "export", annotations=annotations)
    done = har_import("export", "--output", "own")
    assert not done.failed, done.told
    (path,) = parquet.find([tmp_path / "own"])
    assert ["WALKING"] * 2 + [None] * 2 + ["LÄUFT_SCHRÄG"] * 2 == labels(parquet.read(path))


@pytest.mark.parametrize("unit_ns", [10**9, 10**6])
def test_annotations_in_another_unit(
    har_import: Callable[..., Imported], tmp_path: Path, unit_ns: int
) -> None:
    """They label nothing, and each is told; the label of the command line stays."""
    time = T0_NS // unit_ns
    sensor_logger(tmp_path / "export", annotations=f"{time},0,walking\n")
    done = har_import("export", "--label", "sitting")
    assert "labels SITTING\n" == done.stdout[-15:]
    words = f"export: Annotation.csv: line 2: 'walking' is passed over: its time {time} is none of"
    assert [f"{words} this recording, in nanoseconds since 1970"] == done.told


def test_a_message_quotes_the_annotation_alone(
    har_import: Callable[..., Imported], tmp_path: Path
) -> None:
    """An unquoted comma is part of it, the column behind it is not."""
    folder = sensor_logger(tmp_path / "export")
    heading = "time,seconds_elapsed,text,millisecond_press_duration"
    (folder / "Annotation.csv").write_text(f"{heading}\n{T0_NS},0,what, now?,120\n")
    done = har_import("export")
    assert ["export: 'what, now?' is no activity"] == [one[:35] for one in done.told]


def test_more_annotations_than_anybody_makes(har_import: Callable[..., Imported]) -> None:
    """They are refused, in a table and in JSON, before they take memory."""
    note = f"{T0_NS},0,walking\n"
    sensor_logger(Path("table"), annotations=note * 10_001)
    sensor_logger(Path("most"), annotations=note * 10_000, later_s=9)
    note_in_json = {"sensor": "Annotation", "time": T0_NS, "text": "walking"}
    Path("one.json").write_text(json.dumps([note_in_json] * 10_001))
    done = har_import("table", "most", "one.json")
    assert 1 == done.stdout.count("Wrote ")
    words = "holds over 10000 annotations: take most of them out"
    assert [f"har-import: {where}: {words}" for where in ("table: Annotation.csv", "one.json")] == (
        done.told
    )


def test_annotations_that_are_no_activities(har_import: Callable[..., Imported]) -> None:
    """Twenty are named, each once."""
    notes = "".join(f"{T0_NS + k},0,what {k % 30}?\n" for k in range(900))
    sensor_logger(Path("export"), annotations=notes)
    done = har_import("export")
    assert (21, False) == (len(done.told), done.failed)
    assert "export: and 10 more annotations are no activities" == done.told[-1]
