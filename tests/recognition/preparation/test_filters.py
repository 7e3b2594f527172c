from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.commands.replay.native_message import native_message
from pipeline.formats import native
from pipeline.models.classifier import Classifier
from pipeline.readings import Delivery, Readings
from pipeline.recognition.preparation.filters import FilterStart, Preprocessor
from pipeline.recognition.recognizer import Recognizer
from pipeline.recordings import hapt, uci_har
from pipeline.recordings.recording import Stretch, grid_times
from pipeline.vocabulary import STANDARD_GRAVITY

ONE_PHONE = np.array([0])


def reference(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the chain as scipy.signal computes it over a whole recording ``(n_samples, 9)``."""

    def low_pass(order: int, cutoff_hz: float, signals: NDArray[np.float64]) -> NDArray[np.float64]:
        sections = scipy.signal.butter(order, cutoff_hz, fs=50.0, output="sos")
        return np.asarray(scipy.signal.sosfilt(sections, signals, axis=0))

    scaled = rows / np.array([STANDARD_GRAVITY] * 3 + [1.0] * 3)
    median = np.stack([scipy.signal.medfilt(column, 3) for column in scaled.T], axis=1)
    denoised = low_pass(10, 20.0, median)
    total_acc, gyro = denoised[:, :3], denoised[:, 3:]
    body_acc = total_acc - low_pass(3, 0.3, total_acc)
    return np.hstack([body_acc, gyro - low_pass(2, 0.1, gyro), total_acc])


def raw_rows(n_samples: int, *, seed: int, n_phones: int = 1) -> NDArray[np.float64]:
    """Return noise of a walking phone's size, ``(n_phones, n_samples, 6)``."""
    noise = np.random.default_rng(seed).normal(size=(n_phones, n_samples, 6))
    return noise * [2.0, 2.0, 2.0, 0.5, 0.5, 0.5] + [1.0, 9.0, 2.0, 0.0, 0.0, 0.0]


def preprocess(
    rows: NDArray[np.float64], cuts: Sequence[int], *, start: FilterStart = "zero"
) -> NDArray[np.float32]:
    """Return one phone's rows ``(n_samples, 6)`` preprocessed in pieces that end at ``cuts``."""
    preprocessor = Preprocessor(1, start=start)
    pieces = [piece for piece in np.split(rows, sorted(set(cuts))) if len(piece)]
    return np.concatenate([preprocessor.push(ONE_PHONE, piece[None])[0] for piece in pieces])


@pytest.mark.parametrize("seed", range(3))
def test_the_chain_is_that_of_scipy(seed: int) -> None:
    """With a zero start the samples are what scipy.signal makes of the whole recording."""
    rows = raw_rows(1000, seed=seed)[0]

    samples = preprocess(rows, [])

    assert len(rows) - 1 == len(samples)  # the median awaits one more
    np.testing.assert_allclose(samples, reference(rows)[:-1], rtol=0, atol=1e-6)


@given(
    cuts=st.lists(st.integers(0, 300), max_size=40),
    seed=st.integers(0, 1000),
    start=st.sampled_from(["steady", "zero"]),
)
@settings(max_examples=100)
def test_cuts_do_not_matter(cuts: list[int], seed: int, start: FilterStart) -> None:
    """However a recording is cut, its samples have the same bits."""
    rows = raw_rows(300, seed=seed)[0]
    whole = preprocess(rows, [], start=start)
    assert whole.tobytes() == preprocess(rows, cuts, start=start).tobytes()


@given(data=st.data(), seed=st.integers(0, 1000))
@settings(max_examples=50)
def test_company_does_not_matter(data: st.DataObject, seed: int) -> None:
    """Phones pushed together or alone, in any order of slots, get the same bits."""
    n_phones = 5
    rows = raw_rows(200, seed=seed, n_phones=n_phones)
    alone = np.stack([preprocess(phone, []) for phone in rows])

    preprocessor = Preprocessor(n_phones, start="zero")
    together: list[list[NDArray[np.float32]]] = [[] for _ in range(n_phones)]
    for first in range(0, 200, 40):
        order = data.draw(st.permutations(range(n_phones)))
        split = data.draw(st.integers(0, n_phones))
        for group in (order[:split], order[split:]):
            if group:
                samples = preprocessor.push(np.array(group), rows[group, first : first + 40])
                for phone, phone_samples in zip(group, samples, strict=True):
                    together[phone].append(phone_samples)

    assert alone.tobytes() == np.stack([np.concatenate(parts) for parts in together]).tobytes()


def test_a_still_phone_settles_at_once() -> None:
    """From the steady start a phone at rest has its gravity in full and no body acceleration."""
    rows = np.tile([0.0, 0.6 * STANDARD_GRAVITY, 0.8 * STANDARD_GRAVITY, 0.0, 0.0, 0.0], (50, 1))

    samples = preprocess(rows, [], start="steady")

    expected = np.tile([0.0] * 6 + [0.0, 0.6, 0.8], (49, 1))
    np.testing.assert_allclose(samples, expected, rtol=0, atol=1e-6)


def test_a_zero_start_takes_seconds() -> None:
    """From the zero start gravity appears as body acceleration: why live phones start steady."""
    rows = np.tile([0.0, 0.0, STANDARD_GRAVITY, 0.0, 0.0, 0.0], (400, 1))

    body_acc_z = preprocess(rows, [], start="zero")[:, 2]

    assert body_acc_z.max() > 0.9
    assert np.abs(body_acc_z[-20:]).max() < 0.05


def test_a_reset_phone_begins_anew() -> None:
    """After a reset a phone's samples are those of a phone never seen, and others go on."""
    rows = raw_rows(60, seed=4, n_phones=2)
    preprocessor = Preprocessor(2)
    both = np.array([0, 1])
    first = preprocessor.push(both, rows)
    preprocessor.reset([0])

    again = preprocessor.push(ONE_PHONE, rows[:1])
    other = preprocessor.push(np.array([1]), rows[1:])

    assert first[0].tobytes() == again[0].tobytes()
    assert preprocess(np.vstack([rows[1], rows[1]]), [], start="steady")[59:].tobytes() == (
        other[0].tobytes()
    )


def test_the_first_windows_of_a_raw_phone_are_settling(tiny_model: Path) -> None:
    """Windows that begin in the first 3.2 s of a raw phone are marked, later ones are not."""
    recognizer = Recognizer(Classifier(tiny_model), hop=32)
    recognizer.admit("phone")
    rows = raw_rows(500, seed=1)[0]
    times = 1e9 + np.arange(500) / 50

    predictions = recognizer.push([Delivery([Readings("phone", times, rows)])]).predictions

    settling = [round((p.start - 1e9) * 50) for p in predictions if p.settling]
    settled = [round((p.start - 1e9) * 50) for p in predictions if not p.settling]
    assert [0, 32, 64, 96, 128] == settling
    assert [160, 192, 224, 256, 288, 320, 352] == settled


REAL_SUBJECTS = (1, 3, 5, 6, 7, 8)


def test_raw_recordings_give_the_published_windows_back(
    data_dir: Path, uci_har_data: uci_har.DataSet, glass_model: Path
) -> None:
    """Every published training window of six people comes out of their raw recordings.

    Twelve raw recordings go as messages of random sizes, all phones live at once, through format
    and recognizer; all nine channels agree to 1e-5.
    """
    stretches = {
        f"{recording.device}-{number}": stretch
        for recording in hapt.recordings(data_dir, REAL_SUBJECTS, download=False)
        for number, stretch in enumerate(recording.stretches)
    }
    streams = reproduced(stretches, Classifier(glass_model))

    split = uci_har_data.train
    n_found, worst = 0, 0.0
    for subject in REAL_SUBJECTS:
        own = [stream for name, stream in streams.items() if name[:10] == f"subject-{subject:02d}"]
        assert 2 == len(own)
        for window in split.windows[split.subjects == subject]:
            errors = [error for stream in own for error in matches(stream, window)]
            assert errors, f"a window of subject {subject} is nowhere in the reproduced streams"
            worst = max(worst, min(errors))
            n_found += 1

    assert np.isin(split.subjects, REAL_SUBJECTS).sum() == n_found
    assert worst <= 1e-5


def reproduced(
    stretches: dict[str, Stretch], classifier: Classifier
) -> dict[str, NDArray[np.float32]]:
    """Return what reaches the model of each phone's samples, ``(n_samples - 1, 9)``."""
    rng = np.random.default_rng(0)
    recognizer = Recognizer(classifier, hop=1, filter_start="zero", max_devices=len(stretches))
    shown: dict[str, list[NDArray[np.float32]]] = {device: [] for device in stretches}
    sent = dict.fromkeys(stretches, 0)
    while any(sent[device] < len(stretches[device].samples) for device in stretches):
        tick = []
        for device, stretch in stretches.items():
            size = int(rng.integers(1, 400))
            rows = stretch.samples[sent[device] : sent[device] + size]
            if len(rows):
                times = grid_times(1.6e9 + sent[device] / 50, len(rows))
                message = native_message([Readings(device, times, rows)], recording="", rate_hz=50)
                tick += native.decode(message, device)
                recognizer.admit(device)
                sent[device] += len(rows)
        for prediction in recognizer.push([Delivery([one]) for one in tick]).predictions:
            assert round((prediction.start - 1.6e9) * 50) == len(shown[prediction.device])
            shown[prediction.device].append(prediction.probabilities)
    return {
        device: np.concatenate([windows[0][:9][None], *_rest(windows)])
        for device, windows in shown.items()
    }


def _rest(windows: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Return all samples but the first, from windows' first and last samples."""
    ends = np.stack(windows)  # (n_windows, 18)
    return [ends[1:, :9], ends[-127:, 9:]]


def matches(stream: NDArray[np.float32], window: NDArray[np.float32]) -> list[float]:
    """Return the largest error at each place of the stream where the window could have been."""
    starts = stream[: len(stream) - 127]
    places = np.flatnonzero(np.abs(starts - window[0]).max(axis=1) <= 1e-4)
    return [float(np.abs(stream[place : place + 128] - window).max()) for place in places]
