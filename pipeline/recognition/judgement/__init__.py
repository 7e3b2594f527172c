"""From windows to results: problems, evidence, the activity now, episodes.

A sanity check of a window belongs in `checks`, its name and advice in `problems`.
"""
