"""``har-stream``: the samples of phones, classified live.

How phones are served is in `pipeline.serving`; here are the broker, the clock and the disk.
"""
