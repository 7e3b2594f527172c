import numpy as np
import pytest

from pipeline.recordings import simulated
from pipeline.recordings.recording import Stretch
from trainer.data.corrupted import (
    CORRUPTIONS,
    corrupted,
    miscalibrated,
    noisy,
    of_another_speed,
    thinned,
)


@pytest.fixture(scope="module")
def stretch() -> Stretch:
    """A minute of what a simulated phone sends."""
    [recording] = simulated.recordings(1, seconds=60)
    return recording.stretches[0]


@pytest.mark.parametrize("how", CORRUPTIONS)
def test_corrupted_recordings_are_recordings_still(how: str) -> None:
    """Each has its device and a label a sample; what the seed draws is drawn again."""
    recordings = simulated.recordings(2, seconds=30)
    one, again, other = (corrupted(recordings, CORRUPTIONS[how], seed=seed) for seed in (1, 1, 2))
    assert [recording.device for recording in recordings] == [recording.device for recording in one]
    for before, after, same, different in zip(recordings, one, again, other, strict=True):
        for stretch in after.stretches:
            assert (len(stretch.labels), 6) == stretch.samples.shape
            assert np.isfinite(stretch.samples).all()
        samples = after.stretches[0].samples
        np.testing.assert_array_equal(samples, same.stretches[0].samples)
        assert not np.array_equal(samples, before.stretches[0].samples)
        assert not np.array_equal(samples, different.stretches[0].samples)


def test_who_moves_faster_turns_faster(stretch: Stretch) -> None:
    """What a stretched recording gains in angular velocity it loses in length."""
    found = of_another_speed(stretch, np.random.default_rng(0))
    faster = len(stretch.samples) / len(found.samples)
    assert 0 < abs(np.log(faster)) < 0.3
    rates = [np.abs(one.samples[:, 3:]).max() for one in (stretch, found)]
    assert faster == pytest.approx(rates[1] / rates[0], rel=0.05)
    acc = [one.samples[:, :3].mean() for one in (stretch, found)]
    assert acc[0] == pytest.approx(acc[1], rel=1e-2)
    assert set(stretch.labels.tolist()) == set(found.labels.tolist())


def test_other_sensors_are_linear(stretch: Stretch) -> None:
    """Gain and offset are those of an axis, for the whole stretch."""
    found = miscalibrated(stretch, np.random.default_rng(0))
    for before, after in zip(stretch.samples.T, found.samples.T, strict=True):
        gain, offset = np.polyfit(before, after, 1)
        np.testing.assert_allclose(gain * before + offset, after, atol=1e-6)
        assert 0 < abs(gain - 1) < 0.2


def test_noise_is_white_and_small(stretch: Stretch) -> None:
    """It is below what walking does to the sensors."""
    noise = noisy(stretch, np.random.default_rng(1)).samples - stretch.samples
    assert (noise.std(axis=0) < 0.2 * stretch.samples.std(axis=0)).all()
    assert abs(np.corrcoef(noise[1:, 0], noise[:-1, 0])[0, 1]) < 0.1


def test_lost_samples_are_interpolated(stretch: Stretch) -> None:
    """Nine in ten stay as they are, at their times; the others lie between their neighbours."""
    found = thinned(stretch, np.random.default_rng(0)).samples
    kept = np.isclose(found, stretch.samples).all(axis=1)
    assert 0.87 < kept.mean() < 0.93
    low, high = (bound(np.stack([found[:-2], found[2:]]), axis=0) for bound in (np.min, np.max))
    single = ~kept[1:-1] & kept[:-2] & kept[2:]
    assert ((found[1:-1] >= low - 1e-9) & (found[1:-1] <= high + 1e-9))[single].all()
