import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.recordings import person_file
from pipeline.recordings.person_file import Wearer
from pipeline.recordings.recording import DataError
from pipeline.vocabulary import ACTIVITIES
from tests.made_sets import Arrays, person_arrays, write_person
from tests.processes import ROOT

N = 300
"""Samples of each recording"""


@pytest.fixture
def arrays() -> Arrays:
    """Arrays of four recordings: walking, jogging, sitting, stairs."""
    return person_arrays()


def refusal(path: Path, arrays: dict[str, Any]) -> str:
    """Return what is said of a file with these arrays, without its path."""
    write_person(path, arrays)
    with pytest.raises(DataError) as refused:
        person_file.read(path)
    words = str(refused.value)
    assert words.startswith(f"{path}: ")
    return words.removeprefix(f"{path}: ")


def test_each_recording_has_its_samples_and_times(tmp_path: Path, arrays: Arrays) -> None:
    """They are those of the file, float32, as samples of both sensors at once."""
    found = person_file.read(write_person(tmp_path / "s1.npz", arrays))
    assert 4 == len(found)
    for number, recording in enumerate(found):
        (stretch,) = recording.stretches
        rows = slice(number * N, number * N + N)
        assert (None, "motion", np.float32) == (
            recording.rate_hz, stretch.sensor, stretch.samples.dtype
        )  # fmt: skip
        np.testing.assert_array_equal(arrays["t"][rows], stretch.times)
        np.testing.assert_array_equal(arrays["acc"][rows], stretch.samples[:, :3])
        np.testing.assert_array_equal(arrays["gyro"][rows], stretch.samples[:, 3:])


def test_a_recording_says_whose_it_is(tmp_path: Path, arrays: Arrays) -> None:
    """It has the set's name, the person's within the study, the place, and a sender's name."""
    (first, *_) = person_file.read(write_person(tmp_path / "s1.npz", arrays))
    assert ("Made_pocket", "Made/made_1", "trousers pocket", "Made_pocket-s1") == (
        first.data_set, first.person, first.worn_at, first.device
    )  # fmt: skip
    wearer = person_file.wearer_in(tmp_path / "s1.npz")
    assert (
        Wearer("Made_pocket", "Made/made_1", "trousers pocket", "Made_pocket-s1", "A Phone")
        == wearer
    )
    assert "Made" == wearer.study


@pytest.mark.parametrize(
    ("data_set", "subject", "person"),
    [
        ("Made_chest", "made_1", "Made/made_1"),
        ("Other_pocket", "made_1", "Other/made_1"),
        ("Made", "made_1", "Made/made_1"),
        ("Made_hand", "floor_2_unknown_surveyor", "Made/unknown"),
    ],
)
def test_people_are_told_apart(tmp_path: Path, data_set: str, subject: str, person: str) -> None:
    """Sets of one study share people, others never do; who is unknown may be anybody of it."""
    path = write_person(tmp_path / "s1.npz", person_arrays(data_set, subject))
    assert person == person_file.wearer_in(path).person


def test_labels_are_the_six_and_running(tmp_path: Path, arrays: Arrays) -> None:
    """Jogging is RUNNING, and what is none of ours has no label."""
    found = person_file.read(write_person(tmp_path / "s1.npz", arrays))
    assert {(*ACTIVITIES, "RUNNING")} == {one.activities for one in found}
    expected: list[list[str | None]] = [["WALKING"], ["RUNNING"], ["SITTING"], [None]]
    assert expected == [one.window_activities(np.array([1.0])) for one in found]


@pytest.mark.parametrize(
    ("original", "ours", "activity"),
    [
        ("running_breathingNormal", "", "RUNNING"),
        ("Jogging", "", "RUNNING"),
        ("ascending", "WALKING_UPSTAIRS", "WALKING_UPSTAIRS"),
        ("shuffleWalking", "", None),
    ],
)
def test_names_of_the_data_sets(
    tmp_path: Path, original: str, ours: str, activity: str | None
) -> None:
    """Running is known by how its name begins."""
    arrays = person_arrays(did=("walking",))
    arrays |= {"label_names": np.array([original]), "label6_names": np.array([ours])}
    (found,) = person_file.read(write_person(tmp_path / "s1.npz", arrays))
    assert [activity] == found.window_activities(np.array([1.0]))


def test_the_original_names(tmp_path: Path, arrays: Arrays) -> None:
    """They are there for whoever asks."""
    path = write_person(tmp_path / "s1.npz", arrays)
    found = person_file.read(path, original_names=True)
    expected = [["walking"], ["jogging"], ["sitting"], ["stairs"]]
    assert expected == [one.window_activities(np.array([1.0])) for one in found]


def test_flagged_recordings_are_left_out(tmp_path: Path) -> None:
    """Only those that are to be used are returned; there may be none."""
    path = write_person(tmp_path / "s1.npz", person_arrays(ok=(0, 1, 0, 1)))
    names = [one.window_activities(np.array([1.0])) for one in person_file.read(path)]
    assert [["RUNNING"], [None]] == names
    assert [] == person_file.read(write_person(path, person_arrays(ok=(0, 0, 0, 0))))


def test_a_jump_in_the_times_is_a_gap(tmp_path: Path) -> None:
    """A pause of 0.2 s is none yet; behind a longer one a new stretch begins."""
    arrays = person_arrays(did=("walking",))
    arrays["t"][100:] += 0.16 - 1e-9
    arrays["t"][200:] += 0.17
    (found,) = person_file.read(write_person(tmp_path / "s1.npz", arrays))
    assert [200, 100] == [len(stretch.times) for stretch in found.stretches]


