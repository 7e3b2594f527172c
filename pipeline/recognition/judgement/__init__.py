"""From windows to results: problems, evidence, the activity now, episodes.

What cannot be right about the samples is in `sanity_checks`.
"""
