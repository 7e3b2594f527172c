"""Whether accelerometer and gyroscope have the same axes, by the turns that both measure.

Strategy: while a phone turns by a small angle w, gravity turns in its axes by -w x g, which shows w
but for its part along g. The gyroscope measures all of w. If its axes are exchanged by a signed
permutation, both agree better after that is undone. Sums of three products suffice to compare how
well all 48 permutations agree.
"""

from itertools import permutations, product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.vocabulary import SAMPLING_RATE_HZ, WINDOW_LENGTH

TURN_RAD2: Final = 0.02
"""Turn in a window, summed as squares over steps of 0.32 s, from which it is compared."""
ENOUGH_RAD2: Final = 0.5
"""Turn in all windows, summed likewise, from which the axes are compared."""
MOST_RAD2: Final = 4.0
"""Turn that is remembered; older turns count less."""
AGREEMENT: Final = 0.6
"""Least correlation of the two sensors' turns that shows which axes are which: 0.8 in the median of
the recordings."""
MARGIN: Final = 0.15
"""By how much other axes must agree better than the axes as they are."""

_BLOCK: Final = 16  # samples that are averaged, 0.32 s
_N_TURNS: Final = WINDOW_LENGTH // _BLOCK - 1
_ABOVE: Final = np.triu_indices(9)  # of a symmetric product of nine numbers, with the diagonal
_SHOWN: Final = 9 + len(_ABOVE[0])  # column of the turn that gravity shows, squared
N_SUMS: Final = _SHOWN + 1
"""Sums over the turns of a window"""

_TINY: Final = 1e-12


def turn_sums(
    signals: NDArray[np.float32], calm: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return which calm windows turn, and the sums ``(n_turning, 55)`` over their turns.

    ``signals`` ``(n, 9, 128)`` are all windows, ``calm`` ``(n_calm,)`` those that are calm; those
    that turn are counted among them. The sums are in rad²: with gravity's direction u, the turn v
    that it shows and the turn w that the gyroscope measured: v w', then (u w')(u w')' with u w' as
    nine numbers, of which the 45 on and above the diagonal say all, then v'v.
    """
    # Of windows that turn too little, as most do, the gyroscope does not matter.
    smooth = np.matmul(signals[calm, 6:], _SMOOTHING[:, : 2 * _N_TURNS])  # (n_calm, 3, 2 * 7)
    smooth = smooth.reshape(len(calm), 3, 2, _N_TURNS).transpose(2, 0, 3, 1)
    gravity, change = smooth  # (n_calm, 7, 3)
    strength = np.sqrt(np.einsum("nti,nti->nt", gravity, gravity))[:, :, np.newaxis]
    up = gravity / np.maximum(strength, _TINY)
    shown = _cross(change / np.maximum(strength, _TINY), up)
    shown_rad2 = np.einsum("nti,nti->n", shown, shown)
    turning = np.flatnonzero(shown_rad2 >= TURN_RAD2)

    up, shown = up[turning], shown[turning]
    measured = np.matmul(signals[calm[turning], 3:6], _SMOOTHING[:, 2 * _N_TURNS :]).transpose(
        0, 2, 1
    )
    along = (up[..., :, np.newaxis] * measured[..., np.newaxis, :]).reshape(*up.shape[:2], 9)
    return turning, np.concatenate(
        [
            np.einsum("nti,ntj->nij", shown, measured).reshape(-1, 9),
            np.matmul(along.transpose(0, 2, 1), along)[:, *_ABOVE],
            shown_rad2[turning, np.newaxis],
        ],
        axis=1,
    )


def _cross(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cross products along the last axis, in far fewer steps than `np.cross`."""
    result = np.empty_like(a)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        result[..., i] = a[..., j] * b[..., k] - a[..., k] * b[..., j]
    return result


def _smoothing() -> NDArray[np.float32]:
    """Return the weights ``(128, 3 * 7)`` of mean, change and integral over a window, by turn.

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


def remembered(
    sums: NDArray[np.float64], of_window: NDArray[np.float32], share: float
) -> NDArray[np.float64]:
    """Return sums over turns ``(n, 55)`` with those of one more window.

    Windows overlap, and each moment is to count once: ``share`` is that of a window which is new.
    """
    sums = sums + of_window * share
    sums *= MOST_RAD2 / np.maximum(sums[:, [_SHOWN]], MOST_RAD2)
    return sums


def axes_differ(sums: NDArray[np.float64], in_force: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return whether the sensors' axes differ, ``(n,)``, by sums over turns ``(n, 55)``.

    ``in_force`` ``(n,)`` is whether they seemed to before.
    """
    shown_rad2 = sums[:, _SHOWN]
    # A product for each phone by itself: its bits do not depend on how many there are.
    measured = np.maximum((sums[:, np.newaxis, _ALONG] @ _MEASURED)[:, 0], _TINY)  # (n, 48)
    common = (sums[:, np.newaxis, :9] @ _COMMON)[:, 0]
    agreement = common / np.sqrt(np.maximum(shown_rad2, _TINY)[:, np.newaxis] * measured)
    best, as_they_are = agreement.max(axis=1), agreement[:, _AS_THEY_ARE]
    clear = (shown_rad2 >= ENOUGH_RAD2) & (best >= AGREEMENT)
    result: NDArray[np.bool_] = (clear & (best >= as_they_are + MARGIN)) | (
        in_force & (best > as_they_are)
    )
    return result


def _along() -> NDArray[np.intp]:
    """Return ``(81,)``: the column of the sums that has each element of (u w')(u w')'."""
    columns = np.zeros((9, 9), np.intp)
    columns[_ABOVE] = np.arange(9, _SHOWN)
    return np.maximum(columns, columns.T).ravel()


_SMOOTHING: Final = _smoothing()
_ALONG: Final = _along()
_AXES: Final = _axes()
_AS_THEY_ARE: Final = int(np.flatnonzero((_AXES == np.eye(3)).all(axis=(1, 2)))[0])
_COMMON: Final = _AXES.reshape(-1, 9).T
"""``(9, 48)``: from the sums v w' to the product of the turns that both sensors measure, by axes"""
_MEASURED: Final = np.transpose(
    [(np.eye(9) - np.outer(axes, axes)).ravel() for axes in _AXES.reshape(-1, 9)]
)
"""``(81, 48)``: from those of (u w')(u w')' to the square of what the gyroscope measured across
gravity: all but what is along it"""
