from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from msgspec.structs import replace as changed

from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.weights import Weights
from pipeline.recordings import hapt, placement_sets
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.recordings.placement_sets import PlacementSet
from tests.made_sets import write_set
from tests.recognition.judgement.drawings import WEIGHTS
from tests.trainer.decisions.protocol import SUBJECTS, made_up
from trainer.selection import any_decisions
from trainer.selection.any_decisions import Labelled, jobs_for, labelled, learn_any
from trainer.selection.any_tracks import Section
from trainer.selection.cross_validation import groups
from trainer.selection.decision_tracks import HeldOutTrack, MeasuredTracks
from trainer.selection.decision_weights import HOPS
from trainer.selection.left_out_sets import HeldOutWindows

SETS: Final = ("Made_pocket", "Other_hand", "Walks_bag")
N: Final = len(PLACEMENT_ACTIVITIES)
CHOSEN: Final = changed(WEIGHTS, classifier=0.77)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> list[PlacementSet]:
    """Sets of three studies, with running in two; in the last there is only walking."""
    folder = tmp_path_factory.mktemp("sets")
    write_set(folder / "Made_pocket", ("s1", "s2"), seconds=20.0)
    write_set(folder / "Other_hand", ("s1",), seconds=20.0)
    write_set(folder / "Walks_bag", ("s1",), seconds=20.0, did=("walking",))
    return placement_sets.find(folder)


@pytest.fixture(scope="module")
def people(sets: list[PlacementSet]) -> Labelled:
    """What they did, and people made up at the waist."""
    made = [made_up(subject) for subject in SUBJECTS]
    segments = np.array([segment for _, of_person in made for segment in of_person])
    with pytest.MonkeyPatch.context() as patch:
        recordings = [replace(recording, data_set="HAPT") for recording, _ in made]
        patch.setattr(hapt, "recordings", lambda *_: recordings)
        patch.setattr(hapt, "label_segments", lambda _: segments)
        return labelled(None, sets)


def test_all_learn_and_judge(people: Labelled) -> None:
    """Windows are learnt from, and sections judge, of the people of each set."""
    subjects = {str(subject) for subject in SUBJECTS}
    in_sets = {"Made/s1", "Made/s2", "Other/s1", "Walks/s1"}
    assert subjects == {str(stretch.subject) for stretch in people.stretches}
    assert in_sets == {person for person, _ in people.windows}
    assert subjects | in_sets == {section.person for section in people.sections}
    in_sections = {one.data_set for one in people.sections}
    assert {"HAPT", *SETS} == in_sections


def test_numbers_are_learnt_of_the_others(
    people: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody who is held out is learnt from, at the waist nor in a set."""
    learnt_from: list[tuple[set[int], int]] = []

    def learn(
        stretches: Sequence[object], *_: object, more: Sequence[object], **__: object
    ) -> None:
        learnt_from.append(({one.subject for one in stretches}, len(more)))  # type: ignore[attr-defined]

    monkeypatch.setattr(any_decisions, "learn", learn)
    for without in (frozenset[str](), frozenset({"1"}), frozenset({"Made/s1", "Made/s2"})):
        people.learn(WEIGHTS, without=without)
    n = len(people.windows)
    n_made = sum(person.startswith("Made/") for person, _ in people.windows)
    assert [({1, 3, 5}, n), ({3, 5}, n), ({1, 3, 5}, n - n_made)] == learnt_from


@pytest.fixture
def chosen_by(people: Labelled, monkeypatch: pytest.MonkeyPatch) -> list[MeasuredTracks]:
    """The tracks that weights are chosen by, with models that say nothing."""
    tracks: list[MeasuredTracks] = []
    numbers = people.learn(WEIGHTS)

    def choose(by: Sequence[MeasuredTracks], weights: Weights, **_: object) -> Weights:
        tracks.extend(by)
        return CHOSEN

    def learn(_: Labelled, weights: Weights, *, without: frozenset[str] = frozenset()) -> Learnt:
        return changed(numbers, weights=weights)

    monkeypatch.setattr(any_decisions, "choose", choose)
    monkeypatch.setattr(any_decisions, "tracks_by_set", judged_alike)
    monkeypatch.setattr(any_decisions, "kept", lambda _: even(8))
    monkeypatch.setattr(Labelled, "learn", learn)
    return tracks


def even(n: int) -> HeldOutWindows:
    """Return so many windows of which all is equally probable."""
    probabilities = np.full((n, N), 1 / N)
    return HeldOutWindows(
        np.array(["Made"] * n), np.zeros(n, np.int8), probabilities, probabilities
    )


def judged_alike(
    sections: Sequence[Section],
    held_out: Mapping[str, frozenset[str]],
    files: Mapping[str, Path],
    *,
    temperature: float,
) -> dict[str, list[HeldOutTrack]]:
    """Return the tracks of sections for which all is equally probable."""
    assert list(held_out) == list(files)
    tracks: dict[str, list[HeldOutTrack]] = {}
    for one in sections:
        (group,) = (i for i, some in enumerate(held_out.values()) if one.person in some)
        probabilities = np.full((len(one.wearer_frames), N), 1 / N, np.float32)
        track = HeldOutTrack(group, one.samples, one.labels, min(HOPS), probabilities)
        tracks.setdefault(one.data_set, []).append(track)
    return tracks


def test_weights_are_chosen_by_each_set_alike(
    people: Labelled, sets: list[PlacementSet], chosen_by: list[MeasuredTracks]
) -> None:
    """Each set and hop is one in the choice if it has several activities; all are in the tables."""
    lines: list[str] = []
    learnt = learn_any(people, sets, progress=lines.append)
    assert CHOSEN == learnt.weights
    assert PLACEMENT_ACTIVITIES == learnt.activities
    assert [16, 64] * 3 == [tracks.hop for tracks in chosen_by]
    n_tracks = [len(tracks.tracks) for tracks in chosen_by]
    assert 2 * (len(people.sections) - 1) == sum(n_tracks)
    before, *_, weights, after = lines[-3:]
    assert "classifier 0.77" in weights
    for table in (before, after):
        names = [line.split()[0] for line in table.splitlines()[2:]]
        assert [name for name in ("HAPT", *SETS) for _ in HOPS] == names
    told = [line for line in lines if "learnt without" in line]
    assert len(jobs_for(sets)) == len(told)


def test_models_of_sets_and_of_groups_judge(sets: list[PlacementSet]) -> None:
    """There is a training without each study, and one without each group at the waist."""
    jobs = jobs_for(sets)
    assert set(SETS) < set(jobs)
    assert len(SETS) + len(groups()) == len({job.model_file for job in jobs.values()})
