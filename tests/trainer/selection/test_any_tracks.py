from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from pipeline.recognition.preparation.filters import SETTLING_ROWS
from pipeline.recordings import person_file, placement_sets
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.recordings.recording import Recording
from pipeline.vocabulary import TRANSITION
from tests.made_sets import person_arrays, write_person, write_set
from tests.trainer.decisions.protocol import PROTOCOL, made_up
from trainer.data.recorded_windows import windows_of
from trainer.decisions.labelled_windows import HOP
from trainer.evaluation import tempered
from trainer.selection.any_tracks import (
    LEAST_S,
    MOST_PEOPLE,
    STATES,
    Section,
    recordings_in,
    rotated_at_random,
    sections_of,
    tracks_by_set,
)
from trainer.selection.decision_tracks import FILTER_ROWS, NO_LABEL

LONG: Final = LEAST_S + 5
FIRST_DECISION: Final = 192 + 127 + FILTER_ROWS


def sections(recordings: list[Recording]) -> list[Section]:
    """Return a person's sections."""
    return list(sections_of(recordings, windows_of(recordings, hop=HOP)))


@pytest.fixture
def recordings(tmp_path: Path) -> list[Recording]:
    """What a person of a set did: walking, jogging, sitting, stairs, one after the other."""
    path = write_person(tmp_path / "s1.npz", person_arrays(seconds=LONG))
    return person_file.read(path)


def test_sections_are_a_phones_samples_and_their_labels(recordings: list[Recording]) -> None:
    """Each recording with a label is one, of the samples that its windows have."""
    found = sections(recordings)
    labels = [set(section.labels[FIRST_DECISION:].tolist()) for section in found]
    expected = [
        {PLACEMENT_ACTIVITIES.index(name)} for name in ("WALKING", "RUNNING", "SITTING")
    ]  # of stairs it is not known whether they lead up
    assert expected == labels
    windows = windows_of(recordings, hop=HOP)
    for number, section in enumerate(found):
        of_recording = windows.samples[windows.recordings == number]
        first, last = of_recording[0], of_recording[-1]
        np.testing.assert_array_equal(first, section.samples[:128])
        np.testing.assert_array_equal(last, section.samples[-128:])
        assert len(of_recording) == len(section.wearer_frames)
        assert ("Made/made_1", "Made_pocket") == (section.person, section.data_set)


def test_nothing_is_judged_before_a_phone_can_have_decided(recordings: list[Recording]) -> None:
    """Until the first settled window of the longest hop is complete, samples have no label."""
    assert FIRST_DECISION - 127 - FILTER_ROWS >= SETTLING_ROWS
    for section in sections(recordings):
        assert {NO_LABEL} == set(section.labels[:FIRST_DECISION].tolist())
        assert NO_LABEL != section.labels[FIRST_DECISION]


def test_what_follows_a_gap_is_another_section() -> None:
    """Sections do not go over a gap; those too short are left out."""
    recording, _ = made_up(1)
    (stretch,) = recording.stretches
    recording = replace(recording, rate_hz=None, data_set="Made")
    n = len(stretch.labels)
    lengths = (20 * 50, 10 * 50, n - 30 * 50)
    ends = np.cumsum(lengths).tolist()
    parts = tuple(
        replace(part, times=part.times + gap)
        for gap, part in enumerate(
            stretch.part(end - length, end) for length, end in zip(lengths, ends, strict=True)
        )
    )
    found = sections([replace(recording, stretches=parts)])
    assert 2 == len(found)
    for section, length in zip(found, (lengths[0], lengths[2]), strict=True):
        assert length - HOP - 1 <= len(section.samples) <= length


def test_transitions_are_labelled_at_the_waist() -> None:
    """The labels of a raw recording are there to the sample, its transitions among them."""
    recording, segments = made_up(1)
    (rotated,) = rotated_at_random([recording], np.array(segments), seed=1)
    (section,) = sections([rotated])
    names = [TRANSITION if "_TO_" in name else name for name in PROTOCOL]
    expected = np.concatenate(
        [
            np.full(last - first + 1, STATES.labels.index(name))
            for name, (*_, first, last) in zip(names, segments, strict=True)
        ]
    )[: len(section.labels)]
    expected[:FIRST_DECISION] = NO_LABEL
    np.testing.assert_array_equal(expected, section.labels)


def test_each_person_is_rotated_otherwise() -> None:
    """One rotation for both sensors and all that a person sent, the same with the same seed."""
    people = [made_up(subject) for subject in (1, 3)]
    segments = np.array([segment for _, of_person in people for segment in of_person])
    recordings = [recording for recording, _ in people]
    first, second = (list(rotated_at_random(recordings, segments, seed=1)) for _ in range(2))
    rotations = []
    for before, after, again in zip(recordings, first, second, strict=True):
        given, found = (one.stretches[0].samples.reshape(-1, 3) for one in (before, after))
        rotation, *_ = np.linalg.lstsq(given, found, rcond=None)
        np.testing.assert_allclose(np.eye(3), rotation @ rotation.T, atol=1e-9)
        np.testing.assert_allclose(given @ rotation, found, atol=1e-9)
        np.testing.assert_array_equal(after.stretches[0].samples, again.stretches[0].samples)
        rotations.append(rotation)
    assert not np.allclose(*rotations)


def test_of_a_large_set_some_people_serve(tmp_path: Path) -> None:
    """Up to a dozen, each once, who do not depend on the other sets."""
    subjects = tuple(f"s{number:02d}" for number in range(MOST_PEOPLE + 8))
    write_set(tmp_path / "Large_pocket", subjects, seconds=1.0)
    write_set(tmp_path / "Small_hand", ("one", "two"), seconds=1.0)
    large, small = (
        [of_person[0].person for of_person in recordings_in([one])]
        for one in placement_sets.find(tmp_path)
    )
    assert MOST_PEOPLE == len(large) == len(set(large))
    assert ["Small/one", "Small/two"] == small


@pytest.mark.train
def test_everybody_is_judged_by_the_model_that_does_not_know_them(
    recordings: list[Recording], tmp_path: Path
) -> None:
    """A track has its training's number, and that model's probabilities with the wearer's frame."""
    import keras

    from trainer.networks.any_models import build

    held_out: Mapping[str, frozenset[str]] = {
        "Made": frozenset({"Made/made_1"}),
        "waist 1 of 5": frozenset({"1"}),
    }
    files = {name: tmp_path / f"{name}.keras" for name in held_out}
    for seed, file in enumerate(files.values()):
        keras.utils.set_random_seed(seed)
        build("cnn-lstm", len(PLACEMENT_ACTIVITIES)).save(file)
    recording, segments = made_up(1)
    at_waist = rotated_at_random([replace(recording, data_set="Waist")], np.array(segments), seed=1)
    everything = [*sections(recordings), *sections([*at_waist])]
    tracks = tracks_by_set(everything, held_out, files, temperature=2.0)
    assert {"Made_pocket": [0, 0, 0], "Waist": [1]} == {
        name: [track.group for track in of_set] for name, of_set in tracks.items()
    }
    judged = [*tracks["Made_pocket"], *tracks["Waist"]]
    models = [keras.saving.load_model(file, compile=False) for file in files.values()]
    for track, section in zip(judged, everything, strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(track.samples, 128, axis=0)[::HOP]
        given = [windows.transpose(0, 2, 1), section.wearer_frames]
        expected = tempered(models[track.group].predict(given, verbose=0), 2.0)
        np.testing.assert_allclose(expected, track.probabilities, atol=1e-5)
