"""From readings to windows: one grid, the filters of the training data, 128 samples each."""
