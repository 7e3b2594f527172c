import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.recognition.rounds import deal


def test_turns_of_a_drawing() -> None:
    """The phone with the most windows comes first, and each turn takes the next of each phone."""
    # windows  0  1  2  3  4  5
    # phone    7  3  7  7  3  9
    # turn     0  0  1  2  1  0
    turns = deal(np.array([7, 3, 7, 7, 3, 9]))

    assert turns.slots.tolist() == [7, 3, 9]
    assert list(turns) == [(3, slice(0, 3)), (2, slice(3, 5)), (1, slice(5, 6))]
    assert turns.ordered(np.arange(6)).tolist() == [0, 1, 5, 2, 4, 3]
    assert turns.phones.tolist() == [0, 1, 2, 0, 1, 0]


def test_no_windows() -> None:
    """Without windows there is no turn."""
    assert list(deal(np.empty(0, np.intp))) == []


@given(slots=st.lists(st.integers(0, 5), max_size=30))
def test_each_phones_windows_in_their_order(slots: list[int]) -> None:
    """Each turn has a phone at most once, the first so many, and its windows keep their order."""
    turns = deal(np.array(slots, np.intp))
    numbers = turns.ordered(np.arange(len(slots)))

    assert sorted(turns.slots.tolist()) == sorted(set(slots))
    gone: list[int] = []
    for n_phones, turn in turns:
        windows = numbers[turn].tolist()
        assert [slots[window] for window in windows] == turns.slots[:n_phones].tolist()
        assert turns.phones[turn].tolist() == list(range(n_phones))
        gone += windows
    assert sorted(gone) == list(range(len(slots)))
    for slot in set(slots):
        own = [window for window in gone if slots[window] == slot]
        assert own == sorted(own)
    assert turns.restored(numbers).tolist() == list(range(len(slots)))
