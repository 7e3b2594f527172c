from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.readings import Delivery, Readings
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.preparation.preparation import Preparation
from pipeline.recognition.prepared import Windows
from pipeline.recognition.wearer.frame import COLUMNS, UPRIGHT_KNOWN
from pipeline.recognition.wearer.wearers import LOOK_EVERY, Wearers
from tests.recognition.made_up import EPOCH, readings
from tests.recognition.wearer.walks import WALKING, rows_of

SLOT = 0
ROWS = np.concatenate([rows_of("WALKING", seconds=24), rows_of("SITTING", seconds=6)])


def windows(preparation: Preparation, messages: Sequence[Readings]) -> Windows:
    """Return the windows of one phone's messages, each in a tick of its own."""
    prepared = [preparation.push({SLOT: [Delivery([message])]}) for message in messages]
    return Windows.joined([part.windows for one in prepared for part in one.parts])


def learning(hop: int) -> Preparation:
    """Return a preparation that learns the wearers' frames."""
    return Preparation(2, hop=hop, gait=WALKING)


@given(hop=st.integers(1, 128), cuts=st.lists(st.integers(1, len(ROWS) - 1), max_size=12))
@settings(max_examples=30, deadline=None)
def test_windows_carry_the_frame_of_their_last_sample(hop: int, cuts: list[int]) -> None:
    """Whatever the hop and the messages: the frame after the last look up to the window's end."""
    looks = windows(Preparation(2, hop=LOOK_EVERY), [readings(ROWS)]).samples
    slots = np.zeros(len(looks), np.intp)
    after = Wearers(1, WALKING).learn(slots, looks, np.arange(len(looks)))

    ends = [0, *sorted(set(cuts)), len(ROWS)]
    messages = [readings(ROWS[begin:end], first=begin) for begin, end in pairwise(ends)]
    carried = windows(learning(hop), messages)

    numbers = np.round((carried.starts - EPOCH) * 50).astype(int)
    assert (hop * np.arange(len(numbers))).tolist() == numbers.tolist()
    assert after[numbers // LOOK_EVERY].tobytes() == carried.wearer_frames.tobytes()


def test_a_frame_that_is_not_learnt_is_zeros() -> None:
    """Without the numbers of gait, windows are the same but for their frames."""
    with_frames, without = (
        windows(preparation, [readings(ROWS)])
        for preparation in (learning(64), Preparation(1, hop=64))
    )
    assert with_frames.samples.tobytes() == without.samples.tobytes()
    assert with_frames.wearer_frames.any()
    assert np.zeros((len(without), len(COLUMNS))).tolist() == without.wearer_frames.tolist()


def test_frames_of_the_phones_whose_model_takes_them() -> None:
    """Where that of phones at the waist takes none, theirs are not learnt; the others' are."""
    preparation = Preparation(2, hop=64, gait=WALKING, frames_at_waist=False)
    preparation.place(SLOT, 1.0, FRAMES["landscape"], at_waist=True)
    both = preparation.push({slot: [Delivery([readings(ROWS)])] for slot in (SLOT, SLOT + 1)})
    together = Windows.joined([part.windows for part in both.parts])
    at_waist, elsewhere = (together.chosen(together.slots == slot) for slot in (SLOT, SLOT + 1))
    alone = windows(learning(64), [readings(ROWS)])
    assert not at_waist.wearer_frames.any()
    assert alone.wearer_frames.tobytes() == elsewhere.wearer_frames.tobytes()


def test_a_frame_outlives_gaps_and_recordings() -> None:
    """The first window behind a gap, and of another recording, has the frame from before."""
    preparation = learning(64)
    before = windows(preparation, [readings(ROWS, recording="a")])
    for start, recording in ((EPOCH + 60, "a"), (EPOCH + 120, "b")):
        later = readings(rows_of("SITTING", seconds=4), start=start, recording=recording)
        after = windows(preparation, [later])
        assert before.wearer_frames[-1].tolist() == after.wearer_frames[0].tolist()
    assert preparation.knows_upright(SLOT)


def test_a_phone_worn_otherwise_begins_anew() -> None:
    """With another placement nothing is known of the wearer; with the same, all."""
    preparation = learning(64)
    preparation.place(SLOT, 1.0, FRAMES["landscape"])
    windows(preparation, [readings(ROWS)])
    preparation.place(SLOT, 1.0, FRAMES["landscape"])
    assert preparation.knows_upright(SLOT)
    preparation.place(SLOT, 1.0, FRAMES["portrait"])
    assert not preparation.knows_upright(SLOT)
    preparation.place(SLOT, 1.0, FRAMES["landscape"])
    later = windows(preparation, [readings(rows_of("SITTING", seconds=4), start=EPOCH + 60)])
    assert not later.wearer_frames.any()


def test_a_forgotten_phone_leaves_nothing() -> None:
    """The next phone in a slot has a wearer of its own."""
    preparation = learning(64)
    windows(preparation, [readings(ROWS)])
    preparation.reset([SLOT])
    assert preparation.knows_upright(SLOT) is False
    assert Preparation(1, hop=64).knows_upright(SLOT) is None


def test_frames_are_part_of_the_state() -> None:
    """A preparation that was saved and restored goes on with the same frames."""
    undisturbed, restored = learning(48), learning(48)
    first, rest = readings(ROWS[:600]), readings(ROWS[600:], first=600)
    expected = windows(undisturbed, [first, rest])
    begun = windows(restored, [first])
    slots = np.array([SLOT])
    other = learning(48)
    other.restore(slots, restored.state(slots))
    actual = Windows.joined([begun, windows(other, [rest])])

    assert expected.wearer_frames[:, UPRIGHT_KNOWN].any()
    assert expected.wearer_frames.tobytes() == actual.wearer_frames.tobytes()
