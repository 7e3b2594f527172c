"""Learns the numbers of the decisions over time from labelled recordings."""
