"""``har-stream``: the samples of phones, classified live.

An output topic of a phone belongs in `publications`, a topic of the program in `program_reports`.
"""
