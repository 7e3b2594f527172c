import subprocess
import sys

import numpy as np
import pytest
import scipy.signal

from pipeline.recognition.preparation.sosfilt import butterworth_low_pass, sosfilt, steady_state

FILTERS = [(10, 20.0), (3, 0.3), (2, 0.1), (1, 5.0)]
"""Order and cut-off in Hz: those of the preprocessing, and the lowest order."""


def fresh_interpreter(code: str) -> str:
    """Return what a new Python prints that runs ``code``."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 0 == result.returncode, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize(("order", "cutoff_hz"), FILTERS)
def test_the_kernel_gives_the_bits_of_scipy(order: int, cutoff_hz: float) -> None:
    """Signals filtered here are those of scipy.signal.sosfilt to the last bit, state included."""
    rng = np.random.default_rng(order)
    sections = scipy.signal.butter(order, cutoff_hz, fs=50.0, output="sos")
    signals = rng.normal(size=(4, 3, 200))
    state = rng.normal(size=(4, 3, len(sections), 2))

    filtered, after = sosfilt(sections, signals, state)

    expected, expected_after = scipy.signal.sosfilt(
        sections, signals, zi=np.moveaxis(state, 2, 0)
    )  # scipy has the sections first
    assert expected.tobytes() == filtered.tobytes()
    np.testing.assert_array_equal(np.moveaxis(expected_after, 0, 2), after)


def test_the_arguments_stay_as_they_were() -> None:
    """Neither the signals nor the state that are handed in change."""
    sections = butterworth_low_pass(3, 0.3, 50.0)
    signals, state = np.ones((2, 10)), np.zeros((2, 2, 2))

    sosfilt(sections, signals, state)

    np.testing.assert_array_equal(np.ones((2, 10)), signals)
    np.testing.assert_array_equal(np.zeros((2, 2, 2)), state)


def test_a_cut_signal_gives_the_same_bits() -> None:
    """A signal filtered in two parts, the state handed on, is the signal filtered at once."""
    sections = butterworth_low_pass(10, 20.0, 50.0)
    signals = np.random.default_rng(1).normal(size=(2, 100))
    state = np.zeros((2, len(sections), 2))

    whole, after_whole = sosfilt(sections, signals, state)
    first, after_first = sosfilt(sections, signals[:, :37], state)
    second, after_second = sosfilt(sections, signals[:, 37:], after_first)

    np.testing.assert_array_equal(whole, np.hstack([first, second]))
    np.testing.assert_array_equal(after_whole, after_second)


@pytest.mark.parametrize(("order", "cutoff_hz"), FILTERS)
def test_the_design_is_that_of_scipy(order: int, cutoff_hz: float) -> None:
    """The designed filter has the frequency response of scipy.signal.butter."""
    frequencies = np.linspace(0.0, 24.9, 500)
    theirs = scipy.signal.butter(order, cutoff_hz, fs=50.0, output="sos")
    ours = butterworth_low_pass(order, cutoff_hz, 50.0)

    assert theirs.shape == ours.shape
    _, expected = scipy.signal.freqz_sos(theirs, frequencies, fs=50.0)
    _, actual = scipy.signal.freqz_sos(ours, frequencies, fs=50.0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("order", "cutoff_hz"), FILTERS)
def test_the_steady_state_is_that_of_scipy(order: int, cutoff_hz: float) -> None:
    """The steady state is scipy.signal.sosfilt_zi, and a constant passes it unchanged."""
    sections = butterworth_low_pass(order, cutoff_hz, 50.0)

    state = steady_state(sections)
    filtered, after = sosfilt(sections, np.ones((1, 300)), state[None])

    np.testing.assert_allclose(state, scipy.signal.sosfilt_zi(sections), rtol=0, atol=1e-8)
    np.testing.assert_allclose(filtered, 1.0, rtol=0, atol=1e-9)
    np.testing.assert_allclose(after[0], state, rtol=0, atol=1e-9)


def test_scipy_signal_stays_out() -> None:
    """Importing the filters does not import scipy.signal."""
    code = (
        "import sys, pipeline.recognition.preparation.sosfilt; print('scipy.signal' in sys.modules)"
    )
    assert "False" == fresh_interpreter(code)


@pytest.mark.parametrize("first", ["pipeline.recognition.preparation.sosfilt", "scipy.signal"])
def test_scipy_signal_may_come_before_or_after(first: str) -> None:
    """The filters and scipy.signal work together, whichever is imported first."""
    second = {
        "pipeline.recognition.preparation.sosfilt": "scipy.signal",
        "scipy.signal": "pipeline.recognition.preparation.sosfilt",
    }[first]
    code = (
        f"import {first}, {second}, numpy as np; x = np.arange(5.0);"
        "from pipeline.recognition.preparation import sosfilt as ours;"
        "s = ours.butterworth_low_pass(2, 5.0, 50.0); z = np.zeros((1, 2));"
        "print((scipy.signal.sosfilt(s, x) == ours.sosfilt(s, x, z)[0]).all())"
    )
    assert "True" == fresh_interpreter(code)
