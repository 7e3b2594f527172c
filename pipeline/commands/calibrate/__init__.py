"""``har-calibrate``: how a phone is worn, measured while its wearer stands and walks."""
