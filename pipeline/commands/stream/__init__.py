"""``har-stream``: the samples of phones, classified live, and the topics of the results."""
