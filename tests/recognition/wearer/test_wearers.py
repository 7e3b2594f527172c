from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.recognition.network import Network
from pipeline.recognition.placement.frames import UP
from pipeline.recognition.wearer import frame
from pipeline.recognition.wearer import wearers as wearers_module
from pipeline.recognition.wearer.wearers import (
    REVERSED_LOOKS,
    UPRIGHT_LOOKS,
    WELL_KNOWN_LOOKS,
    Wearers,
)
from tests.recognition.placement.rotations import rotation_about
from tests.recognition.wearer.walks import FORWARD, NO_WALKING, WALKING, angle_deg, looks_at

Looks = NDArray[np.float32]
UPSIDE_DOWN = rotation_about((0.0, 1.0, 0.3), 175)
SIDEWAYS = rotation_about((0.0, 1.0, 0.3), 90)
LOOKS_TO_FIND_A_TURN = 12
GYRO = slice(3, 6)
"""Angular velocity, of the channels"""
NO_COSINE = -2.0
"""Less than any cosine"""


def learn(wearers: Wearers, *several: Looks, slot: int = 0) -> NDArray[np.float32]:
    """Return the frames ``(n, 10)`` after each look at one phone, in one signal without a gap."""
    looks = np.concatenate(several)
    return wearers.learn(np.full(len(looks), slot), looks, np.arange(len(looks)))


def learnt(*several: Looks, gait: Network = WALKING) -> NDArray[np.float32]:
    """Return the frames after looks at a phone that is new."""
    return learn(Wearers(1, gait), *several)


