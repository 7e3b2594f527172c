"""Recordings in files: what goes in comes out, and what was flushed survives."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.readings import Convention, Readings, Sensor
from pipeline.recordings import journals, parquet
from pipeline.recordings.journals import ACCELERATIONS
from pipeline.recordings.recording import DataError
from tests.recordings.journaled import EPOCH, HEADER, header, readings, same, samples_of

SENSORS = st.sampled_from(
    ["motion", "accelerometer", "linear_acceleration", "gravity", "gyroscope_uncalibrated"]
)
FLOATS = st.floats(-90, 90)


@given(
    messages=st.lists(
        st.lists(
            st.tuples(SENSORS, st.lists(st.tuples(*[FLOATS] * 7), min_size=1, max_size=4)),
            min_size=1,
            max_size=4,
            unique_by=lambda part: part[0],
        ),
        min_size=1,
        max_size=6,
    ),
    flushes=st.sets(st.integers(0, 5)),
)
@settings(max_examples=40)
def test_what_goes_in_comes_out(
    tmp_path_factory: pytest.TempPathFactory,
    messages: list[list[tuple[Sensor, list[tuple[float, ...]]]]],
    flushes: set[int],
) -> None:
    """Every message comes back with its sensors in their order, and every bit of its samples."""
    journal = journals.Journal(tmp_path_factory.mktemp("own"), HEADER)
    sent: list[list[Readings]] = []
    for number, message in enumerate(messages):
        sent.append([])
        for sensor, rows in message:
            table = np.array(rows)
            width = 6 if sensor == "motion" else 3
            one = Readings("phone-7", EPOCH + table[:, 0], table[:, 1 : 1 + width], sensor, "one")
            journal.append(number, one)
            sent[-1].append(one)
        if number in flushes:
            journal.flush()
    path = journal.close()
    assert path is not None
    back = parquet.read(path)
    assert [len(message) for message in sent] == [len(message) for message in back.messages]
    for expected, found in zip(sent, back.messages, strict=True):
        for one, other in zip(expected, found, strict=True):
            same(one, other.readings)


def test_files_of_one_second_do_not_replace_each_other(tmp_path: Path) -> None:
    """A recording never takes the name of another, be it finished or not."""
    first, second = journals.Journal(tmp_path, HEADER), journals.Journal(tmp_path, HEADER)
    first.append(0, readings(0.0))
    second.append(0, readings(1.0))
    paths = [first.close(), second.close()]
    third = journals.Journal(tmp_path, HEADER)
    third.append(0, readings(2.0))
    paths.append(third.close())
    names = [f"phone-7_20261123T152200Z{number}.parquet" for number in ("", "-2", "-3")]
    assert names == [path.name for path in paths if path]


def test_labels_hold_from_their_time_on(tmp_path: Path) -> None:
    """Whenever a label comes, it is that of the samples from its time until the next label's."""
    journal = journals.Journal(tmp_path, HEADER)
    journal.label(-np.inf, "WALKING")
    journal.append(0, readings(0.0, 100))
    journal.label(EPOCH + 1.5, "JUMPING")  # late: its samples are there already
    journal.flush()
    journal.label(EPOCH + 1.0, None)  # later still
    journal.append(1, readings(2.0, 50))
    path = journal.close()
    assert path is not None
    back = parquet.read(path)
    assert ("JUMPING", "WALKING") == back.activities
    assert [1] * 50 + [-1] * 25 + [0] * 25 == back.messages[0][0].labels.tolist()
    assert [0] * 50 == back.messages[1][0].labels.tolist()


