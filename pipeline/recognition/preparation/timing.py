"""When a sample is a grid point, and when a pause between two samples is a gap."""

from typing import Final

ON_GRID_S: Final = 0.5e-3 + 1e-6
"""How far a sample may lie from a grid point and still be that point: what rounding to whole
milliseconds does, and the rounding of epoch seconds in float64."""

MAX_GAP_S: Final = 0.5
"""A longer pause between two samples of a sensor is a gap: filters and windows begin anew."""
