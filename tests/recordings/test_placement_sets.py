import tracemalloc
from pathlib import Path

import pytest

from pipeline.recordings import person_file, placement_sets
from pipeline.recordings.recording import DataError
from pipeline.vocabulary import ACTIVITIES
from tests.made_sets import LICENCE, person_arrays, write_person, write_set


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three sets, two of them of one study."""
    write_set(tmp_path / "Made_pocket", ("s1", "s2"))
    write_set(tmp_path / "Made_chest", ("s2", "s3"))
    write_set(tmp_path / "Other", ("s1",))
    (tmp_path / "README.txt").write_text("Three sets.")
    (tmp_path / "notes").mkdir()
    return tmp_path


def test_sets_are_found_by_what_they_hold(folder: Path) -> None:
    """Folders without a person's file are none; the others come in alphabetical order."""
    found = placement_sets.find(folder)
    assert ["Made_chest", "Made_pocket", "Other"] == [one.name for one in found]
    assert ["Made", "Made", "Other"] == [one.study for one in found]
    assert [LICENCE] * 3 == [one.licence for one in found]
    assert {"Made/s2", "Made/s3"} == found[0].people


def test_a_set_by_itself(folder: Path) -> None:
    """The folder of one set may be named."""
    (one,) = placement_sets.find(folder / "Other")
    assert placement_sets.open_set(folder / "Other") == one
    assert placement_sets.is_set(folder / "Other")
    assert not placement_sets.is_set(folder)
    assert [True, True, False, False] == [
        placement_sets.holds_sets(place)
        for place in (folder, folder / "Other", folder / "notes", folder / "no")
    ]


def test_the_name_is_that_in_the_files(tmp_path: Path) -> None:
    """The folder may have another one."""
    write_set(tmp_path / "mine", ("s1",), name="Made_pocket")
    assert ["Made_pocket"] == [one.name for one in placement_sets.find(tmp_path)]


def test_recordings_come_person_by_person(folder: Path) -> None:
    """Each person's come together, as they are in the file."""
    one = placement_sets.open_set(folder / "Made_pocket")
    devices = [[each.device for each in person] for person in one.recordings()]
    assert [["Made_pocket-s1"] * 4, ["Made_pocket-s2"] * 4] == devices


def test_a_person_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    """A set of twelve people takes no more memory than one of two, and nothing is read ahead."""
    peaks = []
    for n in (2, 12):
        people = tuple(f"s{number}" for number in range(n))
        one = placement_sets.open_set(write_set(tmp_path / f"Made{n}", people, seconds=60.0))
        tracemalloc.start()
        n_read = sum(len(person) for person in one.recordings())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert 4 * n == n_read
    assert peaks[1] < 1.5 * peaks[0]
    several = one.recordings()
    next(several)
    (tmp_path / "Made12" / "s9.npz").unlink()
    with pytest.raises(DataError, match=r"s9\.npz: no such file"):
        list(several)


@pytest.mark.parametrize(
    ("without", "left"),
    [
        (["Other"], ["Made_chest", "Made_pocket"]),
        (["Made_chest"], ["Made_pocket", "Other"]),
        (["Made"], ["Other"]),
        (["Other", "Made_pocket"], ["Made_chest"]),
    ],
)
def test_a_set_or_a_study_can_be_left_out(
    folder: Path, without: list[str], left: list[str]
) -> None:
    """The others stay."""
    assert left == [one.name for one in placement_sets.find(folder, without=without)]


@pytest.mark.parametrize(
    ("without", "words"),
    [
        (["Made", "Foo"], "there is no set Foo to leave out; there are Made_chest, Made_pocket, O"),
        (
            ["Foo"],
            "there is no set Foo to leave out; there are Made_chest, Made_pocket, Other, or ",
        ),
        (["Made", "Other"], "{folder}: without Made, Other there is no set left"),
    ],
)
def test_what_cannot_be_left_out(folder: Path, without: list[str], words: str) -> None:
    """A name that no set has is an error, and so is nothing left."""
    with pytest.raises(DataError) as refused:
        placement_sets.find(folder, without=without)
    assert str(refused.value).startswith(words.format(folder=folder))


def test_nothing_to_find(tmp_path: Path) -> None:
    """A folder that is missing, empty, or holds no person's file is named."""
    for find in (placement_sets.find, placement_sets.open_set):
        with pytest.raises(DataError, match=f"{tmp_path}/no: no such folder"):
            find(tmp_path / "no")
        (tmp_path / "file").touch()
        with pytest.raises(DataError, match=f"{tmp_path}/file: is no folder"):
            find(tmp_path / "file")
        (tmp_path / "file").unlink()
        with pytest.raises(DataError, match=f"{tmp_path}: holds no placement set"):
            find(tmp_path)