@pytest.mark.parametrize(
    ("chosen", "proofs", "sign", "decided"),
    [
        ("auto", [None, None, None], 1, ("android", "assumption")),
        ("auto", [None, "ios", None], -1, ("ios", "message")),
        ("auto", [None, "android", None], 1, ("android", "message")),
        ("ios", [None, "android", None], -1, ("ios", "setting")),
        ("android", [None, "ios", None], 1, ("android", "setting")),
    ],
)
@pytest.mark.parametrize("sensor", [*ACCELERATIONS, "gyroscope"])
def test_accelerations_are_kept_in_android_s_convention(
    tmp_path: Path,
    chosen: Convention,
    proofs: list[Convention | None],
    sign: int,
    decided: tuple[str, str],
    sensor: Sensor,
) -> None:
    """What is set or proved, sooner or later, holds for all of a recording's accelerations."""
    journal = journals.Journal(
        tmp_path,
        header(convention=chosen, convention_from="assumption" if chosen == "auto" else "setting"),
    )
    sent = [readings(k, sensor=sensor, convention=proof) for k, proof in enumerate(proofs)]
    for number, one in enumerate(sent):
        journal.append(number, one)
        journal.flush()
    path = journal.close()
    assert path is not None
    back = parquet.read(path)
    assert decided == (back.header.convention, back.header.convention_from)
    n_signed = 3 if sensor in ACCELERATIONS else 0
    for one, (other,) in zip(sent, back.messages, strict=True):
        expected = one.values.copy()
        expected[:, :n_signed] *= sign
        np.testing.assert_array_equal(expected, other.readings.values)


def test_without_samples_there_is_no_file(tmp_path: Path) -> None:
    """A recording in which nothing came leaves nothing."""
    journal = journals.Journal(tmp_path, HEADER)
    journal.label(-np.inf, "WALKING")
    assert journal.close() is None
    assert [] == list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[int]]:
    """A journal of ten messages, and its length after each was flushed."""
    journal = journals.Journal(tmp_path_factory.mktemp("journal"), HEADER)
    journal.label(-np.inf, "WALKING")
    lengths = []
    for number in range(10):
        journal.append(number, readings(number / 2))
        journal.flush()
        lengths.append(journal.path.stat().st_size)
    content = journal.path.read_bytes()
    journal.discard()
    return content, lengths


@given(data=st.data())
def test_a_torn_journal_gives_all_that_was_flushed(
    tmp_path_factory: pytest.TempPathFactory, written: tuple[bytes, list[int]], data: st.DataObject
) -> None:
    """Wherever the end is cut off, or zeros are in its place, what came before is recovered."""
    content, lengths = written
    cut = data.draw(st.integers(lengths[0], len(content)))
    padding = data.draw(st.integers(0, 2000))
    folder = tmp_path_factory.mktemp("torn")
    (folder / "torn.arrows").write_bytes(content[:cut] + bytes(padding))
    (path,) = journals.recover(folder)
    n_whole = sum(length <= cut for length in lengths)
    times = samples_of(path)
    assert 25 * n_whole <= len(times) <= 25 * (n_whole + 1)  # the cut may spare all but padding
    np.testing.assert_array_equal(EPOCH + np.arange(len(times)) / 50, times)
    assert [path] == list(folder.iterdir())
    assert ("WALKING",) == parquet.read(path).activities


@given(data=st.data())
def test_a_damaged_batch_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, written: tuple[bytes, list[int]], data: st.DataObject
) -> None:
    """One wrong bit, and neither its batch nor those after it are taken for samples."""
    content, lengths = written
    place = data.draw(st.integers(lengths[4], len(content) - 1))
    damaged = bytearray(content)
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "damaged.arrows").write_bytes(damaged)
    (path,) = journals.recover(folder)
    times = samples_of(path)
    assert len(times) >= 25 * sum(length <= place for length in lengths)
    np.testing.assert_array_equal(EPOCH + np.arange(len(times)) / 50, times)


def test_a_journal_in_use_is_not_recovered(tmp_path: Path) -> None:
    """Another har-record may be writing into the folder."""
    journal = journals.Journal(tmp_path, HEADER)
    journal.append(0, readings(0.0))
    journal.flush()
    assert [] == journals.recover(tmp_path)
    path = journal.close()
    assert [path] == list(tmp_path.iterdir())


