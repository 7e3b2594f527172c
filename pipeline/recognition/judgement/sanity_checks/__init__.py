"""The sanity checks: what cannot be right about a phone's samples, and what to do about it.

A new one belongs in `checks`, its name and advice in `problems`.
"""
