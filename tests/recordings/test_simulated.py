"""The simulated phones: their form, their reproducibility, and the motion of each activity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.recordings import simulated
from pipeline.recordings.simulated import (
    EXTRA_MOTIONS,
    LABELS,
    MOTIONS,
    RESOLUTION_G,
    TRANSITION_SAMPLES,
)
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ, STANDARD_GRAVITY


def test_there_is_a_motion_for_every_activity() -> None:
    """The six motions are those of the six activities, others come behind; six axes each."""
    assert ACTIVITIES == tuple(MOTIONS)
    assert LABELS == (*ACTIVITIES, *EXTRA_MOTIONS)
    for motion in (*MOTIONS.values(), *EXTRA_MOTIONS.values()):
        assert 6 == len(motion.mean) == len(motion.scatter)
        assert 6 == len(motion.amplitudes) == len(motion.phases_deg)


@given(phones=st.integers(0, 8), seconds=st.floats(12.0, 40.0), seed=st.integers(0, 2**64))
def test_each_phone_goes_through_all_activities(phones: int, seconds: float, seed: int) -> None:
    """In equal shares, with a second between two, each phone starting with another activity."""
    recordings = simulated.recordings(phones, seconds=seconds, seed=seed)
    assert [f"phone-{n + 1}" for n in range(phones)] == [one.device for one in recordings]
    for phone, recording in enumerate(recordings):
        (stretch,) = recording.stretches
        n_samples = round(seconds * SAMPLING_RATE_HZ)
        assert 0.0 == stretch.start
        assert (n_samples, 6) == stretch.samples.shape
        assert np.isfinite(stretch.samples).all()
        changes = np.flatnonzero(np.diff(stretch.labels)) + 1
        runs = np.split(stretch.labels, changes)
        order = [(phone + n) % 6 for n in range(6)]
        assert order == [run[0] for run in runs if run[0] >= 0]
        assert [TRANSITION_SAMPLES] * 5 == [len(run) for run in runs if run[0] < 0]
        assert abs(len(runs[0]) - n_samples / 6) <= 1


def test_the_seed_and_the_phone_decide_the_samples() -> None:
    """The same seed gives a phone the same samples however many there are, another seed others."""
    two, six = simulated.recordings(2, seed=5), simulated.recordings(6, seed=5)
    for expected, found in zip(two, six[:2], strict=True):
        np.testing.assert_array_equal(expected.stretches[0].samples, found.stretches[0].samples)
    other = simulated.recordings(1, seed=6)[0].stretches[0]
    assert not np.array_equal(two[0].stretches[0].samples, other.samples)
    assert not np.array_equal(six[0].stretches[0].samples, six[1].stretches[0].samples)


def test_the_accelerometer_has_the_resolution_of_the_real_one() -> None:
    """Every reading is a multiple of 1/720 g, up to rounding."""
    samples = simulated.recordings(1)[0].stretches[0].samples
    steps = samples[:, :3] / STANDARD_GRAVITY / RESOLUTION_G
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)


@pytest.mark.parametrize("activity", ACTIVITIES)
def test_gravity_points_as_in_the_training_data(activity: str) -> None:
    """The mean of acceleration is the measured one: on x upright, on y and z lying."""
    (stretch,) = simulated.recordings(1, seconds=360.0)[0].stretches
    of_activity = stretch.samples[stretch.labels == ACTIVITIES.index(activity), :3]
    np.testing.assert_allclose(
        np.array(MOTIONS[activity].mean[:3]),
        of_activity.mean(axis=0) / STANDARD_GRAVITY,
        atol=0.02,
    )


@pytest.mark.parametrize("activity", ["WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS"])
def test_walking_shows_two_steps_a_stride(activity: str) -> None:
    """Vertical acceleration varies most at twice the stride's rate, as people differ by 10 %."""
    (stretch,) = simulated.recordings(1, seconds=360.0)[0].stretches
    vertical = stretch.samples[stretch.labels == ACTIVITIES.index(activity), 0]
    power = np.abs(np.fft.rfft(vertical - vertical.mean())) ** 2
    strongest_hz = np.fft.rfftfreq(len(vertical), 1 / SAMPLING_RATE_HZ)[np.argmax(power)]
    assert strongest_hz == pytest.approx(2 * MOTIONS[activity].stride_hz, rel=0.15)


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 11.9])
def test_too_short_a_time_is_an_error(seconds: float) -> None:
    """There must be time for six activities."""
    with pytest.raises(ValueError, match="too short for six activities: take 12 s"):
        simulated.recordings(1, seconds=seconds)


@pytest.mark.parametrize("activity", LABELS)
def test_phones_that_do_one_thing(activity: str) -> None:
    """With an activity every phone does it from its first sample to its last."""
    for recording in simulated.recordings(2, seconds=3.0, seed=4, activity=activity):
        (stretch,) = recording.stretches
        assert {LABELS.index(activity)} == set(stretch.labels.tolist())
        assert (150, 6) == stretch.samples.shape
    first, other = (
        simulated.recordings(1, seconds=3.0, seed=seed, activity=activity)[0] for seed in (4, 5)
    )
    assert not np.array_equal(first.stretches[0].samples, other.stretches[0].samples)


def test_jumping_is_flight_and_landing() -> None:
    """Twice a second all but nothing is felt, then more than two g, and one g on average."""
    (stretch,) = simulated.recordings(1, seconds=120.0, activity="JUMPING")[0].stretches
    vertical_g = stretch.samples[:, 0] / STANDARD_GRAVITY
    assert vertical_g.mean() == pytest.approx(1.0, abs=0.02)
    assert np.percentile(vertical_g, 10) == pytest.approx(0.0, abs=0.15)
    assert np.percentile(vertical_g, 90) > 2.0
    power = np.abs(np.fft.rfft(vertical_g - vertical_g.mean())) ** 2
    strongest_hz = np.fft.rfftfreq(len(vertical_g), 1 / SAMPLING_RATE_HZ)[np.argmax(power)]
    assert strongest_hz == pytest.approx(2.0, rel=0.15)


def test_the_harmonics_of_a_hop() -> None:
    """They are those of half a sine for 60 % of the time, and nothing for the rest."""
    order = np.arange(1, 5)
    expected = 2 * np.cos(np.pi * order * 0.6) / (1 - (2 * order * 0.6) ** 2)
    jumping = EXTRA_MOTIONS["JUMPING"]
    signs = np.cos(np.radians(jumping.phases_deg[0]))
    np.testing.assert_allclose(expected, signs * jumping.amplitudes[0], atol=1e-3)


def test_an_unknown_activity_is_an_error() -> None:
    """The error names those that there are."""
    with pytest.raises(ValueError, match=r"no activity 'FLYING': there are WALKING, .*, JUMPING"):
        simulated.recordings(activity="FLYING")
