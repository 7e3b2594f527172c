"""Whether a phone's windows can be what the models were trained on: units, placement, axes.

Each check says yes, no or nothing of a window. A problem comes into force when the evidence for it,
counted in samples, outweighs that against it by far, and stays so until it is used up. What is done
about it is not decided here. The figures in this module are of the 21 training subjects of HAPT,
over all that was recorded, labelled or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.rounds import Rounds, rounds_of
from pipeline.recognition.slots import PerPhone
from pipeline.vocabulary import SAMPLING_RATE_HZ, WINDOW_LENGTH

ADVICE: Final = {
    "acc-unit": "gravity does not measure 1 g: accelerations are about ten times too large or too "
    "small; make the unit that the messages name, m/s2 or g, that of their numbers",
    "no-gravity": "accelerations come without gravity, so postures cannot be told: let the app "
    "send the accelerometer instead of linear acceleration, or gravity besides it",
    "gyro-unit": "angular velocities are far too large or too small for the movement, or missing: "
    "make the unit that the messages name, rad/s or deg/s, that of their numbers",
    "wrong-frame": "somebody walks, but gravity is not where the model knows it: say how the phone "
    "is worn with --frame or run har-calibrate; for an iPhone see --convention",
    "swapped-axes": "accelerometer and gyroscope do not turn together: the axes of one are in "
    "another order or sign than the other's; let the app send both in the phone's axes",
}
"""By problem what is seen and what to do, a sentence each."""

PROBLEMS: Final = tuple(ADVICE)
"""The problems' names, in the order of the columns that `Plausibility.push` returns."""

RAISE: Final = 300
"""Samples of evidence that bring a problem into force: 6 s."""
MOST: Final = 600
"""Samples of evidence that are kept: so many of the contrary, 12 s, end a problem."""

GRAVITY_G: Final = (0.8, 1.25)
"""Mean total acceleration of a window, as a vector, if its unit is right: 0.91 to 1.07 g in the six
activities, less only while the phone turns over."""
NO_GRAVITY_G: Final = 0.3
"""Below it gravity is missing: a phone that turns over still has 0.53 g."""
TOO_SMALL_G: Final = (0.08, 0.13)
"""Around 0.102: 1 g if g is taken for m/s²."""
STEADY: Final = 0.7
"""Least ratio of the mean total acceleration to its root mean square if there is gravity in it:
0.77 at least in the six activities, near 0 in movement without gravity."""
TOO_LARGE_G: Final = 5.0
"""Above it m/s² is taken for g."""

MOVING_G: Final = 0.09
"""Standard deviation of the total acceleration's size that walking exceeds: 0.091 at least."""
CALM_G: Final = 0.08
"""The same up to which the acceleration's direction is taken for gravity's."""
TURNING_RAD_S: Final = (0.05, 10.0)
"""Standard deviation of the angular velocity, all axes together, in a phone that moves: 0.4 to 2.0
in walking, 8.7 at most. In degrees it is 57 times as much."""
WALKING_RAD_S: Final = 0.3
STEP_SHARE: Final = 0.5
"""Share of the variance of the acceleration's size that steps have, at 1.2 to 3.1 Hz: at least so
much in 99 % of the windows of walking and of stairs."""
UPRIGHT: Final = 0.7
"""Cosine of the angle from +x to gravity's reaction: 0.73 at least in walking and on stairs."""

STIRRING_G: Final = 0.05
"""Standard deviation of the total acceleration's size from which a wearer stirs: getting up,
sitting down, turning over, walking."""
NOT_UPRIGHT: Final = 0.6
"""As `UPRIGHT`, below which a wearer who stirs is not upright."""
STIRRING: Final = 64
"""Samples of stirring otherwise that are needed, 1.3 s: one window at a hop of 64."""
UPRIGHT_STIRRING: Final = 128
"""Samples of stirring upright that prove the frame, 2.6 s."""
UPRIGHT_SHARE: Final = 0.75
"""Least ratio of stirring upright to stirring otherwise. With these four 18 of the 7,136 labelled
windows of the 42 recordings are flagged, all in one; of those in another placement 96 to 98 %."""
MOST_STIRRING: Final = 6000
"""Samples of stirring that are remembered, 2 minutes: whoever was upright so long may turn over in
bed all night."""

TURN_RAD2: Final = 0.02
"""Rotation in a window, summed as squares over steps of 0.32 s, that makes it worth comparing."""
ENOUGH_RAD2: Final = 0.5
"""Rotation seen in all, summed likewise, from which the axes are judged."""
MOST_RAD2: Final = 4.0
"""Rotation that is remembered; what is older counts less."""
AGREEMENT: Final = 0.6
"""Least correlation of the two sensors' rotations that shows which axes are which: 0.8 in the
median of the recordings."""
MARGIN: Final = 0.15
"""By how much other axes must agree better than the axes as they are."""

