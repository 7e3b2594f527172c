import numpy as np
import pytest

from pipeline.recognition.preparation.filters import SETTLING_ROWS
from pipeline.recognition.wearer.frame import COLUMNS
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ, WINDOW_LENGTH
from tests.trainer.decisions.protocol import BOUT, made_up_stretches
from trainer.data.recorded_windows import RecordedWindows
from trainer.decisions.labelled_windows import (
    HOP,
    NO_STATE,
    of_recorded,
    of_stretch,
    state_names,
)


def recorded(labels: list[int], starts: list[float], recordings: list[int]) -> RecordedWindows:
    """Return windows of a person of a placement set, of which the first is not settled."""
    n = len(labels)
    samples = np.repeat(np.arange(n, dtype=np.float32), WINDOW_LENGTH * 9)
    return RecordedWindows(
        "Anna",
        "a set",
        "pocket",
        PLACEMENT_ACTIVITIES,
        samples.reshape(n, WINDOW_LENGTH, 9),
        np.array(labels, np.int8),
        np.arange(n) > 0,
        np.array(recordings, np.int16),
        np.array(starts),
        is_stairs=np.zeros(n, np.bool_),
        wearer_frames=np.zeros((n, len(COLUMNS)), np.float32),
    )


def test_windows_of_a_recording_have_the_states_of_their_samples() -> None:
    """A change of posture is named by where it leads, in the newest sample and in the middle."""
    [stretch, *_] = made_up_stretches()
    windows = of_stretch(stretch, ACTIVITIES)
    names = state_names(ACTIVITIES)
    first_change = BOUT - SETTLING_ROWS - WINDOW_LENGTH + 1  # windows' starts after settling
    before, after = first_change // HOP, -(-first_change // HOP)
    assert "STANDING" == names[windows.newest[before - 1]] == names[windows.whole[before - 1]]
    assert "towards SITTING" == names[windows.newest[after]]
    assert "STANDING" == names[windows.middle[after]]
    assert NO_STATE == windows.whole[after]
    assert len(windows.samples) == len(windows.newest) == len(windows.middle)


def test_windows_of_placement_sets_are_parted_at_gaps() -> None:
    """Each part is without a gap, of one recording; a label of no activity is no state."""
    hop_s = HOP / SAMPLING_RATE_HZ
    starts = [0, hop_s, 2 * hop_s, 5 * hop_s, 6 * hop_s, 7 * hop_s]
    running = PLACEMENT_ACTIVITIES.index("RUNNING")
    windows = recorded([running, running, -1, running, 0, 0], starts, [0, 0, 0, 0, 0, 1])
    parts = list(of_recorded(windows, PLACEMENT_ACTIVITIES))
    assert [[1, 2], [3, 4], [5]] == [part.samples[:, 0, 0].tolist() for part in parts]
    assert [[running, NO_STATE], [running, 0], [0]] == [part.newest.tolist() for part in parts]


def test_what_is_not_decided_among_has_no_state() -> None:
    """Windows of a seventh activity have no state for a model of six."""
    running = PLACEMENT_ACTIVITIES.index("RUNNING")
    [part] = of_recorded(recorded([0, running], [0.0, 0.32], [0, 0]), ACTIVITIES)
    assert [NO_STATE] == part.newest.tolist() == part.whole.tolist()


@pytest.mark.parametrize("activities", [ACTIVITIES, PLACEMENT_ACTIVITIES])
def test_states_are_numbered_by_their_names(activities: tuple[str, ...]) -> None:
    """With a seventh activity the changes of posture have other numbers, and the same names."""
    [stretch, *_] = made_up_stretches()
    names = np.array([*state_names(activities), ""])
    six = np.array([*state_names(ACTIVITIES), ""])
    np.testing.assert_array_equal(
        six[of_stretch(stretch, ACTIVITIES).newest], names[of_stretch(stretch, activities).newest]
    )