def test_recordings_that_are_mixed_in_the_file(tmp_path: Path, arrays: Arrays) -> None:
    """What counts is the number beside each sample, not where it stands."""
    expected = person_file.read(write_person(tmp_path / "s1.npz", arrays))
    order = np.argsort(np.tile(np.arange(N), 4), kind="stable")
    for name in ("t", "acc", "gyro", "label", "rec"):
        arrays[name] = arrays[name][order]
    found = person_file.read(write_person(tmp_path / "s1.npz", arrays))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one.stretches[0].samples, other.stretches[0].samples)


@pytest.mark.parametrize("name", [*person_arrays()])
def test_an_array_is_missing(tmp_path: Path, arrays: Arrays, name: str) -> None:
    """It is named; what is of no use here may be missing."""
    del arrays[name]
    if name in ("fs_nominal", "source"):
        assert person_file.read(write_person(tmp_path / "s1.npz", arrays))
    else:
        assert f"lacks the array {name}" == refusal(tmp_path / "s1.npz", arrays)


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("acc", np.zeros((1200, 2)), "acc: has the shape (1200, 2), not (1200, 3)"),
        ("gyro", np.zeros((9, 3)), "gyro: has the shape (9, 3), not (1200, 3)"),
        ("t", np.zeros((1200, 1)), "t: has 2 dimensions, not 1: (1200, 1)"),
        ("label", np.zeros(7, int), "label: has the shape (7,), not (1200,)"),
        ("label", np.zeros(1200), "label: holds values of type float64, not integers"),
        ("rec", np.full(1200, "a"), "rec: holds values of type <U1, not integers"),
        ("acc", np.zeros((1200, 3), complex), "acc: holds values of type complex128, not "),
        ("label6_names", np.array([""]), "label6_names: has the shape (1,), not (4,)"),
        ("rec_ok", np.ones(5, np.int8), "rec_ok: has the shape (5,), not (4,)"),
        ("label6_names", np.array(["", "", "", "RUN"]), "label6_names: 'RUN' is none of WALKING,"),
        ("subject", np.array(["made_1"]), "subject: has 1 dimensions, not 0: (1,)"),
        ("subject", np.array(""), "its subject or its dataset is an empty text"),
        (
            "dataset",
            np.array("a/b"),
            "as phones they are named 'a/b-s1', but a device name ",
        ),
        ("label_names", np.array([{}] * 4), "label_names: is no array of numbers or texts: Obj"),
    ],
)
def test_an_array_is_of_another_form(
    tmp_path: Path, arrays: Arrays, name: str, array: np.ndarray, words: str
) -> None:
    """The array is named, and what it should be."""
    assert refusal(tmp_path / "s1.npz", arrays | {name: array}).startswith(words)


@pytest.mark.parametrize(
    ("name", "row", "value", "words"),
    [
        ("acc", 7, np.nan, "acc: row 8 holds a number that is not finite"),
        ("gyro", 0, np.inf, "gyro: row 1 holds a number that is not finite"),
        ("t", 9, np.nan, "t: row 10 holds a number that is not finite"),
        ("t", 310, 0.01, "t: goes back at row 311, within the recording jogging_1"),
        ("t", 0, -1.0, "the recording walking_1: times must be in seconds, since 1970, but one is"),
        ("label", 3, 4, "label: row 4 holds 4, but there are 4 label_names, counted from 0"),
        ("label", 3, -1, "label: row 4 holds -1, but there are 4 label_names, counted from 0"),
        ("rec", 3, 9, "rec: row 4 holds 9, but there are 4 rec_names, counted from 0"),
        ("acc", 350, 500.0, "the recording jogging_1: an acceleration of 50.99 g (at most 40)"),
    ],
)
def test_a_value_cannot_be(
    tmp_path: Path, arrays: Arrays, name: str, row: int, value: float, words: str
) -> None:
    """The row is named, counted from 1."""
    arrays[name][row] = value
    assert refusal(tmp_path / "s1.npz", arrays).startswith(words)


def test_no_samples(tmp_path: Path, arrays: Arrays) -> None:
    """A file without one is refused."""
    for name in ("t", "acc", "gyro", "label", "rec"):
        arrays[name] = arrays[name][:0]
    assert "holds no samples" == refusal(tmp_path / "s1.npz", arrays)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"t,acc\n", "cannot be read as .npz: File is not a zip file"),
        (b"", "cannot be read as .npz: File is not a zip file"),
        (None, "no such file or folder"),
    ],
)
def test_no_such_file(tmp_path: Path, content: bytes | None, words: str) -> None:
    """What is no .npz, or is not there, is refused by name."""
    path = tmp_path / "s1.npz"
    if content is not None:
        path.write_bytes(content)
    for read in (person_file.read, person_file.wearer_in):
        with pytest.raises(DataError) as refused:
            read(path)
        assert f"{path}: {words}" == str(refused.value)


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_damaged_file(tmp_path: Path, arrays: Arrays, place: float) -> None:
    """A byte that was changed among the values is found."""
    path = write_person(tmp_path / "s1.npz", arrays)
    content = bytearray(path.read_bytes())
    content[int(place * len(content) * 0.9)] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=str(path)):
        person_file.read(path)


def test_an_array_that_claims_to_be_huge(tmp_path: Path, arrays: Arrays) -> None:
    """Its header is not believed."""
    path = write_person(tmp_path / "s1.npz", {k: v for k, v in arrays.items() if k != "t"})
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 60,)}
    )
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("t.npy", header.getvalue())
    with pytest.raises(DataError, match="t: is no array of numbers or texts"):
        person_file.read(path)


@pytest.mark.parametrize("name", [*person_arrays()])
def test_the_page_documents_each_array(name: str) -> None:
    """Who prepares a set finds there what its files hold."""
    assert f"`{name}`" in (ROOT / "docs" / "reference" / "data-sets.md").read_text()
