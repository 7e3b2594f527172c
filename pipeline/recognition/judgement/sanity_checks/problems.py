"""The problems that the sanity checks can find, and what to do about each."""

from typing import Final

ADVICE: Final = {
    "acc-unit": "gravity does not measure 1 g: accelerations are about ten times too large or too "
    "small; make the unit that the messages name, m/s2 or g, that of their numbers",
    "no-gravity": "accelerations come without gravity, so postures cannot be told apart: let the "
    "app send the accelerometer instead of linear acceleration, or gravity besides it",
    "gyro-unit": "angular velocities are far too large or too small for the movement, or missing: "
    "make the unit that the messages name, rad/s or deg/s, that of their numbers",
    "wrong-frame": "somebody walks, but gravity is not where the model knows it: say how the phone "
    "is worn with --frame or run har-calibrate; for an iPhone see --convention",
    "swapped-axes": "accelerometer and gyroscope do not turn together: the axes of one are in "
    "another order or sign than the other's; let the app send both in the phone's axes",
}
"""For each problem, its sign in the samples and what to do, a sentence each."""

PROBLEMS: Final = tuple(ADVICE)
"""The problems' names, in the order of the columns that `Plausibility.problems_after` returns."""

WRONG_FRAME: Final = PROBLEMS.index("wrong-frame")
