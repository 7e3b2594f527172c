"""Readings in, results out: a pure function of the samples, without clock, network or files."""
