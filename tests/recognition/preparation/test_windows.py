import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.recognition.preparation.windows import Windower
from pipeline.state.checkpoint import decode, encode

L = 128
ONE_PHONE = np.array([0])


def numbered(n_samples: int, *, first: int = 0) -> NDArray[np.float32]:
    """Return samples that hold their own number in every channel, ``(1, n_samples, 9)``."""
    numbers = np.arange(first, first + n_samples, dtype=np.float32)
    return np.tile(numbers[None, :, None], (1, 1, 9))


def starts_of(n_samples: int, *, hop: int) -> list[int]:
    """Return where the windows of so many samples begin; each must hold what it promises."""
    cut = Windower(1, hop=hop).push(ONE_PHONE, numbered(n_samples))
    for first, window in zip(cut.first_samples, cut.windows, strict=True):
        np.testing.assert_array_equal(numbered(L, first=first)[0], window)
    return cut.first_samples.tolist()


def test_one_sample_too_few() -> None:
    """127 samples make no window."""
    # samples  0 ..................... 126
    # window   [0--------------------------128)   one is missing
    assert [] == starts_of(L - 1, hop=64)


def test_just_one_window() -> None:
    """128 samples make one window, of all of them."""
    # samples  0 ......................... 127
    # window   [0--------------------------128)
    assert [0] == starts_of(L, hop=64)


def test_one_sample_more() -> None:
    """129 samples still make one window."""
    # samples  0 ............................ 128
    # window   [0--------------------------128)
    assert [0] == starts_of(L + 1, hop=64)


def test_one_sample_before_the_second() -> None:
    """191 samples make one window at a hop of 64."""
    # samples  0 ........................................ 190
    # windows  [0--------------------------128)
    #                       [64-----------------------------192)   one is missing
    assert [0] == starts_of(L + 64 - 1, hop=64)


def test_the_second_window() -> None:
    """192 samples make two windows at a hop of 64; half of each is shared."""
    # samples  0 ............................................ 191
    # windows  [0--------------------------128)
    #                       [64----------------------------192)
    assert [0, 64] == starts_of(L + 64, hop=64)


def test_neighbours_that_touch() -> None:
    """At a hop of 128 windows follow each other without overlap and without a hole."""
    # samples  0 ............................................................ 383
    # windows  [0---------------128)[128--------------256)[256--------------384)
    assert [0, 128, 256] == starts_of(3 * L, hop=L)


def test_every_sample_begins_a_window() -> None:
    """At a hop of 1 each sample from the 128th on completes a window."""
    # windows  [0--------------------------128)
    #           [1--------------------------129)
    #            [2--------------------------130)
    assert [0, 1, 2] == starts_of(L + 2, hop=1)


def test_never_across_a_gap() -> None:
    """After a gap windows hold only what came after it, counted from there."""
    # samples  0 ........... 100 | gap | 1000 ......................... 1127
    # windows                          [1000---------------------------1128)
    windower = Windower(1, hop=64)
    assert 0 == len(windower.push(ONE_PHONE, numbered(101)).windows)
    windower.reset([0])
    assert 0 == len(windower.push(ONE_PHONE, numbered(127, first=1000)).windows)

    cut = windower.push(ONE_PHONE, numbered(1, first=1127))

    assert [0] == cut.first_samples.tolist()
    np.testing.assert_array_equal(numbered(L, first=1000), cut.windows)


def test_phones_in_different_places() -> None:
    """Phones pushed together keep their own counts; a window names the phone it is of."""
    # phone a  0 ........... 99 | 100 ............. 189     completes [0, 128)
    # phone b                   | 0 ................ 89     completes nothing
    # phone c  0 .......... 127 | 128 ............. 217     completes [64, 192)
    windower = Windower(3, hop=64)
    windower.push(np.array([0]), numbered(100))
    windower.push(np.array([2]), numbered(128))

    cut = windower.push(
        np.array([2, 1, 0]),
        np.concatenate([numbered(90, first=128), numbered(90), numbered(90, first=100)]),
    )

    found = sorted(zip(cut.phones.tolist(), cut.first_samples.tolist(), strict=True))
    assert [(0, 64), (2, 0)] == found
    for first, window in zip(cut.first_samples, cut.windows, strict=True):
        np.testing.assert_array_equal(numbered(L, first=first)[0], window)