def directions(of: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return upright and forward of a frame ``(10,)``."""
    return of[frame.UPRIGHT], of[frame.FORWARD]


def test_who_walks_is_known_after_some_steps() -> None:
    """Nothing is known before the sixth look that counts; then both directions are right."""
    frames = learnt(looks_at("WALKING", n=12))
    known = [0.0] * UPRIGHT_LOOKS + [1.0] * (12 - UPRIGHT_LOOKS)
    assert known == frames[:, frame.UPRIGHT_KNOWN].tolist()
    assert known == frames[:, frame.FORWARD_KNOWN].tolist()
    assert not frames[:UPRIGHT_LOOKS].any()
    upright, forward = directions(frames[-1])
    assert angle_deg(UP, upright) < 5
    assert angle_deg(FORWARD, forward) < 30


def test_a_frame_has_unit_vectors_across_each_other() -> None:
    """Upright and forward are of length one and at a right angle."""
    upright, forward = directions(learnt(looks_at("WALKING", n=12))[-1])
    for expected, product in (
        (1, upright @ upright),
        (1, forward @ forward),
        (0, upright @ forward),
    ):
        assert product == pytest.approx(expected, abs=1e-6)


def test_strength_is_that_of_walking() -> None:
    """The strength of a walk is known with forward, about as strong as the simulation."""
    log_gyro, log_acc = learnt(looks_at("WALKING", n=12))[-1, frame.STRENGTH]
    assert 0.5 < np.exp(log_gyro) < 2
    assert 0.1 < np.exp(log_acc) < 0.4


def test_other_gaits_show_upright_alone() -> None:
    """Who goes down or runs is upright, too; but forward waits for walking."""
    last = learnt(looks_at("WALKING_DOWNSTAIRS", n=12), gait=NO_WALKING)[-1]
    assert [1, 0] == last[[frame.UPRIGHT_KNOWN, frame.FORWARD_KNOWN]].tolist()
    assert angle_deg(UP, last[frame.UPRIGHT]) < 8
    assert not last[frame.FORWARD].any()


def test_looks_that_disagree_leave_forward_unknown() -> None:
    """Of looks that show forward now here, now there, about the vertical, none is believed."""
    about = rotation_about(tuple(UP), 180)
    walk, other = looks_at("WALKING", n=20), looks_at("WALKING", n=20, rotation=about)
    last = learnt(*[some[n : n + 2] for n in range(0, 20, 2) for some in (walk, other)])[-1]
    assert [1, 0] == last[[frame.UPRIGHT_KNOWN, frame.FORWARD_KNOWN]].tolist()
    assert not last[frame.STRENGTH].any()


@pytest.mark.parametrize("activity", ["SITTING", "STANDING", "LAYING"])
def test_who_rests_is_not_known(activity: str) -> None:
    """Rest teaches nothing."""
    assert not learnt(looks_at(activity, n=20)).any()


def test_a_single_shake_teaches_nothing() -> None:
    """A gait that is not followed by another look at it does not count, however often."""
    shake, rest = looks_at("WALKING", n=4)[3:], looks_at("STANDING", n=1)
    assert not learnt(*[shake, rest] * 10).any()


@pytest.mark.parametrize("activity", ["SITTING", "STANDING", "LAYING"])
def test_rest_changes_nothing(activity: str) -> None:
    """What was known before sitting, standing or lying is known afterwards, to the last bit."""
    frames = learnt(looks_at("WALKING", n=12), looks_at(activity, n=30))
    assert [frames[11].tolist()] * 30 == frames[12:].tolist()


def test_gaps_change_nothing() -> None:
    """What was known before a gap is known behind it; a gait begins anew there."""
    wearers = Wearers(1, WALKING)
    walk = looks_at("WALKING", n=12)
    before = learn(wearers, walk)[-1]
    after = learn(wearers, walk[-2:])
    assert before.tolist() == after[0].tolist()
    assert before.tolist() != after[1].tolist()


def test_who_is_well_known_is_looked_at_half_as_often() -> None:
    """Then every second look changes nothing, and the frame is hardly another."""
    walk = looks_at("WALKING", n=2 * WELL_KNOWN_LOOKS)
    frames = learnt(walk)
    changes = (frames[1:] != frames[:-1]).any(axis=1)[UPRIGHT_LOOKS:]
    n_dense = WELL_KNOWN_LOOKS - UPRIGHT_LOOKS
    assert changes[:n_dense].all()
    assert [True, False] * 11 == changes[n_dense + 1 :].tolist()[:22]


def test_looks_that_are_not_needed() -> None:
    """Before a wearer is well known all looks are; then the odd ones are not, of who walks or sits.

    Of a phone's looks in one tick that is so up to the first that is needed.
    """
    wearers = Wearers(2, WALKING)
    learn(wearers, looks_at("WALKING", n=WELL_KNOWN_LOOKS + 2), slot=1)
    slots = np.array([0, 1, 0, 1, 0, 1])
    numbers = np.array([26, 27, 27, 28, 28, 29])
    assert [True, False, True, True, True, True] == wearers.needs(slots, numbers).tolist()


def test_a_phone_put_back_otherwise_while_walking_is_learnt_anew() -> None:
    """Some looks at a gait with another upright, and the frame is that of the new placement."""
    for rotation in (UPSIDE_DOWN, SIDEWAYS):
        frames = learnt(
            looks_at("WALKING", n=30), looks_at("WALKING", n=22, seed=1, rotation=rotation)
        )
        upright, forward = directions(frames[-1])
        assert angle_deg(rotation @ UP, upright) < 12
        assert angle_deg(rotation @ FORWARD, forward) < 30


@given(
    angle_deg_about=st.floats(90, 270),
    n_before=st.integers(44, 200),
    seed=st.integers(0, 3),
)
@settings(max_examples=30, deadline=None)
def test_a_turn_about_the_vertical_is_found(
    angle_deg_about: float, n_before: int, seed: int
) -> None:
    """Twelve looks at walking after a rest, and forward is that of the new placement.

    However long the wearer had walked before, from half a minute on; upright stays known all the
    time.
    """
    about = rotation_about(tuple(UP), angle_deg_about)
    before, rest = looks_at("WALKING", n=n_before), looks_at("SITTING", n=8)
    after = looks_at("WALKING", n=1 + LOOKS_TO_FIND_A_TURN, seed=seed, rotation=about)
    frames = learnt(before, rest, after)
    assert frames[UPRIGHT_LOOKS:, frame.UPRIGHT_KNOWN].all()
    upright, forward = directions(frames[-1])
    assert angle_deg(UP, upright) < 8
    assert angle_deg(about @ FORWARD, forward) < 45


def test_a_walk_straight_on_shows_no_turn() -> None:
    """Nor does one whose phone slips about the vertical: frames are as if no turn were looked for.

    To the last bit, with rests between the walks.
    """
    for slip_deg in (0, 30):
        about = rotation_about(tuple(UP), slip_deg)
        parts = [
            part
            for seed in range(4)
            for part in (
                looks_at("WALKING", n=50, seed=seed, rotation=about if seed % 2 else None),
                looks_at("SITTING", n=8, seed=seed),
            )
        ]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wearers_module, "_TURNED_ABOUT", NO_COSINE)
            expected = learnt(*parts)
        assert expected.tobytes() == learnt(*parts).tobytes()


def test_after_a_turn_about_the_vertical_strength_is_that_of_the_last_walk() -> None:
    """What was learnt of walking before the turn hardly counts any more."""
    about = rotation_about(tuple(UP), 180)
    gentle = looks_at("WALKING", n=40)
    gentle[:, :, GYRO] /= 4
    after = looks_at("WALKING", n=40, seed=1, rotation=about)
    expected = learnt(looks_at("WALKING", n=40, seed=1))[-1, frame.STRENGTH]
    actual = learnt(gentle, after)[-1, frame.STRENGTH]
    assert expected == pytest.approx(actual, abs=0.15)


def test_a_phone_put_in_upside_down_at_rest_is_forgotten() -> None:
    """Some looks at rest with gravity from the other side, and nothing is known."""
    turned = looks_at("STANDING", n=10, rotation=UPSIDE_DOWN)
    frames = learnt(looks_at("WALKING", n=12), turned)
    n_known = frames[:, frame.UPRIGHT_KNOWN].tolist()
    n_before = 12 + REVERSED_LOOKS - 1
    assert [0.0] * UPRIGHT_LOOKS + [1.0] * (n_before - UPRIGHT_LOOKS) == n_known[:n_before]
    assert not frames[n_before:].any()


def test_who_leans_a_little_otherwise_is_still_known() -> None:
    """A phone that slips by 30 degrees moves the frame, but is not forgotten."""
    slipped = looks_at("WALKING", n=20, seed=1, rotation=rotation_about((0, 1, 0), 30))
    frames = learnt(looks_at("WALKING", n=12), slipped)
    assert frames[UPRIGHT_LOOKS:, frame.UPRIGHT_KNOWN].all()


def test_forgotten_wearers() -> None:
    """After a reset a phone is as new, and others are not touched."""
    walk = looks_at("WALKING", n=12)
    wearers = Wearers(2, WALKING)
    for slot in (0, 1):
        learn(wearers, walk, slot=slot)
    wearers.reset([0])
    assert [False, True] == [wearers.knows_upright(slot) for slot in (0, 1)]
    assert learnt(walk).tobytes() == learn(wearers, walk, slot=0).tobytes()


def lives() -> Sequence[Looks]:
    """Return the looks at some phones, whose wearers walk, rest, and put them in otherwise."""
    walk, sit = looks_at("WALKING", n=30), looks_at("SITTING", n=8)
    turned = looks_at("STANDING", n=6, rotation=UPSIDE_DOWN)
    return [
        np.concatenate([walk, sit, walk]),
        np.concatenate([sit, walk, turned, walk]),
        np.concatenate([walk, looks_at("WALKING", n=20, rotation=SIDEWAYS)]),
        np.concatenate(
            [walk, sit, looks_at("WALKING", n=20, rotation=rotation_about(tuple(UP), 180))]
        ),
        sit,
    ]


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_frames_depend_on_the_phone_alone(data: st.DataObject) -> None:
    """However looks come in ticks, with others or not, and whatever was restored: the same bits."""
    phones = lives()
    expected = [learnt(looks) for looks in phones]
    wearers = Wearers(len(phones), WALKING)
    slots = list(range(len(phones)))
    done = [0] * len(phones)
    actual: list[dict[int, NDArray[np.float32]]] = [{} for _ in phones]
    while any(n < len(looks) for n, looks in zip(done, phones, strict=True)):
        counts = [
            min(data.draw(st.integers(0, 9)), len(looks) - n)
            for n, looks in zip(done, phones, strict=True)
        ]
        if sum(counts) == 0:
            counts = [min(1, len(looks) - n) for n, looks in zip(done, phones, strict=True)]
        if data.draw(st.booleans()):
            moved = data.draw(st.permutations(slots))
            other = Wearers(len(phones), WALKING)
            other.restore(np.array(moved), wearers.state(np.array(slots)))
            wearers, slots = other, moved
        tick = [
            (phone, n)
            for phone, m in enumerate(counts)
            for n in range(done[phone], done[phone] + m)
        ]
        tick = data.draw(st.sampled_from([tick, sorted(tick, key=lambda look: look[1])]))
        of_tick = np.array([slots[phone] for phone, _ in tick]), np.array([n for _, n in tick])
        if data.draw(st.booleans()):
            needed = wearers.needs(*of_tick)
            of_tick = of_tick[0][needed], of_tick[1][needed]
            tick = [look for look, is_needed in zip(tick, needed, strict=True) if is_needed]
        done = [n + m for n, m in zip(done, counts, strict=True)]
        if not tick:
            continue
        looks = np.stack([phones[phone][n] for phone, n in tick])
        frames = wearers.learn(of_tick[0], looks, of_tick[1])
        for (phone, n), after in zip(tick, frames, strict=True):
            actual[phone][n] = after

    for one, of_looks in zip(expected, actual, strict=True):
        frame_now = np.zeros_like(one[0])
        for n, frame_then in enumerate(one):
            frame_now = of_looks.get(n, frame_now)
            assert frame_then.tobytes() == frame_now.tobytes()


def test_a_wearer_takes_little_memory() -> None:
    """What is kept of a wearer is of constant size, 196 bytes."""
    state = Wearers(3, WALKING).state(np.array([1]))
    assert 196 == sum(array.nbytes for array in state.values())