def test_an_unfinished_import_is_no_recording(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may lack samples that the export has, so it is removed, and its name is told."""
    journal = journals.Journal(tmp_path, header(format="phyphox export", convention="android"))
    journal.append(0, readings(0.0))
    journal.flush()
    content = journal.path.read_bytes()
    journal.discard()
    journal.path.write_bytes(content)  # as after a crash
    (tmp_path / f".{journal.path.stem}.parquet.unfinished").write_bytes(b"half")
    assert [] == journals.recover(tmp_path)
    assert [] == list(tmp_path.iterdir())
    assert f"{journal.path}: an import that did not finish" in caplog.text


def test_a_journal_without_its_beginning_is_put_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It stops nobody, and it is not thrown away unless it is empty."""
    (tmp_path / "empty.arrows").write_bytes(b"")
    (tmp_path / "other.arrows").write_bytes(b"no journal")
    assert [] == journals.recover(tmp_path)
    assert ["other.damaged"] == [path.name for path in tmp_path.iterdir()]
    assert "is no journal of har-record" in caplog.text


def test_a_killed_writer_loses_nothing_that_was_flushed(tmp_path: Path) -> None:
    """Kill -9 leaves a journal that becomes a recording with every flushed sample."""
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from tests.recordings import journaled as shared
from pipeline.recordings import journals
journal = journals.Journal(Path({str(tmp_path)!r}), shared.HEADER)
for number in range(7):
    journal.append(number, shared.readings(number / 2))
    if number < 6:
        journal.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert -9 == killed.returncode, killed.stderr
    (path,) = journals.recover(tmp_path)
    np.testing.assert_array_equal(EPOCH + np.arange(150) / 50, samples_of(path))


def test_a_full_disk_leaves_what_was_flushed(tmp_path: Path) -> None:
    """When nothing more can be written that is an error, and what was written before stays."""
    code = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from tests.recordings import journaled as shared
from pipeline.recordings import journals
journal = journals.Journal(Path({str(tmp_path)!r}), shared.HEADER)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
try:
    for number in range(100):
        journal.append(number, shared.readings(number / 2))
        journal.flush()
except OSError as error:
    print(number, error)
"""
    full = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    number, _, error = full.stdout.partition(" ")
    assert "File too large" in error, full.stderr
    (path,) = journals.recover(tmp_path)
    np.testing.assert_array_equal(EPOCH + np.arange(25 * int(number)) / 50, samples_of(path))


def test_a_journal_that_is_taken_back(tmp_path: Path) -> None:
    """Nothing is left of it."""
    journal = journals.Journal(tmp_path, HEADER)
    journal.append(0, readings(0.0))
    journal.discard()
    assert [] == list(tmp_path.iterdir())


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """Pipes and devices named as recordings are left out of a folder, and refused by themselves."""
    for name in ("a.parquet", "b.arrows"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match=r"holds no recordings"):
        parquet.find([tmp_path])
    assert [] == journals.recover(tmp_path)
    assert [tmp_path / "a.parquet"] == parquet.find([tmp_path / "a.parquet"])
    with pytest.raises(DataError, match=r"a\.parquet: is a pipe, not a file"):
        parquet.read(tmp_path / "a.parquet")


def test_a_journal_holds_little(tmp_path: Path) -> None:
    """What is added is written in between, though nobody flushes: memory has a bound."""
    journal = journals.Journal(tmp_path, HEADER)
    sizes = [journal.path.stat().st_size]
    for number in range(100):
        journal.append(number, readings(20.0 * number, 1000))
    sizes.append(journal.path.stat().st_size)
    for number in range(2000):
        journal.label(EPOCH + number, "WALKING")
    sizes.append(journal.path.stat().st_size)
    assert sizes[0] + 65_000 * 7 * 8 < sizes[1]
    assert sizes[1] + 1_000 * 8 < sizes[2]
    path = journal.close()
    assert path is not None
    assert 100_000 == parquet.survey(path)[1]
