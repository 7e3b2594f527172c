from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.recognition.wearer.frame import COLUMNS
from trainer.data.recorded_windows import RecordedWindows
from trainer.data.signals import HOP, Signals, signals_of

ACTIVITIES = ("WALKING", "SITTING")


def windows_of(
    lengths: list[int], *, person: str = "p", worn_at: str = "waist"
) -> tuple[RecordedWindows, list[NDArray[np.float32]]]:
    """Return the windows of made-up signals of these lengths, and the signals ``(n, 9)``."""
    rng = np.random.default_rng(len(lengths))
    signals = [rng.normal(size=(length, 9)).astype(np.float32) for length in lengths]
    firsts = [range(0, length - 127, HOP) for length in lengths]
    samples = [one[k : k + 128] for one, some in zip(signals, firsts, strict=True) for k in some]
    n = len(samples)
    starts = [100.0 * number + k / 50 for number, some in enumerate(firsts) for k in some]
    return (
        RecordedWindows(
            person,
            "Made",
            worn_at,
            ACTIVITIES,
            samples=np.array(samples, np.float32).reshape(n, 128, 9),
            labels=(np.arange(n) % 2).astype(np.int8),
            is_settled=np.ones(n, np.bool_),
            recordings=np.zeros(n, np.int16),
            starts=np.array(starts),
            is_stairs=np.zeros(n, np.bool_),
            wearer_frames=rng.normal(size=(n, len(COLUMNS))).astype(np.float32),
        ),
        signals,
    )


@given(lengths=st.lists(st.integers(128, 400), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_samples_are_kept_once_and_windows_come_back(lengths: list[int]) -> None:
    """Whatever the lengths, the windows are the same, and no sample is kept that is in none."""
    windows, _ = windows_of(lengths)
    signals = signals_of([windows])
    np.testing.assert_array_equal(
        windows.samples[:, :, 3:], signals.windows(np.arange(len(signals)))
    )
    in_windows = [128 + HOP * ((length - 128) // HOP) for length in lengths]
    assert sum(in_windows) == len(signals.rows)


def test_people_and_sets_are_told_apart() -> None:
    """Windows know whose they are, of which set, and whether the phone was on a leg."""
    (one, _), (other, _) = (
        windows_of([200]),
        windows_of([300], person="q", worn_at="Trousers pocket"),
    )
    signals = signals_of([other, replace(one, data_set="Other")])
    assert (("Made", "Other"), ("p", "q")) == (signals.data_sets, signals.people)
    assert 6 * ["q"] + 3 * ["p"] == [signals.people[k] for k in signals.persons]
    assert 6 * ["Made"] + 3 * ["Other"] == [signals.data_sets[k] for k in signals.sets]
    assert 6 * [True] + 3 * [False] == signals.on_leg.tolist()
    assert signals.of_people({"q"}).tolist() == signals.on_leg.tolist()
    assert 3 == len(signals.chosen(~signals.on_leg))


def test_samples_between_rows_and_beyond_the_signal() -> None:
    """They are interpolated in a line; beyond an end the last one there is held."""
    windows, (first, second) = windows_of([128, 128])
    signals = signals_of([windows])
    positions = np.array([[-5.0, 0.5, 127.0, 130.0]], np.float32)
    expected = [first[0], (first[0] + first[1]) / 2, first[127], first[127]]
    np.testing.assert_allclose(
        [[row[3:] for row in expected]], signals.samples(np.array([0]), positions), rtol=1e-6
    )
    assert second[0, 3:].tolist() == signals.samples(np.array([1]), positions)[0, 0].tolist()


def test_people_without_windows() -> None:
    """People without windows are passed over."""
    empty, _ = windows_of([200])
    nothing = replace(
        empty,
        **{
            name: getattr(empty, name)[:0]
            for name in ("samples", "labels", "is_settled", "recordings", "starts")
        },
    )
    assert 3 == len(signals_of([nothing, empty]))
    assert isinstance(signals_of([empty]), Signals)