def test_what_is_wanted_is_cut() -> None:
    """Of the windows of another hop, which are known beforehand, those are cut that are wanted."""
    # samples  0 ....... 95 | 96 .................... 191
    # hop 64   [0----------------128)
    #                [64----------------192)
    # hop 32      [32--------160)   is wanted, [0, 128) and [64, 192) are not
    for n_before in (0, 96, 180):  # of many samples and of few, that come at once
        windower = Windower(1, hop=64, other_hop=32)
        windower.push(ONE_PHONE, numbered(n_before))
        samples = numbered(192 - n_before, first=n_before)
        windows = windower.complete(ONE_PHONE, samples.shape[1])
        others = windower.complete(ONE_PHONE, samples.shape[1], hop=32)
        assert not windows.are(others.chosen(others.first_samples == 32))
        assert windows.are(others.chosen(others.first_samples % 64 == 0))
        wanted = others.chosen(others.first_samples % 64 != 0)
        cut, looks = windower.push_and_cut(ONE_PHONE, samples, [windows, wanted])
        assert ([0, 64] if n_before < 128 else [64]) == cut.first_samples.tolist()
        assert ([32] if n_before < 160 else []) == looks.first_samples.tolist()
        for first, window in zip(looks.first_samples, looks.windows, strict=True):
            np.testing.assert_array_equal(numbered(L, first=first)[0], window)


def test_no_samples_no_windows() -> None:
    """Pushing nothing gives nothing and changes nothing."""
    windower = Windower(1, hop=64)
    windower.push(ONE_PHONE, numbered(127))
    assert 0 == len(windower.push(ONE_PHONE, numbered(0)).windows)
    assert [0] == windower.push(ONE_PHONE, numbered(1, first=127)).first_samples.tolist()


@given(
    n_samples=st.integers(0, 600),
    hop=st.integers(1, L),
    cuts=st.lists(st.integers(0, 600), max_size=30),
    seed=st.integers(0, 100),
)
@settings(max_examples=150)
def test_cuts_do_not_matter(n_samples: int, hop: int, cuts: list[int], seed: int) -> None:
    """However a signal is cut, its windows are those that slide over the whole."""
    signal = np.random.default_rng(seed).normal(size=(1, n_samples, 9)).astype(np.float32)
    windower = Windower(1, hop=hop)

    pushed = [windower.push(ONE_PHONE, part) for part in np.split(signal, sorted(cuts), axis=1)]

    expected = list(range(0, n_samples - L + 1, hop))
    assert expected == [first for cut in pushed for first in cut.first_samples.tolist()]
    windows = [window for cut in pushed for window in cut.windows]
    for first, window in zip(expected, windows, strict=True):
        np.testing.assert_array_equal(signal[0, first : first + L], window)


@given(
    hop=st.sampled_from([1, 33, 64, 127, L]),
    other_hop=st.none() | st.sampled_from([1, 32, 50]),
    messages=st.lists(st.integers(0, 40) | st.integers(0, 300), max_size=20),
    gaps=st.sets(st.integers(0, 20), max_size=2),
    restored=st.sets(st.integers(0, 20)),
)
@settings(max_examples=150, deadline=None)
def test_a_restored_windower_goes_on(
    hop: int, other_hop: int | None, messages: list[int], gaps: set[int], restored: set[int]
) -> None:
    """What is saved at any moment has all that the windows to come need, of either hop."""
    slots = np.array([2, 0])
    undisturbed, actual = (Windower(3, hop=hop, other_hop=other_hop) for _ in range(2))
    for number, n_samples in enumerate(messages):
        if number in gaps:
            for windower in (undisturbed, actual):
                windower.reset([0])
        if number in restored:
            saved = decode(encode(actual.state(slots)))
            actual = Windower(3, hop=hop, other_hop=other_hop)
            actual.ring.view(np.float32)[:] = np.nan
            actual.restore(slots, saved)
        samples = np.random.default_rng(number).normal(size=(2, n_samples, 9)).astype(np.float32)
        hops = {hop, other_hop or hop}
        cuts = [
            windower.push_and_cut(
                slots, samples, [windower.complete(slots, n_samples, hop=one) for one in hops]
            )
            for windower in (undisturbed, actual)
        ]
        for one, other in zip(*cuts, strict=True):
            assert one.are(other)
            np.testing.assert_array_equal(one.windows, other.windows)


@pytest.mark.parametrize(
    ("count", "hop", "other_hop", "expected"),
    [
        (0, 64, None, 0),
        (127, 64, None, 127),
        (128, 64, None, 64),  # [64, 128) of the window [64, 192)
        (191, 64, None, 127),
        (192, 64, 32, 96),  # [96, 192) of the window [96, 224)
        (200, 1, None, 127),
        (128, L, None, 0),
        (130, L, None, 2),
    ],
)
def test_a_state_has_what_is_needed(
    count: int, hop: int, other_hop: int | None, expected: int
) -> None:
    """A state has the samples from the beginning of the first window that is not complete."""
    windower = Windower(1, hop=hop, other_hop=other_hop)
    windower.push(ONE_PHONE, numbered(count))
    needed = windower.state(ONE_PHONE)["needed"]
    np.testing.assert_array_equal(numbered(expected, first=count - expected)[0], needed)


@pytest.mark.parametrize("hop", [-1, 0, 129])
def test_hops_that_make_no_sense(hop: int) -> None:
    """A hop below 1 or above the window's length is refused with the bounds."""
    with pytest.raises(ValueError, match="1 to 128"):
        Windower(1, hop=hop)
