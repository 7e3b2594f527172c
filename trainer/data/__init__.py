"""Recordings to training windows: cut, labelled, corrupted, rotated."""