_WRONG_FRAME: Final = PROBLEMS.index("wrong-frame")
_STEPS: Final = slice(2, 8)  # of a window's spectrum without its mean, 0.39 Hz apart
_TINY: Final = 1e-12


@dataclass(frozen=True, eq=False)
class Judged:
    """What windows show, each by itself."""

    verdicts: NDArray[np.int8]
    """``(n, n_problems - 1)``, of all problems but the last: 1 for the problem, -1 against it, 0
    for nothing"""
    stirs: NDArray[np.bool_]
    """``(n, 2)``: whether the wearer stirs upright, and otherwise"""
    place: NDArray[np.intp]
    """``(n,)``: where in `rotations` a calm window's are, -1 if it turns too little"""
    rotations: NDArray[np.float32]
    """``(n_turning, 91)``, as `_rotations` says"""

    @property
    def walking(self) -> NDArray[np.bool_]:
        """``(n,)``: whether somebody walks, on the level or on stairs, in the model's frame."""
        upright: NDArray[np.bool_] = self.verdicts[:, _WRONG_FRAME] < 0
        return upright

    def between(self, first: int, end: int) -> "Judged":
        """Return what some of the windows show that follow one another."""
        part = slice(first, end)
        return Judged(self.verdicts[part], self.stirs[part], self.place[part], self.rotations)


