"""The vocabulary that every other module shares: rate, window, channels, units, activities, models.

The signals are those of the UCI HAR data set (Anguita et al. 2012, 2013), which the models are
trained on.
"""

from typing import Final, Literal

SAMPLING_RATE_HZ: Final = 50.0
WINDOW_LENGTH: Final = 128
"""Samples in a window: 2.56 s."""

STANDARD_GRAVITY: Final = 9.80665
"""m/s² in one g (ISO 80000-3)."""

CHANNELS: Final = (
    "body_acc_x",
    "body_acc_y",
    "body_acc_z",
    "body_gyro_x",
    "body_gyro_y",
    "body_gyro_z",
    "total_acc_x",
    "total_acc_y",
    "total_acc_z",
)
"""The nine channels of a sample, in the order in which every array holds them."""

UNITS: Final = ("g", "g", "g", "rad/s", "rad/s", "rad/s", "g", "g", "g")
"""The unit of each channel."""

ACTIVITIES: Final = (
    "WALKING",
    "WALKING_UPSTAIRS",
    "WALKING_DOWNSTAIRS",
    "SITTING",
    "STANDING",
    "LAYING",
)
"""The six activities of UCI HAR; label ``k`` of the data set's files is ``ACTIVITIES[k - 1]``."""

TRANSITION: Final = "transition"
"""In place of an activity: the posture changes."""
UNKNOWN: Final = "unknown"
"""In place of an activity: what goes on is none that the model knows, or cannot be told."""

Orientation = Literal["training", "any"]
"""How phones are worn: as those of the training data, or anywhere and any way round."""

FAMILIES: Final = ("lstm", "cnn-lstm", "conv-lstm")
ANY: Final = "-any"
"""Ends the name of a model for phones worn anywhere, any way round."""
SHIPPED_MODELS: Final = (*FAMILIES, *(family + ANY for family in FAMILIES))
"""Names of the models in `pipeline.models`."""
AUTO: Final = "auto"
"""Stands for two shipped models: one for phones at the waist, one for all others."""
AUTO_FAMILY: Final = "cnn-lstm"
