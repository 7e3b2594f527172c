"""The columns of a wearer's frame, as windows carry it and models take it."""

from typing import Final

COLUMNS: Final = (
    "upright_x",
    "upright_y",
    "upright_z",
    "forward_x",
    "forward_y",
    "forward_z",
    "upright_known",
    "forward_known",
    "log_gyro",
    "log_vertical_acc",
)
"""A wearer's frame in the axes of the phone's samples:

* the unit vector up, which is where gravity's reaction points in gait; zeros while unknown,
* the unit vector forward, across it; zeros while unknown,
* whether each is known, 1 or 0,
* how strong the walking is: the means of the logarithms of the root mean square of angular
  velocity, in rad/s, and of the standard deviation of vertical acceleration, in g; zeros while
  forward is unknown.
"""

UPRIGHT: Final = slice(0, 3)
FORWARD: Final = slice(3, 6)
UPRIGHT_KNOWN: Final = 6
FORWARD_KNOWN: Final = 7
STRENGTH: Final = slice(8, 10)
