from collections.abc import Callable
from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.recognition.judgement.sanity_checks.checks import check
from pipeline.recognition.judgement.sanity_checks.plausibility import (
    MOST_EVIDENCE,
    RAISING_EVIDENCE,
    Plausibility,
)
from pipeline.recognition.judgement.sanity_checks.problems import ADVICE, PROBLEMS
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.preparation.filters import SETTLING_ROWS, Preprocessor
from pipeline.recognition.preparation.windows import Windower
from pipeline.recognition.rounds import rounds_of
from pipeline.recordings import hapt
from pipeline.recordings.recording import DataError
from pipeline.vocabulary import CHANNELS, SAMPLING_RATE_HZ, STANDARD_GRAVITY, WINDOW_LENGTH

HOP = 64
ONE_PHONE = np.array([0])
LEAST = -(-RAISING_EVIDENCE // HOP)
"""Windows of evidence that bring a problem into force"""
UTMOST = -(-MOST_EVIDENCE // HOP)
"""Windows of evidence that are kept"""

Rows = NDArray[np.float64]


def stand(seconds: float = 20.0) -> Rows:
    """Return raw rows ``(n_rows, 6)`` of a phone that hangs upright, in m/s² and rad/s."""
    rng = np.random.default_rng(1)
    rows = rng.normal(0, (0.05, 0.05, 0.05, 0.02, 0.02, 0.02), (round(50 * seconds), 6))
    rows[:, 0] += STANDARD_GRAVITY
    return rows


def stroll(seconds: float = 20.0) -> Rows:
    """Return raw rows of somebody who walks with it."""
    rows = stand(seconds)
    phase = 2 * np.pi * 1.8 * np.arange(len(rows)) / SAMPLING_RATE_HZ
    rows[:, 0] += 3 * np.cos(phase)
    rows[:, 3] += 0.7 * np.cos(phase / 2)
    return rows


@cache
def tumble(seconds: float = 40.0) -> Rows:
    """Return raw rows of a phone that is turned slowly about all axes."""
    rng = np.random.default_rng(2)
    n_rows = round(50 * seconds)
    times = np.arange(n_rows) / SAMPLING_RATE_HZ
    angular_velocity = np.zeros((n_rows, 3))  # rad/s
    for axis in range(3):
        for rate_hz in (0.21, 0.33, 0.47):
            phase = rng.uniform(0, 2 * np.pi)
            angular_velocity[:, axis] += 0.4 * np.sin(2 * np.pi * rate_hz * times + phase)
    rows = np.zeros((n_rows, 6))
    rows[:, 3:] = angular_velocity
    gravity = np.array([STANDARD_GRAVITY, 0, 0])
    for i in range(n_rows):
        gravity = gravity - np.cross(angular_velocity[i], gravity) / SAMPLING_RATE_HZ
        gravity *= STANDARD_GRAVITY / np.linalg.norm(gravity)
        rows[i, :3] = gravity
    return rows + np.random.default_rng(3).normal(0, 0.02, rows.shape)


def windows_of(rows: Rows, *, hop: int = HOP) -> NDArray[np.float32]:
    """Return the windows that the model would get, ``(n, 128, 9)``."""
    samples = Preprocessor(1).push(ONE_PHONE, rows[np.newaxis])
    return Windower(1, hop=hop).push(ONE_PHONE, samples).windows


def problems_after(
    plausibility: Plausibility, slots: NDArray[np.intp], windows: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Return the problems in force after each of these windows, ``(n, n_problems)``."""
    return plausibility.problems_after(rounds_of(slots), check(windows))


def watch(rows: Rows, *, hop: int = HOP) -> NDArray[np.bool_]:
    """Return the problems in force after each window of one phone, ``(n, n_problems)``."""
    plausibility = Plausibility(1, hop=hop)
    windows = windows_of(rows, hop=hop)
    return np.array(
        [problems_after(plausibility, ONE_PHONE, window[np.newaxis])[0] for window in windows]
    )


def found(rows: Rows, *, hop: int = HOP) -> set[str]:
    """Return the problems that are in force at the end."""
    return {PROBLEMS[i] for i in np.flatnonzero(watch(rows, hop=hop)[-1])}


def scaled(rows: Rows, *, acc: float = 1.0, gyro: float = 1.0) -> Rows:
    """Return rows with another unit in one of the sensors."""
    return np.hstack([rows[:, :3] * acc, rows[:, 3:] * gyro])


def rotated(rows: Rows, acc: NDArray[np.float64], gyro: NDArray[np.float64]) -> Rows:
    """Return rows with each sensor in other axes."""
    return np.hstack([rows[:, :3] @ acc.T, rows[:, 3:] @ gyro.T])


def signed_permutations() -> list[NDArray[np.float64]]:
    """Return all exchanges of axes, the first of them none."""
    signs = np.array(np.meshgrid(*[[1.0, -1.0]] * 3)).reshape(3, -1).T
    return [np.diag(sign)[list(order)] for order in permutations(range(3)) for sign in signs]


def test_each_problem_has_its_advice() -> None:
    """The problems are words fit for a message, each with a sentence of what to do."""
    assert PROBLEMS == tuple(ADVICE)
    assert all(problem.replace("-", "").isalpha() for problem in PROBLEMS)
    assert all(len(advice) > 40 and advice.count(":") == 1 for advice in ADVICE.values())


@pytest.mark.parametrize("rows", [stand(), stroll(), tumble(), np.vstack([stand(), stroll()])])
def test_nothing_is_wrong_with_a_good_phone(rows: Rows) -> None:
    """A phone that sends what it should has no problem at any time."""
    assert not watch(rows).any()


@pytest.mark.parametrize("scale", [STANDARD_GRAVITY, 1 / STANDARD_GRAVITY])
@pytest.mark.parametrize("rows", [stand(), stroll()])
def test_accelerations_in_another_unit(rows: Rows, scale: float) -> None:
    """M/s² taken for g, or g for m/s², are noticed at rest and in walking."""
    assert {"acc-unit"} == found(scaled(rows, acc=scale))


@pytest.mark.parametrize("rows", [stand(), stroll()])
def test_accelerations_without_gravity(rows: Rows) -> None:
    """Linear acceleration is noticed at rest and in walking."""
    rows = rows.copy()
    rows[:, 0] -= STANDARD_GRAVITY
    assert {"no-gravity"} == found(rows)


def test_degrees_taken_for_radians() -> None:
    """Angular velocities that are 57 times too large are noticed in walking."""
    assert {"gyro-unit"} == found(scaled(stroll(), gyro=180 / np.pi))


@pytest.mark.parametrize("scale", [np.pi / 180, 0.0])
def test_a_gyroscope_that_hardly_moves(scale: float) -> None:
    """Angular velocities that are 57 times too small, or zero, are noticed in walking."""
    assert {"gyro-unit"} == found(scaled(stroll(), gyro=scale))


@pytest.mark.parametrize("degrees", [-90, 60, 90, 180])
def test_walking_with_the_phone_otherwise(degrees: float) -> None:
    """A walker's phone whose gravity is far from +x is noticed."""
    angle = np.radians(degrees)
    rotation = np.array(
        [
            [np.cos(angle), -np.sin(angle), 0],
            [np.sin(angle), np.cos(angle), 0],
            [0, 0, 1],
        ]
    )
    assert {"wrong-frame"} == found(rotated(stroll(), rotation, rotation))


def test_for_a_model_that_takes_any_phone_none_is_otherwise() -> None:
    """Neither a walker's nor that of one who stirs; other problems are noticed still."""
    upside_down = np.diag([-1.0, -1.0, 1.0])
    rows = scaled(rotated(np.vstack([stroll(), tumble()]), upside_down, upside_down), gyro=57.3)
    windows = windows_of(rows)
    slots = np.zeros(len(windows), np.intp)
    at_once, any_way = (
        problems_after(Plausibility(1, hop=HOP, any_way_round=any_way_round), slots, windows)
        for any_way_round in (False, True)
    )
    wrong_frame = PROBLEMS.index("wrong-frame")
    assert at_once[:, wrong_frame].any()
    assert not any_way[:, wrong_frame].any()
    others = np.arange(len(PROBLEMS)) != wrong_frame
    np.testing.assert_array_equal(at_once[:, others], any_way[:, others])
    assert any_way.any()


def test_a_phone_that_lies() -> None:
    """Gravity may be anywhere as long as nobody walks."""
    lying = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    assert set() == found(rotated(stand(), lying, lying))


@pytest.mark.parametrize("exchange", signed_permutations()[1:])
def test_a_gyroscope_with_other_axes(exchange: NDArray[np.float64]) -> None:
    """Any exchange of the gyroscope's axes or signs is noticed once the phone is turned."""
    assert {"swapped-axes"} == found(rotated(tumble(), np.eye(3), exchange))


@pytest.mark.parametrize("exchange", signed_permutations()[1:])
def test_an_accelerometer_with_other_axes(exchange: NDArray[np.float64]) -> None:
    """So is any of the accelerometer's, but for all three signs: gravity turns alike up or down."""
    mirrored = np.array_equal(exchange, -np.eye(3))
    assert found(rotated(tumble(), exchange, np.eye(3))) == (
        set() if mirrored else {"swapped-axes"}
    )


@pytest.mark.parametrize("exchange", signed_permutations())
def test_both_sensors_with_other_axes(exchange: NDArray[np.float64]) -> None:
    """If both sensors are turned alike, their axes fit; if mirrored, they do not."""
    proper = np.linalg.det(exchange) > 0
    assert found(rotated(tumble(), exchange, exchange)) == (set() if proper else {"swapped-axes"})


@pytest.mark.parametrize("hop", [1, 16, 64, 128])
def test_time_counts_not_windows(hop: int) -> None:
    """At any hop a problem is in force after as many seconds, or one window more."""
    in_force = watch(scaled(stand(), acc=STANDARD_GRAVITY), hop=hop)[:, PROBLEMS.index("acc-unit")]
    assert -(-RAISING_EVIDENCE // hop) == np.argmax(in_force) + 1


def test_a_problem_needs_evidence() -> None:
    """One window less than needed, and nothing is said."""
    # windows   bad bad bad bad good      bad bad bad bad bad
    # in force   .   .   .   .   .         .   .   .   .  yes
    bad = windows_of(scaled(stand(), acc=STANDARD_GRAVITY))[: LEAST - 1]
    plausibility = Plausibility(1, hop=HOP)
    assert not any(
        problems_after(plausibility, ONE_PHONE, window[np.newaxis]).any() for window in bad
    )
    assert not problems_after(plausibility, ONE_PHONE, windows_of(stand())[:1]).any()


def test_a_problem_ends_with_evidence_of_the_contrary() -> None:
    """Good windows take back what bad ones brought, none of it at once, all of it in the end."""
    # windows   bad ... bad  good ... good  good
    # in force   .      yes  yes      yes    .
    bad = windows_of(scaled(stand(60), acc=STANDARD_GRAVITY))[: 2 * UTMOST]
    plausibility = Plausibility(1, hop=HOP)
    for window in bad:
        problems_after(plausibility, ONE_PHONE, window[np.newaxis])
    good = windows_of(stand(60))[:UTMOST]
    in_force = [
        problems_after(plausibility, ONE_PHONE, window[np.newaxis])[0, 0] for window in good
    ]
    assert [True] * (UTMOST - 1) + [False] == in_force


def test_exchanged_axes_that_are_put_right() -> None:
    """Once the axes are as they should be, turning the phone ends the problem."""
    wrong = rotated(tumble(), np.eye(3), np.diag([1.0, -1, -1]))
    assert set() == found(np.vstack([wrong, tumble(160)]))


def test_standing_says_nothing_of_the_axes() -> None:
    """A phone at rest shows no rotation, whatever the gyroscope's axes are."""
    assert set() == found(rotated(stand(60), np.eye(3), -np.eye(3)))


def test_walking_says_nothing_of_the_axes() -> None:
    """A walker's accelerations are not gravity's, so they are not taken for it."""
    assert set() == found(rotated(stroll(60), np.eye(3), -np.eye(3)))


def test_reset() -> None:
    """A phone that is forgotten begins anew; another is not touched."""
    bad = windows_of(scaled(stand(), acc=STANDARD_GRAVITY))[:LEAST]
    plausibility = Plausibility(2, hop=HOP)
    for window in bad:
        in_force = problems_after(plausibility, np.array([0, 1]), np.stack([window, window]))
    assert [True, True] == in_force[:, 0].tolist()
    plausibility.reset([0])
    in_force = problems_after(plausibility, np.array([0, 1]), bad[[0, 0]])
    assert [False, True] == in_force[:, 0].tolist()


def test_no_windows() -> None:
    """Without windows nothing is said."""
    none = np.empty((0, WINDOW_LENGTH, len(CHANNELS)), np.float32)
    assert problems_after(Plausibility(1, hop=HOP), np.empty(0, np.intp), none).shape == (
        0,
        len(PROBLEMS),
    )


PHONES = [
    windows_of(rows)[:12]
    for rows in (
        stroll(),
        tumble(),
        scaled(stand(), acc=STANDARD_GRAVITY),
        rotated(tumble(), np.eye(3), np.diag([1.0, -1, -1])),
        np.zeros((1000, 6)),
    )
]


@settings(max_examples=20)
@given(st.permutations([phone for phone in range(len(PHONES)) for _ in range(12)]), st.data())
def test_phones_do_not_mind_each_other(order: list[int], data: st.DataObject) -> None:
    """What is said of a phone is the same alone and among others, however calls are cut."""
    alone = [Plausibility(1, hop=HOP) for _ in PHONES]
    together = Plausibility(len(PHONES), hop=HOP)
    taken = [0] * len(PHONES)
    while order:
        distinct = next((i for i, phone in enumerate(order) if phone in order[:i]), len(order))
        batch = order[: data.draw(st.integers(1, distinct))]
        order = order[len(batch) :]
        windows = np.stack([PHONES[phone][taken[phone]] for phone in batch])
        in_force = problems_after(together, np.array(batch), windows)
        for phone, window, row in zip(batch, windows, in_force, strict=True):
            taken[phone] += 1
            expected = problems_after(alone[phone], ONE_PHONE, window[np.newaxis])[0]
            assert expected.tolist() == row.tolist()


@given(st.permutations([phone for phone in range(len(PHONES)) for _ in range(12)]))
@settings(max_examples=20)
def test_many_windows_of_a_phone_at_once(order: list[int]) -> None:
    """What is said after each window is the same if a phone's next ones come in the same call."""
    one_by_one, at_once = (Plausibility(len(PHONES), hop=HOP) for _ in range(2))
    nth = [order[:i].count(phone) for i, phone in enumerate(order)]
    windows = np.stack([PHONES[phone][n] for phone, n in zip(order, nth, strict=True)])
    expected = [
        problems_after(one_by_one, np.array([phone]), window[np.newaxis])[0]
        for phone, window in zip(order, windows, strict=True)
    ]
    assert np.array(expected).tolist() == problems_after(at_once, np.array(order), windows).tolist()
    assert one_by_one.rotations.tobytes() == at_once.rotations.tobytes()


@pytest.fixture(scope="module")
def recordings(data_dir: Path) -> list[tuple[Rows, NDArray[np.int8]]]:
    """Raw rows and labels of three training subjects."""
    try:
        read = hapt.recordings(data_dir, [1, 16, 30], download=False)
    except DataError as error:
        pytest.skip(f"needs HAPT: {error}")
    return [
        (stretch.samples.astype(np.float64), stretch.labels)
        for recording in read
        for stretch in recording.stretches
    ]


def test_training_subjects_have_no_problem(
    recordings: list[tuple[Rows, NDArray[np.int8]]],
) -> None:
    """While they do any of the six activities, nothing is in force once the filters have settled.

    Measured over all 21: 18 of 7,136 windows, all in one recording, whose wearer first stirs lying.
    """
    first = -(-SETTLING_ROWS // HOP)
    for rows, labels in recordings:
        plausibility = Plausibility(1, hop=HOP)
        for k, window in enumerate(windows_of(rows)[first:], first):
            in_force = problems_after(plausibility, ONE_PHONE, window[np.newaxis])[0]
            if (labels[k * HOP :][:WINDOW_LENGTH] >= 0).all():
                assert not in_force.any()


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda rows: scaled(rows, acc=STANDARD_GRAVITY), "acc-unit"),
        (lambda rows: rows - np.append(rows[:, :3].mean(axis=0), np.zeros(3)), "no-gravity"),
        (lambda rows: scaled(rows, gyro=180 / np.pi), "gyro-unit"),
        (lambda rows: rows[:, [1, 0, 2, 4, 3, 5]] * [1, -1, 1, 1, -1, 1], "wrong-frame"),
        (lambda rows: rows[:, [0, 1, 2, 4, 3, 5]], "swapped-axes"),
    ],
)
def test_spoilt_recordings(
    recordings: list[tuple[Rows, NDArray[np.int8]]], spoil: Callable[[Rows], Rows], problem: str
) -> None:
    """Each way of spoiling a real recording brings its problem into force.

    Measured over all 21 subjects, from the beginning of their recordings: accelerations in another
    unit or without gravity in all, after 8 to 10 s; angular velocities in another unit and each
    wrong placement in all, once they walk; each exchange of axes in 99.9 %, after 73 s in the
    median.
    """
    for rows, _ in recordings:
        assert watch(spoil(rows))[:, PROBLEMS.index(problem)].any()


@pytest.mark.parametrize("frame", ["portrait", "portrait-upside-down", "landscape-upside-down"])
def test_who_stirs_but_is_never_upright(frame: str) -> None:
    """A wrong frame is seen when its wearer first stirs, before anybody walks; not if upright."""
    rng = np.random.default_rng(0)
    rows = np.zeros((1500, 6))
    rows[:, 0] = STANDARD_GRAVITY
    rows += rng.normal(0, 0.02, rows.shape)
    rows[700:760] += rng.normal(0, 3.0, (60, 6)) * [1, 1, 1, 0.2, 0.2, 0.2]  # gets up
    worn = rotated(rows, FRAMES[frame].T, FRAMES[frame].T)

    assert set() == found(rows)
    in_force = watch(worn)[:, PROBLEMS.index("wrong-frame")]
    assert not in_force[: (700 - WINDOW_LENGTH) // HOP].any()
    assert in_force[760 // HOP :].all()
