"""``har-stream``: what phones send, classified live."""
