"""``har-replay``: recordings, sent as if phones did."""
