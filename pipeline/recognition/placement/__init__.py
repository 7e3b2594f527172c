"""How a phone is worn: its axes, the sign of its accelerations, calibration."""
