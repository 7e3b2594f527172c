"""Recorded or made streams of samples, read for replay and for training."""