def test_files_of_two_sets_in_a_folder(folder: Path) -> None:
    """Names would be mixed up, and with them who is left out."""
    path = write_person(folder / "Other" / "z.npz", person_arrays("Made_pocket"))
    with pytest.raises(DataError) as refused:
        placement_sets.find(folder)
    assert str(refused.value) == (
        f"{path}: is of the set Made_pocket, but s1.npz beside it of Other: "
        "give each set a folder of its own"
    )


def test_two_sets_of_one_name(folder: Path) -> None:
    """One of them would not be left out."""
    write_set(folder / "copy", ("s9",), name="Other")
    with pytest.raises(DataError, match=f"{folder}/copy: has the name Other, as {folder}/Other"):
        placement_sets.find(folder)


@pytest.mark.parametrize("text", ["Made up.\n", "LICENCE  \n"])
def test_no_licence(folder: Path, text: str) -> None:
    """Who may use what is trained on it would not be known."""
    readme = folder / "Other" / "README.txt"
    readme.write_text(text)
    (one,) = placement_sets.find(folder / "Other")
    with pytest.raises(DataError, match=f"{readme}: no line says what the licence is: add one"):
        _ = one.licence
    readme.unlink()
    with pytest.raises(DataError, match=f"{folder}/Other: lacks the file README.txt"):
        _ = one.licence


def test_the_hash_is_that_of_peoples_files(folder: Path) -> None:
    """It is the same elsewhere and with another README, and another with another sample."""
    (one,) = placement_sets.find(folder / "Other")
    assert 16 == len(one.data_hash)
    (folder / "Other" / "README.txt").write_text("LICENCE other")
    moved = (folder / "Other").rename(folder / "elsewhere")
    assert one.data_hash == placement_sets.open_set(moved).data_hash
    arrays = person_arrays("Other", "s1")
    arrays["acc"][0] += 1
    write_person(moved / "s1.npz", arrays)
    assert one.data_hash != placement_sets.open_set(moved).data_hash


# The real sets

N_RECORDINGS = {
    "IndoorSurvey_hand": 136,
    "MotionSense": 360,
    "PDIoT_chest": 2092,
    "PDIoT_pocket": 814,
    "WISDM2019_phone": 304,
}
"""Of each set, without those to leave out"""


@pytest.fixture(scope="module")
def real_sets(real_data: Path) -> list[placement_sets.PlacementSet]:
    """The real sets."""
    if not (real_data / "placements").is_dir():
        pytest.skip("needs the real placement sets in HAR_DATA_DIR/placements")
    return placement_sets.find(real_data / "placements")


def test_the_real_sets_are_read(real_sets: list[placement_sets.PlacementSet]) -> None:
    """Every file of every set fits, and each has its licence."""
    assert N_RECORDINGS == {one.name: sum(map(len, one.recordings())) for one in real_sets}
    assert all(one.licence for one in real_sets)
    licences = {one.name: one.licence for one in real_sets}
    assert licences["PDIoT_pocket"].startswith("none stated")


def test_people_of_the_real_sets(real_sets: list[placement_sets.PlacementSet]) -> None:
    """Pocket and chest of one study share people; a survey's unknown people count as one."""
    people = {one.name: one.people for one in real_sets}
    assert len(people["PDIoT_pocket"] & people["PDIoT_chest"]) > 30
    assert {"IndoorSurvey/unknown"} == people["IndoorSurvey_hand"]
    everybody = frozenset().union(*people.values())
    assert any(pair <= everybody for pair in placement_sets.ALIKE)


def test_running_in_the_real_sets(real_sets: list[placement_sets.PlacementSet]) -> None:
    """It is there in all sets but the survey, and the original names are those of the six."""
    for one in real_sets:
        path, _ = one.wearers[0]
        ours = {
            recording.window_activities(recording.stretches[0].times[60:61])[0]
            for recording in person_file.read(path)
        }
        assert ("RUNNING" in ours) == (one.name != "IndoorSurvey_hand")
        assert ours <= {*ACTIVITIES, "RUNNING", None}


def test_the_folder_beside_other_data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the folder given, in that of HAR_DATA_DIR, or in the cache; and holds sets."""
    cache, named, given = (folder / name for name in ("cache", "named", "given"))
    monkeypatch.setattr(placement_sets, "cache_folder", lambda: cache)
    monkeypatch.delenv(placement_sets.FOLDER_VARIABLE, raising=False)
    assert placement_sets.folder_beside(given) is None
    monkeypatch.setenv(placement_sets.FOLDER_VARIABLE, str(named))
    (given / "placements").mkdir(parents=True)
    for place in (cache, named, given):
        assert placement_sets.folder_beside(given) != place / "placements"
        write_set(place / "placements" / "Made", ("s1",))
        assert place / "placements" == placement_sets.folder_beside(given)
    assert named / "placements" == placement_sets.folder_beside()
