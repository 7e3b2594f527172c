import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.recognition.rounds import rounds_of


def test_rounds_of_a_drawing() -> None:
    """The phone with the most windows comes first, and each round takes the next of each phone."""
    # windows  0  1  2  3  4  5
    # phone    7  3  7  7  3  9
    # round    0  0  1  2  1  0
    rounds = rounds_of(np.array([7, 3, 7, 7, 3, 9]))

    assert [7, 3, 9] == rounds.slots.tolist()
    assert list(rounds) == [(3, slice(0, 3)), (2, slice(3, 5)), (1, slice(5, 6))]
    assert [0, 1, 5, 2, 4, 3] == rounds.ordered(np.arange(6)).tolist()
    assert [0, 1, 2, 0, 1, 0] == rounds.phones.tolist()


def test_no_windows() -> None:
    """Without windows there is no round."""
    assert [] == list(rounds_of(np.empty(0, np.intp)))


@given(slots=st.lists(st.integers(0, 5), max_size=30))
def test_each_phones_windows_in_their_order(slots: list[int]) -> None:
    """Each round has a phone at most once, the first so many, and its windows keep their order."""
    rounds = rounds_of(np.array(slots, np.intp))
    numbers = rounds.ordered(np.arange(len(slots)))

    assert sorted(rounds.slots.tolist()) == sorted(set(slots))
    gone: list[int] = []
    for n_phones, places in rounds:
        windows = numbers[places].tolist()
        assert [slots[window] for window in windows] == rounds.slots[:n_phones].tolist()
        assert rounds.phones[places].tolist() == list(range(n_phones))
        gone += windows
    assert sorted(gone) == list(range(len(slots)))
    for slot in set(slots):
        own = [window for window in gone if slots[window] == slot]
        assert own == sorted(own)
    assert rounds.restored(numbers).tolist() == list(range(len(slots)))