class Plausibility(PerPhone):
    """The evidence on all phones."""

    _per_phone = ("in_force", "evidence", "rotations", "stirred")

    def __init__(self, n_slots: int, *, hop: int, any_way_round: bool = False) -> None:
        """Make room for ``n_slots`` phones, whose windows are ``hop`` samples apart.

        If they may be worn any way round, none is in a wrong frame.
        """
        self._hop = hop
        self._any_way_round = any_way_round
        self.in_force = np.zeros((n_slots, len(PROBLEMS)), np.bool_)
        self.evidence = np.zeros((n_slots, len(PROBLEMS) - 1), np.int64)  # of all but the last
        self.rotations = np.zeros((n_slots, _N_SUMS))  # of the last, as `_rotations` says
        self.stirred = np.zeros((n_slots, 2), np.int64)  # samples of stirring: upright, otherwise

    def reset(self, slots: Sequence[int]) -> None:
        """Forget what is known of these phones."""
        self.in_force[slots] = False
        self.evidence[slots] = 0
        self.rotations[slots] = 0
        self.stirred[slots] = 0

    def push(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which `PROBLEMS` are in force after each of these windows, ``(n, n_problems)``.

        ``slots`` ``(n,)`` names their phones, each phone's windows in their order; ``windows``
        ``(n, 128, 9)`` are as the model gets them.
        """
        return self.weigh(rounds_of(slots), self.judge(windows))

    def judge(self, windows: NDArray[np.float32]) -> Judged:
        """Return what windows ``(n, 128, 9)`` show, each by itself."""
        return _judge(windows)

    def weigh(self, rounds: Rounds, judged: Judged) -> NDArray[np.bool_]:
        """Return which `PROBLEMS` are in force after each of these windows, ``(n, n_problems)``.

        ``rounds`` are those of the windows' phones; `judge` has judged them.
        """
        verdicts = rounds.ordered(judged.verdicts) * np.int64(self._hop)
        stirs = rounds.ordered(judged.stirs) * np.int64(self._hop)
        if self._any_way_round:
            verdicts[:, _WRONG_FRAME] = 0
            stirs[:] = 0
        place = rounds.ordered(judged.place)
        phones = rounds.slots
        evidence, stirred = self.evidence[phones], self.stirred[phones]
        in_force, rotations = self.in_force[phones], self.rotations[phones]
        result = np.empty((len(judged.place), len(PROBLEMS)), np.bool_)
        for n_phones, places in rounds:
            of_round, counted, stirring = (
                in_force[:n_phones],
                evidence[:n_phones],
                stirred[:n_phones],
            )
            counted += verdicts[places]
            np.clip(counted, 0, MOST, out=counted)
            of_round[:, :-1] = (counted >= RAISE) | (of_round[:, :-1] & (counted > 0))
            turning = np.flatnonzero(place[places] >= 0)
            if len(turning):
                sums = self._remember(rotations[turning], judged.rotations[place[places][turning]])
                rotations[turning] = sums
                of_round[turning, -1] = _differ(sums, of_round[turning, -1])
            result[places] = of_round
            stirring = stirred[:n_phones]
            stirring += stirs[places]
            np.minimum(stirring, MOST_STIRRING, out=stirring)
            result[places, _WRONG_FRAME] |= _never_upright(stirring)
        self.evidence[phones], self.stirred[phones] = evidence, stirred
        self.in_force[phones], self.rotations[phones] = in_force, rotations
        return rounds.restored(result)

    def _remember(
        self, sums: NDArray[np.float64], news: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return the sums over rotations ``(n, 91)`` with those of one more window."""
        # Windows overlap: each moment is to count once.
        sums = sums + news * (self._hop / WINDOW_LENGTH)
        sums *= MOST_RAD2 / np.maximum(sums[:, [_SEEN]], MOST_RAD2)
        return sums


def _never_upright(stirred: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return who stirs, but hardly ever upright, ``(n,)``, from the samples of either ``(n, 2)``.

    At rest a phone in a wrong frame looks like its lying wearer; but nobody only ever moves while
    lying.
    """
    upright, otherwise = stirred.T
    never: NDArray[np.bool_] = (otherwise >= STIRRING) & (
        upright < np.maximum(UPRIGHT_STIRRING, UPRIGHT_SHARE * otherwise)
    )
    return never


def _differ(sums: NDArray[np.float64], in_force: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return whether the sensors' axes differ, ``(n,)``, as these sums over rotations show.

    ``in_force`` ``(n,)`` is whether they seemed to before.
    """
    seen = sums[:, _SEEN]
    # A product for each phone by itself: its bits do not depend on how many there are.
    measured = np.maximum((sums[:, np.newaxis, _ALONG] @ _MEASURED)[:, 0], _TINY)  # (n, 48)
    common = (sums[:, np.newaxis, :9] @ _COMMON)[:, 0]
    agreement = common / np.sqrt(np.maximum(seen, _TINY)[:, np.newaxis] * measured)
    best, as_they_are = agreement.max(axis=1), agreement[:, _AS_THEY_ARE]
    clear = (seen >= ENOUGH_RAD2) & (best >= AGREEMENT)
    result: NDArray[np.bool_] = (clear & (best >= as_they_are + MARGIN)) | (
        in_force & (best > as_they_are)
    )
    return result


def _judge(windows: NDArray[np.float32]) -> Judged:
    """Return what windows ``(n, 128, 9)`` show, each by itself."""
    signals = np.ascontiguousarray(windows.transpose(0, 2, 1))  # (n, 9, 128)
    mean = signals.mean(axis=2)  # (n, 9)
    power = np.einsum("ncs,ncs->nc", signals, signals) / WINDOW_LENGTH  # (n, 9)
    size = np.sqrt(np.square(signals[:, 6:]).sum(axis=1))  # (n, 128)
    unsteady = size.std(axis=1)
    gravity = np.sqrt(np.square(mean[:, 6:]).sum(axis=1))
    turning = np.sqrt(np.maximum(power[:, 3:6] - np.square(mean[:, 3:6]), 0).sum(axis=1))

    right = (gravity >= GRAVITY_G[0]) & (gravity <= GRAVITY_G[1])
    steady = gravity >= STEADY * np.sqrt(power[:, 6:].sum(axis=1))
    too_small = (gravity >= TOO_SMALL_G[0]) & (gravity <= TOO_SMALL_G[1]) & steady
    moving = right & (unsteady > MOVING_G)
    sized = (turning >= TURNING_RAD_S[0]) & (turning <= TURNING_RAD_S[1])
    walking = moving & (turning > WALKING_RAD_S)
    walking[walking] = _step_share(size[walking]) > STEP_SHARE
    upright = mean[:, 6] > UPRIGHT * gravity
    for_it = [
        too_small | (gravity > TOO_LARGE_G),
        (gravity < NO_GRAVITY_G) & ~too_small,
        (turning > TURNING_RAD_S[1]) | (moving & ~sized),
        walking & ~upright,
    ]
    against_it = [right, right | too_small, moving & sized, walking & upright]
    verdicts = (np.stack(for_it).view(np.int8) - np.stack(against_it).view(np.int8)).T
    stirring = right & (unsteady > STIRRING_G)
    otherwise = mean[:, 6] < NOT_UPRIGHT * gravity
    stirs = np.column_stack([stirring & upright, stirring & otherwise])

    calm = np.flatnonzero(right & (unsteady < CALM_G))
    turns, rotations = _rotations(signals, calm)
    place = np.full(len(windows), -1)
    place[calm[turns]] = np.arange(len(rotations))
    return Judged(verdicts, stirs, place, rotations)


def _step_share(size: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the share of steps in the variance of ``size`` ``(n, 128)``."""
    power = np.abs(np.fft.rfft(size, axis=1)[:, 1:]) ** 2  # (n, 64)
    share: NDArray[np.float32] = power[:, _STEPS].sum(axis=1) / (power.sum(axis=1) + _TINY)
    return share


# The rotations that both sensors see. While a phone turns by a small angle w, gravity turns in its
# axes by -w x g, which shows w but for its part along g. The gyroscope measures all of w; were its
# axes exchanged by a signed permutation, it would agree better after that was undone. Over 48 of
# them sums of three products are enough to tell how well each agrees.

_BLOCK: Final = 16  # samples that are averaged, 0.32 s
_N_TURNS: Final = WINDOW_LENGTH // _BLOCK - 1
_SEEN: Final = 9 + 81  # column of the rotation that gravity shows, squared
_ALONG: Final = slice(9, _SEEN)
_N_SUMS: Final = _SEEN + 1


def _rotations(
    signals: NDArray[np.float32], calm: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return which calm windows turn, and the sums ``(n_turning, 91)`` over their turns.

    ``signals`` ``(n, 9, 128)`` are all windows, ``calm`` ``(n_calm,)`` those that are calm; those
    that turn are counted among them. The sums are in rad²: with gravity's direction u, the turn v
    that it shows and the turn w that the gyroscope measured: v w', then (u w')(u w')' with u w' as
    nine numbers, then v'v.
    """
    # Of windows that turn too little, as most do, the gyroscope does not matter.
    smooth = np.matmul(signals[calm, 6:], _SMOOTHING[:, : 2 * _N_TURNS])  # (n_calm, 3, 2 * 7)
    smooth = smooth.reshape(len(calm), 3, 2, _N_TURNS).transpose(2, 0, 3, 1)
    gravity, change = smooth  # (n_calm, 7, 3)
    strength = np.sqrt(np.einsum("nti,nti->nt", gravity, gravity))[:, :, np.newaxis]
    up = gravity / np.maximum(strength, _TINY)
    shown = _cross(change / np.maximum(strength, _TINY), up)
    seen = np.einsum("nti,nti->n", shown, shown)
    turning = np.flatnonzero(seen >= TURN_RAD2)

    up, shown = up[turning], shown[turning]
    measured = np.matmul(signals[calm[turning], 3:6], _SMOOTHING[:, 2 * _N_TURNS :]).transpose(
        0, 2, 1
    )
    along = (up[..., :, np.newaxis] * measured[..., np.newaxis, :]).reshape(*up.shape[:2], 9)
    return turning, np.concatenate(
        [
            np.einsum("nti,ntj->nij", shown, measured).reshape(-1, 9),
            np.matmul(along.transpose(0, 2, 1), along).reshape(-1, 81),
            seen[turning, np.newaxis],
        ],
        axis=1,
    )


def _cross(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cross products along the last axis, as `np.cross` does in many more steps."""
    result = np.empty_like(a)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        result[..., i] = a[..., j] * b[..., k] - a[..., k] * b[..., j]
    return result


def _smoothing() -> NDArray[np.float32]:
    """Return what makes of a window, for each turn, mean, change and integral ``(128, 3 * 7)``.

    A turn goes from the mean over one block to the mean over the next, so the integral is one over
    the time between, blurred by the same blocks: a triangle over both.
    """
    rise = (np.arange(_BLOCK) + 0.5) / _BLOCK
    mean, change, integral = np.zeros((3, _N_TURNS, WINDOW_LENGTH), np.float32)
    for turn in range(_N_TURNS):
        first = slice(turn * _BLOCK, (turn + 1) * _BLOCK)
        second = slice((turn + 1) * _BLOCK, (turn + 2) * _BLOCK)
        mean[turn, first] = mean[turn, second] = 0.5 / _BLOCK
        change[turn, first], change[turn, second] = -1 / _BLOCK, 1 / _BLOCK
        integral[turn, first], integral[turn, second] = rise, rise[::-1]
    return np.concatenate([mean, change, integral / np.float32(SAMPLING_RATE_HZ)]).T.copy()


def _axes() -> NDArray[np.float64]:
    """Return all signed permutations of three axes, ``(48, 3, 3)``."""
    return np.array(
        [
            np.diag(signs)[list(order)]
            for order in permutations(range(3))
            for signs in product((1.0, -1.0), repeat=3)
        ]
    )


_SMOOTHING: Final = _smoothing()
_AXES: Final = _axes()
_AS_THEY_ARE: Final = int(np.flatnonzero((_AXES == np.eye(3)).all(axis=(1, 2)))[0])
_COMMON: Final = _AXES.reshape(-1, 9).T
"""``(9, 48)``: from the sums v w' to the product of the turns that both sensors see, by axes"""
_MEASURED: Final = np.transpose(
    [(np.eye(9) - np.outer(axes, axes)).ravel() for axes in _AXES.reshape(-1, 9)]
)
"""``(81, 48)``: from those of (u w')(u w')' to the square of what the gyroscope measured across
gravity: all but what is along it"""
