"""``har-stream``: the samples of phones, classified live.

What it publishes is in `outputs`; what it reads beside samples, in `instructions`.
"""
